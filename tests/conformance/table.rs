//! The table: what a message is, and what has to become of it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use lapin::types::{AMQPValue, ByteArray, FieldArray, FieldTable};
use serde::Deserialize;
use serde_json::{Map, Value};

pub(super) use crate::support::letter::text;
use crate::support::letter::{Got, Letter};

/// A message, how often it is published, and what has to become of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Row {
    /// Its name, and the message id.
    pub(super) name: String,
    /// The body: JSON, or text, or bytes in hex.
    body: Option<Value>,
    text: Option<String>,
    hex: Option<String>,
    /// Fields of the body, and of what is published, that are longer than one wants to read.
    #[serde(default)]
    fill: BTreeMap<String, (String, usize)>,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    correlation_id: Option<String>,
    #[serde(default = "once")]
    pub(super) copies: usize,
    /// What becomes of each attempt: the class, and the reason, of which `*` stands for the rest.
    attempts: Vec<String>,
    /// What is published when the last attempt is handled.
    pub(super) published: Option<Value>,
    /// The message id of that; every row's is compared with how it is derived.
    published_id: Option<String>,
    /// The header of what is published, if there is to be one.
    tenant: Option<String>,
}

fn once() -> usize {
    1
}

pub(super) fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let mut rows: Vec<Row> = serde_json::from_str(include_str!("table.json")).expect("a table");
        for row in &mut rows {
            for value in [&mut row.body, &mut row.published].into_iter().flatten() {
                for (field, (piece, times)) in &row.fill {
                    value[field] = piece.repeat(*times).into();
                }
            }
        }
        rows
    })
}

impl Row {
    pub(super) fn letter(&self) -> Letter {
        let body = match (&self.body, &self.text, &self.hex) {
            (Some(body), None, None) => body.to_string().into_bytes(),
            (None, Some(text), None) => text.clone().into_bytes(),
            (None, None, Some(hex)) => bytes(hex),
            _ => panic!("`{}` has to have one body", self.name),
        };
        let letter = Letter::raw(body).with(|properties| {
            let properties = properties.with_delivery_mode(2).with_message_id(self.name.as_str().into());
            match &self.correlation_id {
                Some(id) => properties.with_correlation_id(id.as_str().into()),
                None => properties,
            }
        });
        self.headers.iter().fold(letter, |letter, (name, value)| letter.header(name, header(value)))
    }

    /// How often an instance is lost over it.
    pub(super) fn traps(&self) -> usize {
        self.copies * self.attempts.iter().filter(|attempt| attempt.starts_with("trap")).count()
    }

    /// Where what became of the row is not what is in the table.
    pub(super) fn faults(&self, events: &[Value], published: &[&Got], dead: &[&Got]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |what: String| faults.push(format!("`{}`: {what}", self.name));
        for (index, expected) in self.attempts.iter().enumerate() {
            let found = self.outcomes(events, index + 1);
            if found.len() != self.copies || !found.iter().all(|found| fits(found, expected)) {
                fault(format!("attempt {} should be {expected:?}, and is {found:?}", index + 1));
            }
        }
        let logged = self.logged(events);
        let expected = self.published.as_ref().map(|order| vec![log_line(order); self.copies]);
        if logged != expected.unwrap_or_default() {
            fault(format!("logged is {logged:?}"));
        }
        let (accepted, refused) = if self.published.is_some() { (self.copies, 0) } else { (0, self.copies) };
        if (published.len(), dead.len()) != (accepted, refused) {
            fault(format!("{} messages are published and {} dead", published.len(), dead.len()));
        }
        for message in published {
            self.faults_of(message, &mut fault);
        }
        for letter in dead {
            if letter.body != self.letter().body {
                fault("the body of the dead letter is another one".to_owned());
            }
        }
        faults
    }

    fn faults_of(&self, message: &Got, fault: &mut impl FnMut(String)) {
        let found: Option<Value> = serde_json::from_slice(&message.body).ok();
        if found != self.published {
            fault(format!(
                "published is {}",
                String::from_utf8_lossy(&message.body[..message.body.len().min(500)])
            ));
        }
        let expected = super::derived_id(&self.name);
        if message.id() != expected || self.published_id.as_ref().is_some_and(|id| *id != expected) {
            fault(format!("the message id of what is published is {}", message.id()));
        }
        let correlation = self.correlation_id.as_ref().unwrap_or(&self.name);
        if message.correlation_id() != *correlation {
            fault(format!("the correlation id of what is published is {}", message.correlation_id()));
        }
        let headers = message.properties.headers().clone().unwrap_or_default();
        let own = headers.inner().iter().filter(|(name, _)| !name.as_str().starts_with("x-"));
        let own: BTreeMap<_, _> =
            own.map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect();
        let mut expected = BTreeMap::from([("source".to_owned(), text("template"))]);
        expected.extend(self.tenant.as_ref().map(|tenant| ("tenant".to_owned(), text(tenant))));
        if own != expected {
            fault(format!("the headers of what is published are {own:?}"));
        }
    }

    /// What became of an attempt, for each copy.
    fn outcomes(&self, events: &[Value], attempt: usize) -> Vec<String> {
        let mine =
            events.iter().filter(|event| event["message_id"] == *self.name && event["attempt"] == attempt);
        mine.filter_map(|event| match event["message"].as_str() {
            Some("handled") => Some("handled".to_owned()),
            Some("dead-lettered" | "will be retried") => {
                let field = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
                // Back from a wait queue before the time that the handler asked for, it is not handed to it.
                if field("reason").starts_with("not due yet") {
                    return None;
                }
                Some(format!("{}: {}", field("outcome"), field("reason")))
            }
            _ => None,
        })
        .collect()
    }

    /// What the handler itself logged at level info.
    fn logged(&self, events: &[Value]) -> Vec<String> {
        let mine = events.iter().filter(|event| event["target"] == "guest" && event["level"] == "INFO");
        let mine = mine.filter(|event| event["message_id"] == *self.name);
        mine.filter_map(|event| Some(event["message"].as_str()?.to_owned())).collect()
    }
}

fn fits(found: &str, expected: &str) -> bool {
    match expected.strip_suffix('*') {
        Some(beginning) => found.starts_with(beginning),
        None => found == expected,
    }
}

/// As the host writes a line with its fields.
fn log_line(order: &Value) -> String {
    let id = order["orderId"].as_str().unwrap_or_default();
    format!("order accepted orderId={id:?} amount={:?}", order["amount"].to_string())
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("hex"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

/// `"void"`, or the type with the value: `{"text": "x"}`.
fn header(value: &Value) -> AMQPValue {
    let Some((kind, value)) = value.as_object().and_then(|only| only.iter().next()) else {
        return AMQPValue::Void;
    };
    match kind.as_str() {
        "boolean" => AMQPValue::Boolean(value.as_bool().expect("true or false")),
        "integer" => AMQPValue::LongLongInt(value.as_i64().expect("an integer")),
        "float" => AMQPValue::Double(value.as_f64().expect("a number")),
        "text" => text(value.as_str().expect("a text")),
        "bytes" => {
            let bytes: Vec<u8> = serde_json::from_value(value.clone()).expect("bytes");
            AMQPValue::ByteArray(ByteArray::from(bytes))
        }
        "timestamp" => AMQPValue::Timestamp(value.as_u64().expect("seconds")),
        "nested" => nested(value),
        other => panic!("{other} is no type of a header"),
    }
}

fn nested(value: &Value) -> AMQPValue {
    match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(truth) => AMQPValue::Boolean(*truth),
        Value::Number(number) => AMQPValue::LongLongInt(number.as_i64().expect("an integer")),
        Value::String(string) => text(string),
        Value::Array(items) => {
            AMQPValue::FieldArray(FieldArray::from(items.iter().map(nested).collect::<Vec<_>>()))
        }
        Value::Object(members) => AMQPValue::FieldTable(table(members)),
    }
}

fn table(members: &Map<String, Value>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in members {
        table.insert(name.as_str().into(), nested(value));
    }
    table
}
