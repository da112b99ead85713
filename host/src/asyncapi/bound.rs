//! How a consumer's queue is bound to the exchange of its event or command, read back from the bindings that follow
//! from it: a checked contract holds the bindings, and not what was written to get them.

use serde_json::{Map, Value};

use crate::contract::{Binding, Consumer, Contract, Destination, ExchangeType, Owner, topic_matches};

/// What a consumer says beside the event or command that it takes.
#[derive(Debug, Default)]
pub(super) struct Bound<'c> {
    /// The key to bind with, where it is not the event's.
    pub(super) routing_key: Option<&'c str>,
    /// The headers that a message must have.
    pub(super) headers: Option<Map<String, Value>>,
    /// The exchange that messages come by.
    pub(super) bridge: Option<&'c str>,
}

/// How the queue of `consumer` is bound to what publishes `flow`.
pub(super) fn bound<'c>(contract: &'c Contract, consumer: &Consumer, flow: &str) -> Bound<'c> {
    let Some(flow) = contract.publishers.get(flow) else { return Bound::default() };
    let written = flow.routing_key.as_deref().or(flow.pattern.as_deref()).unwrap_or_default();
    let fits = |binding: &&Binding| match flow.exchange_kind {
        ExchangeType::Topic => binding.routing_key == written || topic_matches(&binding.routing_key, written),
        ExchangeType::Direct => binding.routing_key == written,
        ExchangeType::Fanout | ExchangeType::Headers => true,
    };
    // What was written for this consumer comes first, then what has the event's own key.
    let best = |source: &str, destination: &Destination| {
        let candidates = contract.bindings.iter().filter(|binding| {
            binding.owner == Owner::Us && binding.exchange == source && binding.destination == *destination
        });
        let own = format!("/consumers/{}", consumer.name.replace('~', "~0").replace('/', "~1"));
        candidates
            .filter(|binding| binding.from == own || fits(binding))
            .max_by_key(|binding| (binding.from == own, binding.routing_key == written))
    };
    let queue = Destination::Queue(consumer.queue.clone());
    let direct = best(&flow.exchange, &queue);
    let (binding, bridge) = match direct {
        Some(binding) => (binding, None),
        None => {
            let bridged = contract.exchanges.keys().find_map(|bridge| {
                let over = best(&flow.exchange, &Destination::Exchange(bridge.clone()))?;
                let ends = contract.bindings.iter().any(|binding| {
                    binding.owner == Owner::Us && binding.exchange == *bridge && binding.destination == queue
                });
                ends.then_some((over, bridge.as_str()))
            });
            match bridged {
                Some((binding, bridge)) => (binding, Some(bridge)),
                None => return Bound::default(),
            }
        }
    };
    let mut headers = binding.arguments.clone();
    headers.remove("x-match");
    Bound {
        routing_key: Some(binding.routing_key.as_str()).filter(|key| *key != written && !key.is_empty()),
        headers: Some(headers).filter(|headers| !headers.is_empty()),
        bridge,
    }
}
