//! The instances of one handler that wait for their next call. They never pass to another handler.

use std::sync::{Arc, Mutex, PoisonError};

use crate::contract::Reuse;
use crate::metrics::HandlerMetrics;

use super::admission::Admission;
use super::instance::Instance;

/// Instances that are kept. None under `isolation: fresh`.
pub(super) struct Pool {
    kept: Mutex<Vec<Instance>>,
    bounds: Option<Reuse>,
    metrics: Arc<HandlerMetrics>,
}

impl Pool {
    pub(super) fn new(bounds: Option<Reuse>, metrics: Arc<HandlerMetrics>) -> Self {
        Self { kept: Mutex::default(), bounds, metrics }
    }

    /// The instance that was used last: what it touches is in the processor's caches.
    pub(super) fn take(&self) -> Option<Instance> {
        let bounds = self.bounds?;
        loop {
            let instance = self.lock().pop()?;
            self.metrics.warm.dec();
            if instance.born.elapsed() < bounds.age_max {
                return Some(instance);
            }
            self.metrics.retired("age");
        }
    }

    /// Whether an instance may have a next call.
    pub(super) fn keeps(&self) -> bool {
        self.bounds.is_some()
    }

    /// Keeps an instance for its next call, if there is to be one.
    pub(super) fn put(&self, instance: Instance, admission: &Admission) {
        let Some(bounds) = self.bounds else { return };
        let reason = if instance.calls >= bounds.calls_max {
            "calls"
        } else if instance.grown() > bounds.growth_bytes_max {
            "growth"
        } else if instance.born.elapsed() >= bounds.age_max {
            "age"
        } else {
            self.metrics.warm.inc();
            self.lock().push(instance);
            // Asked after it is kept: whoever began to wait before that has not seen it, and who begins later does.
            if admission.is_scarce() {
                self.give_up_one();
            }
            return;
        };
        self.metrics.retired(reason);
    }

    /// A call left no instance. Where they are kept, that is for a fault.
    pub(super) fn lost(&self) {
        if self.bounds.is_some() {
            self.metrics.retired("fault");
        }
    }

    /// How many are kept.
    pub(super) fn kept(&self) -> usize {
        self.lock().len()
    }

    /// Gives up the one that was used longest ago. False if there is none.
    pub(super) fn give_up_one(&self) -> bool {
        let oldest = {
            let mut kept = self.lock();
            if kept.is_empty() { None } else { Some(kept.remove(0)) }
        };
        if oldest.is_some() {
            self.metrics.warm.dec();
            self.metrics.retired("scarce");
        }
        oldest.is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Instance>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
