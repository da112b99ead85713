//! What is part of the language, is checked, and cannot be run by this version.

use super::problem::Problem;
use super::source::join;
use super::{Contract, Isolation};

impl Contract {
    /// Everything in the contract that `run` has to refuse, because it does not do it yet.
    pub fn cannot_run(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut cannot = |at: String, what: &str| {
            problems.push(
                Problem::at(at, format!("{what} cannot be run by this version of Warren"))
                    .on_key()
                    .because("the contract is sound; `check`, `topology` and the other commands take it"),
            );
        };
        for rpc in self.rpcs.keys() {
            cannot(join("/rpcs", rpc), &format!("the rpc `{rpc}`"));
        }
        for consumer in self.consumers.values() {
            let at = join("/consumers", &consumer.name);
            if consumer.handler.isolation == Isolation::Reuse {
                cannot(join(&join(&at, "handler"), "isolation"), "a handler with `isolation: reuse`");
            }
        }
        problems
    }
}
