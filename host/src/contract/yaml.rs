//! YAML, and so JSON -> plain values, and the places of them.
//!
//! Events of the parser are read one by one, so that hostile text (anchors that explode, nesting without end) meets a
//! limit before it costs memory. Knows nothing of contracts.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use saphyr::Scalar;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Number, Value};

use super::problem::{Problem, brief};
use super::source::{Place, join};
use super::yaml_faults as faults;

/// The deepest nesting of a contract, in levels.
const DEPTH_MAX: usize = 64;
/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 4096;
/// The longest way to a value, in bytes of all its keys.
const PATH_BYTES_MAX: usize = 16 * 1024;
/// How many values a contract may have, those that aliases repeat among them.
const VALUES_MAX: usize = 300_000;
/// How many bytes of text aliases may repeat.
const REPEATED_BYTES_MAX: usize = 16 * 1024 * 1024;

pub(super) const NO_TAGS: &str = "YAML tags are not part of the contract language";

/// Reads the one document of `text`.
pub(super) fn read(text: &str) -> Result<(Value, Place), Problem> {
    // YAML has none of them, and a terminal that shows them obeys them.
    let is_control = |char: char| char.is_control() && !matches!(char, '\t' | '\n' | '\r' | '\u{85}');
    if let Some(at) = text.find(is_control) {
        return Err(faults::explain(text, at, "unprintable"));
    }
    let (parsed, offsets) = Offsets::new(text);
    let mut reader = Reader {
        text,
        events: Parser::new_from_str(&parsed),
        offsets,
        anchors: HashMap::new(),
        values: 0,
        repeated_bytes: 0,
    };
    reader.document()
}

/// Character index of what is parsed -> byte offset of the text; the parser counts characters.
struct Offsets {
    /// Empty for ASCII text, where both are the same.
    bytes: Vec<usize>,
    end: usize,
}

impl Offsets {
    /// What to parse in place of `text`, and how to find the places in it again.
    fn new(text: &str) -> (Cow<'_, str>, Self) {
        let end = text.len();
        if text.trim_start_matches('\u{feff}').trim_start().starts_with('{') && text.contains("\\u") {
            let (parsed, bytes) = join_surrogates(text);
            return (Cow::Owned(parsed), Self { bytes, end });
        }
        let bytes =
            if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(byte, _)| byte).collect() };
        (Cow::Borrowed(text), Self { bytes, end })
    }

    fn byte(&self, index: usize) -> usize {
        if self.bytes.is_empty() {
            index.min(self.end)
        } else {
            self.bytes.get(index).copied().unwrap_or(self.end)
        }
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }
}

/// JSON writes a character beyond the first 65,536 as two escapes, which YAML does not know: makes one of them. With
/// the byte offset of each character that is left.
fn join_surrogates(text: &str) -> (String, Vec<usize>) {
    let (mut parsed, mut bytes) = (String::with_capacity(text.len()), Vec::new());
    let mut at = 0;
    while let Some(char) = text[at..].chars().next() {
        let pair = if char == '\\' { surrogates(&text[at..]) } else { None };
        let (joined, length) = match pair {
            Some(joined) => (joined.to_string(), "\\ud83d\\ude00".len()),
            // The character after a `\` belongs to it, as the second of `\\` does.
            None if char == '\\' => {
                let length = 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8);
                (text[at..at + length].to_owned(), length)
            }
            None => (char.to_string(), char.len_utf8()),
        };
        bytes.extend(joined.char_indices().map(|(within, _)| at + within.min(length - 1)));
        parsed.push_str(&joined);
        at += length;
    }
    (parsed, bytes)
}

/// The character that two escapes at the beginning of `text` mean.
fn surrogates(text: &str) -> Option<char> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    char::decode_utf16([unit(0)?, unit(6)?]).next()?.ok().filter(|char| u32::from(*char) > 0xffff)
}

/// A value that an anchor names, with what it costs to repeat it.
struct Anchored {
    value: Value,
    values: usize,
    bytes: usize,
}

struct Reader<'a> {
    text: &'a str,
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    offsets: Offsets,
    anchors: HashMap<usize, Anchored>,
    values: usize,
    repeated_bytes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), Problem> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, self.offsets.range(span))),
            Some(Err(error)) => Err(self.not_yaml(&error)),
            None => Ok((Event::StreamEnd, self.offsets.end..self.offsets.end)),
        }
    }

    fn not_yaml(&self, error: &ScanError) -> Problem {
        faults::explain(self.text, self.offsets.byte(error.marker().index()), error.info())
    }

    /// The one document of the text.
    fn document(&mut self) -> Result<(Value, Place), Problem> {
        let one = || Problem::at("", "a contract file holds one YAML document, and this is a second");
        let empty = || Problem::at("", "the file is empty").hint("start with `contract: <name>`");
        let mut document = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return document.ok_or_else(empty),
                (Event::DocumentStart(_), range) if document.is_some() => {
                    return Err(one().hint("leave out the `---`").spanning(range));
                }
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
                (event, range) => document = Some(self.value(event, range, None, &mut Vec::new())?),
            }
        }
    }

    /// One value, of which `event` is the beginning. Recursion is bounded by `DEPTH_MAX`.
    fn value(
        &mut self,
        event: Event<'a>,
        range: Range<usize>,
        key: Option<Range<usize>>,
        path: &mut Vec<String>,
    ) -> Result<(Value, Place), Problem> {
        let before = (self.values, self.repeated_bytes);
        self.count(1, path, &range)?;
        if path.len() > DEPTH_MAX {
            return Err(at(path, "nested deeper than 64 levels").spanning(range));
        }
        let mut place = Place { key, value: range.clone(), ..Place::default() };
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    return Err(no_tags(path, range));
                }
                let scalar = Scalar::parse_from_cow_and_metadata(text, style, None);
                let value = scalar.and_then(scalar_value).ok_or_else(|| {
                    at(path, "this number cannot be written in JSON").spanning(range.clone())
                })?;
                (value, anchor)
            }
            Event::SequenceStart(anchor, tag) if tag.is_none() => (self.sequence(&mut place, path)?, anchor),
            Event::MappingStart(anchor, tag) if tag.is_none() => (self.mapping(&mut place, path)?, anchor),
            Event::Alias(anchor) => {
                let value = self.alias(anchor, path, &range)?;
                return Ok((value, place));
            }
            _ => return Err(no_tags(path, range)),
        };
        if anchor != 0 {
            let values = self.values - before.0;
            let bytes = place.value.len() + (self.repeated_bytes - before.1);
            self.repeat(values, bytes, path, &range)?; // the copy that aliases are made from
            self.anchors.insert(anchor, Anchored { value: value.clone(), values, bytes });
        }
        Ok((value, place))
    }

    fn sequence(&mut self, place: &mut Place, path: &mut Vec<String>) -> Result<Value, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, range) => {
                    place.value.end = self.end(range);
                    return Ok(Value::Array(items));
                }
                (event, range) => {
                    let index = items.len().to_string();
                    path.push(index.clone());
                    let (item, item_place) = self.value(event, range, None, path)?;
                    path.pop();
                    items.push(item);
                    place.children.insert(index, item_place);
                }
            }
        }
    }

    fn mapping(&mut self, place: &mut Place, path: &mut Vec<String>) -> Result<Value, Problem> {
        let mut map = Map::new();
        loop {
            let (event, key_range) = self.next()?;
            let name = match event {
                Event::MappingEnd => {
                    place.value.end = self.end(key_range);
                    return Ok(Value::Object(map));
                }
                // Keys such as `1:` or `true:` are what was written.
                Event::Scalar(text, style, ..) => {
                    if style == ScalarStyle::Plain && text == "<<" {
                        return Err(no_merge(path, key_range));
                    }
                    text.into_owned()
                }
                _ => {
                    let problem = at(path, "a key has to be a plain text");
                    let template = self.text[..key_range.start].ends_with('{');
                    let hint = "in place of `{{ }}`, a variable is written `${NAME}`";
                    let problem = if template { problem.hint(hint) } else { problem };
                    return Err(problem.spanning(key_range));
                }
            };
            if name.len() > KEY_BYTES_MAX {
                let says = format!("this key is longer than {KEY_BYTES_MAX} bytes");
                return Err(at(path, says).spanning(key_range));
            }
            let first = place.children.get(&name).and_then(|first| first.key.clone());
            path.push(name);
            if let Some(first) = first {
                let name = path.last().map_or("", String::as_str);
                return Err(at(path, format!("the key `{}` is there twice", brief(name)))
                    .because("which of the two counts would be a matter of luck")
                    .spanning(key_range)
                    .also_spanning(first, "it is here already"));
            }
            if path.iter().map(String::len).sum::<usize>() > PATH_BYTES_MAX {
                path.truncate(2);
                let says = format!("the keys around this value are longer than {PATH_BYTES_MAX} bytes");
                return Err(at(path, says).spanning(key_range));
            }
            let (event, range) = self.next()?;
            let read = self.value(event, range, Some(key_range.clone()), path)?;
            let name = path.pop().unwrap_or_default();
            map.insert(name.clone(), read.0);
            place.children.insert(name, read.1);
        }
    }

    /// Where a list or mapping ends whose end the parser saw at `range`, which may reach to the next token.
    fn end(&self, range: Range<usize>) -> usize {
        match self.text.as_bytes().get(range.start) {
            Some(b']' | b'}') => range.start + 1,
            _ => range.start,
        }
    }

    fn alias(&mut self, anchor: usize, path: &[String], range: &Range<usize>) -> Result<Value, Problem> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(at(path, "this alias names a value that contains it").spanning(range.clone()));
        };
        self.repeat(anchored.values, anchored.bytes, path, range)?;
        Ok(self.anchors[&anchor].value.clone())
    }

    fn repeat(
        &mut self,
        values: usize,
        bytes: usize,
        path: &[String],
        range: &Range<usize>,
    ) -> Result<(), Problem> {
        self.count(values, path, range)?;
        self.repeated_bytes = self.repeated_bytes.saturating_add(bytes);
        if self.repeated_bytes > REPEATED_BYTES_MAX {
            return Err(at(path, "aliases repeat more than 16 MiB").spanning(range.clone()));
        }
        Ok(())
    }

    fn count(&mut self, values: usize, path: &[String], range: &Range<usize>) -> Result<(), Problem> {
        self.values = self.values.saturating_add(values);
        if self.values > VALUES_MAX {
            let says = format!("the contract has more than {VALUES_MAX} values, aliases counted in full");
            return Err(at(path, says).spanning(range.clone()));
        }
        Ok(())
    }
}

fn at(path: &[String], says: impl Into<String>) -> Problem {
    Problem::at(path.iter().fold(String::new(), |pointer, step| join(&pointer, step)), says)
}

fn no_tags(path: &[String], range: Range<usize>) -> Problem {
    at(path, NO_TAGS)
        .spanning(range)
        .hint("leave it out; a number or `true` that is meant as text goes in quotes")
}

fn no_merge(path: &[String], range: Range<usize>) -> Problem {
    at(path, "`<<` (merge) is not part of YAML 1.2")
        .hint("repeat the keys, or give the whole value an anchor: `a: &x {..}`, `b: *x`")
        .spanning(range)
}

fn scalar_value(scalar: Scalar<'_>) -> Option<Value> {
    Some(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(value),
        Scalar::Integer(value) => Value::from(value),
        Scalar::FloatingPoint(value) => Value::Number(Number::from_f64(value.into_inner())?),
        Scalar::String(text) => Value::String(text.into_owned()),
    })
}

/// What an unquoted `text` means in YAML: a number, true, false, null or a text.
pub(crate) fn plain_value(text: &str) -> Option<Value> {
    scalar_value(Scalar::parse_from_cow_and_metadata(text.into(), ScalarStyle::Plain, None)?)
}
