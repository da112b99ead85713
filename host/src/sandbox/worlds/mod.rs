//! Handlers that were built for other hosts, unmodified: what they export is called, what they import is given to them, and
//! both mean what they mean for our own: publications go into the outbox, failures to the policy.
//!
//! A file for each interface holds its generated bindings and translates. What they share is here and in `subject` (where a
//! publication goes) and `carried` (what of a message gets across).

mod carried;
mod letter;
mod logging;
mod messaging;
mod messaging_async;
mod ours;
mod subject;
mod wasmcloud_2;
mod wasmcloud_3;
mod world;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::policy::Failure;

use super::Ready;
use super::outbox::{Refusal, Request};
use super::state::State;

use carried::Carried;
pub(super) use ours::Whole;
use subject::Astray;
pub(super) use world::{Bound, Flavour, Input, World};

/// What a call of such a handler needs beside what ours do.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    told: Arc<Told>,
    /// Bytes of messages that the guest has the host keep.
    letter_bytes: usize,
    /// Whether anything was refused through one of these interfaces.
    asked: bool,
}

/// What was said about a handler, once.
#[derive(Debug, Default)]
pub(super) struct Told {
    requests: AtomicBool,
    dropped: AtomicBool,
}

impl Foreign {
    pub(super) fn new(told: Arc<Told>) -> Self {
        Self { told, letter_bytes: 0, asked: false }
    }
}

impl Told {
    /// Counts what a message loses on its way to the guest, and says so once.
    pub(super) fn left_behind(&self, ready: &Ready, carried: &Carried) {
        if carried.left_behind == 0 {
            return;
        }
        ready.metrics.dropped_headers.inc_by(carried.left_behind as u64);
        if first(&self.dropped) {
            tracing::warn!(
                consumer = &*ready.consumer,
                "`{}` has no place for {} headers and properties of this message, and none for those of others; they are counted in `warren_foreign_dropped_headers_total`",
                ready.world.flavour().name(),
                carried.left_behind
            );
        }
    }
}

/// Says which interface a component is called by, where it is not ours.
pub(super) fn tell(consumer: &str, called: Flavour, all: &[Flavour]) {
    if called == Flavour::Ours {
        return;
    }
    tracing::info!(consumer, "the handler is a component for `{}`", called.name());
    for other in all.iter().filter(|other| **other != called) {
        tracing::warn!(consumer, "it could be called by `{}` as well, which is ignored", other.name());
    }
}

/// Whether this is the first time.
fn first(told: &AtomicBool) -> bool {
    !told.swap(true, Ordering::Relaxed)
}

/// A publication that was not taken.
#[derive(Debug)]
struct Unpublished {
    subject: String,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Astray(#[from] Astray),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the message has no reply-to")]
    NoReplyTo,
}

impl fmt::Display for Unpublished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "publishing to `{}` was refused: {}", self.subject, self.reason)
    }
}

/// Puts a message into the outbox, through the publisher that the subject means.
fn publish(state: &mut State, subject: &str, mut request: Request) -> Result<(), Unpublished> {
    let put = match subject::target(state.grants(), subject) {
        Ok(target) => {
            request.routing_key = target.routing_key;
            state.put(&target.publisher, request).map(drop).map_err(Reason::from)
        }
        Err(astray) => Err(astray.into()),
    };
    put.map_err(|reason| {
        let unpublished = Unpublished { subject: subject.to_owned(), reason };
        refused(state, &unpublished);
        unpublished
    })
}

/// Keeps for the dead letter, and says in the log, what the guest may keep to itself.
fn refused(state: &mut State, unpublished: &Unpublished) {
    state.foreign.asked = true;
    let before = state.outbox.refused.replace(unpublished.to_string());
    if before.is_none() {
        state.warn(&unpublished.to_string());
    }
}

/// Why a request cannot be made, as the guest is told it.
fn no_requests(state: &mut State, subject: &str) -> String {
    let text = format!(
        "cannot ask `{subject}` and wait for an answer: what a handler publishes is sent when it is done"
    );
    state.foreign.asked = true;
    state.outbox.refused = Some(text.clone());
    if first(&state.foreign.told.requests) {
        state.warn(&text);
    }
    text
}

impl State {
    /// A failure, with what went before it, which the guest may not say.
    pub(super) fn explained(&self, failure: Failure) -> Failure {
        let Some(refused) = self.outbox.refused.as_ref().filter(|_| self.foreign.asked) else {
            return failure;
        };
        let with = |text: String| {
            if text.contains(&*refused) { text } else { format!("{text}; before that, {refused}") }
        };
        match failure {
            Failure::Permanent(text) => Failure::Permanent(with(text)),
            Failure::Transient(text) => Failure::Transient(with(text)),
            Failure::Unauthorized(text) => Failure::Unauthorized(with(text)),
            limited @ Failure::RateLimited { .. } => limited,
        }
    }
}
