//! What is left when a scenario is over: what came out, what is dead, what was executed, when faults were.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties};

use crate::load::Ledger;
use crate::log::Execution;
use crate::runtime;

/// How long a queue may keep silent before it is taken for empty.
const SILENCE: Duration = Duration::from_secs(2);
/// How long reading both ends may take.
const READ_MAX: Duration = Duration::from_secs(300);
/// How many messages are read ahead.
const PREFETCH: u16 = 500;

/// Who suffers a fault, which decides what it may leave in duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// Nobody: it may leave nothing in duplicate.
    Nobody,
    /// A host or its connection: what is in flight there may be handled again.
    Host,
    /// The broker: beside that, what it was moving from a wait queue may be there again.
    Broker,
}

/// A fault that happened.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// Who had it.
    pub(crate) victim: Victim,
    /// From when, in milliseconds since 1970.
    pub(crate) from_ms: u64,
    /// Until everything was well again.
    pub(crate) to_ms: u64,
}

/// A message in the queue `echoes`: something was handled.
#[derive(Debug, Clone)]
pub(crate) struct Echo {
    /// The id of what was handled.
    pub(crate) input: String,
    /// Its own id.
    pub(crate) id: String,
}

/// A message in the queue `dead`.
#[derive(Debug, Clone)]
pub(crate) struct Dead {
    /// Its id.
    pub(crate) id: String,
    /// Why; if the broker has dead-lettered it by itself, its reason, such as `rejected`.
    pub(crate) class: String,
    /// After how many attempts; 0 if it does not say.
    pub(crate) attempts: i64,
}

/// Everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) sent: Ledger,
    pub(crate) executions: Vec<Execution>,
    pub(crate) echoes: Vec<Echo>,
    pub(crate) dead: Vec<Dead>,
    pub(crate) faults: Vec<Fault>,
    /// Messages in queues that should be empty.
    pub(crate) left: BTreeMap<String, u64>,
}

/// Reads both queues to their end.
pub(crate) fn read_ends(url: &str) -> Result<(Vec<Echo>, Vec<Dead>)> {
    let reading = async {
        let properties = ConnectionProperties::default().with_connection_name("chaos reads".into());
        let connection =
            Connection::connect(url, properties).await.context("no connection to read the ends")?;
        let echoes = drain(&connection, "echoes").await?;
        let dead = drain(&connection, "dead").await?;
        connection.close(200, "done".into()).await.ok(); // everything is read
        let echoes = echoes.into_iter().map(|(id, input, _)| Echo { input, id }).collect();
        let dead = dead.into_iter().map(|(id, _, headers)| Dead {
            id,
            class: class(&headers),
            attempts: integer(&headers, "x-warren-attempts"),
        });
        Ok((echoes, dead.collect()))
    };
    let limited = async { tokio::time::timeout(READ_MAX, reading).await };
    runtime().block_on(limited).context("the ends could not be read in time")?
}

type Read = (String, String, FieldTable);

async fn drain(connection: &Connection, queue: &str) -> Result<Vec<Read>> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.into(), "chaos".into(), options, FieldTable::default());
    let mut consumer = consumer.await.with_context(|| format!("cannot read queue `{queue}`"))?;
    let mut read = Vec::new();
    let mut unacked = 0;
    while let Ok(next) = tokio::time::timeout(SILENCE, consumer.next()).await {
        let delivery = next.with_context(|| format!("the broker stopped the reading of `{queue}`"))??;
        let text = |text: &Option<lapin::types::ShortString>| {
            text.as_ref().map(|text| text.as_str().to_owned()).unwrap_or_default()
        };
        let properties = &delivery.properties;
        let (id, correlation) = (text(properties.message_id()), text(properties.correlation_id()));
        read.push((id, correlation, properties.headers().clone().unwrap_or_default()));
        unacked += 1;
        if unacked == PREFETCH / 2 {
            channel.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple: true }).await?;
            unacked = 0;
        }
    }
    // Tag 0 with `multiple`: all that is open.
    channel.basic_ack(0, BasicAckOptions { multiple: true }).await?;
    channel.close(200, "done".into()).await?;
    Ok(read)
}

fn class(headers: &FieldTable) -> String {
    let ours = text(headers, "x-warren-class");
    if ours.is_empty() { text(headers, "x-first-death-reason") } else { ours }
}

fn text(headers: &FieldTable, name: &str) -> String {
    match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        _ => String::new(),
    }
}

fn integer(headers: &FieldTable, name: &str) -> i64 {
    match headers.inner().get(name) {
        Some(AMQPValue::LongInt(value)) => (*value).into(),
        Some(AMQPValue::LongLongInt(value)) => *value,
        _ => 0,
    }
}
