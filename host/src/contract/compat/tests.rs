//! Facts about the comparison; the same held against a validator with random schemas; and hostile schemas.

#![expect(clippy::too_many_lines, reason = "tables of facts")]

use std::time::{Duration, Instant};

use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use serde_json::{Map, Value, json};

use super::engine::Engine;
use super::sample::Sample;
use super::schema::{Doc, Fuel, Term};
use super::{Comparison, Roles, compare};

const ROLES: Roles<'static> = Roles { writer: "the publisher", reader: "the consumer" };

/// A fact: a name, the writer's schema, the reader's, where they conflict, and where that is undecided.
type Fact = (&'static str, Value, Value, &'static [&'static str], &'static [&'static str]);

fn hold(facts: Vec<Fact>) {
    let mut wrong = Vec::new();
    for (name, writer, reader, conflicts, undecided) in facts {
        let found = compare(&writer, &reader, ROLES);
        let paths = |list: &[super::Difference]| list.iter().map(|it| it.path.clone()).collect::<Vec<_>>();
        if paths(&found.conflicts) != conflicts || paths(&found.undecided) != undecided {
            wrong.push(format!("{name}: expected {conflicts:?} and {undecided:?}, found {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An object with these properties, none required.
fn object(properties: Value) -> Value {
    json!({ "type": "object", "properties": properties })
}

#[test]
fn facts_about_types_and_values() {
    let text = || json!({ "type": "string" });
    hold(vec![
        ("equal schemas are compatible", text(), text(), &[], &[]),
        (
            "annotations do not matter",
            json!({ "type": "string", "title": "a", "examples": [1] }),
            text(),
            &[],
            &[],
        ),
        ("a format is an annotation", text(), json!({ "type": "string", "format": "date" }), &[], &[]),
        ("a reader of anything accepts all", text(), json!(true), &[], &[]),
        ("an empty schema accepts all", json!({ "type": ["null", "array"] }), json!({}), &[], &[]),
        ("a writer of anything sends what is not a text", json!({}), text(), &[""], &[]),
        ("a reader of nothing rejects all", text(), json!(false), &[""], &[]),
        ("a writer of nothing sends nothing", json!(false), text(), &[], &[]),
        ("types that do not overlap", text(), json!({ "type": "integer" }), &[""], &[]),
        ("an integer is a number", json!({ "type": "integer" }), json!({ "type": "number" }), &[], &[]),
        (
            "a number may have a fraction",
            json!({ "type": "number" }),
            json!({ "type": "integer" }),
            &[""],
            &[],
        ),
        (
            "multiples of a whole number are integers",
            json!({ "type": "number", "multipleOf": 2 }),
            json!({ "type": "integer" }),
            &[],
            &[],
        ),
        ("null is one type more", json!({ "type": ["string", "null"] }), text(), &[""], &[]),
        ("one type of several is accepted", text(), json!({ "type": ["null", "string"] }), &[], &[]),
        (
            "a value that the reader lacks",
            json!({ "enum": ["a", "b"] }),
            json!({ "enum": ["a"] }),
            &[""],
            &[],
        ),
        ("a value more for the reader", json!({ "enum": ["a"] }), json!({ "enum": ["b", "a"] }), &[], &[]),
        ("a constant is one of the values", json!({ "const": "a" }), json!({ "enum": ["a", "b"] }), &[], &[]),
        ("a constant is 1 or 1.0", json!({ "const": 1 }), json!({ "const": 1.0 }), &[], &[]),
        ("any text is not one of two", text(), json!({ "enum": ["a", "b"] }), &[""], &[]),
        ("values have the reader's type", json!({ "enum": ["a", "b"] }), text(), &[], &[]),
        ("values may be too long", json!({ "enum": ["a", "bbb"] }), json!({ "maxLength": 2 }), &[""], &[]),
        ("booleans are two values", json!({ "type": "boolean" }), json!({ "enum": [true, false] }), &[], &[]),
        ("a boolean is not always true", json!({ "type": "boolean" }), json!({ "const": true }), &[""], &[]),
        ("values are limited by their type", json!({ "enum": ["a", 1], "type": "string" }), text(), &[], &[]),
        (
            "values against a pattern of signs",
            json!({ "enum": ["EUR", "eur"] }),
            json!({ "pattern": "^[A-Z]{3}$" }),
            &[""],
            &[],
        ),
        (
            "values against a pattern that cannot be read",
            json!({ "enum": ["EUR"] }),
            json!({ "pattern": "^(?=E)" }),
            &[],
            &[""],
        ),
    ]);
}

#[test]
fn facts_about_limits() {
    let number = |keywords: Value| {
        let mut keywords = keywords;
        keywords["type"] = json!("number");
        keywords
    };
    let whole = |keyword: &str, limit: i64| json!({ "type": "integer", keyword: limit });
    let text = |keyword: &str, limit: u64| json!({ "type": "string", keyword: limit });
    hold(vec![
        (
            "a lower bound that is tighter",
            number(json!({ "minimum": 0 })),
            number(json!({ "minimum": 1 })),
            &[""],
            &[],
        ),
        (
            "a lower bound that is wider",
            number(json!({ "minimum": 1 })),
            number(json!({ "minimum": 0.5 })),
            &[],
            &[],
        ),
        (
            "an upper bound where there was none",
            number(json!({})),
            number(json!({ "maximum": 1e300 })),
            &[""],
            &[],
        ),
        (
            "an exclusive bound shuts its end out",
            number(json!({ "minimum": 0 })),
            number(json!({ "exclusiveMinimum": 0 })),
            &[""],
            &[],
        ),
        ("above 0 is from 1 for integers", whole("exclusiveMinimum", 0), whole("minimum", 1), &[], &[]),
        ("from 1 is above 0 for integers", whole("minimum", 1), whole("exclusiveMinimum", 0), &[], &[]),
        (
            "above 0 is not from 1 for numbers",
            number(json!({ "exclusiveMinimum": 0 })),
            number(json!({ "minimum": 1 })),
            &[""],
            &[],
        ),
        ("multiples of 6 are multiples of 3", whole("multipleOf", 6), whole("multipleOf", 3), &[], &[]),
        ("multiples of 3 are not all of 6", whole("multipleOf", 3), whole("multipleOf", 6), &[""], &[]),
        ("integers are multiples of 1", json!({ "type": "integer" }), whole("multipleOf", 1), &[], &[]),
        (
            "multiples of fractions are not divided",
            number(json!({ "multipleOf": 0.5 })),
            number(json!({ "multipleOf": 0.25 })),
            &[],
            &[""],
        ),
        (
            "large integers keep their last digit",
            whole("maximum", i64::MAX),
            whole("maximum", i64::MAX - 1),
            &[""],
            &[],
        ),
        ("a text may be too long", text("maxLength", 20), text("maxLength", 10), &[""], &[]),
        ("a text may be far too long", text("minLength", 1), text("maxLength", 1_000_000_000), &[""], &[]),
        ("a text may be empty", json!({ "type": "string" }), text("minLength", 1), &[""], &[]),
        ("a shorter text is accepted", text("maxLength", 5), text("maxLength", 10), &[], &[]),
        (
            "equal patterns are compatible",
            json!({ "type": "string", "pattern": "^a+$", "maxLength": 9 }),
            json!({ "type": "string", "pattern": "^a+$" }),
            &[],
            &[],
        ),
        (
            "any text does not match a pattern",
            json!({ "type": "string" }),
            json!({ "type": "string", "pattern": "^[A-Z]{3}$" }),
            &[""],
            &[],
        ),
        (
            "different patterns are not compared",
            json!({ "type": "string", "pattern": "^[A-Z]{3}$" }),
            json!({ "type": "string", "pattern": "^[A-Z]+$" }),
            &[],
            &[""],
        ),
        (
            "a pattern may keep a length by itself",
            json!({ "type": "string", "pattern": "^[A-Z]{3}$" }),
            text("minLength", 3),
            &[],
            &[""],
        ),
        (
            "a limit that only bites on other types",
            json!({ "type": "integer" }),
            json!({ "type": "integer", "maxLength": 1 }),
            &[],
            &[],
        ),
    ]);
}

#[test]
fn facts_about_objects() {
    let text = || json!({ "type": "string" });
    let closed = |properties: Value| json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let needs = |name: &str, properties: Value| json!({ "type": "object", "properties": properties, "required": [name] });
    hold(vec![
        (
            "a property that may be left out",
            object(json!({ "a": text() })),
            needs("a", json!({ "a": text() })),
            &["/a"],
            &[],
        ),
        (
            "a property that is always sent",
            needs("a", json!({ "a": text() })),
            object(json!({ "a": text() })),
            &[],
            &[],
        ),
        (
            "a required property that nobody describes",
            json!({ "type": "object" }),
            needs("a", json!({ "a": text() })),
            &["/a"],
            &[],
        ),
        (
            "a property of another type",
            object(json!({ "a": text() })),
            object(json!({ "a": { "type": "integer" } })),
            &["/a"],
            &[],
        ),
        (
            "a nested property of another type",
            object(json!({ "a": object(json!({ "b/c": text() })) })),
            object(json!({ "a": object(json!({ "b/c": { "type": "integer" } })) })),
            &["/a/b~1c"],
            &[],
        ),
        (
            "a property that the reader forbids",
            closed(json!({ "a": text(), "b": text() })),
            closed(json!({ "a": text() })),
            &["/b"],
            &[],
        ),
        (
            "a closed reader of an open writer",
            object(json!({ "a": text() })),
            closed(json!({ "a": text() })),
            &["/*"],
            &[],
        ),
        (
            "a closed writer of an open reader",
            closed(json!({ "a": text() })),
            object(json!({ "b": text() })),
            &[],
            &[],
        ),
        (
            "a property that only the reader describes",
            object(json!({})),
            object(json!({ "a": text() })),
            &[],
            &["/a"],
        ),
        (
            "a property under the writer's rule for others",
            json!({ "type": "object", "additionalProperties": { "type": "integer" } }),
            object(json!({ "a": text() })),
            &["/a"],
            &[],
        ),
        (
            "the reader's rule for others",
            object(json!({ "a": { "type": "integer" } })),
            json!({ "type": "object", "additionalProperties": text() }),
            &["/a", "/*"],
            &[],
        ),
        (
            "rules for others that differ",
            json!({ "type": "object", "additionalProperties": { "type": ["string", "null"] } }),
            json!({ "type": "object", "additionalProperties": text() }),
            &["/*"],
            &[],
        ),
        (
            "unevaluated properties are others without composition",
            object(json!({ "a": text() })),
            json!({ "type": "object", "properties": { "a": text() }, "unevaluatedProperties": false }),
            &["/*"],
            &[],
        ),
        (
            "unevaluated properties with composition are not compared",
            object(json!({ "a": text() })),
            json!({ "allOf": [object(json!({ "a": text() }))], "unevaluatedProperties": false }),
            &[],
            &[""],
        ),
        (
            "a property that the writer never sends",
            json!({ "type": "object", "properties": { "a": false } }),
            object(json!({ "a": text() })),
            &[],
            &[],
        ),
        (
            "a property that the reader never takes",
            object(json!({ "a": text() })),
            json!({ "type": "object", "properties": { "a": false } }),
            &["/a"],
            &[],
        ),
        (
            "too few properties",
            object(json!({})),
            json!({ "type": "object", "minProperties": 1 }),
            &[""],
            &[],
        ),
        (
            "enough required properties",
            needs("a", json!({})),
            json!({ "minProperties": 1, "type": "object" }),
            &[],
            &[],
        ),
        (
            "too many properties",
            object(json!({})),
            json!({ "type": "object", "maxProperties": 2 }),
            &[""],
            &[],
        ),
        (
            "a closed writer has few properties",
            closed(json!({ "a": text(), "b": text() })),
            json!({ "type": "object", "maxProperties": 2 }),
            &[],
            &[],
        ),
        (
            "names that the reader rejects",
            closed(json!({ "a": text(), "long": text() })),
            json!({ "type": "object", "propertyNames": { "maxLength": 2 } }),
            &["", "/long"],
            &[],
        ),
        (
            "names that the writer keeps short",
            json!({ "type": "object", "propertyNames": { "maxLength": 2 } }),
            json!({ "type": "object", "propertyNames": { "maxLength": 3 } }),
            &[],
            &[],
        ),
        (
            "equal patterns of names",
            json!({ "type": "object", "patternProperties": { "^(?=x)": text() }, "additionalProperties": false }),
            json!({ "type": "object", "patternProperties": { "^(?=x)": text() }, "additionalProperties": false }),
            &[],
            &[],
        ),
        (
            "patterns of names that can be read",
            json!({ "type": "object", "properties": { "x-a": { "type": "integer" } }, "additionalProperties": false }),
            json!({ "type": "object", "patternProperties": { "^x-": text() } }),
            &["/x-a"],
            &[],
        ),
        (
            "a pattern of names that only the reader describes",
            json!({ "type": "object" }),
            json!({ "type": "object", "patternProperties": { "^x-": text() } }),
            &[],
            &["/*"],
        ),
        (
            "patterns of names that cannot be read",
            json!({ "type": "object", "properties": { "x-a": { "type": "integer" } }, "additionalProperties": false }),
            json!({ "type": "object", "patternProperties": { "^(?=x)": text() } }),
            &[],
            &["/x-a"],
        ),
        (
            "equal dependencies",
            json!({ "type": "object", "dependentRequired": { "a": ["b"] }, "title": "old" }),
            json!({ "type": "object", "dependentRequired": { "a": ["b"] }, "minProperties": 0 }),
            &[],
            &[],
        ),
        (
            "a dependency that the writer does not know",
            closed(json!({ "a": text() })),
            json!({ "type": "object", "dependentRequired": { "a": ["b"] } }),
            &[""],
            &[],
        ),
    ]);
}

#[test]
fn facts_about_lists() {
    let list = |keyword: &str, value: Value| json!({ "type": "array", keyword: value });
    let numbers = || json!({ "type": "integer" });
    let lines = |price: Value| {
        object(
            json!({ "items": { "type": "array", "items": { "type": "object", "required": price, "properties": { "price": numbers() } } } }),
        )
    };
    hold(vec![
        (
            "items of another type",
            list("items", json!({ "type": "string" })),
            list("items", numbers()),
            &["/*"],
            &[],
        ),
        ("items without a type", json!({ "type": "array" }), list("items", numbers()), &["/*"], &[]),
        (
            "a required property of the items",
            lines(json!([])),
            lines(json!(["price"])),
            &["/items/*/price"],
            &[],
        ),
        ("a list may be empty", list("items", numbers()), list("minItems", json!(1)), &[""], &[]),
        ("a list may be long", list("items", numbers()), list("maxItems", json!(100_000)), &[""], &[]),
        ("a shorter list", list("maxItems", json!(1)), list("maxItems", json!(2)), &[], &[]),
        ("items that may repeat", list("items", numbers()), list("uniqueItems", json!(true)), &[""], &[]),
        (
            "a single item does not repeat",
            list("maxItems", json!(1)),
            list("uniqueItems", json!(true)),
            &[],
            &[],
        ),
        (
            "a place of its own",
            list("prefixItems", json!([numbers(), { "type": "null" }])),
            list("items", numbers()),
            &["/1", "/*"],
            &[],
        ),
        (
            "places and a closed rest",
            json!({ "type": "array", "prefixItems": [numbers(), numbers()], "items": false }),
            list("items", numbers()),
            &[],
            &[],
        ),
        (
            "a rest that the reader closes",
            list("prefixItems", json!([numbers()])),
            json!({ "type": "array", "prefixItems": [numbers()], "items": false }),
            &[""],
            &[],
        ),
        ("an empty list contains nothing", list("items", numbers()), list("contains", numbers()), &[""], &[]),
        (
            "all items are what is contained",
            json!({ "type": "array", "items": { "const": 1 }, "minItems": 1 }),
            list("contains", numbers()),
            &[],
            &[],
        ),
        ("containing the same", list("contains", numbers()), json!({ "contains": numbers() }), &[], &[]),
    ]);
}

#[test]
fn facts_about_composition() {
    let text = || json!({ "type": "string" });
    let tagged = |tag: &str, needs: &str| json!({ "type": "object", "required": ["kind", needs], "properties": { "kind": { "const": tag }, needs: text() } });
    let one_of = |schemas: &[Value]| json!({ "oneOf": schemas });
    hold(vec![
        (
            "each alternative of the writer is accepted",
            json!({ "anyOf": [text(), { "const": 1 }] }),
            json!({ "type": ["string", "integer"] }),
            &[],
            &[],
        ),
        (
            "an alternative of the writer is rejected",
            json!({ "anyOf": [text(), { "type": "null" }] }),
            text(),
            &[""],
            &[],
        ),
        (
            "some alternative of the reader accepts",
            text(),
            json!({ "anyOf": [{ "type": "null" }, text()] }),
            &[],
            &[],
        ),
        (
            "alternatives that accept one type each",
            json!({ "type": ["string", "null"] }),
            json!({ "anyOf": [{ "type": "null" }, text()] }),
            &[],
            &[],
        ),
        (
            "alternatives of other types",
            text(),
            json!({ "anyOf": [{ "type": "null" }, { "type": "array" }] }),
            &[""],
            &[],
        ),
        (
            "alternatives that share one type",
            json!({ "type": "integer", "minimum": 0 }),
            json!({ "anyOf": [{ "type": "integer", "maximum": 5 }, { "type": "integer", "minimum": 4 }] }),
            &[],
            &[""],
        ),
        (
            "a tag more for the reader",
            one_of(&[tagged("a", "x")]),
            one_of(&[tagged("a", "x"), tagged("b", "y")]),
            &[],
            &[],
        ),
        (
            "a tag that the reader lacks",
            one_of(&[tagged("a", "x"), tagged("b", "y")]),
            one_of(&[tagged("a", "x"), tagged("c", "z")]),
            &["/kind"],
            &[],
        ),
        (
            "a difference behind a tag",
            one_of(&[tagged("a", "x"), tagged("b", "y")]),
            one_of(&[tagged("b", "z"), tagged("a", "x")]),
            &["/z"],
            &[],
        ),
        (
            "a writer whose tag is one of two",
            json!({ "type": "object", "required": ["kind", "x"], "properties": { "kind": { "enum": ["a", "b"] }, "x": text() } }),
            json!({ "anyOf": [tagged("a", "x"), tagged("b", "x")] }),
            &[],
            &[],
        ),
        (
            "a writer with a tag too many",
            json!({ "type": "object", "required": ["kind", "x"], "properties": { "kind": { "enum": ["a", "b", "c"] }, "x": text() } }),
            json!({ "anyOf": [tagged("a", "x"), tagged("b", "x")] }),
            &["/kind"],
            &[],
        ),
        (
            "alternatives that may both match",
            json!({ "type": "integer" }),
            one_of(&[json!({ "type": "integer" }), json!({ "type": "integer", "minimum": 5 })]),
            &[""],
            &[],
        ),
        (
            "alternatives that cannot both match",
            json!({ "const": 1 }),
            one_of(&[json!({ "minimum": 0 }), json!({ "type": "string" })]),
            &[],
            &[],
        ),
        (
            "the reader asks for several at once",
            json!({ "type": "integer", "minimum": 3 }),
            json!({ "allOf": [{ "type": "number" }, { "minimum": 4 }] }),
            &[""],
            &[],
        ),
        (
            "the writer keeps several at once",
            json!({ "allOf": [{ "type": "integer" }, { "minimum": 4 }] }),
            json!({ "type": "integer", "minimum": 3 }),
            &[],
            &[],
        ),
        (
            "every part closes for itself",
            json!({ "type": "object", "allOf": [{ "properties": { "a": text() }, "additionalProperties": false }, object(json!({ "b": text() }))] }),
            json!({ "type": "object", "properties": { "a": text() }, "additionalProperties": false }),
            &[],
            &[],
        ),
        ("a reader that excludes", text(), json!({ "type": "string", "not": { "const": "a" } }), &[], &[""]),
        ("an exclusion that cannot apply", text(), json!({ "not": { "type": "null" } }), &[], &[]),
        ("an exclusion that applies", text(), json!({ "not": { "minLength": 1 } }), &[""], &[]),
        (
            "an exclusion of the writer does no harm",
            json!({ "type": "string", "not": { "const": "a" } }),
            text(),
            &[],
            &[],
        ),
        (
            "an equal exclusion",
            json!({ "type": "string", "not": { "const": "a" } }),
            json!({ "not": { "const": "a" } }),
            &[],
            &[],
        ),
        (
            "a condition that no sample breaks",
            text(),
            json!({ "if": { "const": "a" }, "then": { "maxLength": 0 } }),
            &[],
            &[""],
        ),
        (
            "an equal condition",
            json!({ "type": "string", "if": { "const": "a" }, "else": { "maxLength": 3 } }),
            json!({ "if": { "const": "a" }, "else": { "maxLength": 3 } }),
            &[],
            &[],
        ),
        (
            "another part breaks while an exclusion is unclear",
            json!({ "type": ["string", "null"] }),
            json!({ "type": "string", "not": { "const": "a" } }),
            &[""],
            &[""],
        ),
    ]);
}

#[test]
fn facts_about_references() {
    let text = || json!({ "type": "string" });
    let refers = |def: Value| json!({ "$ref": "#/$defs/it", "$defs": { "it": def } });
    let tree = |leaf: Value| json!({ "type": "object", "required": ["leaf"], "properties": { "leaf": leaf, "left": { "$ref": "#" } } });
    hold(vec![
        ("a reference is what it names", refers(text()), text(), &[], &[]),
        ("references on both sides", refers(text()), refers(json!({ "type": "integer" })), &[""], &[]),
        (
            "keywords beside a reference hold as well",
            json!({ "$ref": "#/$defs/it", "maxLength": 3, "$defs": { "it": text() } }),
            json!({ "type": "string", "maxLength": 3 }),
            &[],
            &[],
        ),
        (
            "a schema that refers to itself",
            tree(text()),
            tree(json!({ "type": ["string", "null"] })),
            &[],
            &[],
        ),
        (
            "a difference in a schema that refers to itself",
            tree(text()),
            tree(json!({ "type": "null" })),
            &["/leaf"],
            &[],
        ),
        ("a reference to another document", text(), json!({ "$ref": "other.json" }), &[], &[""]),
        ("a reference that leads to itself", text(), json!({ "$ref": "#" }), &[], &[""]),
        (
            "a reference through an identifier",
            text(),
            json!({ "$ref": "#/$defs/it", "$defs": { "it": { "$id": "it", "type": "null" } } }),
            &[],
            &[""],
        ),
        (
            "a writer that cannot be followed",
            json!({ "$ref": "other.json", "type": "string" }),
            text(),
            &[],
            &[],
        ),
        (
            "equal schemas with references of other names",
            json!({ "properties": { "a": { "$ref": "#/$defs/old" } }, "$defs": { "old": { "not": text() } } }),
            json!({ "properties": { "a": { "$ref": "#/$defs/new" } }, "$defs": { "new": { "not": text() } } }),
            &[],
            &[],
        ),
    ]);
}

#[test]
fn findings_read_well() {
    let found = compare(
        &json!({
            "type": "object",
            "properties": {
                "amount": { "type": "integer", "minimum": 0 },
                "currency": { "enum": ["EUR", "USD"] },
                "note": { "type": ["string", "null"] },
            },
        }),
        &json!({
            "type": "object",
            "required": ["amount"],
            "properties": {
                "amount": { "type": "integer", "exclusiveMinimum": 0 },
                "currency": { "const": "EUR" },
                "note": { "type": "string", "maxLength": 10 },
            },
            "additionalProperties": false,
        }),
        ROLES,
    );
    let lines = |list: &[super::Difference]| {
        list.iter().map(|it| format!("{}: {}", it.path, it.says)).collect::<Vec<_>>()
    };
    assert_eq!(
        lines(&found.conflicts),
        [
            "/amount: `amount` is required by the consumer, and the publisher may leave it out",
            "/amount: `exclusiveMinimum` is 0 for the consumer, `minimum` is 0 for the publisher",
            "/currency: `USD` may be sent by the publisher, and the consumer takes only `EUR`",
            "/note: the publisher may send `null`, and the consumer takes `string`",
            "/note: `maxLength` is 10 for the consumer, and the publisher has no such limit",
            "/*: the publisher leaves other properties open, and the consumer forbids all but `amount`, `currency`, \
             `note` (`additionalProperties`)",
        ]
    );
    assert!(found.undecided.is_empty());
}

/// A small generator of numbers: proptest gives the seed, so that a failing case can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn once_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())].clone()
    }
}

const NAMES: [&str; 5] = ["a", "b", "c", "x-1", "kind"];
const PATTERNS: [&str; 4] = ["^x", "^[a-c]+$", "^(?!y)", "b"];

fn random_value(dice: &mut Dice, depth: u32) -> Value {
    let scalars = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(2),
        json!(-1),
        json!(3.0),
        json!(0.5),
        json!(6),
        json!(""),
        json!("a"),
        json!("b"),
        json!("x-1"),
        json!("abc"),
        json!("yyyyy"),
    ];
    match dice.roll(if depth == 0 { 4 } else { 8 }) {
        0..4 => dice.pick(&scalars),
        4 | 5 => (0..dice.roll(4)).map(|_| random_value(dice, depth - 1)).collect(),
        _ => {
            let names = (0..dice.roll(4)).map(|_| dice.pick(&NAMES).to_owned()).collect::<Vec<_>>();
            names.into_iter().map(|name| (name, random_value(dice, depth - 1))).collect::<Map<_, _>>().into()
        }
    }
}

fn random_schema(dice: &mut Dice, depth: u32) -> Value {
    if dice.once_in(12) {
        return json!(!dice.once_in(4));
    }
    let mut schema = Map::new();
    let kinds = ["null", "boolean", "integer", "number", "string", "array", "object", "object", "string"];
    let kind = dice.pick(&kinds);
    match dice.roll(8) {
        0 => {}
        1 => {
            _ = schema
                .insert("type".to_owned(), json!([kind, if kind == "null" { "string" } else { "null" }]))
        }
        _ => _ = schema.insert("type".to_owned(), json!(kind)),
    }
    for _ in 0..dice.roll(4) {
        let (keyword, value) = random_keyword(dice, kind, depth);
        schema.insert(keyword.to_owned(), value);
    }
    schema.into()
}

fn random_keyword(dice: &mut Dice, kind: &str, depth: u32) -> (&'static str, Value) {
    let deeper = depth.saturating_sub(1);
    let any = dice.roll(if depth == 0 { 24 } else { 12 });
    match any {
        0 => return ("enum", (0..1 + dice.roll(3)).map(|_| random_value(dice, 1)).collect()),
        1 => return ("const", random_value(dice, 1)),
        2 if depth > 0 => {
            return ("anyOf", (0..1 + dice.roll(3)).map(|_| random_schema(dice, deeper)).collect());
        }
        3 if depth > 0 => {
            return ("oneOf", (0..1 + dice.roll(3)).map(|_| random_schema(dice, deeper)).collect());
        }
        4 if depth > 0 => {
            return ("allOf", (0..1 + dice.roll(2)).map(|_| random_schema(dice, deeper)).collect());
        }
        5 if dice.once_in(2) => return ("$ref", json!(dice.pick(&["#/$defs/one", "#/$defs/two", "#"]))),
        6 if depth > 0 && dice.once_in(2) => return ("not", random_schema(dice, deeper)),
        7 if depth > 0 && dice.once_in(2) => {
            return (dice.pick(&["if", "then", "else"]), random_schema(dice, deeper));
        }
        _ => {}
    }
    let small = json!(dice.roll(4));
    match kind {
        "string" => match dice.roll(3) {
            0 => ("minLength", small),
            1 => ("maxLength", small),
            _ => ("pattern", json!(dice.pick(&PATTERNS))),
        },
        "array" => match dice.roll(8) {
            0 => ("minItems", small),
            1 => ("maxItems", small),
            2 => ("uniqueItems", json!(true)),
            3 => ("prefixItems", (0..1 + dice.roll(2)).map(|_| random_schema(dice, deeper)).collect()),
            4 => ("contains", random_schema(dice, deeper)),
            5 => (dice.pick(&["minContains", "maxContains"]), small),
            6 => ("unevaluatedItems", random_schema(dice, deeper)),
            _ => ("items", random_schema(dice, deeper)),
        },
        "object" => random_object_keyword(dice, deeper, small),
        _ => match dice.roll(5) {
            0 => ("minimum", json!(dice.pick(&[0.0, 1.0, 0.5]))),
            1 => ("maximum", json!(dice.pick(&[2, 6]))),
            2 => ("exclusiveMinimum", json!(dice.pick(&[0, -1]))),
            3 => ("exclusiveMaximum", json!(dice.pick(&[1.0, 6.5, 3.0]))),
            _ => ("multipleOf", json!(1 + dice.roll(3))),
        },
    }
}

fn random_object_keyword(dice: &mut Dice, deeper: u32, small: Value) -> (&'static str, Value) {
    let named = |dice: &mut Dice, names: &[&str]| -> Value {
        let names = (0..1 + dice.roll(3)).map(|_| dice.pick(names).to_owned()).collect::<Vec<_>>();
        names.into_iter().map(|name| (name, random_schema(dice, deeper))).collect::<Map<_, _>>().into()
    };
    match dice.roll(14) {
        0..4 => ("properties", named(dice, &NAMES)),
        4 | 5 => {
            let mut names: Vec<&str> = (0..1 + dice.roll(2)).map(|_| dice.pick(&NAMES)).collect();
            names.sort_unstable();
            names.dedup();
            ("required", json!(names))
        }
        6 => ("additionalProperties", json!(false)),
        7 => ("additionalProperties", random_schema(dice, deeper)),
        8 => ("patternProperties", named(dice, &PATTERNS)),
        9 => (dice.pick(&["minProperties", "maxProperties"]), small),
        10 => ("propertyNames", random_schema(dice, 0)),
        11 => ("unevaluatedProperties", json!(false)),
        12 => ("dependentRequired", json!({ dice.pick(&NAMES): [dice.pick(&NAMES)] })),
        _ => ("dependentSchemas", named(dice, &NAMES)),
    }
}

/// The schema with one thing changed somewhere, so that the two are often compatible, or nearly.
fn mutated(dice: &mut Dice, schema: &Value, depth: u32) -> Value {
    let Value::Object(keywords) = schema else { return random_schema(dice, 1) };
    let mut keywords = keywords.clone();
    let names: Vec<String> = keywords.keys().filter(|name| *name != "$defs").cloned().collect();
    if names.is_empty() || dice.once_in(6) {
        let (keyword, value) = random_keyword(dice, "object", 1);
        keywords.insert(keyword.to_owned(), value);
        return keywords.into();
    }
    let name = dice.pick(&names);
    if dice.once_in(4) {
        keywords.remove(&name);
        return keywords.into();
    }
    let changed = match &keywords[&name] {
        Value::Number(number) if depth > 0 => json!(number.as_i64().unwrap_or(1) + [1, -1][dice.roll(2)]),
        Value::Object(map) if matches!(&*name, "properties" | "patternProperties") && !map.is_empty() => {
            let mut map = map.clone();
            let member = dice.pick(&map.keys().cloned().collect::<Vec<_>>());
            let changed = mutated(dice, &map[&member], depth.saturating_sub(1));
            map.insert(member, changed);
            map.into()
        }
        Value::Array(list) if name.ends_with("Of") || name == "prefixItems" => {
            let mut list = list.clone();
            let index = dice.roll(list.len());
            match dice.roll(3) {
                0 => list.push(random_schema(dice, 1)),
                1 => list.swap(0, index),
                _ => list[index] = mutated(dice, &list[index], depth.saturating_sub(1)),
            }
            list.into()
        }
        Value::Array(list) if name == "enum" => {
            let mut list = list.clone();
            list.push(random_value(dice, 1));
            list.into()
        }
        Value::Object(_) if name != "$defs" => mutated(dice, &keywords[&name], depth.saturating_sub(1)),
        _ => return keywords.into(),
    };
    keywords.insert(name, changed);
    keywords.into()
}

fn random_pair(dice: &mut Dice) -> (Value, Value) {
    let mut writer = random_schema(dice, 3);
    if let Value::Object(keywords) = &mut writer {
        let defs = json!({ "one": random_schema(dice, 2), "two": random_schema(dice, 1) });
        keywords.insert("$defs".to_owned(), defs);
    }
    let mut reader = writer.clone();
    for _ in 0..1 + dice.roll(2) {
        reader = mutated(dice, &reader, 3);
    }
    if dice.once_in(4) {
        reader = random_schema(dice, 3);
        if let Value::Object(keywords) = &mut reader {
            keywords.insert("$defs".to_owned(), json!({ "one": true, "two": random_schema(dice, 1) }));
        }
    }
    if dice.once_in(3) {
        // The same in other words, often: what is equal word for word proves little.
        let defs = reader.as_object_mut().and_then(|keywords| keywords.remove("$defs")).unwrap_or(json!({}));
        let (keyword, other) = (dice.pick(&["anyOf", "oneOf", "allOf"]), random_schema(dice, 1));
        let both = if keyword == "allOf" { vec![reader] } else { vec![reader, other] };
        reader = json!({ "$defs": defs, keyword: both });
    }
    (writer, reader)
}

/// Values near to what the schemas speak of: samples of the writer, each with a few changes, and some at random.
fn random_instances(dice: &mut Dice, writer: &Value, reader: &Value) -> Vec<Value> {
    let fuel = Fuel::new(1_000_000);
    let (writer, reader) = (Doc::new(writer, &fuel), Doc::new(reader, &fuel));
    let (writers, readers) = (Term::root(&writer).shapes(), Term::root(&reader).shapes());
    let mut values: Vec<Value> = (0..20).map(|_| random_value(dice, 3)).collect();
    for shape in writers.iter().chain(&readers).take(12) {
        for other in [None].into_iter().chain(readers.iter().take(4).map(Some)) {
            values.extend(shape.candidates(other).iter().filter_map(concrete));
        }
    }
    for index in 0..values.len().min(80) {
        let mut value = values[index].clone();
        match &mut value {
            Value::Object(map) => {
                let name = dice.pick(&NAMES).to_owned();
                map.insert(name, random_value(dice, 2));
            }
            Value::Array(list) => list.push(random_value(dice, 2)),
            other => *other = random_value(dice, 1),
        }
        values.push(value);
    }
    values
}

/// A sample as a value, where it is one of reasonable size. Texts of a pattern are taken from those that match.
fn concrete(sample: &Sample<'_>) -> Option<Value> {
    Some(match sample {
        Sample::Known(value) => (*value).clone(),
        Sample::Number(super::number::Num::Whole(number)) => json!(i64::try_from(*number).ok()?),
        Sample::Number(super::number::Num::Real(number)) => json!(number),
        Sample::Word(text) => json!(**text),
        Sample::Text(text) => {
            let length = usize::try_from(text.min).ok().filter(|length| *length < 200)?;
            let candidates: Vec<String> = match text.pattern {
                None => vec!["z".repeat(length)],
                Some("^x") => (0..4).map(|more| format!("x{}", "q".repeat(more))).collect(),
                Some("^[a-c]+$" | "b") => (1..4).map(|length| "b".repeat(length)).collect(),
                Some(_) => (0..4).map(|length| "z".repeat(length)).collect(),
            };
            let fits = |text_: &String| (text.min..=text.max).contains(&(text_.chars().count() as u64));
            json!(candidates.into_iter().find(fits)?)
        }
        Sample::List(_) => {
            let runs = sample.items()?;
            if runs.iter().map(|(_, count)| count).sum::<u64>() > 1_000 {
                return None;
            }
            let items = runs.iter().flat_map(|(item, count)| (0..*count).map(move |_| concrete(item)));
            items.collect::<Option<Vec<_>>>()?.into()
        }
        Sample::Object(members) => {
            let members = members.iter().map(|(name, member)| Some((name.to_string(), concrete(member)?)));
            members.collect::<Option<Map<_, _>>>()?.into()
        }
    })
}

/// The values that show the conflicts of a comparison.
fn witnesses(writer: &Value, reader: &Value) -> Vec<(String, Value)> {
    let fuel = Fuel::new(super::STEPS_MAX);
    let (writer, reader) = (Doc::new(writer, &fuel), Doc::new(reader, &fuel));
    let findings = Engine::new(ROLES, &fuel).roots(&writer, &reader);
    findings
        .iter()
        .filter_map(|finding| Some((finding.says.clone(), concrete(finding.witness.as_ref()?)?)))
        .collect()
}

fn holds(seed: u64, tally: &std::cell::RefCell<[u64; 5]>) -> Result<(), String> {
    let mut dice = Dice(seed | 1);
    (0..8).for_each(|_| _ = dice.roll(2));
    let (writer, reader) = random_pair(&mut dice);
    let (Ok(writes), Ok(reads)) =
        (jsonschema::draft202012::new(&writer), jsonschema::draft202012::new(&reader))
    else {
        return Ok(());
    };
    let Comparison { conflicts, undecided } = compare(&writer, &reader, ROLES);
    let shown = || format!("seed {seed}\nwriter {writer}\nreader {reader}\n{conflicts:#?}\n{undecided:#?}");
    let mut tally = tally.borrow_mut();
    match (conflicts.is_empty(), undecided.is_empty()) {
        (true, true) => {
            tally[0] += 1;
            for value in random_instances(&mut dice, &writer, &reader) {
                if writes.is_valid(&value) {
                    tally[1] += 1;
                    if !reads.is_valid(&value) {
                        return Err(format!("taken for compatible, but for {value}\n{}", shown()));
                    }
                }
            }
        }
        (true, false) => tally[2] += 1,
        (false, _) => tally[3] += 1,
    }
    for (says, value) in witnesses(&writer, &reader) {
        tally[4] += 1;
        if !writes.is_valid(&value) || reads.is_valid(&value) {
            return Err(format!("{says}\nis not shown by {value}\n{}", shown()));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(debug_assertions) { 500 } else { 25_000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// What is compatible has no counterexample, and what conflicts has a witness, both by the validator's judgement.
    #[test]
    fn a_validator_agrees(seed in any::<u64>()) {
        let verdict = holds(seed, &std::cell::RefCell::default());
        prop_assert!(verdict.is_ok(), "{}", verdict.unwrap_err());
    }

    #[test]
    fn patterns_are_read_alike(seed in any::<u64>()) {
        let verdict = reads_alike(seed);
        prop_assert!(verdict.is_ok(), "{}", verdict.unwrap_err());
    }
}

/// A pattern that is read here means what it means to the validator.
fn reads_alike(seed: u64) -> Result<(), String> {
    let mut dice = Dice(seed | 1);
    let signs = [
        "a",
        "b",
        "-",
        "^",
        "$",
        "|",
        "(",
        ")",
        "[ab]",
        "[^a]",
        "[a-c0-9_]",
        ".",
        "\\d",
        "\\w",
        "\\.",
        "(?:",
        "*",
        "+",
        "?",
        "{2}",
        "{1,}",
        "{0,2}",
        "1",
        "é",
    ];
    let pattern: String = (0..1 + dice.roll(7)).map(|_| dice.pick(&signs)).collect();
    // The other engine of the validator, fancy-regex 0.19, takes `a` for a match of `a+b*a+`.
    let engine = jsonschema::PatternOptions::regex();
    let options =
        jsonschema::options().with_draft(jsonschema::Draft::Draft202012).with_pattern_options(engine);
    let Ok(validator) = options.build(&json!({ "pattern": pattern })) else { return Ok(()) };
    for _ in 0..20 {
        let text: String =
            (0..dice.roll(6)).map(|_| dice.pick(&["a", "b", "-", ".", "1", "c", "é", "\n", "_"])).collect();
        if let Some(matches) = super::pattern::matches(&pattern, &text, &mut 0)
            && matches != validator.is_valid(&json!(text))
        {
            return Err(format!("`{pattern}` against {text:?} is not {matches}"));
        }
    }
    Ok(())
}

/// Nests a schema: `wrap` is called from the inside out. Dropping such a value recurses, so it is leaked.
fn nested(depth: usize, wrap: impl Fn(Value) -> Value, inner: Value) -> &'static mut Value {
    let mut schema = inner;
    for _ in 0..depth {
        schema = wrap(schema);
    }
    Box::leak(Box::new(schema))
}

fn under(keyword: &'static str) -> impl Fn(Value) -> Value {
    move |schema| {
        let mut map = Map::new();
        let list = matches!(keyword, "allOf" | "anyOf" | "oneOf" | "prefixItems");
        let named = matches!(keyword, "properties" | "patternProperties");
        let value = if list {
            Value::Array(vec![schema])
        } else if named {
            Value::Object(Map::from_iter([("a".to_owned(), schema)]))
        } else {
            schema
        };
        map.insert(keyword.to_owned(), value);
        Value::Object(map)
    }
}

/// Compares, and checks that it takes less than a second, optimised, and keeps to its limits.
fn in_time(name: &str, writer: &Value, reader: &Value) -> Comparison {
    let start = Instant::now();
    let found = compare(writer, reader, ROLES);
    let took = start.elapsed();
    // Without optimisation, and beside other tests, everything takes about ten times as long.
    let limit = Duration::from_secs(if cfg!(debug_assertions) { 8 } else { 1 });
    assert!(took < limit, "{name} took {took:?}");
    assert!(
        found.conflicts.len() <= super::DIFFERENCES_MAX && found.undecided.len() <= super::DIFFERENCES_MAX
    );
    found
}

#[test]
fn deep_schemas_end() {
    for keyword in [
        "items",
        "not",
        "allOf",
        "anyOf",
        "oneOf",
        "properties",
        "if",
        "contains",
        "propertyNames",
        "patternProperties",
        "prefixItems",
    ] {
        let text = nested(10_000, under(keyword), json!({ "type": "string" }));
        let number = nested(10_000, under(keyword), json!({ "type": "integer" }));
        let found = in_time(keyword, text, number);
        assert!(
            matches!(keyword, "if" | "propertyNames") || !found.undecided.is_empty(),
            "{keyword} is not looked through"
        );
        assert!(found.conflicts.is_empty());
        in_time(keyword, text, text);
        in_time(keyword, &json!({ "type": ["object", "array"] }), number);
        in_time(keyword, number, &json!({ "type": "object" }));
    }
    let value = nested(10_000, |value| Value::Array(vec![value]), json!(1)).take();
    let constant = nested(1, under("const"), value);
    in_time("a deep value", constant, &json!({ "type": "array" }));
    in_time("a deep value for the reader", &json!({ "type": "array" }), constant);
}

#[test]
fn wide_alternatives_end() {
    let open = |from: usize| -> Value {
        let kinds =
            (from..from + 1_000).map(|index| json!({ "type": "object", "required": [format!("p{index}")] }));
        json!({ "anyOf": kinds.collect::<Vec<_>>() })
    };
    in_time("anyOf", &open(0), &open(500));
    for width in [50, 200, 1_000] {
        let tagged = |from: usize, keyword: &str| -> Value {
            let kinds = (from..from + width).map(|index| {
                json!({ "type": "object", "required": ["kind"], "properties": { "kind": { "const": index }, "a": { "maxLength": index } } })
            });
            json!({ keyword: kinds.collect::<Vec<_>>() })
        };
        in_time("tagged anyOf", &tagged(0, "anyOf"), &tagged(1, "anyOf"));
        in_time("tagged oneOf", &tagged(0, "oneOf"), &tagged(1, "oneOf"));
        in_time("tagged oneOf, equal", &tagged(0, "oneOf"), &json!({ "allOf": [tagged(0, "oneOf")] }));
    }
    let product = |offset: u32| -> Value {
        let factors = (0..40).map(|index| json!({ "anyOf": [{ "minimum": index + offset }, { "maxLength": index }, { "required": ["a"] }] }));
        json!({ "allOf": factors.collect::<Vec<_>>() })
    };
    in_time("a product of anyOf", &product(0), &product(1));
    let square = nested(
        12,
        |inner| json!({ "anyOf": [{ "items": inner }, { "prefixItems": [inner], "minItems": 1 }] }),
        json!({ "type": "string" }),
    );
    let other = nested(
        12,
        |inner| json!({ "oneOf": [{ "items": inner }, { "items": inner, "maxItems": 3 }] }),
        json!({ "type": "integer" }),
    );
    in_time("anyOf within anyOf", square, other);
}

#[test]
fn recursive_schemas_end() {
    let chain = |leaf: &str| -> Value {
        let mut defs: Map<String, Value> = (0..60)
            .map(|index| {
                let next = json!({ "$ref": format!("#/$defs/d{}", index + 1) });
                (format!("d{index}"), json!({ "type": "object", "required": ["x", "y"], "properties": { "x": next, "y": next }, "anyOf": [next, { "allOf": [next, next] }, true] }))
            })
            .collect();
        defs.insert("d60".to_owned(), json!({ "type": leaf }));
        json!({ "$ref": "#/$defs/d0", "$defs": defs })
    };
    in_time("references that double", &chain("object"), &chain("array"));
    let web = |limit: u32| -> Value {
        let defs: Map<String, Value> = (0..40)
            .map(|index| {
                let links: Vec<Value> = (0..40).map(|to| json!({ "$ref": format!("#/$defs/d{to}") })).collect();
                (format!("d{index}"), json!({ "type": ["object", "string"], "maxLength": limit + index, "additionalProperties": { "anyOf": links } }))
            })
            .collect();
        json!({ "$ref": "#/$defs/d0", "$defs": defs })
    };
    in_time("a web of references", &web(1), &web(0));
    let selves = |more: Value| json!({ "anyOf": [{ "$ref": "#" }, { "allOf": [{ "$ref": "#" }, { "not": { "$ref": "#" } }] }, more] });
    in_time(
        "references to themselves",
        &selves(json!({ "type": "string" })),
        &selves(json!({ "type": "null" })),
    );
    let endless = |kind: &str| json!({ "type": "object", "required": ["a", "b", "c"], "additionalProperties": { "$ref": "#" }, "properties": { "c": { "type": kind } } });
    in_time("values without an end", &endless("string"), &endless("null"));
}

#[test]
fn large_schemas_end() {
    let words =
        |from: u32| -> Value { (from..from + 20_000).map(|index| json!(format!("word {index}"))).collect() };
    in_time("long lists of values", &json!({ "enum": words(0) }), &json!({ "enum": words(1) }));
    let wide = |kind: &str| -> Value {
        let properties: Map<String, Value> =
            (0..5_000).map(|index| (format!("p{index}"), json!({ "type": kind }))).collect();
        json!({ "type": "object", "required": properties.keys().collect::<Vec<_>>(), "properties": properties, "additionalProperties": false })
    };
    in_time("many properties", &wide("string"), &wide("null"));
    in_time("many properties to be proven", &wide("integer"), &wide("number"));
    let patterned = |kind: &str| -> Value {
        let patterns: Map<String, Value> =
            (0..300).map(|index| (format!("^(({index}a+)+b?)+$"), json!({ "type": kind }))).collect();
        let properties: Map<String, Value> = (0..300)
            .map(|index| (format!("{index}{}", "a".repeat(300)), json!({ "type": "string" })))
            .collect();
        json!({ "type": "object", "properties": properties, "patternProperties": patterns })
    };
    in_time("many patterns", &patterned("string"), &patterned("null"));
    let huge = json!({ "type": ["array", "object", "string"], "minItems": u64::MAX, "minProperties": 1e300, "minLength": 1e18, "uniqueItems": true, "contains": { "const": 1 }, "minContains": 1e18 });
    in_time(
        "huge limits",
        &huge,
        &json!({ "maxItems": 1e17, "maxProperties": 1e17, "maxLength": 1e17, "uniqueItems": true }),
    );
    in_time("huge limits of the reader", &json!({ "type": ["array", "object", "string"] }), &huge);
}
