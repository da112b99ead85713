//! From the channel's row of deliveries into `dispatch`.
//!
//! A few tasks for each consumer take one delivery after the other and begin it where they are: most are done by then,
//! and to make a task of each, and to wake a thread for it, would cost more than many a handler. What is not done at once,
//! because it waits for a place, a confirm, an answer or its next slice of a processor, goes on as a task of its own.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::broker::{Delivery, Sink};
use crate::dispatch::{Epoch, dispatch};

use super::Subscribed;

/// After so much, or so many deliveries, others get their turn on the thread: above all the acks of what was done.
const STRETCH: Duration = Duration::from_micros(500);
const STRETCH_DELIVERIES: u32 = 32;

/// A delivery, counted among those in flight.
type InFlight = (Delivery, TaskTrackerToken);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the deliveries of one channel have in common.
struct Channel {
    subscribed: Arc<Subscribed>,
    epoch: Epoch,
}

/// Starts to dispatch on `threads` whatever the sink is given, until the sink is dropped. `in_flight` counts deliveries from
/// their arrival to their end.
pub(super) fn start(
    subscribed: Arc<Subscribed>,
    epoch: Epoch,
    in_flight: TaskTracker,
    threads: &Handle,
) -> Sink {
    // A handler that runs one call at a time has to see messages in the order of their queue: one pump.
    let pumps = subscribed.subscription.permits_max.min(threads.metrics().num_workers()).max(1);
    let channel = Arc::new(Channel { subscribed, epoch });
    // The prefetch bounds how many are in it.
    let (row, deliveries) = flume::unbounded::<InFlight>();
    for _ in 0..pumps {
        threads.spawn(pump(Arc::clone(&channel), deliveries.clone(), threads.clone()));
    }
    Box::new(move |delivery: Delivery| {
        // Refused only where every pump is gone, which is when the runtime ends.
        drop(row.send((delivery, in_flight.token())));
    })
}

async fn pump(channel: Arc<Channel>, deliveries: flume::Receiver<InFlight>, threads: Handle) {
    let (mut since, mut begun) = (Instant::now(), 0);
    loop {
        let (delivery, counted) = match deliveries.try_recv() {
            Ok(next) => next,
            Err(_) => {
                let Ok(next) = deliveries.recv_async().await else { return };
                (since, begun) = (Instant::now(), 0);
                next
            }
        };
        if let Some(rest) = begin(work(Arc::clone(&channel), delivery, counted)).await {
            threads.spawn(rest);
        }
        begun += 1;
        if begun >= STRETCH_DELIVERIES || since.elapsed() >= STRETCH {
            tokio::task::yield_now().await;
            (since, begun) = (Instant::now(), 0);
        }
    }
}

fn work(channel: Arc<Channel>, delivery: Delivery, counted: TaskTrackerToken) -> Work {
    let turn = channel.subscribed.subscription.turn();
    Box::pin(async move {
        dispatch(&channel.subscribed.subscription, &channel.epoch, turn, delivery).await;
        drop(counted);
    })
}

/// Goes as far as it gets without waiting. Gives the rest, if there is any.
async fn begin(mut work: Work) -> Option<Work> {
    let done = poll_fn(|context| {
        // A panic of ours has settled its delivery; those that come after it are no worse for it.
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        Poll::Ready(polled.map_or(true, |polled| polled.is_ready()))
    });
    (!done.await).then_some(work)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[tokio::test]
    async fn what_does_not_wait_is_over_and_the_rest_goes_on_elsewhere() {
        assert!(begin(Box::pin(async {})).await.is_none());
        let done = Arc::new(AtomicBool::new(false));
        let sees = Arc::clone(&done);
        let waits = begin(Box::pin(async move {
            tokio::task::yield_now().await;
            sees.store(true, Relaxed);
        }));
        let rest = waits.await.expect("the rest");
        assert!(!done.load(Relaxed));
        rest.await;
        assert!(done.load(Relaxed));
    }

    #[tokio::test]
    async fn a_panic_is_the_end_of_one_delivery_and_drops_what_it_held() {
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let panics: Work = Box::pin(async move {
            let _holds = holds;
            panic!("made to fail");
        });
        assert!(begin(panics).await.is_none());
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
