//! An AsyncAPI 3 document: one that Warren made, or another's. Here are its channels, as exchanges, queues and bindings;
//! `operations` has what is sent and received.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::asyncapi::NO_VERSION;

use super::bindings::{Bindings, Bound, refer};
use super::draft::{Draft, join};
use super::messages::Messages;
use super::operations::Operations;
use super::queue;
use super::source::{Found, Source, text};
use super::{Failed, shortened};

/// Where a channel is on a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// An exchange (empty for the default one), and the key if the channel is one of a key.
    Exchange(String, Option<String>),
    /// A queue.
    Queue(String),
}

/// Reads a document into the draft.
pub(super) fn read(values: &Value, draft: &mut Draft) -> Result<(), Failed> {
    let version = values.get("asyncapi").and_then(Value::as_str).unwrap_or_default();
    if version.starts_with("2.") || version.starts_with("1.") {
        return Err(Failed::new(format!("this is AsyncAPI {version}, and Warren reads version 3"))
            .hint("convert it: `npx @asyncapi/cli convert FILE --target-version 3.0.0` (the library is @asyncapi/converter)"));
    }
    if !version.starts_with("3.") {
        return Err(Failed::new(format!(
            "`asyncapi: {version}` is no version that Warren reads: it reads 3"
        )));
    }
    let source = Source::new(values);
    info(source, draft);
    let mut channels = Channels {
        source,
        draft,
        places: BTreeMap::new(),
        bindings: Bindings::default(),
        answers: answers(source),
    };
    channels.read();
    let Channels { places, bindings, .. } = channels;
    let mut operations = Operations {
        source,
        draft,
        places: &places,
        bindings,
        messages: Messages::new(source),
        follow: Vec::new(),
    };
    if values.get("x-warren").is_some() {
        operations.all_messages();
    }
    operations.read();
    let Operations { bindings, follow, .. } = operations;
    refer(&bindings, draft);
    bindings.write(draft, &follow);
    Ok(())
}

fn info(source: Source<'_>, draft: &mut Draft) {
    let info = source.at("/info").and_then(|info| info.value.as_object().cloned()).unwrap_or_default();
    if let Some(title) = text(&info, "title") {
        draft.set_root("contract", json!(shortened(title)));
    }
    if let Some(version) = text(&info, "version").filter(|version| *version != NO_VERSION) {
        draft.set_root("version", json!(version));
    }
    if let Some(description) = text(&info, "description") {
        draft.set_root("description", json!(description));
    }
    let ours = source.at("/x-warren").and_then(|ours| ours.value.as_object().cloned()).unwrap_or_default();
    if let Some(memory) = ours.get("memoryMiB").filter(|memory| **memory != json!(4096)) {
        draft.set_root("memoryMiB", memory.clone());
    }
    for key in ["concurrency", "stackKiB"] {
        if let Some(value) = ours.get(key) {
            draft.set_root(key, value.clone());
        }
    }
}

struct Channels<'s, 'd> {
    source: Source<'d>,
    draft: &'s mut Draft,
    /// Pointer of a channel -> where it is.
    places: BTreeMap<String, Place>,
    bindings: Bindings,
    /// Pointers of the channels that are only there for answers.
    answers: BTreeSet<String>,
}

impl<'d> Channels<'_, 'd> {
    fn read(&mut self) {
        let Some(channels) = self.source.at("/channels") else { return };
        let mut seen = BTreeSet::new();
        for (id, channel) in self.source.children(&channels) {
            if !seen.insert(channel.pointer.clone()) {
                continue;
            }
            let keys = channel.value.as_object().cloned().unwrap_or_default();
            let amqp = self.source.amqp(&channel);
            let place = match amqp {
                Some(amqp) if amqp.get("queue").is_some() || text(amqp, "is") == Some("queue") => {
                    self.queue(id, &keys, amqp)
                }
                Some(amqp) => self.exchange(id, &keys, amqp),
                None => {
                    if !self.answers.contains(&channel.pointer) {
                        self.draft.left_out(format!("the channel `{id}` is left out: it has no AMQP binding that says what it is on a broker"));
                    }
                    None
                }
            };
            if let Some(place) = place {
                self.places.insert(channel.pointer, place);
            }
        }
    }

    fn exchange(&mut self, id: &str, keys: &Map<String, Value>, amqp: &Map<String, Value>) -> Option<Place> {
        let nothing = Map::new();
        let properties = amqp.get("exchange").and_then(Value::as_object).unwrap_or(&nothing);
        let extended = keys.get("x-amqp-exchange").and_then(Value::as_object).unwrap_or(&nothing);
        let address = text(keys, "address");
        let name = text(properties, "name").unwrap_or_default();
        let kind = text(properties, "type").unwrap_or("topic");
        let key = address.filter(|address| *address != name).map(without_parameters);
        if name.is_empty() {
            if kind != "default" && !properties.contains_key("name") {
                self.draft
                    .left_out(format!("the channel `{id}` is left out: its AMQP binding names no exchange"));
                return None;
            }
            return Some(Place::Exchange(String::new(), key));
        }
        if !["topic", "direct", "fanout", "headers"].contains(&kind) {
            self.draft.left_out(format!(
                "the exchange `{name}` is left out: Warren has no exchanges of the type `{kind}`"
            ));
            return None;
        }
        let mut entry = self.draft.entry("exchanges", name).cloned().unwrap_or_default();
        let mut set = |key: &str, value: Value| entry.insert(key.to_owned(), value);
        if kind != "topic" {
            set("type", json!(kind));
        }
        for (key, usual) in [("durable", true), ("autoDelete", false), ("internal", false)] {
            let said = extended.get(key).or(properties.get(key)).and_then(Value::as_bool);
            if said == Some(!usual) {
                set(key, json!(!usual));
            }
        }
        if extended.get("owned") == Some(&json!(false)) || name.starts_with("amq.") {
            set("owned", json!(false));
        }
        let mut arguments =
            extended.get("arguments").or(properties.get("arguments")).and_then(Value::as_object).cloned();
        let alternate = arguments.as_mut().and_then(|arguments| arguments.remove("alternate-exchange"));
        if let Some(alternate) = extended.get("alternateExchange").cloned().or(alternate) {
            set("alternateExchange", alternate);
        }
        if let Some(arguments) = arguments.filter(|arguments| !arguments.is_empty()) {
            set("arguments", Value::Object(arguments));
        }
        self.draft.put("exchanges", name, entry);
        if let Some(domain) = text(extended, "domain") {
            self.draft.note(&join("/exchanges", name), format!("of the domain `{domain}`: used and not declared; name that contract in `domains` to have it checked"));
        }
        self.exchange_bindings(name, keys);
        let keyed = matches!(kind, "topic" | "direct");
        Some(Place::Exchange(name.to_owned(), key.filter(|_| keyed)))
    }

    /// Bindings between exchanges, in the extension that amqp-contract uses as well.
    fn exchange_bindings(&mut self, name: &str, keys: &Map<String, Value>) {
        let nothing = Value::Null;
        let extended = keys.get("x-amqp-exchange-bindings").unwrap_or(&nothing);
        for (list, other) in [("forwardsTo", "destination"), ("receivesFrom", "source")] {
            for item in extended.get(list).and_then(Value::as_array).into_iter().flatten() {
                let Some(item) = item.as_object() else { continue };
                let Some(other) = text(item, other) else { continue };
                let (from, to) = if list == "forwardsTo" { (name, other) } else { (other, name) };
                self.bindings.add(bound(from, to, true, item), text(item, "name").map(str::to_owned));
            }
        }
    }

    fn queue(&mut self, id: &str, keys: &Map<String, Value>, amqp: &Map<String, Value>) -> Option<Place> {
        let nothing = Map::new();
        let properties = amqp.get("queue").and_then(Value::as_object).unwrap_or(&nothing);
        let extended = keys.get("x-amqp-queue").and_then(Value::as_object).unwrap_or(&nothing);
        let name = text(properties, "name").or(text(keys, "address")).unwrap_or(id).to_owned();
        let flag = |key: &str, usual: bool| properties.get(key).and_then(Value::as_bool).unwrap_or(usual);
        let known = text(extended, "type").or(text(properties, "type"));
        let plain = flag("durable", true) && !flag("exclusive", false) && !flag("autoDelete", false);
        let arguments =
            extended.get("arguments").or(properties.get("arguments")).and_then(Value::as_object).cloned();
        let mut arguments = arguments.unwrap_or_default();
        if let Some(priorities) = properties.get("maxPriority") {
            arguments.entry("x-max-priority").or_insert(priorities.clone());
        }
        // Where nothing is said, what Warren would take itself, if the rest lets it.
        let kind = known.unwrap_or(if plain && !arguments.contains_key("x-max-priority") {
            "quorum"
        } else {
            "classic"
        });
        let found = queue::Found {
            kind: Some(kind.to_owned()),
            durable: flag("durable", true),
            exclusive: flag("exclusive", false),
            auto_delete: flag("autoDelete", false),
            arguments,
            retry: keys.get("x-amqp-retry").and_then(Value::as_object).map(|retry| retried(retry, kind)),
        };
        let at = join("/queues", &name);
        match found.keys() {
            Err(why) => {
                self.draft.left_out(format!("the queue `{name}` is left out: {why}"));
                return None;
            }
            Ok(mut read) => {
                if extended.get("owned") == Some(&json!(false)) {
                    read.entry.insert("owned".to_owned(), json!(false));
                }
                let external = extended.get("deadLetter").and_then(|dead| dead.get("externalConsumers"));
                match (read.entry.get_mut("deadLetter"), external) {
                    (Some(dead_letter), Some(external)) => {
                        dead_letter["externalConsumers"] = external.clone()
                    }
                    (None, _) => read
                        .entry
                        .extend(extended.get("onPoison").map(|said| ("onPoison".to_owned(), said.clone()))),
                    (Some(_), None) => {}
                }
                self.draft.put("queues", &name, read.entry);
                read.notes.into_iter().for_each(|note| self.draft.note(&at, note));
            }
        }
        if known.is_none() {
            self.draft.note(&at, format!("the document does not say its type: taken as a {kind} queue"));
        }
        let listed = extended.get("bindings").and_then(Value::as_array);
        for item in listed.into_iter().flatten().filter_map(Value::as_object) {
            let Some(exchange) = text(item, "exchange") else { continue };
            self.bindings.add(bound(exchange, &name, false, item), text(item, "name").map(str::to_owned));
        }
        if listed.is_none() {
            self.described(&name, text(keys, "description").unwrap_or_default());
        }
        Some(Place::Queue(name))
    }

    /// amqp-contract has the bindings of a queue in its channel's description only.
    fn described(&mut self, queue: &str, description: &str) {
        let mut rest = description;
        let mut any = false;
        while let Some((_, after)) = rest.split_once("bound to exchange '") {
            let Some((exchange, after)) = after.split_once('\'') else { break };
            let (key, after) =
                match after.strip_prefix(" with routing key '").and_then(|after| after.split_once('\'')) {
                    Some((key, after)) => (key, after),
                    None => ("", after),
                };
            let arguments = Map::new();
            let bound = Bound {
                source: exchange.to_owned(),
                destination: queue.to_owned(),
                to_exchange: false,
                routing_key: key.to_owned(),
                arguments,
            };
            self.bindings.add(bound, None);
            (rest, any) = (after, true);
        }
        if any {
            self.draft.note(
                &join("/queues", queue),
                "its bindings are those that the description of its channel tells",
            );
        }
    }
}

/// The channels that operations answer on.
fn answers<'d>(source: Source<'d>) -> BTreeSet<String> {
    let operations =
        source.at("/operations").map(|operations| source.children(&operations)).unwrap_or_default();
    let channel = |operation: &Found<'d>| {
        let reply = source.child(operation, "reply")?;
        Some(source.child(&reply, "channel")?.pointer)
    };
    operations.iter().filter_map(|(_, operation)| channel(operation)).collect()
}

/// An address whose parameters, such as `{id}`, are any word.
fn without_parameters(address: &str) -> String {
    let word =
        |word: &'_ str| if word.starts_with('{') && word.ends_with('}') { "*" } else { word }.to_owned();
    address.split('.').map(word).collect::<Vec<_>>().join(".")
}

fn bound(from: &str, to: &str, to_exchange: bool, item: &Map<String, Value>) -> Bound {
    Bound {
        source: from.to_owned(),
        destination: to.to_owned(),
        to_exchange,
        routing_key: text(item, "routingKey").unwrap_or_default().to_owned(),
        arguments: item.get("arguments").and_then(Value::as_object).cloned().unwrap_or_default(),
    }
}

/// The retry of a contract, of the extension that amqp-contract uses as well.
fn retried(written: &Map<String, Value>, kind: &str) -> Map<String, Value> {
    let known = ["mode", "maxRetries", "initialDelayMs", "maxDelayMs", "backoffMultiplier", "jitter"];
    let kept = written.iter().filter(|(key, _)| known.contains(&key.as_str()));
    let mut retry: Map<String, Value> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    if text(&retry, "mode") == Some("immediate-requeue") {
        let at_once = if kind == "quorum" { json!("quorum-native") } else { json!("ttl-backoff") };
        retry.insert("mode".to_owned(), at_once);
        if kind != "quorum" {
            retry.extend([("initialDelayMs".to_owned(), json!(1)), ("maxDelayMs".to_owned(), json!(1))]);
        }
    }
    retry
}
