//! Numbers compared without loss, and values compared as JSON Schema compares them (`1` is `1.0`).
//!
//! Leaves bounds and multiples to those who read them from a schema.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Whole numbers from here on are kept as floats. Below it, a whole float has an exact `i128`.
const WHOLE_END: f64 = 1e30;

/// How deep two values are compared.
const DEPTH_MAX: usize = 64;

/// A number that compares exactly: `Whole` holds every whole number below 1e30, `Real` all others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Num {
    Whole(i128),
    Real(f64),
}

impl Num {
    pub(super) fn of(number: &Number) -> Self {
        if let Some(whole) = number.as_i64() {
            return Self::Whole(i128::from(whole));
        }
        if let Some(whole) = number.as_u64() {
            return Self::Whole(i128::from(whole));
        }
        Self::of_float(number.as_f64().unwrap_or(f64::MAX))
    }

    pub(super) fn of_float(float: f64) -> Self {
        if float.fract() == 0.0 && float.abs() < WHOLE_END {
            Self::Whole(float as i128)
        } else {
            Self::Real(float)
        }
    }

    pub(super) fn of_value(value: Option<&Value>) -> Option<Self> {
        match value {
            Some(Value::Number(number)) => Some(Self::of(number)),
            _ => None,
        }
    }

    /// Whether the number has no fraction, as the type `integer` asks.
    pub(super) fn is_whole(self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Real(float) => float.fract() == 0.0,
        }
    }

    pub(super) fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(&b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(&b),
            (Self::Whole(a), Self::Real(b)) => whole_to_real(a, b),
            (Self::Real(a), Self::Whole(b)) => whole_to_real(b, a).reverse(),
        }
    }

    /// Whether this is a multiple of `step`, as far as whole numbers can tell: floats are not divided.
    pub(super) fn is_multiple_of(self, step: Self) -> Option<bool> {
        match (self, step) {
            (Self::Whole(0), _) => Some(true),
            (Self::Whole(number), Self::Whole(step)) if step != 0 => Some(number % step == 0),
            (Self::Real(number), Self::Whole(_)) if number.fract() != 0.0 => Some(false),
            _ => None,
        }
    }

    /// This number moved by `offset`; for candidates, so it need not be exact.
    pub(super) fn plus(self, offset: f64) -> Self {
        match self {
            Self::Whole(number) if offset.fract() == 0.0 => {
                let end = WHOLE_END as i128 - 1;
                Self::Whole(number.saturating_add(offset as i128).clamp(-end, end))
            }
            Self::Whole(number) => Self::of_float(number as f64 + offset),
            Self::Real(number) => Self::of_float(number + offset),
        }
    }
}

/// A `Real` is a fraction or at least 1e30 away from zero, so it never equals a whole number below that.
fn whole_to_real(whole: i128, real: f64) -> Ordering {
    if real.abs() >= WHOLE_END {
        return if real > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    if whole <= real.floor() as i128 { Ordering::Less } else { Ordering::Greater }
}

/// Whether two values are equal; `None` where they are nested too deeply to tell.
pub(super) fn same(a: &Value, b: &Value) -> Option<bool> {
    same_at(a, b, 0)
}

fn same_at(a: &Value, b: &Value, depth: usize) -> Option<bool> {
    if depth > DEPTH_MAX {
        return None;
    }
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some(Num::of(a).order(Num::of(b)) == Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                return Some(false);
            }
            all(a.iter().zip(b).map(|(a, b)| same_at(a, b, depth + 1)))
        }
        (Value::Object(a), Value::Object(b)) => {
            if a.len() != b.len() {
                return Some(false);
            }
            all(a.iter().map(|(key, a)| b.get(key).map_or(Some(false), |b| same_at(a, b, depth + 1))))
        }
        (Value::Null | Value::Bool(_) | Value::String(_), _) => Some(a == b),
        (Value::Number(_) | Value::Array(_) | Value::Object(_), _) => Some(false),
    }
}

/// Whether all answers are yes: one no is a no, else one unknown is unknown.
pub(super) fn all(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = Some(true);
    for answer in answers {
        match answer {
            Some(true) => {}
            Some(false) => return Some(false),
            None => known = None,
        }
    }
    known
}
