//! Contract -> everything that has to exist on the broker, in the order in which it can be declared.
//!
//! Pure. Beside what the contract names, these are the wait queues of `ttl-backoff`: one for each queue and distinct
//! delay, because messages leave a queue in order and a short delay would wait behind a long one. What belongs to
//! somebody else is there as `passive`: it has to exist, and is never declared with arguments of ours.

pub mod definitions;
pub mod overview;
pub mod picture;
pub mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::contract::{Binding, Contract, Destination, ExchangeType, Owner, Queue, QueueType, Retry};

/// What has to exist on the broker.
#[derive(Debug, Default)]
pub struct Topology {
    /// Exchanges; declared first. Never the default exchange.
    pub exchanges: Vec<ExchangeDeclaration>,
    /// Queues; declared second, dead-letter and wait queues among them.
    pub queues: Vec<QueueDeclaration>,
    /// Bindings; declared last.
    pub bindings: Vec<Binding>,
    /// Whether the broker has to delay retries itself, which RabbitMQ can from 4.3.
    pub needs_native_delay: bool,
}

/// One `exchange.declare`.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are AMQP's own")]
pub struct ExchangeDeclaration {
    pub name: String,
    pub kind: ExchangeType,
    pub durable: bool,
    pub auto_delete: bool,
    pub internal: bool,
    pub arguments: Map<String, Value>,
    /// It has to exist; the rest is what the contract knows of it.
    pub passive: bool,
}

/// One `queue.declare`.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are AMQP's own")]
pub struct QueueDeclaration {
    pub name: String,
    pub durable: bool,
    pub exclusive: bool,
    pub auto_delete: bool,
    pub arguments: Map<String, Value>,
    /// It has to exist; the rest is what the contract knows of it.
    pub passive: bool,
    /// What it is there for.
    pub purpose: Purpose,
}

/// What a queue is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// It is in the contract.
    Contract,
    /// Messages wait in it for their next attempt.
    Wait {
        /// The work queue.
        of: String,
        /// The base delay, in milliseconds.
        base_ms: u64,
    },
}

/// Derives the topology of a contract.
pub fn derive(contract: &Contract) -> Topology {
    let needed = Needed::of(contract);
    let exchanges = contract
        .exchanges
        .values()
        .filter(|exchange| !is_foreign(&exchange.owner) || needed.exchanges.contains(exchange.name.as_str()))
        .map(|exchange| ExchangeDeclaration {
            name: exchange.name.clone(),
            kind: exchange.kind,
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            arguments: exchange.arguments.clone(),
            passive: exchange.owner != Owner::Us,
        });
    let mut queues: Vec<QueueDeclaration> = contract
        .queues
        .values()
        .filter(|queue| !is_foreign(&queue.owner) || needed.queues.contains(queue.name.as_str()))
        .map(declaration)
        .collect();
    for consumer in contract.consumers.values() {
        queues.extend(wait_queues(contract.queue_of(consumer)));
    }
    let native = |queue: &Queue| matches!(queue.retry, Retry::NativeDelay { .. }) && queue.owner == Owner::Us;
    Topology {
        exchanges: exchanges.collect(),
        queues,
        bindings: contract.bindings.iter().filter(|binding| binding.owner == Owner::Us).cloned().collect(),
        needs_native_delay: contract.queues.values().any(native),
    }
}

fn declaration(queue: &Queue) -> QueueDeclaration {
    QueueDeclaration {
        name: queue.name.clone(),
        durable: queue.durable,
        exclusive: queue.exclusive,
        auto_delete: queue.auto_delete,
        arguments: queue.arguments.clone(),
        passive: queue.owner != Owner::Us,
        purpose: Purpose::Contract,
    }
}

fn is_foreign(owner: &Owner) -> bool {
    matches!(owner, Owner::Domain(_))
}

/// What of other domains something of ours refers to.
#[derive(Default)]
struct Needed<'a> {
    exchanges: BTreeSet<&'a str>,
    queues: BTreeSet<&'a str>,
}

impl<'a> Needed<'a> {
    fn of(contract: &'a Contract) -> Self {
        let mut needed = Self::default();
        for binding in contract.bindings.iter().filter(|binding| binding.owner == Owner::Us) {
            needed.exchanges.insert(&binding.exchange);
            match &binding.destination {
                Destination::Queue(queue) => needed.queues.insert(queue),
                Destination::Exchange(exchange) => needed.exchanges.insert(exchange),
            };
        }
        let granted = contract.consumers.values().flat_map(|consumer| &consumer.publishes);
        let ours = contract.publishers.values().filter(|publisher| publisher.owner == Owner::Us);
        let used = granted.filter_map(|name| contract.publishers.get(name)).chain(ours);
        needed.exchanges.extend(used.map(|publisher| publisher.exchange.as_str()));
        let dead_letters = contract.queues.values().filter(|queue| !is_foreign(&queue.owner));
        let dead_letters = dead_letters.filter_map(|queue| queue.dead_letter.as_ref());
        needed.exchanges.extend(dead_letters.map(|dead_letter| dead_letter.exchange.as_str()));
        let alternates = contract.exchanges.values().filter(|exchange| exchange.owner == Owner::Us);
        needed.exchanges.extend(alternates.filter_map(|exchange| exchange.alternate.as_deref()));
        needed
    }
}

/// The name of the wait queue of `queue` for one base delay.
pub fn wait_queue_name(queue: &str, base_ms: u64) -> String {
    format!("{queue}-wait-{base_ms}ms")
}

fn wait_queues(queue: &Queue) -> Vec<QueueDeclaration> {
    let Retry::TtlBackoff(backoff) = &queue.retry else { return Vec::new() };
    let declare = |base_ms: u64| {
        let mut arguments = Map::new();
        let mut set = |name: &str, value: Value| arguments.insert(name.to_owned(), value);
        set("x-message-ttl", Value::from(backoff.longest_ms(base_ms)));
        set("x-dead-letter-exchange", Value::from(""));
        set("x-dead-letter-routing-key", Value::from(queue.name.as_str()));
        match queue.kind {
            QueueType::Quorum => {
                set("x-queue-type", Value::from("quorum"));
                // Else a message whose work queue is away when its delay ends is dropped.
                set("x-dead-letter-strategy", Value::from("at-least-once"));
                set("x-overflow", Value::from("reject-publish"));
            }
            QueueType::Classic => {
                set("x-queue-type", Value::from("classic"));
            }
        }
        QueueDeclaration {
            name: wait_queue_name(&queue.name, base_ms),
            durable: queue.durable,
            exclusive: queue.exclusive,
            auto_delete: false,
            arguments,
            passive: false,
            purpose: Purpose::Wait { of: queue.name.clone(), base_ms },
        }
    };
    backoff.tiers_ms().into_iter().map(declare).collect()
}
