//! The native sides: lapin and jsonschema, as the host has them. One acks and confirms message by message, the other in
//! batches and with confirms under way, which is the most that we know how to get out of the client.

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use jsonschema::Validator;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, BasicRejectOptions,
    ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, PublisherConfirm,
};
use serde_json::{Value, json};

use crate::broker::short;
use crate::order::{ACCEPTED_SCHEMA, SCHEMA};

/// How many finished messages are acked together; fewer when there is nothing else to do.
const BATCH: usize = 50;

/// A native side.
#[derive(Debug, Args)]
pub(crate) struct Native {
    kind: Kind,
    url: String,
    queue: String,
    prefetch: u16,
    /// `publish` to publish one message for each
    publish: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Each,
    Batched,
}

/// Consumes until it is killed.
pub(crate) async fn run(native: &Native) -> Result<()> {
    let connection = Connection::connect(&native.url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(native.prefetch, BasicQosOptions::default()).await?;
    if native.publish.is_some() {
        channel.confirm_select(ConfirmSelectOptions { nowait: false }).await?;
    }
    let options = BasicConsumeOptions::default();
    let consumer =
        channel.basic_consume(short(&native.queue), "bench".into(), options, FieldTable::default()).await?;
    let worker = Worker { channel, orders: compile(SCHEMA)?, accepted: compile(ACCEPTED_SCHEMA)? };
    match native.kind {
        Kind::Each => worker.each(consumer, native.publish.is_some()).await,
        Kind::Batched => worker.batched(consumer, native.publish.is_some()).await,
    }
}

fn compile(schema: &str) -> Result<Validator> {
    Ok(jsonschema::validator_for(&serde_json::from_str(schema)?)?)
}

struct Worker {
    channel: Channel,
    orders: Validator,
    accepted: Validator,
}

/// What is to become of a message.
enum Verdict {
    Good(Value),
    Reject { requeue: bool },
}

impl Worker {
    /// One after the other.
    async fn each(&self, mut consumer: Consumer, publishes: bool) -> Result<()> {
        while let Some(delivery) = consumer.next().await {
            let delivery = delivery?;
            match self.judge(&delivery) {
                Verdict::Reject { requeue } => self.reject(&delivery, requeue).await?,
                Verdict::Good(order) => {
                    if publishes {
                        check(&self.publish(&order).await?.await?)?;
                    }
                    self.ack(delivery.delivery_tag, false).await?;
                }
            }
        }
        Ok(())
    }

    /// Acks together what is finished in an unbroken row, as soon as it is enough, or nothing else is to be done.
    async fn batched(&self, mut consumer: Consumer, publishes: bool) -> Result<()> {
        let mut confirms = FuturesOrdered::new();
        let (mut finished, mut unacked) = (0, 0);
        loop {
            let mut next = std::pin::pin!(async {
                tokio::select! {
                    biased;
                    Some(confirmed) = confirms.next(), if !confirms.is_empty() => Next::Confirmed(confirmed),
                    delivery = consumer.next() => Next::Delivered(delivery),
                }
            });
            let next = match next.as_mut().now_or_never() {
                Some(next) => next,
                None => {
                    if unacked > 0 {
                        self.ack(finished, true).await?;
                        unacked = 0;
                    }
                    next.await
                }
            };
            match next {
                Next::Confirmed(confirmed) => {
                    let (tag, confirmation): (u64, lapin::Result<Confirmation>) = confirmed;
                    check(&confirmation?)?;
                    (finished, unacked) = (tag, unacked + 1);
                }
                Next::Delivered(None) => return Ok(()),
                Next::Delivered(Some(delivery)) => {
                    let delivery = delivery?;
                    let tag = delivery.delivery_tag;
                    match self.judge(&delivery) {
                        Verdict::Reject { requeue } => self.reject(&delivery, requeue).await?,
                        Verdict::Good(order) if publishes => {
                            let confirm = self.publish(&order).await?;
                            confirms.push_back(confirm.map(move |confirmation| (tag, confirmation)));
                        }
                        Verdict::Good(_) => (finished, unacked) = (tag, unacked + 1),
                    }
                }
            }
            if unacked >= BATCH {
                self.ack(finished, true).await?;
                unacked = 0;
            }
        }
    }

    fn judge(&self, delivery: &Delivery) -> Verdict {
        match serde_json::from_slice::<Value>(&delivery.data) {
            Ok(order) if self.orders.is_valid(&order) => {
                // It fails once.
                if order.get("fail") == Some(&Value::Bool(true)) && !delivery.redelivered {
                    Verdict::Reject { requeue: true }
                } else {
                    Verdict::Good(order)
                }
            }
            _ => Verdict::Reject { requeue: false },
        }
    }

    #[expect(clippy::disallowed_methods, reason = "what the host is compared with")]
    async fn publish(&self, order: &Value) -> Result<PublisherConfirm> {
        let id = order.get("id").and_then(Value::as_str).context("no id")?;
        let accepted = json!({ "order": id });
        ensure!(self.accepted.is_valid(&accepted), "what is published does not fit its schema");
        let body = serde_json::to_vec(&accepted)?;
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id(short(id));
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        Ok(self.channel.basic_publish("out".into(), "accepted".into(), options, &body, properties).await?)
    }

    async fn ack(&self, tag: u64, multiple: bool) -> Result<()> {
        Ok(self.channel.basic_ack(tag, BasicAckOptions { multiple }).await?)
    }

    async fn reject(&self, delivery: &Delivery, requeue: bool) -> Result<()> {
        Ok(self.channel.basic_reject(delivery.delivery_tag, BasicRejectOptions { requeue }).await?)
    }
}

enum Next {
    Confirmed((u64, lapin::Result<Confirmation>)),
    Delivered(Option<lapin::Result<Delivery>>),
}

fn check(confirmation: &Confirmation) -> Result<()> {
    ensure!(matches!(confirmation, Confirmation::Ack(None)), "the broker does not take what is published");
    Ok(())
}
