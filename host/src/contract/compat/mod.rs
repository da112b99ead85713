//! Whether a reader's JSON Schema (2020-12) accepts everything that a writer's schema lets through.
//!
//! It is used to refuse a consumer that rejects what its publisher may send, and to class a change of a schema as
//! breaking or compatible.
//!
//! The comparison proves what it can keyword by keyword. Where it fails, it makes up a value, and only a value that the
//! writer's schema accepts and the reader's rejects makes a conflict; everything in between is undecided. A text that
//! has a `pattern` is taken to exist. Two limits are drawn on purpose:
//!
//! - A property that the reader describes, by name or by pattern, and the writer leaves open (it neither mentions it nor
//!   says anything of other properties) is never a conflict, but undecided: nobody says that it is sent. What the
//!   reader says of all others is compared: with `additionalProperties: false`, an open writer is a conflict.
//! - `not`, `if`, `dependentRequired`, `dependentSchemas`, `contains`, `patternProperties` and `unevaluated…` are
//!   compared as far as equal words, examples and disjointness go.
//!
//! It leaves to others: whether the documents are valid schemas (a malformed keyword is ignored), references to other
//! documents (undecided), and what to do about a difference.

mod alike;
mod disjoint;
mod engine;
mod evaluate;
mod facets;
mod lists;
mod members;
mod number;
mod objects;
mod pattern;
mod rest;
mod sample;
mod scalars;
mod schema;
mod shape;
mod types;
mod union;
mod witness;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::Value;

use engine::Engine;
use schema::{Doc, Fuel};

/// How many differences of each kind are given at most.
pub const DIFFERENCES_MAX: usize = 20;

/// How much work one comparison may take. A step is about one keyword of one schema; it takes microseconds.
const STEPS_MAX: u32 = 100_000;

/// What keeps a reader from accepting all that a writer may send. With both lists empty, the reader accepts it all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What the reader certainly rejects: at most [`DIFFERENCES_MAX`].
    pub conflicts: Vec<Difference>,
    /// What could not be decided, and why: at most [`DIFFERENCES_MAX`].
    pub undecided: Vec<Difference>,
}

/// One difference between what is written and what is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where in the value: a JSON pointer in which `*` stands for any item or any other property; empty for the root.
    pub path: String,
    /// What it is: a part of a sentence in lower case, without a final stop.
    pub says: String,
}

/// How messages speak of the two sides, such as "the publisher" and "the consumer".
#[derive(Clone, Copy, Debug)]
pub struct Roles<'a> {
    /// Whoever's values are valid under the writer's schema.
    pub writer: &'a str,
    /// Whoever takes only what is valid under the reader's schema.
    pub reader: &'a str,
}

/// Compares a writer's schema with a reader's. Both must be valid against the meta-schema of 2020-12.
///
/// Time and memory are bounded for any pair of documents, however nested, wide or recursive: what would take longer
/// is undecided.
pub fn compare(writer: &Value, reader: &Value, roles: Roles<'_>) -> Comparison {
    let fuel = Fuel::new(STEPS_MAX);
    let (writer, reader) = (Doc::new(writer, &fuel), Doc::new(reader, &fuel));
    if writer.is_same(&reader) {
        return Comparison::default();
    }
    let mut comparison = Comparison::default();
    let mut seen = BTreeSet::new();
    let mut findings = Engine::new(roles, &fuel).roots(&writer, &reader);
    // The conflicts first: what is certain on one way through the schemas need not be said again as a doubt.
    findings.sort_by_key(|finding| finding.witness.is_none());
    for finding in findings {
        let (list, says) = match finding.witness {
            Some(_) => (&mut comparison.conflicts, finding.says),
            None => (&mut comparison.undecided, finding.doubt()),
        };
        if list.len() < DIFFERENCES_MAX && seen.insert((finding.path.clone(), says.clone())) {
            list.push(Difference { path: finding.path, says });
        }
    }
    comparison
}
