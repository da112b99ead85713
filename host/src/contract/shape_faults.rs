//! What is wrong with the shape of a contract file, in words: the keyword of the schema that failed, as what a person did
//! and should do instead.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::{Map, Value};

use super::files::Files;
use super::problem::{Problem, brief, list};
use super::shape::schema;
use super::source::unescape;
use super::yaml::plain_value;

/// The keys that the mapping may have in which the error is.
pub(super) fn known_keys(error: &ValidationError<'_>) -> Vec<&'static str> {
    properties_near(error)
        .map(|properties| properties.keys().map(String::as_str).collect())
        .unwrap_or_default()
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

pub(super) fn unknown_key(key: &str, pointer: &str, meant: Option<&str>, known: &[&str]) -> Problem {
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
        owners => problem.hint(format!("`{key}` is a key of {}", owners.join(", and of "))),
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
pub(super) fn is_known(key: &str) -> bool {
    let of_a_part = || {
        schema()["$defs"]
            .as_object()
            .is_some_and(|parts| parts.values().any(|part| !part["properties"][key].is_null()))
    };
    !schema()["properties"][key].is_null() || of_a_part()
}

/// What has this key, in words.
fn owners(key: &str) -> Vec<&'static str> {
    const WORDS: [(&str, &str); 20] = [
        ("Allow", "an entry of `allow`"),
        ("Binding", "a binding"),
        ("Capabilities", "the `capabilities` of a consumer"),
        ("Command", "a command"),
        ("Consumer", "a consumer"),
        ("DeadLetter", "the `deadLetter` of a queue"),
        ("Event", "an event"),
        ("Exchange", "an exchange"),
        ("Handler", "the `handler` of a consumer"),
        ("HttpGrant", "an entry of `http`"),
        ("Limits", "the `limits` of a handler"),
        ("Message", "a message"),
        ("OnFailure", "the `onFailure` of a consumer"),
        ("Publisher", "a publisher"),
        ("Queue", "a queue"),
        ("Retry", "the `retry` of a queue"),
        ("Reuse", "the `reuse` of a handler"),
        ("Rpc", "an rpc"),
        ("SecretGrant", "an entry of `secrets`"),
        ("StoreGrant", "an entry of `keyValue`"),
    ];
    let has = |name: &str| !schema()["$defs"][name]["properties"][key].is_null();
    let mut owners: Vec<&str> =
        WORDS.into_iter().filter(|(name, _)| has(name)).map(|(_, words)| words).collect();
    if !schema()["properties"][key].is_null() {
        owners.insert(0, "the contract itself, at the top");
    }
    if owners.len() > 3 { Vec::new() } else { owners }
}

pub(super) fn wrong_value(error: &ValidationError<'_>, files: &Files) -> Problem {
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
            Problem::at(
                pointer,
                format!("`{}` is {range}, and this is `{}`", key_of(pointer), error.instance()),
            )
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
        ("object", Value::Array(_)) => {
            problem.hint("what has a name is written `name: { ... }`, without `-` and `[ ]`")
        }
        ("array", Value::String(text)) => problem.hint(format!("write `[{}]`", brief(text))),
        _ => problem,
    }
}

/// The first key that the mapping has to have which is expected.
fn needed_key(error: &ValidationError<'_>) -> Option<&'static str> {
    schema_near(error)?["required"].as_array()?.first()?.as_str()
}

/// Whether a quoted text would be of the type without its quotes.
pub(super) fn plain_is(expected: &str, text: &str) -> bool {
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
    if let Some((one, other)) = kind.split_once(" or ") {
        return format!("{} or {}", noun(one), noun(other));
    }
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
