//! Carries out one change of a plan. Nothing here deletes a queue that holds messages.
//!
//! A classic queue is deleted by the broker only if it is empty and unused, in one step. RabbitMQ refuses that of a
//! quorum queue, on every version (measured on 3.10 and 4.3: error 540, which closes the connection), so the caller has
//! to have watched it for `SETTLING` first, and here it is looked at once more.

use std::time::Duration;

use lapin::options::{ExchangeUnbindOptions, QueueDeleteOptions};

use crate::contract::Destination;
use crate::plan::Change;
use crate::plan::observed::Binding;

use super::amqp::{arguments, short};
use super::declare::{self, DeclareError};
use super::{Connection, counts, reply};

/// How long the broker's own count of a quorum queue's messages may be behind: it counts every 5 s.
pub const SETTLING: Duration = Duration::from_secs(6);

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It was not needed any more.
    Needless,
    /// It was not done, for this reason; a later try may do it.
    Kept(String),
}

/// Carries out one change.
pub async fn change(connection: &Connection, change: Change<'_>) -> Result<Outcome, DeclareError> {
    if let Change::Delete { name, quorum: true } = change {
        match counts(connection, name).await? {
            None => return Ok(Outcome::Needless),
            Some((0, 0)) => {}
            Some((messages, consumers)) => return Ok(Outcome::Kept(used(messages, consumers))),
        }
    }
    let channel = connection.channel().await.map_err(DeclareError::Broker)?;
    match change {
        Change::Exchange(exchange) => {
            let answer = reply("exchange.declare", declare::declare_exchange(&channel, exchange)).await;
            answer.map_err(|error| declare::explain(format!("exchange `{}`", exchange.name), error))?;
        }
        Change::Queue(queue) => {
            let answer = reply("queue.declare", declare::declare_queue(&channel, queue)).await;
            answer.map_err(|error| declare::explain(format!("queue `{}`", queue.name), error))?;
        }
        Change::Bind { binding, .. } => {
            let answer = reply("bind", declare::bind(&channel, binding)).await;
            answer.map_err(|error| declare::explain(declare::bound(binding), error))?;
        }
        Change::Unbind(binding) => {
            let thing = format!("the binding of `{}` to `{}`", binding.destination.name(), binding.exchange);
            reply("unbind", unbind(&channel, binding))
                .await
                .map_err(|error| declare::explain(thing, error))?;
        }
        Change::Delete { name, quorum } => {
            let options = QueueDeleteOptions { if_unused: !quorum, if_empty: !quorum, nowait: false };
            let answer = reply("queue.delete", channel.queue_delete(short(name), options)).await;
            match answer.map_err(|error| declare::explain(format!("queue `{name}`"), error)) {
                Ok(_) => {}
                Err(DeclareError::Refused { reason, .. }) => return Ok(Outcome::Kept(reason)),
                Err(error @ (DeclareError::Conflict(_) | DeclareError::Broker(_))) => return Err(error),
            }
        }
    }
    reply("channel.close", channel.close(200, "changed".into())).await.map_err(DeclareError::Broker)?;
    Ok(Outcome::Done)
}

fn used(messages: u64, consumers: u64) -> String {
    format!("it has {messages} messages and {consumers} consumers")
}

async fn unbind(channel: &lapin::Channel, binding: &Binding) -> lapin::Result<()> {
    let (exchange, key) = (short(&binding.exchange), short(&binding.routing_key));
    let arguments = arguments(&binding.arguments);
    match &binding.destination {
        Destination::Queue(queue) => channel.queue_unbind(short(queue), exchange, key, arguments).await,
        Destination::Exchange(to) => {
            let options = ExchangeUnbindOptions { nowait: false };
            channel.exchange_unbind(short(to), exchange, key, options, arguments).await
        }
    }
}
