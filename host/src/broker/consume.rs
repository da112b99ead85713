//! Consuming from one queue: a channel of its own, prefetch set before the first delivery, and deliveries handed to a
//! sink. When the broker cancels the consumer or closes the channel, this epoch has failed, and the channel is closed:
//! the broker-side consumer of a cancelled one can live on and swallow messages until then.
//!
//! It begins with a prefetch of one. A message that kills its host makes the broker count a delivery for each message
//! that was handed over with it; so, as long as what comes first may be such a message, nothing else is handed over. Then
//! a second consumer takes the place of the first. Where the order of the queue is to be kept, that is when nothing is in
//! the hands of the first that is not done: what comes next goes to whoever is next in the row, here or elsewhere.

use std::fmt;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::message::Message;

use super::amqp::{message_from, short};
use super::settle::{self, Settlement, StaleEpoch, Token};
use super::{Connection, Error, close, reply};

/// How long a channel stays open after the last ack. A channel of RabbitMQ keeps settlements back while many are under way
/// to a quorum queue, and forgets them when it is closed; there is no answer to wait for.
const SETTLED_WITHIN: Duration = Duration::from_millis(500);

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
    /// Takes over what lapin hands out. How it ends is told to `settlements`, with its tag.
    pub fn new(
        delivery: lapin::message::Delivery,
        settlements: &mpsc::UnboundedSender<(u64, Settlement)>,
    ) -> Self {
        let token = Token::new(delivery.delivery_tag, settlements);
        Self { redelivered: delivery.redelivered, message: message_from(delivery), token }
    }

    /// Ends this delivery.
    pub fn settle(self, settlement: Settlement) -> Result<(), StaleEpoch> {
        self.token.settle(settlement)
    }

    /// Ends this delivery with an ack before anything was done with the message: whatever happens now, the broker will
    /// not hand it over again.
    pub fn ack_on_receipt(self) -> Result<Message, StaleEpoch> {
        self.token.settle(Settlement::Ack)?;
        Ok(self.message)
    }
}

/// What takes deliveries; it must not wait.
pub type Sink = Box<dyn Fn(Delivery) + Send + Sync>;

/// Whether a message, and one that the broker says was handed over before, may be what kills its host, so that none should
/// be handed over with it.
pub type Suspicion = Box<dyn Fn(&Message, bool) -> bool + Send + Sync>;

/// From where, and how much ahead.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The queue.
    pub queue: String,
    /// The consumer tag.
    pub tag: String,
    /// How many messages the broker may hand over that are not settled.
    pub prefetch: u16,
    /// What is given back at the end goes back all at once, when the channel is closed, and keeps its order. One by one
    /// it would go to the next consumer in the order in which it comes, and after what that has already.
    pub ordered: bool,
}

/// A running consumer.
pub struct Consumption {
    feed: Feed,
    is_suspect: Suspicion,
    channel: lapin::Channel,
    consumer: lapin::Consumer,
    /// It has a prefetch of one.
    careful: bool,
}

impl Consumption {
    /// Starts to consume.
    pub async fn start(connection: &Connection, feed: Feed, is_suspect: Suspicion) -> Result<Self, Error> {
        let channel = connection.channel().await?;
        let careful = count(&channel, &feed).await? > 0 && feed.prefetch > 1;
        let consumer = consume(&channel, &feed, careful).await?;
        Ok(Self { feed, is_suspect, channel, consumer, careful })
    }

    /// Hands deliveries to `sink` until `stop`, then waits until all of them are settled.
    /// An error means that the epoch has failed, and that `close` is called for.
    pub async fn run(&mut self, sink: Sink, stop: CancellationToken) -> Result<(), Error> {
        let (settlements, settling) = mpsc::unbounded_channel();
        let keep = if self.feed.ordered { stop.clone() } else { CancellationToken::new() };
        let settle = settle::run(self.channel.clone(), settling, keep);
        tokio::try_join!(self.take(settlements, sink, stop), settle)?;
        // An answer to whatever is asked after the last ack means that the channel has read it, however busy the broker is.
        drop(count(&self.channel, &self.feed).await);
        tokio::time::sleep(SETTLED_WITHIN).await;
        tracing::debug!(queue = self.feed.queue, "consumer is done");
        Ok(())
    }

    /// Closes the channel. What was not settled on it goes back to the queue.
    pub async fn close(self) {
        close(&self.channel).await;
    }

    async fn take(
        &mut self,
        settlements: mpsc::UnboundedSender<(u64, Settlement)>,
        sink: Sink,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        while !stop.is_cancelled() {
            let delivery = match self.consumer.next().now_or_never() {
                Some(delivery) => delivery,
                None => tokio::select! {
                    biased;
                    () = stop.cancelled() => break,
                    delivery = self.consumer.next() => delivery,
                },
            };
            let Some(delivery) = delivery else { return Err(Error::Cancelled) };
            if !self.careful {
                sink(Delivery::new(delivery?, &settlements));
            } else if self.feed.ordered {
                self.take_in_order(delivery?, &settlements, &sink, &stop).await?;
            } else {
                let delivery = Delivery::new(delivery?, &settlements);
                if !(self.is_suspect)(&delivery.message, delivery.redelivered) {
                    // Before that can be settled, so that nothing else comes over the first consumer.
                    self.take_all(&settlements, &sink).await?;
                }
                sink(delivery);
            }
        }
        if self.feed.ordered {
            // The next consumer becomes the active one when the channel is closed, and not before.
            return Ok(());
        }
        cancel(&self.channel, self.consumer.clone(), &settlements, &sink).await
    }

    /// Takes one delivery to its end, and settles it when no other can come in its place: one that came and went back
    /// would come again after all that others have given back.
    async fn take_in_order(
        &mut self,
        delivery: lapin::message::Delivery,
        settlements: &mpsc::UnboundedSender<(u64, Settlement)>,
        sink: &Sink,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let (ends, mut end) = mpsc::unbounded_channel();
        let delivery = Delivery::new(delivery, &ends);
        drop(ends);
        let is_suspect = (self.is_suspect)(&delivery.message, delivery.redelivered);
        sink(delivery);
        let settlement = tokio::select! {
            biased;
            settlement = end.recv() => settlement,
            // Nothing is handed over beside it: this is the end of the consumer.
            failed = self.consumer.next() => return Err(failed.and_then(Result::err).map_or(Error::Cancelled, Error::from)),
        };
        if stop.is_cancelled() {
            // One that was not begun goes back with the channel.
            if !matches!(settlement, Some((_, Settlement::Return))) {
                cancel(&self.channel, self.consumer.clone(), settlements, sink).await?;
            }
        } else if !is_suspect {
            self.take_all(settlements, sink).await?;
        }
        if let Some(settlement) = settlement {
            settlements.send(settlement).map_err(|_| Error::Cancelled)?;
        }
        Ok(())
    }

    /// Puts a consumer with the whole prefetch in the place of the careful one.
    async fn take_all(
        &mut self,
        settlements: &mpsc::UnboundedSender<(u64, Settlement)>,
        sink: &Sink,
    ) -> Result<(), Error> {
        self.careful = false;
        let full = consume(&self.channel, &self.feed, false).await?;
        let careful = std::mem::replace(&mut self.consumer, full);
        cancel(&self.channel, careful, settlements, sink).await
    }
}

/// How many messages wait in the queue.
async fn count(channel: &lapin::Channel, feed: &Feed) -> Result<u32, Error> {
    let looking = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare(short(&feed.queue), looking, FieldTable::default());
    Ok(reply("queue.declare", queue).await?.message_count())
}

async fn consume(channel: &lapin::Channel, feed: &Feed, careful: bool) -> Result<lapin::Consumer, Error> {
    let (prefetch, tag) =
        if careful { (1, format!("{}.careful", feed.tag)) } else { (feed.prefetch, feed.tag.clone()) };
    // Before consuming: lapin buffers deliveries without a bound, and the prefetch is all that bounds them.
    reply("basic.qos", channel.basic_qos(prefetch, BasicQosOptions { global: false })).await?;
    let options = BasicConsumeOptions { no_local: false, no_ack: false, exclusive: false, nowait: false };
    let consume = channel.basic_consume(short(&feed.queue), short(&tag), options, FieldTable::default());
    reply("basic.consume", consume).await
}

/// Takes no more. What lapin has buffered is handed on, to be given back one by one: a closed channel would give it back,
/// too, but every version of RabbitMQ counts that as a delivery.
async fn cancel(
    channel: &lapin::Channel,
    mut consumer: lapin::Consumer,
    settlements: &mpsc::UnboundedSender<(u64, Settlement)>,
    sink: &Sink,
) -> Result<(), Error> {
    let options = BasicCancelOptions { nowait: false };
    reply("basic.cancel", channel.basic_cancel(consumer.tag(), options)).await?;
    while let Some(Some(Ok(delivery))) = consumer.next().now_or_never() {
        sink(Delivery::new(delivery, settlements));
    }
    Ok(())
}

impl fmt::Debug for Consumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumption").field("queue", &self.feed.queue).finish_non_exhaustive()
    }
}
