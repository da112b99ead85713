//! What other programs do with the queues: move messages as a shovel does, take messages and never settle them.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, Consumer};

use crate::runtime;

/// How long a queue may keep silent before it is taken for empty.
const SILENCE: Duration = Duration::from_secs(2);
/// How long the broker may take to confirm a message.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);
/// How many messages are taken ahead.
const PREFETCH: u16 = 500;
/// How often messages are handed over and dropped before it is clear that they come for ever.
const ROUNDS_MAX: usize = 50;

/// What becomes of a message's headers when it is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Headers {
    /// They go with it, the broker's own among them, as a shovel does it.
    Kept,
    /// It goes without any.
    Stripped,
}

/// Moves the messages that are in one queue to another, each confirmed before it is acked; the ids. What comes meanwhile
/// stays.
pub(crate) fn move_all(url: &str, from: &str, to: &str, headers: Headers) -> Result<Vec<String>> {
    runtime().block_on(async {
        let connection = connect(url).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions { nowait: false }).await?;
        let looking = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let there = channel.queue_declare(from.into(), looking, FieldTable::default()).await?.message_count();
        let mut consumer = consume(&channel, from).await?;
        let mut moved = Vec::new();
        for _ in 0..there {
            let delivery = next(&mut consumer).await?;
            let delivery = delivery.with_context(|| format!("queue `{from}` keeps some of its messages"))?;
            moved.push(publish(&channel, to, &delivery, headers).await?);
            channel.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple: false }).await?;
        }
        channel.close(200, "done".into()).await?;
        connection.close(200, "done".into()).await.ok(); // everything is moved
        Ok(moved)
    })
}

/// Takes all messages of a queue and drops them with the channel, again and again until no more are handed over; how
/// often some were.
pub(crate) fn drop_all(url: &str, queue: &str) -> Result<usize> {
    runtime().block_on(async {
        let connection = connect(url).await?;
        for round in 0..ROUNDS_MAX {
            let channel = connection.create_channel().await?;
            let mut consumer = consume(&channel, queue).await?;
            let mut taken = 0;
            while next(&mut consumer).await?.is_some() {
                taken += 1;
            }
            channel.close(200, "dropped".into()).await?;
            if taken == 0 {
                connection.close(200, "done".into()).await.ok(); // nothing is in hand
                return Ok(round);
            }
        }
        bail!("queue `{queue}` hands its messages over more than {ROUNDS_MAX} times")
    })
}

async fn connect(url: &str) -> Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name("chaos moves".into());
    Connection::connect(url, properties).await.context("no connection to move messages")
}

async fn consume(channel: &Channel, queue: &str) -> Result<Consumer> {
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.into(), "chaos".into(), options, FieldTable::default());
    consumer.await.with_context(|| format!("cannot consume from queue `{queue}`"))
}

/// The next delivery; none if there is none for a while.
async fn next(consumer: &mut Consumer) -> Result<Option<Delivery>> {
    match tokio::time::timeout(SILENCE, consumer.next()).await {
        Err(_) => Ok(None),
        Ok(None) => bail!("the broker has cancelled the consumer"),
        Ok(Some(delivery)) => Ok(Some(delivery?)),
    }
}

#[expect(clippy::disallowed_methods, reason = "what an operator's tool publishes is no part of the host")]
async fn publish(channel: &Channel, queue: &str, delivery: &Delivery, headers: Headers) -> Result<String> {
    let properties = delivery.properties.clone();
    let id = properties.message_id().as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default();
    let properties = match headers {
        Headers::Kept => properties,
        Headers::Stripped => properties.with_headers(FieldTable::default()),
    };
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let confirmed = async {
        let sent =
            channel.basic_publish("".into(), queue.into(), options, &delivery.data, properties).await?;
        sent.await
    };
    let confirmation = tokio::time::timeout(CONFIRM_TIMEOUT, confirmed)
        .await
        .map_err(|_| anyhow!("no confirm for {id} in {} s", CONFIRM_TIMEOUT.as_secs()))??;
    // One at a time: a return belongs to this one.
    if !confirmation.is_ack() || confirmation.take_message().is_some() {
        bail!("queue `{queue}` does not take {id}");
    }
    Ok(id)
}
