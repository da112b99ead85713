//! Carries out a topology. What exists with other arguments is left alone and reported: which argument, what is there,
//! what the contract asks for.

use std::fmt;

use lapin::options::{ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::{ErrorKind, ExchangeKind};

use crate::contract::{Binding, Destination, ExchangeType};
use crate::plan::observed::Difference;
use crate::topology::{ExchangeDeclaration, QueueDeclaration, Topology};

use super::amqp::{arguments, short};
use super::{Connection, Error, reply};

/// AMQP's PRECONDITION_FAILED.
const PRECONDITION_FAILED: u16 = 406;

/// Why the topology could not be declared.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// Something of that name exists and is different.
    #[error("{0}")]
    Conflict(Conflict),
    /// The broker does not want it.
    #[error("the broker refused to declare {thing}: {reason}")]
    Refused {
        /// What was to be declared.
        thing: String,
        /// What the broker said.
        reason: String,
    },
    /// The broker went away.
    #[error(transparent)]
    Broker(Error),
}

/// An exchange or queue that exists with other arguments.
#[derive(Debug)]
pub struct Conflict {
    thing: String,
    /// The argument, what the contract asks for, and what is there; none if the broker put it in other words.
    difference: Option<(String, String, String)>,
    said: String,
}

impl Conflict {
    /// What is different, as far as the broker says.
    pub(super) fn difference(self) -> Difference {
        match self.difference {
            Some((argument, asked, is)) => Difference { argument, is, asked },
            None => {
                Difference { argument: "something".to_owned(), is: self.said, asked: "another".to_owned() }
            }
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} exists and is different from the contract", self.thing)?;
        match &self.difference {
            Some((argument, asked, there)) => {
                write!(f, ": `{argument}` is {there} there, the contract asks for {asked}")?;
            }
            None => write!(f, ": {}", self.said)?,
        }
        write!(
            f,
            "\n\nhint: it was left as it is. Either write into the contract what is there, or empty and delete it \
             and let Warren declare it anew"
        )
    }
}

/// Declares exchanges, queues and bindings, in this order.
pub async fn declare(connection: &Connection, topology: &Topology) -> Result<(), DeclareError> {
    let channel = connection.channel().await.map_err(DeclareError::Broker)?;
    for exchange in &topology.exchanges {
        let thing = format!("exchange `{}`", exchange.name);
        reply("exchange.declare", declare_exchange(&channel, exchange))
            .await
            .map_err(|error| explain(thing, error))?;
    }
    for queue in &topology.queues {
        let thing = format!("queue `{}`", queue.name);
        reply("queue.declare", declare_queue(&channel, queue))
            .await
            .map_err(|error| explain(thing, error))?;
    }
    for binding in &topology.bindings {
        reply("bind", bind(&channel, binding)).await.map_err(|error| explain(bound(binding), error))?;
    }
    reply("channel.close", channel.close(200, "declared".into())).await.map_err(DeclareError::Broker)
}

pub(super) fn bound(binding: &Binding) -> String {
    let Binding { exchange, destination, routing_key, .. } = binding;
    format!("the binding of `{}` to `{exchange}` with `{routing_key}`", destination.name())
}

pub(super) async fn bind(channel: &lapin::Channel, binding: &Binding) -> lapin::Result<()> {
    let (exchange, key) = (short(&binding.exchange), short(&binding.routing_key));
    let arguments = arguments(&binding.arguments);
    match &binding.destination {
        Destination::Queue(queue) => {
            let options = QueueBindOptions { nowait: false };
            channel.queue_bind(short(queue), exchange, key, options, arguments).await
        }
        Destination::Exchange(to) => {
            let options = ExchangeBindOptions { nowait: false };
            channel.exchange_bind(short(to), exchange, key, options, arguments).await
        }
    }
}

pub(super) fn kind(kind: ExchangeType) -> ExchangeKind {
    match kind {
        ExchangeType::Topic => ExchangeKind::Topic,
        ExchangeType::Direct => ExchangeKind::Direct,
        ExchangeType::Fanout => ExchangeKind::Fanout,
        ExchangeType::Headers => ExchangeKind::Headers,
    }
}

pub(super) async fn declare_exchange(
    channel: &lapin::Channel,
    exchange: &ExchangeDeclaration,
) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions {
        passive: exchange.passive,
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        internal: exchange.internal,
        nowait: false,
    };
    channel
        .exchange_declare(short(&exchange.name), kind(exchange.kind), options, arguments(&exchange.arguments))
        .await
}

pub(super) async fn declare_queue(channel: &lapin::Channel, queue: &QueueDeclaration) -> lapin::Result<()> {
    let options = QueueDeclareOptions {
        passive: queue.passive,
        durable: queue.durable,
        exclusive: queue.exclusive,
        auto_delete: queue.auto_delete,
        nowait: false,
    };
    channel.queue_declare(short(&queue.name), options, arguments(&queue.arguments)).await.map(|_| ())
}

pub(super) fn explain(thing: String, error: Error) -> DeclareError {
    let Error::Amqp(amqp) = &error else { return DeclareError::Broker(error) };
    let ErrorKind::ProtocolError(said) = amqp.kind() else { return DeclareError::Broker(error) };
    let reason = said.get_message().to_string();
    if said.get_id() == PRECONDITION_FAILED && reason.contains("inequivalent arg") {
        let difference = difference(&reason);
        return DeclareError::Conflict(Conflict { thing, difference, said: reason });
    }
    DeclareError::Refused { thing, reason }
}

/// Reads `inequivalent arg 'A' for queue 'q' in vhost '/': received B but current is C`, where B and C are `'x'`,
/// `the value 'x' of type 't'` or `none`.
fn difference(said: &str) -> Option<(String, String, String)> {
    let (_, rest) = said.split_once("inequivalent arg '")?;
    let (argument, rest) = rest.split_once('\'')?;
    let (_, rest) = rest.rsplit_once("received ")?;
    let (asked, there) = rest.split_once(" but current is ")?;
    Some((argument.to_owned(), value(asked), value(there)))
}

fn value(said: &str) -> String {
    let said = said.trim().trim_end_matches('.');
    if said == "none" {
        return "not set".to_owned();
    }
    match said.split('\'').nth(1) {
        Some(value) => format!("`{value}`"),
        None => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_names_the_argument_and_both_values() {
        for (said, expected) in [
            (
                "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'",
                ("durable", "`true`", "`false`"),
            ),
            (
                "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost 'a': received the value 'quorum' of type 'longstr' but current is none",
                ("x-queue-type", "`quorum`", "not set"),
            ),
            (
                "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value '5' of type 'signedint'",
                ("x-message-ttl", "not set", "`5`"),
            ),
        ] {
            let found = difference(said).unwrap();
            assert_eq!((found.0.as_str(), found.1.as_str(), found.2.as_str()), expected);
        }
        assert_eq!(difference("PRECONDITION_FAILED - something else"), None);
    }
}
