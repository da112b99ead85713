//! Holds a contract file against its own JSON Schema, which is made from the types of `raw.rs`.
//!
//! This finds every unknown key, missing key and wrong type at once, where serde would stop at the first.

use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use schemars::transform::{Transform, transform_subschemas};
use schemars::{Schema, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::files::Files;
use super::problem::{Problem, brief, list, nearest};
use super::raw;
use super::source::{join, unescape};
use super::yaml::plain_value;

/// How many problems of shape are told.
const PROBLEMS_MAX: usize = 500;
/// How many misspelt keys are read as what was meant.
const GUESSES_MAX: usize = 50;
/// How deep in misspelt keys further ones are looked for.
const ROUNDS_MAX: usize = 4;

/// Reads the values of a contract file; or says everything that is wrong with their shape. Unknown keys alone do not
/// keep the rest from being read, so that the problems of the rest are found in the same run: a key that is surely a
/// misspelt one is read as what was meant, and the others are left out.
pub(super) fn read(
    mut root: Value,
    files: &mut Files,
    problems: &mut Vec<Problem>,
) -> Option<raw::Contract> {
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
                let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15);
                if let Some(whole) = whole {
                    *entry = Value::from(whole as i64);
                }
            }
            Value::Object(_) if depth < DEPTH_MAX && !FREE.contains(&key.as_str()) => whole_numbers(entry, depth + 1),
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
        let free: Vec<&str> = known.iter().copied().filter(|key| error.instance().get(*key).is_none()).collect();
        for key in unexpected {
            let pointer = join(parent, key);
            let meant = if is_known(key) { None } else { nearest(key, &free) };
            if problems.len() < PROBLEMS_MAX {
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

/// The keys that the mapping may have in which the error is.
fn known_keys(error: &ValidationError<'_>) -> Vec<&'static str> {
    properties_near(error).map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// The `properties` beside the keyword that the error is about.
fn properties_near(error: &ValidationError<'_>) -> Option<&'static Map<String, Value>> {
    schema_near(error)?.get("properties")?.as_object()
}

/// The part of the schema that has the keyword which the error is about.
fn schema_near(error: &ValidationError<'_>) -> Option<&'static Value> {
    let (own, _) = error.schema_path().as_str().rsplit_once('/')?;
    schema().pointer(own)
}

/// Adds what the schema says of the value.
fn described(problem: Problem, error: &ValidationError<'_>) -> Problem {
    match schema_near(error).and_then(|own| own["description"].as_str()) {
        Some(description) => {
            let key = key_of(error.instance_path().as_str());
            problem.hint(format!("`{key}: ...`: {}", fragment(description)))
        }
        None => problem,
    }
}

fn unknown_key(key: &str, pointer: &str, meant: Option<&str>, known: &[&str]) -> Problem {
    let problem = Problem::at(pointer, format!("unknown key `{}`", brief(key))).on_key();
    if let Some((name, value)) = key.split_once(':')
        && known.contains(&name)
    {
        return problem.hint(format!("write `{name}: {}`, with a space after the `:`", brief(value)));
    }
    let other_word = OTHER_WORDS.into_iter().find(|(word, meant)| *word == key && known.contains(meant));
    if let Some(meant) = other_word.map(|(_, meant)| meant).or(meant) {
        return problem.hint(format!("did you mean `{meant}`?"));
    }
    if known.contains(&"arguments") && key.starts_with("x-") {
        return problem.hint("arguments of the broker go into `arguments`, or have a key of their own");
    }
    match owners(key).as_slice() {
        [] => problem.hint(format!("there is: {}", list(known))),
        owners => problem.hint(format!("`{key}` is a key of {}", owners.join(" and of "))),
    }
}

/// Words that others have for a key.
const OTHER_WORDS: [(&str, &str); 12] = [
    ("bindingKey", "routingKey"),
    ("deadLetterExchange", "deadLetter"),
    ("dlx", "deadLetter"),
    ("key", "routingKey"),
    ("path", "component"),
    ("pattern", "routingKey"),
    ("schema", "payload"),
    ("timeout", "deadlineMs"),
    ("timeoutMs", "deadlineMs"),
    ("ttl", "messageTtlMs"),
    ("ttlMs", "messageTtlMs"),
    ("wasm", "component"),
];

/// Whether anything in the language has this key.
fn is_known(key: &str) -> bool {
    let of_a_part = || schema()["$defs"].as_object().is_some_and(|parts| {
        parts.values().any(|part| !part["properties"][key].is_null())
    });
    !schema()["properties"][key].is_null() || of_a_part()
}

/// What has this key, in words.
fn owners(key: &str) -> Vec<&'static str> {
    const WORDS: [(&str, &str); 15] = [
        ("Allow", "an entry of `allow`"),
        ("Binding", "a binding"),
        ("Capabilities", "the `capabilities` of a consumer"),
        ("Command", "a command"),
        ("Consumer", "a consumer"),
        ("DeadLetter", "the `deadLetter` of a queue"),
        ("Event", "an event"),
        ("Exchange", "an exchange"),
        ("Handler", "the `handler` of a consumer"),
        ("Message", "a message"),
        ("OnFailure", "the `onFailure` of a consumer"),
        ("Publisher", "a publisher"),
        ("Queue", "a queue"),
        ("Retry", "the `retry` of a queue"),
        ("Rpc", "an rpc"),
    ];
    let has = |name: &str| !schema()["$defs"][name]["properties"][key].is_null();
    let mut owners: Vec<&str> =
        WORDS.into_iter().filter(|(name, _)| has(name)).map(|(_, words)| words).collect();
    if !schema()["properties"][key].is_null() {
        owners.insert(0, "the contract itself, at the top");
    }
    if owners.len() > 3 { Vec::new() } else { owners }
}

fn wrong_value(error: &ValidationError<'_>, files: &Files) -> Problem {
    let pointer = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let problem = Problem::at(pointer, format!("the key `{key}` is missing")).on_key();
            match properties_near(error).and_then(|known| known[key]["description"].as_str()) {
                Some(description) => problem.hint(format!("`{key}: ...`: {}", fragment(description))),
                None => problem,
            }
        }
        ValidationErrorKind::Type { kind } => wrong_type(error, kind, files),
        ValidationErrorKind::Enum { options } => {
            let written = error.instance().as_str().unwrap_or_default();
            let options: Vec<&str> =
                options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let says = format!("`{}` is not {}", brief(written), of_key(pointer));
            Problem::at(pointer, says).suggest(written, options)
        }
        ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => {
            let own = schema_near(error);
            let limit = |name: &str| own.and_then(|own| own.get(name));
            let range = match (limit("minimum"), limit("maximum")) {
                (Some(min), Some(max)) => format!("between {min} and {max}"),
                (Some(min), None) => format!("at least {min}"),
                (None, max) => format!("at most {}", max.unwrap_or(&Value::Null)),
            };
            Problem::at(pointer, format!("`{}` is {range}, and this is `{}`", key_of(pointer), error.instance()))
        }
        ValidationErrorKind::MinLength { .. } => {
            described(Problem::at(pointer, format!("`{}` is empty", key_of(pointer))), error)
        }
        ValidationErrorKind::MaxLength { limit } => {
            Problem::at(pointer, format!("`{}` is longer than {limit} characters", key_of(pointer)))
        }
        ValidationErrorKind::MaxItems { limit } => {
            Problem::at(pointer, format!("this list has more than {limit} entries"))
        }
        ValidationErrorKind::Pattern { .. } => {
            let written = error.instance().as_str().unwrap_or_default();
            let says = format!("`{}` is not {}", brief(written), of_key(pointer));
            described(Problem::at(pointer, says), error)
        }
        _ => Problem::at(pointer, brief(&error.to_string())),
    }
}

fn wrong_type(error: &ValidationError<'_>, kind: &TypeKind, files: &Files) -> Problem {
    let (pointer, instance) = (error.instance_path().as_str(), &**error.instance());
    let expected = match kind {
        TypeKind::Single(kind) => kind.to_string(),
        TypeKind::Multiple(kinds) => {
            kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or ")
        }
    };
    let problem = Problem::at(pointer, format!("expected {}, found {}", noun(&expected), found(instance)));
    let step = key_of(pointer);
    match (expected.as_str(), instance) {
        _ if step.contains(":{") || step.contains(":[") => problem.hint("a space is missing after the `:`"),
        (_, Value::Null) if files.comment_follows(pointer) => {
            problem.hint("` #` begins a comment in YAML: put a text that begins with `#` in quotes")
        }
        ("integer" | "boolean" | "number", Value::String(_)) if files.has_variable(pointer) => {
            problem.hint("that is what its variables make of it")
        }
        ("object", Value::Null) => problem.hint("write `{}` if it has no keys, or leave it out"),
        ("string", Value::Number(_) | Value::Bool(_)) => problem.hint("put it in quotes"),
        ("integer" | "boolean" | "number", Value::String(text)) if plain_is(&expected, text) => {
            problem.hint("leave out the quotes")
        }
        ("object", _) if pointer.is_empty() => problem.hint("start with `contract: <name>`"),
        ("object", Value::String(text)) if !text.contains([' ', '\n']) && needed_key(error).is_some() => {
            let key = needed_key(error).unwrap_or_default();
            problem.hint(format!("write `{{ {key}: {} }}`", brief(text)))
        }
        ("object", Value::String(text)) => {
            let word = text.split([' ', '{', '\n']).next().unwrap_or_default();
            problem.hint(format!("is a `:` missing after `{}`?", brief(word)))
        }
        ("object", Value::Array(_)) => problem.hint("what has a name is written `name: { ... }`, without `-` and `[ ]`"),
        ("array", Value::String(text)) => problem.hint(format!("write `[{}]`", brief(text))),
        _ => problem,
    }
}

/// The first key that the mapping has to have which is expected.
fn needed_key(error: &ValidationError<'_>) -> Option<&'static str> {
    schema_near(error)?["required"].as_array()?.first()?.as_str()
}

/// Whether a quoted text would be of the type without its quotes.
fn plain_is(expected: &str, text: &str) -> bool {
    match plain_value(text) {
        Some(Value::Bool(_)) => expected == "boolean",
        Some(Value::Number(number)) => expected == "number" || (expected == "integer" && !number.is_f64()),
        _ => false,
    }
}

/// The last key of a pointer; of an entry of a list, the key of the list.
fn key_of(pointer: &str) -> String {
    let is_index = |step: &&str| step.parse::<usize>().is_ok();
    let step = pointer.rsplit('/').find(|step| !is_index(step)).unwrap_or_default();
    brief(&unescape(step))
}

fn of_key(pointer: &str) -> String {
    format!("a value of `{}`", key_of(pointer))
}

/// A sentence as part of a message: without its final stop, and without an upper-case first letter.
fn fragment(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.').replace('\n', " ");
    let mut chars = sentence.chars();
    let second_is_lower = sentence.chars().nth(1).is_some_and(|second| !second.is_uppercase());
    match chars.next() {
        Some(first) if second_is_lower => first.to_lowercase().chain(chars).collect(),
        _ => sentence,
    }
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
