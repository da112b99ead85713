//! Reads from a message how often it has been tried, and what earlier attempts left in its headers.

use crate::contract::{Queue, QueueType, Retry};
use crate::message::Message;

use super::Attempt;

/// Retries so far; the name is amqp-contract's, so that a mixed fleet counts alike.
pub const RETRY_COUNT: &str = "x-retry-count";
/// The last failure's text; amqp-contract's name.
pub const LAST_ERROR: &str = "x-last-error";
/// When the first attempt failed, in milliseconds since 1970; amqp-contract's name.
pub const FIRST_FAILURE: &str = "x-first-failure-timestamp";
/// The routing key that the message was first published with; amqp-contract's name.
pub const ORIGINAL_ROUTING_KEY: &str = "x-original-routing-key";
/// The exchange that the message was first published to.
pub const ORIGINAL_EXCHANGE: &str = "x-original-exchange";
/// The expiration that the message was first published with.
pub const ORIGINAL_EXPIRATION: &str = "x-original-expiration";
/// The earliest time of the next attempt, in milliseconds since 1970.
pub const NOT_BEFORE: &str = "x-warren-not-before";
/// How often a message of a classic queue was handed over before it was put at the end of that queue.
pub const DELIVERIES: &str = "x-warren-deliveries";
/// A quorum queue's own count.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// Likewise, from RabbitMQ 4.3, with those that the limit does not count.
const ACQUIRED_COUNT: &str = "x-acquired-count";
/// The message that a handler was handling when it published this one.
pub const CAUSATION_ID: &str = "x-causation-id";

/// Handed over so often before, a message may be what brings the host down: it is handled alone. Its neighbours, which
/// only happened to be prefetched, are then settled before it is handed over for the last time.
pub const SUSPECT_DELIVERIES: u64 = 3;

/// How a message arrived, beside what it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The type of the queue it came from.
    pub queue: QueueType,
    /// Whether the broker says that it handed it over before.
    pub redelivered: bool,
}

/// How often this message was handed over before, and not settled.
///
/// A quorum queue counts: up to RabbitMQ 4.2 in `x-delivery-count`; from 4.3 that leaves out some returns, and
/// `x-acquired-count` has them all. A classic queue says no more than that there was one; what was counted before that is
/// in a header of ours, where `may_recount`.
///
/// Such headers can be published, as well: a shovel moves a dead letter with all of them, and RabbitMQ 4.3 hands it over
/// for the first time with the counts of its former queue. So they mean nothing before the broker says `redelivered`, and
/// nothing at all on a classic queue. What is not told apart: a message that went from RabbitMQ 4.3 to an older one and
/// came back there keeps the count that it had.
pub fn deliveries(message: &Message, arrival: Arrival) -> u64 {
    match (arrival.queue, arrival.redelivered) {
        (QueueType::Quorum, false) => 0,
        (QueueType::Quorum, true) => {
            count(message, ACQUIRED_COUNT).or(count(message, DELIVERY_COUNT)).unwrap_or(1).max(1)
        }
        (QueueType::Classic, redelivered) => {
            count(message, DELIVERIES).unwrap_or(0).saturating_add(u64::from(redelivered))
        }
    }
}

/// How many deliveries count against the broker's own limit. From RabbitMQ 4.3, a message that was given back by a host
/// that stops is not among them.
fn failed_deliveries(message: &Message, arrival: Arrival) -> u64 {
    let before = deliveries(message, arrival);
    match count(message, ACQUIRED_COUNT) {
        // Absent if there is none. A published one is not overwritten until there is: it cannot be more than all.
        Some(_) => count(message, DELIVERY_COUNT).unwrap_or(0).min(before),
        None => before,
    }
}

/// The attempt that this delivery is.
pub fn attempt(message: &Message, arrival: Arrival, retry: &Retry) -> Attempt {
    let before = if is_native(retry) {
        failed_deliveries(message, arrival)
    } else {
        count(message, RETRY_COUNT).unwrap_or(0)
    };
    let number = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
    Attempt { number, max: retry.max_attempts() }
}

/// Whether the message has been handed over so often that it may be what brings the host down, `deliveries_max` times;
/// or, where the broker counts attempts, once more than there are attempts.
pub fn is_poison(message: &Message, arrival: Arrival, retry: &Retry, deliveries_max: u32) -> bool {
    let before = deliveries(message, arrival);
    if !is_native(retry) {
        return before >= deliveries_max.max(1).into();
    }
    let attempt = attempt(message, arrival, retry);
    attempt.number > attempt.max || before >= deliveries_max.max(attempt.max).into()
}

/// Whether the message is to be handled alone, with nothing else in hand: what it may bring down is then only itself.
pub fn is_suspect(message: &Message, arrival: Arrival) -> bool {
    deliveries(message, arrival) >= SUSPECT_DELIVERIES
}

/// From how many earlier deliveries on nothing is to be handed over with a message when a channel begins. A host that was
/// brought down adds one to each message that it had, innocent or not; two are left to the innocents, or as many as the
/// limit allows.
pub fn careful_from(retry: &Retry, deliveries_max: u32) -> u64 {
    let limit = if is_native(retry) { retry.max_attempts() } else { deliveries_max };
    u64::from(limit).saturating_sub(2).clamp(1, SUSPECT_DELIVERIES)
}

/// Whether a message that comes back from this queue is first put at its end, by `copy::for_recount`, with the count that
/// the queue does not keep. Not where that would change the order that one consumer is there for; and not where the queue
/// may be full, and would drop another message for it, or take none.
pub fn may_recount(queue: &Queue) -> bool {
    let limited =
        ["x-max-length", "x-max-length-bytes"].iter().any(|name| queue.arguments.contains_key(*name));
    queue.kind == QueueType::Classic && !has_single_consumer(queue) && !limited
}

/// Whether what a host that stops has not begun goes back all at once, with its channel, so that it keeps its order: where
/// one consumer is there for that. The broker counts it as a delivery then, so not where it counts attempts.
pub fn is_ordered(queue: &Queue) -> bool {
    has_single_consumer(queue) && !is_native(&queue.retry)
}

fn has_single_consumer(queue: &Queue) -> bool {
    let single = queue.arguments.get("x-single-active-consumer").and_then(serde_json::Value::as_bool);
    single == Some(true)
}

fn is_native(retry: &Retry) -> bool {
    matches!(retry, Retry::QuorumNative { .. } | Retry::NativeDelay { .. })
}

fn count(message: &Message, header: &str) -> Option<u64> {
    message.header(header).and_then(|value| value.as_integer()).and_then(|count| u64::try_from(count).ok())
}

/// When a message that came back early is due, in milliseconds since 1970.
pub fn not_before_ms(message: &Message) -> Option<u64> {
    message.header(NOT_BEFORE).and_then(|value| value.as_integer()).and_then(|at| u64::try_from(at).ok())
}

/// The exchange and routing key that the message was first published with.
pub fn origin(message: &Message) -> (&str, &str) {
    let text = |name: &str| message.header(name).and_then(|value| value.as_text());
    match text(ORIGINAL_ROUTING_KEY) {
        Some(key) => (text(ORIGINAL_EXCHANGE).unwrap_or(&message.exchange), key),
        None => (&message.exchange, &message.routing_key),
    }
}

/// Whether a header is bookkeeping of the broker or the host, and no part of what the publisher said.
pub fn is_bookkeeping(name: &str) -> bool {
    const OWN: [&str; 8] = [
        RETRY_COUNT,
        LAST_ERROR,
        FIRST_FAILURE,
        ORIGINAL_ROUTING_KEY,
        ORIGINAL_EXCHANGE,
        ORIGINAL_EXPIRATION,
        NOT_BEFORE,
        CAUSATION_ID,
    ];
    is_brokers(name) || OWN.contains(&name) || name.starts_with("x-warren-")
}

/// Whether a header is the broker's own. Such headers must not be published again: RabbitMQ 3 reads a published
/// `x-death` and drops the message as a cycle, and `CC` would send a copy to its other receivers once more.
pub fn is_brokers(name: &str) -> bool {
    matches!(name, "x-death" | DELIVERY_COUNT | ACQUIRED_COUNT | "CC" | "BCC" | "x-delay")
        || name.starts_with("x-first-death-")
        || name.starts_with("x-last-death-")
}
