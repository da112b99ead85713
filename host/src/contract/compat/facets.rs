//! The limits that a shape sets: ranges of numbers, lengths, sizes, required properties.
//!
//! Leaves comparing them to the modules of the types.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Value;

use super::evaluate::count;
use super::number::Num;
use super::schema::texts;
use super::shape::Shape;
use super::types::Types;

/// An end of a range of numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) keyword: &'static str,
    pub(super) number: Num,
    pub(super) exclusive: bool,
}

impl<'s> Shape<'s> {
    /// The tightest lower bound.
    pub(super) fn low(&self) -> Option<Bound> {
        self.bounds("minimum", "exclusiveMinimum").reduce(|a, b| if tighter_low(b, a) { b } else { a })
    }

    /// The tightest upper bound.
    pub(super) fn high(&self) -> Option<Bound> {
        self.bounds("maximum", "exclusiveMaximum").reduce(|a, b| if tighter_high(b, a) { b } else { a })
    }

    fn bounds(&self, inclusive: &'static str, exclusive: &'static str) -> impl Iterator<Item = Bound> {
        self.parts.iter().flat_map(move |part| {
            [(inclusive, false), (exclusive, true)].into_iter().filter_map(|(keyword, exclusive)| {
                let number = Num::of_value(part.get(keyword))?;
                Some(Bound { keyword, number, exclusive })
            })
        })
    }

    pub(super) fn multiples(&self) -> impl Iterator<Item = Num> {
        self.parts.iter().filter_map(|part| Num::of_value(part.get("multipleOf")))
    }

    /// The largest of a lower limit, such as `minLength`; 0 without one.
    pub(super) fn least(&self, keyword: &str) -> u64 {
        self.parts.iter().filter_map(|part| count(part, keyword)).max().unwrap_or(0)
    }

    /// The smallest of an upper limit, such as `maxLength`.
    pub(super) fn most(&self, keyword: &str) -> Option<u64> {
        self.parts.iter().filter_map(|part| count(part, keyword)).min()
    }

    /// The patterns of the text, each once.
    pub(super) fn patterns(&self) -> BTreeSet<&'s str> {
        self.parts.iter().filter_map(|part| part.get("pattern")?.as_str()).collect()
    }

    pub(super) fn required(&self) -> BTreeSet<&'s str> {
        let required = self.parts.iter().flat_map(|part| texts(part.get("required")));
        required.chain(self.pins.iter().map(|(name, _)| *name)).collect()
    }

    pub(super) fn is_unique(&self) -> bool {
        self.parts.iter().any(|part| part.get("uniqueItems") == Some(&Value::Bool(true)))
    }

    /// The fewest properties an object of this shape has.
    pub(super) fn members_min(&self) -> u64 {
        self.least("minProperties").max(self.required().len() as u64)
    }

    /// The types that the limits rule out.
    pub(super) fn contradictions(&self) -> Types {
        let mut none = Types::NONE;
        if self.multiples().any(|step| step.is_whole()) {
            none = none.or(Types::FRACTION);
        }
        if let (Some(low), Some(high)) = (self.low(), self.high()) {
            let whole = whole_low(low).zip(whole_high(high)).is_some_and(|(low, high)| low > high);
            none = if whole { none.or(Types::WHOLE) } else { none };
            none = if crossed(low, high) { none.or(Types::NUMBER) } else { none };
        }
        let crossed = |least: &str, most: &str| self.most(most).is_some_and(|most| most < self.least(least));
        none = if crossed("minLength", "maxLength") { none.or(Types::TEXT) } else { none };
        none = if crossed("minItems", "maxItems") { none.or(Types::LIST) } else { none };
        let members = self.most("maxProperties").is_some_and(|most| most < self.members_min());
        if members { none.or(Types::OBJECT) } else { none }
    }
}

/// Whether no number lies between the bounds.
pub(super) fn crossed(low: Bound, high: Bound) -> bool {
    match low.number.order(high.number) {
        Ordering::Less => false,
        Ordering::Equal => low.exclusive || high.exclusive,
        Ordering::Greater => true,
    }
}

/// Whether `a` lets less through than `b`.
pub(super) fn tighter_low(a: Bound, b: Bound) -> bool {
    match a.number.order(b.number) {
        Ordering::Less => false,
        Ordering::Equal => a.exclusive && !b.exclusive,
        Ordering::Greater => true,
    }
}

/// Whether `a` lets less through than `b`.
pub(super) fn tighter_high(a: Bound, b: Bound) -> bool {
    match a.number.order(b.number) {
        Ordering::Greater => false,
        Ordering::Equal => a.exclusive && !b.exclusive,
        Ordering::Less => true,
    }
}

/// The smallest whole number above a lower bound.
pub(super) fn whole_low(bound: Bound) -> Option<i128> {
    match bound.number {
        Num::Whole(number) => Some(number + i128::from(bound.exclusive)),
        Num::Real(number) if number.abs() < 1e30 => Some(number.ceil() as i128),
        Num::Real(_) => None,
    }
}

/// The largest whole number below an upper bound.
pub(super) fn whole_high(bound: Bound) -> Option<i128> {
    match bound.number {
        Num::Whole(number) => Some(number - i128::from(bound.exclusive)),
        Num::Real(number) if number.abs() < 1e30 => Some(number.floor() as i128),
        Num::Real(_) => None,
    }
}
