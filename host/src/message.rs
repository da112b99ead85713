//! A message as it came from the broker, owned and free of any broker library's types. Header types are kept exactly,
//! so that a copy is published as the original was.

use serde_json::{Map, Value};

/// An AMQP header value with its exact type.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names are AMQP's")]
pub enum HeaderValue {
    Void,
    Boolean(bool),
    I8(i8),
    U8(u8),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    F32(f32),
    F64(f64),
    Decimal {
        scale: u8,
        value: u32,
    },
    /// A short string; RabbitMQ's own tables do not hold them, some clients' do.
    ShortText(String),
    /// A long string; any bytes, nearly always UTF-8.
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Timestamp(u64),
    Array(Vec<Self>),
    Table(Vec<(String, Self)>),
}

/// Header names with their values; a name occurs once.
pub type Headers = Vec<(String, HeaderValue)>;

/// The AMQP basic properties, without the headers.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "the names are AMQP's")]
pub struct Properties {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub priority: Option<u8>,
    pub correlation_id: Option<String>,
    pub reply_to: Option<String>,
    pub expiration: Option<String>,
    pub message_id: Option<String>,
    pub timestamp: Option<u64>,
    pub message_type: Option<String>,
    pub user_id: Option<String>,
    pub app_id: Option<String>,
}

/// A message: content, properties and headers, and how it was addressed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Message {
    /// The exchange it was published to.
    pub exchange: String,
    /// The routing key it was published with.
    pub routing_key: String,
    /// The AMQP properties.
    pub properties: Properties,
    /// The AMQP headers.
    pub headers: Headers,
    /// The payload.
    pub body: Vec<u8>,
}

impl HeaderValue {
    /// A text header.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into().into_bytes())
    }

    /// JSON as a header: an object is a table, a list an array.
    pub fn from_json(json: &Value) -> Self {
        match json {
            Value::Null => Self::Void,
            Value::Bool(value) => Self::Boolean(*value),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::I64(integer),
                None => Self::F64(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Self::text(text),
            Value::Array(items) => Self::Array(items.iter().map(Self::from_json).collect()),
            Value::Object(map) => {
                Self::Table(map.iter().map(|(name, value)| (name.clone(), Self::from_json(value))).collect())
            }
        }
    }

    /// Any integer type as `i64`; none for an integer that is larger or another type.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::I8(value) => Some((*value).into()),
            Self::U8(value) => Some((*value).into()),
            Self::I16(value) => Some((*value).into()),
            Self::U16(value) => Some((*value).into()),
            Self::I32(value) => Some((*value).into()),
            Self::U32(value) => Some((*value).into()),
            Self::I64(value) => Some(*value),
            Self::Timestamp(value) => i64::try_from(*value).ok(),
            Self::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            Self::Void
            | Self::Boolean(_)
            | Self::F32(_)
            | Self::F64(_)
            | Self::Decimal { .. }
            | Self::ShortText(_)
            | Self::Bytes(_)
            | Self::Array(_)
            | Self::Table(_) => None,
        }
    }

    /// A text, if it is one and UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(bytes) => std::str::from_utf8(bytes).ok(),
            Self::ShortText(text) => Some(text),
            _ => None,
        }
    }

    /// About how many bytes the value takes in a frame.
    pub fn size(&self) -> usize {
        match self {
            Self::ShortText(text) => text.len(),
            Self::Text(bytes) | Self::Bytes(bytes) => bytes.len() + 5,
            Self::Array(items) => items.iter().map(Self::size).sum::<usize>() + 5,
            Self::Table(entries) => {
                entries.iter().map(|(name, value)| name.len() + 1 + value.size()).sum::<usize>() + 5
            }
            _ => 9,
        }
    }

    /// The value as JSON: bytes and text that is not UTF-8 lossily, a decimal as a number.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Void => Value::Null,
            Self::Boolean(value) => Value::from(*value),
            Self::F32(value) => Value::from(*value),
            Self::F64(value) => Value::from(*value),
            Self::Decimal { scale, value } => Value::from(decimal(*scale, *value)),
            Self::ShortText(text) => Value::from(text.as_str()),
            Self::Text(bytes) | Self::Bytes(bytes) => Value::from(String::from_utf8_lossy(bytes)),
            Self::Timestamp(seconds) => Value::from(*seconds),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Table(entries) => headers_json(entries),
            Self::I8(_)
            | Self::U8(_)
            | Self::I16(_)
            | Self::U16(_)
            | Self::I32(_)
            | Self::U32(_)
            | Self::I64(_) => Value::from(self.as_integer()),
        }
    }
}

/// `value` divided by ten `scale` times.
pub fn decimal(scale: u8, value: u32) -> f64 {
    f64::from(value) / 10f64.powi(scale.into())
}

/// Headers as a JSON object.
pub fn headers_json(headers: &[(String, HeaderValue)]) -> Value {
    let map: Map<String, Value> =
        headers.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
    Value::Object(map)
}

impl Message {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&HeaderValue> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value)
    }

    /// Sets a header, in place of the one of that name.
    pub fn set_header(&mut self, name: &str, value: HeaderValue) {
        match self.headers.iter_mut().find(|(header, _)| header == name) {
            Some(header) => header.1 = value,
            None => self.headers.push((name.to_owned(), value)),
        }
    }
}
