//! A schema as its publishers live by it: what it does not name is not sent.
//!
//! JSON Schema leaves objects open, so that strictly nobody could ever add an optional property: an old publisher might
//! have sent something else by that name. Where only this is in doubt, a change counts as compatible.

use serde_json::{Map, Value, json};

/// Keywords under which further schemas are alternatives or parts, and not further conditions on the same value.
const PARTS: [&str; 5] = ["items", "additionalProperties", "prefixItems", "anyOf", "oneOf"];
/// The same, by name.
const NAMED_PARTS: [&str; 3] = ["properties", "$defs", "definitions"];
/// Keywords that put several conditions on one value, which closing one of them would change.
const CONDITIONS: [&str; 13] = [
    "$dynamicRef",
    "allOf",
    "if",
    "then",
    "else",
    "not",
    "dependentSchemas",
    "dependencies",
    "patternProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "contains",
    "propertyNames",
];
/// Keywords that are fine alone, and conditions beside `properties`.
const ALONE: [&str; 3] = ["$ref", "anyOf", "oneOf"];

/// `schema` with every object that names properties closed to others; none where that would change what is said.
pub(super) fn closed(schema: &Value) -> Option<Value> {
    let mut schema = schema.clone();
    close(&mut schema).then_some(schema)
}

fn close(schema: &mut Value) -> bool {
    let Value::Object(object) = schema else { return true };
    let has = |key: &str| object.contains_key(key);
    if CONDITIONS.iter().any(|key| has(key)) {
        return false;
    }
    if object.contains_key("properties") {
        if ALONE.iter().any(|key| has(key)) {
            return false;
        }
        object.entry("additionalProperties").or_insert(json!(false));
    }
    close_parts(object)
}

fn close_parts(object: &mut Map<String, Value>) -> bool {
    object.iter_mut().all(|(key, value)| match value {
        Value::Object(named) if NAMED_PARTS.contains(&key.as_str()) => named.values_mut().all(close),
        Value::Array(parts) if PARTS.contains(&key.as_str()) => parts.iter_mut().all(close),
        value if PARTS.contains(&key.as_str()) => close(value),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_closed_where_that_is_all_there_is_to_them() {
        let inner = json!({ "type": "object", "properties": { "a": {} } });
        let shut = json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": false });
        assert_eq!(closed(&inner), Some(shut.clone()));
        let within = |inner: &Value| json!({ "type": "array", "items": inner, "$defs": { "x": inner } });
        assert_eq!(closed(&within(&inner)), Some(within(&shut)));
        assert_eq!(closed(&json!({ "allOf": [inner] })), None);
        assert_eq!(closed(&json!({ "properties": {}, "$ref": "#/$defs/x" })), None);
        // An object that names nothing says nothing about what is sent.
        assert_eq!(closed(&json!({ "type": "object" })), Some(json!({ "type": "object" })));
    }
}
