//! Whether what exists is what the contract asks for, by the broker's own rules of equivalence (measured on RabbitMQ
//! 3.10 and 4.3).
//!
//! Of a queue's arguments the broker compares those that it knows, and an absent `x-queue-type` is `classic`; of an
//! exchange's, the alternate exchange. What it does not compare differs without doing harm: it is told, and left.

use serde_json::{Map, Value};

use crate::contract::ExchangeType;
use crate::topology::{ExchangeDeclaration, QueueDeclaration};

use super::Version;
use super::observed::{Difference, ExchangeShape, QueueShape};

/// Arguments that the broker compares on queues of any type, with the version from which it does.
const COMPARED: [(&str, (u32, u32)); 9] = [
    ("x-dead-letter-exchange", (3, 10)),
    ("x-dead-letter-routing-key", (3, 10)),
    ("x-expires", (3, 10)),
    ("x-max-length", (3, 10)),
    ("x-max-length-bytes", (3, 10)),
    ("x-message-ttl", (3, 10)),
    ("x-overflow", (3, 10)),
    ("x-queue-type", (3, 10)),
    ("x-single-active-consumer", (3, 10)),
];
/// Those of quorum queues only.
const COMPARED_QUORUM: [(&str, (u32, u32)); 11] = [
    ("x-dead-letter-strategy", (3, 10)),
    ("x-delivery-limit", (3, 10)),
    ("x-max-in-memory-bytes", (3, 10)),
    ("x-max-in-memory-length", (3, 10)),
    ("x-queue-leader-locator", (3, 10)),
    ("x-quorum-initial-group-size", (3, 10)),
    ("x-consumer-timeout", (3, 12)),
    ("x-consumer-disconnected-timeout", (4, 3)),
    ("x-delayed-retry-max", (4, 3)),
    ("x-delayed-retry-min", (4, 3)),
    ("x-delayed-retry-type", (4, 3)),
];
/// Those of classic queues only.
const COMPARED_CLASSIC: [(&str, (u32, u32)); 5] = [
    ("x-max-priority", (3, 10)),
    ("x-queue-master-locator", (3, 10)),
    ("x-queue-mode", (3, 10)),
    ("x-queue-version", (3, 10)),
    ("x-queue-leader-locator", (4, 0)),
];

/// What differs.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Compared {
    /// What the broker would refuse to declare over.
    pub(super) refused: Vec<Difference>,
    /// What it does not look at.
    pub(super) tolerated: Vec<Difference>,
}

/// Compares a queue. `version` is the broker's; a broker that does not say its version is taken for a new one.
pub(super) fn queue(asked: &QueueDeclaration, is: &QueueShape, version: Option<Version>) -> Compared {
    let mut compared = Compared::default();
    compared.property("durable", asked.durable, is.durable);
    compared.property("exclusive", asked.exclusive, is.exclusive);
    compared.property("auto_delete", asked.auto_delete, is.auto_delete);
    let own: &[_] = if is.kind == "classic" { &COMPARED_CLASSIC } else { &COMPARED_QUORUM };
    let known = |name: &str| {
        let mut compared = COMPARED.iter().chain(own);
        let since = compared.find(|(compared, _)| *compared == name).map(|(_, since)| *since);
        let is_old = |since| version.is_some_and(|version| (version.major, version.minor) < since);
        since.is_some_and(|since| !is_old(since))
    };
    let normal = |arguments: &Map<String, Value>, kind: &str| {
        let mut arguments = arguments.clone();
        arguments.insert("x-queue-type".to_owned(), Value::from(kind));
        arguments
    };
    compared.arguments(&normal(&asked.arguments, queue_type(asked)), &normal(&is.arguments, &is.kind), known);
    compared
}

/// Compares an exchange.
pub(super) fn exchange(asked: &ExchangeDeclaration, is: &ExchangeShape) -> Compared {
    let mut compared = Compared::default();
    compared.kind(exchange_type(asked.kind), &is.kind);
    compared.property("durable", asked.durable, is.durable);
    compared.property("auto_delete", asked.auto_delete, is.auto_delete);
    compared.property("internal", asked.internal, is.internal);
    compared.arguments(&asked.arguments, &is.arguments, |name| name == "alternate-exchange");
    compared
}

/// What the contract is mistaken in about something that is not its own: only what a host relies on.
pub(super) fn foreign_queue(asked: &QueueDeclaration, is: &QueueShape) -> Vec<Difference> {
    let (asked, is) = (queue_type(asked), is.kind.as_str());
    (asked != is).then(|| difference("x-queue-type", is, asked)).into_iter().collect()
}

/// As `foreign_queue`.
pub(super) fn foreign_exchange(asked: &ExchangeDeclaration, is: &ExchangeShape) -> Vec<Difference> {
    let mut compared = Compared::default();
    compared.kind(exchange_type(asked.kind), &is.kind);
    compared.refused
}

/// The type of a queue as the contract wants it.
pub(super) fn queue_type(queue: &QueueDeclaration) -> &str {
    queue.arguments.get("x-queue-type").and_then(Value::as_str).unwrap_or("classic")
}

/// The type of an exchange as AMQP writes it.
pub(super) fn exchange_type(kind: ExchangeType) -> &'static str {
    match kind {
        ExchangeType::Topic => "topic",
        ExchangeType::Direct => "direct",
        ExchangeType::Fanout => "fanout",
        ExchangeType::Headers => "headers",
    }
}

/// Whether two tables are the same to the broker: numbers by their value, whatever their width.
pub(super) fn same_arguments(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a == b,
            _ => a.as_f64() == b.as_f64(),
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => same_arguments(a, b),
        _ => a == b,
    }
}

fn difference(argument: &str, is: &str, asked: &str) -> Difference {
    Difference { argument: argument.to_owned(), is: format!("`{is}`"), asked: format!("`{asked}`") }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "not set".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(value) => format!("`{value}`"),
    }
}

impl Compared {
    fn kind(&mut self, asked: &str, is: &str) {
        if asked != is {
            self.refused.push(difference("type", is, asked));
        }
    }

    fn property(&mut self, name: &str, asked: bool, is: bool) {
        if asked != is {
            self.refused.push(difference(name, &is.to_string(), &asked.to_string()));
        }
    }

    fn arguments(
        &mut self,
        asked: &Map<String, Value>,
        is: &Map<String, Value>,
        known: impl Fn(&str) -> bool,
    ) {
        let mut names: Vec<&String> = asked.keys().chain(is.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let (asked, is) = (asked.get(name), is.get(name));
            if let (Some(asked), Some(is)) = (asked, is)
                && same(asked, is)
            {
                continue;
            }
            let difference = Difference { argument: name.clone(), is: shown(is), asked: shown(asked) };
            if known(name) { self.refused.push(difference) } else { self.tolerated.push(difference) }
        }
    }
}
