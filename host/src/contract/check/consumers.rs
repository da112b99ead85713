//! Consumers, and the bindings that follow from them or are written out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;

use super::super::problem::Problem;
use super::super::routing::{key_fault, pattern_fault, topic_matches};
use super::super::source::join;
use super::super::{Binding, Consumer, ExchangeType, HandlerSpec, Message, raw};
use super::{Checker, Messages};

const DEADLINE_MS: u32 = 5_000;
const MEMORY_MIB: u32 = 64;
const CONCURRENCY: u16 = 16;
const PREFETCH_MAX: u16 = 300;

impl Checker<'_> {
    pub(super) fn bindings(&mut self) -> Vec<Binding> {
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

    pub(super) fn binding_key(
        &mut self,
        at: &str,
        exchange: &str,
        kind: ExchangeType,
        key: Option<&str>,
    ) -> String {
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

    pub(super) fn consumers(
        &mut self,
        messages: &Messages,
        bindings: &mut Vec<Binding>,
    ) -> BTreeMap<String, Consumer> {
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
                self.incomplete = true;
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
