//! What an AsyncAPI document sends and receives, as events, commands, rpcs, publishers and consumers. A document of
//! Warren says in `x-warren` which of these each is; in another's, what is sent is a publisher, and what is received a
//! consumer with a handler that is still to be written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::asyncapi::Place;
use super::bindings::{Bindings, Bound};
use super::draft::{Draft, join};
use super::messages::Messages;
use super::repair::handler;
use super::source::{Found, Source, text};

/// What may be published has one name among these.
const PUBLISHED: [&str; 3] = ["events", "commands", "publishers"];

pub(super) struct Operations<'s, 'd> {
    pub(super) source: Source<'d>,
    pub(super) draft: &'s mut Draft,
    pub(super) places: &'s BTreeMap<String, Place>,
    pub(super) bindings: Bindings,
    pub(super) messages: Messages,
    /// Bindings that follow from consumers and publishers, and need not be written out.
    pub(super) follow: Vec<Bound>,
}

/// One operation, read.
pub(super) struct Operation<'d> {
    pub(super) id: &'d str,
    pub(super) found: Found<'d>,
    pub(super) keys: Map<String, Value>,
    pub(super) ours: Map<String, Value>,
}

impl<'d> Operations<'_, 'd> {
    /// Reads messages that no operation refers to as well.
    pub(super) fn all_messages(&mut self) {
        if let Some(messages) = self.source.at("/components/messages") {
            for (_, message) in self.source.children(&messages) {
                self.messages.name(self.source, &message, self.draft);
            }
        }
    }

    pub(super) fn read(&mut self) {
        let Some(operations) = self.source.at("/operations") else { return };
        let mut seen = BTreeSet::new();
        let operations: Vec<Operation<'d>> = self
            .source
            .children(&operations)
            .into_iter()
            .filter(|(_, found)| seen.insert(found.pointer.clone()))
            .map(|(id, found)| {
                let keys = self.source.with_traits(&found);
                let ours = keys.get("x-warren").and_then(Value::as_object).cloned().unwrap_or_default();
                Operation { id, found, keys, ours }
            })
            .collect();
        // What is sent first: consumers refer to it. Of that, what publishers refer to first.
        let sent = |operation: &&Operation<'_>| text(&operation.keys, "action") == Some("send");
        let is_flow =
            |operation: &&Operation<'_>| matches!(text(&operation.ours, "kind"), Some("event" | "command"));
        operations.iter().filter(sent).filter(is_flow).for_each(|operation| self.send(operation));
        operations
            .iter()
            .filter(sent)
            .filter(|found| !is_flow(found))
            .for_each(|operation| self.send(operation));
        for operation in operations.iter().filter(|operation| !sent(operation)) {
            self.receive(operation);
        }
    }

    fn send(&mut self, operation: &Operation<'d>) {
        let Some(place) = self.place(operation) else { return };
        if operation.keys.contains_key("reply")
            && let Place::Queue(queue) = &place
        {
            self.rpc(operation, queue);
            return;
        }
        for (suffix, message) in self.sent_messages(operation) {
            let name = text(&operation.ours, "name").unwrap_or(operation.id);
            let name = self.draft.free_name(&PUBLISHED, &format!("{name}{suffix}"));
            self.publisher(operation, &place, &name, &message);
        }
    }

    fn publisher(&mut self, operation: &Operation<'d>, place: &Place, name: &str, message: &str) {
        let ours = &operation.ours;
        let amqp = operation.keys.get("bindings").and_then(|bindings| bindings.get("amqp"));
        let copied = amqp
            .and_then(|amqp| amqp.get("cc"))
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let key = match (copied.first().and_then(Value::as_str), place) {
            (Some(key), Place::Exchange(..)) => Some(key),
            (_, Place::Exchange(_, key)) => key.as_deref(),
            (_, Place::Queue(queue)) => Some(queue.as_str()),
        };
        let exchange = if let Place::Exchange(exchange, _) = place { exchange.as_str() } else { "" };
        let any = self.draft.has("exchanges", exchange)
            && self.draft.text("exchanges", exchange, "type").is_none_or(|kind| kind == "topic");
        let key = text(ours, "pattern").or(key).or(any.then_some("#"));
        let is_pattern = key.is_some_and(|key| key.split('.').any(|word| word == "*" || word == "#"));
        let foreign = ours.contains_key("domain");
        let section = match text(ours, "kind") {
            Some("event") if !foreign => "events",
            Some("command") if !foreign || is_pattern => "commands",
            // Only a command has a pattern that each message's own key matches.
            _ if is_pattern => "commands",
            _ => "publishers",
        };
        let mut entry = Map::new();
        let mut set = |key: &str, value: Value| entry.insert(key.to_owned(), value);
        let of = ["event", "command"].into_iter().find_map(|what| Some((what, text(ours, what)?)));
        let of = of.filter(|(what, of)| section == "publishers" && self.draft.has(&format!("{what}s"), of));
        let bridge = text(ours, "bridgeExchange");
        if let Some((what, of)) = of {
            set(what, json!(of));
            let theirs = self.draft.text(&format!("{what}s"), of, "routingKey");
            if let Some(key) = key.filter(|key| Some(*key) != theirs) {
                set("routingKey", json!(key));
            }
            if let Some(bridge) = bridge {
                set("bridgeExchange", json!(bridge));
                self.follow_bridge(bridge, what, of, key);
            }
        } else {
            set("exchange", json!(exchange));
            set("message", json!(message));
            if let Some(key) = key {
                set("routingKey", json!(key));
            }
        }
        if ours.get("externalConsumers") == Some(&json!(true)) {
            set("externalConsumers", json!(true));
        }
        if let Some(summary) = text(&operation.keys, "summary") {
            set("summary", json!(summary));
        }
        self.draft.put(section, name, entry);
        let at = join(&join("", section), name);
        if copied.len() > 1 {
            self.draft.note(
                &at,
                "is sent with several routing keys; a publisher has one, so the others are left out",
            );
        }
        if let Some(domain) = text(ours, "domain") {
            self.draft.note(&at, format!("of the domain `{domain}`, whose contract is not part of this one"));
        }
    }

    /// The binding that a publisher's bridge brings.
    fn follow_bridge(&mut self, bridge: &str, what: &str, of: &str, key: Option<&str>) {
        let flow = format!("{what}s");
        let exchange = self.draft.text(&flow, of, "exchange").unwrap_or_default().to_owned();
        let theirs = self.draft.text(&flow, of, "routingKey");
        let key = if self.is_keyed(&exchange) { key.or(theirs).unwrap_or_default() } else { "" };
        let routing_key = self.bridged_key(bridge, key);
        let source = bridge.to_owned();
        self.follow.push(Bound {
            source,
            destination: exchange,
            to_exchange: true,
            routing_key,
            arguments: Map::new(),
        });
    }

    fn receive(&mut self, operation: &Operation<'d>) {
        let Some(place) = self.place(operation) else { return };
        let ours = &operation.ours;
        let name = text(ours, "name").unwrap_or(operation.id).to_owned();
        let name = self.draft.free_name(&["consumers"], &name);
        let queue = match place {
            Place::Queue(queue) => queue,
            Place::Exchange(exchange, key) => self.queue_for(&name, exchange, key),
        };
        let mut entry = Map::new();
        if operation.keys.contains_key("reply") {
            let rpc = self.rpc(operation, &queue);
            entry.insert("rpc".to_owned(), json!(rpc));
        } else {
            let Some(message) = self.received_message(operation) else { return };
            self.takes(operation, &queue, &message, &mut entry);
            entry.insert("queue".to_owned(), json!(queue));
        }
        if let Some(summary) = text(&operation.keys, "summary") {
            entry.insert("summary".to_owned(), json!(summary));
        }
        for key in ["publishes", "capabilities", "onFailure", "delivery", "prefetch", "handler"] {
            entry.extend(ours.get(key).map(|value| (key.to_owned(), value.clone())));
        }
        let at = join("/consumers", &name);
        if !entry.contains_key("handler") {
            entry.insert("handler".to_owned(), handler(&name));
            self.draft.note(
                &join(&at, "handler"),
                "still to be written: the document does not say what handles its messages",
            );
        }
        self.draft.put("consumers", &name, entry);
    }

    /// What a consumer takes: the event or command that `x-warren` names, if it is here; else whatever is bound.
    fn takes(
        &mut self,
        operation: &Operation<'d>,
        queue: &str,
        message: &str,
        entry: &mut Map<String, Value>,
    ) {
        let ours = &operation.ours;
        let named = ["event", "command"].into_iter().find_map(|what| Some((what, text(ours, what)?)));
        let Some((what, flow)) = named.filter(|(what, flow)| self.draft.has(&format!("{what}s"), flow))
        else {
            entry.insert("message".to_owned(), json!(message));
            return;
        };
        entry.insert(what.to_owned(), json!(flow));
        if let Some(own_view) = text(ours, "message") {
            entry.insert("message".to_owned(), json!(self.messages.now(own_view)));
        }
        for key in ["routingKey", "headers", "bridgeExchange"] {
            entry.extend(ours.get(key).map(|value| (key.to_owned(), value.clone())));
        }
        let section = format!("{what}s");
        let exchange = self.draft.text(&section, flow, "exchange").unwrap_or_default().to_owned();
        let key =
            text(ours, "routingKey").or(self.draft.text(&section, flow, "routingKey")).unwrap_or_default();
        let key = if self.is_keyed(&exchange) { key.to_owned() } else { String::new() };
        let mut arguments = ours.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
        if !arguments.is_empty() {
            arguments.insert("x-match".to_owned(), json!("all"));
        }
        let bound = |source: &str, destination: &str, to_exchange, routing_key: String, arguments| Bound {
            source: source.to_owned(),
            destination: destination.to_owned(),
            to_exchange,
            routing_key,
            arguments,
        };
        match text(ours, "bridgeExchange") {
            None => self.follow.push(bound(&exchange, queue, false, key, arguments)),
            Some(bridge) => {
                let bridged = self.bridged_key(bridge, &key);
                self.follow.push(bound(&exchange, bridge, true, key, arguments));
                self.follow.push(bound(bridge, queue, false, bridged, Map::new()));
            }
        }
    }

    fn is_keyed(&self, exchange: &str) -> bool {
        matches!(self.draft.text("exchanges", exchange, "type").unwrap_or("topic"), "topic" | "direct")
    }

    fn bridged_key(&self, bridge: &str, key: &str) -> String {
        match (self.is_keyed(bridge), key) {
            (true, "") => "#".to_owned(),
            (true, key) => key.to_owned(),
            (false, _) => String::new(),
        }
    }

    /// A queue of its own for what is received from an exchange: somebody has to have one.
    fn queue_for(&mut self, name: &str, exchange: String, key: Option<String>) -> String {
        let queue = self.draft.free_name(&["queues"], name);
        self.draft.put("queues", &queue, Map::new());
        let at = join("/queues", &queue);
        self.draft.note(
            &at,
            format!(
                "filled in: the document says that `{name}` receives from an exchange, and not by which queue"
            ),
        );
        let keyed = self.is_keyed(&exchange);
        let routing_key = key.or(keyed.then(|| "#".to_owned())).unwrap_or_default();
        let destination = queue.clone();
        let bound =
            Bound { source: exchange, destination, to_exchange: false, routing_key, arguments: Map::new() };
        if !bound.source.is_empty() {
            self.bindings.add(bound, None);
        }
        queue
    }

    /// Where the channel of an operation is.
    fn place(&mut self, operation: &Operation<'d>) -> Option<Place> {
        let channel = self.source.child(&operation.found, "channel");
        let place = channel.and_then(|channel| self.places.get(&channel.pointer)).cloned();
        if place.is_none() {
            self.draft
                .left_out(format!("the operation `{}` is left out, because its channel is", operation.id));
        }
        place
    }

    /// The names of the messages of an operation or a reply; those of its channel, if it names none.
    pub(super) fn messages_of(&mut self, found: &Found<'d>) -> Vec<String> {
        let listed = self
            .source
            .child(found, "messages")
            .map(|messages| self.source.items(&messages))
            .unwrap_or_default();
        let found = if listed.is_empty() {
            let channel = self.source.child(found, "channel");
            let messages = channel.and_then(|channel| self.source.child(&channel, "messages"));
            let messages = messages.map(|messages| self.source.children(&messages)).unwrap_or_default();
            messages.into_iter().map(|(_, message)| message).collect()
        } else {
            listed
        };
        let mut names: Vec<String> = Vec::new();
        for message in found {
            let name = self.messages.name(self.source, &message, self.draft);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The messages that are sent, each with what tells its publisher from the others.
    fn sent_messages(&mut self, operation: &Operation<'d>) -> Vec<(String, String)> {
        let names = self.messages_of(&operation.found);
        match names.as_slice() {
            [] => {
                self.draft
                    .left_out(format!("the operation `{}` is left out: it has no message", operation.id));
                Vec::new()
            }
            [one] => vec![(String::new(), one.clone())],
            several => several.iter().map(|name| (format!("-{name}"), name.clone())).collect(),
        }
    }

    /// The one message that is received.
    pub(super) fn received_message(&mut self, operation: &Operation<'d>) -> Option<String> {
        let names = self.messages_of(&operation.found);
        match names.as_slice() {
            [] => {
                self.draft
                    .left_out(format!("the operation `{}` is left out: it has no message", operation.id));
                None
            }
            [one] => Some(one.clone()),
            several => Some(self.messages.union(several, operation.id, self.draft)),
        }
    }
}
