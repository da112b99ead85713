//! Raw contract -> checked contract: every name refers to something, every value means something.
//!
//! Collects all problems and keeps going; what could not be resolved is left out of the result, which is only used
//! when there are no problems. The files of this room check one section of the contract each; `scope` looks names up,
//! here and in other domains; `lossless` follows the messages of a contract in which every name is known, and
//! `warnings` says what may be meant and often is not.

mod arguments;
mod bindings;
mod broker;
mod consumers;
mod grants;
mod lossless;
mod messages;
mod publishers;
mod queues;
mod retry;
mod rpcs;
mod scope;
mod warnings;

#[cfg(test)]
pub(super) use warnings::NAMES as WARNINGS;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::domains::Domains;
use super::files::Files;
use super::problem::{Problem, Severity, enough};
use super::source::join;
use super::{Contract, Message, STACK_BYTES, Surroundings, raw};

/// How much memory messages in the host may take if nothing is said, in MiB.
const MEMORY_MIB: u64 = 4096;

/// Checks the meaning of a contract whose shape is sound.
pub(super) fn check(
    raw: raw::Contract,
    domains: Domains,
    files: Arc<Files>,
    surroundings: Surroundings<'_>,
    problems: &mut Vec<Problem>,
) -> Contract {
    let whole = !problems.iter().any(|problem| problem.severity == Severity::Error);
    let mut checker = Checker {
        raw: &raw,
        domains: &domains,
        files: &files,
        surroundings,
        problems,
        incomplete: false,
        foreign_messages: BTreeMap::new(),
    };
    let mut exchanges = checker.exchanges();
    let mut queues = checker.queues();
    let messages = checker.messages();
    let mut bindings = checker.bindings();
    let publishers = checker.publishers(&messages, &mut bindings);
    let rpcs = checker.rpcs(&messages);
    let consumers = checker.consumers(&messages, &publishers, &mut bindings);
    let mut bindings = bindings.into_list();
    checker.foreign(&mut exchanges, &mut queues, &mut bindings);
    let incomplete = checker.incomplete;
    let contract = Contract {
        name: raw.contract.clone(),
        version: raw.version.clone().unwrap_or_default(),
        description: raw.description.clone(),
        exchanges,
        queues,
        bindings,
        messages,
        publishers,
        rpcs,
        consumers,
        memory_bytes_max: raw.memory_mib.unwrap_or(MEMORY_MIB).saturating_mul(1024 * 1024),
        concurrency: raw.concurrency,
        stack_bytes_max: raw.stack_kib.map_or(STACK_BYTES, |kib| kib as usize * 1024),
        warnings: Vec::new(),
        files,
    };
    let mut warnings = Vec::new();
    if whole {
        lossless::alone(&contract, &raw, problems, &mut warnings);
    }
    // A message's way through a contract of which parts are missing would only repeat that they are.
    if whole && !incomplete {
        lossless::check(&contract, &raw, problems, &mut warnings);
        warnings::check(&contract, &raw, &mut warnings);
        let warnings = warnings::not_allowed(&raw, warnings);
        // What follows from a mistake is no news.
        let sound = problems.is_empty();
        problems.extend(warnings.into_iter().filter(|problem| sound || problem.severity == Severity::Error));
    }
    contract
}

type Messages = BTreeMap<String, Arc<Message>>;

struct Checker<'a> {
    raw: &'a raw::Contract,
    domains: &'a Domains,
    files: &'a Files,
    surroundings: Surroundings<'a>,
    problems: &'a mut Vec<Problem>,
    /// Something was left out of the result, because it names what is not there.
    incomplete: bool,
    /// Messages of other domains that are used here.
    foreign_messages: Messages,
}

impl Checker<'_> {
    fn refuse(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Refuses what leaves the way of messages unclear: what would follow from it is not looked for.
    fn refuse_way(&mut self, problem: Problem) {
        self.incomplete = true;
        self.refuse(problem);
    }

    fn unique(&mut self, name: &str, at: &str, section: &str, other: &str, taken: bool) {
        if taken {
            self.refuse(
                Problem::at(at, format!("`{name}` is also the name of {other}"))
                    .on_key()
                    .because("a handler publishes by this name, and it has to mean one thing")
                    .hint("give one of them another name")
                    .also(join(section, name), "it is here already"),
            );
        }
    }

    /// Refuses a routing key or pattern for what is wrong with it.
    fn fault(&mut self, at: &str, fault: Option<String>) {
        if let Some(says) = fault {
            self.refuse_way(Problem::at(at, says));
        }
    }

    /// There are as many problems as can be told: what is left need not be looked at.
    fn is_full(&self) -> bool {
        enough(self.problems)
    }
}
