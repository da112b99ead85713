//! What is asked: a name and perhaps a key -> an exchange and a key to publish with, or why that cannot be.

use serde_json::{Map, Value};

use crate::contract::{Contract, ExchangeType, nearest};

use super::PublisherView;

/// A message to explain.
#[derive(Debug)]
pub struct Question<'a> {
    /// What publishes it, if that was named.
    pub publisher: Option<PublisherView<'a>>,
    /// The exchange; empty for the default exchange.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// Its headers; none if nothing is known of them.
    pub headers: Option<Map<String, Value>>,
}

/// The longest routing key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// Finds what `name` means: a publisher, event, command or rpc, or else an exchange; empty for the default exchange. An
/// exchange takes any key, a publisher only its own or one that fits its pattern.
pub fn ask<'a>(
    contract: &'a Contract,
    name: &str,
    key: Option<&str>,
    headers: Option<Map<String, Value>>,
    exchange_meant: bool,
) -> Result<Question<'a>, String> {
    if !exchange_meant {
        if let Some(publisher) = contract.publishers.get(name) {
            let routing_key = publisher.key_for(key).map_err(|reason| match &publisher.pattern {
                Some(pattern) => format!("{reason}\n\nhint: give a key that matches `{pattern}`"),
                None => reason,
            })?;
            let exchange = publisher.exchange.clone();
            return Ok(Question {
                publisher: Some(PublisherView::new(publisher)),
                exchange,
                routing_key,
                headers,
            });
        }
        if let Some(rpc) = contract.rpcs.get(name) {
            if let Some(key) = key.filter(|key| *key != rpc.queue) {
                return Err(format!("requests of `{name}` go to the queue `{}`, not to `{key}`", rpc.queue));
            }
            let summary = rpc.summary.as_deref();
            let (name, message) = (&rpc.name, &rpc.request.name);
            let publisher = PublisherView { name, kind: "rpc", message, summary, external_consumers: false };
            let (exchange, routing_key) = (String::new(), rpc.queue.clone());
            return Ok(Question { publisher: Some(publisher), exchange, routing_key, headers });
        }
    }
    let key_needed = match contract.exchanges.get(name) {
        Some(exchange) if exchange.internal => {
            return Err(format!(
                "the exchange `{name}` is internal: the broker takes messages for it from other exchanges only"
            ));
        }
        Some(exchange) => matches!(exchange.kind, ExchangeType::Topic | ExchangeType::Direct),
        None if name.is_empty() => true,
        None => return Err(unknown(contract, name, exchange_meant)),
    };
    match key {
        Some(key) if key.len() > KEY_BYTES_MAX => {
            Err(format!("a routing key has at most {KEY_BYTES_MAX} bytes, and this one has {}", key.len()))
        }
        None if key_needed => Err(key_missing(contract, name)),
        key => Ok(Question {
            publisher: None,
            exchange: name.to_owned(),
            routing_key: key.unwrap_or_default().to_owned(),
            headers,
        }),
    }
}

fn unknown(contract: &Contract, name: &str, exchange_meant: bool) -> String {
    let exchanges = contract.exchanges.keys();
    let names: Vec<&str> = match exchange_meant {
        true => exchanges.map(String::as_str).collect(),
        false => contract
            .publishers
            .keys()
            .chain(contract.rpcs.keys())
            .chain(exchanges)
            .map(String::as_str)
            .collect(),
    };
    let what = if exchange_meant { "exchange" } else { "publisher, event, command, rpc or exchange" };
    let hint = match nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "there is none at all".to_owned(),
        None => {
            let names: Vec<String> = names.iter().take(24).map(|name| format!("`{name}`")).collect();
            format!("there is {}", names.join(", "))
        }
    };
    format!("the contract has no {what} called `{name}`\n\nhint: {hint}")
}

fn key_missing(contract: &Contract, exchange: &str) -> String {
    if exchange.is_empty() {
        return "the default exchange needs a routing key: the name of a queue".to_owned();
    }
    let keys = contract.publishers.values().filter(|publisher| publisher.exchange == exchange);
    let mut keys: Vec<String> =
        keys.filter_map(|publisher| publisher.routing_key.as_ref()).map(|key| format!("`{key}`")).collect();
    keys.sort();
    keys.dedup();
    keys.truncate(12);
    let hint = match keys.is_empty() {
        true => String::new(),
        false => format!("\n\nhint: publishers of this contract use {}", keys.join(", ")),
    };
    format!("the exchange `{exchange}` routes by key, and none is given{hint}")
}
