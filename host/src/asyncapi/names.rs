//! What things are called in the document: AsyncAPI wants plain names, AMQP takes any text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::contract::{Contract, ExchangeType, Message, Owner, Publisher, Takes};
use crate::topology;
use crate::yaml::{Mapping, Node};

/// The names of everything that the document holds, by the names of the contract.
#[derive(Debug)]
pub(super) struct Names<'c> {
    /// Messages, those of other domains among them.
    pub(super) messages: BTreeMap<&'c str, (String, &'c Arc<Message>)>,
    /// Channels of exchanges.
    pub(super) exchanges: BTreeMap<String, String>,
    /// Channels of queues.
    pub(super) queues: BTreeMap<&'c str, String>,
    /// Channels of routing keys, by exchange (empty for the default one) and key or pattern.
    pub(super) keys: BTreeMap<(&'c str, &'c str), String>,
    /// Channels of answers, by rpc.
    pub(super) replies: BTreeMap<&'c str, String>,
    /// Operations of publishers.
    pub(super) publishers: BTreeMap<&'c str, (String, &'c Publisher)>,
    /// Operations of consumers.
    pub(super) consumers: BTreeMap<&'c str, String>,
    /// Operations of rpcs that are called and not answered here.
    pub(super) rpcs: BTreeMap<&'c str, String>,
}

impl<'c> Names<'c> {
    pub(super) fn of(contract: &'c Contract) -> Self {
        let publishers: Vec<(&str, &Publisher)> = contract
            .publishers
            .iter()
            .map(|(name, publisher)| (name.as_str(), publisher.as_ref()))
            .filter(|(name, publisher)| publisher.owner == Owner::Us || is_granted(contract, name))
            .collect();
        let mut channels = Ids::default();
        let exchanges = topology::derive(contract).exchanges.into_iter();
        let exchanges = exchanges
            .map(|exchange| (exchange.name.clone(), channels.id(&exchange.name, "exchange")))
            .collect();
        let ours = contract.queues.values().filter(|queue| !matches!(queue.owner, Owner::Domain(_)));
        let queues = ours.map(|queue| (queue.name.as_str(), channels.id(&queue.name, "queue"))).collect();
        let mut keys = BTreeMap::new();
        for (_, publisher) in &publishers {
            if let Some(key) = address(publisher) {
                let exchange = if publisher.exchange.is_empty() { "default" } else { &publisher.exchange };
                keys.entry((publisher.exchange.as_str(), key))
                    .or_insert_with(|| channels.id(&format!("{exchange}.{key}"), "key"));
            }
        }
        let replies = contract.rpcs.keys();
        let replies =
            replies.map(|rpc| (rpc.as_str(), channels.id(&format!("{rpc}.reply"), "channel"))).collect();
        let mut operations = Ids::default();
        let answered: BTreeSet<&str> = contract
            .consumers
            .values()
            .filter_map(|consumer| match &consumer.takes {
                Takes::Rpc(rpc) => Some(rpc.as_str()),
                Takes::Event(_) | Takes::Command(_) | Takes::Message => None,
            })
            .collect();
        let called = contract.rpcs.keys().map(String::as_str).filter(|rpc| !answered.contains(rpc));
        Self {
            messages: messages(contract, &publishers),
            exchanges,
            queues,
            keys,
            replies,
            consumers: contract
                .consumers
                .keys()
                .map(|name| (name.as_str(), operations.id(name, "consumer")))
                .collect(),
            publishers: publishers
                .iter()
                .map(|(name, publisher)| (*name, (operations.id(name, "publisher"), *publisher)))
                .collect(),
            rpcs: called.map(|name| (name, operations.id(name, "rpc"))).collect(),
        }
    }

    /// The id of a message.
    pub(super) fn message(&self, message: &'c Message) -> &str {
        self.messages.get(message.name.as_str()).map_or("", |(id, _)| id)
    }

    /// The id of the channel that a publisher publishes on.
    pub(super) fn channel(&self, publisher: &'c Publisher) -> &str {
        let exchange = publisher.exchange.as_str();
        let id = match address(publisher) {
            Some(key) => self.keys.get(&(exchange, key)),
            None => self.exchanges.get(exchange),
        };
        id.map_or("", String::as_str)
    }
}

/// What tells the channel of a publisher from others of its exchange: its key, or its pattern; none where the exchange
/// looks at no key.
pub(super) fn address(publisher: &Publisher) -> Option<&str> {
    let keyed = matches!(publisher.exchange_kind, ExchangeType::Topic | ExchangeType::Direct);
    let key = publisher.routing_key.as_deref().or(publisher.pattern.as_deref());
    key.filter(|_| keyed)
}

fn is_granted(contract: &Contract, publisher: &str) -> bool {
    contract.consumers.values().any(|consumer| consumer.publishes.iter().any(|name| name == publisher))
}

fn messages<'c>(
    contract: &'c Contract,
    publishers: &[(&'c str, &'c Publisher)],
) -> BTreeMap<&'c str, (String, &'c Arc<Message>)> {
    let own = contract.messages.values();
    let published = publishers.iter().map(|(_, publisher)| &publisher.message);
    let consumed = contract.consumers.values().map(|consumer| &consumer.message);
    let asked = contract
        .rpcs
        .values()
        .flat_map(|rpc| [&rpc.request, &rpc.response].into_iter().chain(rpc.errors.values()));
    let mut ids = Ids::default();
    let mut messages = BTreeMap::new();
    for message in own.chain(published).chain(consumed).chain(asked) {
        messages.entry(message.name.as_str()).or_insert_with(|| (ids.id(&message.name, "message"), message));
    }
    messages
}

/// Plain names, each given once.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    taken: BTreeSet<String>,
}

impl Ids {
    /// A name like `name`, of letters, digits, `.`, `-` and `_`; with `kind` behind it where that is taken.
    pub(crate) fn id(&mut self, name: &str, kind: &str) -> String {
        let plain =
            |char: char| if char.is_ascii_alphanumeric() || "._-".contains(char) { char } else { '-' };
        let mut plain: String = name.chars().map(plain).collect();
        if plain.is_empty() {
            kind.clone_into(&mut plain);
        }
        let mut id = plain.clone();
        let mut number = 1_u32;
        while !self.taken.insert(id.clone()) {
            id = if number == 1 { format!("{plain}-{kind}") } else { format!("{plain}-{kind}-{number}") };
            number += 1;
        }
        id
    }
}

/// `{ $ref: "#/..." }` to what the steps lead to; they are ids.
pub(super) fn reference(steps: &[&str]) -> Node {
    let mut reference = Mapping::default();
    reference.set("$ref", format!("#/{}", steps.join("/")));
    reference.into()
}

/// References to messages of a channel.
pub(super) fn message_references(channel: &str, messages: impl Iterator<Item = String>) -> Node {
    messages.map(|message| reference(&["channels", channel, "messages", &message])).collect::<Vec<_>>().into()
}
