//! What several test guests need: echoing a message, and headers in JSON.
//!
//! The guests themselves are `examples/*.rs`, one behaviour each, named for what they do. They publish
//! through `echoed`.

pub mod files;

use serde::{Deserialize, Serialize};
use warren_guest::serde_json::{Map, Value};
use warren_guest::{HeaderValue, Message, Result, publish};

/// A payload that any behaviour can be given.
pub type Object = Map<String, Value>;

/// Publishes the payload through `echoed`, with `attempt` and `redelivered` of the message added.
pub fn echo(payload: Object, message: &Message) -> Result {
    echo_through("echoed", payload, message)
}

/// As `echo`, through another publisher.
pub fn echo_through(publisher: &str, mut payload: Object, message: &Message) -> Result {
    payload.insert("attempt".into(), message.attempt.into());
    payload.insert("redelivered".into(), message.redelivered.into());
    publish(publisher, &payload)?;
    Ok(())
}

/// A header value that names its variant in JSON: `{"text": "x"}`, `{"bytes": [1, 2]}`, `"void"`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "they are the variants of `HeaderValue`")]
pub enum Header {
    Void,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Timestamp(u64),
    Nested(String),
}

impl From<HeaderValue> for Header {
    fn from(value: HeaderValue) -> Self {
        match value {
            HeaderValue::Void => Self::Void,
            HeaderValue::Boolean(value) => Self::Boolean(value),
            HeaderValue::Integer(value) => Self::Integer(value),
            HeaderValue::Float(value) => Self::Float(value),
            HeaderValue::Text(value) => Self::Text(value),
            HeaderValue::Bytes(value) => Self::Bytes(value),
            HeaderValue::Timestamp(value) => Self::Timestamp(value),
            HeaderValue::Nested(value) => Self::Nested(value),
        }
    }
}

impl From<Header> for HeaderValue {
    fn from(value: Header) -> Self {
        match value {
            Header::Void => Self::Void,
            Header::Boolean(value) => Self::Boolean(value),
            Header::Integer(value) => Self::Integer(value),
            Header::Float(value) => Self::Float(value),
            Header::Text(value) => Self::Text(value),
            Header::Bytes(value) => Self::Bytes(value),
            Header::Timestamp(value) => Self::Timestamp(value),
            Header::Nested(value) => Self::Nested(value),
        }
    }
}
