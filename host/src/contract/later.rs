//! What is part of the language, is checked, and cannot be run by this version.

use super::Contract;
use super::problem::Problem;
use super::source::join;

impl Contract {
    /// Everything in the contract that `run` has to refuse, because it does not do it yet.
    pub fn cannot_run(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for rpc in self.rpcs.keys() {
            let says = format!("the rpc `{rpc}` cannot be run by this version of Warren");
            problems.push(
                Problem::at(join("/rpcs", rpc), says)
                    .on_key()
                    .because("the contract is sound; `check`, `topology` and the other commands take it"),
            );
        }
        problems
    }
}
