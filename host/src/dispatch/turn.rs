//! A place in the row of those who wait for a call, taken when a delivery arrives: its task may begin later than that of
//! one behind it, and a handler that runs one call at a time has to see messages in the order of their queue.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::message::Message;
use crate::policy::copy::Holder;
use crate::policy::history::{self, Arrival};

use super::{Epoch, LetGo, Subscription};

/// The longest wait, in milliseconds, before a message that may be what kills hosts is tried, so that it is not always the
/// first of several.
const SUSPECT_WAIT_MAX_MS: u64 = 50;

type Waiting = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// A place in the row. Dropped, it is given up.
pub enum Turn {
    /// It is this one's turn.
    Come(OwnedSemaphorePermit),
    /// Others are before it.
    Waiting(Waiting),
}

impl Turn {
    /// Takes the next place.
    pub(super) fn take(permits: &Arc<Semaphore>) -> Self {
        // There is none to be had out of turn: what is given back goes to those in the row.
        if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
            return Self::Come(permit);
        }
        let mut waiting: Waiting = Box::pin(Arc::clone(permits).acquire_owned().map(Result::ok));
        // The first poll is what puts it into the row.
        match (&mut waiting).now_or_never().flatten() {
            Some(permit) => Self::Come(permit),
            None => Self::Waiting(waiting),
        }
    }

    /// Waits until it is this one's turn. None only when the host has ended.
    pub(super) async fn come(self) -> Option<OwnedSemaphorePermit> {
        match self {
            Self::Come(permit) => Some(permit),
            Self::Waiting(waiting) => waiting.await,
        }
    }
}

/// The right to call a handler.
pub(super) struct Places<'a> {
    /// Given back after the call.
    pub(super) call: Option<OwnedSemaphorePermit>,
    /// Given back after everything.
    pub(super) alone: Option<SemaphorePermit<'a>>,
}

/// Waits for a place among the calls that may run. A message that may be what kills hosts needs another one.
pub(super) async fn places<'a>(
    subscription: &'a Subscription,
    epoch: &Epoch,
    turn: Turn,
    message: &Message,
    arrival: Arrival,
) -> Result<Places<'a>, LetGo> {
    if epoch.stop.is_cancelled() {
        return Err(LetGo::Back);
    }
    let is_suspect = history::is_suspect(message, arrival);
    match turn {
        Turn::Come(permit) if !is_suspect => Ok(Places { call: Some(permit), alone: None }),
        turn => Box::pin(wait(subscription, epoch, turn, message, arrival)).await,
    }
}

async fn wait<'a>(
    subscription: &'a Subscription,
    epoch: &Epoch,
    mut turn: Turn,
    message: &Message,
    arrival: Arrival,
) -> Result<Places<'a>, LetGo> {
    let places = async {
        let mut alone = None;
        if history::is_suspect(message, arrival) {
            let Holder { consumer, queue, .. } = &subscription.holder;
            let deliveries = history::deliveries(message, arrival);
            tracing::warn!(
                consumer,
                queue,
                deliveries,
                "a message was handed over that often and never settled, it is tried alone"
            );
            // Two of them, each with what the other waits for, would wait for ever.
            drop(turn);
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..SUSPECT_WAIT_MAX_MS))).await;
            alone = subscription.suspects.acquire().await.ok();
            turn = subscription.turn();
        }
        Places { call: turn.come().await, alone }
    };
    tokio::select! {
        biased;
        () = epoch.stop.cancelled() => Err(LetGo::Back),
        places = places => Ok(places),
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Come(_)) { "Come" } else { "Waiting" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_the_order_in_which_they_were_taken() {
        let permits = Arc::new(Semaphore::new(1));
        let mut turns: Vec<Option<Turn>> = (0..3).map(|_| Some(Turn::take(&permits))).collect();
        let mut last = turns[2].take().map(|turn| Box::pin(turn.come())).expect("a turn");
        let mut second = turns[1].take().map(|turn| Box::pin(turn.come())).expect("a turn");
        // Asked for in the wrong order.
        assert!((&mut last).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        drop(turns[0].take());
        assert!((&mut last).now_or_never().is_none());
        drop(second.await);
        assert!(last.await.is_some());
    }
}
