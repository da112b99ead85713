//! lapin's types <-> ours, without loss: a copy is published with the header types that the original had.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString};
use serde_json::{Map, Value};

use crate::message::{HeaderValue, Headers, Message, Properties};

/// AMQP's delivery mode of messages that survive a restart of the broker.
const PERSISTENT: u8 = 2;

/// A text as an AMQP short string; cut at 255 bytes, which only a property made of another's text can exceed.
pub(super) fn short(text: &str) -> ShortString {
    ShortString::try_new(&text[..text.floor_char_boundary(255)]).unwrap_or_default()
}

pub(super) fn message_from(delivery: lapin::message::Delivery) -> Message {
    let properties = &delivery.properties;
    let text = |value: &Option<ShortString>| value.as_ref().map(|value| value.as_str().to_owned());
    Message {
        exchange: delivery.exchange.into(),
        routing_key: delivery.routing_key.into(),
        properties: Properties {
            content_type: text(properties.content_type()),
            content_encoding: text(properties.content_encoding()),
            priority: *properties.priority(),
            correlation_id: text(properties.correlation_id()),
            reply_to: text(properties.reply_to()),
            expiration: text(properties.expiration()),
            message_id: text(properties.message_id()),
            timestamp: *properties.timestamp(),
            message_type: text(properties.kind()),
            user_id: text(properties.user_id()),
            app_id: text(properties.app_id()),
        },
        headers: properties.headers().as_ref().map(headers_from).unwrap_or_default(),
        body: delivery.data,
    }
}

fn headers_from(table: &FieldTable) -> Headers {
    table.inner().iter().map(|(name, value)| (name.as_str().to_owned(), header_from(value))).collect()
}

fn header_from(value: &AMQPValue) -> HeaderValue {
    match value {
        AMQPValue::Void => HeaderValue::Void,
        AMQPValue::Boolean(value) => HeaderValue::Boolean(*value),
        AMQPValue::ShortShortInt(value) => HeaderValue::I8(*value),
        AMQPValue::ShortShortUInt(value) => HeaderValue::U8(*value),
        AMQPValue::ShortInt(value) => HeaderValue::I16(*value),
        AMQPValue::ShortUInt(value) => HeaderValue::U16(*value),
        AMQPValue::LongInt(value) => HeaderValue::I32(*value),
        AMQPValue::LongUInt(value) => HeaderValue::U32(*value),
        AMQPValue::LongLongInt(value) => HeaderValue::I64(*value),
        AMQPValue::Float(value) => HeaderValue::F32(*value),
        AMQPValue::Double(value) => HeaderValue::F64(*value),
        AMQPValue::DecimalValue(value) => HeaderValue::Decimal { scale: value.scale, value: value.value },
        AMQPValue::ShortString(text) => HeaderValue::ShortText(text.as_str().to_owned()),
        AMQPValue::LongString(text) => HeaderValue::Text(text.as_bytes().to_vec()),
        AMQPValue::ByteArray(bytes) => HeaderValue::Bytes(bytes.as_slice().to_vec()),
        AMQPValue::Timestamp(seconds) => HeaderValue::Timestamp(*seconds),
        AMQPValue::FieldArray(items) => {
            HeaderValue::Array(items.as_slice().iter().map(header_from).collect())
        }
        AMQPValue::FieldTable(table) => HeaderValue::Table(headers_from(table)),
    }
}

/// The properties to publish a message with; always persistent.
pub(super) fn properties_of(message: &Message) -> BasicProperties {
    let Properties {
        content_type,
        content_encoding,
        priority,
        correlation_id,
        reply_to,
        expiration,
        message_id,
        timestamp,
        message_type,
        user_id,
        app_id,
    } = &message.properties;
    let mut out = BasicProperties::default().with_delivery_mode(PERSISTENT);
    if !message.headers.is_empty() {
        out = out.with_headers(table_of(&message.headers));
    }
    let set = |out: BasicProperties,
               value: &Option<String>,
               with: fn(BasicProperties, ShortString) -> BasicProperties| {
        match value {
            Some(value) => with(out, short(value)),
            None => out,
        }
    };
    out = set(out, content_type, BasicProperties::with_content_type);
    out = set(out, content_encoding, BasicProperties::with_content_encoding);
    out = set(out, correlation_id, BasicProperties::with_correlation_id);
    out = set(out, reply_to, BasicProperties::with_reply_to);
    out = set(out, expiration, BasicProperties::with_expiration);
    out = set(out, message_id, BasicProperties::with_message_id);
    out = set(out, message_type, BasicProperties::with_type);
    out = set(out, user_id, BasicProperties::with_user_id);
    out = set(out, app_id, BasicProperties::with_app_id);
    if let Some(priority) = priority {
        out = out.with_priority(*priority);
    }
    if let Some(timestamp) = timestamp {
        out = out.with_timestamp(*timestamp);
    }
    out
}

fn table_of(headers: &[(String, HeaderValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert(short(name), value_of(value));
    }
    table
}

fn value_of(value: &HeaderValue) -> AMQPValue {
    match value {
        HeaderValue::Void => AMQPValue::Void,
        HeaderValue::Boolean(value) => AMQPValue::Boolean(*value),
        HeaderValue::I8(value) => AMQPValue::ShortShortInt(*value),
        HeaderValue::U8(value) => AMQPValue::ShortShortUInt(*value),
        HeaderValue::I16(value) => AMQPValue::ShortInt(*value),
        HeaderValue::U16(value) => AMQPValue::ShortUInt(*value),
        HeaderValue::I32(value) => AMQPValue::LongInt(*value),
        HeaderValue::U32(value) => AMQPValue::LongUInt(*value),
        HeaderValue::I64(value) => AMQPValue::LongLongInt(*value),
        HeaderValue::F32(value) => AMQPValue::Float(*value),
        HeaderValue::F64(value) => AMQPValue::Double(*value),
        HeaderValue::Decimal { scale, value } => {
            AMQPValue::DecimalValue(DecimalValue { scale: *scale, value: *value })
        }
        HeaderValue::ShortText(text) => AMQPValue::ShortString(short(text)),
        HeaderValue::Text(bytes) => AMQPValue::LongString(LongString::from(bytes.clone())),
        HeaderValue::Bytes(bytes) => AMQPValue::ByteArray(ByteArray::from(bytes.clone())),
        HeaderValue::Timestamp(seconds) => AMQPValue::Timestamp(*seconds),
        HeaderValue::Array(items) => {
            let mut array = FieldArray::default();
            items.iter().for_each(|item| array.push(value_of(item)));
            AMQPValue::FieldArray(array)
        }
        HeaderValue::Table(entries) => AMQPValue::FieldTable(table_of(entries)),
    }
}

/// Arguments of a contract as an AMQP table.
pub(super) fn arguments(arguments: &Map<String, Value>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert(short(name), argument(value));
    }
    table
}

fn argument(value: &Value) -> AMQPValue {
    match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(value) => AMQPValue::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => AMQPValue::LongLongInt(integer),
            None => AMQPValue::Double(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => AMQPValue::LongString(text.as_str().into()),
        Value::Array(items) => {
            let mut array = FieldArray::default();
            items.iter().for_each(|item| array.push(argument(item)));
            AMQPValue::FieldArray(array)
        }
        Value::Object(map) => AMQPValue::FieldTable(arguments(map)),
    }
}
