//! Whether what cannot be handled arrives somewhere, stays there, and does not come back.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::super::problem::{Problem, enough, list, nearest};
use super::super::super::raw::{self, OnPoison};
use super::super::super::routes::{Key, Routes, Way};
use super::super::super::source::join;
use super::super::super::{Contract, DeadLetter, Owner, Queue, QueueType};
use super::{HOPS_MAX, dead_end, too_many_ways};

/// Refuses consumed queues that say nothing of what cannot be handled, or two things.
pub(super) fn missing(contract: &Contract, raw: &raw::Contract, problems: &mut Vec<Problem>) {
    let consumed: BTreeMap<&str, &str> = contract
        .consumers
        .values()
        .map(|consumer| (consumer.queue.as_str(), consumer.name.as_str()))
        .collect();
    for (name, written) in &raw.queues {
        if enough(problems) {
            return;
        }
        let at = join("/queues", name);
        match (&written.dead_letter, consumed.get(name.as_str())) {
            (Some(_), _) if written.on_poison == OnPoison::Drop => problems.push(
                Problem::at(join(&at, "onPoison"), "`onPoison: drop` and `deadLetter` exclude each other")
                    .on_key()
                    .because("what cannot be handled is either kept or dropped")
                    .also(join(&at, "deadLetter"), "here it is kept")
                    .hint("leave one of them out"),
            ),
            (None, Some(consumer)) if written.on_poison == OnPoison::DeadLetter => problems.push(
                Problem::at(at, format!("`{name}` has no `deadLetter`"))
                    .on_key()
                    .because(format!("a message that `{consumer}` cannot handle would have nowhere to go"))
                    .hint("add `deadLetter: { exchange: ..., routingKey: ... }`, or say `onPoison: drop` to lose such messages"),
            ),
            (Some(_) | None, _) => {}
        }
    }
}

/// Follows the dead letters of all queues; the queues that they arrive in.
pub(super) fn check<'c>(
    contract: &'c Contract,
    raw: &raw::Contract,
    routes: &Routes<'c>,
    ways: &BTreeMap<&'c str, Way<'c>>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> BTreeSet<&'c str> {
    let keys = keys_into_queues(contract, ways);
    let mut letters =
        Letters { contract, routes, keys, problems, warnings, ends: BTreeSet::new(), hops: Cell::new(0) };
    for (name, written) in &raw.queues {
        let queue = &contract.queues[name];
        if let Some(dead_letter) = &queue.dead_letter {
            let external = written.dead_letter.as_ref().is_some_and(|dead| dead.external_consumers);
            letters.arrive(&join("/queues", name), queue, dead_letter, external);
        }
        if letters.hops.get() > HOPS_MAX {
            letters.problems.push(too_many_ways());
        }
        if enough(letters.problems) || letters.hops.get() > HOPS_MAX {
            break;
        }
    }
    letters.stay();
    letters.ends
}

/// The keys that messages come into each queue with: none for one that may have any.
fn keys_into_queues<'c>(
    contract: &'c Contract,
    ways: &BTreeMap<&'c str, Way<'c>>,
) -> HashMap<&'c str, BTreeSet<Known<'c>>> {
    let mut keys: HashMap<&str, BTreeSet<Known<'_>>> = HashMap::new();
    for publisher in contract.publishers.values() {
        let key = match (&publisher.routing_key, &publisher.pattern) {
            (Some(key), _) => Known::Key(key),
            (None, Some(pattern)) => Known::Pattern(pattern),
            (None, None) => continue,
        };
        for queue in ways.get(publisher.name.as_str()).into_iter().flat_map(|way| &way.queues) {
            keys.entry(queue).or_default().insert(key);
        }
    }
    keys
}

/// What is known of a routing key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Known<'c> {
    Key(&'c str),
    Pattern(&'c str),
}

struct Letters<'c, 'p> {
    contract: &'c Contract,
    routes: &'p Routes<'c>,
    keys: HashMap<&'c str, BTreeSet<Known<'c>>>,
    problems: &'p mut Vec<Problem>,
    warnings: &'p mut Vec<Problem>,
    /// Queues that dead letters arrive in.
    ends: BTreeSet<&'c str>,
    /// Steps followed so far.
    hops: Cell<usize>,
}

impl<'c> Letters<'c, '_> {
    /// Follows the dead letters of `queue`.
    fn arrive(&mut self, at: &str, queue: &'c Queue, dead_letter: &'c DeadLetter, external: bool) {
        let at = join(at, "deadLetter");
        if let Some(exchange) = self.contract.exchanges.get(&dead_letter.exchange)
            && exchange.internal
        {
            self.problems.push(
                Problem::at(
                    join(&at, "exchange"),
                    format!(
                        "dead letters of `{}` go to the internal exchange `{}`",
                        queue.name, exchange.name
                    ),
                )
                .because(
                    "the host publishes dead letters itself, with the reason, and may not publish to that",
                )
                .hint("leave `internal` out")
                .also(
                    join(&join("/exchanges", &exchange.name), "internal"),
                    "only exchanges may publish to it",
                ),
            );
            return;
        }
        for key in self.keys(queue, dead_letter) {
            let way = self.routes.way(&dead_letter.exchange, key);
            self.hops.set(self.hops.get() + way.hops.len());
            if way.queues.is_empty() {
                if !external {
                    self.problems.push(self.lost(&at, queue, dead_letter, key, &way));
                }
                continue;
            }
            if let Some(trail) = self.comes_back(&queue.name, &way) {
                let mut because =
                    "a message that cannot be handled would go round for ever, until the broker drops it"
                        .to_owned();
                let mut hint = "bind another queue to the dead-letter exchange".to_owned();
                if trail.len() > 1 {
                    because = format!(
                        "by way of {}: the broker cuts a circle without a rejection, and drops or parks what is in it",
                        list(&trail[..trail.len() - 1])
                    );
                    hint = "for retries after a delay, say `retry: { mode: ttl-backoff }`: its wait queues are made for that".to_owned();
                }
                self.problems.push(
                    Problem::at(&at, format!("dead letters of `{0}` come back to `{0}`", queue.name))
                        .because(because)
                        .hint(hint),
                );
                return;
            }
            self.ends.extend(&way.queues);
        }
    }

    /// The keys that dead letters of `queue` may have: the one said, or those that its messages came with.
    fn keys(&self, queue: &Queue, dead_letter: &'c DeadLetter) -> Vec<Key<'c>> {
        match (&dead_letter.routing_key, self.keys.get(queue.name.as_str())) {
            (Some(key), _) => vec![Key::Exact(key)],
            (None, None) => vec![Key::Any],
            (None, Some(known)) => known
                .iter()
                .map(|known| match known {
                    Known::Key(key) => Key::Exact(key),
                    Known::Pattern(pattern) => Key::Pattern(pattern),
                })
                .collect(),
        }
    }

    fn lost(
        &self,
        at: &str,
        queue: &Queue,
        dead_letter: &DeadLetter,
        key: Key<'_>,
        way: &Way<'_>,
    ) -> Problem {
        let exchange = &dead_letter.exchange;
        let bound: BTreeSet<&str> =
            self.routes.bindings_of(exchange).iter().map(|binding| binding.routing_key.as_str()).collect();
        let bound: Vec<&str> = bound.into_iter().collect();
        let somebodys =
            self.contract.exchanges.get(exchange).is_some_and(|exchange| exchange.owner == Owner::Somebody);
        let says = format!("dead letters of `{}` reach no queue", queue.name);
        let of_dead_letter = dead_letter.routing_key.is_some();
        if !way.hops.is_empty() {
            return Problem::at(join(at, "exchange"), says)
                .because(dead_end(self.routes, exchange, key, way))
                .hint("bind a queue there");
        }
        let (why, with_key, part) = match key {
            Key::Exact(key) | Key::Pattern(key) if !bound.is_empty() => (
                format!("`{key}` matches none of the keys that `{exchange}` is bound with: {}", list(&bound)),
                format!(" with the key `{key}`"),
                if of_dead_letter { "routingKey" } else { "exchange" },
            ),
            // Of any key, each binding may be the one.
            Key::Exact(_) | Key::Pattern(_) | Key::Any => {
                (format!("nothing is bound to the exchange `{exchange}`"), key_text(key), "exchange")
            }
        };
        let problem = Problem::at(join(at, part), says).because(why);
        let meant = dead_letter.routing_key.as_deref().and_then(|key| nearest(key, &bound));
        match (meant, somebodys) {
            (Some(meant), false) => problem.hint(format!("did you mean `{meant}`?")),
            (_, true) => problem.hint("if somebody else binds a queue to it, say `externalConsumers: true`"),
            (None, false) if part == "exchange" && !of_dead_letter && !bound.is_empty() => problem.hint(
                "dead letters keep their own key: give `deadLetter` a `routingKey`, or bind a queue with `#`",
            ),
            (None, false) => problem.hint(format!("bind a queue to `{exchange}`{with_key}")),
        }
    }

    /// The queues by which a dead letter comes back to `start`, if it does: it may expire again on its way.
    fn comes_back(&self, start: &str, way: &Way<'c>) -> Option<Vec<&'c str>> {
        let mut open: Vec<Vec<&str>> = way.queues.iter().map(|queue| vec![*queue]).collect();
        let mut seen: BTreeSet<&str> = way.queues.clone();
        while let Some(trail) = open.pop() {
            let last = *trail.last()?;
            if last == start {
                return Some(trail);
            }
            let queue = &self.contract.queues[last];
            let (Some(_), Some(dead_letter)) = (queue.message_ttl, &queue.dead_letter) else { continue };
            let key = dead_letter.routing_key.as_deref().map_or(Key::Any, Key::Exact);
            let way = self.routes.way(&dead_letter.exchange, key);
            self.hops.set(self.hops.get() + way.hops.len() + trail.len());
            if self.hops.get() > HOPS_MAX {
                return None; // as is said where the queues are gone through
            }
            for next in way.queues {
                if next == start || seen.insert(next) {
                    open.push(trail.iter().copied().chain([next]).collect());
                }
            }
        }
        None
    }

    /// What is in a dead-letter queue waits for a human, and has nowhere else to go.
    fn stay(&mut self) {
        let consumed: BTreeSet<&str> =
            self.contract.consumers.values().map(|consumer| consumer.queue.as_str()).collect();
        for name in &self.ends {
            let queue = &self.contract.queues[*name];
            if queue.owner != Owner::Us || queue.dead_letter.is_some() || consumed.contains(name) {
                continue;
            }
            let at = join("/queues", name);
            let loses = if queue.message_ttl.is_some() {
                Some("they expire")
            } else if drops_when_full(queue) {
                Some("the oldest go when it is full")
            } else if !queue.durable || queue.auto_delete || queue.exclusive {
                Some("it does not outlive the broker or its connection")
            } else {
                None
            };
            if let Some(how) = loses {
                self.warnings.push(
                    Problem::warning(
                        "dead-letters-lost",
                        at,
                        format!("dead letters in `{name}` are lost: {how}"),
                    )
                    .on_key()
                    .because("a dead letter is the last copy of a message that somebody still has to look at")
                    .hint("keep them without a limit, and let an alarm count them"),
                );
            }
        }
    }
}

/// Whether a full queue throws away its oldest messages.
pub(in super::super) fn drops_when_full(queue: &Queue) -> bool {
    let limited =
        ["x-max-length", "x-max-length-bytes"].iter().any(|name| queue.arguments.contains_key(*name));
    let overflow = queue.arguments.get("x-overflow").and_then(|overflow| overflow.as_str());
    let loses = match queue.kind {
        QueueType::Quorum | QueueType::Classic => queue.dead_letter.is_none(),
    };
    limited && overflow.unwrap_or("drop-head") == "drop-head" && loses
}

fn key_text(key: Key<'_>) -> String {
    match key {
        Key::Exact(key) | Key::Pattern(key) => format!(" with the key `{key}`"),
        Key::Any => String::new(),
    }
}
