//! Queues, and the wait queues of retries: the broker refuses to declare one that is there with other arguments, and
//! what is no longer declared stays, with what is in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Both, Change, Class, Stage, Subject, list};
use crate::contract::routes::{Key, Routes};
use crate::contract::{Contract, Owner, Queue, Retry};
use crate::topology::{self, Purpose, QueueDeclaration};

/// What changed about queues. Those of other domains are told by their own contracts.
pub(super) fn changes(both: Both<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    let is_foreign = |queue: &Queue| matches!(queue.owner, Owner::Domain(_));
    for (name, old) in both.old.queues.iter().filter(|(_, old)| !is_foreign(old)) {
        match both.new.queues.get(name) {
            Some(new) => changes.extend(changed(both, old, new)),
            None => changes.push(removed(old)),
        }
    }
    for (name, new) in both.new.queues.iter().filter(|(_, new)| !is_foreign(new)) {
        if !both.old.queues.contains_key(name) {
            changes.push(added(new));
        }
    }
    changes.extend(declarations(both));
    changes
}

fn subject(name: &str) -> Subject {
    Subject::Queue(name.to_owned())
}

fn added(new: &Queue) -> Change {
    if new.owner == Owner::Us {
        return Change::new(Class::Compatible, subject(&new.name), "it is new");
    }
    Change::new(Class::Review, subject(&new.name), "it is somebody else's, and has to be there")
        .because("where it is not, the host does not start")
}

fn removed(old: &Queue) -> Change {
    if old.owner != Owner::Us {
        return Change::new(Class::Cosmetic, subject(&old.name), "nothing here uses it any more");
    }
    Change::new(Class::Breaking, subject(&old.name), "it is no longer declared")
        .breaks("who takes messages from it, and who sent what is in it")
        .because("it stays on the broker that has it, bound as it is, and goes on filling")
        .hint("unbind it, let it run empty, then delete it")
        .step(Stage::TidyUp, format!("the queue `{}`, once it is unbound and empty", old.name))
}

fn changed(both: Both<'_>, old: &Queue, new: &Queue) -> Vec<Change> {
    let mut changes = Vec::new();
    match (&old.owner, &new.owner) {
        (Owner::Us, Owner::Somebody) => changes.push(
            Change::new(
                Class::Review,
                subject(&new.name),
                "it is somebody else's now, and no longer declared here",
            )
            .because("where nobody else declares it, the host does not start"),
        ),
        (Owner::Somebody, Owner::Us) => changes.push(
            Change::new(Class::Review, subject(&new.name), "it is declared here now")
                .because("the broker refuses that if it is there with other arguments")
                .hint("`warren plan` compares it with the broker"),
        ),
        (Owner::Somebody, Owner::Somebody) if (old.kind, &old.arguments) != (new.kind, &new.arguments) => {
            let says = "what is known of it, without being declared, has changed";
            changes.push(Change::new(Class::Cosmetic, subject(&new.name), says));
        }
        _ => {}
    }
    changes.extend(dead_letters(both, old, new));
    changes.extend(retry(old, new));
    if old.owner != Owner::Us && old.deliveries_max != new.deliveries_max {
        let says = format!(
            "a message is taken for poison after {} deliveries, it was {}",
            new.deliveries_max, old.deliveries_max
        );
        changes.push(Change::new(Class::Compatible, subject(&new.name), says));
    }
    changes
}

fn dead_letters(both: Both<'_>, old: &Queue, new: &Queue) -> Option<Change> {
    let subject = subject(&new.name);
    match (&old.dead_letter, &new.dead_letter) {
        (Some(_), None) => Some(
            Change::new(Class::Breaking, subject, "it has no `deadLetter` any more")
                .breaks("who looks after messages that could not be handled: they are dropped"),
        ),
        (None, Some(_)) => Some(
            Change::new(Class::Compatible, subject, "it has a `deadLetter`")
                .because("what cannot be handled was dropped, and is kept now"),
        ),
        (Some(before), Some(after)) if before != after => {
            let (ended, end) = (ends(both.old, old), ends(both.new, new));
            if ended == end {
                let says = "its dead letters go another way to the same place";
                return Some(Change::new(Class::Compatible, subject, says));
            }
            let shown = |ends: &BTreeSet<String>| match ends.is_empty() {
                true => "where others bind a queue".to_owned(),
                false => list(ends.iter().map(String::as_str)),
            };
            Some(
                Change::new(
                    Class::Review,
                    subject,
                    format!("its dead letters end in {}, it was {}", shown(&end), shown(&ended)),
                )
                .breaks(format!("who looks after dead letters in {}", shown(&ended)))
                .hint("let alarms and tools look at both"),
            )
        }
        _ => None,
    }
}

/// The queues that dead letters of `queue` end in.
fn ends(contract: &Contract, queue: &Queue) -> BTreeSet<String> {
    let Some(dead_letter) = &queue.dead_letter else { return BTreeSet::new() };
    let key = dead_letter.routing_key.as_deref().map_or(Key::Any, Key::Exact);
    let way = Routes::new(contract).way(&dead_letter.exchange, key);
    way.queues.into_iter().map(str::to_owned).collect()
}

fn retry(old: &Queue, new: &Queue) -> Option<Change> {
    if old.retry == new.retry {
        return None;
    }
    let change = Change::new(Class::Compatible, subject(&new.name), "failures are tried again differently")
        .details([how(&new.retry), format!("it was {}", how(&old.retry))]);
    let (before, after) = (old.retry.max_attempts(), new.retry.max_attempts());
    Some(if after < before {
        change.because(format!(
            "what was tried {} under the old contract is dead-lettered at its next failure",
            times(after)
        ))
    } else {
        change
    })
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn how(retry: &Retry) -> String {
    match retry {
        Retry::None => "not at all".to_owned(),
        Retry::QuorumNative { max_retries } => format!("{}, at once", times(*max_retries)),
        Retry::TtlBackoff(backoff) => {
            let tiers = backoff.tiers_ms();
            let shown = match (tiers.first(), tiers.last()) {
                (Some(first), Some(last)) if first != last => format!("after {first} to {last} ms"),
                (Some(only), _) => format!("after {only} ms"),
                _ => "at no time".to_owned(),
            };
            let jitter = if backoff.jitter { ", give or take a half" } else { "" };
            format!("{}, {shown}{jitter}", times(backoff.max_retries))
        }
        Retry::NativeDelay { max_retries, initial_delay, max_delay } => format!(
            "{}, delayed by the broker for {} to {} ms",
            times(*max_retries),
            initial_delay.as_millis(),
            max_delay.as_millis()
        ),
    }
}

/// What is declared on the broker, with wait queues: what it would refuse, and what it is left with.
fn declarations(both: Both<'_>) -> Vec<Change> {
    let (old, new) = (topology::derive(both.old), topology::derive(both.new));
    let declared = |queues: Vec<QueueDeclaration>| -> BTreeMap<String, QueueDeclaration> {
        let ours = queues.into_iter().filter(|queue| !queue.passive);
        ours.map(|queue| (queue.name.clone(), queue)).collect()
    };
    let (old, new) = (declared(old.queues), declared(new.queues));
    let mut changes = Vec::new();
    let mut orphans: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut refused: BTreeMap<&str, Vec<(&str, Vec<String>)>> = BTreeMap::new();
    for (name, before) in &old {
        match (new.get(name), &before.purpose) {
            (Some(after), Purpose::Wait { of, .. }) => {
                let differences = differences(before, after);
                if !differences.is_empty() {
                    refused.entry(of).or_default().push((name, differences));
                }
            }
            (Some(after), Purpose::Contract) => changes.extend(redeclared(before, after)),
            (None, Purpose::Wait { of, .. }) => orphans.entry(of).or_default().push(name),
            (None, Purpose::Contract) => {}
        }
    }
    changes.extend(refused.into_iter().map(|(queue, waits)| redeclared_waits(queue, &waits)));
    changes.extend(orphans.into_iter().map(|(queue, names)| orphaned(queue, &names)));
    changes
}

fn orphaned(queue: &str, names: &[&str]) -> Change {
    let names = list(names.iter().copied());
    Change::new(Class::Compatible, subject(queue), format!("its wait queues {names} are no longer used"))
        .because(format!("what waits in them comes back to `{queue}` by itself when its time is over"))
        .hint("delete them when they are empty")
        .step(Stage::TidyUp, format!("the wait queues {names}, once they are empty"))
}

/// Arguments that some RabbitMQ compares when a queue is declared again.
const COMPARED: [&str; 23] = [
    "x-consumer-disconnected-timeout",
    "x-consumer-timeout",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-delayed-retry-max",
    "x-delayed-retry-min",
    "x-delayed-retry-type",
    "x-delivery-limit",
    "x-expires",
    "x-max-in-memory-bytes",
    "x-max-in-memory-length",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-message-ttl",
    "x-overflow",
    "x-queue-leader-locator",
    "x-queue-mode",
    "x-queue-type",
    "x-queue-version",
    "x-quorum-initial-group-size",
    "x-single-active-consumer",
];

const REFUSED: &str = "every host that declares it: the broker refuses, and it does not start";
const FIXED: &str = "the arguments of a queue cannot be changed";

fn redeclared_waits(queue: &str, waits: &[(&str, Vec<String>)]) -> Change {
    let names = list(waits.iter().map(|(name, _)| *name));
    let details = waits.iter().map(|(name, differences)| format!("`{name}`: {}", differences.join(", ")));
    let says = format!("its wait queues {names} are declared with other arguments");
    Change::new(Class::Breaking, subject(queue), says)
        .details(details)
        .breaks(REFUSED)
        .because(FIXED)
        .hint("delete them when they are empty, while no host runs; or choose other delays, which have wait queues of their own")
        .step(Stage::Migrate, format!("the wait queues {names}"))
}

fn redeclared(old: &QueueDeclaration, new: &QueueDeclaration) -> Option<Change> {
    let differences = differences(old, new);
    if differences.is_empty() {
        return None;
    }
    let says = "it is declared with other arguments";
    if old.exclusive && new.exclusive {
        let change = Change::new(Class::Compatible, subject(&new.name), says).details(differences);
        return Some(change.because("it goes with the connection that declared it, and is made anew"));
    }
    if ignored(old, new) {
        let change = Change::new(Class::Review, subject(&new.name), says).details(differences);
        return Some(
            change
                .because("the broker does not compare what it does not know: where the queue is there, it stays as it is")
                .hint("a plugin may look at it: `warren plan` compares it with the broker"),
        );
    }
    Some(
        Change::new(Class::Breaking, subject(&new.name), says)
            .details(differences)
            .breaks(REFUSED)
            .because(FIXED)
            .hint(format!("needs a migration of `{}`: `warren plan` says how", new.name))
            .step(Stage::Migrate, format!("the queue `{}`", new.name)),
    )
}

/// Whether all that differs are arguments that RabbitMQ (3.10 to 4.3, measured) takes without a word.
fn ignored(old: &QueueDeclaration, new: &QueueDeclaration) -> bool {
    let properties = |queue: &QueueDeclaration| (queue.durable, queue.exclusive, queue.auto_delete);
    let compared = |queue: &QueueDeclaration| {
        let mut arguments = queue.arguments.clone();
        arguments.retain(|name, _| COMPARED.contains(&name.as_str()));
        arguments
    };
    properties(old) == properties(new) && compared(old) == compared(new)
}

/// The two as they would be declared, property by property.
fn differences(old: &QueueDeclaration, new: &QueueDeclaration) -> Vec<String> {
    let mut differences = Vec::new();
    for (what, before, after) in [
        ("durable", old.durable, new.durable),
        ("exclusive", old.exclusive, new.exclusive),
        ("autoDelete", old.auto_delete, new.auto_delete),
    ] {
        if before != after {
            differences.push(format!("`{what}` is {after}, it was {before}"));
        }
    }
    let names: BTreeSet<&String> = old.arguments.keys().chain(new.arguments.keys()).collect();
    let shown = |value: Option<&Value>| match value {
        None => "not there".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(value) => value.to_string(),
    };
    for name in names {
        let (before, after) = (old.arguments.get(name), new.arguments.get(name));
        if before != after {
            differences.push(format!("`{name}` is {}, it was {}", shown(after), shown(before)));
        }
    }
    differences
}
