//! The attempts of a message so far, in a header of its copies and of its dead letter: which, when, and what came of it.
//!
//! Bounded: the newest are kept, with the beginning of each error. Attempts that left no copy are not in it: those of
//! `quorum-native` and `native-delay`, where the message stays in its queue, and those that ended with the host.

use crate::message::{HeaderValue, Message};

use super::copy::bounded;
use super::{Attempt, Outcome};

/// The attempts, oldest first: an array of tables of `attempt` (from 1), `at` (when it ended, in milliseconds since 1970),
/// `class` and `error`.
pub const HISTORY: &str = "x-warren-history";
/// How many attempts are kept.
const ATTEMPTS_MAX: usize = 16;
/// How much of each error is kept, in bytes.
const ERROR_BYTES_MAX: usize = 200;
/// How much of each class is kept, in bytes: more than any has, but a header is what somebody wrote.
const CLASS_BYTES_MAX: usize = 32;

/// The attempts of `message` and the one that just ended, at `now_ms`.
pub(super) fn with(message: &Message, outcome: &Outcome, attempt: Attempt, now_ms: u64) -> HeaderValue {
    let before = match message.header(HISTORY) {
        Some(HeaderValue::Array(entries)) => entries.as_slice(),
        _ => &[],
    };
    let newest = &before[before.len().saturating_sub(ATTEMPTS_MAX - 1)..];
    let mut entries: Vec<HeaderValue> = newest.iter().filter_map(read).collect();
    let at = i64::try_from(now_ms).unwrap_or(i64::MAX);
    entries.push(entry(attempt.number.into(), at, outcome.class(), &outcome.reason()));
    HeaderValue::Array(entries)
}

/// An entry as it was written, and nothing that somebody put beside it.
fn read(value: &HeaderValue) -> Option<HeaderValue> {
    let HeaderValue::Table(fields) = value else { return None };
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value);
    let (attempt, at) = (field("attempt")?.as_integer()?, field("at")?.as_integer()?);
    Some(entry(attempt, at, field("class")?.as_text()?, field("error")?.as_text()?))
}

fn entry(attempt: i64, at: i64, class: &str, error: &str) -> HeaderValue {
    let fields = [
        ("attempt", HeaderValue::I64(attempt)),
        ("at", HeaderValue::I64(at)),
        ("class", HeaderValue::text(bounded(class, CLASS_BYTES_MAX))),
        ("error", HeaderValue::text(bounded(error, ERROR_BYTES_MAX))),
    ];
    HeaderValue::Table(fields.map(|(name, value)| (name.to_owned(), value)).into())
}
