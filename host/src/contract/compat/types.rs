//! The JSON types as a set. Whole numbers and fractions are told apart, because `integer` is a part of `number`.
//!
//! Leaves to `number` what a number is worth.

use serde_json::Value;

use super::number::Num;

/// A set of JSON types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const WHOLE: Self = Self(4);
    pub(super) const FRACTION: Self = Self(8);
    pub(super) const NUMBER: Self = Self(4 | 8);
    pub(super) const TEXT: Self = Self(16);
    pub(super) const LIST: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(127);

    /// What the keyword `type` lets through; without the keyword, everything.
    pub(super) fn of_keyword(keyword: Option<&Value>) -> Self {
        match keyword {
            Some(Value::String(name)) => Self::named(name),
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).map(Self::named).fold(Self::NONE, Self::or)
            }
            _ => Self::ALL,
        }
    }

    fn named(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::WHOLE,
            "number" => Self::NUMBER,
            "string" => Self::TEXT,
            "array" => Self::LIST,
            "object" => Self::OBJECT,
            _ => Self::NONE,
        }
    }

    /// The type of one value.
    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) => Self::of_number(Num::of(number)),
            Value::String(_) => Self::TEXT,
            Value::Array(_) => Self::LIST,
            Value::Object(_) => Self::OBJECT,
        }
    }

    pub(super) fn of_number(number: Num) -> Self {
        if number.is_whole() { Self::WHOLE } else { Self::FRACTION }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn meets(self, other: Self) -> bool {
        !self.and(other).is_empty()
    }

    /// Whether every type of this set is in `other`.
    pub(super) fn within(self, other: Self) -> bool {
        self.minus(other).is_empty()
    }

    /// The set in pieces of one type each; whole numbers and fractions stay together where both are there.
    pub(super) fn pieces(self) -> Vec<Self> {
        [Self::NULL, Self::BOOLEAN, Self::NUMBER, Self::TEXT, Self::LIST, Self::OBJECT]
            .into_iter()
            .map(|piece| self.and(piece))
            .filter(|piece| !piece.is_empty())
            .collect()
    }

    /// The names as the keyword `type` writes them. A fraction has none of its own.
    pub(super) fn names(self) -> Vec<&'static str> {
        self.pieces()
            .into_iter()
            .map(|piece| match piece {
                Self::NULL => "null",
                Self::BOOLEAN => "boolean",
                Self::WHOLE => "integer",
                Self::TEXT => "string",
                Self::LIST => "array",
                Self::OBJECT => "object",
                _ => "number",
            })
            .collect()
    }
}
