//! What is published in the course of a delivery: outputs of the handler, copies for wait queues, dead letters.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::broker::Publication;
use crate::contract::DeadLetter;
use crate::message::{HeaderValue, Message};
use crate::policy::{Attempt, Outcome, copy, history};
use crate::sandbox::Outgoing;
use crate::topology::wait_queue_name;

use super::Subscription;

/// An outgoing message of the handler, with what the host adds.
pub(super) fn publication(
    subscription: &Subscription,
    input: &Message,
    input_id: &str,
    outgoing: Outgoing,
) -> Publication {
    let Outgoing { publisher, routing_key, mut properties, headers, body } = outgoing;
    let correlation_id = input.properties.correlation_id.clone().unwrap_or_else(|| input_id.to_owned());
    properties.correlation_id.get_or_insert(correlation_id);
    properties.timestamp.get_or_insert_with(|| now_ms() / 1000);
    properties.app_id.get_or_insert_with(|| subscription.app_id.clone());
    let (body, encoding) = publisher.message.encode(body);
    properties.content_encoding = encoding.map(str::to_owned).or(properties.content_encoding);
    let mut message = Message { properties, headers, body, ..Message::default() };
    message.set_header(history::CAUSATION_ID, HeaderValue::text(input_id));
    for name in ["traceparent", "tracestate"] {
        if let (None, Some(value)) = (message.header(name), input.header(name)) {
            message.set_header(name, value.clone());
        }
    }
    Publication { exchange: publisher.exchange.clone(), routing_key, message }
}

/// By the default exchange, which reaches a queue by its name.
pub(super) fn to_wait_queue(subscription: &Subscription, tier_ms: u64, message: Message) -> Publication {
    let routing_key = wait_queue_name(&subscription.holder.queue, tier_ms);
    Publication { exchange: String::new(), routing_key, message }
}

/// Likewise.
pub(super) fn to_own_queue(subscription: &Subscription, message: Message) -> Publication {
    Publication { exchange: String::new(), routing_key: subscription.holder.queue.clone(), message }
}

pub(super) fn dead_letter(
    subscription: &Subscription,
    message: &Message,
    outcome: &Outcome,
    attempt: Attempt,
) -> Option<Publication> {
    // None: the contract says `onPoison: drop`.
    let DeadLetter { exchange, routing_key } = subscription.dead_letter.as_ref()?;
    let (_, original_key) = history::origin(message);
    let routing_key = routing_key.clone().unwrap_or_else(|| original_key.to_owned());
    let message = copy::for_dead_letter(message, outcome, attempt, &subscription.holder, now_ms());
    Some(Publication { exchange: exchange.clone(), routing_key, message })
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
