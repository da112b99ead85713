//! Contract -> everything that has to exist on the broker, in the order in which it can be declared.
//!
//! Pure. Beside what the contract names, these are the wait queues of `ttl-backoff`: one for each queue and distinct
//! delay, because messages leave a queue in order and a short delay would wait behind a long one.

use serde_json::{Map, Value};

use crate::contract::{Binding, Contract, Queue, QueueType, Retry};

/// What has to exist on the broker.
#[derive(Debug, Default)]
pub struct Topology {
    /// Exchanges; declared first.
    pub exchanges: Vec<ExchangeDeclaration>,
    /// Queues; declared second, dead-letter and wait queues among them.
    pub queues: Vec<QueueDeclaration>,
    /// Bindings; declared last.
    pub bindings: Vec<Binding>,
}

/// One `exchange.declare`.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are AMQP's own")]
pub struct ExchangeDeclaration {
    pub name: String,
    pub kind: crate::contract::ExchangeType,
    pub durable: bool,
    pub auto_delete: bool,
    pub internal: bool,
    pub arguments: Map<String, Value>,
}

/// One `queue.declare`.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are AMQP's own")]
pub struct QueueDeclaration {
    pub name: String,
    pub durable: bool,
    pub arguments: Map<String, Value>,
}

/// Derives the topology of a contract.
pub fn derive(contract: &Contract) -> Topology {
    let exchanges = contract.exchanges.values().map(|exchange| ExchangeDeclaration {
        name: exchange.name.clone(),
        kind: exchange.kind,
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        internal: exchange.internal,
        arguments: exchange.arguments.clone(),
    });
    let mut queues: Vec<QueueDeclaration> = contract
        .queues
        .values()
        .map(|queue| QueueDeclaration {
            name: queue.name.clone(),
            durable: queue.durable,
            arguments: queue.arguments.clone(),
        })
        .collect();
    for consumer in contract.consumers.values() {
        queues.extend(wait_queues(contract.queue_of(consumer)));
    }
    Topology { exchanges: exchanges.collect(), queues, bindings: contract.bindings.clone() }
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
        QueueDeclaration { name: wait_queue_name(&queue.name, base_ms), durable: queue.durable, arguments }
    };
    backoff.tiers_ms().into_iter().map(declare).collect()
}
