//! Bindings as they were found, and those of them that a contract has to write out because nothing else brings them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::draft::Draft;

/// A binding as it was found.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) source: String,
    pub(super) destination: String,
    pub(super) to_exchange: bool,
    pub(super) routing_key: String,
    pub(super) arguments: Map<String, Value>,
}

impl Bound {
    /// All that it says, as one text.
    fn key(&self) -> String {
        json!([self.source, self.destination, self.to_exchange, self.routing_key, self.arguments]).to_string()
    }
}

/// Bindings, each once, some with the name that they had in a contract.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    found: Vec<(Bound, Option<String>)>,
    /// Where each is in `found`, by all that it says.
    places: HashMap<String, usize>,
}

impl Bindings {
    pub(super) fn add(&mut self, bound: Bound, name: Option<String>) {
        match self.places.entry(bound.key()) {
            Entry::Occupied(place) => {
                let known = &mut self.found[*place.get()].1;
                *known = known.take().or(name);
            }
            Entry::Vacant(place) => {
                place.insert(self.found.len());
                self.found.push((bound, name));
            }
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Bound> {
        self.found.iter().map(|(bound, _)| bound)
    }

    /// Writes those that have a name, or do not follow from what else is in the draft.
    pub(super) fn write(self, draft: &mut Draft, follow: &[Bound]) {
        let follow: HashSet<String> = follow.iter().map(Bound::key).collect();
        // Names of a contract first, so that no other takes them.
        let (named, rest): (Vec<_>, Vec<_>) = self.found.into_iter().partition(|(_, name)| name.is_some());
        for (bound, name) in named.into_iter().chain(rest) {
            if name.is_none() && follow.contains(&bound.key()) {
                continue;
            }
            let name = name.unwrap_or_else(|| format!("{}-to-{}", bound.source, bound.destination));
            let name = draft.free_name(&["bindings"], &name);
            write_one(draft, &name, bound);
        }
    }
}

fn write_one(draft: &mut Draft, name: &str, bound: Bound) {
    let kind = draft.text("exchanges", &bound.source, "type").unwrap_or("topic").to_owned();
    let mut entry = Map::new();
    let mut set = |key: &str, value: Value| entry.insert(key.to_owned(), value);
    set("exchange", json!(bound.source));
    set(if bound.to_exchange { "toExchange" } else { "queue" }, json!(bound.destination));
    let mut arguments = bound.arguments;
    if kind == "headers" {
        let matching = arguments.remove("x-match").and_then(|matching| matching.as_str().map(str::to_owned));
        let headers: Map<String, Value> = std::mem::take(&mut arguments);
        match matching {
            Some(matching) if !headers.is_empty() => {
                set("headers", Value::Object(headers));
                if matching != "all" {
                    set("match", json!(matching));
                }
            }
            Some(matching) => {
                arguments.insert("x-match".to_owned(), json!(matching));
            }
            // Without `x-match`, the broker takes all of them to be meant.
            None => arguments = headers,
        }
    }
    let mut ignored = None;
    match kind.as_str() {
        "topic" | "direct" => {
            set("routingKey", json!(bound.routing_key));
        }
        _ if !bound.routing_key.is_empty() => ignored = Some(bound.routing_key),
        _ => {}
    }
    if !arguments.is_empty() {
        set("arguments", Value::Object(arguments));
    }
    draft.put("bindings", name, entry);
    if let Some(key) = ignored {
        let says = format!("its routing key `{key}` is left out: a {kind} exchange looks at none");
        draft.note(&super::draft::join("/bindings", name), says);
    }
}

/// Exchanges that every broker has, and how they route.
const BUILT_IN: [(&str, &str); 7] = [
    ("amq.topic", "topic"),
    ("amq.direct", "direct"),
    ("amq.fanout", "fanout"),
    ("amq.headers", "headers"),
    ("amq.match", "headers"),
    ("amq.rabbitmq.log", "topic"),
    ("amq.rabbitmq.trace", "topic"),
];

/// Adds the exchanges that are referred to and were not described.
pub(super) fn refer(bindings: &Bindings, draft: &mut Draft) {
    for bound in bindings.all() {
        ensure_exchange(draft, &bound.source);
        if bound.to_exchange {
            ensure_exchange(draft, &bound.destination);
        }
    }
    let mut named: BTreeSet<String> = BTreeSet::new();
    for queue in draft.names("queues") {
        let dead_letter = draft.entry("queues", &queue).and_then(|entry| entry.get("deadLetter"));
        named.extend(dead_letter.and_then(|dead_letter| dead_letter["exchange"].as_str()).map(str::to_owned));
    }
    for exchange in draft.names("exchanges") {
        named.extend(draft.text("exchanges", &exchange, "alternateExchange").map(str::to_owned));
    }
    named.iter().for_each(|name| ensure_exchange(draft, name));
}

/// Adds an exchange that is referred to and was not described.
pub(super) fn ensure_exchange(draft: &mut Draft, name: &str) {
    if name.is_empty() || draft.has("exchanges", name) {
        return;
    }
    let mut entry = Map::new();
    let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
    let kind = built_in.map_or("topic", |(_, kind)| kind);
    if kind != "topic" {
        entry.insert("type".to_owned(), json!(kind));
    }
    entry.insert("owned".to_owned(), json!(false));
    draft.put("exchanges", name, entry);
    if built_in.is_none() {
        let says = "is referred to and not described: taken as a topic exchange of somebody else's; mend `type` if it is none";
        draft.note(&super::draft::join("/exchanges", name), says);
    }
}
