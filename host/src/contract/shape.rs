//! Holds a contract file against its own JSON Schema, which is made from the types of `raw.rs`.
//!
//! This finds every unknown key, missing key and wrong type at once, where serde would stop at the first.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use schemars::transform::{Transform, transform_subschemas};
use schemars::{Schema, generate::SchemaSettings};
use serde_json::Value;

use super::problem::{Problem, brief};
use super::raw;
use super::source::{join, plain_value, unescape};

/// How many problems of shape are told.
const PROBLEMS_MAX: usize = 500;

/// Reads the values of a contract file; or says everything that is wrong with their shape. Unknown keys alone do not
/// keep the rest from being read, so that the problems of the rest are found in the same run. `replaced` are the pointers
/// of values that were made of variables.
pub(super) fn read(
    mut root: Value,
    replaced: &BTreeSet<String>,
    problems: &mut Vec<Problem>,
) -> Option<raw::Contract> {
    read_replaced(&mut root, replaced);
    let mut unknown = Vec::new();
    let mut fatal = false;
    for error in VALIDATOR.1.iter_errors(&root).take(PROBLEMS_MAX) {
        if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
            for key in unexpected {
                let pointer = join(error.instance_path().as_str(), key);
                if problems.len() < PROBLEMS_MAX {
                    problems.push(unknown_key(&error, key, &pointer));
                }
                unknown.push(pointer);
            }
        } else {
            fatal = true;
            problems.push(wrong_value(&error));
        }
    }
    if fatal {
        return None;
    }
    for pointer in unknown {
        remove(&mut root, &pointer);
    }
    serde_json::from_value(root)
        .map_err(|error| problems.push(Problem::at("", format!("cannot be read: {error}"))))
        .ok()
}

/// Where a number or a switch belongs and a variable gave the text of one, that is what is meant.
fn read_replaced(root: &mut Value, replaced: &BTreeSet<String>) {
    if replaced.is_empty() {
        return;
    }
    let wanted: Vec<String> = VALIDATOR
        .1
        .iter_errors(root)
        .filter(|error| {
            matches!(error.kind(), ValidationErrorKind::Type { .. }) && error.instance().is_string()
        })
        .map(|error| error.instance_path().as_str().to_owned())
        .filter(|pointer| replaced.contains(pointer))
        .collect();
    for pointer in wanted {
        if let Some(value) = root.pointer_mut(&pointer)
            && let Some(plain) = value.as_str().and_then(plain_value)
        {
            *value = plain;
        }
    }
}

/// The JSON Schema of contract files.
pub(super) fn schema() -> &'static Value {
    &VALIDATOR.0
}

static VALIDATOR: LazyLock<(Value, Validator)> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with_transform(Plain);
    let schema = settings.into_generator().into_root_schema_for::<raw::Contract>().to_value();
    let validator = jsonschema::validator_for(&schema).expect("the schema of our own types is valid");
    (schema, validator)
});

/// Makes generated schemas give plain messages: an optional key may be left out but not be null, and the values of
/// an enumeration are one list.
#[derive(Clone)]
struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get("anyOf") {
                let others: Vec<Value> =
                    choices.iter().filter(|choice| choice["type"] != "null").cloned().collect();
                if let [Value::Object(only)] = others.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
        }
        transform_subschemas(self, schema);
    }
}

fn unknown_key(error: &ValidationError<'_>, key: &str, pointer: &str) -> Problem {
    let known = error
        .schema_path()
        .as_str()
        .rsplit_once('/')
        .and_then(|(parent, _)| schema().pointer(parent))
        .and_then(|object| object.get("properties"))
        .and_then(Value::as_object)
        .map(|properties| properties.keys().map(String::as_str).collect::<Vec<_>>())
        .unwrap_or_default();
    Problem::at(pointer, format!("unknown key `{}`", brief(key))).on_key().suggest(key, known)
}

fn wrong_value(error: &ValidationError<'_>) -> Problem {
    let pointer = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            Problem::at(pointer, format!("the key `{key}` is missing")).on_key()
        }
        ValidationErrorKind::Type { kind } => {
            let expected = match kind {
                TypeKind::Single(kind) => kind.to_string(),
                TypeKind::Multiple(kinds) => {
                    kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or ")
                }
            };
            let says = format!("expected {}, found {}", noun(&expected), found(error.instance()));
            let problem = Problem::at(pointer, says);
            let unquoted = error.instance().is_number() || error.instance().is_boolean();
            if expected == "string" && unquoted { problem.hint("put it in quotes") } else { problem }
        }
        ValidationErrorKind::Enum { options } => {
            let written = error.instance().as_str().unwrap_or_default();
            let options: Vec<&str> =
                options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            Problem::at(pointer, format!("`{}` is not known here", brief(written))).suggest(written, options)
        }
        ValidationErrorKind::Minimum { limit } => bound(pointer, error, "less", limit),
        ValidationErrorKind::Maximum { limit } => bound(pointer, error, "more", limit),
        ValidationErrorKind::MinLength { .. } => Problem::at(pointer, "this text is empty"),
        ValidationErrorKind::MaxLength { limit } => {
            Problem::at(pointer, format!("this text is longer than {limit} characters"))
        }
        ValidationErrorKind::MaxItems { limit } => {
            Problem::at(pointer, format!("this list has more than {limit} entries"))
        }
        ValidationErrorKind::Pattern { pattern } => {
            let written = error.instance().as_str().unwrap_or_default();
            Problem::at(pointer, format!("`{}` does not have the form `{pattern}`", brief(written)))
        }
        _ => Problem::at(pointer, brief(&error.to_string())),
    }
}

fn bound(pointer: &str, error: &ValidationError<'_>, how: &str, limit: &Value) -> Problem {
    Problem::at(pointer, format!("`{}` is {how} than {limit}", error.instance()))
}

fn noun(kind: &str) -> String {
    match kind {
        "object" => "a mapping".to_owned(),
        "array" => "a list".to_owned(),
        "string" => "a text".to_owned(),
        "integer" => "a whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => format!("a {other}"),
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number `{number}`"),
        Value::String(text) if text.len() <= 40 => format!("the text `{text}`"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

fn remove(root: &mut Value, pointer: &str) {
    if let Some((parent, key)) = pointer.rsplit_once('/')
        && let Some(Value::Object(map)) = root.pointer_mut(parent)
    {
        map.remove(&unescape(key));
    }
}
