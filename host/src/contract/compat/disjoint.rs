//! Whether two terms have no value in common, as far as that can be shown: by types, values, limits and tags.
//!
//! "No" here means "not shown". Leaves what follows from it to the engine.

use super::evaluate::{COMPARED, Verdict};
use super::facets::crossed;
use super::members::{Guess, Name};
use super::sample::Sample;
use super::schema::Term;
use super::shape::Shape;
use super::types::Types;

/// How far into properties and items it is looked.
const DEPTH_MAX: u32 = 4;
/// More alternatives against each other are not looked at.
const PAIRS_MAX: usize = 1_024;
const STEPS_MAX: u32 = 500;

impl Term<'_> {
    /// Whether it can be shown that no value is valid.
    pub(super) fn is_hollow(&self) -> bool {
        self.doc.fuel.at_most(STEPS_MAX, || self.hollow(DEPTH_MAX))
    }

    fn hollow(&self, depth: u32) -> bool {
        !self.is_anything() && self.shapes().iter().all(|shape| shape.hollow(depth))
    }

    fn excludes(&self, other: &Term<'_>, depth: u32) -> bool {
        if depth == 0 || !self.doc.fuel.spend(1) {
            return false;
        }
        let (ours, theirs) = (self.shapes(), other.shapes());
        ours.len() * theirs.len() <= PAIRS_MAX
            && ours.iter().all(|our| theirs.iter().all(|their| our.apart(their, depth)))
    }
}

impl Shape<'_> {
    /// Whether it can be shown that no value is valid.
    pub(super) fn is_hollow(&self) -> bool {
        self.doc.fuel.at_most(STEPS_MAX, || self.hollow(DEPTH_MAX))
    }

    fn hollow(&self, depth: u32) -> bool {
        if self.types.is_empty() {
            return true;
        }
        if depth == 0 || !self.doc.fuel.spend(1) {
            return false;
        }
        if self.types == Types::OBJECT {
            let required = self.required();
            return required
                .iter()
                .any(|name| self.property(Name::Named(name), &Guess::new()).hollow(depth - 1));
        }
        self.types == Types::LIST
            && (0..self.prefix().min(16))
                .any(|index| (index as u64) < self.least("minItems") && self.item(index).hollow(depth - 1))
    }

    /// Whether it can be shown that the shapes have no value in common.
    pub(super) fn is_apart(&self, other: &Shape<'_>) -> bool {
        self.doc.fuel.at_most(STEPS_MAX, || self.apart(other, DEPTH_MAX))
    }

    /// Whether it can be shown that no value of this shape is valid under a term.
    pub(super) fn is_apart_from(&self, term: &Term<'_>) -> bool {
        self.doc.fuel.at_most(STEPS_MAX, || {
            let shapes = term.shapes();
            shapes.len() <= PAIRS_MAX && shapes.iter().all(|shape| self.apart(shape, DEPTH_MAX))
        })
    }

    fn apart(&self, other: &Shape<'_>, depth: u32) -> bool {
        let common = self.types.and(other.types);
        if common.is_empty() {
            return true;
        }
        if !self.doc.fuel.spend(1) {
            return false;
        }
        if self.values_outside(other) || other.values_outside(self) {
            return true;
        }
        common.pieces().into_iter().all(|piece| match piece {
            Types::TEXT => self.limits_apart(other, "minLength", "maxLength"),
            Types::LIST => self.limits_apart(other, "minItems", "maxItems") || self.items_apart(other, depth),
            Types::OBJECT => {
                self.limits_apart(other, "minProperties", "maxProperties") || self.members_apart(other, depth)
            }
            Types::NULL | Types::BOOLEAN => false,
            _ => self.numbers_apart(other),
        })
    }

    /// Whether this shape lists its values and the other shape has none of them.
    fn values_outside(&self, other: &Shape<'_>) -> bool {
        self.values.as_ref().is_some_and(|values| {
            values.iter().all(|value| {
                let sample = Sample::Known(value);
                let parts = other.parts.iter();
                !sample.kind().within(other.types)
                    || other.values.as_ref().is_some_and(|values| {
                        other.doc.fuel.spend(values.len() / COMPARED)
                            && values.iter().all(|value| sample.is(value) == Some(false))
                    })
                    || parts
                        .map(|part| other.doc.evaluate_limits(part, &sample))
                        .any(|it| it == Verdict::Rejects)
            })
        })
    }

    fn limits_apart(&self, other: &Shape<'_>, least: &str, most: &str) -> bool {
        self.most(most).is_some_and(|most| most < other.least(least))
            || other.most(most).is_some_and(|most| most < self.least(least))
    }

    fn numbers_apart(&self, other: &Shape<'_>) -> bool {
        let below = |a: &Shape<'_>, b: &Shape<'_>| {
            a.high().zip(b.low()).is_some_and(|(high, low)| crossed(low, high))
        };
        below(self, other) || below(other, self)
    }

    /// A property tells the shapes apart if one of them requires it, and no value of it suits both.
    fn members_apart(&self, other: &Shape<'_>, depth: u32) -> bool {
        let mut required = self.required();
        required.extend(other.required());
        required.into_iter().any(|name| {
            let (ours, theirs) = (
                self.property(Name::Named(name), &Guess::new()),
                other.property(Name::Named(name), &Guess::new()),
            );
            ours.excludes(&theirs, depth - 1)
        })
    }

    fn items_apart(&self, other: &Shape<'_>, depth: u32) -> bool {
        let there = self.least("minItems").max(other.least("minItems"));
        let described = self.prefix().max(other.prefix()) as u64 + 1;
        // The first few places hold the tags, if there are any.
        (0..there.min(described).min(8)).any(|index| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            self.item(index).excludes(&other.item(index), depth - 1)
        })
    }
}
