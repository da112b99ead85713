//! What became of deliveries, for the log and the counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::policy::Disposition;
use crate::policy::copy::Holder;

use super::{Done, Subscription};

/// Settled deliveries, by what became of them.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Tally {
    pub handled: AtomicU64,
    pub retried: AtomicU64,
    pub dead_lettered: AtomicU64,
}

/// One log event for each settled delivery.
pub(super) fn record(subscription: &Subscription, done: &Done, took: Duration) {
    let Holder { consumer, queue, .. } = &subscription.holder;
    let Done { message_id, attempt, outcome, disposition, .. } = done;
    let (attempt, attempts_max, outcome, reason) =
        (attempt.number, attempt.max, outcome.class(), outcome.reason());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let tally = &subscription.tally;
    match disposition {
        Disposition::Ack => {
            tally.handled.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(consumer, queue, message_id, attempt, duration_ms, "handled");
        }
        Disposition::Requeue { after } | Disposition::Retry { after, .. } => {
            tally.retried.fetch_add(1, Ordering::Relaxed);
            let delay_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(
                consumer,
                queue,
                message_id,
                attempt,
                attempts_max,
                outcome,
                reason,
                delay_ms,
                duration_ms,
                "will be retried"
            );
        }
        Disposition::DeadLetter => {
            tally.dead_lettered.fetch_add(1, Ordering::Relaxed);
            let what = if subscription.dead_letter.is_some() {
                "dead-lettered"
            } else {
                "dropped, as `onPoison` says"
            };
            tracing::warn!(
                consumer,
                queue,
                message_id,
                attempt,
                attempts_max,
                outcome,
                reason,
                duration_ms,
                "{what}"
            );
        }
    }
}
