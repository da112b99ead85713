//! A contract in the making: its values, and what has to be said about them. Written as YAML with the notes as comments.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use crate::yaml::{Mapping, Node};

/// The order of keys; what is not named here follows, by name.
const ORDER: [&str; 64] = [
    "contract",
    "version",
    "description",
    "exchanges",
    "messages",
    "events",
    "commands",
    "rpcs",
    "publishers",
    "queues",
    "bindings",
    "consumers",
    "type",
    "owned",
    "durable",
    "exclusive",
    "autoDelete",
    "internal",
    "alternateExchange",
    "event",
    "command",
    "rpc",
    "exchange",
    "toExchange",
    "queue",
    "routingKey",
    "bridgeExchange",
    "message",
    "headers",
    "match",
    "request",
    "response",
    "errors",
    "timeoutMs",
    "externalConsumers",
    "deadLetter",
    "onPoison",
    "retry",
    "mode",
    "maxRetries",
    "initialDelayMs",
    "maxDelayMs",
    "backoffMultiplier",
    "jitter",
    "handler",
    "component",
    "sha256",
    "signature",
    "publicKey",
    "isolation",
    "reuse",
    "deadlineMs",
    "memoryMiB",
    "concurrency",
    "limits",
    "publishes",
    "capabilities",
    "onFailure",
    "delivery",
    "prefetch",
    "arguments",
    "payload",
    "name",
    "summary",
];

/// A contract in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The contract, as its file will say it.
    pub(super) root: Map<String, Value>,
    /// What was found, filled in or left out: by JSON pointer of the place; what is about nothing in the file is at "".
    notes: BTreeMap<String, Vec<String>>,
    /// How often a name was asked for that was taken.
    counters: HashMap<String, u32>,
}

impl Draft {
    /// The names in a section.
    pub(super) fn names(&self, section: &str) -> Vec<String> {
        self.section(section).map(|entries| entries.keys().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn section(&self, section: &str) -> Option<&Map<String, Value>> {
        self.root.get(section).and_then(Value::as_object)
    }

    pub(super) fn entry(&self, section: &str, name: &str) -> Option<&Map<String, Value>> {
        self.section(section)?.get(name)?.as_object()
    }

    pub(super) fn text(&self, section: &str, name: &str, key: &str) -> Option<&str> {
        self.entry(section, name)?.get(key)?.as_str()
    }

    pub(super) fn has(&self, section: &str, name: &str) -> bool {
        self.entry(section, name).is_some()
    }

    pub(super) fn put(&mut self, section: &str, name: &str, entry: Map<String, Value>) {
        let entries = self.root.entry(section).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(entries) = entries {
            entries.insert(name.to_owned(), Value::Object(entry));
        }
    }

    /// `name`, or a name like it that is not used in any of the sections.
    pub(super) fn free_name(&mut self, sections: &[&str], name: &str) -> String {
        let mut free = name.to_owned();
        while sections.iter().any(|section| self.has(section, &free)) {
            let number = self.counters.entry(name.to_owned()).or_insert(1);
            *number += 1;
            free = format!("{name}-{number}");
        }
        free
    }

    /// Sets a key of the whole; whether that changed anything.
    pub(super) fn set_root(&mut self, key: &str, value: Value) -> bool {
        self.root.insert(key.to_owned(), value.clone()) != Some(value)
    }

    /// Sets a key of the mapping at `pointer`; whether that changed anything.
    pub(super) fn set(&mut self, pointer: &str, key: &str, value: Value) -> bool {
        match self.at_mut(pointer) {
            Some(Value::Object(map)) if map.get(key) != Some(&value) => {
                map.insert(key.to_owned(), value);
                true
            }
            _ => false,
        }
    }

    /// Takes out what is at `pointer`, and what was said about it; whether there was something.
    pub(super) fn remove(&mut self, pointer: &str) -> bool {
        let Some((parent, step)) = pointer.rsplit_once('/') else { return false };
        let step = unescape(step);
        let removed = if parent.is_empty() {
            self.root.remove(&step).is_some()
        } else {
            match self.at_mut(parent) {
                Some(Value::Object(map)) => map.remove(&step).is_some(),
                Some(Value::Array(items)) => match step.parse::<usize>() {
                    Ok(index) if index < items.len() => {
                        items.remove(index);
                        true
                    }
                    _ => false,
                },
                _ => false,
            }
        };
        // What is within has a `/` behind the pointer; `0` is the character after that.
        let within = self.notes.range(format!("{pointer}/")..format!("{pointer}0"));
        let within: Vec<String> = within.map(|(at, _)| at.clone()).chain([pointer.to_owned()]).collect();
        within.iter().for_each(|at| drop(self.notes.remove(at)));
        removed
    }

    /// Takes out the mapping or list within an entry that what was at `pointer` has left empty.
    pub(super) fn remove_empty(&mut self, pointer: &str) {
        let Some((parent, _)) = pointer.rsplit_once('/') else { return };
        let empty = match self.at_mut(parent) {
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            _ => false,
        };
        if empty && parent.matches('/').count() == 3 {
            self.remove(parent);
        }
    }

    fn at_mut(&mut self, pointer: &str) -> Option<&mut Value> {
        let mut steps = pointer.split('/').skip(1).map(unescape);
        let mut value = self.root.get_mut(&steps.next()?)?;
        for step in steps {
            value = match value {
                Value::Object(map) => map.get_mut(&step)?,
                Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// Says something about the place at `pointer`.
    pub(super) fn note(&mut self, pointer: &str, says: impl Into<String>) {
        let notes = self.notes.entry(pointer.to_owned()).or_default();
        let says = says.into();
        if !notes.contains(&says) {
            notes.push(says);
        }
    }

    /// Says something that is about nothing in the file.
    pub(super) fn left_out(&mut self, says: impl Into<String>) {
        self.note("", says);
    }

    /// All notes, with the places as people write them.
    pub(super) fn notes(&self) -> Vec<String> {
        let told = |(pointer, notes): (&String, &Vec<String>)| {
            let place = dotted(pointer);
            let told =
                |note: &String| if place.is_empty() { note.clone() } else { format!("{place}: {note}") };
            notes.iter().map(told).collect::<Vec<_>>()
        };
        self.notes.iter().flat_map(told).collect()
    }

    /// The contract as YAML, and nothing else.
    pub(super) fn bare_yaml(&self) -> String {
        Node::from(self.mapping(&self.root, "", &BTreeMap::new())).to_yaml()
    }

    /// The contract as YAML, with `heading` and the notes as comments.
    pub(super) fn to_yaml(&self, heading: &str) -> String {
        let mut placed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (pointer, notes) in &self.notes {
            let place = self.nearest(pointer);
            // What is not in the file is named.
            let gone = dotted(&pointer[place.len()..]);
            let told = |note: &String| if gone.is_empty() { note.clone() } else { format!("{gone}: {note}") };
            placed.entry(place).or_default().extend(notes.iter().map(told));
        }
        let body = Node::from(self.mapping(&self.root, "", &placed)).to_yaml();
        let mut top = Mapping::default();
        top.set("x", true).comment(heading);
        for note in placed.get("").into_iter().flatten() {
            top.comment(note);
        }
        let top = Node::from(top).to_yaml();
        let comments = top.trim_end().strip_suffix("x: true").unwrap_or_default().to_owned();
        format!("{comments}{body}")
    }

    /// The key that a comment on `pointer` can stand above: itself, or what is around it and in the file.
    fn nearest<'p>(&self, pointer: &'p str) -> &'p str {
        let mut end = 0;
        let mut value: Option<&Value> = None;
        for (index, step) in pointer.split('/').enumerate().skip(1) {
            let step = unescape(step);
            let next = match (index, value) {
                (1, _) => self.root.get(&step),
                (_, Some(Value::Object(map))) => map.get(&step),
                _ => None,
            };
            if next.is_none() {
                break;
            }
            value = next;
            end = pointer[end + 1..].find('/').map_or(pointer.len(), |at| end + 1 + at);
        }
        &pointer[..end]
    }

    fn mapping(&self, map: &Map<String, Value>, at: &str, notes: &BTreeMap<&str, Vec<String>>) -> Mapping {
        let is_data = is_schema(at) || at.ends_with("/arguments");
        // Sections and the entries of a section are by name; what an entry says has an order.
        let by_name = is_data || (at.matches('/').count() == 1);
        let rank = |key: &str| match key {
            // That of the whole contract comes before its sections.
            "memoryMiB" | "concurrency" | "stackKiB" if at.is_empty() => 3,
            key => ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len()),
        };
        let mut entries: Vec<(&String, &Value)> = map.iter().collect();
        entries.sort_by_key(|(key, _)| (if by_name { 0 } else { rank(key) }, *key));
        let mut mapping = Mapping::default();
        for (key, value) in entries {
            let place = join(at, key);
            mapping.set(key, self.node(value, &place, notes));
            for note in notes.get(place.as_str()).into_iter().flatten() {
                mapping.comment(note);
            }
        }
        mapping
    }

    fn node(&self, value: &Value, at: &str, notes: &BTreeMap<&str, Vec<String>>) -> Node {
        match value {
            Value::Object(map) => self.mapping(map, at, notes).into(),
            Value::Array(items) if !is_schema(at) => {
                items.iter().map(|item| self.node(item, at, notes)).collect::<Vec<_>>().into()
            }
            // In a schema, `$` and braces mean what they say; elsewhere they would be a variable.
            Value::String(text) if !is_schema(at) => text.replace("${", "$${").into(),
            other => other.clone().into(),
        }
    }
}

/// Whether `pointer` is within a schema or an example, where nothing is put in for variables.
fn is_schema(pointer: &str) -> bool {
    let mut steps = pointer.split('/').skip(1);
    steps.next() == Some("messages")
        && steps.nth(1).is_some_and(|step| matches!(step, "payload" | "headers" | "examples"))
}

/// A pointer as people write it.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}

/// One more step of a JSON pointer, escaped.
pub(super) fn join(pointer: &str, step: &str) -> String {
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}

pub(super) fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}
