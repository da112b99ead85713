//! Schemas of messages as they stand in an AsyncAPI document: references lead from the document's root, and what only
//! JSON Schema 2020-12 knows is said to be that.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::yaml::{Mapping, Node};

/// What a schema is called that an older reader would take for something else.
pub(crate) const DRAFT_2020_12: &str = "application/schema+json;version=draft-2020-12";

/// Keywords whose values are data, in which nothing is a schema.
const DATA: [&str; 5] = ["const", "enum", "default", "examples", "example"];
/// Keywords whose values are schemas by name.
const NAMED: [&str; 5] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Keywords that came after draft 7, and those that AsyncAPI gives a meaning of its own.
const LATER: [&str; 11] = [
    "prefixItems",
    "dependentSchemas",
    "dependentRequired",
    "unevaluatedItems",
    "unevaluatedProperties",
    "minContains",
    "maxContains",
    "contentSchema",
    "schema",
    "discriminator",
    "externalDocs",
];

/// `schema` as an entry of `components.schemas` called `id`.
pub(super) fn component(schema: &Value, id: &str) -> Node {
    let mut later = false;
    walk(schema, &mut |object| later |= LATER.iter().any(|keyword| object.contains_key(*keyword)));
    let base = format!("#/components/schemas/{id}");
    if !later {
        return placed(schema, &base).into();
    }
    let mut formatted = Mapping::default();
    formatted.set("schemaFormat", DRAFT_2020_12).set("schema", placed(schema, &format!("{base}/schema")));
    formatted.into()
}

/// `schema` with its references leading to `base`, where it stands.
fn placed(schema: &Value, base: &str) -> Value {
    let mut anchors = BTreeMap::new();
    collect_anchors(schema, "", &mut anchors);
    let mut placed = schema.clone();
    rewrite(&mut placed, &mut |reference: &str| match reference.strip_prefix('#') {
        Some("") => base.to_owned(),
        Some(pointer) if pointer.starts_with('/') => format!("{base}{pointer}"),
        Some(anchor) => match anchors.get(anchor) {
            Some(pointer) => format!("{base}{pointer}"),
            None => reference.to_owned(),
        },
        None => reference.to_owned(),
    });
    placed
}

/// Leads every reference to where `target` says, and takes out what would give the schema an address of its own. What
/// stands beside a reference moves out of its way: readers of AsyncAPI put the target in the place of the whole.
pub(crate) fn rewrite(schema: &mut Value, target: &mut dyn FnMut(&str) -> String) {
    match schema {
        Value::Object(object) => {
            for key in ["$id", "$schema", "$anchor", "$dynamicAnchor"] {
                if object.get(key).is_some_and(Value::is_string) {
                    object.remove(key);
                }
            }
            let dynamic = object.remove("$dynamicRef").map(|reference| ("$ref".to_owned(), reference));
            object.extend(dynamic);
            for_children(object, &mut |child| rewrite(child, target));
            if let Some(Value::String(reference)) = object.get("$ref") {
                let reference = json!(target(reference));
                if object.len() == 1 {
                    object.insert("$ref".to_owned(), reference);
                } else {
                    object.remove("$ref");
                    match object.entry("allOf").or_insert_with(|| json!([])) {
                        Value::Array(all) => all.push(json!({ "$ref": reference })),
                        other => *other = json!([{ "$ref": reference }]),
                    }
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, target)),
        _ => {}
    }
}

fn collect_anchors(schema: &Value, at: &str, anchors: &mut BTreeMap<String, String>) {
    let step = |key: &str| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1").replace('%', "%25"));
    match schema {
        Value::Object(object) => {
            for key in ["$anchor", "$dynamicAnchor"] {
                if let Some(anchor) = object.get(key).and_then(Value::as_str) {
                    anchors.entry(anchor.to_owned()).or_insert_with(|| at.to_owned());
                }
            }
            for (key, child) in object {
                match child {
                    Value::Object(named) if NAMED.contains(&key.as_str()) => {
                        for (name, schema) in named {
                            let at = format!("{}/{}", step(key), name.replace('~', "~0").replace('/', "~1"));
                            collect_anchors(schema, &at, anchors);
                        }
                    }
                    child if !DATA.contains(&key.as_str()) => collect_anchors(child, &step(key), anchors),
                    _ => {}
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_anchors(item, &step(&index.to_string()), anchors);
            }
        }
        _ => {}
    }
}

/// Calls `seen` with every schema within `schema`.
fn walk(schema: &Value, seen: &mut dyn FnMut(&Map<String, Value>)) {
    match schema {
        Value::Object(object) => {
            seen(object);
            for (key, child) in object {
                match child {
                    Value::Object(named) if NAMED.contains(&key.as_str()) => {
                        named.values().for_each(|child| walk(child, seen));
                    }
                    child if !DATA.contains(&key.as_str()) => walk(child, seen),
                    _ => {}
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, seen)),
        _ => {}
    }
}

pub(crate) fn for_children(object: &mut Map<String, Value>, each: &mut dyn FnMut(&mut Value)) {
    for (key, child) in object.iter_mut() {
        match child {
            Value::Object(named) if NAMED.contains(&key.as_str()) => named.values_mut().for_each(&mut *each),
            child if !DATA.contains(&key.as_str()) => each(child),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_from_the_document() {
        let schema = json!({
            "$id": "https://example.com/a",
            "type": "object",
            "properties": {
                "$ref": { "$ref": "#/$defs/x" },
                "$id": { "type": "string" },
                "self": { "$ref": "#" },
                "named": { "$ref": "#here", "description": "beside it" },
            },
            "const": { "$ref": "#/$defs/x" },
            "$defs": { "x": { "$anchor": "here", "type": "string" } },
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "$ref": { "$ref": "#/components/schemas/a/$defs/x" },
                "$id": { "type": "string" },
                "self": { "$ref": "#/components/schemas/a" },
                "named": { "description": "beside it", "allOf": [{ "$ref": "#/components/schemas/a/$defs/x" }] },
            },
            "const": { "$ref": "#/$defs/x" },
            "$defs": { "x": { "type": "string" } },
        });
        assert_eq!(component(&schema, "a"), Node::from(expected));
    }

    #[test]
    fn what_draft_7_does_not_know_has_its_format() {
        let schema = json!({ "items": { "prefixItems": [{ "$ref": "#/items" }] } });
        let expected =
            json!({ "items": { "prefixItems": [{ "$ref": "#/components/schemas/a/schema/items" }] } });
        let mut formatted = Mapping::default();
        formatted.set("schemaFormat", DRAFT_2020_12).set("schema", expected);
        assert_eq!(component(&schema, "a"), formatted.into());
        assert!(
            component(&json!({ "properties": { "prefixItems": {} } }), "a")
                .to_json()
                .starts_with("{\n  \"properties\"")
        );
    }
}
