//! Makes the copy of a message that takes its place: in a wait queue for a later attempt, or as a dead letter.

use std::time::Duration;

use crate::message::{HeaderValue, Message};

use super::history::{
    self, Arrival, FIRST_FAILURE, LAST_ERROR, NOT_BEFORE, ORIGINAL_EXCHANGE, ORIGINAL_EXPIRATION,
    ORIGINAL_ROUTING_KEY, RETRY_COUNT,
};
use super::{Attempt, Outcome, trail};

/// The longest error text in a header, in bytes. All headers together have to fit into one AMQP frame of 128 KiB.
const ERROR_BYTES_MAX: usize = 2_000;

/// How much a copy's headers may take, in bytes: the frame, less room for the other properties and for what the host adds.
pub(super) const HEADER_BYTES_MAX: usize = 112 * 1024;
/// Says which headers a copy had no room for.
const DROPPED_HEADERS: &str = "x-warren-dropped-headers";

/// Who had the message, for the dead letter.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Name and version of the contract, as `name@version`.
    pub contract: String,
    /// The consumer.
    pub consumer: String,
    /// The queue.
    pub queue: String,
    /// SHA-256 of the component, in hex.
    pub component: String,
}

/// The copy for the next attempt. `now_ms`: milliseconds since 1970.
pub fn for_retry(
    message: &Message,
    outcome: &Outcome,
    attempt: Attempt,
    after: Duration,
    now_ms: u64,
) -> Message {
    let mut copy = failed(message, outcome, attempt, now_ms);
    copy.set_header(RETRY_COUNT, HeaderValue::I32(i32::try_from(attempt.number).unwrap_or(i32::MAX)));
    copy.properties.expiration = Some(after.as_millis().to_string());
    if let Outcome::Failed(super::Failure::RateLimited { retry_after, .. }) = outcome
        && *retry_after > after
    {
        let due_ms = now_ms.saturating_add(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX));
        copy.set_header(NOT_BEFORE, HeaderValue::I64(i64::try_from(due_ms).unwrap_or(i64::MAX)));
    }
    copy
}

/// The copy of a message that came back before it was due: as it is, for another wait.
pub fn for_wait(message: &Message, after: Duration) -> Message {
    let mut copy = stripped(message);
    if let Some(due) = message.header(NOT_BEFORE) {
        copy.set_header(NOT_BEFORE, due.clone());
    }
    copy.properties.expiration = Some(after.as_millis().to_string());
    copy
}

/// The copy of a message that came back from a queue which does not count, for the end of that queue: as it is, with the
/// count. It goes there by the default exchange, and is handled when it arrives.
pub fn for_recount(message: &Message, arrival: Arrival) -> Message {
    let mut copy = stripped(message);
    if let Some(due) = message.header(NOT_BEFORE) {
        copy.set_header(NOT_BEFORE, due.clone());
    }
    let deliveries = history::deliveries(message, arrival);
    copy.set_header(history::DELIVERIES, HeaderValue::I64(i64::try_from(deliveries).unwrap_or(i64::MAX)));
    // It stays where it was, and is to expire there as its publisher said.
    copy.properties.expiration.clone_from(&message.properties.expiration);
    copy
}

/// The dead letter. It explains itself: what happened last and before, how often it was tried and when, by whom, and where
/// it came from. Its trace is the `traceparent` that it came with, where it came with one.
pub fn for_dead_letter(
    message: &Message,
    outcome: &Outcome,
    attempt: Attempt,
    holder: &Holder,
    now_ms: u64,
) -> Message {
    let mut copy = failed(message, outcome, attempt, now_ms);
    copy.set_header(RETRY_COUNT, HeaderValue::I32(i32::try_from(attempt.number - 1).unwrap_or(i32::MAX)));
    copy.set_header("x-warren-class", HeaderValue::text(outcome.class()));
    copy.set_header("x-warren-attempts", HeaderValue::I32(i32::try_from(attempt.number).unwrap_or(i32::MAX)));
    copy.set_header("x-warren-dead-lettered-at", HeaderValue::I64(i64::try_from(now_ms).unwrap_or(i64::MAX)));
    copy.set_header("x-warren-contract", HeaderValue::text(&holder.contract));
    copy.set_header("x-warren-consumer", HeaderValue::text(&holder.consumer));
    copy.set_header("x-warren-queue", HeaderValue::text(&holder.queue));
    copy.set_header("x-warren-component", HeaderValue::text(&holder.component));
    copy
}

fn failed(message: &Message, outcome: &Outcome, attempt: Attempt, now_ms: u64) -> Message {
    let mut copy = stripped(message);
    copy.set_header(LAST_ERROR, HeaderValue::text(bounded(&outcome.reason(), ERROR_BYTES_MAX)));
    copy.set_header(trail::HISTORY, trail::with(message, outcome, attempt, now_ms));
    if copy.header(FIRST_FAILURE).is_none() {
        copy.set_header(FIRST_FAILURE, HeaderValue::I64(i64::try_from(now_ms).unwrap_or(i64::MAX)));
    }
    copy
}

/// The message without what the broker added and would misread, and with where it came from.
fn stripped(message: &Message) -> Message {
    let mut copy = message.clone();
    let ours = [NOT_BEFORE, history::DELIVERIES];
    copy.headers.retain(|(name, _)| !history::is_brokers(name) && !ours.contains(&name.as_str()));
    let (exchange, routing_key) = history::origin(message);
    copy.set_header(ORIGINAL_EXCHANGE, HeaderValue::text(exchange));
    copy.set_header(ORIGINAL_ROUTING_KEY, HeaderValue::text(routing_key));
    // In a wait queue or a dead-letter queue the publisher's expiration would throw the message away.
    if let Some(expiration) = copy.properties.expiration.take()
        && copy.header(RETRY_COUNT).is_none()
    {
        copy.set_header(ORIGINAL_EXPIRATION, HeaderValue::text(expiration));
    }
    make_room(&mut copy);
    // The broker refuses a user id that is not the publishing connection's own.
    copy.properties.user_id = None;
    copy
}

/// A message whose headers fill its frame has no room for ours, and the broker would close the connection. The largest
/// headers go, by name; the body, and that the message exists, are worth more.
fn make_room(copy: &mut Message) {
    let size = |copy: &Message| {
        copy.headers.iter().map(|(name, value)| name.len() + 1 + value.size()).sum::<usize>()
    };
    let mut dropped: Vec<String> = Vec::new();
    while size(copy) > HEADER_BYTES_MAX {
        let sizes = copy.headers.iter().enumerate().map(|(index, (_, value))| (value.size(), index));
        let Some((_, largest)) = sizes.max() else { break };
        dropped.push(copy.headers.swap_remove(largest).0);
    }
    if !dropped.is_empty() {
        copy.set_header(DROPPED_HEADERS, HeaderValue::text(bounded(&dropped.join(" "), ERROR_BYTES_MAX)));
    }
}

/// The beginning of a text that is too long, in bytes.
pub(super) fn bounded(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes_max)])
}
