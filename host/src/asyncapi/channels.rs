//! Channels: one for each exchange, one for each key that is published with, one for each queue, and one for the answers
//! to each rpc. What AsyncAPI's binding has no word for is in extensions: `x-amqp-exchange`, `x-amqp-exchange-bindings`,
//! `x-amqp-queue`, `x-amqp-retry`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::contract::routes::{Key, Routes};
use crate::contract::{
    Binding, Contract, Destination, Exchange, ExchangeType, Message, Owner, Queue, QueueType, Retry,
};
use crate::topology::wait_queue_name;
use crate::yaml::{Mapping, Node};

use super::BINDING_VERSION;
use super::names::{Names, address, reference};

pub(super) struct Channels<'d, 'c> {
    pub(super) contract: &'c Contract,
    pub(super) names: &'d Names<'c>,
    pub(super) routes: Routes<'c>,
    /// The virtual host, where all servers have the same.
    pub(super) vhost: Option<String>,
}

impl<'c> Channels<'_, 'c> {
    pub(super) fn all(&self) -> Mapping {
        let mut channels = Mapping::default();
        for (name, id) in &self.names.exchanges {
            if let Some(exchange) = self.contract.exchanges.get(name) {
                channels.set(id, self.of_exchange(exchange));
            }
        }
        for ((exchange, key), id) in &self.names.keys {
            channels.set(id, self.of_key(exchange, key));
        }
        for (name, id) in &self.names.queues {
            channels.set(id, self.of_queue(&self.contract.queues[*name]));
        }
        for (rpc, id) in &self.names.replies {
            channels.set(id, self.of_reply(rpc));
        }
        channels
    }

    fn of_exchange(&self, exchange: &'c Exchange) -> Mapping {
        let mut channel = Mapping::default();
        channel.set("address", Value::Null).set("title", &exchange.name);
        let keyed = matches!(exchange.kind, ExchangeType::Topic | ExchangeType::Direct);
        let description = if keyed {
            format!(
                "The {} exchange `{}`. Each key that is published with has a channel of its own.",
                word(exchange.kind),
                exchange.name
            )
        } else {
            format!("The {} exchange `{}`; it looks at no routing key.", word(exchange.kind), exchange.name)
        };
        channel.set("description", description);
        let published = self.names.publishers.values().map(|(_, publisher)| *publisher);
        let here = published.filter(|found| found.exchange == exchange.name && address(found).is_none());
        channel.set_full("messages", self.messages(here.map(|publisher| publisher.message.as_ref())));
        channel.set("bindings", self.exchange_binding(&exchange.name, word(exchange.kind), exchange));
        channel.set_full("x-amqp-exchange", extended(exchange));
        channel.set_full("x-amqp-exchange-bindings", self.exchange_bindings(&exchange.name));
        channel
    }

    fn of_key(&self, exchange: &'c str, key: &str) -> Mapping {
        let mut channel = Mapping::default();
        // Braces would be parameters.
        let plain = !key.contains(['{', '}']);
        channel.set("address", if plain { Value::from(key) } else { Value::Null });
        let place = if exchange.is_empty() { "the default exchange" } else { exchange };
        channel.set("title", format!("{key} on {place}"));
        let published = self.names.publishers.values().map(|(_, publisher)| *publisher);
        let here = published.filter(|found| found.exchange == exchange && address(found) == Some(key));
        channel.set_full("messages", self.messages(here.map(|publisher| publisher.message.as_ref())));
        let binding = match self.contract.exchanges.get(exchange) {
            Some(found) => self.exchange_binding(exchange, word(found.kind), found),
            None => self.default_exchange(),
        };
        channel.set("bindings", binding);
        channel
    }

    fn of_queue(&self, queue: &'c Queue) -> Mapping {
        let mut channel = Mapping::default();
        let plain = !queue.name.contains(['{', '}']);
        channel.set("address", if plain { Value::from(queue.name.as_str()) } else { Value::Null });
        channel.set("title", &queue.name);
        let consumed = self.contract.consumers.values().filter(|consumer| consumer.queue == queue.name);
        let asked = self.contract.rpcs.values().filter(|rpc| rpc.queue == queue.name);
        let messages = consumed.map(|consumer| consumer.message.as_ref());
        channel.set_full("messages", self.messages(messages.chain(asked.map(|rpc| rpc.request.as_ref()))));
        let mut binding = Mapping::default();
        binding
            .set("name", &queue.name)
            .set("durable", queue.durable)
            .set("exclusive", queue.exclusive)
            .set("autoDelete", queue.auto_delete)
            .set_some("vhost", self.vhost.as_ref());
        channel.set("bindings", amqp("queue", "queue", binding));
        channel.set("x-amqp-queue", self.extended_queue(queue));
        if self.is_consumed(queue) || !matches!(queue.retry, Retry::TtlBackoff(_)) {
            channel.set("x-amqp-retry", retry(queue));
        }
        channel
    }

    fn of_reply(&self, rpc: &str) -> Mapping {
        let rpc = &self.contract.rpcs[rpc];
        let mut channel = Mapping::default();
        channel
            .set("address", Value::Null)
            .set("title", format!("answers to {}", rpc.name))
            .set("description", "The queue that the request's property `reply-to` names.");
        let messages = [&rpc.response].into_iter().chain(rpc.errors.values());
        channel.set("messages", self.messages(messages.map(AsRef::as_ref)));
        channel.set("bindings", self.default_exchange());
        channel
    }

    fn messages(&self, messages: impl Iterator<Item = &'c Message>) -> Mapping {
        let ids: BTreeSet<&str> = messages.map(|message| self.names.message(message)).collect();
        let mut found = Mapping::default();
        for id in ids {
            found.set(id, reference(&["components", "messages", id]));
        }
        found
    }

    fn exchange_binding(&self, name: &str, kind: &str, exchange: &Exchange) -> Mapping {
        let mut binding = Mapping::default();
        binding
            .set("name", name)
            .set("type", kind)
            .set("durable", exchange.durable)
            .set("autoDelete", exchange.auto_delete)
            .set_some("vhost", self.vhost.as_ref());
        amqp("routingKey", "exchange", binding)
    }

    fn default_exchange(&self) -> Mapping {
        let mut binding = Mapping::default();
        binding.set("name", "").set("type", "default").set("durable", true).set("autoDelete", false);
        binding.set_some("vhost", self.vhost.as_ref());
        amqp("routingKey", "exchange", binding)
    }

    /// Bindings between exchanges, seen from one of them.
    fn exchange_bindings(&self, name: &str) -> Mapping {
        let (mut to, mut from) = (Vec::new(), Vec::new());
        for binding in self.bindings() {
            let Destination::Exchange(destination) = &binding.destination else { continue };
            if binding.exchange == name {
                to.push(binding_node("destination", destination, binding));
            }
            if destination == name {
                from.push(binding_node("source", &binding.exchange, binding));
            }
        }
        let mut bindings = Mapping::default();
        bindings.set_full("forwardsTo", to).set_full("receivesFrom", from);
        bindings
    }

    fn extended_queue(&self, queue: &Queue) -> Mapping {
        let mut extended = Mapping::default();
        let kind = match queue.kind {
            QueueType::Quorum => "quorum",
            QueueType::Classic => "classic",
        };
        extended.set("type", kind);
        owner(&queue.owner, &mut extended);
        if let Some(dead_letter) = &queue.dead_letter {
            let mut node = Mapping::default();
            node.set("exchange", &dead_letter.exchange);
            node.set_some("routingKey", dead_letter.routing_key.as_ref());
            let key = dead_letter.routing_key.as_deref().map_or(Key::Any, Key::Exact);
            let reached = self.routes.way(&dead_letter.exchange, key).queues;
            if reached.is_empty() {
                node.set("externalConsumers", true);
            }
            node.set_full("queues", reached.into_iter().map(Node::from).collect::<Vec<_>>());
            extended.set("deadLetter", node);
        } else if self.is_consumed(queue) {
            extended.set("onPoison", "drop");
        }
        extended.set_full("arguments", queue.arguments.clone());
        let queue = Destination::Queue(queue.name.clone());
        let bindings = self.bindings().filter(|binding| binding.destination == queue);
        let bindings = bindings.map(|binding| binding_node("exchange", &binding.exchange, binding));
        extended.set_full("bindings", bindings.collect::<Vec<_>>());
        extended
    }

    fn is_consumed(&self, queue: &Queue) -> bool {
        self.contract.consumers.values().any(|consumer| consumer.queue == queue.name)
    }

    fn bindings(&self) -> impl Iterator<Item = &'c Binding> {
        self.contract.bindings.iter().filter(|binding| binding.owner == Owner::Us)
    }
}

/// An AMQP channel binding.
fn amqp(is: &str, key: &str, properties: Mapping) -> Mapping {
    let (mut amqp, mut bindings) = (Mapping::default(), Mapping::default());
    amqp.set("is", is).set(key, properties).set("bindingVersion", BINDING_VERSION);
    bindings.set("amqp", amqp);
    bindings
}

/// A binding, without the end that it is listed under. It has a name if it has one in the contract; else it follows from a
/// consumer or a publisher.
fn binding_node(other: &str, name: &str, binding: &Binding) -> Node {
    let mut node = Mapping::default();
    node.set(other, name).set("routingKey", &binding.routing_key);
    node.set_full("arguments", binding.arguments.clone());
    let written = binding.from.strip_prefix("/bindings/");
    node.set_some("name", written.map(|name| name.replace("~1", "/").replace("~0", "~")));
    node.into()
}

fn extended(exchange: &Exchange) -> Mapping {
    let mut extended = Mapping::default();
    owner(&exchange.owner, &mut extended);
    if exchange.internal {
        extended.set("internal", true);
    }
    let mut arguments: Map<String, Value> = exchange.arguments.clone();
    // That of another domain is its own affair.
    if !matches!(exchange.owner, Owner::Domain(_)) {
        arguments.remove("alternate-exchange");
        extended.set_some("alternateExchange", exchange.alternate.as_ref());
    }
    extended.set_full("arguments", arguments);
    extended
}

fn owner(owner: &Owner, extended: &mut Mapping) {
    match owner {
        Owner::Us => {}
        Owner::Somebody => {
            extended.set("owned", false);
        }
        Owner::Domain(domain) => {
            extended.set("owned", false).set("domain", domain);
        }
    }
}

/// How a queue's failures are retried, and the queues in which they wait.
fn retry(queue: &Queue) -> Mapping {
    let ms = |delay: &Duration| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    let mut node = Mapping::default();
    match &queue.retry {
        Retry::None => {
            node.set("mode", "none");
        }
        Retry::QuorumNative { max_retries } => {
            node.set("mode", "quorum-native").set("maxRetries", *max_retries);
        }
        Retry::NativeDelay { max_retries, initial_delay, max_delay } => {
            node.set("mode", "native-delay")
                .set("maxRetries", *max_retries)
                .set("initialDelayMs", ms(initial_delay))
                .set("maxDelayMs", ms(max_delay));
        }
        Retry::TtlBackoff(backoff) => {
            node.set("mode", "ttl-backoff")
                .set("maxRetries", backoff.max_retries)
                .set("initialDelayMs", ms(&backoff.initial_delay))
                .set("maxDelayMs", ms(&backoff.max_delay))
                .set("backoffMultiplier", number(backoff.multiplier))
                .set("jitter", backoff.jitter);
            let wait = |base_ms: u64| {
                let mut wait = Mapping::default();
                wait.set("name", wait_queue_name(&queue.name, base_ms))
                    .set("delayMs", base_ms)
                    .set("messageTtlMs", backoff.longest_ms(base_ms));
                Node::from(wait)
            };
            node.set_full("waitQueues", backoff.tiers_ms().into_iter().map(wait).collect::<Vec<_>>());
        }
    }
    node
}

/// A whole number without a point.
fn number(number: f64) -> Value {
    let whole = serde_json::Number::from_f64(number)
        .and_then(|number| number.to_string().strip_suffix(".0")?.parse::<u64>().ok());
    whole.map_or(Value::from(number), Value::from)
}

fn word(kind: ExchangeType) -> &'static str {
    match kind {
        ExchangeType::Topic => "topic",
        ExchangeType::Direct => "direct",
        ExchangeType::Fanout => "fanout",
        ExchangeType::Headers => "headers",
    }
}
