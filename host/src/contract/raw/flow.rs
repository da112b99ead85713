//! What flows through the broker: messages, events, commands, rpcs, publishers, consumers and their handlers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Capabilities;

/// The content of messages of one kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Message {
    /// JSON Schema 2020-12 of the payload, inline or `{ $ref: file }`.
    pub(in crate::contract) payload: Map<String, Value>,
    /// JSON Schema 2020-12 of the headers, inline or `{ $ref: file }`.
    pub(in crate::contract) headers: Option<Map<String, Value>>,
    /// One line on what the message says.
    pub(in crate::contract) summary: Option<String>,
    /// More on what the message says.
    pub(in crate::contract) description: Option<String>,
    /// Version of the message, by convention a semantic version.
    pub(in crate::contract) version: Option<String>,
    /// Messages as they may be; each has to fit the schemas.
    #[serde(default)]
    pub(in crate::contract) examples: Vec<Example>,
    /// MIME type of the payload; `application/json` if not said.
    #[schemars(length(min = 1, max = 255))]
    pub(in crate::contract) content_type: Option<String>,
    /// How Warren compresses what it publishes; not at all if not said. What is consumed may be compressed either way.
    pub(in crate::contract) content_encoding: Option<Encoding>,
    /// The largest payload, decompressed, in bytes; 16 MiB if not said, which is also the most that RabbitMQ 4 takes.
    #[schemars(range(min = 1, max = 67_108_864))]
    pub(in crate::contract) max_body_bytes: Option<u64>,
}

/// A message as it may be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Example {
    /// What it is called.
    pub(in crate::contract) name: Option<String>,
    /// One line on it.
    pub(in crate::contract) summary: Option<String>,
    /// The payload.
    pub(in crate::contract) payload: Value,
    /// The headers.
    pub(in crate::contract) headers: Option<Map<String, Value>>,
}

/// A compression, as in HTTP and in AMQP's `content-encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are those of RFC 9110")]
pub enum Encoding {
    Gzip,
    Deflate,
}

/// An event: something that happened, told to whoever listens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Event {
    /// The exchange it is published to.
    pub(in crate::contract) exchange: String,
    /// The routing key it is published with; not needed on a fanout or headers exchange.
    pub(in crate::contract) routing_key: Option<String>,
    /// What it says.
    pub(in crate::contract) message: String,
    /// Whether somebody else consumes it; no if not said. Then it need not reach a queue of this contract.
    #[serde(default)]
    pub(in crate::contract) external_consumers: bool,
    /// One line on what happened.
    pub(in crate::contract) summary: Option<String>,
}

/// A command: something to be done, by the one consumer that owns its queue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Command {
    /// The exchange it is sent to.
    pub(in crate::contract) exchange: String,
    /// The routing key, or on a topic exchange the pattern that publishers' keys must match.
    pub(in crate::contract) routing_key: Option<String>,
    /// What it says.
    pub(in crate::contract) message: String,
    /// Whether somebody else consumes it; no if not said. Then it need not reach a queue of this contract.
    #[serde(default)]
    pub(in crate::contract) external_consumers: bool,
    /// One line on what is to be done.
    pub(in crate::contract) summary: Option<String>,
}

/// A request that is answered, by the one consumer that owns its queue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Rpc {
    /// The queue that requests are sent to, by its name.
    pub(in crate::contract) queue: String,
    /// The message of a request.
    pub(in crate::contract) request: String,
    /// The message of an answer.
    pub(in crate::contract) response: String,
    /// Errors that the handler may answer with, by code: the message of each.
    #[serde(default)]
    pub(in crate::contract) errors: BTreeMap<String, String>,
    /// How long a caller waits for the answer, in milliseconds; also how long a request may wait in the queue.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub(in crate::contract) timeout_ms: u64,
    /// One line on what it answers.
    pub(in crate::contract) summary: Option<String>,
}

/// Something that may be published: `event`, or `command`, or `exchange` with `message`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Publisher {
    /// The event it publishes.
    pub(in crate::contract) event: Option<String>,
    /// The command it sends.
    pub(in crate::contract) command: Option<String>,
    /// The exchange it publishes to; "" is the default exchange, which takes the name of a queue as routing key.
    pub(in crate::contract) exchange: Option<String>,
    /// The routing key it publishes with; a key, never a pattern.
    pub(in crate::contract) routing_key: Option<String>,
    /// An exchange of this contract to publish to, from which the message goes on to the exchange of the `command`.
    pub(in crate::contract) bridge_exchange: Option<String>,
    /// What it publishes.
    pub(in crate::contract) message: Option<String>,
    /// Whether somebody else consumes it; no if not said. Then it need not reach a queue of this contract.
    #[serde(default)]
    pub(in crate::contract) external_consumers: bool,
    /// One line on what it is for.
    pub(in crate::contract) summary: Option<String>,
}

/// A consumer: a queue, what comes out of it, and the handler that it is given to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Consumer {
    /// The queue it takes messages from; with `rpc`, the rpc's own.
    pub(in crate::contract) queue: Option<String>,
    /// The event it listens to; gives message and binding.
    pub(in crate::contract) event: Option<String>,
    /// The command it carries out; gives message and binding.
    pub(in crate::contract) command: Option<String>,
    /// The rpc it answers; gives message and queue.
    pub(in crate::contract) rpc: Option<String>,
    /// The message it takes, where it is bound by `bindings`; beside `event` or `command`, its own view of that message.
    pub(in crate::contract) message: Option<String>,
    /// Instead of the event's routing key, a pattern to bind with.
    pub(in crate::contract) routing_key: Option<String>,
    /// On an event of a headers exchange: the headers that a message must have.
    pub(in crate::contract) headers: Option<Map<String, Value>>,
    /// An exchange of this contract that the event comes by: it is bound to the event's exchange, and the queue to it.
    pub(in crate::contract) bridge_exchange: Option<String>,
    /// What handles the messages.
    pub(in crate::contract) handler: Handler,
    /// The publishers, events and commands that the handler may use.
    #[serde(default)]
    pub(in crate::contract) publishes: Vec<String>,
    /// What the handler may reach beside its messages; nothing if not said.
    #[serde(default)]
    pub(in crate::contract) capabilities: Capabilities,
    /// What becomes of failures, by class, where it is not what the classes say by themselves.
    #[serde(default)]
    pub(in crate::contract) on_failure: OnFailure,
    /// What the handler can rely on. `at-least-once` (if not said): a message is acknowledged when it has been handled, and
    /// handled again if that is in doubt. `at-most-once`: it is acknowledged on receipt and never handled twice, so what
    /// the host had in hand when it died is lost, and failures are not retried.
    #[serde(default)]
    pub(in crate::contract) delivery: DeliveryMode,
    /// How many messages the broker hands over ahead; twice the concurrency if not said.
    #[schemars(range(min = 1, max = 2000))]
    pub(in crate::contract) prefetch: Option<u16>,
    /// One line on what it does.
    pub(in crate::contract) summary: Option<String>,
}

/// When a message is acknowledged: what its handler can rely on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "explained at `Consumer::delivery`")]
pub enum DeliveryMode {
    #[default]
    AtLeastOnce,
    AtMostOnce,
}

/// A handler: a component and the limits it runs under.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Handler {
    /// Path of the component, relative to the contract file.
    #[schemars(length(min = 1))]
    pub(in crate::contract) component: String,
    /// SHA-256 of the component in lower-case hex; another file is refused.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub(in crate::contract) sha256: Option<String>,
    /// The component has to be signed with minisign; the signature is checked before anything of it is read.
    pub(in crate::contract) signature: Option<Signature>,
    /// `fresh` (if not said): a new instance for each message. `reuse`: an instance handles many, one after the other.
    #[serde(default)]
    pub(in crate::contract) isolation: Isolation,
    /// With `isolation: reuse`: when an instance is replaced by a new one. Any fault replaces it as well.
    pub(in crate::contract) reuse: Option<Reuse>,
    /// How long one call may take, host calls included, in milliseconds; 5000 if not said.
    #[schemars(range(min = 1, max = 1_500_000))]
    pub(in crate::contract) deadline_ms: Option<u32>,
    /// How much memory one instance may use, in MiB; 64 if not said.
    #[schemars(range(min = 1, max = 4096))]
    #[serde(rename = "memoryMiB")]
    pub(in crate::contract) memory_mib: Option<u32>,
    /// What one call may use beside time and memory, where the defaults do not fit.
    #[serde(default)]
    pub(in crate::contract) limits: Limits,
    /// How many messages are handled at the same time; 16 if not said.
    #[schemars(range(min = 1, max = 1000))]
    pub(in crate::contract) concurrency: Option<u16>,
}

/// Who has to have signed a component.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Signature {
    /// The minisign public key: the line of `minisign.pub` that begins with `RW`.
    #[schemars(length(min = 1))]
    pub(in crate::contract) public_key: String,
    /// Path of the signature, relative to the contract file; that of the component with `.minisig` added if not said.
    #[schemars(length(min = 1))]
    pub(in crate::contract) file: Option<String>,
}

/// What an instance may keep from one message to the next.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "explained at `Handler::isolation`")]
pub enum Isolation {
    #[default]
    Fresh,
    Reuse,
}

/// When an instance that handles many messages is replaced by a new one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Reuse {
    /// After this many calls; 10000 if not said.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(in crate::contract) max_calls: Option<u32>,
    /// After this many milliseconds; an hour if not said.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(in crate::contract) max_age_ms: Option<u32>,
    /// When its memory has grown by this many MiB since its first call; 16 if not said.
    #[schemars(range(min = 0, max = 4096))]
    #[serde(rename = "maxGrowthMiB")]
    pub(in crate::contract) max_growth_mib: Option<u32>,
}

/// What one call may use. A call that wants more of the first six is ended, as a trap or for its deadline; what is
/// logged or published beyond the others is refused, and the call goes on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Limits {
    /// Time that the handler computes, without what it waits, in milliseconds; its deadline if not said. To within 10 ms.
    #[schemars(range(min = 1, max = 1_500_000))]
    pub(in crate::contract) cpu_ms: Option<u32>,
    /// Elements of all its tables; 20000 if not said.
    #[schemars(range(min = 1, max = 20_000))]
    pub(in crate::contract) table_elements: Option<u32>,
    /// Core instances that the component is made of; 32 if not said.
    #[schemars(range(min = 1, max = 64))]
    pub(in crate::contract) instances: Option<u32>,
    /// What the host has to hold for one call of the handler to it, or of its answer, in MiB; if not said, 32, or twice the
    /// largest payload that the handler may publish, where that is more.
    #[schemars(range(min = 1, max = 1024))]
    #[serde(rename = "hostCallMiB")]
    pub(in crate::contract) host_call_mib: Option<u32>,
    /// Open files, streams, requests and other handles at the same time; 1000 if not said.
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::contract) handles: Option<u32>,
    /// Random bytes, in KiB; 1024 if not said.
    #[schemars(range(min = 1, max = 1_048_576))]
    #[serde(rename = "randomKiB")]
    pub(in crate::contract) random_kib: Option<u32>,
    /// Lines that it logs, or writes to stdout and stderr; 200 if not said.
    #[schemars(range(min = 0, max = 100_000))]
    pub(in crate::contract) log_lines: Option<u32>,
    /// What these lines are long together, in KiB; 256 if not said.
    #[schemars(range(min = 0, max = 65_536))]
    #[serde(rename = "logKiB")]
    pub(in crate::contract) log_kib: Option<u32>,
    /// Messages that it publishes; 1000 if not said.
    #[schemars(range(min = 0, max = 100_000))]
    pub(in crate::contract) publishes: Option<u32>,
    /// The payloads of these messages together, in MiB; 64 if not said.
    #[schemars(range(min = 0, max = 1024))]
    #[serde(rename = "publishMiB")]
    pub(in crate::contract) publish_mib: Option<u32>,
}

/// What becomes of failures, by class. Messages that do not fit their schema are always dead-lettered: trying them again
/// cannot help.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct OnFailure {
    /// The handler said that a retry may help; `retry` if not said.
    pub(in crate::contract) transient: Option<FailureAction>,
    /// The handler said that a retry will help, later; `retry` if not said.
    pub(in crate::contract) rate_limited: Option<FailureAction>,
    /// The handler said that no retry can help; `dead-letter` if not said.
    pub(in crate::contract) permanent: Option<FailureAction>,
    /// The handler was not allowed to; `dead-letter` if not said.
    pub(in crate::contract) unauthorized: Option<FailureAction>,
    /// The handler trapped; `retry` if not said.
    pub(in crate::contract) trap: Option<FailureAction>,
    /// The handler was not done in time; `retry` if not said.
    pub(in crate::contract) deadline: Option<FailureAction>,
    /// The handler wanted more memory than it may have; `retry` if not said.
    pub(in crate::contract) memory: Option<FailureAction>,
}

/// What becomes of a failure. `retry`: tried again, as often as the queue's `retry` says, and then dead-lettered.
/// `dead-letter`: dead-lettered at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "explained above; texts on variants would take the schema's one list of values apart"
)]
pub enum FailureAction {
    Retry,
    DeadLetter,
}

/// A warning that is meant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::contract) struct Allow {
    /// The name of the warning, as `warren check` gives it.
    pub(in crate::contract) warning: String,
    /// The place it is meant at, such as `queues.orders`, and all within; everywhere if not said.
    pub(in crate::contract) at: Option<String>,
    /// Why it is meant.
    #[schemars(length(min = 1))]
    pub(in crate::contract) reason: String,
}
