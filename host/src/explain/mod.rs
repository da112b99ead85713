//! Where a message goes, and what happens to it there: what `warren explain` shows. Pure.
//!
//! The ways are those of `contract::routes`, what becomes of failures is asked of `policy::decide`: nothing is said here
//! that `run` would not do. `fate` has the failures, `human` and `words` the words; as JSON, an `Explanation` is what
//! `--format json` prints: fields may be added, and none changes its meaning.

mod fate;
mod human;
mod question;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::contract::routes::{By, Hop, Key, Routes, Way};
use crate::contract::{Contract, Owner, Queue, nearest};
use crate::topology::overview::{exchange_word, publisher_word};

pub use fate::{ConsumerFate, OutcomeFate, Step, Unsettled};
pub use question::{Question, ask};

/// Where a message goes, and what happens to it there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation<'a> {
    /// Name of the contract.
    pub contract: &'a str,
    /// Its version; empty if it has none.
    pub version: &'a str,
    /// What publishes it, where that was asked for.
    pub publisher: Option<PublisherView<'a>>,
    /// The exchange it is published to; empty for the default exchange.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
    /// Its headers; none: nothing is known of them.
    pub headers: Option<Map<String, Value>>,
    /// Whether it reaches a queue, or may.
    pub routed: bool,
    /// Whether it depends on its headers which queues those are.
    pub depends_on_headers: bool,
    /// Each step of its way.
    pub hops: Vec<HopView<'a>>,
    /// The exchanges from which it goes nowhere.
    pub dead_ends: Vec<DeadEnd<'a>>,
    /// The queues that it reaches.
    pub queues: Vec<QueueView<'a>>,
}

/// What publishes the message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublisherView<'a> {
    /// Its name.
    pub name: &'a str,
    /// `event`, `command`, `publisher` or `rpc`.
    pub kind: &'static str,
    /// The message it publishes.
    pub message: &'a str,
    /// What it is for.
    pub summary: Option<&'a str>,
    /// Whether somebody outside the contract consumes it.
    pub external_consumers: bool,
}

/// One step.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HopView<'a> {
    /// The exchange it comes from; empty for the default exchange.
    pub exchange: &'a str,
    /// `topic`, `direct`, `fanout`, `headers` or `default`.
    pub exchange_type: &'static str,
    /// `binding`, `alternate` (no binding matches) or `name` (the default exchange).
    pub by: &'static str,
    /// The queue it comes to, or else
    pub queue: Option<&'a str>,
    /// the exchange it comes to.
    pub to_exchange: Option<&'a str>,
    /// The key of the binding.
    pub routing_key: Option<&'a str>,
    /// The arguments of the binding: on a headers exchange, what it matches.
    pub arguments: Option<&'a Map<String, Value>>,
    /// What the binding follows from in the contract, as a JSON pointer; in that of the domain, if there is one.
    pub from: Option<&'a str>,
    /// The domain that declares the binding.
    pub domain: Option<&'a str>,
    /// Whether every such message takes this step, and not only one with certain headers.
    pub sure: bool,
}

/// An exchange that a message does not get away from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadEnd<'a> {
    /// The exchange; empty for the default exchange.
    pub exchange: String,
    /// How it routes.
    pub exchange_type: &'static str,
    /// What it is bound with, none of which matches: keys, or what headers have to be.
    pub bound_with: Vec<String>,
    /// The one that is most like the key.
    pub nearest: Option<&'a str>,
}

/// A queue that the message reaches.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueView<'a> {
    /// Its name.
    pub name: &'a str,
    /// `quorum` or `classic`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// False: somebody else declares it.
    pub declared: bool,
    /// The domain that declares it, where that is known.
    pub domain: Option<&'a str>,
    /// Whether every such message comes here, and not only one with certain headers.
    pub sure: bool,
    /// How long a message waits here for a consumer before the broker takes it away, in milliseconds.
    pub message_ttl_ms: Option<u64>,
    /// What happens when it is full; none if it never is.
    pub when_full: Option<Full<'a>>,
    /// Where dead letters go; none: they are dropped.
    pub dead_letter: Option<DeadLetterView<'a>>,
    /// What works on the queue; none if nobody here does.
    pub consumer: Option<ConsumerFate<'a>>,
}

/// When a queue is full, and what happens then.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Full<'a> {
    /// With so many messages.
    pub max_messages: Option<u64>,
    /// With so many bytes of them.
    pub max_bytes: Option<u64>,
    /// `drop-head`, `reject-publish` or `reject-publish-dlx`.
    pub overflow: &'a str,
}

/// Where dead letters go.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterView<'a> {
    /// The exchange; empty for the default exchange.
    pub exchange: &'a str,
    /// The key they are published with.
    pub routing_key: String,
    /// Whether that is the message's own.
    pub own_key: bool,
    /// The queues that they end in; none where they leave the contract.
    pub queues: Vec<DeadLetterQueue<'a>>,
}

/// A queue that dead letters end in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterQueue<'a> {
    /// Its name.
    pub name: &'a str,
    /// What works on it; none if nobody here does.
    pub consumer: Option<&'a str>,
}

/// Explains.
pub fn explain<'a>(contract: &'a Contract, question: Question<'a>) -> Explanation<'a> {
    let routes = Routes::new(contract);
    let Question { publisher, exchange, routing_key, headers } = question;
    let way = routes.way_with(&exchange, Key::Exact(&routing_key), headers.as_ref());
    let sure = surely(&way, &exchange);
    let ends = Ends { contract, routes: &routes, key: &routing_key };
    // In the order of the way.
    let mut reached: Vec<&str> = Vec::new();
    for queue in way.hops.iter().filter_map(Hop::queue) {
        if !reached.contains(&queue) {
            reached.push(queue);
        }
    }
    let queues = reached.iter().map(|name| QueueView {
        sure: sure.contains(name),
        ..ends.queue(&contract.queues[*name], headers.as_ref())
    });
    Explanation {
        contract: &contract.name,
        version: &contract.version,
        publisher,
        routed: !way.queues.is_empty(),
        depends_on_headers: way.depends_on_headers,
        hops: way.hops.iter().map(|hop| hop_view(contract, hop)).collect(),
        dead_ends: ends.dead_ends(&way, &exchange),
        queues: queues.collect(),
        exchange,
        routing_key: routing_key.clone(),
        headers: headers.clone(),
    }
}

/// Queues and exchanges that every such message comes to.
fn surely<'a>(way: &Way<'a>, start: &str) -> BTreeSet<&'a str> {
    let mut by_exchange: BTreeMap<&str, Vec<&Hop<'a>>> = BTreeMap::new();
    for hop in way.hops.iter().filter(|hop| hop.sure) {
        by_exchange.entry(hop.exchange).or_default().push(hop);
    }
    let (mut queues, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![start.to_owned()]);
    while let Some(exchange) = open.pop() {
        for hop in by_exchange.get(exchange.as_str()).into_iter().flatten() {
            match (hop.queue(), hop.to_exchange()) {
                (Some(queue), _) => {
                    queues.insert(queue);
                }
                (None, Some(next)) if seen.insert(next) => open.push(next.to_owned()),
                (None, _) => {}
            }
        }
    }
    queues
}

fn hop_view<'a>(contract: &'a Contract, hop: &Hop<'a>) -> HopView<'a> {
    let (by, binding) = match hop.by {
        By::Binding(binding) => ("binding", Some(binding)),
        By::Alternate(_) => ("alternate", None),
        By::Name(_) => ("name", None),
    };
    HopView {
        exchange: hop.exchange,
        exchange_type: exchange_type(contract, hop.exchange),
        by,
        queue: hop.queue(),
        to_exchange: hop.to_exchange(),
        routing_key: binding.map(|binding| binding.routing_key.as_str()),
        arguments: binding.map(|binding| &binding.arguments),
        from: binding.map(|binding| binding.from.as_str()),
        domain: binding.and_then(|binding| domain(&binding.owner)),
        sure: hop.sure,
    }
}

fn exchange_type(contract: &Contract, exchange: &str) -> &'static str {
    match contract.exchanges.get(exchange) {
        Some(exchange) => exchange_word(exchange.kind),
        None => "default",
    }
}

fn domain(owner: &Owner) -> Option<&str> {
    match owner {
        Owner::Domain(name) => Some(name),
        Owner::Us | Owner::Somebody => None,
    }
}

/// What is at the end of the ways.
struct Ends<'a, 'e> {
    contract: &'a Contract,
    routes: &'e Routes<'a>,
    key: &'e str,
}

impl<'a> Ends<'a, '_> {
    fn queue(&self, queue: &'a Queue, headers: Option<&Map<String, Value>>) -> QueueView<'a> {
        let consumer = self.contract.consumers.values().find(|consumer| consumer.queue == queue.name);
        let ttl = queue.message_ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        QueueView {
            name: &queue.name,
            kind: fate::queue_word(queue.kind),
            declared: queue.owner == Owner::Us,
            domain: domain(&queue.owner),
            sure: true,
            message_ttl_ms: ttl,
            when_full: full(queue),
            dead_letter: self.dead_letter(queue, headers),
            consumer: consumer.map(|consumer| fate::of(consumer, queue)),
        }
    }

    fn dead_letter(
        &self,
        queue: &'a Queue,
        headers: Option<&Map<String, Value>>,
    ) -> Option<DeadLetterView<'a>> {
        let dead_letter = queue.dead_letter.as_ref()?;
        let key = dead_letter.routing_key.as_deref().unwrap_or(self.key);
        // The copy keeps the message's headers.
        let way = self.routes.way_with(&dead_letter.exchange, Key::Exact(key), headers);
        let consumer = |queue: &str| {
            let consumer = self.contract.consumers.values().find(|consumer| consumer.queue == queue);
            consumer.map(|consumer| consumer.name.as_str())
        };
        Some(DeadLetterView {
            exchange: &dead_letter.exchange,
            routing_key: key.to_owned(),
            own_key: dead_letter.routing_key.is_none(),
            queues: way
                .queues
                .iter()
                .map(|name| DeadLetterQueue { name, consumer: consumer(name) })
                .collect(),
        })
    }

    fn dead_ends(&self, way: &Way<'a>, start: &str) -> Vec<DeadEnd<'a>> {
        if start.is_empty() {
            if !way.queues.is_empty() {
                return Vec::new();
            }
            let queues: Vec<&str> = self.contract.queues.keys().map(String::as_str).collect();
            let nearest = nearest(self.key, &queues);
            let (exchange, exchange_type) = (String::new(), "default");
            return vec![DeadEnd { exchange, exchange_type, bound_with: Vec::new(), nearest }];
        }
        let left: BTreeSet<&str> = way.hops.iter().map(|hop| hop.exchange).collect();
        let stuck = way.exchanges.iter().filter(|exchange| !left.contains(*exchange));
        stuck.map(|exchange| self.dead_end(exchange)).collect()
    }

    fn dead_end(&self, exchange: &str) -> DeadEnd<'a> {
        let exchange_type = exchange_type(self.contract, exchange);
        let bindings = self.routes.bindings_of(exchange);
        let keys: BTreeSet<&'a str> = bindings.iter().map(|binding| binding.routing_key.as_str()).collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let matches = || {
            let texts = bindings.iter().map(|binding| crate::topology::table::match_text(&binding.arguments));
            texts.collect()
        };
        let is_headers = exchange_type == "headers";
        DeadEnd {
            exchange: exchange.to_owned(),
            exchange_type,
            nearest: if is_headers { None } else { nearest(self.key, &keys) },
            bound_with: if is_headers { matches() } else { keys.into_iter().map(str::to_owned).collect() },
        }
    }
}

fn full(queue: &Queue) -> Option<Full<'_>> {
    let number = |name: &str| queue.arguments.get(name).and_then(Value::as_u64);
    let (max_messages, max_bytes) = (number("x-max-length"), number("x-max-length-bytes"));
    let overflow = queue.arguments.get("x-overflow").and_then(Value::as_str).unwrap_or("drop-head");
    max_messages.or(max_bytes).map(|_| Full { max_messages, max_bytes, overflow })
}

impl<'a> PublisherView<'a> {
    fn new(publisher: &'a crate::contract::Publisher) -> Self {
        Self {
            name: &publisher.name,
            kind: publisher_word(&publisher.kind),
            message: &publisher.message.name,
            summary: publisher.summary.as_deref(),
            external_consumers: publisher.external_consumers,
        }
    }
}
