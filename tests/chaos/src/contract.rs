//! The contract of the scenarios: one consumer between an exchange in and an exchange out, and a dead-letter queue.

use std::fmt;

/// A contract with one consumer on the queue `work`. What comes to the exchange `in` with the key `task` is its; what it
/// handles comes out in the queue `echoes`, and dead letters in `dead`. Through its publisher `strayed` it publishes to a key
/// that nothing is bound for, unless the scenario binds something.
#[derive(Debug, Clone)]
pub(crate) struct Contract {
    /// How failures are retried.
    pub(crate) retry: Retry,
    /// How many messages the broker hands over ahead.
    pub(crate) prefetch: u16,
    /// How many calls run at once.
    pub(crate) concurrency: u16,
    /// How long a call may take, in milliseconds.
    pub(crate) deadline_ms: u32,
    /// What else stands in the queue `work`, such as `singleActiveConsumer: true`.
    pub(crate) queue: &'static str,
    /// What stands in the queue `dead`.
    pub(crate) dead: &'static str,
    /// What else stands in the consumer, such as `delivery: at-most-once`.
    pub(crate) consumer: &'static str,
}

/// How failures are retried. With each, three attempts are the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(dead_code, reason = "for scenarios to choose from")]
pub(crate) enum Retry {
    /// By a wait queue.
    TtlBackoff,
    /// At once, counted by the broker.
    QuorumNative,
    /// After a delay that the broker keeps; from RabbitMQ 4.3.
    NativeDelay,
    /// As written, which has to come to three attempts at most.
    Written(&'static str),
    /// Not at all.
    None,
}

impl Default for Contract {
    fn default() -> Self {
        Self {
            retry: Retry::TtlBackoff,
            prefetch: 50,
            concurrency: 10,
            deadline_ms: 60_000,
            queue: "",
            dead: "",
            consumer: "",
        }
    }
}

impl Contract {
    /// The most attempts that a message may have.
    pub(crate) fn attempts_max(&self) -> u32 {
        if self.retry == Retry::None { 1 } else { 3 }
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { retry, prefetch, concurrency, deadline_ms, queue, dead, consumer } = self;
        let retry = match retry {
            Retry::TtlBackoff => {
                "mode: ttl-backoff, maxRetries: 2, initialDelayMs: 200, maxDelayMs: 400, backoffMultiplier: 2"
            }
            Retry::QuorumNative => "mode: quorum-native, maxRetries: 2",
            Retry::NativeDelay => "mode: native-delay, maxRetries: 2, initialDelayMs: 200, maxDelayMs: 400",
            Retry::Written(retry) => retry,
            Retry::None => "mode: none",
        };
        let consumer = if consumer.is_empty() { String::new() } else { format!("    {consumer}\n") };
        let queue = if queue.is_empty() { String::new() } else { format!(", {queue}") };
        write!(
            f,
            "contract: chaos
version: 1.0.0
exchanges:
  in: {{ type: direct }}
  out: {{ type: direct }}
  dlx: {{ type: direct }}
queues:
  work:
    {{ deadLetter: {{ exchange: dlx, routingKey: dead }}, retry: {{ {retry} }}{queue} }}
  echoes: {{}}
  dead: {{ {dead} }}
bindings:
  echoes: {{ exchange: out, queue: echoes, routingKey: echoed }}
  dead: {{ exchange: dlx, queue: dead, routingKey: dead }}
messages:
  task: {{ payload: {{ type: object }} }}
  echo: {{ payload: {{ type: object }} }}
commands:
  task: {{ exchange: in, routingKey: task, message: task }}
events:
  echoed: {{ exchange: out, routingKey: echoed, message: echo }}
  strayed: {{ exchange: out, routingKey: strayed, message: echo, externalConsumers: true }}
consumers:
  worker:
    command: task
    queue: work
    prefetch: {prefetch}
    handler:
      {{ component: handlers/dispatches.wasm, deadlineMs: {deadline_ms}, memoryMiB: 16, concurrency: {concurrency} }}
    publishes: [echoed, strayed]
{consumer}"
        )
    }
}
