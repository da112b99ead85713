//! Exchanges and bindings, and those of other domains.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::domains::Domain;
use super::super::problem::Problem;
use super::super::raw::{self, HeadersMatch};
use super::super::routing::{key_fault, pattern_fault};
use super::super::source::{join, unescape};
use super::super::{Binding, Destination, Exchange, ExchangeType, Owner, Queue};
use super::Checker;
use super::bindings::Bindings;
use super::scope::FlowKind;

impl Checker<'_> {
    pub(super) fn exchanges(&mut self) -> BTreeMap<String, Exchange> {
        let mut exchanges = BTreeMap::new();
        for (name, raw) in &self.raw.exchanges {
            if self.is_full() {
                break;
            }
            let at = join("/exchanges", name);
            self.entity_name(name, &at, "exchange", raw.owned);
            for (argument, key) in [("alternate-exchange", "alternateExchange")] {
                if raw.arguments.contains_key(argument) {
                    self.refuse_way(
                        Problem::at(
                            join(&join(&at, "arguments"), argument),
                            format!("`{argument}` has a key of its own"),
                        )
                        .on_key()
                        .because(
                            "as an argument, it would not be followed when the ways of messages are checked",
                        )
                        .hint(format!("write `{key}: ...`")),
                    );
                }
            }
            let mut arguments = raw.arguments.clone();
            let alternate = raw.alternate_exchange.as_ref().and_then(|alternate| {
                let at = join(&at, "alternateExchange");
                if alternate == name || alternate.is_empty() {
                    let says = format!("`{alternate}` cannot be the alternate exchange of `{name}`");
                    let hint = "name another exchange, or leave it out";
                    self.refuse_way(Problem::at(&at, says).hint(hint));
                    return None;
                }
                self.exchange(&at, alternate).map(|(alternate, _)| alternate)
            });
            if let Some(alternate) = &alternate {
                arguments.insert("alternate-exchange".to_owned(), Value::from(alternate.as_str()));
            }
            let owner = if raw.owned { Owner::Us } else { Owner::Somebody };
            exchanges.insert(name.clone(), exchange(name, raw, arguments, alternate, owner));
        }
        exchanges
    }

    pub(super) fn bindings(&mut self) -> Bindings {
        let mut bindings = Bindings::default();
        for (name, raw) in &self.raw.bindings {
            if self.is_full() {
                break;
            }
            let at = join("/bindings", name);
            let destination = self.destination(&at, raw);
            let exchange = self.exchange(&join(&at, "exchange"), &raw.exchange);
            let (Some((exchange, kind)), Some(destination)) = (exchange, destination) else { continue };
            if exchange.is_empty() {
                self.refuse_way(
                    Problem::at(join(&at, "exchange"), "the default exchange cannot be bound")
                        .because(
                            "it takes each message to the queue that its routing key names, and nowhere else",
                        )
                        .hint("leave the binding out: every queue is reached by its name"),
                );
                continue;
            }
            let routing_key = self.binding_key(&at, &exchange, kind, raw.routing_key.as_deref());
            let arguments =
                self.match_arguments(&at, kind, raw.headers.as_ref(), raw.matching, raw.arguments.clone());
            let binding =
                Binding { exchange, destination, routing_key, arguments, owner: Owner::Us, from: at.clone() };
            if let Some(other) = bindings.same(&binding) {
                let other = other.from.clone();
                let shown = unescape(other.trim_start_matches("/bindings/"));
                self.refuse(
                    Problem::at(at, format!("`{name}` is the same binding as `{shown}`"))
                        .on_key()
                        .hint("leave one of them out")
                        .also(other, "it is here already"),
                );
            }
            bindings.add(binding);
        }
        bindings
    }

    fn destination(&mut self, at: &str, raw: &raw::Binding) -> Option<Destination> {
        match (&raw.queue, &raw.to_exchange) {
            (Some(queue), None) => {
                self.known(&join(at, "queue"), "queue", queue, &self.raw.queues)?;
                Some(Destination::Queue(queue.clone()))
            }
            (None, Some(exchange)) => {
                let at = join(at, "toExchange");
                let (exchange, _) = self.exchange(&at, exchange)?;
                if exchange.is_empty() || *exchange == raw.exchange {
                    let (says, hint) = if exchange.is_empty() {
                        (
                            "the default exchange cannot be bound",
                            "write `queue: ...` in place of `toExchange`",
                        )
                    } else {
                        ("an exchange bound to itself routes nothing", "leave the binding out")
                    };
                    self.refuse_way(Problem::at(at, says).hint(hint));
                    return None;
                }
                Some(Destination::Exchange(exchange))
            }
            (None, None) => {
                self.refuse_way(
                    Problem::at(at, "this binding leads nowhere")
                        .on_key()
                        .hint("add `queue: ...`, or `toExchange: ...` for an exchange"),
                );
                None
            }
            (Some(_), Some(_)) => {
                self.refuse_way(
                    Problem::at(
                        join(at, "toExchange"),
                        "a binding leads to a queue or to an exchange, and this to both",
                    )
                    .on_key()
                    .hint("write two bindings")
                    .also(join(at, "queue"), "it leads to this as well"),
                );
                None
            }
        }
    }

    /// The key to bind with.
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
                    self.refuse_way(
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
                let hint = if kind == ExchangeType::Topic {
                    "add `routingKey: ...`, such as `\"#\"` for every message"
                } else {
                    "add `routingKey: ...`, the key that messages are published with"
                };
                self.refuse_way(
                    Problem::at(at, "the key `routingKey` is missing")
                        .on_key()
                        .because(format!("`{exchange}` routes by it"))
                        .hint(hint),
                );
            }
            (ExchangeType::Fanout | ExchangeType::Headers, Some(key)) if !key.is_empty() => {
                let kind = if kind == ExchangeType::Fanout { "fanout" } else { "headers" };
                self.refuse(
                    Problem::at(
                        at_key,
                        format!("`{exchange}` is a {kind} exchange and looks at no routing key"),
                    )
                    .on_key()
                    .because("every message would come, whatever its key")
                    .hint("leave `routingKey` out, or say `type: topic` for the exchange"),
                );
            }
            (ExchangeType::Fanout | ExchangeType::Headers, _) => {}
        }
        key.unwrap_or_default().to_owned()
    }

    /// The arguments of a binding: the match of a headers exchange, and what else is given.
    pub(super) fn match_arguments(
        &mut self,
        at: &str,
        kind: ExchangeType,
        headers: Option<&Map<String, Value>>,
        matching: Option<HeadersMatch>,
        arguments: Map<String, Value>,
    ) -> Map<String, Value> {
        for (key, given) in [("headers", headers.is_some()), ("match", matching.is_some())] {
            if given && kind != ExchangeType::Headers {
                self.refuse(
                    Problem::at(join(at, key), format!("`{key}` means something on a headers exchange only"))
                        .on_key()
                        .hint("say `type: headers` for the exchange, or bind with a `routingKey`"),
                );
            }
        }
        if kind != ExchangeType::Headers {
            return arguments;
        }
        if matching.is_some() && headers.is_none_or(Map::is_empty) {
            self.refuse(
                Problem::at(join(at, "match"), "`match` without `headers`")
                    .on_key()
                    .hint("say which `headers` a message must have, or leave it out"),
            );
        }
        for (name, value) in headers.into_iter().flatten() {
            if value.is_object() || value.is_array() {
                let at = join(&join(at, "headers"), name);
                self.refuse(
                    Problem::at(at, "a header is matched with a text, a number, or true or false")
                        .hint("for one of several values, write a binding for each"),
                );
            }
        }
        matched(headers, matching, arguments)
    }

    pub(super) fn entity_name(&mut self, name: &str, at: &str, what: &str, owned: bool) {
        let says = if name.is_empty() {
            format!("the name of this {what} is empty")
        } else if name.len() > 200 {
            format!("the name of this {what} is longer than 200 bytes")
        } else if name.starts_with("amq.") && owned {
            format!("`{name}`: names that start with `amq.` belong to the broker")
        } else {
            return;
        };
        let problem = Problem::at(at, says).on_key();
        let is_brokers = name.starts_with("amq.") && name.len() <= 200;
        self.refuse(if is_brokers { problem.hint("say `owned: false` to use it as it is") } else { problem });
    }

    /// Adds what other domains have on the broker, so that ways which lead through them can be followed.
    pub(super) fn foreign(
        &mut self,
        exchanges: &mut BTreeMap<String, Exchange>,
        queues: &mut BTreeMap<String, Queue>,
        bindings: &mut Vec<Binding>,
    ) {
        for domain in &self.domains.contracts {
            let owner = Owner::Domain(domain.name.clone());
            for (name, raw) in domain.raw.exchanges.iter().filter(|(_, raw)| raw.owned) {
                if exchanges.get(name).is_some_and(|own| own.owner == Owner::Us) {
                    self.two_owners("/exchanges", name, domain);
                    continue;
                }
                let alternate = raw.alternate_exchange.as_deref();
                let alternate =
                    alternate.and_then(|name| self.their_exchange(domain, name)).map(|found| found.0);
                exchanges.insert(
                    name.clone(),
                    exchange(name, raw, raw.arguments.clone(), alternate, owner.clone()),
                );
            }
            for (name, raw) in domain.raw.queues.iter().filter(|(_, raw)| raw.owned) {
                match queues.get(name) {
                    Some(own) if own.owner == Owner::Us => self.two_owners("/queues", name, domain),
                    Some(_) => {}
                    None => {
                        queues.insert(name.clone(), self.foreign_queue(name, raw, domain, &owner));
                    }
                }
            }
            let theirs = self.their_bindings(domain, &owner);
            bindings.extend(theirs);
        }
    }

    fn two_owners(&mut self, section: &str, name: &str, domain: &Domain) {
        let what = section.trim_start_matches('/').trim_end_matches('s');
        self.refuse(
            Problem::at(join(section, name), format!("`{name}` is also an {what} of the domain `{}`", domain.name).replace("an queue", "a queue"))
                .on_key()
                .because("two contracts would declare it, and the broker refuses the second unless they agree for ever")
                .hint("say `owned: false` here, or refer to it as `domain/name`"),
        );
    }

    fn their_bindings(&self, domain: &Domain, owner: &Owner) -> Vec<Binding> {
        let mut bindings = Vec::new();
        let mut add = |exchange: String,
                       destination: Destination,
                       key: Option<&str>,
                       arguments: Map<String, Value>,
                       from: String| {
            let (routing_key, owner) = (key.unwrap_or_default().to_owned(), owner.clone());
            bindings.push(Binding { exchange, destination, routing_key, arguments, owner, from });
        };
        for (name, raw) in &domain.raw.bindings {
            let Some((exchange, _)) = self.their_exchange(domain, &raw.exchange) else { continue };
            let to_exchange = raw.to_exchange.as_deref().and_then(|name| self.their_exchange(domain, name));
            let destination = match (&raw.queue, to_exchange) {
                (Some(queue), _) => Destination::Queue(queue.clone()),
                (None, Some((exchange, _))) => Destination::Exchange(exchange),
                (None, None) => continue,
            };
            let arguments = matched(raw.headers.as_ref(), raw.matching, raw.arguments.clone());
            add(exchange, destination, raw.routing_key.as_deref(), arguments, join("/bindings", name));
        }
        for (name, raw) in &domain.raw.consumers {
            let flow = match (&raw.event, &raw.command) {
                (Some(event), _) => self.their_flow(domain, FlowKind::Event, event),
                (None, Some(command)) => self.their_flow(domain, FlowKind::Command, command),
                (None, None) => None,
            };
            let (Some((exchange, _, key)), Some(queue)) = (flow, &raw.queue) else { continue };
            let key = raw.routing_key.clone().or(key);
            let (queue, from) = (Destination::Queue(queue.clone()), join("/consumers", name));
            let arguments = matched(raw.headers.as_ref(), None, Map::new());
            match &raw.bridge_exchange {
                Some(bridge) => {
                    let to_bridge = Destination::Exchange(bridge.clone());
                    add(exchange, to_bridge, key.as_deref(), arguments, from.clone());
                    add(bridge.clone(), queue, key.as_deref(), Map::new(), from);
                }
                None => add(exchange, queue, key.as_deref(), arguments, from),
            }
        }
        bindings
    }
}

/// The arguments of a binding that matches headers, beside those given as they are.
fn matched(
    headers: Option<&Map<String, Value>>,
    matching: Option<HeadersMatch>,
    mut arguments: Map<String, Value>,
) -> Map<String, Value> {
    let Some(headers) = headers.filter(|headers| !headers.is_empty()) else { return arguments };
    arguments.extend(headers.clone());
    let word = match matching.unwrap_or(HeadersMatch::All) {
        HeadersMatch::All => "all",
        HeadersMatch::Any => "any",
        HeadersMatch::AllWithX => "all-with-x",
        HeadersMatch::AnyWithX => "any-with-x",
    };
    arguments.insert("x-match".to_owned(), Value::from(word));
    arguments
}

fn exchange(
    name: &str,
    raw: &raw::Exchange,
    arguments: Map<String, Value>,
    alternate: Option<String>,
    owner: Owner,
) -> Exchange {
    Exchange {
        name: name.to_owned(),
        kind: raw.kind,
        durable: raw.durable,
        auto_delete: raw.auto_delete,
        internal: raw.internal,
        arguments,
        alternate,
        owner,
    }
}
