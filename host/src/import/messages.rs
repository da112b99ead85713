//! Messages of an AsyncAPI document, as those of a contract: each is read when something refers to it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::draft::{Draft, join};
use super::schemas;
use super::source::{Found, Source, text};

/// The largest message that Warren takes if nothing is said, in bytes.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How many kinds one operation may have.
const UNION_MAX: usize = 64;

/// Messages that were read, by their place in the document.
#[derive(Debug)]
pub(super) struct Messages {
    names: BTreeMap<String, String>,
    /// Names that a contract of ours had, and what they are now: those of other domains have a `/`.
    renamed: BTreeMap<String, String>,
    default_content_type: Option<String>,
    /// How many values schemas may still have.
    values_left: usize,
}

impl Messages {
    pub(super) fn new(source: Source<'_>) -> Self {
        let default =
            source.at("/defaultContentType").and_then(|found| found.value.as_str().map(str::to_owned));
        let (names, renamed) = (BTreeMap::new(), BTreeMap::new());
        Self { names, renamed, default_content_type: default, values_left: schemas::VALUES_MAX }
    }

    /// The contract's name of the message at `found`.
    pub(super) fn name(&mut self, source: Source<'_>, found: &Found<'_>, draft: &mut Draft) -> String {
        if let Some(name) = self.names.get(&found.pointer) {
            return name.clone();
        }
        let keys = source.with_traits(found);
        let ours = keys.get("x-warren").and_then(Value::as_object).cloned().unwrap_or_default();
        let last = found.pointer.rsplit('/').next().unwrap_or_default();
        let last = super::draft::unescape(last);
        let wanted = text(&ours, "name").map(str::to_owned).unwrap_or(last);
        let plain = match wanted.replace('/', "-") {
            plain if plain.is_empty() => "message".to_owned(),
            plain => plain,
        };
        let (entry, notes) = self.entry(source, found, &keys, &ours);
        // Documents often hold a message twice: beside its channel, and among the components.
        let same = draft.entry("messages", &plain).is_some_and(|other| *other == entry);
        let name = if same { plain } else { draft.free_name(&["messages"], &plain) };
        if !same {
            draft.put("messages", &name, entry);
            let at = join("/messages", &name);
            notes.into_iter().for_each(|(key, note)| draft.note(&join(&at, key), note));
        }
        if name != wanted {
            draft.note(&join("/messages", &name), format!("was called `{wanted}`"));
        }
        self.renamed.insert(wanted, name.clone());
        self.names.insert(found.pointer.clone(), name.clone());
        name
    }

    /// The name that a message of a contract of ours has now.
    pub(super) fn now(&self, name: &str) -> String {
        self.renamed.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// One message that is any of several; AsyncAPI lets an operation have many, and a contract does not.
    pub(super) fn union(&mut self, names: &[String], operation: &str, draft: &mut Draft) -> String {
        let name = draft.free_name(&["messages"], &format!("{operation}-messages"));
        let mut entry = Map::new();
        let mut defs = Map::new();
        let mut any = Vec::new();
        for (index, part) in names.iter().take(UNION_MAX).enumerate() {
            let Some(message) = draft.entry("messages", part) else { continue };
            let payload =
                message.get("payload").filter(|payload| schemas::spend(&mut self.values_left, payload));
            let mut payload = payload.cloned().unwrap_or_else(|| json!({}));
            let here = format!("#/$defs/kind-{index}");
            crate::asyncapi::schemas::rewrite(
                &mut payload,
                &mut |reference| match reference.strip_prefix('#') {
                    Some(rest) => format!("{here}{rest}"),
                    None => reference.to_owned(),
                },
            );
            defs.insert(format!("kind-{index}"), payload);
            any.push(json!({ "$ref": here }));
            if let Some(content_type) = message.get("contentType") {
                entry.insert("contentType".to_owned(), content_type.clone());
            }
        }
        entry.insert("payload".to_owned(), json!({ "anyOf": any, "$defs": defs }));
        draft.put("messages", &name, entry);
        draft.note(
            &join("/messages", &name),
            format!("any of {}: a contract has one message here", names.join(", ")),
        );
        name
    }

    fn entry(
        &mut self,
        source: Source<'_>,
        found: &Found<'_>,
        keys: &Map<String, Value>,
        ours: &Map<String, Value>,
    ) -> (Map<String, Value>, Vec<(&'static str, String)>) {
        let mut entry = Map::new();
        let mut notes = Vec::new();
        let mut set = |key: &str, value: Value| entry.insert(key.to_owned(), value);
        let payload = schemas::read(source, source.child(found, "payload"), &mut self.values_left);
        notes.extend(payload.note.map(|note| ("payload", note)));
        set("payload", Value::Object(payload.value));
        if let Some(headers) = source.child(found, "headers") {
            let headers = schemas::read(source, Some(headers), &mut self.values_left);
            notes.extend(headers.note.map(|note| ("headers", note)));
            set("headers", Value::Object(headers.value));
        }
        for key in ["summary", "description"] {
            if let Some(said) = text(keys, key) {
                set(key, json!(said));
            }
        }
        if !keys.contains_key("summary")
            && let Some(title) = text(keys, "title")
        {
            set("summary", json!(title));
        }
        let content_type = text(keys, "contentType").or(self.default_content_type.as_deref());
        if let Some(content_type) = content_type.filter(|content_type| *content_type != "application/json") {
            set("contentType", json!(content_type));
        }
        let amqp = keys.get("bindings").and_then(|bindings| bindings.get("amqp"));
        let encoding = amqp.and_then(|amqp| amqp.get("contentEncoding")).and_then(Value::as_str);
        match encoding {
            Some(encoding @ ("gzip" | "deflate")) => {
                set("contentEncoding", json!(encoding));
            }
            Some(encoding) if !["", "utf-8", "identity"].contains(&encoding) => {
                notes.push((
                    "payload",
                    format!("its content-encoding `{encoding}` is left out: Warren knows gzip and deflate"),
                ));
            }
            _ => {}
        }
        if let Some(version) = text(ours, "version") {
            set("version", json!(version));
        }
        if let Some(bytes) = ours.get("maxBodyBytes").filter(|bytes| bytes.as_u64() != Some(BODY_BYTES_MAX)) {
            set("maxBodyBytes", bytes.clone());
        }
        let examples = keys.get("examples").or(ours.get("examples")).and_then(Value::as_array);
        let examples: Vec<Value> = examples.into_iter().flatten().filter_map(example).collect();
        if !examples.is_empty() {
            set("examples", Value::Array(examples));
        }
        (entry, notes)
    }
}

/// An example, if it has a payload.
fn example(example: &Value) -> Option<Value> {
    let example = example.as_object()?;
    example.get("payload")?;
    let known = ["name", "summary", "payload", "headers"];
    let kept = example.iter().filter(|(key, _)| known.contains(&key.as_str()));
    Some(Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect()))
}
