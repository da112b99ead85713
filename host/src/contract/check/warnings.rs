//! What may be meant and often is not. Each warning has a name, by which `allow` silences it, with the reason.

use std::collections::{BTreeSet, HashMap};

use super::super::problem::Problem;
use super::super::raw::{self, OnPoison};
use super::super::render::dotted;
use super::super::source::join;
use super::super::{Contract, Owner, Queue, QueueType};
use super::lossless;

/// The names of all warnings.
pub(in super::super) const NAMES: [&str; 12] = [
    "classic-queue",
    "dead-letters-lost",
    "drops-when-full",
    "expires-unseen",
    "memory-in-sum",
    "no-publisher",
    "not-durable",
    "poison-dropped",
    "queue-deletes-itself",
    "schemas-undecided",
    "unused",
    "unused-allow",
];

pub(super) fn check(contract: &Contract, raw: &raw::Contract, warnings: &mut Vec<Problem>) {
    let consumed: BTreeSet<&str> =
        contract.consumers.values().map(|consumer| consumer.queue.as_str()).collect();
    for queue in contract.queues.values().filter(|queue| queue.owner == Owner::Us) {
        let at = join("/queues", &queue.name);
        let is_consumed = consumed.contains(queue.name.as_str());
        let written = &raw.queues[&queue.name];
        durability(&at, queue, written, warnings);
        loss(&at, queue, is_consumed, written, warnings);
    }
    for exchange in contract.exchanges.values().filter(|exchange| exchange.owner == Owner::Us) {
        let at = join("/exchanges", &exchange.name);
        if !exchange.durable || exchange.auto_delete {
            warnings.push(
                Problem::warning(
                    "not-durable",
                    &at,
                    format!(
                        "`{}` and its bindings do not outlive a restart of the broker, or their last binding",
                        exchange.name
                    ),
                )
                .on_key()
                .because("until the host declares it again, what is published to it goes nowhere")
                .hint("leave out `durable: false` and `autoDelete: true`"),
            );
        }
    }
    unused(contract, raw, warnings);
}

/// Where a key was written that may have been written as an argument.
fn written(at: &str, raw: &raw::Queue, key: &str, argument: &str) -> String {
    if raw.arguments.contains_key(argument) { join(&join(at, "arguments"), argument) } else { join(at, key) }
}

fn durability(at: &str, queue: &Queue, raw: &raw::Queue, warnings: &mut Vec<Problem>) {
    let name = &queue.name;
    let ends = if queue.exclusive {
        Some("with the connection that declares it")
    } else if !queue.durable {
        Some("with the broker")
    } else if queue.auto_delete {
        Some("with its last consumer")
    } else {
        None
    };
    if let Some(ends) = ends {
        warnings.push(
            Problem::warning("not-durable", at, format!("`{name}` and all that is in it ends {ends}"))
                .on_key()
                .because("a lost connection or a restart loses its messages")
                .hint("right for what nobody misses; else a quorum queue"),
        );
    }
    if queue.arguments.contains_key("x-expires") {
        warnings.push(
            Problem::warning(
                "queue-deletes-itself",
                written(at, raw, "expiresMs", "x-expires"),
                format!("the broker deletes `{name}` when it is unused"),
            )
            .because("with all that is in it, and without dead letters")
            .hint("leave it out"),
        );
    }
}

fn loss(at: &str, queue: &Queue, consumed: bool, raw: &raw::Queue, warnings: &mut Vec<Problem>) {
    let name = &queue.name;
    if consumed && queue.dead_letter.is_none() && raw.on_poison == OnPoison::Drop {
        warnings.push(
            Problem::warning(
                "poison-dropped",
                join(at, "onPoison"),
                format!("what cannot be handled in `{name}` is dropped"),
            )
            .hint("a `deadLetter` keeps it, with the reason"),
        );
    }
    if consumed && queue.kind == QueueType::Classic && queue.durable && !queue.exclusive && !queue.auto_delete
    {
        warnings.push(
            Problem::warning("classic-queue", at, format!("`{name}` is a classic queue: on one node, dead-lettered at most once"))
                .on_key()
                .because("it is lost with its node, and what the broker itself dead-letters is lost if that fails at that moment")
                .hint("leave `type: classic` out"),
        );
    }
    if queue.message_ttl.is_some() && queue.dead_letter.is_none() && consumed {
        warnings.push(
            Problem::warning(
                "expires-unseen",
                written(at, raw, "messageTtlMs", "x-message-ttl"),
                format!("what nobody fetched from `{name}` in time is dropped"),
            )
            .hint("with a `deadLetter`, it goes there"),
        );
    }
    if consumed && lossless::drops_when_full(queue) {
        warnings.push(
            Problem::warning(
                "drops-when-full",
                at,
                format!("when `{name}` is full, its oldest messages are dropped"),
            )
            .on_key()
            .hint("`overflow: reject-publish` tells the publisher instead"),
        );
    }
}

/// What is defined and never referred to. An exchange or a queue may be there for somebody else.
fn unused(contract: &Contract, raw: &raw::Contract, warnings: &mut Vec<Problem>) {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    used.extend(raw.events.values().map(|event| event.message.as_str()));
    used.extend(raw.commands.values().map(|command| command.message.as_str()));
    used.extend(raw.publishers.values().filter_map(|publisher| publisher.message.as_deref()));
    used.extend(raw.consumers.values().filter_map(|consumer| consumer.message.as_deref()));
    for rpc in raw.rpcs.values() {
        used.extend([rpc.request.as_str(), rpc.response.as_str()]);
        used.extend(rpc.errors.values().map(String::as_str));
    }
    let mut warn = |at: String, says: String| {
        warnings.push(
            Problem::warning("unused", at, says)
                .on_key()
                .hint("leave it out, or refer to it; was another name meant?"),
        );
    };
    for name in contract.messages.keys().filter(|name| !used.contains(name.as_str())) {
        warn(join("/messages", name), format!("nothing publishes or consumes the message `{name}`"));
    }
    let bound: BTreeSet<&str> = contract.bindings.iter().map(|binding| binding.exchange.as_str()).collect();
    let published: BTreeSet<&str> =
        contract.publishers.values().map(|publisher| publisher.exchange.as_str()).collect();
    let referred: BTreeSet<&str> = contract
        .exchanges
        .values()
        .filter_map(|exchange| exchange.alternate.as_deref())
        .chain(
            contract
                .queues
                .values()
                .filter_map(|queue| queue.dead_letter.as_ref())
                .map(|dead| dead.exchange.as_str()),
        )
        .chain(contract.bindings.iter().map(|binding| binding.destination.name()))
        .collect();
    for exchange in contract.exchanges.values() {
        let name = exchange.name.as_str();
        let ours = matches!(exchange.owner, Owner::Us | Owner::Somebody);
        if ours && !bound.contains(name) && !published.contains(name) && !referred.contains(name) {
            warn(join("/exchanges", name), format!("nothing uses the exchange `{name}`"));
        }
    }
}

/// The warnings that `allow` does not silence, and what is wrong with `allow` itself.
pub(super) fn not_allowed(raw: &raw::Contract, warnings: Vec<Problem>) -> Vec<Problem> {
    let mut hit = vec![false; raw.allow.len()];
    let mut entries: HashMap<(&str, Option<&str>), Vec<usize>> = HashMap::new();
    for (index, allow) in raw.allow.iter().enumerate() {
        entries.entry((&allow.warning, allow.at.as_deref())).or_default().push(index);
    }
    let mut left: Vec<Problem> = warnings
        .into_iter()
        .filter(|warning| {
            let place = dotted(&warning.pointer);
            // The place itself, and each that it is within.
            let dots = place.match_indices('.').map(|(dot, _)| Some(&place[..dot]));
            let around = dots.chain([Some(place.as_str()), None]);
            let allowing: Vec<usize> =
                around.filter_map(|at| entries.get(&(warning.name, at))).flatten().copied().collect();
            allowing.iter().for_each(|index| hit[*index] = true);
            allowing.is_empty()
        })
        .collect();
    for (index, allow) in raw.allow.iter().enumerate() {
        let at = format!("/allow/{index}");
        if !NAMES.contains(&allow.warning.as_str()) {
            let says = format!("no warning is called `{}`", allow.warning);
            left.push(Problem::at(join(&at, "warning"), says).suggest(&allow.warning, NAMES));
        } else if !hit[index] {
            let says = format!("there is no warning `{}` here any more", allow.warning);
            left.push(Problem::warning("unused-allow", at, says).hint("leave this entry out"));
        }
    }
    left
}
