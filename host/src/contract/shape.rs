//! Holds a contract file against its own JSON Schema, which is made from the types of `raw.rs`.
//!
//! This finds every unknown key, missing key and wrong type at once, where serde would stop at the first.

use std::sync::LazyLock;

use jsonschema::Validator;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use schemars::transform::{Transform, transform_subschemas};
use schemars::{Schema, generate::SchemaSettings};
use serde_json::Value;

use super::files::Files;
use super::problem::{Problem, TOLD_MAX, nearest};
use super::raw;
use super::shape_faults::{is_known, known_keys, plain_is, unknown_key, wrong_value};
use super::source::{join, unescape};
use super::yaml::plain_value;

/// How many problems of shape are told.
const PROBLEMS_MAX: usize = TOLD_MAX;
/// How many misspelt keys are read as what was meant.
const GUESSES_MAX: usize = 50;
/// How deep in misspelt keys further ones are looked for.
const ROUNDS_MAX: usize = 4;

/// Reads the values of a contract file; or says everything that is wrong with their shape. Unknown keys alone do not
/// keep the rest from being read, so that the problems of the rest are found in the same run: a key that is surely a
/// misspelt one is read as what was meant, and the others are left out.
pub(super) fn read(mut root: Value, files: &mut Files, problems: &mut Vec<Problem>) -> Option<raw::Contract> {
    let (substitutions_failed, mut guessed) = (!problems.is_empty(), Vec::new());
    variables_as_meant(&mut root, files);
    for _ in 0..ROUNDS_MAX {
        let before = guessed.len();
        unknown_keys(&mut root, files, problems, &mut guessed);
        if guessed.len() == before {
            break;
        }
    }
    let mut fatal = false;
    for error in VALIDATOR.1.iter_errors(&root).take(PROBLEMS_MAX) {
        fatal = true;
        let pointer = error.instance_path().as_str();
        // What a failed variable left behind, or a guess of ours did, is no mistake of its own.
        let follows = guessed.iter().any(|guess| is_within(pointer, guess))
            || (substitutions_failed && error.instance().is_null());
        if !follows {
            problems.push(wrong_value(&error, files));
        }
    }
    if fatal {
        if problems.is_empty() {
            problems.push(Problem::at("", "cannot be read"));
        }
        return None;
    }
    whole_numbers(&mut root, 0);
    serde_json::from_value(root)
        .map_err(|error| problems.push(Problem::at("", format!("cannot be read: {error}"))))
        .ok()
}

/// Reads a quoted text with variables as a number, or as true or false, where one is expected: within `{ }` YAML has no
/// unquoted way to write a variable.
fn variables_as_meant(root: &mut Value, files: &Files) {
    let mut meant = Vec::new();
    for error in VALIDATOR.1.iter_errors(root) {
        let pointer = error.instance_path().as_str();
        if let (ValidationErrorKind::Type { kind: TypeKind::Single(kind) }, Value::String(text)) =
            (error.kind(), &**error.instance())
            && plain_is(&kind.to_string(), text)
            && files.has_variable(pointer)
        {
            meant.push((pointer.to_owned(), plain_value(text)));
        }
    }
    for (pointer, value) in meant {
        if let (Some(place), Some(value)) = (root.pointer_mut(&pointer), value) {
            *place = value;
        }
    }
}

/// `5.0` is a whole number to JSON Schema, and is made one for those who read it.
fn whole_numbers(value: &mut Value, depth: usize) {
    const DEPTH_MAX: usize = 4; // `consumers.name.handler.deadlineMs`
    const FREE: [&str; 5] = ["arguments", "payload", "headers", "examples", "config"];
    let Value::Object(entries) = value else { return };
    for (key, entry) in entries.iter_mut() {
        match entry {
            Value::Number(number) => {
                // Beyond 2^53 the value is not what was written.
                let whole = number
                    .as_f64()
                    .filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15);
                if let Some(whole) = whole {
                    *entry = Value::from(whole as i64);
                }
            }
            Value::Object(_) if depth < DEPTH_MAX && !FREE.contains(&key.as_str()) => {
                whole_numbers(entry, depth + 1)
            }
            _ => {}
        }
    }
}

/// Reports the keys that are not part of the language, and takes them out of `root`.
fn unknown_keys(root: &mut Value, files: &mut Files, problems: &mut Vec<Problem>, guessed: &mut Vec<String>) {
    let mut unknown = Vec::new();
    for error in VALIDATOR.1.iter_errors(root) {
        let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() else { continue };
        let (parent, known) = (error.instance_path().as_str(), known_keys(&error));
        let free: Vec<&str> =
            known.iter().copied().filter(|key| error.instance().get(*key).is_none()).collect();
        for key in unexpected {
            let pointer = join(parent, key);
            let mut meant = None;
            if problems.len() < PROBLEMS_MAX {
                meant = if is_known(key) { None } else { nearest(key, &free) };
                problems.push(unknown_key(key, &pointer, meant, &known));
            }
            unknown.push((pointer, meant.map(|meant| (join(parent, meant), meant))));
        }
    }
    for (pointer, meant) in unknown {
        let Some((parent, key)) = pointer.rsplit_once('/') else { continue };
        let Some(Value::Object(map)) = root.pointer_mut(parent) else { continue };
        let (Some(value), Some((place, meant))) = (map.remove(&*unescape(key)), meant) else { continue };
        if !map.contains_key(meant) && guessed.len() < GUESSES_MAX {
            map.insert(meant.to_owned(), value);
            files.reads_as(&place, &pointer);
            guessed.push(place);
        }
    }
}

fn is_within(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
