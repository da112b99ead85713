//! `warren publish`: one message, or a stream of JSON lines, through a publisher of the contract.
//!
//! Reads ahead on a thread of its own (`input`), publishes what is there in batches (`session`), counts (`report`).

mod input;
mod report;
mod session;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use uuid::Uuid;

use crate::broker::{Address, Publication};
use crate::contract::{Contract, Publisher};
use crate::message::{HeaderValue, Message, Properties, headers_json};
use crate::topology::{self, Topology};

use super::run::client_runtime;
use super::{BrokerArgs, ContractArgs, Exit};
use input::{Input, Line};
use report::Report;
use session::{Session, SessionError};

/// The most messages of one batch.
const BATCH_MAX: usize = 256;
/// How long after Ctrl-C the broker may still confirm what it was sent.
const INTERRUPT_GRACE: Duration = Duration::from_secs(3);

/// Publish one message, or a file or stream of JSON lines, through a publisher, event or command of the contract
///
/// Each message is checked against the contract, published persistent and mandatory, and counted as published only when
/// the broker has confirmed it and a queue has taken it. What is refused is counted by reason and not published. When the
/// connection is lost, it is opened again, and what was not confirmed is sent again with the same message ids.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Publish {
    #[command(flatten)]
    contract: ContractArgs,

    /// A publisher, event or command of the contract
    publisher: String,

    #[command(flatten)]
    broker: BrokerArgs,

    /// One message: its body
    #[arg(short, long, value_name = "BODY", conflicts_with = "file")]
    data: Option<String>,

    /// One message for each line of this file; `-` reads standard input, and so does leaving both out
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Routing key, for a command whose key is a pattern
    #[arg(short = 'k', long, value_name = "KEY")]
    routing_key: Option<String>,

    /// A header, as often as needed; the value is a text, or JSON for another type
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = header)]
    headers: Vec<(String, HeaderValue)>,

    /// Correlation id
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,

    /// Message id of the one message of --data [default: a random UUID]
    #[arg(long, value_name = "ID", requires = "data")]
    message_id: Option<String>,

    /// Message ids of lines: PREFIX-<number of the line>, so that a file sent twice is seen to be the same [default: random UUIDs]
    #[arg(long, value_name = "PREFIX", conflicts_with = "data")]
    message_id_prefix: Option<String>,

    /// Do not check bodies and headers: to see what consumers do with bad messages
    #[arg(long)]
    no_validate: bool,

    /// Do not declare exchanges, queues and bindings first
    #[arg(long)]
    no_declare: bool,

    /// Write refused lines to this file, as they were
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,

    /// How long to wait for a broker that is not there, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait_seconds: u64,

    /// Whether to draw a progress bar
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Progress {
    Auto,
    Always,
    Never,
}

const EXAMPLES: &str = "\
Examples:
  warren publish contract.yaml orderCreated -d '{\"id\":\"o-1\",\"total\":12.5}'
  warren publish contract.yaml orderCreated -f orders.jsonl --refused bad.jsonl
  tail -f orders.jsonl | warren publish contract.yaml orderCreated";

impl Publish {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let Some(address) = self.broker.address() else { return Ok(Exit::Usage) };
        let Some(loaded) = self.contract.load() else { return Ok(Exit::Contract) };
        let Some(publisher) = loaded.contract.publishers.get(&self.publisher).cloned() else {
            eprintln!("error: {}", no_publisher(&loaded.contract, &self.publisher));
            return Ok(Exit::Usage);
        };
        let routing_key = match publisher.key_for(self.routing_key.as_deref()) {
            Ok(key) => key,
            Err(reason) => {
                eprintln!("error: {reason}\n\nhint: give one with --routing-key");
                return Ok(Exit::Usage);
            }
        };
        let topology = if self.no_declare { Topology::default() } else { topology::derive(&loaded.contract) };
        let template = Template { routing_key, app_id: loaded.contract.name.clone() };
        client_runtime()?.block_on(self.publish(&address, &publisher, &topology, &template))
    }

    async fn publish(
        self,
        address: &Address,
        publisher: &Arc<Publisher>,
        topology: &Topology,
        template: &Template,
    ) -> anyhow::Result<Exit> {
        let mut input =
            Input::open(self.data.as_deref(), self.file.as_deref(), publisher.message.max_body_bytes)?;
        let mut report = Report::new(self.progress, input.bytes, self.refused.as_deref())?;
        let wait = Duration::from_secs(self.wait_seconds);
        let mut session = match Session::open(address, topology, wait).await {
            Ok(session) => session,
            Err(error) => return Ok(fail(&error)),
        };
        // One listener for the whole run: a signal between two of them would be nobody's.
        let interrupt = tokio::signal::ctrl_c();
        tokio::pin!(interrupt);
        let mut interrupted = false;
        let mut lines = Vec::with_capacity(BATCH_MAX);
        while !interrupted {
            tokio::select! {
                read = input.lines.recv_many(&mut lines, BATCH_MAX) => if read == 0 { break },
                _ = &mut interrupt => { interrupted = true; break }
            }
            let batch = self.batch(&mut lines, publisher, template, &mut report)?;
            let sent = batch.len();
            let verdicts = {
                let publishing = session.publish(batch);
                tokio::pin!(publishing);
                tokio::select! {
                    verdicts = &mut publishing => Some(verdicts),
                    _ = &mut interrupt => {
                        interrupted = true;
                        tokio::time::timeout(INTERRUPT_GRACE, publishing).await.ok()
                    }
                }
            };
            match verdicts {
                Some(Ok(verdicts)) => report.verdicts(verdicts)?,
                Some(Err(error)) => {
                    report.finish(false);
                    return Ok(fail(&error));
                }
                None => eprintln!("{sent} more were sent and not confirmed; they may have been published"),
            }
        }
        session.close().await;
        let read_all = input.error.lock().map_or(None, |mut error| error.take());
        let refused = report.finish(interrupted);
        if let Some(error) = read_all {
            return Err(error);
        }
        Ok(match (interrupted, refused) {
            (true, _) => Exit::Interrupted,
            (false, 0) => Exit::Done,
            (false, _) => Exit::Refused,
        })
    }

    /// Checks lines, and makes messages of those that pass.
    fn batch(
        &self,
        lines: &mut Vec<Line>,
        publisher: &Publisher,
        template: &Template,
        report: &mut Report,
    ) -> anyhow::Result<Vec<(Line, Publication)>> {
        let mut batch = Vec::with_capacity(lines.len());
        for line in lines.drain(..) {
            report.read(&line);
            let message = self.message(&line, publisher, template);
            let checked = self.check(&line, &message, publisher);
            match checked {
                Ok(()) => {
                    let mut message = message;
                    let (body, encoding) = publisher.message.encode(message.body);
                    message.properties.content_encoding = encoding.map(str::to_owned);
                    message.body = body;
                    let routing_key = template.routing_key.clone();
                    let publication =
                        Publication { exchange: publisher.exchange.clone(), routing_key, message };
                    batch.push((line, publication));
                }
                Err(reasons) => report.refused(&line, &reasons.join("; "))?,
            }
        }
        Ok(batch)
    }

    fn check(&self, line: &Line, message: &Message, publisher: &Publisher) -> Result<(), Vec<String>> {
        if line.too_long {
            return Err(vec![format!("body is larger than {} bytes", publisher.message.max_body_bytes)]);
        }
        if self.no_validate {
            return Ok(());
        }
        publisher.message.check(&message.body, None, || headers_json(&message.headers))
    }

    fn message(&self, line: &Line, publisher: &Publisher, template: &Template) -> Message {
        let id = match (&self.message_id, &self.message_id_prefix) {
            (Some(id), _) => id.clone(),
            (None, Some(prefix)) => format!("{prefix}-{}", line.number),
            (None, None) => Uuid::new_v4().to_string(),
        };
        Message {
            properties: Properties {
                content_type: Some(publisher.message.content_type.clone()),
                message_id: Some(id),
                correlation_id: self.correlation_id.clone(),
                message_type: Some(publisher.message.name.clone()),
                timestamp: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs()),
                app_id: Some(template.app_id.clone()),
                ..Properties::default()
            },
            headers: self.headers.clone(),
            body: line.body.clone(),
            ..Message::default()
        }
    }
}

/// What all messages have in common.
struct Template {
    routing_key: String,
    app_id: String,
}

fn no_publisher(contract: &Contract, name: &str) -> String {
    let names: Vec<String> = contract.publishers.keys().map(|name| format!("`{name}`")).collect();
    format!(
        "the contract has no publisher, event or command called `{name}`\n\nhint: there is {}",
        if names.is_empty() { "none at all".to_owned() } else { names.join(", ") }
    )
}

fn fail(error: &SessionError) -> Exit {
    eprintln!("error: {error}");
    error.exit()
}

fn header(text: &str) -> Result<(String, HeaderValue), String> {
    let (name, value) = text.split_once('=').ok_or("a header is written NAME=VALUE")?;
    if name.is_empty() || name.len() > 255 {
        return Err("a header's name has 1 to 255 bytes".to_owned());
    }
    let value = match serde_json::from_str(value) {
        Ok(serde_json::Value::String(text)) => HeaderValue::text(text),
        Ok(json) => HeaderValue::from_json(&json),
        Err(_) => HeaderValue::text(value),
    };
    Ok((name.to_owned(), value))
}
