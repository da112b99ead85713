//! A topology as RabbitMQ definitions: the JSON that `rabbitmqctl import_definitions` and the management API take.
//!
//! Only what is ours and can be imported: what belongs to somebody else, and queues of one connection, are left out and
//! named. The vhost itself is no part of it, as it is no part of a contract.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::contract::Destination;

use super::Topology;
use super::overview::exchange_word;

/// Definitions, and what they leave out.
#[derive(Debug)]
pub struct Definitions {
    /// To be imported.
    pub json: Value,
    /// What is not in it, with the reason, one text for each.
    pub left_out: Vec<String>,
}

/// The definitions of a topology in a vhost.
pub fn definitions(topology: &Topology, vhost: &str) -> Definitions {
    let mut left_out = Vec::new();
    let mut exchanges = Vec::new();
    for exchange in &topology.exchanges {
        if exchange.passive {
            left_out.push(format!("exchange `{}`: somebody else declares it", exchange.name));
            continue;
        }
        exchanges.push(json!({
            "name": exchange.name,
            "vhost": vhost,
            "type": exchange_word(exchange.kind),
            "durable": exchange.durable,
            "auto_delete": exchange.auto_delete,
            "internal": exchange.internal,
            "arguments": exchange.arguments,
        }));
    }
    let mut queues = Vec::new();
    let mut exclusive = BTreeSet::new();
    for queue in &topology.queues {
        if queue.passive {
            left_out.push(format!("queue `{}`: somebody else declares it", queue.name));
        } else if queue.exclusive {
            exclusive.insert(queue.name.as_str());
            left_out.push(format!("queue `{}`: it belongs to the connection that declares it", queue.name));
        } else {
            queues.push(json!({
                "name": queue.name,
                "vhost": vhost,
                "durable": queue.durable,
                "auto_delete": queue.auto_delete,
                "arguments": queue.arguments,
            }));
        }
    }
    let mut bindings = Vec::new();
    for binding in &topology.bindings {
        let (name, kind) = match &binding.destination {
            Destination::Queue(queue) => (queue, "queue"),
            Destination::Exchange(exchange) => (exchange, "exchange"),
        };
        if kind == "queue" && exclusive.contains(name.as_str()) {
            left_out.push(format!("binding of `{name}` to `{}`: the queue is left out", binding.exchange));
            continue;
        }
        bindings.push(json!({
            "source": binding.exchange,
            "vhost": vhost,
            "destination": name,
            "destination_type": kind,
            "routing_key": binding.routing_key,
            "arguments": binding.arguments,
        }));
    }
    let json = json!({ "exchanges": exchanges, "queues": queues, "bindings": bindings });
    Definitions { json, left_out }
}
