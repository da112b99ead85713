//! Samples: values made up to show what a schema lets through. A text may stay open, as "some text of this pattern".
//!
//! Leaves making them to `witness`, and holding them against a schema to `evaluate`.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::number::{self, Num};
use super::types::Types;

/// A made-up value. Clones share their parts.
#[derive(Clone, Debug)]
pub(super) enum Sample<'s> {
    /// A value that a schema writes out.
    Known(&'s Value),
    Number(Num),
    /// A text made up here.
    Word(Rc<str>),
    /// Some text of these, whichever: what is said of it must hold for all of them.
    Text(Text<'s>),
    /// Runs of equal items, so that a long list costs no more than a short one.
    List(Rc<[(Self, u64)]>),
    Object(Rc<BTreeMap<Rc<str>, Self>>),
}

/// The texts with `min..=max` characters that match the pattern.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'s> {
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) pattern: Option<&'s str>,
}

impl<'s> Sample<'s> {
    pub(super) fn word(text: &str) -> Self {
        Self::Word(Rc::from(text))
    }

    pub(super) fn kind(&self) -> Types {
        match self {
            Self::Known(value) => Types::of_value(value),
            Self::Number(number) => Types::of_number(*number),
            Self::Word(_) | Self::Text(_) => Types::TEXT,
            Self::List(_) => Types::LIST,
            Self::Object(_) => Types::OBJECT,
        }
    }

    pub(super) fn number(&self) -> Option<Num> {
        match self {
            Self::Known(value) => Num::of_value(Some(value)),
            Self::Number(number) => Some(*number),
            Self::Word(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The text, where it is one text and not some text of many.
    pub(super) fn exact_text(&self) -> Option<&str> {
        match self {
            Self::Known(value) => value.as_str(),
            Self::Word(text) => Some(text),
            Self::Number(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The lengths and the pattern of a text.
    pub(super) fn text(&self) -> Option<Text<'s>> {
        if let Self::Text(text) = self {
            return Some(*text);
        }
        let length = self.exact_text()?.chars().count() as u64;
        Some(Text { min: length, max: length, pattern: None })
    }

    pub(super) fn items(&self) -> Option<Vec<(Self, u64)>> {
        match self {
            Self::Known(Value::Array(items)) => {
                Some(items.iter().map(|item| (Self::Known(item), 1)).collect())
            }
            Self::List(items) => Some(items.to_vec()),
            Self::Known(_) | Self::Number(_) | Self::Word(_) | Self::Text(_) | Self::Object(_) => None,
        }
    }

    /// The members of an object in the order of their names, whatever order the parser keeps.
    pub(super) fn members(&self) -> Option<Vec<(Rc<str>, Self)>> {
        match self {
            Self::Known(Value::Object(members)) => {
                let mut members: Vec<(Rc<str>, Self)> = members
                    .iter()
                    .map(|(name, value)| (Rc::from(name.as_str()), Self::Known(value)))
                    .collect();
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
                Some(members)
            }
            Self::Object(members) => {
                Some(members.iter().map(|(name, value)| (Rc::clone(name), value.clone())).collect())
            }
            Self::Known(_) | Self::Number(_) | Self::Word(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// Whether this is certainly, or certainly not, that value.
    pub(super) fn is(&self, value: &Value) -> Option<bool> {
        match (self, value) {
            (Self::Known(known), _) => number::same(known, value),
            (Self::Number(number), Value::Number(other)) => Some(number.order(Num::of(other)).is_eq()),
            (Self::Word(word), Value::String(text)) => Some(**word == **text),
            (Self::Text(text), Value::String(other)) => {
                let length = other.chars().count() as u64;
                let possible = (text.min..=text.max).contains(&length);
                if possible { None } else { Some(false) }
            }
            (Self::List(_), Value::Array(others)) => {
                let items = self.items()?;
                if items.iter().map(|(_, count)| count).sum::<u64>() != others.len() as u64 {
                    return Some(false);
                }
                let items = items.into_iter().flat_map(|(item, count)| (0..count).map(move |_| item.clone()));
                number::all(items.zip(others).map(|(item, other)| item.is(other)))
            }
            (Self::Object(members), Value::Object(others)) => {
                if members.len() != others.len() {
                    return Some(false);
                }
                number::all(
                    members.iter().map(|(name, member)| {
                        others.get(&**name).map_or(Some(false), |other| member.is(other))
                    }),
                )
            }
            _ => Some(false),
        }
    }

    /// Whether two samples are certainly, or certainly not, the same value.
    pub(super) fn equals(&self, other: &Self) -> Option<bool> {
        if self.kind() != other.kind() {
            return Some(false);
        }
        match (self, other) {
            (Self::Known(value), sample) | (sample, Self::Known(value)) => sample.is(value),
            (Self::Number(a), Self::Number(b)) => Some(a.order(*b).is_eq()),
            (Self::Word(a), Self::Word(b)) => Some(a == b),
            (Self::Text(_), _) | (_, Self::Text(_)) => {
                let (a, b) = (self.text()?, other.text()?);
                if a.max < b.min || b.max < a.min { Some(false) } else { None }
            }
            (Self::List(a), Self::List(b)) => {
                let count = |items: &[(Self, u64)]| items.iter().map(|(_, count)| count).sum::<u64>();
                if count(a) == count(b) { None } else { Some(false) }
            }
            (Self::Object(a), Self::Object(b)) => {
                if a.len() != b.len() || a.keys().ne(b.keys()) {
                    return Some(false);
                }
                number::all(a.values().zip(b.values()).map(|(a, b)| a.equals(b)))
            }
            _ => None,
        }
    }
}
