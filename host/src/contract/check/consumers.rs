//! Consumers, what they take, and the bindings that follow from that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Map;

use super::super::problem::Problem;
use super::super::raw::RetryMode;
use super::super::routing::topic_matches;
use super::super::source::join;
use super::super::{
    Binding, Consumer, DeliveryMode, Destination, ExchangeType, FailureAction, Limits, Message, OnFailure,
    Owner, Publisher, Takes, raw,
};
use super::bindings::Bindings;
use super::publishers::bridged_key;
use super::scope::FlowKind;
use super::{Checker, Messages};

const PREFETCH_MAX: u16 = 300;

impl Checker<'_> {
    pub(super) fn consumers(
        &mut self,
        messages: &Messages,
        publishers: &BTreeMap<String, Arc<Publisher>>,
        bindings: &mut Bindings,
    ) -> BTreeMap<String, Consumer> {
        let mut consumers = BTreeMap::new();
        for (name, raw) in &self.raw.consumers {
            if self.is_full() {
                break;
            }
            let at = join("/consumers", name);
            let queue = self.queue_of(&at, raw);
            self.publishes(&at, &raw.publishes);
            let handler = self.handler(&at, &raw.handler, Limits::usual(publishers, &raw.publishes));
            let capabilities = self.capabilities(&at, &raw.capabilities);
            let Some(queue) = queue else { continue };
            if raw.delivery == DeliveryMode::AtMostOnce {
                self.never_twice(&at, raw, &queue);
            }
            let taken = self.taken(&at, raw, &queue, messages, bindings);
            let Some((takes, message)) = taken else { continue };
            let prefetch =
                raw.prefetch.unwrap_or_else(|| PREFETCH_MAX.min(handler.concurrency.saturating_mul(2)));
            let consumer = Consumer {
                name: name.clone(),
                queue,
                takes,
                message,
                handler,
                publishes: raw.publishes.clone(),
                capabilities,
                on_failure: on_failure(&raw.on_failure),
                delivery: raw.delivery,
                prefetch,
                summary: raw.summary.clone(),
            };
            consumers.insert(name.clone(), consumer);
        }
        consumers
    }

    /// The queue that a consumer takes from: its own, or that of the rpc it answers.
    fn queue_of(&mut self, at: &str, raw: &raw::Consumer) -> Option<String> {
        let of_rpc = raw.rpc.as_ref().and_then(|rpc| self.raw.rpcs.get(rpc)).map(|rpc| rpc.queue.as_str());
        match (&raw.queue, of_rpc) {
            (Some(queue), Some(rpcs)) if queue != rpcs => {
                self.refuse(
                    Problem::at(join(at, "queue"), format!("the requests are in `{rpcs}`, not in `{queue}`"))
                        .hint("leave `queue` out: the rpc says it"),
                );
                None
            }
            (Some(queue), _) => {
                let queue_at = join(at, "queue");
                if self.foreign_name(queue).is_some() && !self.raw.queues.contains_key(queue) {
                    self.incomplete = true;
                    self.refuse(
                        Problem::at(queue_at, format!("`{queue}` is a queue of another domain"))
                            .because("its consumer would get some messages and this one the others, as chance has it")
                            .hint("give this consumer a queue of its own, bound to the other domain's exchange"),
                    );
                    return None;
                }
                self.known(&queue_at, "queue", queue, &self.raw.queues)?;
                Some(queue.clone())
            }
            (None, Some(rpcs)) => Some(rpcs.to_owned()),
            (None, None) => {
                self.incomplete = true;
                if raw.rpc.is_none() {
                    self.refuse(
                        Problem::at(at, "the key `queue` is missing")
                            .on_key()
                            .hint("`queue: ...`: the queue that it takes messages from"),
                    );
                } else {
                    self.known_rpc(at, raw);
                }
                None
            }
        }
    }

    /// Nothing is tried again that was acknowledged on receipt.
    fn never_twice(&mut self, at: &str, raw: &raw::Consumer, queue: &str) {
        let why = "`at-most-once` acknowledges a message before it is handled, so it is never handled again";
        let retry = self.raw.queues.get(queue).and_then(|queue| queue.retry.as_ref());
        if retry.is_some_and(|retry| retry.mode != RetryMode::None) {
            self.refuse(
                Problem::at(join(at, "delivery"), format!("`at-most-once`, and `{queue}` has retries"))
                    .because(why)
                    .hint("leave `retry` of the queue out, or say `mode: none`; or `delivery: at-least-once`")
                    .also(join(&join("/queues", queue), "retry"), "its retries"),
            );
        }
        let again = actions(&raw.on_failure).into_iter();
        for (class, _) in again.filter(|(_, action)| *action == Some(FailureAction::Retry)) {
            self.refuse(
                Problem::at(join(&join(at, "onFailure"), class), "`retry`, and `delivery: at-most-once`")
                    .because(why)
                    .hint("leave it out: failures are dead-lettered; or say `delivery: at-least-once`")
                    .also(join(at, "delivery"), "what excludes it"),
            );
        }
    }

    fn publishes(&mut self, at: &str, publishes: &[String]) {
        let raw = self.raw;
        let mut seen = BTreeSet::new();
        for (index, publisher) in publishes.iter().enumerate() {
            if self.is_full() {
                return;
            }
            let at = join(&join(at, "publishes"), &index.to_string());
            let theirs = self.foreign_name(publisher);
            let ours = raw.publishers.contains_key(publisher)
                || raw.events.contains_key(publisher)
                || raw.commands.contains_key(publisher);
            if ours || theirs.is_some_and(|(domain, name)| domain.raw.commands.contains_key(name)) {
                if !seen.insert(publisher) {
                    let problem = Problem::at(at, format!("`{publisher}` is granted twice"));
                    self.refuse(problem.hint("leave one of them out"));
                }
                continue;
            }
            self.incomplete = true;
            if theirs.is_some_and(|(domain, name)| domain.raw.events.contains_key(name)) {
                self.refuse(
                    Problem::at(at, format!("`{publisher}` is another domain's event"))
                        .because("an event is published by the domain that it happens in")
                        .hint("send a command of theirs, or publish an event of your own"),
                );
                continue;
            }
            let names = raw.publishers.keys().chain(raw.events.keys()).chain(raw.commands.keys());
            self.refuse(
                Problem::at(at, format!("no publisher, event or command is called `{publisher}`"))
                    .suggest(publisher, names.map(String::as_str)),
            );
        }
    }

    /// What a consumer consumes; adds the bindings that follow from it.
    fn taken(
        &mut self,
        at: &str,
        raw: &raw::Consumer,
        queue: &str,
        messages: &Messages,
        bindings: &mut Bindings,
    ) -> Option<(Takes, Arc<Message>)> {
        for (key, given) in [
            ("routingKey", raw.routing_key.is_some()),
            ("bridgeExchange", raw.bridge_exchange.is_some()),
            ("headers", raw.headers.is_some()),
        ] {
            if given && raw.event.is_none() {
                self.refuse(
                    Problem::at(join(at, key), format!("`{key}` goes with `event`"))
                        .on_key()
                        .hint("for a `message`, write it into `bindings`"),
                );
            }
        }
        let (kind, name, takes) = match (&raw.event, &raw.command, &raw.rpc, &raw.message) {
            (Some(event), None, None, _) => (FlowKind::Event, event, Takes::Event(event.clone())),
            (None, Some(command), None, _) => (FlowKind::Command, command, Takes::Command(command.clone())),
            (None, None, Some(rpc), None) => {
                self.known_rpc(at, raw);
                let request = self.raw.rpcs.get(rpc)?.request.clone();
                let message =
                    messages.get(&request).cloned().or_else(|| self.foreign_messages.get(&request).cloned());
                return Some((Takes::Rpc(rpc.clone()), message?));
            }
            (None, None, None, Some(message)) => {
                let message = self.message(&join(at, "message"), message, messages)?;
                return Some((Takes::Message, message));
            }
            _ => {
                self.refuse_way(takes_no_one_thing(at, raw));
                return None;
            }
        };
        let own_view = match &raw.message {
            Some(message) => Some(self.message(&join(at, "message"), message, messages)?),
            None => None,
        };
        let flow = self.flow(&join(at, kind.noun()), kind, name, messages)?;
        if kind == FlowKind::Command && flow.owner != Owner::Us {
            self.refuse(
                Problem::at(join(at, "command"), format!("`{name}` is another domain's command"))
                    .because("a command has one consumer, and that is the domain which defines it")
                    .hint("send it, by a publisher with `command`; or consume an event"),
            );
        }
        self.bind(at, raw, queue, &flow, bindings);
        Some((takes, own_view.or(flow.message)?))
    }

    /// Binds the queue of a consumer to the exchange of its event or command, perhaps over a bridge.
    fn bind(
        &mut self,
        at: &str,
        raw: &raw::Consumer,
        queue: &str,
        flow: &super::scope::Flow,
        bindings: &mut Bindings,
    ) {
        let key = raw.routing_key.as_deref().or(flow.routing_key.as_deref());
        let before = self.problems.len();
        if raw.routing_key.is_some() {
            self.binding_key(at, &flow.exchange, flow.kind, key);
        }
        if self.problems.len() > before {
            return;
        }
        if let (Some(pattern), Some(key), ExchangeType::Topic) =
            (&raw.routing_key, &flow.routing_key, flow.kind)
            && !topic_matches(pattern, key)
        {
            let name = raw.event.as_deref().unwrap_or_default();
            let problem = Problem::at(join(at, "routingKey"), format!("`{pattern}` does not match `{key}`"))
                .because(format!("the event `{name}` would never reach this consumer"))
                .hint("leave `routingKey` out to listen to this event alone");
            self.refuse_way(match flow.owner {
                Owner::Us => {
                    problem.also(join(&join("/events", name), "routingKey"), "what it is published with")
                }
                Owner::Somebody | Owner::Domain(_) => problem,
            });
        }
        let queue = Destination::Queue(queue.to_owned());
        if flow.exchange.is_empty() {
            return; // the default exchange reaches every queue by its name
        }
        let arguments = self.match_arguments(at, flow.kind, raw.headers.as_ref(), None, Map::new());
        let key = match flow.kind {
            ExchangeType::Fanout | ExchangeType::Headers => String::new(),
            ExchangeType::Topic | ExchangeType::Direct => key.unwrap_or_default().to_owned(),
        };
        let binding = |exchange: &str, destination, routing_key, arguments| Binding {
            exchange: exchange.to_owned(),
            destination,
            routing_key,
            arguments,
            owner: Owner::Us,
            from: at.to_owned(),
        };
        match &raw.bridge_exchange {
            None => bindings.add(binding(&flow.exchange, queue, key, arguments)),
            Some(bridge) => {
                let Some((bridge, kind)) = self.bridge(&join(at, "bridgeExchange"), bridge, flow) else {
                    return;
                };
                let to_bridge = Destination::Exchange(bridge.clone());
                bindings.add(binding(&flow.exchange, to_bridge, key.clone(), arguments));
                bindings.add(binding(&bridge, queue, bridged_key(kind, &key), Map::new()));
            }
        }
    }

    fn known_rpc(&mut self, at: &str, raw: &raw::Consumer) {
        if let Some(rpc) = &raw.rpc {
            self.known(&join(at, "rpc"), "rpc", rpc, &self.raw.rpcs);
        }
    }
}

/// A consumer that names nothing to take, or more than one thing.
fn takes_no_one_thing(at: &str, raw: &raw::Consumer) -> Problem {
    let given = [
        ("event", raw.event.is_some()),
        ("command", raw.command.is_some()),
        ("rpc", raw.rpc.is_some()),
        ("message", raw.message.is_some()),
    ];
    let given: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect();
    match given.as_slice() {
        [first, second, ..] => {
            let problem = Problem::at(
                join(at, second),
                format!("a consumer takes one thing, and this names `{first}` and `{second}`"),
            )
            .on_key()
            .also(join(at, first), "this is named as well");
            match *second {
                "message" => problem.hint("leave it out: the rpc says which message a request is"),
                _ => problem.hint("write a consumer for each, with a queue of its own"),
            }
        }
        _ => Problem::at(at, "this consumer does not say what it takes").on_key().hint(
            "add `event: ...`, `command: ...` or `rpc: ...`; or `message: ...`, with its queue in `bindings`",
        ),
    }
}

/// What is said of each class.
fn actions(raw: &raw::OnFailure) -> [(&'static str, Option<FailureAction>); 7] {
    [
        ("transient", raw.transient),
        ("rateLimited", raw.rate_limited),
        ("permanent", raw.permanent),
        ("unauthorized", raw.unauthorized),
        ("trap", raw.trap),
        ("deadline", raw.deadline),
        ("memory", raw.memory),
    ]
}

fn on_failure(raw: &raw::OnFailure) -> OnFailure {
    OnFailure {
        transient: raw.transient,
        rate_limited: raw.rate_limited,
        permanent: raw.permanent,
        unauthorized: raw.unauthorized,
        trap: raw.trap,
        deadline: raw.deadline,
        memory: raw.memory,
    }
}
