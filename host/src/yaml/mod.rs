//! A tree of values as YAML text, or as JSON: keys in the order given, comments, and texts that stay texts.
//!
//! Pure. Writes block style; a text is quoted wherever YAML 1.2, or an older parser, would read something else than a
//! text. Reading is `contract::source`'s, and what the values mean is left to whoever makes them.

#[cfg(test)]
mod tests;
mod text;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

use text::{needs_escape, scalar};

/// The longest key that stands before its colon on one line, in bytes. YAML allows 1024 characters.
const KEY_BYTES_MAX: usize = 500;
/// How wide a comment may be, in characters, without its indentation.
const COMMENT_WIDTH: usize = 100;

/// A value with an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A text, a number, true, false or null.
    Scalar(Value),
    /// A list.
    List(Vec<Self>),
    /// A mapping.
    Map(Mapping),
}

/// Keys and values, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapping {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    key: String,
    value: Node,
    /// Each a paragraph; written above the key.
    comments: Vec<String>,
}

impl Mapping {
    /// Adds an entry; the key must not be there yet.
    pub fn set(&mut self, key: &str, value: impl Into<Node>) -> &mut Self {
        self.entries.push(Entry { key: key.to_owned(), value: value.into(), comments: Vec::new() });
        self
    }

    /// Adds an entry if there is a value.
    pub fn set_some(&mut self, key: &str, value: Option<impl Into<Node>>) -> &mut Self {
        if let Some(value) = value {
            self.set(key, value);
        }
        self
    }

    /// Adds an entry if its value is not an empty list or mapping.
    pub fn set_full(&mut self, key: &str, value: impl Into<Node>) -> &mut Self {
        let value = value.into();
        if !value.is_empty() {
            self.set(key, value);
        }
        self
    }

    /// Writes a paragraph above the entry that was added last.
    pub fn comment(&mut self, text: &str) -> &mut Self {
        if let Some(last) = self.entries.last_mut() {
            last.comments.push(text.to_owned());
        }
        self
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Node {
    /// Whether this is an empty list or mapping.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(_) => false,
            Self::List(items) => items.is_empty(),
            Self::Map(mapping) => mapping.is_empty(),
        }
    }

    /// The tree as YAML, with a line break at the end.
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        match self {
            Self::Map(mapping) if !mapping.is_empty() => write_mapping(mapping, 0, &mut out),
            Self::List(items) if !items.is_empty() => write_list(items, 0, &mut out),
            other => out = format!("{}\n", inline(other, 2)),
        }
        out
    }

    /// The tree as indented JSON, with a line break at the end. Comments are left out.
    pub fn to_json(&self) -> String {
        // A tree of plain values has nothing that JSON could refuse.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }
}

impl From<Mapping> for Node {
    fn from(mapping: Mapping) -> Self {
        Self::Map(mapping)
    }
}

impl From<Vec<Self>> for Node {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

impl From<Map<String, Value>> for Node {
    fn from(map: Map<String, Value>) -> Self {
        let entry = |(key, value): (String, Value)| Entry { key, value: value.into(), comments: Vec::new() };
        Self::Map(Mapping { entries: map.into_iter().map(entry).collect() })
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(map) => map.into(),
            scalar => Self::Scalar(scalar),
        }
    }
}

impl From<&String> for Node {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

macro_rules! scalars {
    ($($kind:ty),*) => {
        $(impl From<$kind> for Node {
            fn from(value: $kind) -> Self {
                Self::Scalar(Value::from(value))
            }
        })*
    };
}
scalars!(&str, String, bool, u16, u32, u64, f64);

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Scalar(value) => value.serialize(serializer),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Map(mapping) => {
                let mut map = serializer.serialize_map(Some(mapping.entries.len()))?;
                mapping.entries.iter().try_for_each(|entry| map.serialize_entry(&entry.key, &entry.value))?;
                map.end()
            }
        }
    }
}

fn write_mapping(mapping: &Mapping, indent: usize, out: &mut String) {
    let margin = " ".repeat(indent);
    for entry in &mapping.entries {
        for line in entry.comments.iter().flat_map(|comment| comment_lines(comment)) {
            out.push_str(&format!("{margin}# {line}\n"));
        }
        let key = scalar(&entry.key, None);
        if key.len() > KEY_BYTES_MAX {
            out.push_str(&format!("{margin}? {key}\n{margin}:"));
        } else {
            out.push_str(&format!("{margin}{key}:"));
        }
        match &entry.value {
            Node::Map(inner) if !inner.is_empty() => {
                out.push('\n');
                write_mapping(inner, indent + 2, out);
            }
            Node::List(items) if !items.is_empty() => {
                out.push('\n');
                write_list(items, indent + 2, out);
            }
            other => out.push_str(&format!(" {}\n", inline(other, indent + 2))),
        }
    }
}

fn write_list(items: &[Node], indent: usize, out: &mut String) {
    let margin = " ".repeat(indent);
    for item in items {
        let mut inner = String::new();
        match item {
            Node::Map(mapping) if !mapping.is_empty() => write_mapping(mapping, indent + 2, &mut inner),
            Node::List(items) if !items.is_empty() => write_list(items, indent + 2, &mut inner),
            other => inner = format!("{margin}  {}\n", inline(other, indent + 2)),
        }
        // The dash takes the place of the first two columns.
        out.push_str(&format!("{margin}- {}", &inner[indent + 2..]));
    }
}

/// What stands beside its key.
fn inline(node: &Node, indent: usize) -> String {
    match node {
        Node::Scalar(Value::String(text)) => scalar(text, Some(indent)),
        Node::Scalar(value) => value.to_string(),
        Node::List(_) => "[]".to_owned(),
        Node::Map(_) => "{}".to_owned(),
    }
}

/// A comment without what would end it, broken into lines.
fn comment_lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(|char: char| char.is_whitespace() || needs_escape(char)) {
        if word.is_empty() {
            continue;
        }
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + word.chars().count() < COMMENT_WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
