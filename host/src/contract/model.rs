//! What a contract says once it is known to be sound: the types that every other room reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Message;
use super::grants::Capabilities;
use super::handler::HandlerSpec;
use super::raw::{DeliveryMode, ExchangeType, FailureAction, QueueType};
use super::routing::{self, topic_matches};

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
    /// Gets what this exchange cannot route.
    pub alternate: Option<String>,
    /// Who declares it.
    pub owner: Owner,
}

/// Who declares something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// This contract.
    Us,
    /// Somebody else (`owned: false`): it has to exist.
    Somebody,
    /// The contract of the domain of this name: it has to exist if something of ours refers to it.
    Domain(String),
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
    /// Whether it belongs to the connection that declares it.
    pub exclusive: bool,
    /// Whether the broker deletes it with its last consumer.
    pub auto_delete: bool,
    /// Broker arguments that follow from the typed keys, and those given as they are. Never used for a queue of somebody
    /// else.
    pub arguments: Map<String, Value>,
    /// Where messages go that cannot be handled.
    pub dead_letter: Option<DeadLetter>,
    /// How failures are retried.
    pub retry: Retry,
    /// How often a message may be handed over before, without being settled, and still be given to the handler.
    pub deliveries_max: u32,
    /// How long a message may wait in the queue.
    pub message_ttl: Option<Duration>,
    /// Who declares it.
    pub owner: Owner,
}

/// Where messages go that cannot be handled.
#[derive(Debug, Clone, PartialEq)]
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
    /// Delayed by the broker itself (quorum queues, RabbitMQ 4.3): retry `n` comes after `n` times the initial delay.
    NativeDelay {
        /// Attempts after the first.
        max_retries: u32,
        /// Delay before the first retry.
        initial_delay: Duration,
        /// The longest delay.
        max_delay: Duration,
    },
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

/// A binding of a queue, or of another exchange, to an exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The exchange that messages come from.
    pub exchange: String,
    /// Where they go.
    pub destination: Destination,
    /// The binding key; empty where the exchange does not use one.
    pub routing_key: String,
    /// Arguments, such as the match of a headers exchange.
    pub arguments: Map<String, Value>,
    /// Who declares it.
    pub owner: Owner,
    /// JSON pointer of what it follows from in the contract, such as `/bindings/dead` or `/consumers/takeOrder`.
    pub from: String,
}

/// Where a binding leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// To the queue of this name.
    Queue(String),
    /// To the exchange of this name.
    Exchange(String),
}

/// Something that can be published.
#[derive(Debug)]
pub struct Publisher {
    /// Its name: that of a publisher, an event or a command; `domain/name` for those of another domain.
    pub name: String,
    /// Which of these it is.
    pub kind: PublisherKind,
    /// The exchange it publishes to; empty for the default exchange.
    pub exchange: String,
    /// How that exchange routes.
    pub exchange_kind: ExchangeType,
    /// The routing key; none where each message has to bring its own (a command with a pattern).
    pub routing_key: Option<String>,
    /// The pattern that a message's own routing key has to match; none where it may not bring one.
    pub pattern: Option<String>,
    /// What it publishes.
    pub message: Arc<Message>,
    /// Whether somebody outside the contract consumes it.
    pub external_consumers: bool,
    /// One line on what it is for.
    pub summary: Option<String>,
    /// Its own contract, or another domain's.
    pub owner: Owner,
}

/// What a publisher is in the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublisherKind {
    /// An event itself.
    Event,
    /// A command itself.
    Command,
    /// One of `publishers`, of the event of this name.
    OfEvent(String),
    /// One of `publishers`, of the command of this name.
    OfCommand(String),
    /// One of `publishers`, with an exchange and a message of its own.
    Own,
}

/// A request that is answered.
#[derive(Debug)]
pub struct Rpc {
    /// Its name.
    pub name: String,
    /// The queue of the requests.
    pub queue: String,
    /// What is asked.
    pub request: Arc<Message>,
    /// What is answered.
    pub response: Arc<Message>,
    /// Errors that may be answered, by code.
    pub errors: BTreeMap<String, Arc<Message>>,
    /// How long a caller waits.
    pub timeout: Duration,
    /// One line on what it answers.
    pub summary: Option<String>,
}

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// The queue it takes messages from.
    pub queue: String,
    /// What it is there for.
    pub takes: Takes,
    /// What comes out of the queue.
    pub message: Arc<Message>,
    /// What handles it.
    pub handler: HandlerSpec,
    /// Names of the publishers that the handler may use.
    pub publishes: Vec<String>,
    /// What the handler may reach.
    pub capabilities: Capabilities,
    /// What becomes of failures, where it is not what their class says.
    pub on_failure: OnFailure,
    /// When a message is acknowledged: after it was handled, or before.
    pub delivery: DeliveryMode,
    /// How many messages the broker hands over ahead.
    pub prefetch: u16,
    /// One line on what it does.
    pub summary: Option<String>,
}

/// What a consumer is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takes {
    /// The event of this name (`domain/name` for another domain's).
    Event(String),
    /// The command of this name, of which it is the only consumer.
    Command(String),
    /// The rpc of this name, which it answers.
    Rpc(String),
    /// Whatever `bindings` bring into its queue.
    Message,
}

/// What becomes of failures; none where their class decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "one for each class")]
pub struct OnFailure {
    pub transient: Option<FailureAction>,
    pub rate_limited: Option<FailureAction>,
    pub permanent: Option<FailureAction>,
    pub unauthorized: Option<FailureAction>,
    pub trap: Option<FailureAction>,
    pub deadline: Option<FailureAction>,
    pub memory: Option<FailureAction>,
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

impl Binding {
    /// Whether both route the same messages to the same place.
    pub fn is_same(&self, other: &Self) -> bool {
        // What differs most often goes first: many are compared.
        self.routing_key == other.routing_key
            && self.destination == other.destination
            && self.exchange == other.exchange
            && self.arguments == other.arguments
    }
}

impl Destination {
    /// The name of the queue or exchange.
    pub fn name(&self) -> &str {
        match self {
            Self::Queue(name) | Self::Exchange(name) => name,
        }
    }
}

impl Retry {
    /// The attempt after which a failure is final.
    pub fn max_attempts(&self) -> u32 {
        match self {
            Self::None => 1,
            Self::QuorumNative { max_retries } | Self::NativeDelay { max_retries, .. } => {
                max_retries.saturating_add(1)
            }
            Self::TtlBackoff(backoff) => backoff.max_retries.saturating_add(1),
        }
    }
}

impl DeliveryMode {
    /// The contract's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at-least-once",
            Self::AtMostOnce => "at-most-once",
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
