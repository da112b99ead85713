//! The JSON Schema of contract files for editors: that of `shape`, and beside every number, switch and choice also a
//! text with an environment variable, because that is what a file may say before variables are put in.

use serde_json::{Map, Value, json};

use super::files::FIRST_ONLY;
use super::shape;

/// The JSON Schema of contract files. With `fragment`, that of files which others include.
pub fn editor_schema(fragment: bool) -> Value {
    let mut schema = shape::schema().clone();
    with_variables(&mut schema);
    if let Value::Object(root) = &mut schema {
        root.insert("title".to_owned(), json!("Warren contract"));
        if fragment {
            root.remove("required");
            if let Some(Value::Object(sections)) = root.get_mut("properties") {
                sections.retain(|section, _| !FIRST_ONLY.contains(&section.as_str()));
            }
        }
    }
    schema
}

/// Lets every value that is more than any text also be a text with a variable.
fn with_variables(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
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
