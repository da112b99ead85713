//! Looks at a broker over AMQP, where there is no management API: asks whether each thing of a topology exists, and if
//! so, declares it as the contract has it, to hear from the broker whether it takes the two for the same. Declaring what
//! exists changes nothing. What the topology does not name cannot be seen, and neither can bindings.

use std::fmt;

use lapin::ErrorKind;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;

use crate::plan::Version;
use crate::plan::observed::{Difference, Observed, Queue, Seen, Sight};
use crate::topology::{ExchangeDeclaration, QueueDeclaration, Topology};

use super::amqp::short;
use super::declare::{self, DeclareError};
use super::{Connection, Error, reply};

/// AMQP's NOT_FOUND.
const NOT_FOUND: u16 = 404;
/// AMQP's RESOURCE_LOCKED: there is such a queue, and it is another connection's own.
const LOCKED: u16 = 405;

/// What the broker is like in what `topology` names. `version` is the broker's, which has been asked for elsewhere.
pub async fn observe(
    connection: &Connection,
    topology: &Topology,
    version: Option<Version>,
) -> Result<Observed, DeclareError> {
    let mut observed = Observed::nothing(Sight::Amqp);
    observed.version = version;
    let mut asker = Asker { connection, channel: None };
    for exchange in &topology.exchanges {
        if let Some(seen) = asker.exchange(exchange).await? {
            observed.exchanges.insert(exchange.name.clone(), seen);
        }
    }
    for queue in &topology.queues {
        if let Some(seen) = asker.queue(queue).await? {
            observed.queues.insert(queue.name.clone(), seen);
        }
    }
    asker.close().await.map_err(DeclareError::Broker)?;
    Ok(observed)
}

/// How many messages are ready in a queue, and how many consumers it has. None if there is no such queue.
pub async fn counts(connection: &Connection, queue: &str) -> Result<Option<(u64, u64)>, DeclareError> {
    let mut asker = Asker { connection, channel: None };
    let counts = asker.counts(queue).await?;
    asker.close().await.map_err(DeclareError::Broker)?;
    match counts {
        Asked::Nothing => Ok(None),
        Asked::There(counts) => Ok(Some(counts)),
        Asked::Locked => Ok(Some((0, 1))), // in use by the connection that it belongs to
    }
}

/// What a question brought to light.
enum Asked<T> {
    Nothing,
    There(T),
    Locked,
}

/// Asks; on a new channel after every no, because the broker closes the old one.
struct Asker<'a> {
    connection: &'a Connection,
    channel: Option<lapin::Channel>,
}

impl Asker<'_> {
    async fn channel(&mut self) -> Result<lapin::Channel, DeclareError> {
        let channel = match self.channel.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => self.connection.channel().await.map_err(DeclareError::Broker)?,
        };
        self.channel = Some(channel.clone());
        Ok(channel)
    }

    async fn close(self) -> Result<(), Error> {
        match self.channel.filter(|channel| channel.status().connected()) {
            Some(channel) => reply("channel.close", channel.close(200, "seen".into())).await,
            None => Ok(()),
        }
    }

    /// Reads an answer: what there is, or that there is nothing.
    fn heard<T>(
        &mut self,
        thing: impl fmt::Display,
        answer: Result<T, Error>,
    ) -> Result<Asked<T>, DeclareError> {
        let error = match answer {
            Ok(there) => return Ok(Asked::There(there)),
            Err(error) => error,
        };
        self.channel = None;
        if let Error::Amqp(amqp) = &error
            && let ErrorKind::ProtocolError(said) = amqp.kind()
        {
            match said.get_id() {
                NOT_FOUND => return Ok(Asked::Nothing),
                LOCKED => return Ok(Asked::Locked),
                _ => {}
            }
        }
        Err(declare::explain(thing.to_string(), error))
    }

    async fn exchange<T>(&mut self, exchange: &ExchangeDeclaration) -> Result<Option<Seen<T>>, DeclareError> {
        let thing = format!("exchange `{}`", exchange.name);
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let channel = self.channel().await?;
        let kind = declare::kind(exchange.kind); // not looked at
        let asking = channel.exchange_declare(short(&exchange.name), kind, options, FieldTable::default());
        let answer = reply("exchange.declare", asking).await;
        match self.heard(&thing, answer)? {
            Asked::Nothing => Ok(None),
            Asked::There(()) | Asked::Locked if exchange.passive => Ok(Some(Seen::There)),
            Asked::There(()) | Asked::Locked => {
                let channel = self.channel().await?;
                let answer = reply("exchange.declare", declare::declare_exchange(&channel, exchange)).await;
                self.equivalence(&thing, answer).map(Some)
            }
        }
    }

    async fn counts(&mut self, queue: &str) -> Result<Asked<(u64, u64)>, DeclareError> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let channel = self.channel().await?;
        let answer =
            reply("queue.declare", channel.queue_declare(short(queue), options, FieldTable::default())).await;
        let counts =
            answer.map(|queue| (u64::from(queue.message_count()), u64::from(queue.consumer_count())));
        self.heard(format_args!("queue `{queue}`"), counts)
    }

    async fn queue(&mut self, queue: &QueueDeclaration) -> Result<Option<Queue>, DeclareError> {
        let counts = match self.counts(&queue.name).await? {
            Asked::Nothing => return Ok(None),
            Asked::There(counts) => Some(counts),
            Asked::Locked => None,
        };
        let shape = if queue.passive || queue.exclusive {
            Seen::There
        } else if counts.is_none() {
            let (argument, is, asked) = ("exclusive".to_owned(), "`true`".to_owned(), "`false`".to_owned());
            Seen::Different(Difference { argument, is, asked })
        } else {
            let channel = self.channel().await?;
            let answer = reply("queue.declare", declare::declare_queue(&channel, queue)).await;
            self.equivalence(format_args!("queue `{}`", queue.name), answer)?
        };
        let (messages, consumers) = (counts.map(|(ready, _)| ready), counts.map(|(_, consumers)| consumers));
        Ok(Some(Queue { shape, messages, consumers, policy: None }))
    }

    /// Reads the answer to a declaration of something that exists.
    fn equivalence<T>(
        &mut self,
        thing: impl fmt::Display,
        answer: Result<(), Error>,
    ) -> Result<Seen<T>, DeclareError> {
        let Err(error) = answer else { return Ok(Seen::Same) };
        self.channel = None;
        match declare::explain(thing.to_string(), error) {
            DeclareError::Conflict(conflict) => Ok(Seen::Different(conflict.difference())),
            error @ (DeclareError::Refused { .. } | DeclareError::Broker(_)) => Err(error),
        }
    }
}
