//! The definitions of a RabbitMQ (`rabbitmqctl export_definitions`, or the management API's): exchanges, queues and
//! bindings of one virtual host. They know no messages, so there are no consumers to make of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::contract::Contract;
use crate::topology;

use super::Failed;
use super::bindings::{Bindings, Bound, ensure_exchange, refer};
use super::draft::{Draft, join};
use super::queue::Found;
use super::waits;

/// What policies set that matters to whether messages are lost.
const POLICIES: [&str; 12] = [
    "alternate-exchange",
    "dead-letter-exchange",
    "dead-letter-routing-key",
    "dead-letter-strategy",
    "delivery-limit",
    "expires",
    "max-length",
    "max-length-bytes",
    "message-ttl",
    "overflow",
    "delayed-retry-type",
    "consumer-timeout",
];

/// What the broker has, which a declaration has to be the same as.
#[derive(Debug, Default)]
pub(super) struct Expected {
    queues: BTreeMap<String, Map<String, Value>>,
    exchanges: BTreeMap<String, Map<String, Value>>,
}

/// Reads the definitions of one vhost.
pub(super) fn read(values: &Value, vhost: Option<&str>, draft: &mut Draft) -> Result<Expected, Failed> {
    let vhost = choose(values, vhost)?;
    let here = |item: &&Map<String, Value>| match (item.get("vhost").and_then(Value::as_str), &vhost) {
        (Some(own), Some(vhost)) => own == vhost,
        _ => true,
    };
    let list = |key: &str| {
        let items = values.get(key).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_object).filter(here).collect::<Vec<_>>()
    };
    if let Some(vhost) = &vhost {
        draft.set_root("description", json!(format!("The virtual host {vhost} of a RabbitMQ, as it was.")));
    }
    let mut expected = Expected::default();
    for exchange in list("exchanges") {
        read_exchange(exchange, draft, &mut expected);
    }
    let retried = read_queues(&list("queues"), draft, &mut expected);
    let mut bindings = Bindings::default();
    for binding in list("bindings") {
        read_binding(binding, draft, &mut bindings, &retried);
    }
    refer(&bindings, draft);
    bindings.write(draft, &[]);
    for policy in list("policies").into_iter().chain(list("operator_policies")) {
        read_policy(policy, draft);
    }
    if draft.section("queues").is_some() {
        draft.left_out("definitions hold no messages and no consumers: add `messages`, and `consumers` with their handlers");
    }
    Ok(expected)
}

/// The vhost to read; none where the definitions name no vhosts.
fn choose(values: &Value, wanted: Option<&str>) -> Result<Option<String>, Failed> {
    let mut vhosts: BTreeSet<&str> = BTreeSet::new();
    for key in ["queues", "exchanges", "bindings"] {
        let items = values.get(key).and_then(Value::as_array).into_iter().flatten();
        vhosts.extend(items.filter_map(|item| item.get("vhost").and_then(Value::as_str)));
    }
    let listed = || vhosts.iter().take(20).map(|vhost| format!("`{vhost}`")).collect::<Vec<_>>().join(", ");
    match (wanted, vhosts.len()) {
        (Some(wanted), count) if count > 0 && !vhosts.contains(wanted) => {
            Err(Failed::new(format!("no vhost `{wanted}` has anything in these definitions"))
                .hint(format!("there is: {}", listed())))
        }
        (Some(wanted), _) => Ok(Some(wanted.to_owned())),
        (None, 0) => Ok(None),
        (None, 1) => Ok(vhosts.first().map(|vhost| (*vhost).to_owned())),
        (None, _) => Err(Failed::new("these definitions hold several vhosts, and a contract is about one")
            .hint(format!("say which with `--vhost`: {}", listed()))),
    }
}

fn text<'v>(item: &'v Map<String, Value>, key: &str) -> &'v str {
    item.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn flag(item: &Map<String, Value>, key: &str, usual: bool) -> bool {
    item.get(key).and_then(Value::as_bool).unwrap_or(usual)
}

fn arguments(item: &Map<String, Value>) -> Map<String, Value> {
    item.get("arguments").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn read_exchange(exchange: &Map<String, Value>, draft: &mut Draft, expected: &mut Expected) {
    let (name, kind) = (text(exchange, "name"), text(exchange, "type"));
    if name.is_empty() || name.starts_with("amq.") {
        return; // every broker has them; those that are used come back below
    }
    if !["topic", "direct", "fanout", "headers"].contains(&kind) {
        draft.left_out(format!("the exchange `{name}` is left out, with its bindings: Warren has no exchanges of the type `{kind}`"));
        return;
    }
    let mut entry = Map::new();
    let mut set = |key: &str, value: Value| entry.insert(key.to_owned(), value);
    if kind != "topic" {
        set("type", json!(kind));
    }
    for (theirs, key, usual) in
        [("durable", "durable", true), ("auto_delete", "autoDelete", false), ("internal", "internal", false)]
    {
        if flag(exchange, theirs, usual) != usual {
            set(key, json!(!usual));
        }
    }
    let mut arguments = arguments(exchange);
    expected.exchanges.insert(name.to_owned(), arguments.clone());
    if let Some(Value::String(alternate)) = arguments.remove("alternate-exchange") {
        set("alternateExchange", json!(alternate));
    }
    if !arguments.is_empty() {
        set("arguments", Value::Object(arguments));
    }
    draft.put("exchanges", name, entry);
}

/// Reads the queues; gives the names of wait queues, which are left to Warren.
fn read_queues(
    queues: &[&Map<String, Value>],
    draft: &mut Draft,
    expected: &mut Expected,
) -> BTreeSet<String> {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for queue in queues {
        let name = text(queue, "name");
        if name.is_empty() || name.starts_with("amq.") {
            draft.left_out(format!("the queue `{name}` is left out: the broker named it for one connection"));
            continue;
        }
        let kind = Some(text(queue, "type")).filter(|kind| !kind.is_empty());
        found.insert(
            name.to_owned(),
            Found {
                kind: kind.map(str::to_owned),
                durable: flag(queue, "durable", true),
                exclusive: flag(queue, "exclusive", false),
                auto_delete: flag(queue, "auto_delete", false),
                arguments: arguments(queue),
                retry: None,
            },
        );
    }
    let all: BTreeSet<String> = found.keys().cloned().collect();
    let retries = waits::retries(&mut found);
    let waits: BTreeSet<String> = all.into_iter().filter(|name| !found.contains_key(name)).collect();
    for (name, mut queue) in found {
        let at = join("/queues", &name);
        let (retry, guessed) = retries.get(&name).cloned().unzip();
        queue.retry = retry;
        let mut arguments = queue.arguments.clone();
        if let Some(kind) = &queue.kind {
            arguments.entry("x-queue-type").or_insert_with(|| json!(kind));
        }
        match queue.keys() {
            Ok(keys) => {
                expected.queues.insert(name.clone(), arguments);
                draft.put("queues", &name, keys.entry);
                keys.notes.into_iter().for_each(|note| draft.note(&at, note));
            }
            Err(why) => draft.left_out(format!("the queue `{name}` is left out: {why}")),
        }
        match guessed {
            Some(true) => draft.note(&join(&at, "retry"), "guessed from wait queues whose delays do not grow evenly: mend it"),
            Some(false) => draft.note(&join(&at, "retry"), "read back from its wait queues, which are declared by themselves once a consumer takes from it; there may be more retries with the longest delay"),
            None => {}
        }
    }
    waits
}

fn read_binding(
    binding: &Map<String, Value>,
    draft: &mut Draft,
    bindings: &mut Bindings,
    waits: &BTreeSet<String>,
) {
    let (source, destination) = (text(binding, "source"), text(binding, "destination"));
    let to_exchange = text(binding, "destination_type") == "exchange";
    if source.is_empty() || (!to_exchange && waits.contains(destination)) {
        return; // the default exchange needs no bindings
    }
    if source.starts_with("amq.") {
        ensure_exchange(draft, source);
    }
    if to_exchange && destination.starts_with("amq.") {
        ensure_exchange(draft, destination);
    }
    let section = if to_exchange { "exchanges" } else { "queues" };
    if !draft.has("exchanges", source) || !draft.has(section, destination) {
        draft.left_out(format!(
            "the binding of `{destination}` to `{source}` is left out, because one of the two is"
        ));
        return;
    }
    bindings.add(
        Bound {
            source: source.to_owned(),
            destination: destination.to_owned(),
            to_exchange,
            routing_key: text(binding, "routing_key").to_owned(),
            arguments: arguments(binding),
        },
        None,
    );
}

fn read_policy(policy: &Map<String, Value>, draft: &mut Draft) {
    let definition = policy.get("definition").and_then(Value::as_object);
    let keys: Vec<&str> =
        POLICIES.into_iter().filter(|key| definition.is_some_and(|set| set.contains_key(*key))).collect();
    if keys.is_empty() {
        return;
    }
    let told: Vec<String> = keys
        .iter()
        .map(|key| format!("{key}: {}", definition.map_or(&Value::Null, |set| &set[*key])))
        .collect();
    draft.left_out(format!(
        "the policy `{}` is not part of the contract: on what matches `{}` ({}), the broker has {}",
        text(policy, "name"),
        text(policy, "pattern"),
        if text(policy, "apply-to").is_empty() { "all" } else { text(policy, "apply-to") },
        told.join(", "),
    ));
}

impl Expected {
    /// Says `owned: false` where the contract would declare something with other arguments than the broker has: it would be
    /// refused. Whether there was such a thing.
    pub(super) fn give_up_what_differs(&self, contract: &Contract, draft: &mut Draft) -> bool {
        let topology = topology::derive(contract);
        let mut changed = false;
        let queues =
            topology.queues.iter().map(|queue| ("queues", &queue.name, &queue.arguments, &self.queues));
        let exchanges = topology
            .exchanges
            .iter()
            .map(|found| ("exchanges", &found.name, &found.arguments, &self.exchanges));
        for (section, name, ours, expected) in queues.chain(exchanges) {
            let Some(theirs) = expected.get(name) else { continue };
            let differ = differences(theirs, ours);
            let at = join(&join("", section), name);
            if differ.is_empty() || !draft.set(&at, "owned", json!(false)) {
                continue;
            }
            changed = true;
            draft.note(
                &at,
                format!(
                    "used as it is (`owned: false`), because the broker would refuse it as Warren declares it: {}. On a broker that does not have it yet, leave `owned` out",
                    differ.join(", ")
                ),
            );
        }
        changed
    }
}

fn differences(theirs: &Map<String, Value>, ours: &Map<String, Value>) -> Vec<String> {
    // The broker takes a classic queue to be the same with and without its type.
    let plain = |name: &str, value: Option<&Value>| value.is_none() && name == "x-queue-type";
    let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    names
        .into_iter()
        .filter(|name| theirs.get(*name) != ours.get(*name))
        .filter(|name| !(plain(name, theirs.get(*name)) && ours[*name] == "classic"))
        .map(|name| match (theirs.get(name), ours.get(name)) {
            (Some(theirs), Some(ours)) => format!("`{name}` is {theirs} there, and would be {ours}"),
            (Some(theirs), None) => format!("`{name}` is {theirs} there, and would not be set"),
            (None, ours) => {
                format!("`{name}` is not set there, and would be {}", ours.unwrap_or(&Value::Null))
            }
        })
        .collect()
}
