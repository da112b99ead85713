//! What the broker tells of the orders of this run: notices in `audit-log`, and dead letters in `dead-letters`.
//!
//! Entries of this run in `audit-log` are acknowledged. All else is only looked at, and goes back when we end: entries
//! of others, and every dead letter, because those are the operator's.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use futures_util::stream::{SelectAll, select_all};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ConnectionProperties, Consumer};
use serde_json::Value;

use crate::ledger::{Branch, Ending, Evidence, Ledger};

const AUDIT_LOG: &str = "audit-log";
const DEAD_LETTERS: &str = "dead-letters";
const DEAD_LETTER_EXCHANGE: &str = "dlx";
/// The dead-letter key of each work queue.
const DEAD_LETTER_KEYS: [(&str, &str); 4] = [
    ("order.dead-letter", "order-processing"),
    ("payment.dead-letter", "payment-process"),
    ("inventory.dead-letter", "inventory-update"),
    ("notification.dead-letter", "notification-send"),
];
/// The broker lets one consumer of a quorum queue hold 2,000 messages unacknowledged; with more than this for each, we
/// take another consumer.
const HELD_PER_CONSUMER: usize = 1_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// After this long without news there will be none.
const QUIET: Duration = Duration::from_millis(500);

/// Evidence that is not written down yet.
#[derive(Debug)]
pub(crate) struct News {
    evidence: Evidence,
    tag: u64,
}

/// Listens at the broker.
pub(crate) struct Witness {
    run: String,
    /// Closed when dropped.
    _connection: Connection,
    channel: Channel,
    deliveries: SelectAll<Consumer>,
}

impl Witness {
    /// Starts to listen, for at most that many dead letters. The contract's topology has to exist.
    pub(crate) async fn open(amqp_url: &str, run: &str, dead_letters_max: usize) -> Result<Self> {
        let properties = ConnectionProperties::default().with_connection_name("orders-demo".into());
        let connecting = Connection::connect(amqp_url, properties);
        let connection = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(connected) => connected.context("cannot connect to the broker of WARREN_AMQP_URL")?,
            Err(_) => bail!("the broker of WARREN_AMQP_URL does not answer"),
        };
        let channel = connection.create_channel().await?;
        channel.basic_qos(0, BasicQosOptions { global: false }).await?;
        let mut consumers = Vec::new();
        for (queue, news_held_max) in [(AUDIT_LOG, 0), (DEAD_LETTERS, dead_letters_max)] {
            let held_max = length(&channel, queue).await? + news_held_max;
            for _ in 0..=held_max / HELD_PER_CONSUMER {
                consumers.push(consume(&channel, queue).await?);
            }
        }
        let deliveries = select_all(consumers);
        Ok(Self { run: run.to_owned(), _connection: connection, channel, deliveries })
    }

    /// Waits for the next news of an order of this run, for `write_down`.
    /// Nothing is lost when the wait is given up.
    pub(crate) async fn next(&mut self) -> Result<News> {
        loop {
            let delivery = self.deliveries.next().await.context("the broker has ended our consumers")??;
            if let Some(evidence) = evidence(&self.run, &delivery) {
                return Ok(News { evidence, tag: delivery.delivery_tag });
            }
        }
    }

    /// Writes news down, and only then lets the broker forget what is from the audit log; whether an ending was still
    /// open.
    pub(crate) async fn write_down(&self, news: News, ledger: &mut Ledger) -> Result<bool> {
        let is_dead_letter = matches!(news.evidence.ending, Ending::DeadLetter { .. });
        let first = ledger.record(news.evidence);
        if !is_dead_letter {
            self.channel.basic_ack(news.tag, BasicAckOptions { multiple: false }).await?;
        }
        Ok(first)
    }

    /// Writes down what still comes, until nothing does.
    pub(crate) async fn listen_until_quiet(&mut self, ledger: &mut Ledger) -> Result<()> {
        while let Ok(news) = tokio::time::timeout(QUIET, self.next()).await {
            self.write_down(news?, ledger).await?;
        }
        Ok(())
    }
}

async fn consume(channel: &Channel, queue: &str) -> Result<Consumer> {
    let options = BasicConsumeOptions { no_local: false, no_ack: false, exclusive: false, nowait: false };
    let consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await;
    consumer.with_context(|| format!("cannot consume from `{queue}`"))
}

/// How many messages wait in a queue.
async fn length(channel: &Channel, queue: &str) -> Result<usize> {
    let passive = QueueDeclareOptions {
        passive: true,
        durable: true,
        exclusive: false,
        auto_delete: false,
        nowait: false,
    };
    let declared = channel.queue_declare(queue.into(), passive, FieldTable::default()).await;
    Ok(declared.with_context(|| format!("there is no queue `{queue}`"))?.message_count() as usize)
}

/// What a delivery tells of an order of this run; none if it is another's.
fn evidence(run: &str, delivery: &Delivery) -> Option<Evidence> {
    let text = |id: &Option<ShortString>| id.as_ref().map(|id| id.as_str().to_owned());
    let message_id = text(delivery.properties.message_id()).unwrap_or_default();
    // What a handler published is tied to the order by its correlation id; the order itself is known by its own.
    let order = text(delivery.properties.correlation_id()).unwrap_or_else(|| message_id.clone());
    let order: usize = order.strip_prefix(run)?.strip_prefix('-')?.parse().ok()?;
    let body: Value = serde_json::from_slice(&delivery.data).unwrap_or_default();
    let dead = DEAD_LETTER_KEYS.iter().find(|(key, _)| {
        delivery.exchange.as_str() == DEAD_LETTER_EXCHANGE && delivery.routing_key.as_str() == *key
    });
    let (branch, ending, attempts) = match dead {
        Some((_, queue)) => dead_letter(queue, delivery, &body)?,
        None => audit_entry(&body)?,
    };
    Some(Evidence { order, branch, ending, attempts, message_id })
}

fn audit_entry(body: &Value) -> Option<(Branch, Ending, Option<u64>)> {
    if let Some(about) = body["about"].as_str() {
        return Some((notice_branch(about)?, Ending::Notified, None));
    }
    match body["type"].as_str()? {
        "paymentSettled" => Some((Branch::Payment, Ending::Settled, body["attempts"].as_u64())),
        "inventoryReserved" => Some((Branch::Inventory, Ending::Reserved, None)),
        _ => None,
    }
}

fn dead_letter(queue: &str, delivery: &Delivery, body: &Value) -> Option<(Branch, Ending, Option<u64>)> {
    let branch = match queue {
        "order-processing" | "payment-process" => Branch::Payment,
        "inventory-update" => Branch::Inventory,
        _ => notice_branch(body["type"].as_str()?)?,
    };
    let headers = delivery.properties.headers().as_ref();
    let header = |name: &str| headers.and_then(|headers| headers.inner().get(name));
    // What the broker itself dead-letters (its time in the queue was over) has no class of the host.
    let class = header("x-warren-class").or_else(|| header("x-first-death-reason")).map(text_of);
    let attempts = header("x-warren-attempts").and_then(integer_of);
    let ending = Ending::DeadLetter { queue: queue.to_owned(), class: class.unwrap_or_default() };
    Some((branch, ending, attempts))
}

fn notice_branch(about: &str) -> Option<Branch> {
    match about {
        "paymentSettled" => Some(Branch::PaymentNotice),
        "inventoryReserved" => Some(Branch::InventoryNotice),
        _ => None,
    }
}

fn text_of(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        other => format!("{other:?}"),
    }
}

fn integer_of(value: &AMQPValue) -> Option<u64> {
    match value {
        AMQPValue::LongInt(number) => u64::try_from(*number).ok(),
        AMQPValue::LongLongInt(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}
