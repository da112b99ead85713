//! The contract of most tests: one consumer between an exchange in and an exchange out, and a dead-letter queue.

use std::fmt;

use super::guests::Guest;

/// A contract with one consumer, `worker`, on the queue `work`. What comes to the direct exchange `in` with the key
/// `task` is its; what it publishes through `echoed` ends in the queue `echoes`, and dead letters in `dead`.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    guest: Guest,
    retry: String,
    payload: String,
    handler: String,
    queue: String,
    message: String,
    consumer: String,
    echoes: String,
}

/// One wait queue, `work-wait-50ms`; three attempts.
pub(crate) const RETRY: &str =
    "mode: ttl-backoff, maxRetries: 2, initialDelayMs: 50, maxDelayMs: 50, jitter: false";

impl Worker {
    pub(crate) fn new(guest: Guest) -> Self {
        Self {
            guest,
            retry: RETRY.to_owned(),
            payload: "type: object".to_owned(),
            // Not the default: on a busy machine five seconds can be short.
            handler: "deadlineMs: 60000".to_owned(),
            queue: String::new(),
            message: String::new(),
            consumer: String::new(),
            echoes: String::new(),
        }
    }

    /// What stands in `retry`.
    pub(crate) fn retry(mut self, retry: &str) -> Self {
        retry.clone_into(&mut self.retry);
        self
    }

    /// The schema of what comes in.
    pub(crate) fn payload(mut self, payload: &str) -> Self {
        payload.clone_into(&mut self.payload);
        self
    }

    /// What stands in `handler` beside the component.
    pub(crate) fn handler(mut self, handler: &str) -> Self {
        handler.clone_into(&mut self.handler);
        self
    }

    /// What else stands in the queue `work`.
    pub(crate) fn queue(mut self, queue: &str) -> Self {
        self.queue = format!(", {queue}");
        self
    }

    /// What else stands in the message `task`.
    pub(crate) fn message(mut self, message: &str) -> Self {
        self.message = format!(", {message}");
        self
    }

    /// What else stands in the consumer.
    pub(crate) fn consumer(mut self, consumer: &str) -> Self {
        self.consumer = format!(", {consumer}");
        self
    }

    /// What stands in the queue `echoes`.
    pub(crate) fn echoes(mut self, echoes: &str) -> Self {
        echoes.clone_into(&mut self.echoes);
        self
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guest, retry, payload, handler, queue, message, consumer, echoes } = self;
        let component = guest.file();
        write!(
            f,
            "contract: tests
version: 1.2.3
exchanges:
  in: {{ type: direct }}
  out: {{ type: direct }}
  dlx: {{ type: direct }}
queues:
  work:
    {{ deadLetter: {{ exchange: dlx, routingKey: dead }}, retry: {{ {retry} }}{queue} }}
  echoes: {{ {echoes} }}
  dead: {{}}
bindings:
  echoes: {{ exchange: out, queue: echoes, routingKey: echoed }}
  dead: {{ exchange: dlx, queue: dead, routingKey: dead }}
messages:
  task: {{ payload: {{ {payload} }}{message} }}
  echo: {{ payload: {{ type: object, properties: {{ forbidden: false }} }} }}
commands:
  task: {{ exchange: in, routingKey: task, message: task }}
events:
  echoed: {{ exchange: out, routingKey: echoed, message: echo }}
publishers:
  alsoEchoed: {{ event: echoed }}
consumers:
  worker:
    {{ command: task, queue: work, handler: {{ component: handlers/{component}, {handler} }}, publishes: [echoed]{consumer} }}
"
        )
    }
}
