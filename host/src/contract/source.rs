//! Contract text -> a tree of plain values, and for each of them the place in the text.
//!
//! YAML (and so JSON) is read into `serde_json::Value`, because that is what schemas are checked against; the
//! places are kept beside it, by JSON pointer. Knows nothing of what a contract means.

use std::collections::HashMap;
use std::ops::Range;

use saphyr::{LoadableYamlNode, MarkedYamlOwned, ScalarOwned, YamlDataOwned};
use serde_json::{Map, Value};

use super::problem::Problem;

/// The longest contract text that is read, in bytes.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The deepest nesting of a contract, in levels.
const DEPTH_MAX: usize = 64;

/// A contract text, parsed but not yet understood.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Path as the user named it; for messages only.
    pub(super) name: String,
    /// The text itself.
    pub(super) text: String,
    /// The values of the text.
    pub(super) root: Value,
    places: HashMap<String, Place>,
}

/// Where a value stands in the text, as byte ranges.
#[derive(Debug, Clone)]
struct Place {
    key: Option<Range<usize>>,
    value: Range<usize>,
}

impl Source {
    /// Parses `text`. A text that is not YAML gives the one problem that stopped the parser.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Box<(Self, Problem)>> {
        let mut source =
            Self { name: name.to_owned(), text: text.to_owned(), root: Value::Null, places: HashMap::new() };
        match source.read() {
            Ok(root) => {
                source.root = root;
                Ok(source)
            }
            Err(problem) => Err(Box::new((source, problem))),
        }
    }

    /// The byte range to point at for the value at `pointer`: the value if it is a scalar, else its key; the nearest
    /// enclosing value where the text has none.
    pub(super) fn range(&self, pointer: &str, part: Part) -> Range<usize> {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return match (&place.key, part) {
                    (Some(key), Part::Key) => key.clone(),
                    (Some(key), Part::Value) if self.spans_lines(&place.value) => key.clone(),
                    _ => self.first_line(&place.value),
                };
            }
            match pointer.rfind('/') {
                Some(end) => pointer = &pointer[..end],
                None => return 0..0,
            }
        }
    }

    fn read(&mut self) -> Result<Value, Problem> {
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(Problem::at("", "the contract is larger than 4 MiB"));
        }
        let offsets = Offsets::new(&self.text);
        let documents = MarkedYamlOwned::load_from_str(&self.text).map_err(|error| {
            let at = offsets.byte(error.marker().index());
            Problem::at("", format!("not valid YAML: {}", error.info())).spanning(at..at)
        })?;
        let mut documents = documents.into_iter();
        let (Some(document), None) = (documents.next(), documents.next()) else {
            return Err(Problem::at("", "a contract file holds exactly one YAML document")
                .hint("start with `contract: <name>`"));
        };
        let mut walk = Walk { offsets, places: &mut self.places };
        walk.value(&document, None, "", 0)
    }

    fn spans_lines(&self, range: &Range<usize>) -> bool {
        self.text[range.clone()].trim_end().contains('\n')
    }

    fn first_line(&self, range: &Range<usize>) -> Range<usize> {
        let text = &self.text[range.clone()];
        let line = text.lines().next().unwrap_or_default().trim_end();
        range.start..range.start + line.len()
    }
}

/// Which part of `key: value` a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// One more step of a JSON pointer, escaped.
pub(super) fn join(pointer: &str, step: &str) -> String {
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}

/// Character index -> byte offset; the parser counts characters.
struct Offsets {
    /// Empty for ASCII text, where both are the same.
    bytes: Vec<usize>,
    end: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let bytes =
            if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(byte, _)| byte).collect() };
        Self { bytes, end: text.len() }
    }

    fn byte(&self, index: usize) -> usize {
        if self.bytes.is_empty() {
            index.min(self.end)
        } else {
            self.bytes.get(index).copied().unwrap_or(self.end)
        }
    }
}

struct Walk<'a> {
    offsets: Offsets,
    places: &'a mut HashMap<String, Place>,
}

impl Walk<'_> {
    fn range(&self, node: &MarkedYamlOwned) -> Range<usize> {
        self.offsets.byte(node.span.start.index())..self.offsets.byte(node.span.end.index())
    }

    fn value(
        &mut self,
        node: &MarkedYamlOwned,
        key: Option<Range<usize>>,
        pointer: &str,
        depth: usize,
    ) -> Result<Value, Problem> {
        let value = self.range(node);
        if depth > DEPTH_MAX {
            return Err(Problem::at(pointer, "nested deeper than 64 levels").spanning(value));
        }
        self.places.insert(pointer.to_owned(), Place { key, value: value.clone() });
        match &node.data {
            YamlDataOwned::Value(scalar) => scalar_value(scalar)
                .ok_or_else(|| Problem::at(pointer, "this number cannot be written in JSON").spanning(value)),
            YamlDataOwned::Sequence(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.value(item, None, &join(pointer, &index.to_string()), depth + 1))
                .collect(),
            YamlDataOwned::Mapping(entries) => {
                let mut map = Map::new();
                for (key, item) in entries {
                    let range = self.range(key);
                    let name = key_text(key).ok_or_else(|| {
                        Problem::at(pointer, "a key has to be a plain text").spanning(range.clone())
                    })?;
                    let item = self.value(item, Some(range), &join(pointer, &name), depth + 1)?;
                    map.insert(name, item);
                }
                Ok(Value::Object(map))
            }
            YamlDataOwned::Tagged(..)
            | YamlDataOwned::Alias(_)
            | YamlDataOwned::Representation(..)
            | YamlDataOwned::BadValue => {
                Err(Problem::at(pointer, "YAML tags are not part of the contract language").spanning(value))
            }
        }
    }
}

/// Keys such as `1:` or `true:` are the text that was written.
fn key_text(node: &MarkedYamlOwned) -> Option<String> {
    match &node.data {
        YamlDataOwned::Value(ScalarOwned::String(text)) => Some(text.clone()),
        YamlDataOwned::Value(ScalarOwned::Integer(number)) => Some(number.to_string()),
        YamlDataOwned::Value(ScalarOwned::Boolean(value)) => Some(value.to_string()),
        _ => None,
    }
}

fn scalar_value(scalar: &ScalarOwned) -> Option<Value> {
    Some(match scalar {
        ScalarOwned::Null => Value::Null,
        ScalarOwned::Boolean(value) => Value::Bool(*value),
        ScalarOwned::Integer(value) => Value::from(*value),
        ScalarOwned::FloatingPoint(value) => Value::Number(serde_json::Number::from_f64(value.into_inner())?),
        ScalarOwned::String(text) => Value::String(text.clone()),
    })
}
