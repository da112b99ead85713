//! Compiles schemas so that no message can make a pattern take the host's time: messages come from anywhere.
//!
//! Most patterns are matched in linear time. Those that look around, or refer back to what they matched, are not: they
//! are kept to short texts, and to a number of steps.

use std::sync::Arc;

use jsonschema::json::Json;
use jsonschema::{Draft, PatternOptions, Retrieve, ValidationError, ValidationOptions, Validator};
use serde_json::{Map, Value, json};

use super::payload::{DATA, is_named};

/// The longest text, in characters, that a pattern which looks around is tried on. A longer one does not match it.
const LOOKED_AROUND_MAX: u64 = 2048;
/// How often such a pattern may go back and try another way.
const BACKTRACKS_MAX: usize = 100_000;
/// How large one compiled pattern may be, in bytes.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Compiles a schema; the error says what keeps it from being one, and where.
pub(super) fn compile(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    let validator = backtracking().build(schema)?; // so that places in errors are those of the schema as it is written
    match guarded(schema) {
        Some(guarded) => backtracking().build(&guarded),
        None => Ok(linear().build(schema).unwrap_or(validator)),
    }
}

/// Compiles a schema that `compile` takes for documents of another kind, to the same verdicts.
pub(super) fn compile_for<F: Json>(schema: &Value) -> Result<Validator<F>, ValidationError<'static>> {
    match guarded(schema) {
        Some(guarded) => backtracking().build(&guarded),
        None => linear().build(schema).or_else(|_| backtracking().build(schema)),
    }
}

type Options<F> = ValidationOptions<'static, Arc<dyn Retrieve>, F>;

fn backtracking<F: Json>() -> Options<F> {
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(BACKTRACKS_MAX)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX);
    jsonschema::options_for().with_draft(Draft::Draft202012).with_pattern_options(patterns)
}

/// The engine that can look around takes `-` for `-+1*-+`; where nothing looks around, this one is right.
fn linear<F: Json>() -> Options<F> {
    let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
    jsonschema::options_for().with_draft(Draft::Draft202012).with_pattern_options(patterns)
}

/// A schema whose patterns that look around see short texts only; none if it has no such patterns.
fn guarded(schema: &Value) -> Option<Value> {
    let mut schema = schema.clone();
    guard(&mut schema).then_some(schema)
}

/// Lets patterns that look around see short texts only; whether there are any.
fn guard(schema: &mut Value) -> bool {
    let mut found = false;
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| found |= guard(item)),
        Value::Object(object) => {
            for (key, item) in object.iter_mut() {
                match item {
                    Value::Object(named) if is_named(key) => {
                        named.values_mut().for_each(|item| found |= guard(item));
                    }
                    item if !DATA.contains(&key.as_str()) => found |= guard(item),
                    _ => {}
                }
            }
            found |= guard_pattern(object);
        }
        _ => {}
    }
    found
}

fn guard_pattern(object: &mut Map<String, Value>) -> bool {
    let Some(pattern) = object.get("pattern").filter(|pattern| looks_around(pattern)).cloned() else {
        return false;
    };
    let short = json!({ "maxLength": LOOKED_AROUND_MAX });
    let guarded = json!({ "if": short, "then": { "pattern": pattern }, "else": short });
    match object.get_mut("allOf") {
        Some(Value::Array(all)) => all.push(guarded),
        Some(_) => return false, // no schema, as is said elsewhere
        None => drop(object.insert("allOf".to_owned(), json!([guarded]))),
    }
    object.remove("pattern");
    true
}

/// Whether a pattern holds `(?=`, `(?!`, `(?<=`, `(?<!`, or a reference such as `\1` or `\k<name>`.
fn looks_around(pattern: &Value) -> bool {
    let Some(pattern) = pattern.as_str() else { return false };
    let refers_back =
        |at: usize| pattern[at + 1..].starts_with(|next: char| next == 'k' || ('1'..='9').contains(&next));
    ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| pattern.contains(look))
        || pattern.match_indices('\\').any(|(at, _)| refers_back(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_look_around_see_short_texts_only() {
        // As zod writes it for an e-mail address.
        let email = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$";
        let schema =
            json!({ "type": "object", "properties": { "pattern": { "type": "string", "pattern": email } } });
        let validator = compile(&schema).unwrap();
        let fits = |text: &str| validator.is_valid(&json!({ "pattern": text }));
        assert!(fits("a.b@example.com"));
        assert!(!fits("a..b@example.com"));
        assert!(!fits(&format!("{}@example.com", "a".repeat(3000))));
        let plain = compile(&json!({ "type": "string", "pattern": "^a+$" })).unwrap();
        assert!(plain.is_valid(&json!("a".repeat(100_000))));
    }

    #[test]
    fn plain_patterns_match_what_they_say() {
        let validator = compile(&json!({ "pattern": "^-+1*-+$" })).unwrap();
        assert!(validator.is_valid(&json!("--")));
        assert!(!validator.is_valid(&json!("-")));
    }

    #[test]
    fn what_refers_back_is_told_from_what_does_not() {
        for (pattern, expected) in
            [(r"(a)\1", true), (r"(?<x>a)\k<x>", true), (r"\d\.", false), ("(?:a)", false), ("(?<!a)b", true)]
        {
            assert_eq!(looks_around(&json!(pattern)), expected, "{pattern}");
        }
    }
}
