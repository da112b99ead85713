//! Raw contract -> checked contract: every name refers to something, every value means something.
//!
//! Collects all problems and keeps going; what could not be resolved is left out of the result, which is only used
//! when there are no problems.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jsonschema::Validator;
use serde_json::{Map, Value};

use super::problem::Problem;
use super::routing::{key_fault, pattern_fault, topic_matches};
use super::source::{Source, join};
use super::{
    Backoff, Binding, Consumer, Contract, DeadLetter, Exchange, ExchangeType, HandlerSpec, Message,
    Publisher, Queue, QueueType, ReadFile, Retry, lossless, raw,
};

/// The largest message that RabbitMQ 4 takes unless told otherwise, in bytes.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The most wait queues that one work queue may need.
const TIERS_MAX: usize = 32;
const DEADLINE_MS: u32 = 5_000;
const MEMORY_MIB: u32 = 64;
const CONCURRENCY: u16 = 16;
const PREFETCH_MAX: u16 = 300;

/// Checks the meaning of a contract whose shape is sound.
pub(super) fn check(
    raw: raw::Contract,
    source: Source,
    read_file: ReadFile<'_>,
    problems: &mut Vec<Problem>,
) -> Contract {
    let mut checker = Checker { raw: &raw, read_file, problems };
    let exchanges = checker.exchanges();
    let queues = checker.queues();
    let messages = checker.messages();
    let publishers = checker.publishers(&messages);
    let mut bindings = checker.bindings();
    let consumers = checker.consumers(&messages, &mut bindings);
    let contract = Contract {
        name: raw.contract.clone(),
        version: raw.version.clone().unwrap_or_default(),
        exchanges,
        queues,
        bindings,
        publishers,
        consumers,
        source,
    };
    // A message's way through a contract with dangling names would only repeat those problems.
    if problems.is_empty() {
        lossless::check(&contract, &raw, problems);
    }
    contract
}

type Messages = BTreeMap<String, Arc<Message>>;

struct Checker<'a> {
    raw: &'a raw::Contract,
    read_file: ReadFile<'a>,
    problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    fn exchanges(&mut self) -> BTreeMap<String, Exchange> {
        let mut exchanges = BTreeMap::new();
        for (name, raw) in &self.raw.exchanges {
            let at = join("/exchanges", name);
            self.entity_name(name, &at, "exchange");
            let mut arguments = raw.arguments.clone();
            if let Some(alternate) = &raw.alternate_exchange {
                self.known(&join(&at, "alternateExchange"), "exchange", alternate, &self.raw.exchanges);
                arguments.insert("alternate-exchange".to_owned(), Value::from(alternate.as_str()));
            }
            let exchange = Exchange {
                name: name.clone(),
                kind: raw.kind,
                durable: raw.durable,
                auto_delete: raw.auto_delete,
                internal: raw.internal,
                arguments,
            };
            exchanges.insert(name.clone(), exchange);
        }
        exchanges
    }

    fn queues(&mut self) -> BTreeMap<String, Queue> {
        let mut queues = BTreeMap::new();
        for (name, raw) in &self.raw.queues {
            let at = join("/queues", name);
            self.entity_name(name, &at, "queue");
            if raw.kind == QueueType::Quorum && !raw.durable {
                self.problems.push(
                    Problem::at(join(&at, "durable"), "a quorum queue is always durable")
                        .hint("leave `durable` out, or say `type: classic`"),
                );
            }
            if raw.kind == QueueType::Quorum && raw.max_priority.is_some() {
                self.problems.push(
                    Problem::at(join(&at, "maxPriority"), "a quorum queue has no `maxPriority`")
                        .hint("say `type: classic`, or leave it out: RabbitMQ 4 has priorities without it"),
                );
            }
            if raw.kind == QueueType::Classic && raw.delivery_limit.is_some() {
                self.problems.push(
                    Problem::at(join(&at, "deliveryLimit"), "a classic queue does not count deliveries")
                        .hint("say `type: quorum`, or bound attempts by `retry.maxRetries`"),
                );
            }
            let dead_letter = raw.dead_letter.as_ref().map(|dead_letter| {
                let at = join(&at, "deadLetter");
                self.known(&join(&at, "exchange"), "exchange", &dead_letter.exchange, &self.raw.exchanges);
                if let Some(key) = &dead_letter.routing_key {
                    self.fault(&join(&at, "routingKey"), key_fault(key));
                }
                DeadLetter {
                    exchange: dead_letter.exchange.clone(),
                    routing_key: dead_letter.routing_key.clone(),
                }
            });
            let queue = Queue {
                name: name.clone(),
                kind: raw.kind,
                durable: raw.durable,
                arguments: queue_arguments(raw),
                dead_letter,
                retry: self.retry(&join(&at, "retry"), raw),
            };
            queues.insert(name.clone(), queue);
        }
        queues
    }

    fn retry(&mut self, at: &str, queue: &raw::Queue) -> Retry {
        let raw = &queue.retry;
        let max_retries = raw.max_retries.unwrap_or(3);
        let delays = [
            ("initialDelayMs", raw.initial_delay_ms.is_some()),
            ("maxDelayMs", raw.max_delay_ms.is_some()),
            ("backoffMultiplier", raw.backoff_multiplier.is_some()),
            ("jitter", raw.jitter.is_some()),
        ];
        if raw.mode != raw::RetryMode::TtlBackoff {
            for (key, _) in delays.iter().filter(|(_, set)| *set) {
                self.problems.push(
                    Problem::at(join(at, key), format!("`{key}` means nothing without a delay"))
                        .on_key()
                        .hint("say `mode: ttl-backoff`, or leave it out"),
                );
            }
        }
        match raw.mode {
            raw::RetryMode::None => {
                if raw.max_retries.is_some() {
                    self.problems.push(
                        Problem::at(join(at, "maxRetries"), "`maxRetries` means nothing with `mode: none`")
                            .on_key(),
                    );
                }
                Retry::None
            }
            raw::RetryMode::QuorumNative => {
                if queue.kind == QueueType::Classic {
                    self.problems.push(
                        Problem::at(join(at, "mode"), "only a quorum queue counts deliveries")
                            .hint("say `mode: ttl-backoff`, or `type: quorum`"),
                    );
                }
                Retry::QuorumNative { max_retries }
            }
            raw::RetryMode::TtlBackoff => Retry::TtlBackoff(self.backoff(at, raw, max_retries)),
        }
    }

    fn backoff(&mut self, at: &str, raw: &raw::Retry, max_retries: u32) -> Backoff {
        let initial = raw.initial_delay_ms.unwrap_or(1_000);
        let max = raw.max_delay_ms.unwrap_or(30_000.max(initial));
        if max < initial {
            self.problems.push(Problem::at(
                join(at, "maxDelayMs"),
                format!("`maxDelayMs` cannot be less than `initialDelayMs` ({max} < {initial})"),
            ));
        }
        let backoff = Backoff {
            max_retries,
            initial_delay: Duration::from_millis(initial),
            max_delay: Duration::from_millis(max),
            multiplier: raw.backoff_multiplier.unwrap_or(2.0),
            jitter: raw.jitter.unwrap_or(true),
        };
        let tiers = backoff.tiers_ms().len();
        if tiers > TIERS_MAX {
            self.problems.push(
                Problem::at(
                    at,
                    format!("this needs {tiers} wait queues, one for each delay; {TIERS_MAX} are allowed"),
                )
                .hint("a larger `backoffMultiplier` or a smaller `maxDelayMs` gives fewer different delays"),
            );
        }
        backoff
    }

    fn messages(&mut self) -> Messages {
        let mut messages = Messages::new();
        for (name, raw) in &self.raw.messages {
            let at = join("/messages", name);
            let payload = self.schema(&join(&at, "payload"), &raw.payload);
            let headers = raw.headers.as_ref().map(|headers| self.schema(&join(&at, "headers"), headers));
            let (Some(payload), None | Some(Some(_))) = (payload, &headers) else { continue };
            let message = Message {
                name: name.clone(),
                content_type: raw.content_type.clone().unwrap_or_else(|| "application/json".to_owned()),
                max_body_bytes: raw.max_body_bytes.unwrap_or(BODY_BYTES_MAX),
                payload,
                headers: headers.flatten(),
            };
            messages.insert(name.clone(), Arc::new(message));
        }
        messages
    }

    /// Compiles a schema, inline or `{ $ref: file }`.
    fn schema(&mut self, at: &str, written: &Map<String, Value>) -> Option<Validator> {
        let from_file = written.get("$ref").and_then(Value::as_str).filter(|file| !file.starts_with('#'));
        let read = match from_file {
            Some(file) => self.schema_file(&join(at, "$ref"), file),
            None => Ok(Value::Object(written.clone())),
        };
        let compiled = read.and_then(|schema| {
            jsonschema::draft202012::new(&schema)
                .map_err(|error| Problem::at(at, format!("not a JSON Schema: {error}")))
        });
        compiled.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn schema_file(&self, at: &str, file: &str) -> Result<Value, Problem> {
        if file.contains("://") {
            return Err(Problem::at(at, format!("`{file}` is not a file beside the contract"))
                .because("a contract means the same without a network")
                .hint("copy the schema into a file and refer to that"));
        }
        if Path::new(file).is_absolute() {
            return Err(Problem::at(at, format!("`{file}` is an absolute path"))
                .hint("write it relative to the contract file"));
        }
        let text = (self.read_file)(file)
            .map_err(|error| Problem::at(at, format!("the schema `{file}` cannot be read: {error}")))?;
        serde_json::from_str(&text)
            .map_err(|error| Problem::at(at, format!("the schema `{file}` is not JSON: {error}")))
    }

    fn publishers(&mut self, messages: &Messages) -> BTreeMap<String, Arc<Publisher>> {
        let mut publishers = BTreeMap::new();
        for (name, event) in &self.raw.events {
            let at = join("/events", name);
            let key = event.routing_key.as_deref();
            let publisher = self.publisher(name, &at, &event.exchange, key, &event.message, messages);
            publishers.extend(publisher.map(|publisher| (name.clone(), Arc::new(publisher))));
        }
        for (name, command) in &self.raw.commands {
            let at = join("/commands", name);
            self.unique(name, &at, "an event", self.raw.events.contains_key(name));
            let publisher = self.command(name, &at, command, messages);
            publishers.extend(publisher.map(|publisher| (name.clone(), Arc::new(publisher))));
        }
        for (name, raw) in &self.raw.publishers {
            let at = join("/publishers", name);
            self.unique(name, &at, "an event", self.raw.events.contains_key(name));
            self.unique(name, &at, "a command", self.raw.commands.contains_key(name));
            let publisher = self.own_publisher(name, &at, raw, messages);
            publishers.extend(publisher.map(|publisher| (name.clone(), Arc::new(publisher))));
        }
        publishers
    }

    fn command(
        &mut self,
        name: &str,
        at: &str,
        raw: &raw::Command,
        messages: &Messages,
    ) -> Option<Publisher> {
        let is_pattern = raw.routing_key.as_deref().is_some_and(|key| key_fault(key).is_some());
        let topic =
            self.raw.exchanges.get(&raw.exchange).is_some_and(|found| found.kind == ExchangeType::Topic);
        if !(topic && is_pattern) {
            let key = raw.routing_key.as_deref();
            return self.publisher(name, at, &raw.exchange, key, &raw.message, messages);
        }
        let pattern = raw.routing_key.clone()?;
        self.fault(&join(at, "routingKey"), pattern_fault(&pattern));
        let message = self.message(&join(at, "message"), &raw.message, messages)?;
        Some(Publisher {
            name: name.to_owned(),
            exchange: raw.exchange.clone(),
            exchange_kind: ExchangeType::Topic,
            routing_key: None,
            pattern: Some(pattern),
            message,
        })
    }

    /// One of `publishers`: of an event, of a command, or on its own.
    fn own_publisher(
        &mut self,
        name: &str,
        at: &str,
        raw: &raw::Publisher,
        messages: &Messages,
    ) -> Option<Publisher> {
        let key = raw.routing_key.as_deref();
        match (&raw.event, &raw.command, &raw.exchange, &raw.message) {
            (Some(event), None, None, None) => {
                self.known(&join(at, "event"), "event", event, &self.raw.events)?;
                let event = &self.raw.events[event];
                let key = key.or(event.routing_key.as_deref());
                self.publisher(name, at, &event.exchange, key, &event.message, messages)
            }
            (None, Some(command), None, None) => {
                self.known(&join(at, "command"), "command", command, &self.raw.commands)?;
                let command = &self.raw.commands[command];
                if let (Some(key), Some(pattern)) = (key, command.routing_key.as_deref())
                    && !topic_matches(pattern, key)
                {
                    self.problems.push(
                        Problem::at(
                            join(at, "routingKey"),
                            format!("`{key}` does not match the command's `{pattern}`"),
                        )
                        .because("the consumer of the command would never get it"),
                    );
                    return None;
                }
                let key = key.or(command.routing_key.as_deref());
                self.publisher(name, at, &command.exchange, key, &command.message, messages)
            }
            (None, None, Some(exchange), Some(message)) => {
                self.publisher(name, at, exchange, key, message, messages)
            }
            _ => {
                self.problems.push(
                    Problem::at(at, "a publisher names `event`, or `command`, or `exchange` and `message`")
                        .on_key(),
                );
                None
            }
        }
    }

    fn publisher(
        &mut self,
        name: &str,
        at: &str,
        exchange: &str,
        key: Option<&str>,
        message: &str,
        messages: &Messages,
    ) -> Option<Publisher> {
        let known = self.known(&join(at, "exchange"), "exchange", exchange, &self.raw.exchanges);
        let message = self.message(&join(at, "message"), message, messages);
        let kind = known.map(|exchange| exchange.kind)?;
        match (kind, key) {
            (ExchangeType::Topic | ExchangeType::Direct, None) => {
                let kind = if kind == ExchangeType::Topic { "topic" } else { "direct" };
                self.problems.push(
                    Problem::at(
                        at,
                        format!("the key `routingKey` is missing: `{exchange}` is a {kind} exchange"),
                    )
                    .on_key(),
                );
            }
            (_, Some(key)) => self.fault(&join(at, "routingKey"), key_fault(key)),
            (ExchangeType::Fanout | ExchangeType::Headers, None) => {}
        }
        Some(Publisher {
            name: name.to_owned(),
            exchange: exchange.to_owned(),
            exchange_kind: kind,
            routing_key: Some(key.unwrap_or_default().to_owned()),
            pattern: None,
            message: message?,
        })
    }

    fn bindings(&mut self) -> Vec<Binding> {
        let mut bindings = Vec::new();
        for (name, raw) in &self.raw.bindings {
            let at = join("/bindings", name);
            self.known(&join(&at, "queue"), "queue", &raw.queue, &self.raw.queues);
            let exchange = self.known(&join(&at, "exchange"), "exchange", &raw.exchange, &self.raw.exchanges);
            let Some(exchange) = exchange else { continue };
            let key = self.binding_key(&at, &raw.exchange, exchange.kind, raw.routing_key.as_deref());
            bindings.push(Binding {
                exchange: raw.exchange.clone(),
                queue: raw.queue.clone(),
                routing_key: key,
                arguments: raw.arguments.clone(),
            });
        }
        bindings
    }

    fn binding_key(&mut self, at: &str, exchange: &str, kind: ExchangeType, key: Option<&str>) -> String {
        let at_key = join(at, "routingKey");
        match (kind, key) {
            (ExchangeType::Topic, Some(key)) => self.fault(&at_key, pattern_fault(key)),
            (ExchangeType::Direct, Some(key)) => {
                if key.split('.').any(|word| word == "*" || word == "#") {
                    self.problems.push(
                        Problem::at(
                            at_key,
                            format!("`{key}` never matches: `{exchange}` is a direct exchange"),
                        )
                        .because(
                            "a direct exchange compares keys as they are; `*` and `#` mean nothing to it",
                        )
                        .hint("write each key out, or say `type: topic` for the exchange"),
                    );
                } else {
                    self.fault(&at_key, key_fault(key));
                }
            }
            (ExchangeType::Topic | ExchangeType::Direct, None) => {
                self.problems.push(
                    Problem::at(at, "the key `routingKey` is missing")
                        .on_key()
                        .because(format!("`{exchange}` routes by it")),
                );
            }
            (ExchangeType::Fanout | ExchangeType::Headers, _) => {}
        }
        key.unwrap_or_default().to_owned()
    }

    fn consumers(&mut self, messages: &Messages, bindings: &mut Vec<Binding>) -> BTreeMap<String, Consumer> {
        let mut consumers = BTreeMap::new();
        for (name, raw) in &self.raw.consumers {
            let at = join("/consumers", name);
            self.known(&join(&at, "queue"), "queue", &raw.queue, &self.raw.queues);
            let message = self.consumed(&at, raw, messages, bindings);
            for (index, publisher) in raw.publishes.iter().enumerate() {
                let names =
                    self.raw.publishers.keys().chain(self.raw.events.keys()).chain(self.raw.commands.keys());
                let names: Vec<&str> = names.map(String::as_str).collect();
                if !names.contains(&publisher.as_str()) {
                    let at = join(&join(&at, "publishes"), &index.to_string());
                    self.problems.push(
                        Problem::at(at, format!("no publisher, event or command is called `{publisher}`"))
                            .suggest(publisher, names),
                    );
                }
            }
            let handler = handler(&raw.handler);
            let Some(message) = message else { continue };
            let prefetch =
                raw.prefetch.unwrap_or_else(|| PREFETCH_MAX.min(handler.concurrency.saturating_mul(2)));
            let consumer = Consumer {
                name: name.clone(),
                queue: raw.queue.clone(),
                message,
                handler,
                publishes: raw.publishes.clone(),
                prefetch,
            };
            consumers.insert(name.clone(), consumer);
        }
        consumers
    }

    /// What a consumer consumes; adds the binding that follows from it.
    fn consumed(
        &mut self,
        at: &str,
        raw: &raw::Consumer,
        messages: &Messages,
        bindings: &mut Vec<Binding>,
    ) -> Option<Arc<Message>> {
        if raw.routing_key.is_some() && raw.event.is_none() {
            self.problems.push(
                Problem::at(join(at, "routingKey"), "`routingKey` goes with `event`")
                    .on_key()
                    .hint("for a `message`, write the key into `bindings`"),
            );
        }
        let (exchange, key, message, name, what) = match (&raw.event, &raw.command, &raw.message) {
            (Some(event), None, None) => {
                let found = self.known(&join(at, "event"), "event", event, &self.raw.events)?;
                let key = raw.routing_key.as_deref().or(found.routing_key.as_deref());
                (&found.exchange, key, &found.message, event, "event")
            }
            (None, Some(command), None) => {
                let found = self.known(&join(at, "command"), "command", command, &self.raw.commands)?;
                (&found.exchange, found.routing_key.as_deref(), &found.message, command, "command")
            }
            (None, None, Some(message)) => return self.message(&join(at, "message"), message, messages),
            _ => {
                self.problems.push(
                    Problem::at(at, "a consumer names one of `event`, `command` and `message`").on_key(),
                );
                return None;
            }
        };
        let kind = self.raw.exchanges.get(exchange)?.kind; // a dangling name was reported with the event or command
        if raw.routing_key.is_some() {
            self.binding_key(at, exchange, kind, key);
        }
        if let (Some(pattern), Some(event_key)) = (
            &raw.routing_key,
            raw.event.as_ref().and_then(|event| self.raw.events[event].routing_key.as_ref()),
        ) && kind == ExchangeType::Topic
            && !topic_matches(pattern, event_key)
        {
            self.problems.push(
                Problem::at(join(at, "routingKey"), format!("`{pattern}` does not match `{event_key}`"))
                    .because(format!("the {what} `{name}` would never reach this consumer")),
            );
        }
        let binding = Binding {
            exchange: exchange.clone(),
            queue: raw.queue.clone(),
            routing_key: key.unwrap_or_default().to_owned(),
            arguments: Map::new(),
        };
        if !bindings.contains(&binding) {
            bindings.push(binding);
        }
        messages.get(message).cloned()
    }

    fn message(&mut self, at: &str, name: &str, messages: &Messages) -> Option<Arc<Message>> {
        self.known(at, "message", name, &self.raw.messages)?;
        messages.get(name).cloned()
    }

    /// Looks a name up, and reports it if there is no such thing.
    fn known<'t, T>(
        &mut self,
        at: &str,
        what: &str,
        name: &str,
        things: &'t BTreeMap<String, T>,
    ) -> Option<&'t T> {
        let found = things.get(name);
        if found.is_none() {
            self.problems.push(
                Problem::at(at, format!("no {what} is called `{name}`"))
                    .suggest(name, things.keys().map(String::as_str)),
            );
        }
        found
    }

    fn unique(&mut self, name: &str, at: &str, other: &str, taken: bool) {
        if taken {
            self.problems.push(
                Problem::at(at, format!("`{name}` is also the name of {other}"))
                    .on_key()
                    .because("a handler publishes by this name, and it has to mean one thing"),
            );
        }
    }

    fn fault(&mut self, at: &str, fault: Option<String>) {
        self.problems.extend(fault.map(|says| Problem::at(at, says)));
    }

    fn entity_name(&mut self, name: &str, at: &str, what: &str) {
        let says = if name.is_empty() {
            format!("the name of this {what} is empty")
        } else if name.len() > 200 {
            format!("the name of this {what} is longer than 200 bytes")
        } else if name.starts_with("amq.") {
            format!("`{name}`: names that start with `amq.` belong to the broker")
        } else {
            return;
        };
        self.problems.push(Problem::at(at, says).on_key());
    }
}

fn handler(raw: &raw::Handler) -> HandlerSpec {
    HandlerSpec {
        component: raw.component.clone(),
        sha256: raw.sha256.clone(),
        deadline: Duration::from_millis(raw.deadline_ms.unwrap_or(DEADLINE_MS).into()),
        memory_bytes_max: raw.memory_mib.unwrap_or(MEMORY_MIB) as usize * 1024 * 1024,
        concurrency: raw.concurrency.unwrap_or(CONCURRENCY),
    }
}

/// The broker's arguments for what the typed keys say. At-least-once dead-lettering is not a choice: without it the
/// broker drops what it cannot dead-letter at that moment.
fn queue_arguments(raw: &raw::Queue) -> Map<String, Value> {
    let mut arguments = raw.arguments.clone();
    let mut set = |name: &str, value: Value| arguments.insert(name.to_owned(), value);
    set("x-queue-type", Value::from(if raw.kind == QueueType::Quorum { "quorum" } else { "classic" }));
    if let Some(dead_letter) = &raw.dead_letter {
        set("x-dead-letter-exchange", Value::from(dead_letter.exchange.as_str()));
        if let Some(key) = &dead_letter.routing_key {
            set("x-dead-letter-routing-key", Value::from(key.as_str()));
        }
        if raw.kind == QueueType::Quorum {
            set("x-dead-letter-strategy", Value::from("at-least-once"));
            set("x-overflow", Value::from("reject-publish"));
        }
    }
    for (name, value) in [
        ("x-delivery-limit", raw.delivery_limit),
        ("x-message-ttl", raw.message_ttl_ms),
        ("x-max-length", raw.max_length),
        ("x-max-priority", raw.max_priority),
    ] {
        if let Some(value) = value {
            set(name, Value::from(value));
        }
    }
    if raw.single_active_consumer {
        set("x-single-active-consumer", Value::from(true));
    }
    arguments
}
