//! Which message a binding of a headers exchange matches, as RabbitMQ does it.

use serde_json::{Map, Value};

/// Whether a message with these `headers` matches a binding with these `arguments`. Without headers, nothing is known of
/// the message. None: it depends, on its headers or on the broker's version.
pub fn headers_match(arguments: &Map<String, Value>, headers: Option<&Map<String, Value>>) -> Option<bool> {
    let word = arguments.get("x-match").and_then(Value::as_str).unwrap_or("all");
    let all = word.starts_with("all");
    let mut wanted = compared(arguments).peekable();
    if wanted.peek().is_none() {
        return Some(all);
    }
    let headers = headers?;
    let has: Vec<Option<bool>> = wanted
        .map(|(name, value)| headers.get(name).map_or(Some(false), |found| is_equal(value, found)))
        .collect();
    if has.contains(&Some(!all)) {
        return Some(!all);
    }
    if has.contains(&None) { None } else { Some(all) }
}

/// The headers that a binding compares, with their values. Without `-with-x`, those that begin with `x-` do not count.
pub fn compared(arguments: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    let with_x =
        arguments.get("x-match").and_then(Value::as_str).is_some_and(|word| word.ends_with("-with-x"));
    arguments
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .filter(move |(name, _)| *name != "x-match" && (with_x || !name.starts_with("x-")))
}

/// Whether the broker takes two values for equal. A binding without a value wants the header only to be there. None: 1 and
/// 1.0 are equal to RabbitMQ 3, and not to RabbitMQ 4.
fn is_equal(wanted: &Value, found: &Value) -> Option<bool> {
    match (wanted, found) {
        (Value::Null, _) => Some(true),
        (Value::Number(wanted), Value::Number(found)) if wanted.is_f64() != found.is_f64() => {
            if wanted.as_f64() == found.as_f64() { None } else { Some(false) }
        }
        _ => Some(wanted == found),
    }
}
