//! The way of a message through the exchanges of a contract, as the broker would route it: bindings of queues and of
//! exchanges, alternate exchanges, the default exchange.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::headers::headers_match;
use super::model::{Binding, Destination, Exchange, Queue};
use super::routing::topic_matches;
use super::{Contract, ExchangeType};

/// How the exchanges of a contract are connected.
#[derive(Debug)]
pub struct Routes<'a> {
    exchanges: &'a std::collections::BTreeMap<String, Exchange>,
    queues: &'a std::collections::BTreeMap<String, Queue>,
    out: HashMap<&'a str, Out<'a>>,
}

/// The bindings of one exchange.
#[derive(Debug, Default)]
struct Out<'a> {
    all: Vec<&'a Binding>,
    /// Those that match one key only, by it, as indices of `all`.
    exact: HashMap<&'a str, Vec<usize>>,
    /// Those with `*` or `#`.
    patterns: Patterns<'a>,
}

/// Patterns by their words, so that a key is held against all of them at once.
#[derive(Debug, Default)]
struct Patterns<'a> {
    /// The first is the root.
    nodes: Vec<Node<'a>>,
}

/// The beginnings of patterns that are the same.
#[derive(Debug, Default)]
struct Node<'a> {
    /// By the next word, `*` and `#` among them.
    next: HashMap<&'a str, usize>,
    /// Patterns that end here, as indices.
    ends: Vec<usize>,
    /// The last word was `#`.
    is_hash: bool,
}

impl<'a> Patterns<'a> {
    fn add(&mut self, pattern: &'a str, index: usize) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut node = 0;
        for word in pattern.split('.') {
            let free = self.nodes.len();
            node = *self.nodes[node].next.entry(word).or_insert(free);
            if node == free {
                self.nodes.push(Node { is_hash: word == "#", ..Node::default() });
            }
        }
        self.nodes[node].ends.push(index);
    }

    /// The patterns that `key` matches.
    fn matching(&self, key: &str) -> Vec<usize> {
        let mut open: BTreeSet<usize> = BTreeSet::new();
        self.enter(0, &mut open);
        let words = key.split('.').filter(|_| !key.is_empty());
        for word in words {
            let mut next = BTreeSet::new();
            for node in open {
                let children = [word, "*"].map(|step| self.nodes[node].next.get(step));
                children.into_iter().flatten().for_each(|child| self.enter(*child, &mut next));
                if self.nodes[node].is_hash {
                    self.enter(node, &mut next);
                }
            }
            open = next;
        }
        open.into_iter().flat_map(|node| &self.nodes[node].ends).copied().collect()
    }

    /// Opens a node, and what follows it by a `#` that stands for no word.
    fn enter(&self, mut node: usize, open: &mut BTreeSet<usize>) {
        while node < self.nodes.len() && open.insert(node) {
            match self.nodes[node].next.get("#") {
                Some(child) => node = *child,
                None => return,
            }
        }
    }
}

/// Where a message goes.
#[derive(Debug, Default)]
pub struct Way<'a> {
    /// Each step, in the order in which the broker takes it.
    pub hops: Vec<Hop<'a>>,
    /// The queues that get it.
    pub queues: BTreeSet<&'a str>,
    /// The exchanges that it comes to, in the same order.
    pub exchanges: Vec<&'a str>,
    /// Whether it depends on its headers where it goes: a headers exchange is on the way, and they are not known.
    pub depends_on_headers: bool,
}

/// One step of a message.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'a> {
    /// The exchange it comes from; empty for the default exchange.
    pub exchange: &'a str,
    /// Why it goes on.
    pub by: By<'a>,
    /// Whether every such message takes it, and not only some: those with certain headers, or with one of the keys that
    /// a pattern stands for.
    pub sure: bool,
}

/// Why a message goes from an exchange to where it goes.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// This binding matches.
    Binding(&'a Binding),
    /// No binding matches, and this is the alternate exchange.
    Alternate(&'a str),
    /// The default exchange takes it to the queue of this name.
    Name(&'a str),
}

/// What a message is published with.
#[derive(Debug, Clone, Copy)]
pub enum Key<'k> {
    /// This routing key.
    Exact(&'k str),
    /// Some key that matches this pattern.
    Pattern(&'k str),
    /// Some key, not known here.
    Any,
}

impl<'a> Routes<'a> {
    /// The routes of `contract`.
    pub fn new(contract: &'a Contract) -> Self {
        Self::of(&contract.exchanges, &contract.queues, &contract.bindings)
    }

    pub(super) fn of(
        exchanges: &'a std::collections::BTreeMap<String, Exchange>,
        queues: &'a std::collections::BTreeMap<String, Queue>,
        bindings: &'a [Binding],
    ) -> Self {
        let mut out: HashMap<&str, Out<'_>> = HashMap::new();
        for binding in bindings {
            let key = binding.routing_key.as_str();
            let out = out.entry(binding.exchange.as_str()).or_default();
            if key.split('.').any(|word| word == "*" || word == "#") {
                out.patterns.add(key, out.all.len());
            } else {
                out.exact.entry(key).or_default().push(out.all.len());
            }
            out.all.push(binding);
        }
        Self { exchanges, queues, out }
    }

    /// The bindings of an exchange.
    pub fn bindings_of(&self, exchange: &str) -> &[&'a Binding] {
        self.out.get(exchange).map_or(&[], |out| &out.all)
    }

    /// Where a message goes that is published to `exchange` with `key`, and of whose headers nothing is known.
    pub fn way(&self, exchange: &str, key: Key<'_>) -> Way<'a> {
        self.way_with(exchange, key, None)
    }

    /// Where a message goes that is published to `exchange` with `key` and these headers.
    pub fn way_with(&self, exchange: &str, key: Key<'_>, headers: Option<&Map<String, Value>>) -> Way<'a> {
        let mut way = Way::default();
        if exchange.is_empty() {
            let reached = self.queues.keys().filter(|queue| match key {
                Key::Exact(key) => queue.as_str() == key,
                Key::Pattern(pattern) => topic_matches(pattern, queue),
                Key::Any => true,
            });
            for queue in reached {
                let sure = matches!(key, Key::Exact(_));
                way.hops.push(Hop { exchange: "", by: By::Name(queue), sure });
                way.queues.insert(queue);
            }
            return way;
        }
        let exact = matches!(key, Key::Exact(_));
        let mut open: Vec<&'a str> =
            self.exchanges.get_key_value(exchange).map(|(name, _)| name.as_str()).into_iter().collect();
        let mut seen: BTreeSet<&str> = open.iter().copied().collect();
        while let Some(name) = open.pop() {
            let Some(exchange) = self.exchanges.get(name) else { continue };
            way.exchanges.push(name);
            // What may not match may also not keep the message from the alternate exchange.
            let mut unrouted = Some(true);
            for binding in self.matching(exchange, key) {
                let sure = match exchange.kind {
                    ExchangeType::Headers => match headers_match(&binding.arguments, headers) {
                        Some(false) => continue,
                        matches => matches.is_some(),
                    },
                    ExchangeType::Fanout => true,
                    ExchangeType::Direct | ExchangeType::Topic => exact,
                };
                way.depends_on_headers |= exchange.kind == ExchangeType::Headers && !sure;
                unrouted = if sure { Some(false) } else { unrouted.filter(|unrouted| !unrouted) };
                way.hops.push(Hop { exchange: name, by: By::Binding(binding), sure });
                match &binding.destination {
                    Destination::Queue(queue) => {
                        way.queues.insert(queue);
                    }
                    Destination::Exchange(next) => {
                        if seen.insert(next) {
                            open.push(next);
                        }
                    }
                }
            }
            if let Some(alternate) = &exchange.alternate
                && unrouted != Some(false)
            {
                let sure = unrouted == Some(true);
                way.hops.push(Hop { exchange: name, by: By::Alternate(alternate), sure });
                if seen.insert(alternate) {
                    open.push(alternate);
                }
            }
        }
        way
    }

    /// The bindings of an exchange that a message with this key matches, or may match.
    fn matching(&self, exchange: &Exchange, key: Key<'_>) -> Vec<&'a Binding> {
        let Some(out) = self.out.get(exchange.name.as_str()) else { return Vec::new() };
        match (exchange.kind, key) {
            // What a headers exchange does depends on the message, so any binding may match.
            (ExchangeType::Fanout | ExchangeType::Headers, _) | (_, Key::Any) => out.all.clone(),
            (ExchangeType::Direct, Key::Exact(key)) => {
                out.exact.get(key).into_iter().flatten().map(|index| out.all[*index]).collect()
            }
            (ExchangeType::Direct, Key::Pattern(pattern)) => out
                .all
                .iter()
                .copied()
                .filter(|binding| topic_matches(pattern, &binding.routing_key))
                .collect(),
            (ExchangeType::Topic, Key::Exact(key)) => {
                let mut matching = out.patterns.matching(key);
                matching.extend(out.exact.get(key).into_iter().flatten());
                matching.sort_unstable();
                matching.into_iter().map(|index| out.all[index]).collect()
            }
            (ExchangeType::Topic, Key::Pattern(pattern)) => out
                .all
                .iter()
                .copied()
                .filter(|binding| super::routing::patterns_meet(pattern, &binding.routing_key))
                .collect(),
        }
    }
}

impl<'a> Hop<'a> {
    /// The queue that it leads to, if it leads to one.
    pub fn queue(&self) -> Option<&'a str> {
        match self.by {
            By::Name(queue) => Some(queue),
            By::Binding(Binding { destination: Destination::Queue(queue), .. }) => Some(queue),
            By::Binding(_) | By::Alternate(_) => None,
        }
    }

    /// The exchange that it leads to, if it leads to one.
    pub fn to_exchange(&self) -> Option<&'a str> {
        match self.by {
            By::Alternate(exchange) => Some(exchange),
            By::Binding(Binding { destination: Destination::Exchange(exchange), .. }) => Some(exchange),
            By::Binding(_) | By::Name(_) => None,
        }
    }

    /// Where it leads, and whether that is a queue.
    pub fn destination(&self) -> Destination {
        match self.by {
            By::Binding(binding) => binding.destination.clone(),
            By::Alternate(name) => Destination::Exchange(name.to_owned()),
            By::Name(name) => Destination::Queue(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_together_match_what_each_of_them_does() {
        let words = ["a", "b", "*", "#"];
        let mut patterns: Vec<String> = words.map(str::to_owned).to_vec();
        for _ in 0..3 {
            let longer: Vec<String> =
                patterns.iter().flat_map(|pattern| words.map(|word| format!("{pattern}.{word}"))).collect();
            patterns.extend(longer);
        }
        let mut together = Patterns::default();
        patterns.iter().enumerate().for_each(|(index, pattern)| together.add(pattern, index));
        let keys = patterns.iter().filter(|pattern| !pattern.contains(['*', '#']));
        for key in keys.map(String::as_str).chain(["", "c", "a.c.b"]) {
            let mut found = together.matching(key);
            found.sort_unstable();
            let each: Vec<usize> =
                (0..patterns.len()).filter(|index| topic_matches(&patterns[*index], key)).collect();
            assert_eq!(found, each, "{key}");
        }
    }
}
