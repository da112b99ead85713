//! Everything that a contract has on the broker, and what each thing is there for: what `warren topology` shows, in
//! every format. As JSON it is what `--format json` prints: fields may be added, and none changes its meaning.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::contract::routes::{Key, Routes};
use crate::contract::{
    Binding, Contract, DeadLetter, Destination, ExchangeType, Owner, Publisher, PublisherKind, Queue, Retry,
};

use super::{ExchangeDeclaration, Purpose, QueueDeclaration, Topology};

/// A contract's topology, with what it is for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview<'a> {
    /// Name of the contract.
    pub contract: &'a str,
    /// Its version; empty if it has none.
    pub version: &'a str,
    /// Whether the broker has to delay retries itself, which RabbitMQ can from 4.3.
    pub needs_native_delay: bool,
    /// Exchanges, in the order in which they are declared.
    pub exchanges: Vec<ExchangeView<'a>>,
    /// Queues, likewise.
    pub queues: Vec<QueueView<'a>>,
    /// Bindings, likewise.
    pub bindings: Vec<BindingView<'a>>,
    /// What can be published: by this contract, or by its consumers.
    pub publishers: Vec<PublisherView<'a>>,
    /// Consumers, by name.
    pub consumers: Vec<ConsumerView<'a>>,
}

/// An exchange.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeView<'a> {
    /// Its name.
    pub name: &'a str,
    /// `topic`, `direct`, `fanout` or `headers`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// False: it is only checked that it exists, because somebody else declares it.
    pub declared: bool,
    /// The domain that declares it, where that is known.
    pub domain: Option<&'a str>,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// Whether it goes with its last binding.
    pub auto_delete: bool,
    /// Whether it can only be published to by other exchanges.
    pub internal: bool,
    /// Arguments it is declared with.
    pub arguments: &'a Map<String, Value>,
    /// Gets what it cannot route.
    pub alternate_exchange: Option<&'a str>,
    /// Queues whose dead letters go to it.
    pub dead_letters_of: Vec<&'a str>,
}

/// A queue.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueView<'a> {
    /// Its name.
    pub name: &'a str,
    /// `quorum` or `classic`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// False: it is only checked that it exists, because somebody else declares it.
    pub declared: bool,
    /// The domain that declares it, where that is known.
    pub domain: Option<&'a str>,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// Whether it belongs to the connection that declares it.
    pub exclusive: bool,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// Arguments it is declared with; of a queue that is not declared here, what the contract knows.
    pub arguments: &'a Map<String, Value>,
    /// The consumer that works on it; none if nobody here does.
    pub consumer: Option<&'a str>,
    /// The rpc whose requests are in it.
    pub rpc: Option<&'a str>,
    /// Set on a wait queue.
    pub wait: Option<WaitView<'a>>,
    /// Queues whose dead letters end in it.
    pub dead_letters_of: Vec<&'a str>,
    /// Where its own dead letters go.
    pub dead_letter: Option<DeadLetterView<'a>>,
}

/// What waits in a wait queue.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitView<'a> {
    /// The work queue that messages come from and go back to.
    pub queue: &'a str,
    /// The delay before jitter, in milliseconds.
    pub base_ms: u64,
    /// The shortest and the longest delay, in milliseconds. A message that is to wait longer than this waits again.
    pub min_ms: u64,
    #[expect(missing_docs, reason = "see above")]
    pub max_ms: u64,
}

/// Where dead letters go.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterView<'a> {
    /// The exchange; empty for the default exchange.
    pub exchange: &'a str,
    /// The key; none: each message's own.
    pub routing_key: Option<&'a str>,
    /// The queues that they end in, or may end in where their keys differ; none where they leave the contract.
    pub queues: Vec<&'a str>,
}

/// A binding.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingView<'a> {
    /// Where messages come from.
    pub exchange: &'a str,
    /// The queue that they go to, or else
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<&'a str>,
    /// the exchange that they go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_exchange: Option<&'a str>,
    /// The binding key.
    pub routing_key: &'a str,
    /// Arguments: on a headers exchange, what it matches.
    pub arguments: &'a Map<String, Value>,
    /// What it follows from in the contract, as a JSON pointer.
    pub from: &'a str,
}

/// Something that can be published.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublisherView<'a> {
    /// Its name.
    pub name: &'a str,
    /// `event`, `command` or `publisher`.
    pub kind: &'static str,
    /// The exchange; empty for the default exchange.
    pub exchange: &'a str,
    /// Its routing key.
    pub routing_key: Option<&'a str>,
    /// The pattern that a message's own key has to match.
    pub pattern: Option<&'a str>,
    /// The message.
    pub message: &'a str,
}

/// A consumer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its queue.
    pub queue: &'a str,
    /// What comes out of the queue.
    pub message: &'a str,
    /// Path of its component.
    pub component: &'a str,
    /// `at-least-once`, or `at-most-once`: acknowledged on receipt, before it is handled.
    pub delivery: &'static str,
    /// What it may publish.
    pub publishes: &'a [String],
}

impl<'a> Overview<'a> {
    /// The topology of a contract.
    pub fn new(contract: &'a Contract, topology: &'a Topology) -> Self {
        let letters = Letters::new(contract);
        let exchanges = topology.exchanges.iter().map(|exchange| letters.exchange(exchange)).collect();
        let queues = topology.queues.iter().map(|queue| letters.queue(queue)).collect();
        let granted: BTreeSet<&String> =
            contract.consumers.values().flat_map(|consumer| &consumer.publishes).collect();
        let used = |publisher: &&std::sync::Arc<Publisher>| {
            publisher.owner == Owner::Us || granted.contains(&publisher.name)
        };
        Self {
            contract: &contract.name,
            version: &contract.version,
            needs_native_delay: topology.needs_native_delay,
            exchanges,
            queues,
            bindings: topology.bindings.iter().map(binding).collect(),
            publishers: contract
                .publishers
                .values()
                .filter(used)
                .map(|publisher| publisher_view(publisher))
                .collect(),
            consumers: contract
                .consumers
                .values()
                .map(|consumer| ConsumerView {
                    name: &consumer.name,
                    queue: &consumer.queue,
                    message: &consumer.message.name,
                    component: &consumer.handler.component,
                    delivery: consumer.delivery.word(),
                    publishes: &consumer.publishes,
                })
                .collect(),
        }
    }
}

/// Where the dead letters of each queue go.
struct Letters<'a> {
    contract: &'a Contract,
    /// The queues that they end in.
    ends: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Letters<'a> {
    fn new(contract: &'a Contract) -> Self {
        let routes = Routes::new(contract);
        let mut ways: Vec<(Key<'a>, BTreeSet<&str>)> = Vec::new();
        for publisher in contract.publishers.values() {
            let key = publisher.pattern.as_deref().map(Key::Pattern);
            let key = key.or(publisher.routing_key.as_deref().map(Key::Exact)).unwrap_or(Key::Any);
            ways.push((key, routes.way(&publisher.exchange, key).queues));
        }
        let end = |queue: &'a Queue| {
            let dead_letter = queue.dead_letter.as_ref()?;
            let into = |key: Key<'_>| routes.way(&dead_letter.exchange, key).queues;
            let ends = match &dead_letter.routing_key {
                Some(key) => into(Key::Exact(key)),
                // They keep the keys that they came with.
                None => {
                    let mut keys =
                        ways.iter().filter(|(_, way)| way.contains(queue.name.as_str())).peekable();
                    if keys.peek().is_none() {
                        into(Key::Any)
                    } else {
                        keys.flat_map(|(key, _)| into(*key)).collect()
                    }
                }
            };
            Some((queue.name.as_str(), ends))
        };
        Self { contract, ends: contract.queues.values().filter_map(end).collect() }
    }

    fn exchange(&self, exchange: &'a ExchangeDeclaration) -> ExchangeView<'a> {
        let known = self.contract.exchanges.get(&exchange.name);
        let here =
            |queue: &&Queue| queue.dead_letter.as_ref().is_some_and(|dead| dead.exchange == exchange.name);
        ExchangeView {
            name: &exchange.name,
            kind: exchange_word(exchange.kind),
            declared: !exchange.passive,
            domain: known.and_then(|known| domain(&known.owner)),
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            arguments: &exchange.arguments,
            alternate_exchange: known.and_then(|known| known.alternate.as_deref()),
            dead_letters_of: self
                .contract
                .queues
                .values()
                .filter(here)
                .map(|queue| queue.name.as_str())
                .collect(),
        }
    }

    fn queue(&self, queue: &'a QueueDeclaration) -> QueueView<'a> {
        let name = queue.name.as_str();
        let known = self.contract.queues.get(name);
        let dead_letter = known.and_then(|known| known.dead_letter.as_ref());
        let of = self.ends.iter().filter(|(_, ends)| ends.contains(name)).map(|(of, _)| *of);
        let consumer = self.contract.consumers.values().find(|consumer| consumer.queue == name);
        let rpc = self.contract.rpcs.values().find(|rpc| rpc.queue == name);
        QueueView {
            name,
            kind: queue.arguments.get("x-queue-type").and_then(Value::as_str).unwrap_or("classic"),
            declared: !queue.passive,
            domain: known.and_then(|known| domain(&known.owner)),
            durable: queue.durable,
            exclusive: queue.exclusive,
            auto_delete: queue.auto_delete,
            arguments: &queue.arguments,
            consumer: consumer.map(|consumer| consumer.name.as_str()),
            rpc: rpc.map(|rpc| rpc.name.as_str()),
            wait: self.wait(&queue.purpose),
            dead_letters_of: of.collect(),
            dead_letter: dead_letter.map(|dead_letter| self.dead_letter(name, dead_letter)),
        }
    }

    fn wait(&self, purpose: &'a Purpose) -> Option<WaitView<'a>> {
        let Purpose::Wait { of, base_ms } = purpose else { return None };
        let Retry::TtlBackoff(backoff) = &self.contract.queues.get(of)?.retry else { return None };
        let base_ms = *base_ms;
        let min_ms = if backoff.jitter { base_ms.div_ceil(2) } else { base_ms };
        Some(WaitView { queue: of, base_ms, min_ms, max_ms: backoff.longest_ms(base_ms) })
    }

    fn dead_letter(&self, queue: &'a str, dead_letter: &'a DeadLetter) -> DeadLetterView<'a> {
        DeadLetterView {
            exchange: &dead_letter.exchange,
            routing_key: dead_letter.routing_key.as_deref(),
            queues: self.ends.get(queue).into_iter().flatten().copied().collect(),
        }
    }
}

fn binding(binding: &Binding) -> BindingView<'_> {
    let (queue, to_exchange) = match &binding.destination {
        Destination::Queue(queue) => (Some(queue.as_str()), None),
        Destination::Exchange(exchange) => (None, Some(exchange.as_str())),
    };
    BindingView {
        exchange: &binding.exchange,
        queue,
        to_exchange,
        routing_key: &binding.routing_key,
        arguments: &binding.arguments,
        from: &binding.from,
    }
}

fn publisher_view(publisher: &Publisher) -> PublisherView<'_> {
    PublisherView {
        name: &publisher.name,
        kind: publisher_word(&publisher.kind),
        exchange: &publisher.exchange,
        routing_key: publisher.routing_key.as_deref(),
        pattern: publisher.pattern.as_deref(),
        message: &publisher.message.name,
    }
}

/// What a publisher is called in the contract.
pub fn publisher_word(kind: &PublisherKind) -> &'static str {
    match kind {
        PublisherKind::Event => "event",
        PublisherKind::Command => "command",
        PublisherKind::OfEvent(_) | PublisherKind::OfCommand(_) | PublisherKind::Own => "publisher",
    }
}

/// AMQP's word for how an exchange routes.
pub fn exchange_word(kind: ExchangeType) -> &'static str {
    match kind {
        ExchangeType::Topic => "topic",
        ExchangeType::Direct => "direct",
        ExchangeType::Fanout => "fanout",
        ExchangeType::Headers => "headers",
    }
}

fn domain(owner: &Owner) -> Option<&str> {
    match owner {
        Owner::Domain(name) => Some(name),
        Owner::Us | Owner::Somebody => None,
    }
}
