//! Everything that can be published: events, commands, publishers of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Map;

use super::super::problem::Problem;
use super::super::routing::{key_fault, pattern_fault, topic_matches};
use super::super::source::join;
use super::super::{Binding, Destination, ExchangeType, Message, Owner, Publisher, PublisherKind, raw};
use super::bindings::Bindings;
use super::scope::{Flow, FlowKind};
use super::{Checker, Messages};

/// What a publisher is about, beside its exchange, key and message.
struct About<'r> {
    name: &'r str,
    at: &'r str,
    kind: PublisherKind,
    external_consumers: bool,
    summary: Option<&'r String>,
}

impl Checker<'_> {
    pub(super) fn publishers(
        &mut self,
        messages: &Messages,
        bindings: &mut Bindings,
    ) -> BTreeMap<String, Arc<Publisher>> {
        let mut publishers = BTreeMap::new();
        for (name, raw) in &self.raw.events {
            if self.is_full() {
                break;
            }
            let at = join("/events", name);
            let external_consumers = raw.external_consumers;
            let summary = raw.summary.as_ref();
            let about = About { name, at: &at, kind: PublisherKind::Event, external_consumers, summary };
            let publisher =
                self.publisher(about, &raw.exchange, raw.routing_key.as_deref(), &raw.message, messages);
            publishers.extend(publisher.map(|publisher| (name.clone(), Arc::new(publisher))));
        }
        for (name, raw) in &self.raw.commands {
            if self.is_full() {
                break;
            }
            let at = join("/commands", name);
            self.unique(name, &at, "/events", "an event", self.raw.events.contains_key(name));
            let publisher = self.command(name, &at, raw, messages);
            publishers.extend(publisher.map(|publisher| (name.clone(), Arc::new(publisher))));
        }
        for (name, raw) in &self.raw.publishers {
            if self.is_full() {
                break;
            }
            let at = join("/publishers", name);
            self.unique(name, &at, "/events", "an event", self.raw.events.contains_key(name));
            self.unique(name, &at, "/commands", "a command", self.raw.commands.contains_key(name));
            let publisher = self.own_publisher(name, &at, raw, messages, bindings);
            publishers.extend(publisher.map(|publisher| (name.clone(), Arc::new(publisher))));
        }
        self.foreign_publishers(messages, &mut publishers);
        publishers
    }

    fn command(
        &mut self,
        name: &str,
        at: &str,
        raw: &raw::Command,
        messages: &Messages,
    ) -> Option<Publisher> {
        let about = About {
            name,
            at,
            kind: PublisherKind::Command,
            external_consumers: raw.external_consumers,
            summary: raw.summary.as_ref(),
        };
        let is_pattern = raw.routing_key.as_deref().is_some_and(is_pattern);
        let topic =
            self.raw.exchanges.get(&raw.exchange).is_some_and(|found| found.kind == ExchangeType::Topic);
        if !(topic && is_pattern) {
            let key = raw.routing_key.as_deref();
            return self.publisher(about, &raw.exchange, key, &raw.message, messages);
        }
        let pattern = raw.routing_key.clone()?;
        self.fault(&join(at, "routingKey"), pattern_fault(&pattern));
        let message = self.message(&join(at, "message"), &raw.message, messages)?;
        Some(about.publisher(raw.exchange.clone(), ExchangeType::Topic, None, Some(pattern), message))
    }

    /// One of `publishers`: of an event, of a command, or on its own.
    fn own_publisher(
        &mut self,
        name: &str,
        at: &str,
        raw: &raw::Publisher,
        messages: &Messages,
        bindings: &mut Bindings,
    ) -> Option<Publisher> {
        let (external_consumers, summary) = (raw.external_consumers, raw.summary.as_ref());
        let about = |kind| About { name, at, kind, external_consumers, summary };
        if raw.bridge_exchange.is_some() && raw.command.is_none() {
            self.refuse(
                Problem::at(join(at, "bridgeExchange"), "`bridgeExchange` goes with `command`")
                    .on_key()
                    .hint("name the exchange to publish to as `exchange`, and bind it with `bindings`"),
            );
        }
        match (&raw.event, &raw.command, &raw.exchange, &raw.message) {
            (Some(event), None, None, None) => {
                let flow = self.flow(&join(at, "event"), FlowKind::Event, event, messages)?;
                if flow.owner != Owner::Us {
                    self.refuse(
                        Problem::at(join(at, "event"), format!("`{event}` is another domain's event"))
                            .because("an event is published by the domain that it happens in")
                            .hint("consume it, or publish an event of your own"),
                    );
                }
                self.of_flow(about(PublisherKind::OfEvent(event.clone())), flow, raw.routing_key.as_deref())
            }
            (None, Some(command), None, None) => self.of_command(
                about(PublisherKind::OfCommand(command.clone())),
                raw,
                command,
                messages,
                bindings,
            ),
            (None, None, Some(exchange), Some(message)) => self.publisher(
                about(PublisherKind::Own),
                exchange,
                raw.routing_key.as_deref(),
                message,
                messages,
            ),
            _ => {
                self.refuse_way(names_no_flow(at, raw));
                None
            }
        }
    }

    fn of_command(
        &mut self,
        about: About<'_>,
        raw: &raw::Publisher,
        command: &str,
        messages: &Messages,
        bindings: &mut Bindings,
    ) -> Option<Publisher> {
        let at = about.at;
        let mut flow = self.flow(&join(at, "command"), FlowKind::Command, command, messages)?;
        let key = raw.routing_key.as_deref();
        let fits = match (key, flow.routing_key.as_deref(), flow.kind) {
            (Some(key), Some(pattern), ExchangeType::Topic) => topic_matches(pattern, key),
            (Some(key), Some(exact), ExchangeType::Direct) => key == exact,
            _ => true,
        };
        if let (false, Some(key), Some(pattern)) = (fits, key, &flow.routing_key) {
            let (section, name) =
                if command.contains('/') { ("/domains", "") } else { ("/commands", command) };
            let problem = Problem::at(
                join(at, "routingKey"),
                format!("`{key}` does not match the command's `{pattern}`"),
            )
            .because("the consumer of the command would never get it");
            self.refuse_way(match name {
                "" => problem,
                name => problem.also(join(&join(section, name), "routingKey"), "what the command takes"),
            });
            return None;
        }
        let whole_pattern = key.is_none() && flow.routing_key.as_deref().is_some_and(is_pattern);
        if let Some(bridge) = &raw.bridge_exchange {
            let (bridge, kind) = self.bridge(&join(at, "bridgeExchange"), bridge, &flow)?;
            let routing_key = match flow.kind {
                ExchangeType::Fanout | ExchangeType::Headers => String::new(),
                ExchangeType::Topic | ExchangeType::Direct => {
                    key.map(str::to_owned).or(flow.routing_key.clone())?
                }
            };
            bindings.add(Binding {
                exchange: bridge.clone(),
                destination: Destination::Exchange(flow.exchange.clone()),
                routing_key: bridged_key(kind, &routing_key),
                arguments: Map::new(),
                owner: Owner::Us,
                from: at.to_owned(),
            });
            (flow.exchange, flow.kind) = (bridge, kind);
        }
        if whole_pattern && flow.kind == ExchangeType::Topic {
            let (exchange, message) = (flow.exchange.clone(), flow.message.clone()?);
            return Some(about.publisher(exchange, ExchangeType::Topic, None, flow.routing_key, message));
        }
        self.of_flow(about, flow, key)
    }

    /// A bridge: an exchange of this contract between a domain's exchange and what is here.
    pub(super) fn bridge(&mut self, at: &str, name: &str, flow: &Flow) -> Option<(String, ExchangeType)> {
        let raw = self.known(at, "exchange", name, &self.raw.exchanges)?;
        if *name == flow.exchange {
            let says = format!("`{name}` is the exchange itself, and no bridge to it");
            self.refuse_way(Problem::at(at, says).hint("leave `bridgeExchange` out"));
            return None;
        }
        let keyed = matches!(flow.kind, ExchangeType::Topic | ExchangeType::Direct);
        if raw.kind == ExchangeType::Headers || (raw.kind == ExchangeType::Direct && !keyed) {
            self.refuse_way(
                Problem::at(
                    at,
                    format!("`{name}` cannot be a bridge: it would not pass the message on by its key"),
                )
                .hint("a bridge is a topic or fanout exchange; between direct exchanges also a direct one"),
            );
            return None;
        }
        Some((name.to_owned(), raw.kind))
    }

    fn of_flow(&mut self, about: About<'_>, flow: Flow, key: Option<&str>) -> Option<Publisher> {
        let key = key.or(flow.routing_key.as_deref());
        self.published_key(&about, &flow.exchange, flow.kind, key);
        let key = Some(key.unwrap_or_default().to_owned());
        Some(about.publisher(flow.exchange.clone(), flow.kind, key, None, flow.message?))
    }

    fn publisher(
        &mut self,
        about: About<'_>,
        exchange: &str,
        key: Option<&str>,
        message: &str,
        messages: &Messages,
    ) -> Option<Publisher> {
        let known = self.exchange(&join(about.at, "exchange"), exchange);
        let message = self.message(&join(about.at, "message"), message, messages);
        let (exchange, kind) = known?;
        self.published_key(&about, &exchange, kind, key);
        Some(about.publisher(exchange, kind, Some(key.unwrap_or_default().to_owned()), None, message?))
    }

    fn published_key(&mut self, about: &About<'_>, exchange: &str, kind: ExchangeType, key: Option<&str>) {
        let at = about.at;
        match (kind, key) {
            (_, key) if exchange.is_empty() => match key {
                Some(queue) if self.raw.queues.contains_key(queue) || about.external_consumers => {}
                Some(queue) => {
                    self.known(&join(at, "routingKey"), "queue", queue, &self.raw.queues);
                }
                None => self.refuse_way(
                    Problem::at(at, "the key `routingKey` is missing")
                        .on_key()
                        .because(
                            "the default exchange takes a message to the queue that its routing key names",
                        )
                        .hint("add `routingKey: ...` with the name of a queue"),
                ),
            },
            (ExchangeType::Topic | ExchangeType::Direct, None) => {
                let kind = if kind == ExchangeType::Topic { "topic" } else { "direct" };
                self.refuse_way(
                    Problem::at(at, "the key `routingKey` is missing")
                        .on_key()
                        .because(format!("`{exchange}` is a {kind} exchange, and routes by it"))
                        .hint("add `routingKey: ...`, such as `order.created`"),
                );
            }
            (_, Some(key)) => self.fault(&join(at, "routingKey"), key_fault(key)),
            (ExchangeType::Fanout | ExchangeType::Headers, None) => {}
        }
    }

    /// What other domains publish may reach queues of ours, and their commands may be sent.
    fn foreign_publishers(&mut self, messages: &Messages, publishers: &mut BTreeMap<String, Arc<Publisher>>) {
        let domains = self.domains;
        for (alias, index) in &domains.aliases {
            let raw = &domains.contracts[*index].raw;
            let events = raw.events.keys().map(|name| (FlowKind::Event, PublisherKind::Event, name));
            let commands = raw.commands.keys().map(|name| (FlowKind::Command, PublisherKind::Command, name));
            for (flow_kind, kind, name) in events.chain(commands) {
                let full = format!("{alias}/{name}");
                let at = join("/domains", alias);
                let Some(flow) = self.flow(&at, flow_kind, &full, messages) else { continue };
                let about = About { name: &full, at: &at, kind, external_consumers: true, summary: None };
                let Some(message) = flow.message.clone() else { continue };
                let (key, pattern) = match flow.routing_key.clone() {
                    Some(key) if is_pattern(&key) => (None, Some(key)),
                    key => (Some(key.unwrap_or_default()), None),
                };
                let mut publisher = about.publisher(flow.exchange, flow.kind, key, pattern, message);
                publisher.owner = flow.owner;
                publishers.insert(full, Arc::new(publisher));
            }
        }
    }
}

impl About<'_> {
    fn publisher(
        self,
        exchange: String,
        exchange_kind: ExchangeType,
        routing_key: Option<String>,
        pattern: Option<String>,
        message: Arc<Message>,
    ) -> Publisher {
        Publisher {
            name: self.name.to_owned(),
            kind: self.kind,
            exchange,
            exchange_kind,
            routing_key,
            pattern,
            message,
            external_consumers: self.external_consumers,
            summary: self.summary.cloned(),
            owner: Owner::Us,
        }
    }
}

/// A publisher that names too little or too much.
fn names_no_flow(at: &str, raw: &raw::Publisher) -> Problem {
    let says = "a publisher names an `event`, or a `command`, or an `exchange` and a `message`";
    let given = [
        ("event", raw.event.is_some()),
        ("command", raw.command.is_some()),
        ("exchange", raw.exchange.is_some()),
        ("message", raw.message.is_some()),
    ];
    let given: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect();
    match given.as_slice() {
        [] => Problem::at(at, says).on_key().hint("add one of them"),
        ["exchange"] => Problem::at(at, says).on_key().hint("add `message: ...`"),
        ["message"] => Problem::at(at, says).on_key().hint("add `exchange: ...`"),
        [first, second, ..] => Problem::at(join(at, second), says)
            .on_key()
            .because(format!("the {first} says all that it needs"))
            .hint(format!("leave out `{first}`, or all of the others"))
            .also(join(at, first), "this is named as well"),
        [_] => Problem::at(at, says).on_key(),
    }
}

fn is_pattern(key: &str) -> bool {
    key.split('.').any(|word| word == "*" || word == "#")
}

/// The key to bind with where messages come to, or leave, a bridge of this kind.
pub(super) fn bridged_key(kind: ExchangeType, key: &str) -> String {
    match kind {
        ExchangeType::Topic | ExchangeType::Direct if key.is_empty() => "#".to_owned(),
        ExchangeType::Topic | ExchangeType::Direct => key.to_owned(),
        ExchangeType::Fanout | ExchangeType::Headers => String::new(),
    }
}
