//! What a contract file says, key for key, before anything is checked but its shape.
//!
//! These types are the one description of the file's shape: the JSON Schema that every contract is held against
//! (`shape`), and the one that editors get (`editor`), are made from them. Names are those of amqp-contract where it
//! has the thing. Here is what lives on the broker; `flow` has what flows through it: messages, publishers, consumers;
//! `grants` what a handler may reach beside them.

mod flow;
mod grants;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

pub(in crate::contract) use flow::{
    Allow, Command, Consumer, Event, Example, Handler, Limits, Message, OnFailure, Publisher, Reuse, Rpc,
    Signature,
};
pub use flow::{DeliveryMode, Encoding, FailureAction, Isolation};
pub use grants::Access;
pub(in crate::contract) use grants::{Capabilities, FileGrant, HttpGrant, SecretGrant, Short, StoreGrant};

/// A whole contract file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Contract {
    /// Name of the contract; it appears in dead letters and logs.
    #[schemars(length(min = 1, max = 128))]
    pub(in crate::contract) contract: String,
    /// Version of the contract, by convention a semantic version.
    pub(in crate::contract) version: Option<String>,
    /// What the contract is for.
    pub(in crate::contract) description: Option<String>,
    /// The JSON Schema that an editor holds this file against (`warren schema`); means nothing to Warren.
    #[serde(rename = "$schema")]
    pub(in crate::contract) schema: Option<String>,
    /// Further files of this contract, relative to this one; their sections are added to this one's.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub(in crate::contract) include: Vec<String>,
    /// Contracts of other domains, by the name that they have here, relative to this file. What is in them is referred to
    /// as `domain/name`; it is used, and never declared.
    #[serde(default)]
    pub(in crate::contract) domains: BTreeMap<String, String>,
    /// How much memory the host may use for messages that it has taken and not finished, in MiB; 4096 if not said.
    #[schemars(range(min = 1, max = 1_048_576))]
    #[serde(rename = "memoryMiB")]
    pub(in crate::contract) memory_mib: Option<u64>,
    /// How many calls may run at the same time, over all handlers; those beyond it wait. As many as the handlers have
    /// `concurrency` together if not said, at most 4000.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::contract) concurrency: Option<u16>,
    /// How much stack a handler may use, in KiB; 512 if not said. One value for all handlers.
    #[schemars(range(min = 64, max = 16_384))]
    #[serde(rename = "stackKiB")]
    pub(in crate::contract) stack_kib: Option<u32>,
    /// Warnings that are meant, each with the reason.
    #[serde(default)]
    pub(in crate::contract) allow: Vec<Allow>,
    /// Exchanges, by name.
    #[serde(default)]
    pub(in crate::contract) exchanges: BTreeMap<String, Exchange>,
    /// Queues, by name.
    #[serde(default)]
    pub(in crate::contract) queues: BTreeMap<String, Queue>,
    /// Bindings of queues to exchanges, beside those that follow from consumers.
    #[serde(default)]
    pub(in crate::contract) bindings: BTreeMap<String, Binding>,
    /// Messages, by name.
    #[serde(default)]
    pub(in crate::contract) messages: BTreeMap<String, Message>,
    /// Events: one publisher, any number of consumers.
    #[serde(default)]
    pub(in crate::contract) events: BTreeMap<String, Event>,
    /// Commands: one consumer that owns the queue, any number of publishers.
    #[serde(default)]
    pub(in crate::contract) commands: BTreeMap<String, Command>,
    /// Requests that are answered: one consumer that owns the queue, any number of callers.
    #[serde(default)]
    pub(in crate::contract) rpcs: BTreeMap<String, Rpc>,
    /// Publishers, beside those that every event and command is by itself.
    #[serde(default)]
    pub(in crate::contract) publishers: BTreeMap<String, Publisher>,
    /// Consumers, by name.
    #[serde(default)]
    pub(in crate::contract) consumers: BTreeMap<String, Consumer>,
}

/// An exchange.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Exchange {
    /// How it routes; `topic` if not said.
    #[serde(default, rename = "type")]
    pub(in crate::contract) kind: ExchangeType,
    /// Whether it survives a restart of the broker; yes if not said.
    #[serde(default = "yes")]
    pub(in crate::contract) durable: bool,
    /// Whether the broker deletes it with its last binding; no if not said.
    #[serde(default)]
    pub(in crate::contract) auto_delete: bool,
    /// Whether only other exchanges may publish to it; no if not said.
    #[serde(default)]
    pub(in crate::contract) internal: bool,
    /// The exchange that gets what this one cannot route.
    pub(in crate::contract) alternate_exchange: Option<String>,
    /// Whether this contract declares it; yes if not said. With `false` it has to exist, and is used as it is.
    #[serde(default = "yes")]
    pub(in crate::contract) owned: bool,
    /// Further arguments for the broker, as they are.
    #[serde(default)]
    pub(in crate::contract) arguments: Map<String, Value>,
}

/// How an exchange routes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
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
pub(in crate::contract) struct Queue {
    /// `quorum` (if not said) or `classic`.
    #[serde(default, rename = "type")]
    pub(in crate::contract) kind: QueueType,
    /// Whether it survives a restart of the broker; yes if not said.
    #[serde(default = "yes")]
    pub(in crate::contract) durable: bool,
    /// Whether it belongs to the connection that declares it, and goes with it; no if not said (classic queues).
    #[serde(default)]
    pub(in crate::contract) exclusive: bool,
    /// Whether the broker deletes it with its last consumer; no if not said (classic queues).
    #[serde(default)]
    pub(in crate::contract) auto_delete: bool,
    /// Whether this contract declares it; yes if not said. With `false` it has to exist; it is looked up and never
    /// declared, and the other keys say what is known of it.
    #[serde(default = "yes")]
    pub(in crate::contract) owned: bool,
    /// Where messages go that cannot be handled.
    pub(in crate::contract) dead_letter: Option<DeadLetter>,
    /// What to do with a message that cannot be handled when there is no `deadLetter`.
    #[serde(default)]
    pub(in crate::contract) on_poison: OnPoison,
    /// How failures that may pass are retried.
    pub(in crate::contract) retry: Option<Retry>,
    /// How often the broker itself takes a message back before it dead-letters it, and how often the host lets one be
    /// handed over that is never settled (quorum queues). If not said: for the host 20, and for the broker 100; the
    /// `maxRetries` of `quorum-native` and `native-delay`; and no limit to speak of where there is no `deadLetter`, because
    /// there the broker would drop it.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub(in crate::contract) delivery_limit: Option<i64>,
    /// How long a message may wait in the queue, in milliseconds.
    #[schemars(range(min = 0, max = 4_294_967_295_i64))]
    pub(in crate::contract) message_ttl_ms: Option<i64>,
    /// How long the queue may be unused before the broker deletes it, in milliseconds.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(in crate::contract) expires_ms: Option<i64>,
    /// How many messages the queue holds.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub(in crate::contract) max_length: Option<i64>,
    /// How many bytes of messages the queue holds.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub(in crate::contract) max_length_bytes: Option<i64>,
    /// What the broker does when the queue is full. If not said: `reject-publish` on a quorum queue with a `deadLetter`
    /// (at-least-once dead-lettering needs it), else the broker's own `drop-head`.
    pub(in crate::contract) overflow: Option<Overflow>,
    /// How many priorities the queue tells apart (classic queues).
    #[schemars(range(min = 1, max = 255))]
    pub(in crate::contract) max_priority: Option<i64>,
    /// Whether only one consumer at a time gets messages; no if not said.
    #[serde(default)]
    pub(in crate::contract) single_active_consumer: bool,
    /// Further arguments for the broker, as they are.
    #[serde(default)]
    pub(in crate::contract) arguments: Map<String, Value>,
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

/// What the broker does with a message that a full queue has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::contract) enum Overflow {
    DropHead,
    RejectPublish,
    RejectPublishDlx,
}

/// Where messages go that cannot be handled.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct DeadLetter {
    /// The dead-letter exchange.
    pub(in crate::contract) exchange: String,
    /// The routing key of dead letters; the message's own if not said.
    pub(in crate::contract) routing_key: Option<String>,
    /// Whether somebody else binds a queue to it; no if not said. Then its way is not checked here.
    #[serde(default)]
    pub(in crate::contract) external_consumers: bool,
}

/// What to do with a message that cannot be handled.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::contract) enum OnPoison {
    #[default]
    DeadLetter,
    Drop,
}

/// How failures that may pass are retried.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Retry {
    /// `ttl-backoff` (if not said): after delays that grow, in wait queues. `quorum-native`: at once, counted by the
    /// broker. `native-delay`: delayed by the broker itself (RabbitMQ 4.3). `none`: not at all.
    #[serde(default)]
    pub(in crate::contract) mode: RetryMode,
    /// How often a message is tried again after the first attempt; 3 if not said.
    #[schemars(range(min = 0, max = 1000))]
    pub(in crate::contract) max_retries: Option<u32>,
    /// The delay before the first retry, in milliseconds; 1000 if not said.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub(in crate::contract) initial_delay_ms: Option<u64>,
    /// The longest delay, in milliseconds; 30000 if not said.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub(in crate::contract) max_delay_ms: Option<u64>,
    /// What the delay is multiplied with from one retry to the next; 2 if not said.
    #[schemars(range(min = 1, max = 100))]
    pub(in crate::contract) backoff_multiplier: Option<f64>,
    /// Whether delays vary between 0.5 and 1.5 times their base; yes if not said.
    pub(in crate::contract) jitter: Option<bool>,
}

/// How a message comes back for its next attempt.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::contract) enum RetryMode {
    None,
    QuorumNative,
    #[default]
    TtlBackoff,
    NativeDelay,
}

/// A binding of a queue, or of another exchange, to an exchange.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Binding {
    /// The exchange that messages come from.
    pub(in crate::contract) exchange: String,
    /// The queue that they go to.
    pub(in crate::contract) queue: Option<String>,
    /// The exchange that they go to, in place of a queue.
    pub(in crate::contract) to_exchange: Option<String>,
    /// The binding key: exact for a direct exchange, a pattern for a topic exchange, not used by the others.
    pub(in crate::contract) routing_key: Option<String>,
    /// On a headers exchange: the headers that a message must have.
    pub(in crate::contract) headers: Option<Map<String, Value>>,
    /// On a headers exchange: how many of `headers` have to be there; `all` if not said.
    #[serde(rename = "match")]
    pub(in crate::contract) matching: Option<HeadersMatch>,
    /// Further arguments for the broker, as they are.
    #[serde(default)]
    pub(in crate::contract) arguments: Map<String, Value>,
}

/// How a headers exchange compares. Without `-with-x`, headers that begin with `x-` do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::contract) enum HeadersMatch {
    All,
    Any,
    AllWithX,
    AnyWithX,
}

fn yes() -> bool {
    true
}
