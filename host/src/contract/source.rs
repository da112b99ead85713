//! Contract text -> a tree of plain values, and for each of them the place in the text.
//!
//! YAML (and so JSON) is read into `serde_json::Value`, because that is what schemas are checked against; the places
//! are kept beside it. Events of the parser are read one by one, so that hostile text (anchors that explode, nesting
//! without end) meets a limit before it costs memory. Knows nothing of what a contract means.

use std::collections::HashMap;
use std::ops::Range;

use saphyr::Scalar;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Number, Value};

use super::problem::Problem;

/// The longest contract text that is read, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The deepest nesting of a contract, in levels.
const DEPTH_MAX: usize = 64;
/// How many values a contract may have, those that aliases repeat among them.
const VALUES_MAX: usize = 300_000;
/// How many bytes of text aliases may repeat.
const REPEATED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A contract text, parsed but not yet understood.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Path as the user named it; for messages only.
    pub(super) name: String,
    /// The text itself.
    pub(super) text: String,
    /// The values of the text.
    pub(super) root: Value,
    places: Place,
}

/// Where a value stands in the text, as byte ranges.
#[derive(Debug, Clone, Default)]
struct Place {
    key: Option<Range<usize>>,
    value: Range<usize>,
    /// By key, or by index.
    children: HashMap<String, Self>,
}

impl Source {
    /// Parses `text`. A text that is not YAML gives the one problem that stopped the parser.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Box<(Self, Problem)>> {
        let mut source = Self {
            name: name.to_owned(),
            text: text.to_owned(),
            root: Value::Null,
            places: Place::default(),
        };
        match source.read() {
            Ok((root, places)) => {
                (source.root, source.places) = (root, places);
                Ok(source)
            }
            Err(problem) => Err(Box::new((source, problem))),
        }
    }

    /// The byte range to point at for the value at `pointer`: the value if it is a scalar, else its key; the nearest
    /// enclosing value where the text has none.
    pub(super) fn range(&self, pointer: &str, part: Part) -> Range<usize> {
        let (place, _) = self.nearest(pointer);
        match (&place.key, part) {
            (Some(key), Part::Key) => key.clone(),
            (Some(key), Part::Value) if self.spans_lines(&place.value) => key.clone(),
            _ => self.first_line(&place.value),
        }
    }

    /// The place of the value at `pointer`, or of the nearest value around it; and which of the two it is.
    fn nearest(&self, pointer: &str) -> (&Place, bool) {
        let mut place = &self.places;
        for step in pointer.split('/').skip(1) {
            match place.children.get(&unescape(step)) {
                Some(child) => place = child,
                None => return (place, false),
            }
        }
        (place, true)
    }

    fn read(&self) -> Result<(Value, Place), Problem> {
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(Problem::at("", "the contract is larger than 4 MiB")
                .hint("split it with `include`; schemas can be files of their own"));
        }
        let mut reader = Reader {
            text: &self.text,
            events: Parser::new_from_str(&self.text),
            offsets: Offsets::new(&self.text),
            anchors: HashMap::new(),
            values: 0,
            repeated_bytes: 0,
        };
        reader.document()
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

/// A step of a JSON pointer as it was before `join`.
pub(super) fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
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

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }
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
        let at = self.offsets.byte(error.marker().index());
        Problem::at("", format!("not valid YAML: {}", error.info())).spanning(at..at)
    }

    /// The one document of the text.
    fn document(&mut self) -> Result<(Value, Place), Problem> {
        let one = || {
            Problem::at("", "a contract file holds exactly one YAML document")
                .hint("start with `contract: <name>`")
        };
        let mut document = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return document.ok_or_else(one),
                (Event::DocumentStart(_), range) if document.is_some() => return Err(one().spanning(range)),
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
        let before = self.values;
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
            let anchored =
                Anchored { value: value.clone(), values: self.values - before, bytes: place.value.len() };
            self.anchors.insert(anchor, anchored);
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
                Event::Scalar(text, ..) => text.into_owned(), // keys such as `1:` or `true:` are what was written
                _ => return Err(at(path, "a key has to be a plain text").spanning(key_range)),
            };
            if name == "<<" && place.children.is_empty() {
                return Err(at(path, "`<<` (merge) is not part of YAML 1.2")
                    .hint("repeat the keys, or give the whole value an anchor: `a: &x {..}`, `b: *x`")
                    .spanning(key_range));
            }
            let (event, range) = self.next()?;
            path.push(name);
            let read = self.value(event, range, Some(key_range.clone()), path)?;
            let name = path.pop().unwrap_or_default();
            if map.contains_key(&name) {
                path.push(name.clone());
                let says = format!("the key `{}` is there twice", super::problem::brief(&name));
                return Err(at(path, says)
                    .because("which of the two counts would be a matter of luck")
                    .spanning(key_range));
            }
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
        let (values, bytes) = (anchored.values, anchored.bytes);
        self.repeated_bytes = self.repeated_bytes.saturating_add(bytes);
        self.count(values, path, range)?;
        if self.repeated_bytes > REPEATED_BYTES_MAX {
            return Err(at(path, "aliases repeat more than 16 MiB").spanning(range.clone()));
        }
        Ok(self.anchors[&anchor].value.clone())
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
    at(path, "YAML tags are not part of the contract language").spanning(range)
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
