//! The contract: what a contract file says once it is known to be sound.
//!
//! `Contract::parse` turns text into a checked, immutable `Contract`, or into every problem at once, each with its
//! place. Pure: it reads no file, no environment variable and asks no broker; what a contract refers to is given by
//! the caller. In reading order: `source` (text and places), `substitute` (`${NAME}`), `files` (several files as one),
//! `shape` (held against the schema of `raw`), `check` (meaning, and ways to lose a message).

mod check;
pub mod compat;
mod document;
mod domains;
mod editor;
#[cfg(test)]
mod editor_tests;
mod files;
#[cfg(test)]
mod fuzz_tests;
mod grants;
mod handler;
mod headers;
#[cfg(test)]
mod hostile_crowd_tests;
#[cfg(test)]
mod hostile_tests;
mod later;
mod message;
mod model;
mod origin;
mod patterns;
mod payload;
mod problem;
#[expect(dead_code, reason = "some texts are for readers of the contract, not for the host")]
mod raw;
mod recursion;
mod render;
pub mod routes;
mod routing;
#[cfg(test)]
mod scale_tests;
mod shape;
mod shape_faults;
mod source;
mod substitute;
#[cfg(test)]
pub(crate) mod tests;
mod yaml;
mod yaml_faults;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

pub use editor::editor_schema;
pub(crate) use grants::STORE_BYTES_MAX;
pub use grants::{Capabilities, FileGrant, HttpGrant, SecretGrant, StoreGrant};
pub use handler::{HandlerSpec, Limits, Reuse, SignatureSpec};
pub use headers::{compared, headers_match};
pub use message::{Decoded, Example, Message};
pub use model::*;
pub use origin::{Origin, private_kind};
pub use problem::{Problem, Problems, Severity, nearest};
pub use raw::{Access, DeliveryMode, Encoding, ExchangeType, FailureAction, Isolation, QueueType};
pub use routing::{key_fault, pattern_fault, topic_matches};
pub(crate) use source::TEXT_BYTES_MAX;
pub(crate) use yaml::plain_value;

use files::Files;

/// How often a message may be handed over, without any of it being settled, before the host takes it for the cause of the
/// trouble and dead-letters it, if the contract does not say. What only happened to be prefetched beside it does not come
/// so far: a suspect is handled alone long before.
pub(crate) const POISON_DELIVERIES: u32 = 20;
/// How often the broker may hand a message over before it dead-letters it itself, if the contract does not say: so much
/// later that the host comes first, whose dead letter says why. Declared on quorum queues, because RabbitMQ 4 says 20 if
/// nothing is said, and 20 lost connections should not dead-letter what only happened to be prefetched.
pub(crate) const DELIVERIES_MAX: u32 = 100;
/// How much text the files that a contract includes and the contracts of other domains may have in all, in bytes.
const CONTRACT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How much text schema files may have in all, in bytes; one that several messages refer to counts for each.
const SCHEMA_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much stack a handler may use if nothing is said, in bytes.
pub(crate) const STACK_BYTES: usize = 512 * 1024;
/// The most calls at the same time over all handlers, if nothing is said.
const CONCURRENCY_MAX: u32 = 4_000;

/// A contract that cannot lose a message by its own shape.
#[derive(Debug)]
pub struct Contract {
    /// Name of the contract.
    pub name: String,
    /// Version of the contract; empty if the file gives none.
    pub version: String,
    /// What it is for.
    pub description: Option<String>,
    /// Exchanges, by name; those of other domains among them.
    pub exchanges: BTreeMap<String, Exchange>,
    /// Queues, by name; those of other domains among them.
    pub queues: BTreeMap<String, Queue>,
    /// All bindings: those of the file, those that follow from events and commands, and those of other domains.
    pub bindings: Vec<Binding>,
    /// Messages, by name.
    pub messages: BTreeMap<String, Arc<Message>>,
    /// Everything that can be published: publishers, events and commands, by name.
    pub publishers: BTreeMap<String, Arc<Publisher>>,
    /// Requests that are answered, by name.
    pub rpcs: BTreeMap<String, Rpc>,
    /// Consumers, by name.
    pub consumers: BTreeMap<String, Consumer>,
    /// How much memory the host may use for messages taken and not finished, in bytes.
    pub memory_bytes_max: u64,
    /// How many calls may run at the same time, over all handlers, if the contract says so.
    pub concurrency: Option<u16>,
    /// How much stack a handler may use, in bytes.
    pub stack_bytes_max: usize,
    warnings: Vec<Problem>,
    files: Arc<Files>,
}

/// What a contract may refer to outside of its own text.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "functions have nothing to show")]
pub struct Surroundings<'a> {
    /// Gives the text of a file, by its path relative to the contract.
    pub read_file: &'a dyn Fn(&str) -> std::io::Result<String>,
    /// Gives the value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// The values of a YAML or JSON text that is no contract, within the limits that hold for contracts. The error says what
/// is wrong with the text, and where.
pub(crate) fn document_values(name: &str, text: &str) -> Result<serde_json::Value, String> {
    source::Source::parse(name, text).map(|source| source.root).map_err(|failed| {
        let (source, problem) = *failed;
        let range = problem.span().unwrap_or_else(|| source.range(&problem.pointer, source::Part::Value));
        let (line, column) = source.position(range.start);
        let says = problem.says.replace("the contract", "the document").replace("a contract file", "it");
        format!("{name}:{line}:{column}: {}", says.replace("the contract language", "it"))
    })
}

/// A text that was read, if what was read before leaves room for it.
fn within(left: &Cell<usize>, text: String) -> std::io::Result<String> {
    match left.get().checked_sub(text.len()) {
        Some(rest) => {
            left.set(rest);
            Ok(text)
        }
        None => Err(std::io::Error::other("this and the files before are too large in all")),
    }
}

impl Contract {
    /// Its name, with its version if it has one: `orders@1.0.0`.
    pub fn full_name(&self) -> String {
        if self.version.is_empty() { self.name.clone() } else { format!("{}@{}", self.name, self.version) }
    }

    /// How many calls may run at the same time, over all handlers.
    pub fn calls_max(&self) -> u32 {
        let wanted = || self.consumers.values().map(|consumer| u32::from(consumer.handler.concurrency)).sum();
        self.concurrency.map_or_else(|| u32::min(wanted(), CONCURRENCY_MAX), u32::from)
    }

    /// Reads and checks the contract `text`. `name` is the path shown in problems.
    pub fn parse(name: &str, text: &str, surroundings: Surroundings<'_>) -> Result<Self, Box<Problems>> {
        let mut problems = Vec::new();
        let (contracts, schemas) = (Cell::new(CONTRACT_BYTES_MAX), Cell::new(SCHEMA_BYTES_MAX));
        let read_contract = |path: &str| within(&contracts, (surroundings.read_file)(path)?);
        let read_schema = |path: &str| within(&schemas, (surroundings.read_file)(path)?);
        let near = Surroundings { read_file: &read_contract, ..surroundings };
        let (mut files, root) = Files::read(name, text, near, &mut problems);
        let raw = root.and_then(|root| shape::read(root, &mut files, &mut problems));
        let files = Arc::new(files);
        let refuse = |problems| Err(Box::new(Problems::new(Arc::clone(&files), problems)));
        let Some(raw) = raw else { return refuse(problems) };
        let domains = domains::read(&raw, &files, near, &mut problems);
        let near = Surroundings { read_file: &read_schema, ..surroundings };
        let mut contract = check::check(raw, domains, Arc::clone(&files), near, &mut problems);
        let (errors, warnings): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|problem| problem.severity == Severity::Error);
        if errors.is_empty() {
            contract.warnings = warnings;
            Ok(contract)
        } else {
            refuse(errors.into_iter().chain(warnings).collect())
        }
    }

    /// What may be meant, and often is not.
    pub fn warnings(&self) -> Problems {
        self.problems(self.warnings.clone())
    }

    /// Problems that were found later, such as with the components, shown in this contract's text.
    pub fn problems(&self, problems: Vec<Problem>) -> Problems {
        Problems::new(Arc::clone(&self.files), problems)
    }

    /// The queue of a consumer.
    pub fn queue_of(&self, consumer: &Consumer) -> &Queue {
        &self.queues[&consumer.queue]
    }
}
