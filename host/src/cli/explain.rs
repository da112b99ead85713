//! `warren explain`: where a message goes, and what happens to it there.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use crate::explain::{ask, explain};

use super::{ContractArgs, Exit, print_data};

/// Say where a message goes, and what happens to it there when it fails; needs no broker
///
/// The way through exchanges and bindings, as the broker routes it, to the queues and their consumers; and for each
/// consumer what becomes of a message that is handled, fails in one way or another, or is never settled: how often it is
/// tried, after which delays, and where it ends.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Explain {
    #[command(flatten)]
    contract: ContractArgs,

    /// A publisher, event, command, rpc or exchange of the contract; '' is the default exchange
    name: String,

    /// The routing key: any for an exchange; for a publisher only where it has a pattern
    routing_key: Option<String>,

    /// NAME is an exchange, even if a publisher has that name, too
    #[arg(long)]
    exchange: bool,

    /// A header of the message, as often as needed, for headers exchanges on its way; the value is a text, or JSON for
    /// another type. Without any, the headers count as not known
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = header, conflicts_with = "no_headers")]
    headers: Vec<(String, Value)>,

    /// The message has no headers
    #[arg(long)]
    no_headers: bool,

    /// How to say it
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

const AFTER_HELP: &str = "\
Examples:
  warren explain contract.yaml orderCreated
  warren explain contract.yaml orders order.created.eu
  warren explain contract.yaml documents -H kind=invoice -H pages=3
  warren explain contract.yaml '' order-processing

Exits with 0 if the message reaches a queue of the contract, or may, and with 65 if it
reaches none.

The JSON has contract, version, publisher, exchange, routingKey, headers, routed,
dependsOnHeaders, and as arrays:
  hops      exchange, exchangeType, by (binding, alternate or name), queue or toExchange,
            routingKey, arguments, from, domain, sure
  deadEnds  exchange, exchangeType, boundWith, nearest
  queues    name, type, declared, domain, sure, messageTtlMs,
            whenFull { maxMessages, maxBytes, overflow },
            deadLetter { exchange, routingKey, ownKey, queues },
            consumer { name, message, component, delivery, publishes, maxAttempts, deadlineMs,
            memoryBytes, outcomes, neverSettled { deliveries, by, then } }
  outcomes  outcome, overridden (by `onFailure`), steps { fromAttempt, toAttempt, then,
            waitQueue, afterMs, minMs, maxMs }; `then` is ack, retry, requeue,
            dead-letter or drop, and the times say when the next attempt is
Later versions may add fields; none changes its meaning.";

impl Explain {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let Some(loaded) = self.contract.load() else { return Ok(Exit::Contract) };
        let known = self.no_headers || !self.headers.is_empty();
        let headers = known.then(|| self.headers.into_iter().collect::<Map<_, _>>());
        let key = self.routing_key.as_deref();
        let question = match ask(&loaded.contract, &self.name, key, headers, self.exchange) {
            Ok(question) => question,
            Err(reason) => {
                eprintln!("error: {reason}");
                return Ok(Exit::Usage);
            }
        };
        let explanation = explain(&loaded.contract, question);
        print_data(&match self.format {
            Format::Human => explanation.human(),
            Format::Json => serde_json::to_string_pretty(&explanation)? + "\n",
        })?;
        Ok(if explanation.routed { Exit::Done } else { Exit::Refused })
    }
}

fn header(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("a header is written NAME=VALUE")?;
    if name.is_empty() || name.len() > 255 {
        return Err("a header's name has 1 to 255 bytes".to_owned());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}
