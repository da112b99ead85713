//! Whether two schemas say the same: annotations ignored, references followed, lists that are sets in any order.
//!
//! "No" here means "not shown"; schemas that say the same in other words are left to the engine.

use std::collections::BTreeSet;

use serde_json::Value;

use super::evaluate::COMPARED;
use super::number;
use super::schema::{Atom, Doc, Keywords, Term, is_anything, is_assertion};

const DEPTH_MAX: usize = 64;

/// Whether each condition of the reader is, in the same words, a condition of the writer.
pub(super) fn implied(writer: &Term<'_>, reader: &Term<'_>) -> bool {
    reader.atoms.iter().all(|theirs| match theirs {
        Atom::Schema(theirs) => {
            is_anything(theirs)
                || writer.atoms.iter().any(|ours| match ours {
                    Atom::Schema(ours) => Twins::new(writer.doc, reader.doc).schemas(ours, theirs, 0),
                    Atom::Is(_) | Atom::Text => false,
                })
        }
        Atom::Is(_) | Atom::Text => false,
    })
}

/// Whether two schemas of these documents say the same.
pub(super) fn schemas(writer: &Doc<'_>, ours: &Value, reader: &Doc<'_>, theirs: &Value) -> bool {
    Twins::new(writer, reader).schemas(ours, theirs, 0)
}

/// Whether these keywords say the same in both schemas.
pub(super) fn keywords(
    names: &[&str],
    (writer, ours): (&Doc<'_>, &Keywords),
    (reader, theirs): (&Doc<'_>, &Keywords),
) -> bool {
    let mut twins = Twins::new(writer, reader);
    names.iter().all(|name| twins.keyword(name, ours.get(*name), theirs.get(*name), 0))
}

/// Whether all keywords of two schemas say the same.
pub(super) fn whole((writer, ours): (&Doc<'_>, &Keywords), (reader, theirs): (&Doc<'_>, &Keywords)) -> bool {
    Twins::new(writer, reader).whole(ours, theirs, 0)
}

struct Twins<'d, 's> {
    writer: &'d Doc<'s>,
    reader: &'d Doc<'s>,
    /// Pairs that were met before are taken to be alike; if one is not, neither is the whole.
    met: BTreeSet<(usize, usize)>,
}

impl<'d, 's> Twins<'d, 's> {
    fn new(writer: &'d Doc<'s>, reader: &'d Doc<'s>) -> Self {
        Self { writer, reader, met: BTreeSet::new() }
    }

    fn schemas(&mut self, ours: &Value, theirs: &Value, depth: usize) -> bool {
        if depth > DEPTH_MAX || !self.writer.fuel.spend(1) {
            return false;
        }
        let (Some(ours), Some(theirs)) = (self.writer.behind(ours), self.reader.behind(theirs)) else {
            return false;
        };
        if !self.met.insert((std::ptr::from_ref(ours).addr(), std::ptr::from_ref(theirs).addr())) {
            return true;
        }
        if is_anything(ours) || is_anything(theirs) {
            return is_anything(ours) && is_anything(theirs);
        }
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => self.whole(ours, theirs, depth),
            (ours, theirs) => ours == theirs && ours.is_boolean(),
        }
    }

    fn whole(&mut self, ours: &Keywords, theirs: &Keywords, depth: usize) -> bool {
        let mut both = ours.keys().chain(theirs.keys()).filter(|name| is_assertion(name));
        both.all(|name| self.keyword(name, ours.get(name), theirs.get(name), depth))
    }

    fn keyword(&mut self, name: &str, ours: Option<&Value>, theirs: Option<&Value>, depth: usize) -> bool {
        let (ours, theirs) = match (ours, theirs) {
            (None, None) => return true,
            (Some(ours), Some(theirs)) => (ours, theirs),
            (None, Some(_)) | (Some(_), None) => return false,
        };
        match name {
            "$ref" => match (self.writer.target(ours), self.reader.target(theirs)) {
                (Some(ours), Some(theirs)) => self.schemas(ours, theirs, depth + 1),
                _ => false,
            },
            // Where these lead depends on the whole document.
            "$dynamicRef" => false,
            "additionalProperties"
            | "unevaluatedProperties"
            | "propertyNames"
            | "items"
            | "unevaluatedItems"
            | "contains"
            | "not"
            | "if"
            | "then"
            | "else" => self.schemas(ours, theirs, depth + 1),
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => match (ours, theirs) {
                (Value::Array(ours), Value::Array(theirs)) => {
                    ours.len() == theirs.len()
                        && ours.iter().zip(theirs).all(|(ours, theirs)| self.schemas(ours, theirs, depth + 1))
                }
                _ => false,
            },
            "properties" | "patternProperties" | "dependentSchemas" => match (ours, theirs) {
                (Value::Object(ours), Value::Object(theirs)) => {
                    ours.len() == theirs.len()
                        && ours.iter().all(|(name, ours)| {
                            theirs.get(name).is_some_and(|theirs| self.schemas(ours, theirs, depth + 1))
                        })
                }
                _ => false,
            },
            "required" | "enum" | "type" => self.sets(ours, theirs),
            _ => number::same(ours, theirs) == Some(true),
        }
    }

    fn sets(&self, ours: &Value, theirs: &Value) -> bool {
        let (Value::Array(ours), Value::Array(theirs)) = (ours, theirs) else {
            return number::same(ours, theirs) == Some(true);
        };
        let paired = ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|(ours, theirs)| number::same(ours, theirs) == Some(true));
        let within = |some: &[Value], all: &[Value]| {
            some.iter().all(|one| all.iter().any(|other| number::same(one, other) == Some(true)))
        };
        paired
            || (self.writer.fuel.spend(ours.len() * theirs.len() / COMPARED)
                && within(ours, theirs)
                && within(theirs, ours))
    }
}
