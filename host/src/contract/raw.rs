//! What a contract file says, key for key, before anything is checked but its shape.
//!
//! These types are the one description of the file's shape: the JSON Schema that every contract is held against
//! is made from them (`shape.rs`). Names are those of amqp-contract where it has the thing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A whole contract file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Contract {
    /// Name of the contract; it appears in dead letters and logs.
    #[schemars(length(min = 1, max = 128))]
    pub(super) contract: String,
    /// Version of the contract, by convention a semantic version.
    pub(super) version: Option<String>,
    /// What the contract is for.
    pub(super) description: Option<String>,
    /// Exchanges, by name.
    #[serde(default)]
    pub(super) exchanges: BTreeMap<String, Exchange>,
    /// Queues, by name.
    #[serde(default)]
    pub(super) queues: BTreeMap<String, Queue>,
    /// Bindings of queues to exchanges, beside those that follow from consumers.
    #[serde(default)]
    pub(super) bindings: BTreeMap<String, Binding>,
    /// Messages, by name.
    #[serde(default)]
    pub(super) messages: BTreeMap<String, Message>,
    /// Events: one publisher, any number of consumers.
    #[serde(default)]
    pub(super) events: BTreeMap<String, Event>,
    /// Commands: one consumer that owns the queue, any number of publishers.
    #[serde(default)]
    pub(super) commands: BTreeMap<String, Command>,
    /// Publishers, beside those that every event and command is by itself.
    #[serde(default)]
    pub(super) publishers: BTreeMap<String, Publisher>,
    /// Consumers, by name.
    #[serde(default)]
    pub(super) consumers: BTreeMap<String, Consumer>,
}

/// An exchange.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Exchange {
    /// How it routes; `topic` if not said.
    #[serde(default, rename = "type")]
    pub(super) kind: ExchangeType,
    /// Whether it survives a restart of the broker; yes if not said.
    #[serde(default = "yes")]
    pub(super) durable: bool,
    /// Whether the broker deletes it with its last binding; no if not said.
    #[serde(default)]
    pub(super) auto_delete: bool,
    /// Whether only other exchanges may publish to it; no if not said.
    #[serde(default)]
    pub(super) internal: bool,
    /// The exchange that gets what this one cannot route.
    pub(super) alternate_exchange: Option<String>,
    /// Further arguments for the broker, as they are.
    #[serde(default)]
    pub(super) arguments: Map<String, Value>,
}

/// How an exchange routes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are AMQP's")]
pub enum ExchangeType {
    #[default]
    Topic,
    Direct,
    Fanout,
    Headers,
}

/// A queue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Queue {
    /// `quorum` (if not said) or `classic`.
    #[serde(default, rename = "type")]
    pub(super) kind: QueueType,
    /// Whether it survives a restart of the broker; yes if not said.
    #[serde(default = "yes")]
    pub(super) durable: bool,
    /// Where messages go that cannot be handled.
    pub(super) dead_letter: Option<DeadLetter>,
    /// What to do with a message that cannot be handled when there is no `deadLetter`.
    #[serde(default)]
    pub(super) on_poison: OnPoison,
    /// How failures that may pass are retried.
    #[serde(default)]
    pub(super) retry: Retry,
    /// How often the broker itself takes a message back before it dead-letters it (quorum queues). If not said: 100; the
    /// `maxRetries` of `quorum-native`; and no limit to speak of where there is no `deadLetter`, because there the broker
    /// would drop it.
    #[schemars(range(min = 0))]
    pub(super) delivery_limit: Option<i64>,
    /// How long a message may wait in the queue, in milliseconds.
    #[schemars(range(min = 0, max = 4_294_967_295_i64))]
    pub(super) message_ttl_ms: Option<i64>,
    /// How many messages the queue holds.
    #[schemars(range(min = 1))]
    pub(super) max_length: Option<i64>,
    /// How many priorities the queue tells apart (classic queues).
    #[schemars(range(min = 1, max = 255))]
    pub(super) max_priority: Option<i64>,
    /// Whether only one consumer at a time gets messages; no if not said.
    #[serde(default)]
    pub(super) single_active_consumer: bool,
    /// Further arguments for the broker, as they are.
    #[serde(default)]
    pub(super) arguments: Map<String, Value>,
}

/// How a queue keeps its messages.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are RabbitMQ's")]
pub enum QueueType {
    #[default]
    Quorum,
    Classic,
}

/// Where messages go that cannot be handled.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeadLetter {
    /// The dead-letter exchange.
    pub(super) exchange: String,
    /// The routing key of dead letters; the message's own if not said.
    pub(super) routing_key: Option<String>,
}

/// What to do with a message that cannot be handled.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OnPoison {
    #[default]
    DeadLetter,
    Drop,
}

/// How failures that may pass are retried.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Retry {
    /// `ttl-backoff` (if not said), `quorum-native` or `none`.
    #[serde(default)]
    pub(super) mode: RetryMode,
    /// How often a message is tried again after the first attempt; 3 if not said.
    #[schemars(range(min = 0, max = 1000))]
    pub(super) max_retries: Option<u32>,
    /// The delay before the first retry, in milliseconds; 1000 if not said.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub(super) initial_delay_ms: Option<u64>,
    /// The longest delay, in milliseconds; 30000 if not said.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub(super) max_delay_ms: Option<u64>,
    /// What the delay is multiplied with from one retry to the next; 2 if not said.
    #[schemars(range(min = 1, max = 100))]
    pub(super) backoff_multiplier: Option<f64>,
    /// Whether delays vary between 0.5 and 1.5 times their base; yes if not said.
    pub(super) jitter: Option<bool>,
}

/// How a message comes back for its next attempt.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RetryMode {
    None,
    QuorumNative,
    #[default]
    TtlBackoff,
}

/// A binding of a queue to an exchange.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Binding {
    /// The exchange that messages come from.
    pub(super) exchange: String,
    /// The queue that they go to.
    pub(super) queue: String,
    /// The binding key: exact for a direct exchange, a pattern for a topic exchange, not used by a fanout.
    pub(super) routing_key: Option<String>,
    /// Arguments, such as the match of a headers exchange.
    #[serde(default)]
    pub(super) arguments: Map<String, Value>,
}

/// The content of messages of one kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Message {
    /// JSON Schema 2020-12 of the payload, inline or `{ $ref: file }`.
    pub(super) payload: Map<String, Value>,
    /// JSON Schema 2020-12 of the headers.
    pub(super) headers: Option<Map<String, Value>>,
    /// One line on what the message says.
    pub(super) summary: Option<String>,
    /// More on what the message says.
    pub(super) description: Option<String>,
    /// MIME type of the payload; `application/json` if not said.
    pub(super) content_type: Option<String>,
    /// The largest payload, in bytes; 16 MiB if not said, which is also the most that RabbitMQ 4 takes.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub(super) max_body_bytes: Option<u64>,
}

/// An event: something that happened, told to whoever listens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Event {
    /// The exchange it is published to.
    pub(super) exchange: String,
    /// The routing key it is published with; not needed on a fanout exchange.
    pub(super) routing_key: Option<String>,
    /// What it says.
    pub(super) message: String,
    /// One line on what happened.
    pub(super) summary: Option<String>,
}

/// A command: something to be done, by the one consumer that owns its queue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Command {
    /// The exchange it is sent to.
    pub(super) exchange: String,
    /// The routing key, or on a topic exchange the pattern that publishers' keys must match.
    pub(super) routing_key: Option<String>,
    /// What it says.
    pub(super) message: String,
    /// One line on what is to be done.
    pub(super) summary: Option<String>,
}

/// Something that may be published: `event`, or `command`, or `exchange` with `message`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Publisher {
    /// The event it publishes.
    pub(super) event: Option<String>,
    /// The command it sends.
    pub(super) command: Option<String>,
    /// The exchange it publishes to.
    pub(super) exchange: Option<String>,
    /// The routing key it publishes with; a key, never a pattern.
    pub(super) routing_key: Option<String>,
    /// What it publishes.
    pub(super) message: Option<String>,
    /// One line on what it is for.
    pub(super) summary: Option<String>,
}

/// A consumer: a queue, what comes out of it, and the handler that it is given to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Consumer {
    /// The queue it takes messages from.
    pub(super) queue: String,
    /// The event it listens to; gives message and binding.
    pub(super) event: Option<String>,
    /// The command it carries out; gives message and binding.
    pub(super) command: Option<String>,
    /// The message it takes, where it is bound by `bindings`.
    pub(super) message: Option<String>,
    /// Instead of the event's routing key, a pattern to bind with.
    pub(super) routing_key: Option<String>,
    /// What handles the messages.
    pub(super) handler: Handler,
    /// The publishers, events and commands that the handler may use.
    #[serde(default)]
    pub(super) publishes: Vec<String>,
    /// How many messages the broker hands over ahead; twice the concurrency if not said.
    #[schemars(range(min = 1, max = 2000))]
    pub(super) prefetch: Option<u16>,
    /// One line on what it does.
    pub(super) summary: Option<String>,
}

/// A handler: a component and the limits it runs under.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Handler {
    /// Path of the component, relative to the contract file.
    #[schemars(length(min = 1))]
    pub(super) component: String,
    /// SHA-256 of the component in lower-case hex; another file is refused.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub(super) sha256: Option<String>,
    /// `fresh` (if not said): a new instance for each message.
    #[serde(default)]
    pub(super) isolation: Isolation,
    /// How long one call may take, in milliseconds; 5000 if not said.
    #[schemars(range(min = 1, max = 1_500_000))]
    pub(super) deadline_ms: Option<u32>,
    /// How much memory one instance may use, in MiB; 64 if not said.
    #[schemars(range(min = 1, max = 4096))]
    #[serde(rename = "memoryMiB")]
    pub(super) memory_mib: Option<u32>,
    /// How many messages are handled at the same time; 16 if not said.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) concurrency: Option<u16>,
}

/// What an instance may keep from one message to the next.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Isolation {
    #[default]
    Fresh,
}

fn yes() -> bool {
    true
}
