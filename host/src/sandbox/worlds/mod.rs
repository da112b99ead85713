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
mod subject;
mod wasmcloud_2;
mod wasmcloud_3;
mod world;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::outbox::{Refusal, Request};
use super::state::State;

use subject::Astray;
pub(super) use world::{Bound, Flavour, Input, World};

/// What a call of such a handler needs beside what ours do.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    told: Arc<Told>,
    /// Bytes of messages that the guest has the host keep.
    letter_bytes: usize,
}

/// What was said about a handler, once.
#[derive(Debug, Default)]
pub(super) struct Told {
    requests: AtomicBool,
    dropped: AtomicBool,
}

impl Foreign {
    pub(super) fn new(told: Arc<Told>) -> Self {
        Self { told, letter_bytes: 0 }
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
    state.outbox.refused = Some(text.clone());
    if first(&state.foreign.told.requests) {
        state.warn(&text);
    }
    text
}

/// What a handler of our own answers.
fn own(failure: super::wit::warren::handler::types::Failure) -> crate::policy::Failure {
    super::call::own(failure)
}
