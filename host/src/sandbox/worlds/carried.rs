//! What of a message gets across the interface of another host. The rest is counted.

use crate::message::{HeaderValue, Message, decimal};
use crate::policy::history;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A message in the words that all these interfaces have.
#[derive(Debug)]
pub(in crate::sandbox) struct Carried {
    /// The routing key.
    pub(super) subject: String,
    pub(super) body: Vec<u8>,
    pub(super) reply_to: Option<String>,
    pub(super) content_type: Option<String>,
    /// The headers, as texts, where the interface has them.
    pub(super) metadata: Vec<(String, String)>,
    /// How many headers and properties it does not have.
    pub(in crate::sandbox) left_behind: usize,
}

/// How much an interface can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Capacity {
    /// Subject, body and reply-to: `wasmcloud:messaging`.
    Plain,
    /// Headers and content type as well; a reply-to only the host sees: `wasi:messaging`.
    Metadata,
}

impl Carried {
    pub(super) fn new(message: &Message, capacity: Capacity) -> Self {
        let (_, routing_key) = history::origin(message);
        let mut carried = Self {
            subject: routing_key.to_owned(),
            body: message.body.clone(),
            reply_to: message.properties.reply_to.clone(),
            content_type: message.properties.content_type.clone(),
            metadata: Vec::new(),
            left_behind: properties(message),
        };
        let published = message.headers.iter().filter(|(name, _)| !history::is_bookkeeping(name));
        match capacity {
            Capacity::Metadata => {
                carried.metadata = published.map(|(name, value)| (name.clone(), text(value))).collect();
            }
            Capacity::Plain => {
                carried.left_behind += published.count() + usize::from(carried.content_type.is_some());
            }
        }
        carried
    }
}

/// How many properties there are that no such interface has.
fn properties(message: &Message) -> usize {
    let properties = &message.properties;
    let texts = [
        &properties.message_id,
        &properties.correlation_id,
        &properties.message_type,
        &properties.app_id,
        &properties.user_id,
    ];
    texts.iter().filter(|text| text.is_some()).count()
        + usize::from(properties.priority.is_some())
        + usize::from(properties.timestamp.is_some())
}

/// A header as a text. What has a type loses it; bytes that are no text are in Base64.
fn text(value: &HeaderValue) -> String {
    match value {
        HeaderValue::Void => String::new(),
        HeaderValue::Boolean(value) => value.to_string(),
        HeaderValue::F32(value) => value.to_string(),
        HeaderValue::F64(value) => value.to_string(),
        HeaderValue::Decimal { scale, value } => decimal(*scale, *value).to_string(),
        HeaderValue::ShortText(text) => text.clone(),
        HeaderValue::Text(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| STANDARD.encode(bytes), str::to_owned)
        }
        HeaderValue::Bytes(bytes) => STANDARD.encode(bytes),
        HeaderValue::Timestamp(seconds) => seconds.to_string(),
        HeaderValue::Array(_) | HeaderValue::Table(_) => value.to_json().to_string(),
        HeaderValue::I8(_)
        | HeaderValue::U8(_)
        | HeaderValue::I16(_)
        | HeaderValue::U16(_)
        | HeaderValue::I32(_)
        | HeaderValue::U32(_)
        | HeaderValue::I64(_) => value.as_integer().unwrap_or_default().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Properties;

    #[test]
    fn a_header_of_each_type_is_a_text() {
        let headers = [
            (HeaderValue::Void, ""),
            (HeaderValue::Boolean(true), "true"),
            (HeaderValue::U8(200), "200"),
            (HeaderValue::I64(i64::MIN), "-9223372036854775808"),
            (HeaderValue::F64(-1.25), "-1.25"),
            (HeaderValue::Decimal { scale: 2, value: 150 }, "1.5"),
            (HeaderValue::text("t€xt"), "t€xt"),
            (HeaderValue::Text(vec![0xff, 0]), "/wA="),
            (HeaderValue::Bytes(vec![1, 2]), "AQI="),
            (HeaderValue::Timestamp(1_700_000_000), "1700000000"),
            (HeaderValue::Array(vec![HeaderValue::I8(1), HeaderValue::text("two")]), "[1,\"two\"]"),
            (HeaderValue::Table(vec![("a".to_owned(), HeaderValue::Boolean(false))]), "{\"a\":false}"),
        ];
        for (value, expected) in headers {
            assert_eq!(text(&value), expected, "{value:?}");
        }
    }

    #[test]
    fn what_is_left_behind_is_counted() {
        let header = |name: &str| (name.to_owned(), HeaderValue::I8(1));
        let message = Message {
            headers: vec![header("a"), header("b"), header(history::RETRY_COUNT)],
            properties: Properties {
                message_id: Some("m".to_owned()),
                reply_to: Some("r".to_owned()),
                content_type: Some("c".to_owned()),
                priority: Some(1),
                ..Properties::default()
            },
            ..Message::default()
        };
        let plain = Carried::new(&message, Capacity::Plain);
        assert_eq!((plain.left_behind, plain.metadata.len()), (5, 0));
        assert_eq!(plain.reply_to.as_deref(), Some("r"));
        let more = Carried::new(&message, Capacity::Metadata);
        let one = |name: &str| (name.to_owned(), "1".to_owned());
        assert_eq!((more.left_behind, more.metadata), (2, vec![one("a"), one("b")]));
    }
}
