//! A contract text with its values, and for each of them the place in the text. `yaml` reads it.
//!
//! The values are `serde_json::Value`, because that is what schemas are checked against; the places are kept beside
//! them. Knows nothing of what a contract means.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use super::problem::Problem;
use super::yaml;

/// The longest contract text that is read, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

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
    /// Byte offset of each line.
    lines: Vec<usize>,
}

/// Where a value stands in the text, as byte ranges.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) key: Option<Range<usize>>,
    pub(super) value: Range<usize>,
    /// By key, or by index.
    pub(super) children: HashMap<String, Self>,
}

impl Source {
    /// Parses `text`. A text that is not YAML gives the one problem that stopped the parser.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Box<(Self, Problem)>> {
        let mut source = Self {
            name: name.to_owned(),
            text: text.to_owned(),
            root: Value::Null,
            places: Place::default(),
            lines: std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect(),
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
        yaml::read(&self.text)
    }

    /// Line and column, both from 1, of a byte offset; columns count characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= offset);
        (line, self.text[self.lines[line - 1]..offset].chars().count() + 1)
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
    format!("{pointer}/{}", escape(step))
}

/// A step of a JSON pointer, escaped.
pub(super) fn escape(step: &str) -> Cow<'_, str> {
    if step.contains(['~', '/']) {
        Cow::Owned(step.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(step)
    }
}

/// A step of a JSON pointer as it was before `join`.
pub(super) fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}
