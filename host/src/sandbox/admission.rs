//! Who may have an instance: at most so many calls at the same time over all handlers, each with the weight of what its
//! component needs. Those beyond it wait; nobody is turned away, and the instance pool never runs out.
//!
//! Instances that are kept for their next call hold their places. When somebody has to wait, they are given up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::pool::Pool;

/// The places of a host.
pub(super) struct Admission {
    places: Arc<Semaphore>,
    all: u32,
    waiting: AtomicUsize,
    pools: Mutex<Vec<Weak<Pool>>>,
}

impl Admission {
    pub(super) fn new(all: u32) -> Self {
        Self {
            places: Arc::new(Semaphore::new(all as usize)),
            all,
            waiting: AtomicUsize::new(0),
            pools: Mutex::default(),
        }
    }

    /// How many places there are.
    pub(super) fn all(&self) -> u32 {
        self.all
    }

    /// Whether there is somebody who needs the places of instances that are only kept.
    pub(super) fn is_scarce(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Instances of this pool can be given up when others need their places.
    pub(super) fn adopt(&self, pool: &Arc<Pool>) {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(pool));
    }

    /// Takes `weight` places, if nobody has to wait for them.
    pub(super) fn enter_now(&self, weight: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_many_owned(weight).ok()
    }

    /// Waits for `weight` places, in the order of asking. None only when the host ends.
    pub(super) async fn enter(&self, weight: u32) -> Option<OwnedSemaphorePermit> {
        if let Some(places) = self.enter_now(weight) {
            return Some(places);
        }
        let _waiting = Waiting::new(&self.waiting);
        self.give_up(weight);
        Arc::clone(&self.places).acquire_many_owned(weight).await.ok()
    }

    /// Gives up kept instances until `weight` places are free, or none is kept.
    fn give_up(&self, weight: u32) {
        let pools: Vec<Arc<Pool>> = {
            let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
            pools.retain(|pool| pool.strong_count() > 0);
            pools.iter().filter_map(Weak::upgrade).collect()
        };
        // From the one that keeps most.
        while self.places.available_permits() < weight as usize {
            let Some(fullest) = pools.iter().max_by_key(|pool| pool.kept()) else { return };
            if !fullest.give_up_one() {
                return;
            }
        }
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
