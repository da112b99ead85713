//! Our own interface: a message whole, lowered into the guest's memory from where the host has it.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;

use crate::message::{HeaderValue, Message, decimal};
use crate::policy::{Attempt, Failure, history};

use super::super::state::State;
use super::super::wit;
use super::super::wit::warren::handler::types::{self, HeaderValueParam as Lent};

/// A message, and what a handler is told beside it.
pub(in crate::sandbox) struct Whole {
    pub(in crate::sandbox) message: Arc<Message>,
    pub(in crate::sandbox) message_id: Arc<str>,
    pub(in crate::sandbox) queue: String,
    pub(in crate::sandbox) consumer: Arc<str>,
    pub(in crate::sandbox) attempt: Attempt,
    pub(in crate::sandbox) redelivered: bool,
    pub(in crate::sandbox) deadline_ms: u32,
}

/// Hands a message over.
pub(super) async fn call(
    guest: &wit::Handler,
    store: &mut Store<State>,
    input: &Whole,
) -> wasmtime::Result<Result<(), Failure>> {
    let message = &*input.message;
    let properties = &message.properties;
    let headers = || message.headers.iter().filter(|(name, _)| !history::is_bookkeeping(name));
    let nested: Vec<Option<String>> = headers().map(|(_, value)| nested(value)).collect();
    let lent: Vec<(&str, Lent<'_>)> =
        headers().zip(&nested).map(|((name, value), json)| (&**name, lend(value, json.as_deref()))).collect();
    let (exchange, routing_key) = history::origin(message);
    let message = types::Message {
        body: &message.body,
        content_type: properties.content_type.as_deref(),
        headers: &lent,
        exchange,
        routing_key,
        queue: &input.queue,
        consumer: &input.consumer,
        message_id: &input.message_id,
        correlation_id: properties.correlation_id.as_deref(),
        causation_id: message.header(history::CAUSATION_ID).and_then(|value| value.as_text()),
        reply_to: properties.reply_to.as_deref(),
        message_type: properties.message_type.as_deref(),
        app_id: properties.app_id.as_deref(),
        priority: properties.priority,
        timestamp: properties.timestamp,
        attempt: input.attempt.number,
        max_attempts: input.attempt.max,
        redelivered: input.redelivered,
        deadline_ms: input.deadline_ms,
    };
    let answer = guest.warren_handler_consumer().call_handle(store, message).await?;
    Ok(answer.map_err(failure))
}

/// A list or a table, as the JSON that a guest gets of it.
fn nested(value: &HeaderValue) -> Option<String> {
    matches!(value, HeaderValue::Array(_) | HeaderValue::Table(_)).then(|| value.to_json().to_string())
}

fn lend<'a>(value: &'a HeaderValue, nested: Option<&'a str>) -> Lent<'a> {
    match value {
        HeaderValue::Void => Lent::Void,
        HeaderValue::Boolean(value) => Lent::Boolean(*value),
        HeaderValue::F32(value) => Lent::Float((*value).into()),
        HeaderValue::F64(value) => Lent::Float(*value),
        HeaderValue::Decimal { scale, value } => Lent::Float(decimal(*scale, *value)),
        HeaderValue::ShortText(text) => Lent::Text(text),
        HeaderValue::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Lent::Text(text),
            Err(_) => Lent::Bytes(bytes),
        },
        HeaderValue::Bytes(bytes) => Lent::Bytes(bytes),
        HeaderValue::Timestamp(seconds) => Lent::Timestamp(*seconds),
        HeaderValue::Array(_) | HeaderValue::Table(_) => Lent::Nested(nested.unwrap_or_default()),
        HeaderValue::I8(_)
        | HeaderValue::U8(_)
        | HeaderValue::I16(_)
        | HeaderValue::U16(_)
        | HeaderValue::I32(_)
        | HeaderValue::U32(_)
        | HeaderValue::I64(_) => Lent::Integer(value.as_integer().unwrap_or_default()),
    }
}

fn failure(failure: types::Failure) -> Failure {
    match failure {
        types::Failure::Permanent(text) => Failure::Permanent(text),
        types::Failure::Transient(text) => Failure::Transient(text),
        types::Failure::Unauthorized(text) => Failure::Unauthorized(text),
        types::Failure::RateLimited(limit) => Failure::RateLimited {
            retry_after: Duration::from_millis(limit.retry_after_ms.into()),
            reason: limit.reason,
        },
    }
}
