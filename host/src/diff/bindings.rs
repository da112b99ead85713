//! Who gets what: bindings that came and went, and what this contract publishes on its way over all of them.
//!
//! The broker keeps a binding until somebody takes it off, so what a contract no longer says goes on for a while.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::covers::covers;
use super::{Both, Change, Class, Stage, Subject, list};
use crate::contract::routes::{Key, Routes};
use crate::contract::{Binding, Consumer, Contract, Destination, Owner, Publisher, Takes, topic_matches};

const STAYS: &str = "the broker keeps the old binding until somebody takes it off";

/// What changed about who gets what.
pub(super) fn changes(both: Both<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut narrowed: BTreeSet<&str> = BTreeSet::new();
    let mut widened: BTreeSet<&str> = BTreeSet::new();
    let (old, new) = (by_destination(both.old), by_destination(both.new));
    let takers = both.new.consumers.values().map(|consumer| (consumer.queue.as_str(), consumer)).collect();
    let destinations: BTreeSet<&Destination> = old.keys().chain(new.keys()).copied().collect();
    for destination in destinations {
        if !exists_in_both(both, destination) {
            continue; // told as an exchange or a queue that is new or gone
        }
        let (old, new) = (old.get(destination), new.get(destination));
        let turn = Turn {
            both,
            takers: &takers,
            destination,
            old: old.cloned().unwrap_or_default(),
            new: new.cloned().unwrap_or_default(),
        };
        changes.extend(turn.changes(&mut narrowed, &mut widened));
    }
    changes.extend(ways(both, &narrowed, &widened));
    changes
}

fn by_destination(contract: &Contract) -> HashMap<&Destination, Vec<&Binding>> {
    let mut bindings: HashMap<&Destination, Vec<&Binding>> = HashMap::new();
    for binding in contract.bindings.iter().filter(|binding| binding.owner == Owner::Us) {
        bindings.entry(&binding.destination).or_default().push(binding);
    }
    bindings
}

fn exists_in_both(both: Both<'_>, destination: &Destination) -> bool {
    let within = |contract: &Contract| match destination {
        Destination::Queue(name) => contract.queues.contains_key(name),
        Destination::Exchange(name) => contract.exchanges.contains_key(name),
    };
    within(both.old) && within(both.new)
}

/// The bindings of one queue or exchange, before and after.
struct Turn<'a> {
    both: Both<'a>,
    /// The new consumers, by queue.
    takers: &'a HashMap<&'a str, &'a Consumer>,
    destination: &'a Destination,
    old: Vec<&'a Binding>,
    new: Vec<&'a Binding>,
}

impl<'a> Turn<'a> {
    fn changes(&self, narrowed: &mut BTreeSet<&'a str>, widened: &mut BTreeSet<&'a str>) -> Vec<Change> {
        if self.routes_otherwise() {
            return Vec::new();
        }
        let lost = self.not_covered(&self.old, &self.new);
        let gained = self.not_covered(&self.new, &self.old);
        let mut changes = Vec::new();
        for binding in lost.iter().filter(|binding| !self.told_of_consumer(binding)) {
            changes.push(match self.moved_with(binding) {
                Some(flow) => self.follows(binding, flow),
                None => self.lost(binding),
            });
            narrowed.insert(self.destination.name());
        }
        let following = lost.iter().any(|binding| self.moved_with(binding).is_some());
        for binding in gained.iter().filter(|_| !following) {
            let says = format!("it gets {}", text(binding));
            let change = Change::new(Class::Compatible, self.subject(), says);
            changes.push(match self.consumer() {
                Some(consumer) => change
                    .hint("deploy a handler that knows them no later than the contract")
                    .step(Stage::ConsumersFirst, format!("`{}`", consumer.name)),
                None => change,
            });
            widened.insert(self.destination.name());
        }
        let is_same = self.old.len() == self.new.len()
            && self.old.iter().all(|old| self.new.iter().any(|new| new.is_same(old)));
        if lost.is_empty() && gained.is_empty() && !is_same {
            let says = "it is bound with other keys, which bring the same messages";
            changes.push(Change::new(Class::Cosmetic, self.subject(), says));
        }
        changes
    }

    /// The bindings of `these` of which not all is taken by one of `others`.
    fn not_covered(&self, these: &[&'a Binding], others: &[&'a Binding]) -> Vec<&'a Binding> {
        let uncovered = |binding: &&&Binding| {
            let Some(exchange) = self.both.old.exchanges.get(&binding.exchange) else { return true };
            let mut same_exchange = others.iter().filter(|other| other.exchange == binding.exchange);
            !same_exchange.any(|other| covers(exchange.kind, other, binding))
        };
        these.iter().filter(uncovered).copied().collect()
    }

    /// Whether an exchange that it is bound to has another type: told there, and by what still arrives.
    fn routes_otherwise(&self) -> bool {
        self.old.iter().chain(&self.new).any(|binding| {
            let kind = |contract: &Contract| contract.exchanges.get(&binding.exchange).map(|it| it.kind);
            matches!((kind(self.both.old), kind(self.both.new)), (Some(old), Some(new)) if old != new)
        })
    }

    /// Whether a binding went with a consumer that is gone, or takes from another queue.
    fn told_of_consumer(&self, lost: &Binding) -> bool {
        let Some(name) = lost.from.strip_prefix("/consumers/") else { return false };
        let elsewhere = |consumer: &Consumer| consumer.queue != self.destination.name();
        self.consumer().is_none() && self.both.new.consumers.get(name).is_none_or(elsewhere)
    }

    fn consumer(&self) -> Option<&'a Consumer> {
        let Destination::Queue(queue) = self.destination else { return None };
        self.takers.get(queue.as_str()).copied()
    }

    fn subject(&self) -> Subject {
        match (self.consumer(), self.destination) {
            (Some(consumer), _) => Subject::Consumer(consumer.name.clone()),
            (None, Destination::Queue(name)) => Subject::Queue(name.clone()),
            (None, Destination::Exchange(name)) => Subject::Exchange(name.clone()),
        }
    }

    /// The event or command that a binding belonged to, if that one moved and the binding followed it.
    fn moved_with(&self, lost: &Binding) -> Option<&'a Publisher> {
        let consumer = self.consumer()?;
        let (Takes::Event(name) | Takes::Command(name)) = &consumer.takes else { return None };
        let takes_before = self.both.old.consumers.get(&consumer.name).map(|consumer| &consumer.takes);
        let (old, new) = (self.both.old.publishers.get(name)?, self.both.new.publishers.get(name)?);
        let key = |publisher: &'a Publisher| publisher.routing_key.as_ref().or(publisher.pattern.as_ref());
        let moved = (&old.exchange, key(old)) != (&new.exchange, key(new));
        let was_its_own = lost.exchange == old.exchange
            && key(old).is_some_and(|key| lost.routing_key == *key || topic_matches(&lost.routing_key, key));
        (takes_before == Some(&consumer.takes) && moved && was_its_own).then_some(new)
    }

    fn follows(&self, lost: &Binding, flow: &Publisher) -> Change {
        let name = &flow.name;
        Change::new(Class::Compatible, self.subject(), format!("its binding follows `{name}`"))
            .because(format!("{STAYS}: what old publishers send comes by it"))
            .hint("deploy it before what publishes the new way")
            .step(Stage::ConsumersFirst, self.shown())
            .step(Stage::TidyUp, self.unbind(lost))
    }

    fn lost(&self, lost: &Binding) -> Change {
        let published: Vec<&str> = self
            .both
            .old
            .publishers
            .values()
            .filter(|publisher| publisher.exchange == lost.exchange)
            .filter(|publisher| {
                publisher.routing_key.as_ref().is_some_and(|key| topic_matches(&lost.routing_key, key))
            })
            .map(|publisher| publisher.name.as_str())
            .collect();
        let change =
            Change::new(Class::Breaking, self.subject(), format!("it no longer gets {}", text(lost)));
        let change = match (self.consumer(), published.is_empty()) {
            (Some(_), true) => change.breaks("who sends that, and relies on it being handled"),
            (Some(_), false) => {
                change.breaks(format!("who relies on {} being handled here", list(published)))
            }
            (None, _) => change.breaks("who takes it from there"),
        };
        change
            .because(format!("{STAYS}: until then it still comes"))
            .hint("take the binding off when nobody relies on it any more")
            .step(Stage::TidyUp, self.unbind(lost))
    }

    fn shown(&self) -> String {
        let name = self.consumer().map_or(self.destination.name(), |consumer| &consumer.name);
        format!("`{name}`")
    }

    fn unbind(&self, lost: &Binding) -> String {
        let key =
            if lost.routing_key.is_empty() { String::new() } else { format!(" with `{}`", lost.routing_key) };
        format!("the binding of `{}` to `{}`{key}", self.destination.name(), lost.exchange)
    }
}

/// What a binding brings.
fn text(binding: &Binding) -> String {
    if !binding.routing_key.is_empty() {
        return format!("`{}` of the exchange `{}`", binding.routing_key, binding.exchange);
    }
    let matched: Vec<String> = binding
        .arguments
        .iter()
        .filter(|(name, _)| *name != "x-match")
        .map(|(name, value)| format!("`{name}: {value}`"))
        .collect();
    if matched.is_empty() {
        format!("what comes to the exchange `{}`", binding.exchange)
    } else {
        format!("what has {} of the exchange `{}`", matched.join(", "), binding.exchange)
    }
}

/// What this contract publishes, and which consumers it reached and reaches; where their own bindings do not tell.
fn ways(both: Both<'_>, narrowed: &BTreeSet<&str>, widened: &BTreeSet<&str>) -> Vec<Change> {
    let (old, new) = (reached(both.old), reached(both.new));
    let mut changes = Vec::new();
    for (name, after) in &both.new.consumers {
        let Some(before) = both.old.consumers.get(name) else { continue };
        let in_both = |publisher: &&&str| {
            both.old.publishers.contains_key(**publisher) && both.new.publishers.contains_key(**publisher)
        };
        let none = BTreeSet::new();
        let got = old.get(before.queue.as_str()).unwrap_or(&none);
        let gets = new.get(after.queue.as_str()).unwrap_or(&none);
        let lost: Vec<&str> = got.difference(gets).filter(in_both).copied().collect();
        let gained: Vec<&str> = gets.difference(got).filter(in_both).copied().collect();
        let subject = || Subject::Consumer(name.clone());
        if !lost.is_empty() && !narrowed.contains(after.queue.as_str()) {
            changes.push(
                Change::new(
                    Class::Breaking,
                    subject(),
                    format!("it no longer gets {}", list(lost.iter().copied())),
                )
                .breaks(format!("who relies on {} being handled here", list(lost)))
                .because("the way there is another: a key, an exchange, or a binding between exchanges"),
            );
        }
        if !gained.is_empty() && !widened.contains(after.queue.as_str()) {
            changes.push(
                Change::new(Class::Compatible, subject(), format!("it also gets {}", list(gained)))
                    .hint("deploy a handler that knows them no later than the contract")
                    .step(Stage::ConsumersFirst, format!("`{name}`")),
            );
        }
    }
    changes
}

/// Queue -> the publishers that reach it.
fn reached(contract: &Contract) -> BTreeMap<&str, BTreeSet<&str>> {
    let routes = Routes::new(contract);
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for publisher in contract.publishers.values() {
        let key = match (&publisher.routing_key, &publisher.pattern) {
            (Some(key), _) => Key::Exact(key),
            (None, Some(pattern)) => Key::Pattern(pattern),
            (None, None) => Key::Any,
        };
        for queue in routes.way(&publisher.exchange, key).queues {
            reached.entry(queue).or_default().insert(&publisher.name);
        }
    }
    reached
}
