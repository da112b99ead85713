//! Refuses contracts that would lose messages by their shape: nowhere to go, or nowhere to fail to.

use std::collections::BTreeMap;

use super::problem::Problem;
use super::raw::{self, OnPoison};
use super::routing::reaches;
use super::source::join;
use super::{Consumer, Contract, DeadLetter, Exchange};

/// Checks the way of every message through a contract in which every name is known.
pub(super) fn check(contract: &Contract, raw: &raw::Contract, problems: &mut Vec<Problem>) {
    unroutable_publishers(contract, raw, problems);
    dead_letters(contract, raw, problems);
    unreachable_consumers(contract, problems);
    shared_queues(contract, problems);
}

/// A message that no queue takes is gone, or with `mandatory` comes back and can never be sent.
fn unroutable_publishers(contract: &Contract, raw: &raw::Contract, problems: &mut Vec<Problem>) {
    for (name, publisher) in &contract.publishers {
        let section = if raw.events.contains_key(name) {
            "/events"
        } else if raw.commands.contains_key(name) {
            "/commands"
        } else {
            "/publishers"
        };
        let at = join(section, name);
        let exchange = &contract.exchanges[&publisher.exchange];
        if exchange.internal {
            problems.push(
                Problem::at(at, format!("`{name}` publishes to the internal exchange `{}`", exchange.name))
                    .on_key()
                    .because("the broker closes the channel of whoever publishes to an internal exchange"),
            );
            continue;
        }
        let Some(key) = &publisher.routing_key else { continue };
        if routed(contract, exchange, key) {
            continue;
        }
        let keyed = if key.is_empty() { String::new() } else { format!(" with the key `{key}`") };
        problems.push(
            Problem::at(at, format!("what `{name}` publishes reaches no queue"))
                .on_key()
                .because(format!("nothing is bound to the exchange `{}`{keyed}", exchange.name))
                .hint("bind a queue to it, or let a consumer name it"),
        );
    }
}

fn dead_letters(contract: &Contract, raw: &raw::Contract, problems: &mut Vec<Problem>) {
    for (name, queue) in &contract.queues {
        let at = join("/queues", name);
        let consumer = contract.consumers.values().find(|consumer| &consumer.queue == name);
        match (&queue.dead_letter, consumer) {
            (None, Some(consumer)) if raw.queues[name].on_poison == OnPoison::DeadLetter => {
                problems.push(
                    Problem::at(at, format!("`{name}` has no `deadLetter`")).on_key()
                        .because(format!(
                            "a message that `{}` cannot handle would have nowhere to go",
                            consumer.name
                        ))
                        .hint("add `deadLetter: { exchange: ..., routingKey: ... }`, or say `onPoison: drop` to lose such messages"),
                );
            }
            (Some(_), _) if raw.queues[name].on_poison == OnPoison::Drop => {
                problems.push(
                    Problem::at(
                        join(&at, "onPoison"),
                        "`onPoison: drop` and `deadLetter` exclude each other",
                    )
                    .hint("leave one of them out"),
                );
            }
            (Some(dead_letter), _) => dead_letter_arrives(contract, &at, name, dead_letter, problems),
            (None, _) => {}
        }
    }
}

fn dead_letter_arrives(
    contract: &Contract,
    at: &str,
    name: &str,
    dead_letter: &DeadLetter,
    problems: &mut Vec<Problem>,
) {
    let exchange = &contract.exchanges[&dead_letter.exchange];
    if exchange.internal {
        problems.push(
            Problem::at(
                join(at, "deadLetter"),
                format!("the dead-letter exchange `{}` is internal", exchange.name),
            )
            .because("the host publishes dead letters itself, with the reason, and may not publish to that")
            .hint("leave `internal` out"),
        );
    }
    let keys = match &dead_letter.routing_key {
        Some(key) => vec![key.as_str()],
        None => keys_into(contract, name),
    };
    for key in keys {
        let reached = reaches(exchange, key, &contract.bindings);
        let at = join(at, "deadLetter");
        if reached.contains(name) {
            problems.push(
                Problem::at(at, format!("dead letters of `{name}` come back to `{name}`"))
                    .because(
                        "a message that cannot be handled would go round for ever, until the broker drops it",
                    )
                    .hint("bind another queue to the dead-letter exchange"),
            );
        } else if !routed(contract, exchange, key) {
            let bound: Vec<String> = contract
                .bindings
                .iter()
                .filter(|binding| binding.exchange == exchange.name)
                .map(|binding| format!("`{}`", binding.routing_key))
                .collect();
            let why = if bound.is_empty() {
                format!("nothing is bound to the exchange `{}`", exchange.name)
            } else {
                format!(
                    "`{key}` matches none of the keys that `{}` is bound with: {}",
                    exchange.name,
                    bound.join(", ")
                )
            };
            problems.push(
                Problem::at(at, format!("dead letters of `{name}` reach no queue"))
                    .because(why)
                    .hint(format!("bind a queue to `{}` with the key `{key}`", exchange.name)),
            );
        }
    }
}

/// The keys that messages in a queue can have, as far as publishers tell; they are kept by dead letters.
fn keys_into<'a>(contract: &'a Contract, queue: &str) -> Vec<&'a str> {
    let keys = contract.publishers.values().filter_map(|publisher| {
        let key = publisher.routing_key.as_deref()?;
        let reached = reaches(&contract.exchanges[&publisher.exchange], key, &contract.bindings);
        reached.contains(queue).then_some(key)
    });
    keys.collect()
}

fn routed(contract: &Contract, exchange: &Exchange, key: &str) -> bool {
    let mut exchange = exchange;
    for _ in 0..=contract.exchanges.len() {
        if !reaches(exchange, key, &contract.bindings).is_empty() {
            return true;
        }
        let alternate = exchange.arguments.get("alternate-exchange").and_then(|name| name.as_str());
        match alternate.and_then(|name| contract.exchanges.get(name)) {
            Some(alternate) => exchange = alternate,
            None => return false,
        }
    }
    false
}

/// A consumer of a `message` on a queue that nothing is bound to waits for ever.
fn unreachable_consumers(contract: &Contract, problems: &mut Vec<Problem>) {
    let bound =
        |consumer: &&Consumer| contract.bindings.iter().any(|binding| binding.queue == consumer.queue);
    for consumer in contract.consumers.values().filter(|consumer| !bound(consumer)) {
        problems.push(
            Problem::at(
                join("/consumers", &consumer.name),
                format!("no message can reach `{}`", consumer.name),
            )
            .on_key()
            .because(format!("nothing is bound to its queue `{}`", consumer.queue))
            .hint("let it name an `event` or a `command`, or add the queue to `bindings`"),
        );
    }
}

/// Consumers of one queue would each get some of its messages, as chance has it.
fn shared_queues(contract: &Contract, problems: &mut Vec<Problem>) {
    let mut owners = BTreeMap::new();
    for consumer in contract.consumers.values() {
        if let Some(owner) = owners.insert(&consumer.queue, &consumer.name) {
            problems.push(
                Problem::at(
                    format!("{}/queue", join("/consumers", &consumer.name)),
                    format!("`{}` is also consumed by `{owner}`", consumer.queue),
                )
                .because("each message would go to one of the two, as chance has it")
                .hint("give each consumer a queue of its own; more `concurrency`, or more hosts, share the work of one"),
            );
        }
    }
}
