//! Schemas of an AsyncAPI document as one schema each: what a schema refers to elsewhere in the document comes along in
//! its `$defs`, and what older drafts say differently is said as 2020-12 does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::asyncapi::schemas::{DRAFT_2020_12, for_children, rewrite};

use super::source::{Found, Source, decoded};

/// How many schemas of the document one schema may bring along.
const BROUGHT_MAX: usize = 500;
/// How many values all schemas of a document may have in sum, each time that they are used; no contract has more.
pub(super) const VALUES_MAX: usize = 300_000;
/// What stands for a schema that is not in the document.
const ELSEWHERE: &str = "not-in-the-document";

/// A schema, and what has to be said about it.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) value: Map<String, Value>,
    pub(super) note: Option<String>,
}

/// The schema at `found`; one that takes anything where there is none. What it costs is taken off `values_left`.
pub(super) fn read(source: Source<'_>, found: Option<Found<'_>>, values_left: &mut usize) -> Schema {
    let anything = |note: Option<String>| Schema { value: Map::new(), note };
    let Some(mut found) = found else { return anything(None) };
    let mut format = String::new();
    if let Some(inner) = source.child(&found, "schema") {
        let said = found.value.get("schemaFormat").and_then(Value::as_str).unwrap_or_default();
        format = said.chars().filter(|char| !char.is_whitespace()).collect();
        found = inner;
    }
    let is_json = format.is_empty()
        || ["schema+json", "schema+yaml", "vnd.aai.asyncapi", "vnd.oai.openapi"]
            .iter()
            .any(|known| format.contains(known));
    if !is_json {
        return anything(Some(format!(
            "anything goes: its schema is in the format `{format}`, and Warren reads JSON Schema"
        )));
    }
    let mut bringing = Bringing {
        source,
        root: found.pointer.clone(),
        taken: taken(found.value),
        names: BTreeMap::new(),
        open: Vec::new(),
        missing: Vec::new(),
    };
    let too_much = || anything(Some("anything goes: the document's schemas are too much in sum".to_owned()));
    if !spend(values_left, found.value) {
        return too_much();
    }
    let mut schema = found.value.clone();
    rewrite(&mut schema, &mut |reference| bringing.target(reference));
    let Some(brought) = bringing.bring(values_left) else {
        return too_much();
    };
    let mut value = match schema {
        Value::Object(object) => object,
        Value::Bool(false) => Map::from_iter([("not".to_owned(), json!({}))]),
        _ => Map::new(),
    };
    if !brought.is_empty()
        && let Value::Object(defs) = value.entry("$defs").or_insert_with(|| json!({}))
    {
        defs.extend(brought);
    }
    if format != DRAFT_2020_12 {
        let mut whole = Value::Object(value);
        modernise(&mut whole);
        value = if let Value::Object(object) = whole { object } else { Map::new() };
    }
    let note = (!bringing.missing.is_empty()).then(|| {
        format!(
            "takes anything where it refers to {}, which is not in the document",
            bringing.missing.join(", ")
        )
    });
    Schema { value, note }
}

struct Bringing<'d> {
    source: Source<'d>,
    /// Where the schema itself stands.
    root: String,
    /// Names in `$defs` that are not free.
    taken: BTreeSet<String>,
    /// Pointer of what comes along -> its name in `$defs`.
    names: BTreeMap<String, String>,
    open: Vec<(String, String)>,
    missing: Vec<String>,
}

impl Bringing<'_> {
    /// Where a reference of the document leads within the one schema.
    fn target(&mut self, reference: &str) -> String {
        let Some(fragment) = reference.strip_prefix('#') else {
            return self.missing(reference);
        };
        let pointer = decoded(fragment);
        match pointer.strip_prefix(self.root.as_str()) {
            Some("") => return "#".to_owned(),
            // As it was encoded, which is how it is written again.
            Some(rest) if rest.starts_with('/') => {
                let steps = self.root.matches('/').count();
                let rest: Vec<&str> = fragment.split('/').skip(steps + 1).collect();
                return format!("#/{}", rest.join("/"));
            }
            _ => {}
        }
        if let Some(name) = self.names.get(&pointer) {
            return format!("#/$defs/{name}");
        }
        if !fragment.starts_with('/') || self.source.at(&pointer).is_none() {
            return self.missing(reference);
        }
        let name = self.name(&pointer);
        self.names.insert(pointer.clone(), name.clone());
        self.open.push((pointer, name.clone()));
        format!("#/$defs/{name}")
    }

    fn missing(&mut self, reference: &str) -> String {
        let shown: String = reference.chars().take(80).collect();
        if self.missing.len() < 5 && !self.missing.contains(&shown) {
            self.missing.push(shown);
        }
        format!("#/$defs/{ELSEWHERE}")
    }

    fn name(&mut self, pointer: &str) -> String {
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let plain =
            |char: char| if char.is_ascii_alphanumeric() || "._-".contains(char) { char } else { '-' };
        let mut name: String = last.chars().map(plain).collect();
        while name.is_empty() || !self.taken.insert(name.clone()) {
            name.push('_');
        }
        name
    }

    /// Everything that comes along, by name; none if that is too much.
    fn bring(&mut self, values_left: &mut usize) -> Option<Map<String, Value>> {
        let mut brought = Map::new();
        while let Some((pointer, name)) = self.open.pop() {
            let Some(found) = self.source.at(&pointer) else { continue };
            // A schema with its format stands one step deeper.
            let inner =
                self.source.child(&found, "schema").filter(|_| found.value.get("schemaFormat").is_some());
            let found = inner.unwrap_or(found);
            if brought.len() >= BROUGHT_MAX || !spend(values_left, found.value) {
                return None;
            }
            let mut schema = found.value.clone();
            rewrite(&mut schema, &mut |reference| self.target(reference));
            brought.insert(name, schema);
        }
        if !self.missing.is_empty() {
            brought.insert(ELSEWHERE.to_owned(), json!({}));
        }
        Some(brought)
    }
}

/// The names that the `$defs` of a schema use themselves, and the one that is kept for what is missing.
fn taken(schema: &Value) -> BTreeSet<String> {
    let own =
        schema.get("$defs").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone());
    own.chain([ELSEWHERE.to_owned()]).collect()
}

/// Takes off as many as `value` has; false if there were not as many.
pub(super) fn spend(left: &mut usize, value: &Value) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter().all(|item| spend(left, item)),
        Value::Object(map) => map.values().all(|item| spend(left, item)),
        _ => true,
    }
}

/// Says in 2020-12 what drafts before it said in other words.
fn modernise(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("items").is_some_and(Value::is_array) {
                let items = object.remove("items");
                let rest = object.remove("additionalItems");
                object.extend(items.map(|items| ("prefixItems".to_owned(), items)));
                object.extend(rest.map(|rest| ("items".to_owned(), rest)));
            }
            if let Some(Value::Object(dependencies)) = object.remove("dependencies") {
                let (names, schemas): (Map<_, _>, Map<_, _>) =
                    dependencies.into_iter().partition(|(_, dependency)| dependency.is_array());
                for (key, found) in [("dependentRequired", names), ("dependentSchemas", schemas)] {
                    if !found.is_empty() {
                        object.entry(key).or_insert(Value::Object(found));
                    }
                }
            }
            for_children(object, &mut modernise);
        }
        Value::Array(items) => items.iter_mut().for_each(modernise),
        _ => {}
    }
}
