//! The tests' own AMQP client: publishes anything, reads queues, counts, and changes the topology under the host.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
    BasicQosOptions, ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind, PublisherConfirm};

use super::letter::{Got, Letter};
use super::{LOOK_AGAIN, SOON, eventually, wait};

/// How long a message that was given back may take to come again.
const GIVEN_BACK: Duration = Duration::from_secs(3);

/// A connection of the test's own.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
}

#[expect(clippy::disallowed_methods, reason = "the tests' own publisher, which is no part of the host")]
async fn send(
    channel: &Channel,
    exchange: &str,
    key: &str,
    Letter { body, properties }: Letter,
) -> lapin::Result<PublisherConfirm> {
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    channel.basic_publish(exchange.into(), key.into(), options, &body, properties).await
}

/// The broker has confirmed a message, and some queue has taken it.
fn taken(confirmation: Confirmation, key: &str) {
    assert!(confirmation.is_ack() && confirmation.take_message().is_none(), "not taken: {key}");
}

impl Client {
    pub(crate) fn open(url: &str) -> Self {
        let properties = ConnectionProperties::default().with_connection_name("the test itself".into());
        Self { connection: wait(Connection::connect(url, properties)).expect("a connection to the broker") }
    }

    pub(crate) fn close(&self) {
        // The test may have closed it, or the broker.
        drop(wait(self.connection.close(200, "done".into())));
    }

    /// A channel for one purpose: an error closes a channel, and nothing else should suffer from it.
    pub(crate) fn with_channel<T>(
        &self,
        work: impl AsyncFnOnce(&Channel) -> lapin::Result<T>,
    ) -> lapin::Result<T> {
        wait(async {
            let channel = self.connection.create_channel().await?;
            let result = work(&channel).await;
            if result.is_ok() {
                channel.close(200, "done".into()).await?;
            }
            result
        })
    }

    /// Publishes to an exchange; the broker has confirmed, and some queue has taken it, when this returns.
    pub(crate) fn publish(&self, exchange: &str, key: &str, letter: Letter) {
        self.publish_all(exchange, key, vec![letter]);
    }

    pub(crate) fn publish_all(&self, exchange: &str, key: &str, letters: Vec<Letter>) {
        let publish = async |channel: &Channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let mut confirms = Vec::new();
            for letter in letters {
                confirms.push(send(channel, exchange, key, letter).await?);
            }
            for confirm in confirms {
                taken(confirm.await?, key);
            }
            Ok(())
        };
        self.with_channel(publish).expect("the broker takes what the test publishes");
    }

    /// Publishes one each `every`, for as long as there are letters. On one channel: to open one for each would cost the
    /// broker more than the message.
    pub(crate) fn publish_each(
        &self,
        every: Duration,
        exchange: &str,
        key: &str,
        letters: impl Iterator<Item = Letter>,
    ) {
        let publish = async |channel: &Channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            for letter in letters {
                taken(send(channel, exchange, key, letter).await?.await?, key);
                tokio::time::sleep(every).await;
            }
            Ok(())
        };
        self.with_channel(publish).expect("the broker takes what the test publishes");
    }

    /// Takes everything out of a queue that is there now.
    pub(crate) fn drain(&self, queue: &str) -> Vec<Got> {
        let drain = async |channel: &Channel| {
            let mut got = Vec::new();
            while let Some(message) =
                channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await?
            {
                got.push(message.delivery.into());
            }
            Ok(got)
        };
        self.with_channel(drain).unwrap_or_else(|error| panic!("cannot read queue `{queue}`: {error}"))
    }

    /// Takes messages out of a queue until there were `count`.
    pub(crate) fn take(&self, queue: &str, count: usize) -> Vec<Got> {
        let until = Instant::now() + SOON;
        let mut got: Vec<Got> = Vec::new();
        loop {
            got.extend(self.drain(queue));
            if got.len() >= count {
                return got;
            }
            let ids: Vec<String> = got.iter().take(20).map(Got::id).collect();
            assert!(Instant::now() < until, "{} of {count} messages came to `{queue}`: {ids:?}", got.len());
            super::pause(LOOK_AGAIN);
        }
    }

    /// Takes exactly one message out of a queue.
    pub(crate) fn take_one(&self, queue: &str) -> Got {
        let got = self.take(queue, 1);
        <[Got; 1]>::try_from(got).unwrap_or_else(|got| panic!("{} messages in `{queue}`, not one", got.len()))
            [0]
        .clone()
    }

    /// Takes messages out of a queue, many and fast, until there were `count` different ids.
    pub(crate) fn take_ids(&self, queue: &str, count: usize) -> Vec<String> {
        let mut different = std::collections::HashSet::new();
        let enough = |message: &Got| {
            different.insert(message.id());
            different.len() >= count
        };
        self.take_until(queue, enough).iter().map(Got::id).collect()
    }

    /// Takes messages out of a queue, many and fast, until `enough` is true of one.
    pub(crate) fn take_until(&self, queue: &str, mut enough: impl FnMut(&Got) -> bool) -> Vec<Got> {
        let consume = async |channel: &Channel| {
            channel.basic_qos(1000, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            let consumer = channel.basic_consume(queue.into(), "fast".into(), options, FieldTable::default());
            let mut consumer = consumer.await?;
            let mut taken = Vec::new();
            loop {
                let next = tokio::time::timeout(SOON, consumer.next()).await;
                let Ok(Some(message)) = next else {
                    panic!("{} messages came to `{queue}`, not enough", taken.len())
                };
                taken.push(Got::from(message?));
                if taken.last().is_some_and(&mut enough) {
                    // Said here: left to the consumer that is dropped, it can come while the channel is being closed.
                    channel.basic_cancel("fast".into(), BasicCancelOptions::default()).await?;
                    return Ok(taken);
                }
            }
        };
        self.with_channel(consume).unwrap_or_else(|error| panic!("cannot consume from `{queue}`: {error}"))
    }

    /// Is handed the first message of a queue, and goes away without settling it.
    pub(crate) fn hand_over_and_drop(&self, queue: &str) {
        let get = async |channel: &Channel| {
            // What a closed channel gives back is there again only a moment later.
            let until = Instant::now() + SOON;
            while channel.basic_get(queue.into(), BasicGetOptions { no_ack: false }).await?.is_none() {
                assert!(Instant::now() < until, "no message in `{queue}`");
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Ok(())
        };
        self.with_channel(get).expect("a message");
    }

    /// Gives the first message of a queue back with `nack` again and again, at most `most` times; how often it got it.
    pub(crate) fn give_back_for_ever(&self, queue: &str, most: usize) -> usize {
        let give_back = async |channel: &Channel| {
            channel.basic_qos(1, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            let consumer = channel.basic_consume(queue.into(), "peer".into(), options, FieldTable::default());
            let mut consumer = consumer.await?;
            let options = BasicNackOptions { requeue: true, multiple: false };
            for given_back in 0..most {
                // The broker has taken it away if it does not come again.
                let next = tokio::time::timeout(GIVEN_BACK, consumer.next()).await;
                let Ok(Some(message)) = next else { return Ok(given_back) };
                channel.basic_nack(message?.delivery_tag, options).await?;
            }
            Ok(most)
        };
        self.with_channel(give_back).expect("a channel of the peer's")
    }

    /// Whether the broker takes a message and a queue gets it.
    #[expect(clippy::disallowed_methods, reason = "the tests' own publisher, which is no part of the host")]
    pub(crate) fn is_taken(&self, exchange: &str, key: &str, letter: Letter) -> bool {
        let publish = async |channel: &Channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let options = BasicPublishOptions { mandatory: true, immediate: false };
            let Letter { body, properties } = letter;
            let (exchange, key) = (ShortString::from(exchange), ShortString::from(key));
            let confirm = channel.basic_publish(exchange, key, options, &body, properties).await?;
            let confirmation = confirm.await?;
            Ok(confirmation.is_ack() && confirmation.take_message().is_none())
        };
        self.with_channel(publish).expect("a channel to publish on")
    }

    /// How many messages are ready in a queue: neither handed out to a consumer nor waiting to be dead-lettered.
    pub(crate) fn ready(&self, queue: &str) -> u32 {
        self.passive(queue).unwrap_or_else(|| panic!("there is no queue `{queue}`"))
    }

    /// Waits until `count` messages are ready in a queue.
    pub(crate) fn until_ready(&self, queue: &str, count: u32) {
        eventually(&format!("{count} messages ready in `{queue}`"), SOON, || {
            (self.ready(queue) == count).then_some(())
        });
    }

    /// Whether a queue is there.
    pub(crate) fn exists(&self, queue: &str) -> bool {
        self.passive(queue).is_some()
    }

    fn passive(&self, queue: &str) -> Option<u32> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declare = async |channel: &Channel| {
            channel.queue_declare(queue.into(), options, FieldTable::default()).await
        };
        self.with_channel(declare).ok().map(|queue| queue.message_count())
    }

    /// Declares a durable queue.
    pub(crate) fn declare_queue(&self, queue: &str, arguments: &FieldTable) {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let declare =
            async |channel: &Channel| channel.queue_declare(queue.into(), options, arguments.clone()).await;
        self.with_channel(declare).expect("a new queue");
    }

    /// Declares a durable exchange.
    pub(crate) fn declare_exchange(&self, exchange: &str, kind: ExchangeKind) {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declare = async |channel: &Channel| {
            channel.exchange_declare(exchange.into(), kind, options, FieldTable::default()).await
        };
        self.with_channel(declare).expect("a new exchange");
    }

    pub(crate) fn delete_queue(&self, queue: &str) {
        let delete =
            async |channel: &Channel| channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await;
        self.with_channel(delete).expect("a queue to delete");
    }

    pub(crate) fn delete_exchange(&self, exchange: &str) {
        let options = ExchangeDeleteOptions::default();
        let delete = async |channel: &Channel| channel.exchange_delete(exchange.into(), options).await;
        self.with_channel(delete).expect("an exchange to delete");
    }

    pub(crate) fn bind(&self, queue: &str, exchange: &str, key: &str) {
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        let bind = async |channel: &Channel| {
            channel.queue_bind(queue.into(), exchange.into(), key.into(), options, none).await
        };
        self.with_channel(bind).expect("a new binding");
    }

    pub(crate) fn unbind(&self, queue: &str, exchange: &str, key: &str) {
        let unbind = async |channel: &Channel| {
            channel.queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default()).await
        };
        self.with_channel(unbind).expect("a binding to delete");
    }
}
