//! A message that the tests publish, one that they got, and values of AMQP.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use serde_json::Value;

/// A message to publish.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) body: Vec<u8>,
    pub(crate) properties: BasicProperties,
}

/// A message as it came out of a queue.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    pub(crate) redelivered: bool,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
}

impl Letter {
    /// Any bytes, without properties.
    pub(crate) fn raw(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), properties: BasicProperties::default() }
    }

    /// JSON with a message id, persistent, as a well-behaved publisher sends it.
    pub(crate) fn json(id: &str, payload: &Value) -> Self {
        let properties = BasicProperties::default().with_delivery_mode(2);
        let properties = properties.with_content_type("application/json".into()).with_message_id(id.into());
        Self { body: payload.to_string().into_bytes(), properties }
    }

    /// With other properties.
    pub(crate) fn with(mut self, change: impl FnOnce(BasicProperties) -> BasicProperties) -> Self {
        self.properties = change(self.properties);
        self
    }

    /// With one more header.
    pub(crate) fn header(mut self, name: &str, value: AMQPValue) -> Self {
        let mut headers = self.properties.headers().clone().unwrap_or_default();
        headers.insert(name.into(), value);
        self.properties = self.properties.with_headers(headers);
        self
    }
}

impl Got {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body that is JSON")
    }

    /// The message id; empty if there is none.
    pub(crate) fn id(&self) -> String {
        self.properties.message_id().as_ref().map(ShortString::to_string).unwrap_or_default()
    }

    /// The correlation id; empty if there is none.
    pub(crate) fn correlation_id(&self) -> String {
        self.properties.correlation_id().as_ref().map(ShortString::to_string).unwrap_or_default()
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&AMQPValue> {
        self.properties.headers().as_ref()?.inner().get(name)
    }

    /// A header that is a text.
    pub(crate) fn text(&self, name: &str) -> String {
        match self.header(name) {
            Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
            other => panic!("header `{name}` is {other:?} in {:?}", self.properties.headers()),
        }
    }

    /// A header that is an integer.
    pub(crate) fn integer(&self, name: &str) -> i64 {
        match self.header(name) {
            Some(AMQPValue::LongInt(value)) => (*value).into(),
            Some(AMQPValue::LongLongInt(value)) => *value,
            other => panic!("header `{name}` is {other:?} in {:?}", self.properties.headers()),
        }
    }
}

/// Text as a header or argument.
pub(crate) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

/// Arguments of a declaration.
pub(crate) fn arguments<const N: usize>(arguments: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert(name.into(), value);
    }
    table
}

impl From<lapin::message::Delivery> for Got {
    fn from(delivery: lapin::message::Delivery) -> Self {
        Self {
            exchange: delivery.exchange.to_string(),
            routing_key: delivery.routing_key.to_string(),
            redelivered: delivery.redelivered,
            properties: delivery.properties,
            body: delivery.data,
        }
    }
}
