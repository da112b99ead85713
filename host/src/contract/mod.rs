//! The contract: what a contract file says once it is known to be sound.
//!
//! `Contract::parse` turns text into a checked, immutable `Contract`, or into every problem at once, each with its
//! place. Pure: it reads no file and asks no broker; the files that a contract refers to are given by the caller.
//! In reading order: `source` (text and places), `shape` (held against the schema of `raw`), `check` (meaning).

mod check;
mod lossless;
mod message;
mod problem;
#[expect(dead_code, reason = "summaries and descriptions are for readers of the contract, not for the host")]
mod raw;
mod routing;
mod shape;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

pub use message::Message;
pub use problem::{Problem, Problems};
pub use raw::{ExchangeType, QueueType};
use routing::topic_matches;
pub use shape::schema;
use source::Source;

/// How often the broker may hand a message over, without any of it being settled, before it is taken for the cause of the
/// trouble and dead-lettered. Declared on quorum queues, because RabbitMQ 4 says 20 if nothing is said, and 20 lost
/// connections should not dead-letter what only happened to be prefetched.
const DELIVERIES_MAX: u32 = 100;

/// A contract that cannot lose a message by its own shape.
#[derive(Debug)]
pub struct Contract {
    /// Name of the contract.
    pub name: String,
    /// Version of the contract; empty if the file gives none.
    pub version: String,
    /// Exchanges, by name.
    pub exchanges: BTreeMap<String, Exchange>,
    /// Queues, by name.
    pub queues: BTreeMap<String, Queue>,
    /// All bindings: those of the file, and those that follow from events and commands.
    pub bindings: Vec<Binding>,
    /// Everything that can be published: publishers, events and commands, by name.
    pub publishers: BTreeMap<String, Arc<Publisher>>,
    /// Consumers, by name.
    pub consumers: BTreeMap<String, Consumer>,
    source: Source,
}

/// An exchange.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are AMQP's own")]
pub struct Exchange {
    pub name: String,
    pub kind: ExchangeType,
    pub durable: bool,
    pub auto_delete: bool,
    pub internal: bool,
    /// Broker arguments, the alternate exchange among them.
    pub arguments: Map<String, Value>,
}

/// A queue.
#[derive(Debug)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Quorum or classic.
    pub kind: QueueType,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// Broker arguments that follow from the typed keys, and those given as they are.
    pub arguments: Map<String, Value>,
    /// Where messages go that cannot be handled.
    pub dead_letter: Option<DeadLetter>,
    /// How failures are retried.
    pub retry: Retry,
    /// How often a message may be handed over before, without being settled, and still be given to the handler.
    pub deliveries_max: u32,
}

/// Where messages go that cannot be handled.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The dead-letter exchange.
    pub exchange: String,
    /// The routing key of dead letters; the message's own if none.
    pub routing_key: Option<String>,
}

/// How failures that may pass are retried.
#[derive(Debug, Clone, PartialEq)]
pub enum Retry {
    /// Not at all.
    None,
    /// At once, counted by the broker (quorum queues).
    QuorumNative {
        /// Attempts after the first.
        max_retries: u32,
    },
    /// After a delay that grows, in wait queues.
    TtlBackoff(Backoff),
}

/// Delays that grow from one retry to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff {
    /// Attempts after the first.
    pub max_retries: u32,
    /// Delay before the first retry.
    pub initial_delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
    /// What the delay is multiplied with from one retry to the next.
    pub multiplier: f64,
    /// Whether delays vary between 0.5 and 1.5 times their base.
    pub jitter: bool,
}

/// A binding of a queue to an exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The exchange that messages come from.
    pub exchange: String,
    /// The queue they go to.
    pub queue: String,
    /// The binding key; empty where the exchange does not use one.
    pub routing_key: String,
    /// Arguments, such as the match of a headers exchange.
    pub arguments: Map<String, Value>,
}

/// Something that can be published.
#[derive(Debug)]
pub struct Publisher {
    /// Its name: that of a publisher, an event or a command.
    pub name: String,
    /// The exchange it publishes to.
    pub exchange: String,
    /// How that exchange routes.
    pub exchange_kind: ExchangeType,
    /// The routing key; none where each message has to bring its own (a command with a pattern).
    pub routing_key: Option<String>,
    /// The pattern that a message's own routing key has to match; none where it may not bring one.
    pub pattern: Option<String>,
    /// What it publishes.
    pub message: Arc<Message>,
}

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// The queue it takes messages from.
    pub queue: String,
    /// What comes out of the queue.
    pub message: Arc<Message>,
    /// What handles it.
    pub handler: HandlerSpec,
    /// Names of the publishers that the handler may use.
    pub publishes: Vec<String>,
    /// How many messages the broker hands over ahead.
    pub prefetch: u16,
}

/// A handler as the contract wants it: the component and its limits.
#[derive(Debug, Clone)]
pub struct HandlerSpec {
    /// Path of the component, relative to the contract file.
    pub component: String,
    /// SHA-256 that the component must have, in hex.
    pub sha256: Option<String>,
    /// How long one call may take, host calls included.
    pub deadline: Duration,
    /// How much memory one instance may use, in bytes.
    pub memory_bytes_max: usize,
    /// How many messages are handled at the same time.
    pub concurrency: u16,
}

/// Gives the text of a file that the contract refers to, by its path relative to the contract.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> std::io::Result<String>;

impl Contract {
    /// Reads and checks the contract `text`. `name` is the path shown in problems.
    pub fn parse(name: &str, text: &str, read_file: ReadFile<'_>) -> Result<Self, Box<Problems>> {
        let source = match Source::parse(name, text) {
            Ok(source) => source,
            Err(failed) => return Err(Box::new(Problems::new(failed.0, vec![failed.1]))),
        };
        let (raw, mut problems) = shape::read(&source);
        let Some(raw) = raw else { return Err(Box::new(Problems::new(source, problems))) };
        let contract = check::check(raw, source, read_file, &mut problems);
        if problems.is_empty() { Ok(contract) } else { Err(Box::new(contract.problems(problems))) }
    }

    /// Problems that were found later, such as with the components, shown in this contract's text.
    pub fn problems(&self, problems: Vec<Problem>) -> Problems {
        Problems::new(self.source.clone(), problems)
    }

    /// The queue of a consumer.
    pub fn queue_of(&self, consumer: &Consumer) -> &Queue {
        &self.queues[&consumer.queue]
    }
}

impl Publisher {
    /// The key to publish a message with: the publisher's own, or the message's where the publisher has a pattern for it.
    pub fn key_for(&self, wanted: Option<&str>) -> Result<String, String> {
        match (wanted, &self.routing_key, &self.pattern) {
            (None, Some(key), _) => Ok(key.clone()),
            (None, None, _) => Err(format!("`{}` needs a routing key with each message", self.name)),
            (Some(wanted), Some(key), None) if wanted == key => Ok(key.clone()),
            (Some(wanted), _, Some(pattern)) => match routing::key_fault(wanted) {
                Some(fault) => Err(fault),
                None if topic_matches(pattern, wanted) => Ok(wanted.to_owned()),
                None => {
                    Err(format!("the routing key `{wanted}` does not match `{pattern}` of `{}`", self.name))
                }
            },
            (Some(wanted), Some(_), None) | (Some(wanted), None, None) => {
                Err(format!("`{}` has a fixed routing key, it cannot be `{wanted}`", self.name))
            }
        }
    }
}

impl Retry {
    /// The attempt after which a failure is final.
    pub fn max_attempts(&self) -> u32 {
        match self {
            Self::None => 1,
            Self::QuorumNative { max_retries } => max_retries.saturating_add(1),
            Self::TtlBackoff(backoff) => backoff.max_retries.saturating_add(1),
        }
    }
}

impl Backoff {
    /// The delay before retry number `retry` (0 is the first), before jitter, in whole milliseconds.
    pub fn base_delay_ms(&self, retry: u32) -> u64 {
        let initial = self.initial_delay.as_millis() as f64;
        let max = self.max_delay.as_millis() as f64;
        let exponent = i32::try_from(retry).unwrap_or(i32::MAX);
        (initial * self.multiplier.powi(exponent)).min(max).floor() as u64
    }

    /// The longest delay that jitter makes of a base delay, in milliseconds; the TTL of its wait queue.
    pub fn longest_ms(&self, base_ms: u64) -> u64 {
        if self.jitter { base_ms + base_ms.div_ceil(2) } else { base_ms }
    }

    /// The distinct base delays, shortest first, in milliseconds: one wait queue each.
    pub fn tiers_ms(&self) -> Vec<u64> {
        let mut tiers: Vec<u64> = (0..self.max_retries).map(|retry| self.base_delay_ms(retry)).collect();
        tiers.dedup(); // delays never shrink
        tiers
    }
}
