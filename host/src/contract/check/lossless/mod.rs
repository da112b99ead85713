//! Refuses contracts that would lose messages by their shape: nowhere to go, nowhere to fail to, or no sense to whom
//! they reach. Works on contracts in which every name is known.

mod dead_letters;
mod limits;
mod schemas;

pub(super) use dead_letters::drops_when_full;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::problem::{Problem, enough, list};
use super::super::raw;
use super::super::routes::{By, Key, Routes, Way};
use super::super::source::join;
use super::super::{
    Consumer, Contract, Destination, Exchange, ExchangeType, Owner, Publisher, PublisherKind, Takes,
};

/// How many steps the ways of all messages may have together.
const HOPS_MAX: usize = 1_000_000;
/// How many comparisons of two patterns count as one step.
const COMPARISONS_PER_HOP: usize = 10;

/// Checks what can be told of each part alone, also where other parts are missing.
pub(super) fn alone(
    contract: &Contract,
    raw: &raw::Contract,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    dead_letters::missing(contract, raw, problems);
    shared_queues(contract, problems);
    limits::check(contract, problems, warnings);
}

/// Checks the way of every message.
pub(super) fn check(
    contract: &Contract,
    raw: &raw::Contract,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let routes = Routes::new(contract);
    let mut ways: BTreeMap<&str, Way<'_>> = BTreeMap::new();
    let mut hops = 0;
    for publisher in contract.publishers.values() {
        let way = routes.way(&publisher.exchange, key(publisher));
        hops += way.hops.len();
        if publisher.pattern.is_some() {
            hops += routes.bindings_of(&publisher.exchange).len() / COMPARISONS_PER_HOP;
        }
        ways.insert(&publisher.name, way);
        if hops > HOPS_MAX {
            problems.push(too_many_ways());
            return;
        }
    }
    unroutable_publishers(contract, &routes, &ways, problems);
    let dead_lettered = dead_letters::check(contract, raw, &routes, &ways, problems, warnings);
    unreachable_consumers(contract, &routes, &ways, &dead_lettered, problems, warnings);
    schemas::check(contract, raw, &ways, problems, warnings);
}

fn too_many_ways() -> Problem {
    Problem::at("/exchanges", format!("messages have more than {HOPS_MAX} ways through this contract"))
        .on_key()
        .because("each of them is followed through each binding that takes it, and so is each dead letter")
        .hint("split the contract into domains")
}

/// What a publisher publishes with.
fn key(publisher: &Publisher) -> Key<'_> {
    match (&publisher.routing_key, &publisher.pattern) {
        (Some(key), _) => Key::Exact(key),
        (None, Some(pattern)) => Key::Pattern(pattern),
        (None, None) => Key::Any,
    }
}

/// Where a publisher is in the contract.
fn place(publisher: &Publisher) -> String {
    let section = match publisher.kind {
        PublisherKind::Event => "/events",
        PublisherKind::Command => "/commands",
        PublisherKind::OfEvent(_) | PublisherKind::OfCommand(_) | PublisherKind::Own => "/publishers",
    };
    join(section, &publisher.name)
}

/// A message that no queue takes is gone, or with `mandatory` comes back and can never be sent.
fn unroutable_publishers(
    contract: &Contract,
    routes: &Routes<'_>,
    ways: &BTreeMap<&str, Way<'_>>,
    problems: &mut Vec<Problem>,
) {
    for (name, publisher) in &contract.publishers {
        if publisher.owner != Owner::Us {
            continue;
        }
        if enough(problems) {
            return;
        }
        let at = place(publisher);
        if let Some(exchange) = contract.exchanges.get(&publisher.exchange)
            && exchange.internal
        {
            problems.push(
                Problem::at(at, format!("`{name}` publishes to the internal exchange `{}`", exchange.name))
                    .on_key()
                    .because("the broker closes the channel of whoever publishes to an internal exchange")
                    .hint("leave `internal` out, or publish to an exchange that is bound to it")
                    .also(
                        join(&join("/exchanges", &exchange.name), "internal"),
                        "only exchanges may publish to it",
                    ),
            );
            continue;
        }
        let way = &ways[name.as_str()];
        if !way.queues.is_empty() || is_external(contract, publisher) {
            continue;
        }
        problems.push(
            Problem::at(at, format!("what `{name}` publishes reaches no queue"))
                .on_key()
                .because(dead_end(routes, &publisher.exchange, key(publisher), way))
                .hint("bind a queue, or let a consumer name it; if somebody else consumes it, say `externalConsumers: true`"),
        );
    }
}

/// Whether somebody outside the contract takes what is published: it says so, or its event or command does.
fn is_external(contract: &Contract, publisher: &Publisher) -> bool {
    let of = match &publisher.kind {
        PublisherKind::OfEvent(name) | PublisherKind::OfCommand(name) => contract.publishers.get(name),
        PublisherKind::Event | PublisherKind::Command | PublisherKind::Own => None,
    };
    publisher.external_consumers || of.is_some_and(|of| of.external_consumers)
}

/// Where the way of a message that reaches no queue ends.
fn dead_end(routes: &Routes<'_>, exchange: &str, key: Key<'_>, way: &Way<'_>) -> String {
    let with_key = match key {
        Key::Exact(key) | Key::Pattern(key) if !key.is_empty() => format!(" with the key `{key}`"),
        Key::Exact(_) | Key::Pattern(_) | Key::Any => String::new(),
    };
    let last = way.hops.last().map_or(exchange, |hop| match hop.by {
        By::Binding(binding) => binding.destination.name(),
        By::Alternate(name) | By::Name(name) => name,
    });
    let bound = routes.bindings_of(last);
    let there = if last == exchange { String::new() } else { format!("it goes as far as `{last}`; ") };
    if bound.is_empty() {
        return format!("{there}nothing is bound to the exchange `{last}`");
    }
    let keys: BTreeSet<&str> = bound.iter().map(|binding| binding.routing_key.as_str()).collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    format!("{there}nothing is bound to the exchange `{last}`{with_key}, only with {}", list(&keys))
}

/// A consumer whose queue nothing leads to waits for ever.
fn unreachable_consumers<'c>(
    contract: &'c Contract,
    routes: &Routes<'c>,
    ways: &BTreeMap<&str, Way<'c>>,
    dead_lettered: &BTreeSet<&'c str>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let fed = exchanges_with_input(contract, routes);
    let published: BTreeSet<&str> =
        contract.publishers.values().map(|publisher| publisher.exchange.as_str()).collect();
    let mut reached: BTreeSet<&str> = dead_lettered.clone();
    ways.values().for_each(|way| reached.extend(&way.queues));
    let mut bound: HashMap<&str, Vec<&str>> = HashMap::new();
    for binding in &contract.bindings {
        if let Destination::Queue(queue) = &binding.destination {
            bound.entry(queue).or_default().push(&binding.exchange);
        }
    }
    let by_name: BTreeSet<&str> = contract
        .publishers
        .values()
        .filter(|publisher| publisher.exchange.is_empty())
        .flat_map(|publisher| publisher.routing_key.as_deref())
        .chain(contract.queues.values().filter_map(|queue| {
            queue.dead_letter.as_ref().filter(|dead| dead.exchange.is_empty())?.routing_key.as_deref()
        }))
        .collect();
    for consumer in contract.consumers.values() {
        let queue = consumer.queue.as_str();
        let somebodys = contract.queues[queue].owner != Owner::Us;
        if somebodys || by_name.contains(queue) || matches!(consumer.takes, Takes::Rpc(_)) {
            continue;
        }
        if enough(problems) {
            return;
        }
        let exchanges = bound.get(queue).map_or(&[][..], Vec::as_slice);
        let because = match exchanges.iter().find(|exchange| !fed.contains(*exchange)) {
            _ if exchanges.iter().any(|exchange| fed.contains(exchange)) => {
                if !reached.contains(queue) {
                    warnings.extend(no_publisher(contract, &published, consumer, exchanges));
                }
                continue;
            }
            // Who publishes to an internal exchange has been told.
            Some(dry) if published.contains(dry) => continue,
            Some(dry) => {
                format!("its queue `{queue}` is bound to `{dry}`, which is internal and gets nothing itself")
            }
            None => format!("nothing is bound to its queue `{queue}`"),
        };
        problems.push(
            Problem::at(
                join("/consumers", &consumer.name),
                format!("no message can reach `{}`", consumer.name),
            )
            .on_key()
            .because(because)
            .hint("let it name an `event` or a `command`, or add the queue to `bindings`"),
        );
    }
}

/// Exchanges that can get messages: those that may be published to, and what they lead to.
fn exchanges_with_input<'c>(contract: &'c Contract, routes: &Routes<'c>) -> BTreeSet<&'c str> {
    let open = |exchange: &&Exchange| !exchange.internal || exchange.owner != Owner::Us;
    let mut left: Vec<&str> =
        contract.exchanges.values().filter(open).map(|exchange| exchange.name.as_str()).collect();
    let mut fed: BTreeSet<&str> = left.iter().copied().collect();
    while let Some(exchange) = left.pop() {
        let bound = routes.bindings_of(exchange).iter().filter_map(|binding| match &binding.destination {
            Destination::Exchange(next) => Some(next.as_str()),
            Destination::Queue(_) => None,
        });
        let alternate = contract.exchanges.get(exchange).and_then(|exchange| exchange.alternate.as_deref());
        left.extend(bound.chain(alternate).filter(|next| fed.insert(next)));
    }
    fed
}

/// A consumer of a message whose queue is bound where this contract publishes, but not with a key that is published.
fn no_publisher(
    contract: &Contract,
    published: &BTreeSet<&str>,
    consumer: &Consumer,
    exchanges: &[&str],
) -> Option<Problem> {
    let exchange = exchanges.iter().find(|exchange| {
        published.contains(**exchange) && contract.exchanges[**exchange].kind != ExchangeType::Fanout
    })?;
    let problem = Problem::warning(
        "no-publisher",
        join("/consumers", &consumer.name),
        format!("nothing that this contract publishes reaches `{}`", consumer.name),
    );
    Some(
        problem
            .on_key()
            .because(format!(
                "`{exchange}` has publishers here, with other keys than `{}` is bound with",
                consumer.queue
            ))
            .hint("mend the binding's key; if messages come from elsewhere, say so with `allow`"),
    )
}

/// Consumers of one queue would each get some of its messages, and those of one command each some of the commands.
fn shared_queues(contract: &Contract, problems: &mut Vec<Problem>) {
    let mut owners: BTreeMap<&str, &Consumer> = BTreeMap::new();
    let mut takers: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for consumer in contract.consumers.values() {
        if enough(problems) {
            return;
        }
        let at = join("/consumers", &consumer.name);
        let taken = match &consumer.takes {
            Takes::Command(name) => Some(("command", name)),
            Takes::Rpc(name) => Some(("rpc", name)),
            Takes::Event(_) | Takes::Message => None,
        };
        if let Some((key, name)) = taken
            && let Some(other) = takers.insert((key, name), &consumer.name)
        {
            let (says, because) = if key == "rpc" {
                ("answered", "a caller would get two answers, and take the first")
            } else {
                ("carried out", "it would be done twice: each of the two has a queue, and both get it")
            };
            problems.push(
                Problem::at(join(&at, key), format!("the {key} `{name}` is also {says} by `{other}`"))
                    .because(because)
                    .also(join(&join("/consumers", other), key), "it is here already")
                    .hint("what many listen to is an event; a command or an rpc has one consumer"),
            );
            continue;
        }
        if let Some(owner) = owners.insert(&consumer.queue, consumer) {
            let place = |consumer: &Consumer| {
                let key = if matches!(consumer.takes, Takes::Rpc(_)) { "rpc" } else { "queue" };
                join(&join("/consumers", &consumer.name), key)
            };
            problems.push(
                Problem::at(place(consumer), format!("`{}` is also consumed by `{}`", consumer.queue, owner.name))
                    .because("each message would go to one of the two, as chance has it")
                    .also(place(owner), "it is consumed here already")
                    .hint("give each consumer a queue of its own; more `concurrency`, or more hosts, share the work of one"),
            );
        }
    }
}
