//! The contract against a broker: (topology, what was seen) -> what to do about each thing, and why.
//!
//! Pure. `observed` is what was seen, `compare` knows the broker's rules of equivalence, `policies` what an operator's
//! policies change, `migrate` the steps for what cannot be done in place, `order` puts changes so that no message falls
//! into a gap, `render` shows a plan. Looking at a broker and changing it is left to `broker/`.

mod compare;
mod migrate;
pub mod observed;
mod order;
mod policies;
mod render;
#[cfg(test)]
mod tests;
mod version;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::contract::{Binding, Destination};
use crate::topology::{ExchangeDeclaration, Purpose, QueueDeclaration, Topology};

use compare::Compared;
use observed::{Difference, Observed, Seen, Sight};

pub use migrate::{Place, encoded};
pub use order::Change;
pub use version::{NATIVE_DELAY, Version};

/// What to do about everything that a contract asks for, and about what is left of older ones.
#[derive(Debug)]
pub struct Plan<'a> {
    /// How the broker was looked at.
    pub sight: Sight,
    /// The broker's version, if it says one.
    pub version: Option<Version>,
    /// Each thing: exchanges, queues, bindings, and what is not in the contract.
    pub items: Vec<Item<'a>>,
    /// What the broker is too old for.
    pub too_old: Vec<String>,
    /// What makes the broker behave otherwise than the contract says, and is not the contract's to change.
    pub warnings: Vec<String>,
}

/// One thing and what is to be done about it.
#[derive(Debug)]
pub struct Item<'a> {
    /// The thing.
    pub thing: Thing<'a>,
    /// How it stands.
    pub state: State,
}

/// Something that a plan is about.
#[derive(Debug, Clone, Copy)]
pub enum Thing<'a> {
    /// An exchange that the contract asks for.
    Exchange(&'a ExchangeDeclaration),
    /// A queue that the contract asks for.
    Queue(&'a QueueDeclaration),
    /// A binding that the contract asks for.
    Binding(&'a Binding),
    /// A binding of our own that the contract does not ask for.
    ExtraBinding(&'a observed::Binding),
    /// A wait queue of an older contract.
    Orphan {
        /// Its name.
        name: &'a str,
        /// Its work queue.
        of: &'a str,
        /// Whether it is a quorum queue, which the broker cannot delete only if it is empty.
        quorum: bool,
    },
}

/// How a thing stands.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// As the contract says.
    Same,
    /// As the contract says, but for arguments that the broker does not look at.
    Tolerated(Vec<Difference>),
    /// Somebody else's, and not what the contract takes it for.
    Mistaken(Vec<Difference>),
    /// Not there: it can be created.
    Missing,
    /// A binding, seen over AMQP: creating it again changes nothing if it is there.
    Unseen,
    /// It belongs to the connection of a running host, which declares it.
    Skipped,
    /// Different: it can only be deleted and created anew, by a person.
    Different {
        /// What differs.
        differences: Vec<Difference>,
        /// How many messages it holds, if it is a queue.
        messages: Option<u64>,
        /// What to do.
        steps: Vec<String>,
    },
    /// Somebody else's, and not there.
    Absent,
    /// Not in the contract (any more).
    Extra {
        /// How many messages it holds, if it is a queue.
        messages: Option<u64>,
        /// How many consumers it has, if it is a queue.
        consumers: Option<u64>,
    },
}

/// What a plan comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as the contract says.
    Nothing,
    /// Something can be applied.
    Changes,
    /// Something has to be done by a person first.
    Blocked,
}

/// Compares a topology with what was seen.
pub fn plan<'a>(topology: &'a Topology, observed: &'a Observed, place: Place<'_>) -> Plan<'a> {
    let mut items = Vec::new();
    let mut warnings: Vec<String> = observed.version.and_then(Version::warning).into_iter().collect();
    for exchange in &topology.exchanges {
        let state = exchange_state(exchange, observed.exchanges.get(&exchange.name), place);
        items.push(Item { thing: Thing::Exchange(exchange), state });
    }
    for queue in &topology.queues {
        let seen = observed.queues.get(&queue.name);
        if let (false, Some(policy)) = (queue.passive, seen.and_then(|seen| seen.policy.as_ref())) {
            warnings.extend(policies::conflicts(queue, policy));
        }
        let state = queue_state(queue, seen, observed.version, place);
        items.push(Item { thing: Thing::Queue(queue), state });
    }
    bindings(topology, observed, &mut items);
    items.extend(orphans(topology, observed));
    Plan {
        sight: observed.sight,
        version: observed.version,
        items,
        too_old: too_old(topology, observed.version),
        warnings,
    }
}

/// What of the topology needs a newer broker than this one, or than one that does not say its version.
pub fn too_old(topology: &Topology, version: Option<Version>) -> Vec<String> {
    let is = match version {
        Some(version) if version.has_native_delay() => return Vec::new(),
        Some(version) => format!("this is RabbitMQ {version}, which would retry without any delay"),
        None => "this broker does not say that it is that".to_owned(),
    };
    let delayed = |queue: &&QueueDeclaration| {
        !queue.passive && queue.arguments.get("x-delayed-retry-type").is_some_and(|kind| kind != "disabled")
    };
    let text = |queue: &QueueDeclaration| {
        let (name, Version { major, minor, .. }) = (&queue.name, NATIVE_DELAY);
        format!(
            "queue `{name}` asks for `retry: {{ mode: native-delay }}`, which RabbitMQ has from {major}.{minor}; {is}\n\n\
             hint: write `mode: ttl-backoff`, which delays retries on every version, or upgrade the broker"
        )
    };
    topology.queues.iter().filter(delayed).map(text).collect()
}

fn exchange_state(
    exchange: &ExchangeDeclaration,
    seen: Option<&Seen<observed::ExchangeShape>>,
    place: Place<'_>,
) -> State {
    match (seen, exchange.passive) {
        (None, true) => State::Absent,
        (None, false) => State::Missing,
        (Some(Seen::Whole(is)), true) => mistaken(compare::foreign_exchange(exchange, is)),
        (Some(_), true) => State::Same,
        (Some(seen), false) => {
            let compared = compared(seen, |is| compare::exchange(exchange, is));
            verdict(compared, None, || migrate::exchange(&exchange.name, place))
        }
    }
}

fn queue_state(
    queue: &QueueDeclaration,
    seen: Option<&observed::Queue>,
    version: Option<Version>,
    place: Place<'_>,
) -> State {
    match (seen, queue.passive) {
        (_, false) if queue.exclusive => State::Skipped,
        (None, true) => State::Absent,
        (None, false) => State::Missing,
        (Some(observed::Queue { shape: Seen::Whole(is), .. }), true) => {
            mistaken(compare::foreign_queue(queue, is))
        }
        (Some(_), true) => State::Same,
        (Some(seen), false) => {
            let compared = compared(&seen.shape, |is| compare::queue(queue, is, version));
            let kind = match &seen.shape {
                Seen::Whole(is) => Some(is.kind.as_str()),
                Seen::Same | Seen::Different(_) | Seen::There => None,
            };
            verdict(compared, seen.messages, || migrate::queue(queue, kind, place))
        }
    }
}

fn mistaken(differences: Vec<Difference>) -> State {
    if differences.is_empty() { State::Same } else { State::Mistaken(differences) }
}

fn compared<T>(seen: &Seen<T>, compare: impl FnOnce(&T) -> Compared) -> Compared {
    match seen {
        Seen::Whole(is) => compare(is),
        Seen::Different(difference) => Compared { refused: vec![difference.clone()], tolerated: Vec::new() },
        Seen::Same | Seen::There => Compared::default(),
    }
}

fn verdict(compared: Compared, messages: Option<u64>, steps: impl FnOnce() -> Vec<String>) -> State {
    let Compared { refused, tolerated } = compared;
    match (refused.is_empty(), tolerated.is_empty()) {
        (true, true) => State::Same,
        (true, false) => State::Tolerated(tolerated),
        (false, _) => State::Different { differences: refused, messages, steps: steps() },
    }
}

/// The bindings that the contract asks for, and those of our own that it does not.
fn bindings<'a>(topology: &'a Topology, observed: &'a Observed, items: &mut Vec<Item<'a>>) {
    let exclusive: BTreeSet<&str> = topology
        .queues
        .iter()
        .filter(|queue| queue.exclusive && !queue.passive)
        .map(|queue| queue.name.as_str())
        .collect();
    let is_exclusive =
        |to: &Destination| matches!(to, Destination::Queue(queue) if exclusive.contains(queue.as_str()));
    let exists = |name: &str, to: Option<&Destination>| match to {
        Some(Destination::Queue(queue)) => observed.queues.contains_key(queue),
        Some(Destination::Exchange(exchange)) => observed.exchanges.contains_key(exchange),
        None => observed.exchanges.contains_key(name),
    };
    let seen = by_ends(observed.bindings.as_deref().unwrap_or_default());
    let mut asked: BTreeMap<Ends<'_>, Vec<&Binding>> = BTreeMap::new();
    for binding in &topology.bindings {
        let ends = (binding.exchange.as_str(), &binding.destination, binding.routing_key.as_str());
        let same = asked.entry(ends).or_default();
        if same.iter().any(|other| compare::same_arguments(&other.arguments, &binding.arguments)) {
            continue; // two ways to the same binding
        }
        same.push(binding);
        let found = seen.get(&ends).into_iter().flatten();
        let state = if is_exclusive(&binding.destination) {
            State::Skipped
        } else if found.into_iter().any(|found| compare::same_arguments(&found.arguments, &binding.arguments))
        {
            State::Same
        } else if observed.bindings.is_none()
            && exists(&binding.exchange, None)
            && exists("", Some(&binding.destination))
        {
            State::Unseen
        } else {
            State::Missing
        };
        items.push(Item { thing: Thing::Binding(binding), state });
    }
    let ours = Ours::of(topology);
    for binding in observed.bindings.iter().flatten() {
        let ends = (binding.exchange.as_str(), &binding.destination, binding.routing_key.as_str());
        let mut asked = asked.get(&ends).into_iter().flatten();
        let is_asked = asked.any(|asked| compare::same_arguments(&asked.arguments, &binding.arguments));
        if !is_asked && ours.owns(binding) {
            let state = State::Extra { messages: None, consumers: None };
            items.push(Item { thing: Thing::ExtraBinding(binding), state });
        }
    }
}

/// What tells a binding from others, but for its arguments.
type Ends<'a> = (&'a str, &'a Destination, &'a str);

fn by_ends(bindings: &[observed::Binding]) -> BTreeMap<Ends<'_>, Vec<&observed::Binding>> {
    let mut by_ends: BTreeMap<Ends<'_>, Vec<&observed::Binding>> = BTreeMap::new();
    for binding in bindings {
        let ends = (binding.exchange.as_str(), &binding.destination, binding.routing_key.as_str());
        by_ends.entry(ends).or_default().push(binding);
    }
    by_ends
}

/// What this contract declares.
struct Ours<'a> {
    exchanges: BTreeSet<&'a str>,
    queues: BTreeSet<&'a str>,
}

impl<'a> Ours<'a> {
    fn of(topology: &'a Topology) -> Self {
        let exchanges = topology.exchanges.iter().filter(|exchange| !exchange.passive);
        let queues = topology.queues.iter().filter(|queue| !queue.passive && !queue.exclusive);
        Self {
            exchanges: exchanges.map(|exchange| exchange.name.as_str()).collect(),
            queues: queues.map(|queue| queue.name.as_str()).collect(),
        }
    }

    /// Whether a binding is ours to know: what comes into a queue of ours, and what goes from one exchange of ours to
    /// another. Whoever binds something of theirs to an exchange of ours may do so.
    fn owns(&self, binding: &observed::Binding) -> bool {
        match &binding.destination {
            Destination::Queue(queue) => self.queues.contains(queue.as_str()),
            Destination::Exchange(exchange) => {
                self.exchanges.contains(exchange.as_str())
                    && self.exchanges.contains(binding.exchange.as_str())
            }
        }
    }
}

/// Wait queues of our queues that the topology does not have: an older contract had other delays.
fn orphans<'a>(topology: &'a Topology, observed: &'a Observed) -> Vec<Item<'a>> {
    let asked: BTreeSet<&str> = topology.queues.iter().map(|queue| queue.name.as_str()).collect();
    let is_work = |queue: &&QueueDeclaration| !queue.passive && queue.purpose == Purpose::Contract;
    let work: BTreeSet<&str> =
        topology.queues.iter().filter(is_work).map(|queue| queue.name.as_str()).collect();
    let mut orphans = Vec::new();
    for (name, queue) in &observed.queues {
        let Some(of) =
            work_queue(name).and_then(|of| work.get(of)).filter(|_| !asked.contains(name.as_str()))
        else {
            continue;
        };
        let Seen::Whole(shape) = &queue.shape else { continue };
        let says = |argument: &str, value: &str| {
            shape.arguments.get(argument).and_then(Value::as_str) == Some(value)
        };
        // Of that name, and made the way Warren makes wait queues.
        if says("x-dead-letter-exchange", "") && says("x-dead-letter-routing-key", of) {
            let thing = Thing::Orphan { name, of, quorum: shape.kind == "quorum" };
            let state = State::Extra { messages: queue.messages, consumers: queue.consumers };
            orphans.push(Item { thing, state });
        }
    }
    orphans
}

/// The work queue that a wait queue of this name belongs to.
fn work_queue(name: &str) -> Option<&str> {
    let (of, delay) = name.rsplit_once("-wait-")?;
    let digits = delay.strip_suffix("ms")?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(of)
}

impl Plan<'_> {
    /// Whether a person has to do something about some of it.
    pub fn is_blocked(&self) -> bool {
        self.items.iter().any(|item| item.state.is_blocked())
    }

    /// What the plan comes to. What is not in the contract counts only if it is to be removed.
    pub fn verdict(&self, prune: bool) -> Verdict {
        let to_do = |state: &State| match state {
            State::Missing => true,
            State::Extra { .. } => prune,
            _ => false,
        };
        if !self.too_old.is_empty() || self.is_blocked() {
            Verdict::Blocked
        } else if self.items.iter().any(|item| to_do(&item.state)) {
            Verdict::Changes
        } else {
            Verdict::Nothing
        }
    }
}

impl State {
    /// Whether a person has to act before the contract can be as it is on this broker.
    pub fn is_blocked(&self) -> bool {
        matches!(self, Self::Different { .. } | Self::Absent)
    }
}
