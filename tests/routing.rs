//! What the contract says of the ways of messages against the broker's own routing: random topologies, random messages,
//! and which queues each of them came to. `WARREN_SEED` repeats a run; a failure names its seed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, ExchangeKind};
use serde_json::{Map, Value, json};
use warren::contract::routes::{Key, Routes, Way};
use warren::contract::{Contract, Destination, ExchangeType, Surroundings, topic_matches};
use warren::topology::{self, Topology};

use crate::support::broker::Vhost;
use crate::support::letter::text;

/// Random topologies, and messages for each.
const TOPOLOGIES: usize = 24;
const MESSAGES: usize = 80;
/// Sets of patterns on one topic exchange, and keys for each.
const PATTERN_SETS: usize = 4;
const PATTERNS: usize = 24;
const KEYS: usize = 250;

/// A message of which only the way matters.
#[derive(Debug)]
struct Probe {
    exchange: String,
    key: String,
    headers: Map<String, Value>,
}

/// Queues by probe, in the order of the probes.
type Reached = Vec<BTreeSet<String>>;

#[test]
fn messages_go_where_the_contract_says() {
    let vhost = Vhost::fresh("ways");
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut decided = 0;
    for round in 0..TOPOLOGIES {
        let (text, probes) = scene(&mut random, round);
        let surroundings = Surroundings { read_file: &|_| unreachable!(), variable: &|_| None };
        let contract = Contract::parse("random.json", &text.to_string(), surroundings);
        let contract = contract.unwrap_or_else(|problems| panic!("seed {seed}: {problems}\n{text:#}"));
        let reached = send(&vhost, &topology::derive(&contract), &probes);
        let routes = Routes::new(&contract);
        for (probe, reached) in probes.iter().zip(&reached) {
            let Probe { exchange, key, headers } = probe;
            let told = |way: &Way<'_>| way.queues.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
            let about = || format!("seed {seed}, {probe:?} in {text:#}");
            let way = routes.way_with(exchange, Key::Exact(key), Some(headers));
            if way.hops.iter().all(|hop| hop.sure) {
                assert_eq!(told(&way), *reached, "{}", about());
                decided += 1;
            }
            assert!(told(&way).is_superset(reached), "{way:?}, {}", about());
            assert!(surely(&way, exchange).is_subset(reached), "{way:?}, {}", about());
            // With less known there are more ways, the real one among them; and what is sure is part of the real one.
            let some_key = key.split('.').map(|word| if random.bool() { "*" } else { word });
            let pattern =
                if key.is_empty() { "#".to_owned() } else { some_key.collect::<Vec<_>>().join(".") };
            for key in [Key::Exact(key), Key::Pattern(&pattern), Key::Any] {
                let way = routes.way(exchange, key);
                assert!(told(&way).is_superset(reached), "{key:?}: {way:?}, {}", about());
                assert!(surely(&way, exchange).is_subset(reached), "{key:?}: {way:?}, {}", about());
            }
        }
    }
    // What is left depends on the broker's version.
    assert!(decided * 2 > TOPOLOGIES * MESSAGES, "seed {seed}: {decided} ways were known");
}

#[test]
fn topic_patterns_match_as_the_broker_matches() {
    let vhost = Vhost::fresh("patterns");
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..PATTERN_SETS {
        // Empty words too, which the contract refuses, and a publisher elsewhere may send.
        let exchange = format!("topic-{round}");
        let patterns: Vec<String> =
            (0..PATTERNS).map(|_| pattern(&mut random, 0..5, &["a", "b", "", "*", "*", "#"])).collect();
        let queues: Vec<String> = (0..PATTERNS).map(|index| format!("queue-{round}-{index}")).collect();
        let probes: Vec<Probe> = (0..KEYS)
            .map(|_| words(&mut random, 0..6, &["a", "b", "b", "", "c", "*"]))
            .map(|key| Probe { exchange: exchange.clone(), key, headers: Map::new() })
            .collect();
        let reached = send_patterns(&vhost, &exchange, &queues, &patterns, &probes);
        for (probe, reached) in probes.iter().zip(&reached) {
            for (queue, pattern) in queues.iter().zip(&patterns) {
                let (matches, key) = (topic_matches(pattern, &probe.key), &probe.key);
                assert_eq!(matches, reached.contains(queue), "seed {seed}: pattern `{pattern}`, key `{key}`");
            }
        }
    }
}

fn seed() -> u64 {
    std::env::var("WARREN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..))
}

/// The queues that are reached by steps which every such message takes.
fn surely(way: &Way<'_>, start: &str) -> BTreeSet<String> {
    let mut queues = BTreeSet::new();
    let mut sure = BTreeSet::from([start.to_owned()]);
    loop {
        let before = sure.len() + queues.len();
        for hop in way.hops.iter().filter(|hop| hop.sure) {
            if sure.contains(hop.exchange) {
                match hop.destination() {
                    Destination::Queue(queue) => queues.insert(queue),
                    Destination::Exchange(exchange) => sure.insert(exchange),
                };
            }
        }
        if sure.len() + queues.len() == before {
            return queues;
        }
    }
}

fn words(random: &mut fastrand::Rng, count: std::ops::Range<usize>, from: &[&str]) -> String {
    let count = random.usize(count);
    (0..count).map(|_| from[random.usize(..from.len())]).collect::<Vec<_>>().join(".")
}

/// RabbitMQ 4.3 takes at most two `#`.
fn pattern(random: &mut fastrand::Rng, count: std::ops::Range<usize>, from: &[&str]) -> String {
    loop {
        let pattern = words(random, count.clone(), from);
        if pattern.matches('#').count() <= 2 {
            return pattern;
        }
    }
}

/// A contract with exchanges of all types, bound to queues and to each other, and messages to send through it.
fn scene(random: &mut fastrand::Rng, round: usize) -> (Value, Vec<Probe>) {
    let kinds = ["topic", "topic", "direct", "fanout", "headers"];
    let kinds: Vec<&str> = (0..random.usize(2..8)).map(|_| kinds[random.usize(..kinds.len())]).collect();
    let name = |index: usize| format!("x{round}-{index}");
    let queues: Vec<String> = (0..random.usize(1..8)).map(|index| format!("q{round}-{index}")).collect();
    let other =
        |random: &mut fastrand::Rng, index: usize| (index + random.usize(1..kinds.len())) % kinds.len();
    let exchanges: Map<String, Value> = kinds
        .iter()
        .enumerate()
        .map(|(index, kind)| {
            let alternate = random.bool().then(|| name(other(random, index)));
            let exchange = json!({ "type": kind, "durable": false });
            (name(index), with(exchange, "alternateExchange", alternate.map(Value::from)))
        })
        .collect();
    let mut bindings = BTreeMap::new();
    for _ in 0..random.usize(1..5 * kinds.len()) {
        let from = random.usize(..kinds.len());
        let mut binding = match kinds[from] {
            "topic" => json!({ "routingKey": pattern(random, 1..4, &["a", "b", "c", "*", "#"]) }),
            "direct" => json!({ "routingKey": words(random, 1..3, &["a", "b"]) }),
            "headers" => {
                let headers = headers(random, true);
                // `all` is what is meant if nothing is said; said or not, it would be the same binding.
                let words = ["any", "all-with-x", "any-with-x"];
                let word = (!headers.is_empty() && random.u8(..4) > 0)
                    .then(|| Value::from(words[random.usize(..words.len())]));
                with(json!({ "headers": headers }), "match", word)
            }
            _ => json!({}),
        };
        binding["exchange"] = name(from).into();
        if random.u8(..3) == 0 {
            binding["toExchange"] = name(other(random, from)).into();
        } else {
            binding["queue"] = queues[random.usize(..queues.len())].as_str().into();
        }
        // The same binding twice is refused.
        bindings.insert(binding.to_string(), binding);
    }
    let numbered = |(index, (_, binding)): (usize, (String, Value))| (format!("b{index}"), binding);
    let bindings: Map<String, Value> = bindings.into_iter().enumerate().map(numbered).collect();
    let queue = json!({ "type": "classic", "durable": false, "exclusive": true });
    let probe = |random: &mut fastrand::Rng| Probe {
        exchange: name(random.usize(..kinds.len())),
        key: words(random, 0..5, &["a", "b", "c"]),
        headers: headers(random, false),
    };
    let probes = (0..MESSAGES).map(|_| probe(random)).collect();
    let queues: Map<String, Value> = queues.into_iter().map(|name| (name, queue.clone())).collect();
    let contract =
        json!({ "contract": "random", "exchanges": exchanges, "queues": queues, "bindings": bindings });
    (contract, probes)
}

fn with(mut object: Value, key: &str, value: Option<Value>) -> Value {
    if let Some(value) = value {
        object[key] = value;
    }
    object
}

/// Values that are equal in some sense, and that a broker has to tell apart or not.
fn headers(random: &mut fastrand::Rng, of_binding: bool) -> Map<String, Value> {
    let values =
        [json!(1), json!(2), json!(1.0), json!(2.5), json!("1"), json!(true), json!("true"), json!(null)];
    let values = if of_binding { &values[..] } else { &values[..values.len() - 1] };
    let names = ["a", "b", "c", "x-d"];
    let header = |random: &mut fastrand::Rng, name: &str| {
        random.bool().then(|| (name.to_owned(), values[random.usize(..values.len())].clone()))
    };
    names.iter().filter_map(|name| header(random, name)).collect()
}

/// Declares a topology, sends the probes and sees where they come.
fn send(vhost: &Vhost, topology: &Topology, probes: &[Probe]) -> Reached {
    let queues: Vec<&str> = topology.queues.iter().map(|queue| queue.name.as_str()).collect();
    let declare = async |channel: &Channel| {
        for exchange in &topology.exchanges {
            let kind = match exchange.kind {
                ExchangeType::Topic => ExchangeKind::Topic,
                ExchangeType::Direct => ExchangeKind::Direct,
                ExchangeType::Fanout => ExchangeKind::Fanout,
                ExchangeType::Headers => ExchangeKind::Headers,
            };
            declare_exchange(channel, &exchange.name, kind, &exchange.arguments).await?;
        }
        for queue in &queues {
            declare_queue(channel, queue).await?;
        }
        for binding in &topology.bindings {
            let (from, key) = (binding.exchange.as_str().into(), binding.routing_key.as_str().into());
            let arguments = table(&binding.arguments);
            match &binding.destination {
                Destination::Queue(queue) => {
                    let options = QueueBindOptions { nowait: true };
                    channel.queue_bind(queue.as_str().into(), from, key, options, arguments).await?;
                }
                Destination::Exchange(to) => {
                    let options = ExchangeBindOptions { nowait: true };
                    channel.exchange_bind(to.as_str().into(), from, key, options, arguments).await?;
                }
            }
        }
        publish_and_collect(channel, &queues, probes).await
    };
    vhost.client.with_channel(declare).expect("the broker takes it")
}

fn send_patterns(
    vhost: &Vhost,
    exchange: &str,
    queues: &[String],
    patterns: &[String],
    probes: &[Probe],
) -> Reached {
    let names: Vec<&str> = queues.iter().map(String::as_str).collect();
    let declare = async |channel: &Channel| {
        declare_exchange(channel, exchange, ExchangeKind::Topic, &Map::new()).await?;
        for (queue, pattern) in names.iter().zip(patterns) {
            declare_queue(channel, queue).await?;
            let (options, none) = (QueueBindOptions { nowait: true }, FieldTable::default());
            channel
                .queue_bind((*queue).into(), exchange.into(), pattern.as_str().into(), options, none)
                .await?;
        }
        publish_and_collect(channel, &names, probes).await
    };
    vhost.client.with_channel(declare).expect("the broker takes it")
}

async fn declare_exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    arguments: &Map<String, Value>,
) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { nowait: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(name.into(), kind, options, table(arguments)).await
}

async fn declare_queue(channel: &Channel, name: &str) -> lapin::Result<()> {
    let options = QueueDeclareOptions { exclusive: true, nowait: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), options, FieldTable::default()).await.map(|_| ())
}

/// Publishes the probes, then one message to each queue alone: when that comes out, so has everything before it.
#[expect(clippy::disallowed_methods, reason = "the tests' own publisher, which is no part of the host")]
async fn publish_and_collect(channel: &Channel, queues: &[&str], probes: &[Probe]) -> lapin::Result<Reached> {
    const LAST: u32 = u32::MAX;
    let options = BasicPublishOptions::default();
    for (number, Probe { exchange, key, headers }) in (0_u32..).zip(probes) {
        let properties = BasicProperties::default().with_headers(table(headers));
        let body = number.to_be_bytes();
        channel
            .basic_publish(exchange.as_str().into(), key.as_str().into(), options, &body, properties)
            .await?;
    }
    let mut reached = vec![BTreeSet::new(); probes.len()];
    for queue in queues {
        let last = BasicProperties::default();
        channel.basic_publish("".into(), (*queue).into(), options, &LAST.to_be_bytes(), last).await?;
    }
    for queue in queues {
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer =
            channel.basic_consume((*queue).into(), (*queue).into(), options, FieldTable::default());
        let mut consumer = consumer.await?;
        loop {
            let delivery = consumer.next().await.expect("the channel stays open")?;
            let number = u32::from_be_bytes(<[u8; 4]>::try_from(&delivery.data[..]).expect("a number"));
            if number == LAST {
                break;
            }
            let first = reached[number as usize].insert((*queue).to_owned());
            assert!(first, "{:?} came to `{queue}` twice", probes[number as usize]);
        }
    }
    Ok(reached)
}

fn table(map: &Map<String, Value>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in map {
        let value = match value {
            Value::Null => AMQPValue::Void,
            Value::Bool(value) => AMQPValue::Boolean(*value),
            Value::String(value) => text(value),
            number => match number.as_i64() {
                Some(integer) => AMQPValue::LongLongInt(integer),
                None => AMQPValue::Double(number.as_f64().expect("a number")),
            },
        };
        table.insert(name.as_str().into(), value);
    }
    table
}
