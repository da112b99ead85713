//! What is part of the language, is checked, and cannot be run by this version.

use super::problem::Problem;
use super::source::join;
use super::{Capabilities, Contract};

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
            let Capabilities { config, secrets, http, files, key_value } = &consumer.capabilities;
            for (key, granted) in [
                ("config", !config.is_empty()),
                ("secrets", !secrets.is_empty()),
                ("http", !http.is_empty()),
                ("files", !files.is_empty()),
                ("keyValue", !key_value.is_empty()),
            ] {
                if granted {
                    let at = join(&join(&at, "capabilities"), key);
                    cannot(at, &format!("a handler with the capability `{key}`"));
                }
            }
        }
        problems
    }
}
