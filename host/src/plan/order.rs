//! The changes that a plan allows, in an order in which no message falls into a gap: what is bound to exists before its
//! binding, what leads away from an exchange exists before what leads into it, and nothing is removed before everything
//! that takes its place is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::contract::{Binding, Destination};
use crate::topology::{ExchangeDeclaration, QueueDeclaration, Topology};

use super::observed;
use super::{Item, Plan, State, Thing};

/// One change to a broker.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// Declare an exchange.
    Exchange(&'a ExchangeDeclaration),
    /// Declare a queue.
    Queue(&'a QueueDeclaration),
    /// Bind.
    Bind {
        /// What to bind.
        binding: &'a Binding,
        /// Whether it may be there already.
        again: bool,
    },
    /// Remove a binding.
    Unbind(&'a observed::Binding),
    /// Delete a wait queue that nobody needs, if it is empty.
    Delete {
        /// Its name.
        name: &'a str,
        /// Whether it is a quorum queue.
        quorum: bool,
    },
}

/// As something that was done.
impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exchange(exchange) => write!(f, "created {}", Thing::Exchange(exchange)),
            Self::Queue(queue) => write!(f, "created {}", Thing::Queue(queue)),
            Self::Bind { binding, .. } => write!(f, "created {}", Thing::Binding(binding)),
            Self::Unbind(binding) => write!(f, "removed {}", Thing::ExtraBinding(binding)),
            Self::Delete { name, .. } => write!(f, "deleted wait queue `{name}`"),
        }
    }
}

impl<'a> Plan<'a> {
    /// The changes that can be made without losing a message, in order. `prune`: also remove what is not in the contract.
    /// What has to do with something that a person has to change first is left out; see `left_out`.
    pub fn changes(&self, topology: &Topology, prune: bool) -> Vec<Change<'a>> {
        let blocked = self.blocked();
        let (mut exchanges, mut queues) = (Vec::new(), Vec::new());
        let (mut bindings, mut removals) = (Vec::new(), Vec::new());
        for Item { thing, state } in &self.items {
            match (thing, state) {
                (Thing::Exchange(exchange), State::Missing) => exchanges.push(Change::Exchange(exchange)),
                (Thing::Queue(queue), State::Missing) => queues.push(Change::Queue(queue)),
                (Thing::Binding(binding), State::Missing | State::Unseen) if !blocked.touches(binding) => {
                    bindings.push((*binding, *state == State::Unseen));
                }
                (Thing::ExtraBinding(binding), _) if prune => removals.push(Change::Unbind(binding)),
                (Thing::Orphan { name, quorum, .. }, _) if prune => {
                    removals.push(Change::Delete { name, quorum: *quorum });
                }
                _ => {}
            }
        }
        let bindings = from_the_end(topology, bindings);
        let bindings = bindings.into_iter().map(|(binding, again)| Change::Bind { binding, again });
        exchanges.into_iter().chain(queues).chain(bindings).chain(removals).collect()
    }

    /// Bindings that have to wait for something that a person has to change first.
    pub fn left_out(&self) -> Vec<&'a Binding> {
        let blocked = self.blocked();
        let left_out = |item: &Item<'a>| match (item.thing, &item.state) {
            (Thing::Binding(binding), State::Missing | State::Unseen) => {
                blocked.touches(binding).then_some(binding)
            }
            _ => None,
        };
        self.items.iter().filter_map(left_out).collect()
    }

    fn blocked(&self) -> Blocked<'a> {
        let mut blocked = Blocked::default();
        for item in self.items.iter().filter(|item| item.state.is_blocked()) {
            match item.thing {
                Thing::Exchange(exchange) => blocked.exchanges.insert(exchange.name.as_str()),
                Thing::Queue(queue) => blocked.queues.insert(queue.name.as_str()),
                Thing::Binding(_) | Thing::ExtraBinding(_) | Thing::Orphan { .. } => false,
            };
        }
        blocked
    }
}

#[derive(Default)]
struct Blocked<'a> {
    exchanges: BTreeSet<&'a str>,
    queues: BTreeSet<&'a str>,
}

impl Blocked<'_> {
    fn touches(&self, binding: &Binding) -> bool {
        self.exchanges.contains(binding.exchange.as_str())
            || match &binding.destination {
                Destination::Queue(queue) => self.queues.contains(queue.as_str()),
                Destination::Exchange(exchange) => self.exchanges.contains(exchange.as_str()),
            }
    }
}

/// Bindings in the order from where messages end to where they come from; those of dead letters first.
fn from_the_end<'a>(topology: &Topology, mut bindings: Vec<(&'a Binding, bool)>) -> Vec<(&'a Binding, bool)> {
    let dead_letter = |queue: &QueueDeclaration| {
        queue.arguments.get("x-dead-letter-exchange").and_then(Value::as_str).map(str::to_owned)
    };
    let dead: BTreeSet<String> = topology.queues.iter().filter_map(dead_letter).collect();
    let heights = heights(&topology.bindings);
    let height = |exchange: &str| heights.get(exchange).copied().unwrap_or(0);
    bindings.sort_by_key(|(binding, _)| (height(&binding.exchange), !dead.contains(&binding.exchange)));
    bindings
}

/// How many exchanges a message may still go through after each exchange; within a cycle, some order.
fn heights(bindings: &[Binding]) -> BTreeMap<&str, usize> {
    let mut heights: BTreeMap<&str, usize> = BTreeMap::new();
    let exchanges: BTreeSet<&str> = bindings.iter().map(|binding| binding.exchange.as_str()).collect();
    // As many rounds as the longest way without a cycle has steps.
    for _ in 0..exchanges.len() {
        let mut changed = false;
        for binding in bindings {
            let Destination::Exchange(to) = &binding.destination else { continue };
            let above = heights.get(to.as_str()).copied().unwrap_or(0) + 1;
            let height = heights.entry(&binding.exchange).or_default();
            if *height < above && above <= exchanges.len() {
                *height = above;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    heights
}
