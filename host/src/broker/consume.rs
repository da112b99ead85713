//! Consuming from one queue: a channel of its own, prefetch set before the first delivery, and deliveries handed to a
//! sink. When the broker cancels the consumer or closes the channel, the epoch has failed: the broker-side consumer of
//! a cancelled one can live on and swallow messages until its channel is closed.

use std::fmt;

use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::message::Message;

use super::amqp::{message_from, short};
use super::settle::{self, Settlement, StaleEpoch, Token};
use super::{Connection, Error, reply};

/// One handing-over of a message. It is settled once, by value.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The broker's hint that it may have been handed over before.
    pub redelivered: bool,
    token: Token,
}

impl Delivery {
    /// Ends this delivery.
    pub fn settle(self, settlement: Settlement) -> Result<(), StaleEpoch> {
        self.token.settle(settlement)
    }
}

/// What takes deliveries; it must not wait.
pub type Sink = Box<dyn Fn(Delivery) + Send>;

/// A running consumer.
pub struct Consumption {
    channel: lapin::Channel,
    consumer: lapin::Consumer,
    queue: String,
}

impl Consumption {
    /// Starts to consume from `queue`.
    pub async fn start(
        connection: &Connection,
        queue: &str,
        tag: &str,
        prefetch: u16,
    ) -> Result<Self, Error> {
        let channel = connection.channel().await?;
        // Before consuming: lapin buffers deliveries without a bound, and the prefetch is all that bounds them.
        reply("basic.qos", channel.basic_qos(prefetch, BasicQosOptions { global: false })).await?;
        let options = BasicConsumeOptions { no_local: false, no_ack: false, exclusive: false, nowait: false };
        let consume = channel.basic_consume(short(queue), short(tag), options, FieldTable::default());
        let consumer = reply("basic.consume", consume).await?;
        Ok(Self { channel, consumer, queue: queue.to_owned() })
    }

    /// Hands deliveries to `sink` until `stop`, then waits until all of them are settled.
    /// An error means that the epoch has failed.
    pub async fn run(self, sink: Sink, stop: CancellationToken) -> Result<(), Error> {
        let (settlements, settling) = mpsc::unbounded_channel();
        let tag = self.consumer.tag();
        let channel = self.channel.clone();
        let take = take(self.consumer, channel, tag, settlements, sink, stop);
        let settle = settle::run(self.channel.clone(), settling);
        tokio::try_join!(take, settle)?;
        tracing::debug!(queue = self.queue, "consumer is done");
        reply("channel.close", self.channel.close(200, "drained".into())).await
    }
}

async fn take(
    mut consumer: lapin::Consumer,
    channel: lapin::Channel,
    tag: lapin::types::ShortString,
    settlements: mpsc::UnboundedSender<(u64, Settlement)>,
    sink: Sink,
    stop: CancellationToken,
) -> Result<(), Error> {
    loop {
        let delivery = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            delivery = consumer.next() => delivery,
        };
        match delivery {
            Some(Ok(delivery)) => sink(own(delivery, &settlements)),
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Error::Cancelled),
        }
    }
    reply("basic.cancel", channel.basic_cancel(tag, BasicCancelOptions { nowait: false })).await?;
    // What lapin has buffered is handed on, to be given back one by one: a closed channel would give it back, too, but
    // every version of RabbitMQ counts that as a delivery.
    while let Some(Some(Ok(delivery))) = consumer.next().now_or_never() {
        sink(own(delivery, &settlements));
    }
    Ok(())
}

fn own(
    delivery: lapin::message::Delivery,
    settlements: &mpsc::UnboundedSender<(u64, Settlement)>,
) -> Delivery {
    let token = Token::new(delivery.delivery_tag, settlements);
    Delivery { redelivered: delivery.redelivered, message: message_from(delivery), token }
}

impl fmt::Debug for Consumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumption").field("queue", &self.queue).finish_non_exhaustive()
    }
}
