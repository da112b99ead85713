//! The JSON Schema of contract files for editors: that of `shape`, and beside every number, switch and choice also a
//! text with an environment variable, because that is what a file may say before variables are put in.

use serde_json::{Map, Value, json};

use super::files::FIRST_ONLY;
use super::shape;

/// Names of the schemas, by which an editor tells them from others. They stay; what is in them grows.
const CONTRACT_ID: &str = "urn:warren:contract";
const FRAGMENT_ID: &str = "urn:warren:contract-fragment";

/// The JSON Schema of contract files. With `fragment`, that of files which others include.
pub fn editor_schema(fragment: bool) -> Value {
    let mut schema = shape::schema().clone();
    with_variables(&mut schema);
    if let Value::Object(root) = &mut schema {
        let (id, title) = if fragment {
            (FRAGMENT_ID, "Warren contract, included file")
        } else {
            (CONTRACT_ID, "Warren contract")
        };
        root.insert("$id".to_owned(), json!(id));
        root.insert("title".to_owned(), json!(title));
        if fragment {
            root.remove("required");
            root.insert(
                "description".to_owned(),
                json!("Sections of a contract, for one that names this file in `include`."),
            );
            if let Some(Value::Object(sections)) = root.get_mut("properties") {
                sections.retain(|section, _| !FIRST_ONLY.contains(&section.as_str()));
            }
        }
    }
    schema
}

/// Descriptions are sentences and not lines of our source; and formats of Rust's numbers are unknown to strict validators.
fn for_readers(object: &mut Map<String, Value>) {
    if let Some(Value::String(description)) = object.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    if matches!(object.get("type").and_then(Value::as_str), Some("integer" | "number")) {
        object.remove("format");
    }
}

/// Lets every value that is more than any text also be a text with a variable.
fn with_variables(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    for_readers(object);
    for (key, value) in object.iter_mut() {
        match (key.as_str(), value) {
            ("properties" | "$defs", Value::Object(named)) => named.values_mut().for_each(with_variables),
            ("items" | "additionalProperties", value) => with_variables(value),
            _ => {}
        }
    }
    let scalar = match object.get("type").and_then(Value::as_str) {
        Some("integer" | "number" | "boolean") => true,
        Some("string") => ["enum", "pattern", "minLength"].iter().any(|key| object.contains_key(*key)),
        _ => false,
    };
    if scalar {
        let mut outer = Map::new();
        for key in ["description", "default"] {
            outer.extend(object.remove(key).map(|value| (key.to_owned(), value)));
        }
        outer.insert("anyOf".to_owned(), json!([object, { "type": "string", "pattern": "\\$\\{" }]));
        *object = outer;
    }
}
