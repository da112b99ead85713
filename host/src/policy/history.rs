//! Reads from a message how often it has been tried, and what earlier attempts left in its headers.

use crate::contract::Retry;
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
/// The message that a handler was handling when it published this one.
pub const CAUSATION_ID: &str = "x-causation-id";

/// How often the broker says it handed this message over before. Up to RabbitMQ 4.2 that is `x-delivery-count`; from
/// 4.3 that header leaves out some returns, and `x-acquired-count` has them all.
pub fn deliveries(message: &Message) -> u64 {
    let count = |name: &str| message.header(name).and_then(|value| value.as_integer()).unwrap_or(0);
    u64::try_from(count("x-delivery-count").max(count("x-acquired-count"))).unwrap_or(0)
}

/// The attempt that this delivery is.
pub fn attempt(message: &Message, retry: &Retry) -> Attempt {
    let before = match retry {
        Retry::QuorumNative { .. } => deliveries(message),
        // What the broker's own limit counts: a message given back by a host that stops is no attempt.
        Retry::NativeDelay { .. } => {
            let count = message.header("x-delivery-count").and_then(|value| value.as_integer()).unwrap_or(0);
            u64::try_from(count).unwrap_or(0)
        }
        Retry::None | Retry::TtlBackoff(_) => {
            let count = message.header(RETRY_COUNT).and_then(|value| value.as_integer()).unwrap_or(0);
            u64::try_from(count).unwrap_or(0)
        }
    };
    let number = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
    Attempt { number, max: retry.max_attempts() }
}

/// Whether the message has been handed over so often that it may be what brings the host down. Where the broker's
/// count is the retry policy, the policy bounds it.
pub fn is_poison(message: &Message, retry: &Retry, deliveries_max: u32) -> bool {
    let native = matches!(retry, Retry::QuorumNative { .. } | Retry::NativeDelay { .. });
    !native && deliveries(message) >= deliveries_max.max(1).into()
}

/// Whether the message has been handed over so often without being settled that it may be what brings hosts down.
pub fn is_suspect(message: &Message) -> bool {
    deliveries(message) >= 3
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
    matches!(name, "x-death" | "x-delivery-count" | "x-acquired-count" | "CC" | "BCC" | "x-delay")
        || name.starts_with("x-first-death-")
        || name.starts_with("x-last-death-")
}
