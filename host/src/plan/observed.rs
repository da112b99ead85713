//! What is on a broker, as plain values: filled by `broker/`, read by `plan`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::contract::Destination;

use super::Version;

/// What was seen on a broker, in one vhost.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// How it was seen.
    pub sight: Sight,
    /// The broker's version, if it says one.
    pub version: Option<Version>,
    /// Exchanges, by name.
    pub exchanges: BTreeMap<String, Seen<ExchangeShape>>,
    /// Queues, by name.
    pub queues: BTreeMap<String, Queue>,
    /// Bindings, without those of the default exchange; none if they cannot be seen.
    pub bindings: Option<Vec<Binding>>,
}

/// How a broker was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Through its management API: everything in the vhost.
    Management,
    /// By asking for each thing over AMQP: no bindings, and nothing that the contract does not name.
    Amqp,
}

/// Something that exists.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen<T> {
    /// All of it is known.
    Whole(T),
    /// The broker takes it for what the contract asks for.
    Same,
    /// The broker does not take it for what the contract asks for, and named the first difference.
    Different(Difference),
    /// It is there; nobody asked what it is like.
    There,
}

/// One argument or property that is not what the contract asks for, as texts to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name, such as `x-message-ttl` or `durable`.
    pub argument: String,
    /// What is there: a value in back-ticks, or `not set`.
    pub is: String,
    /// What the contract asks for.
    pub asked: String,
}

/// A queue that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// What it is like.
    pub shape: Seen<QueueShape>,
    /// How many messages it holds; over AMQP, only those that are ready.
    pub messages: Option<u64>,
    /// How many consumers it has.
    pub consumers: Option<u64>,
    /// The policy that applies to it; none also where policies cannot be seen.
    pub policy: Option<Policy>,
}

/// The policy that applies to a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Names of the policy and the operator policy, for people.
    pub name: String,
    /// What both say together.
    pub definition: Map<String, Value>,
}

/// What a queue is like.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are AMQP's own")]
pub struct QueueShape {
    /// `classic`, `quorum` or `stream`.
    pub kind: String,
    pub durable: bool,
    pub exclusive: bool,
    pub auto_delete: bool,
    pub arguments: Map<String, Value>,
}

/// What an exchange is like.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are AMQP's own")]
pub struct ExchangeShape {
    pub kind: String,
    pub durable: bool,
    pub auto_delete: bool,
    pub internal: bool,
    pub arguments: Map<String, Value>,
}

/// A binding that exists.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are AMQP's own")]
pub struct Binding {
    pub exchange: String,
    pub destination: Destination,
    pub routing_key: String,
    pub arguments: Map<String, Value>,
}

impl Observed {
    /// An empty broker, to fill.
    pub fn nothing(sight: Sight) -> Self {
        Self {
            sight,
            version: None,
            exchanges: BTreeMap::new(),
            queues: BTreeMap::new(),
            bindings: (sight == Sight::Management).then(Vec::new),
        }
    }
}
