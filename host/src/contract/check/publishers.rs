//! Everything that can be published: events, commands, and publishers of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::problem::Problem;
use super::super::routing::{key_fault, pattern_fault, topic_matches};
use super::super::source::join;
use super::super::{ExchangeType, Publisher, raw};
use super::{Checker, Messages};

impl Checker<'_> {
    pub(super) fn publishers(&mut self, messages: &Messages) -> BTreeMap<String, Arc<Publisher>> {
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
                self.incomplete = true;
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
}
