//! Decides what becomes of a delivery: (outcome, attempt, retry policy) -> disposition.
//!
//! Pure: no clock, no randomness, no IO, and no way to fail; time and jitter are arguments. `history` reads how often
//! a message was tried, `copy` makes the message that is published in place of one that could not be handled, `trail` what
//! that says of the attempts so far.

pub mod copy;
pub mod history;
pub mod trail;

use std::time::Duration;

use crate::contract::{DeliveryMode, FailureAction, OnFailure, Retry};

/// The longest that the host keeps a message that is to be requeued later. The broker closes the channel of one that is
/// kept for half an hour.
const HOLD_MAX: Duration = Duration::from_secs(600);

/// What came of handing a message to its handler.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The handler returned ok, and what it wants published is in the outbox.
    Handled,
    /// The handler said why not.
    Failed(Failure),
    /// The handler broke the rules.
    Faulted(Fault),
    /// The message does not satisfy the contract; the handler was not asked.
    Invalid(Vec<String>),
    /// The message has been handed over suspiciously often without being settled; the handler was not asked.
    Poison {
        /// How often the broker handed it over before.
        deliveries: u64,
    },
    /// The message came back to a consumer that handles none twice; whether it was handled before is not known, and the
    /// handler was not asked.
    Redelivered,
}

/// Why the handler did not handle the message.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// No retry can help.
    Permanent(String),
    /// A retry may help.
    Transient(String),
    /// A retry will help, but not sooner.
    RateLimited {
        /// Not sooner than this.
        retry_after: Duration,
        /// Why.
        reason: String,
    },
    /// It was not allowed to.
    Unauthorized(String),
}

/// How the guest broke the rules.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// It trapped; the text says how, and what it wrote to stderr.
    Trap(String),
    /// It was not done in time.
    Deadline(Duration),
    /// It computed for longer than it may.
    Cpu(Duration),
    /// It wanted more memory than it may have.
    Memory {
        /// The limit, in bytes.
        limit: usize,
    },
}

/// What the host does with a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Disposition {
    /// Send the outbox, then acknowledge.
    Ack,
    /// Give it back to the queue, counted by the broker.
    Requeue {
        /// Not sooner than this; the host keeps it until then.
        after: Duration,
    },
    /// Publish a copy that comes back after a delay, then acknowledge.
    Retry {
        /// Which wait queue: its base delay, in milliseconds.
        tier_ms: u64,
        /// How long the copy stays there.
        after: Duration,
    },
    /// Publish a copy with the reason to the dead-letter exchange, then acknowledge.
    DeadLetter,
}

/// The attempt at hand and the last one allowed, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// This attempt.
    pub number: u32,
    /// The attempt after which a failure is final.
    pub max: u32,
}

/// Decides. `on_failure` is what the contract says otherwise than the classes do; with at most one `delivery`, nothing is
/// tried again, whatever else is said; `jitter` is a random number from 0 up to 1.
pub fn decide(
    outcome: &Outcome,
    attempt: Attempt,
    retry: &Retry,
    on_failure: &OnFailure,
    delivery: DeliveryMode,
    jitter: f64,
) -> Disposition {
    let action = match outcome {
        Outcome::Handled => return Disposition::Ack,
        Outcome::Invalid(_) | Outcome::Poison { .. } | Outcome::Redelivered => FailureAction::DeadLetter,
        Outcome::Failed(Failure::Permanent(_)) => on_failure.permanent.unwrap_or(FailureAction::DeadLetter),
        Outcome::Failed(Failure::Unauthorized(_)) => {
            on_failure.unauthorized.unwrap_or(FailureAction::DeadLetter)
        }
        Outcome::Failed(Failure::Transient(_)) => on_failure.transient.unwrap_or(FailureAction::Retry),
        Outcome::Failed(Failure::RateLimited { .. }) => {
            on_failure.rate_limited.unwrap_or(FailureAction::Retry)
        }
        Outcome::Faulted(Fault::Trap(_)) => on_failure.trap.unwrap_or(FailureAction::Retry),
        Outcome::Faulted(Fault::Deadline(_) | Fault::Cpu(_)) => {
            on_failure.deadline.unwrap_or(FailureAction::Retry)
        }
        Outcome::Faulted(Fault::Memory { .. }) => on_failure.memory.unwrap_or(FailureAction::Retry),
    };
    let final_at_once = action == FailureAction::DeadLetter || delivery == DeliveryMode::AtMostOnce;
    if final_at_once || attempt.number >= attempt.max {
        return Disposition::DeadLetter;
    }
    let not_before = match outcome {
        Outcome::Failed(Failure::RateLimited { retry_after, .. }) => *retry_after,
        _ => Duration::ZERO,
    };
    match retry {
        Retry::None => Disposition::DeadLetter,
        Retry::QuorumNative { .. } => Disposition::Requeue { after: not_before.min(HOLD_MAX) },
        // The broker delays it by itself; what was asked for beyond that is waited here.
        Retry::NativeDelay { .. } => {
            let brokers = delayed_by_broker(retry, attempt.number);
            Disposition::Requeue { after: not_before.saturating_sub(brokers).min(HOLD_MAX) }
        }
        Retry::TtlBackoff(backoff) => {
            let base_ms = backoff.base_delay_ms(attempt.number - 1);
            let jittered_ms =
                if backoff.jitter { (base_ms as f64 * (0.5 + jitter)).round() as u64 } else { base_ms };
            let after_ms = jittered_ms.max(u64::try_from(not_before.as_millis()).unwrap_or(u64::MAX)).max(1);
            wait(backoff, base_ms, after_ms)
        }
    }
}

/// How long the broker itself keeps a message back that is requeued after this attempt.
pub fn delayed_by_broker(retry: &Retry, attempt: u32) -> Duration {
    match retry {
        Retry::NativeDelay { initial_delay, max_delay, .. } => {
            initial_delay.saturating_mul(attempt).min(*max_delay)
        }
        Retry::None | Retry::QuorumNative { .. } | Retry::TtlBackoff(_) => Duration::ZERO,
    }
}

/// The wait queue that can hold a message for `after_ms`: the one of this retry, or the first that is long enough.
/// Where none is, the longest one; the copy carries when it is due, and waits again if it comes back sooner.
pub fn wait(backoff: &crate::contract::Backoff, base_ms: u64, after_ms: u64) -> Disposition {
    let tiers = backoff.tiers_ms();
    let fitting =
        tiers.iter().copied().find(|tier| *tier >= base_ms && backoff.longest_ms(*tier) >= after_ms);
    let tier_ms = fitting.or(tiers.last().copied()).unwrap_or(base_ms);
    let after_ms = after_ms.min(backoff.longest_ms(tier_ms));
    Disposition::Retry { tier_ms, after: Duration::from_millis(after_ms) }
}

impl Outcome {
    /// The class of the outcome: one word for headers, logs and metrics.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Failed(Failure::Permanent(_)) => "permanent",
            Self::Failed(Failure::Transient(_)) => "transient",
            Self::Failed(Failure::RateLimited { .. }) => "rate-limited",
            Self::Failed(Failure::Unauthorized(_)) => "unauthorized",
            Self::Faulted(Fault::Trap(_)) => "trap",
            Self::Faulted(Fault::Deadline(_) | Fault::Cpu(_)) => "deadline",
            Self::Faulted(Fault::Memory { .. }) => "memory",
            Self::Invalid(_) => "invalid",
            Self::Poison { .. } => "poison",
            Self::Redelivered => "redelivered",
        }
    }

    /// Why the message was not handled, for the log and the dead letter.
    pub fn reason(&self) -> String {
        match self {
            Self::Handled => String::new(),
            Self::Failed(
                Failure::Permanent(text) | Failure::Transient(text) | Failure::Unauthorized(text),
            ) => text.clone(),
            Self::Failed(Failure::RateLimited { retry_after, reason }) => {
                format!("{reason} (asked to wait {} ms)", retry_after.as_millis())
            }
            Self::Faulted(Fault::Trap(text)) => text.clone(),
            Self::Faulted(Fault::Deadline(deadline)) => {
                format!("not done within its deadline of {} ms", deadline.as_millis())
            }
            Self::Faulted(Fault::Cpu(limit)) => {
                format!("computed for longer than its limit of {} ms", limit.as_millis())
            }
            Self::Faulted(Fault::Memory { limit }) => {
                format!("asked for more memory than its limit of {} MiB", limit / (1024 * 1024))
            }
            Self::Invalid(reasons) => reasons.join("; "),
            Self::Poison { deliveries } => {
                format!("handed over {deliveries} times without being settled; it may be what stops the host")
            }
            Self::Redelivered => {
                "handed over before, by `delivery: at-most-once` not to be handled twice, and perhaps handled then; \
                 publish it again if it was not"
                    .to_owned()
            }
        }
    }
}

#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
