//! What one call may use, and which of it ran out.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::ResourceLimiter;

use crate::contract;

/// A limit that ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hit {
    Deadline,
    Cpu,
    Memory,
    Tables,
    Instances,
    Stack,
    HostCall,
    Handles,
    Random,
}

impl Hit {
    /// Its key in the contract.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Deadline => "deadlineMs",
            Self::Cpu => "cpuMs",
            Self::Memory => "memoryMiB",
            Self::Tables => "tableElements",
            Self::Instances => "instances",
            Self::Stack => "stackKiB",
            Self::HostCall => "hostCallMiB",
            Self::Handles => "handles",
            Self::Random => "randomKiB",
        }
    }
}

/// The limits of one call, as wasmtime asks for them.
pub(super) struct Limits {
    memory_bytes_max: usize,
    of_call: contract::Limits,
    /// What all memories of the instance have.
    pub(super) memory_bytes: usize,
    table_elements: usize,
    random_bytes: u64,
    pub(super) hit: Option<Hit>,
}

impl Limits {
    pub(super) fn new(memory_bytes_max: usize, of_call: contract::Limits) -> Self {
        Self { memory_bytes_max, of_call, memory_bytes: 0, table_elements: 0, random_bytes: 0, hit: None }
    }

    /// A new call in the same instance: what is counted for each call begins anew.
    pub(super) fn begin(&mut self) {
        self.random_bytes = 0;
        self.hit = None;
    }

    /// Counts random bytes that the guest asks for.
    pub(super) fn random(&mut self, bytes: u64) -> wasmtime::Result<()> {
        self.random_bytes = self.random_bytes.saturating_add(bytes);
        if self.random_bytes > self.of_call.random_bytes {
            return Err(self.ended(Hit::Random));
        }
        Ok(())
    }

    pub(super) fn ended(&mut self, hit: Hit) -> wasmtime::Error {
        self.hit = Some(hit);
        wasmtime::format_err!("limit `{}`", hit.key())
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, now: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.memory_bytes.saturating_sub(now).saturating_add(desired);
        if all > self.memory_bytes_max {
            // A trap, and not a refusal: few guests survive a refusal, and none says that this is what happened.
            return Err(self.ended(Hit::Memory));
        }
        self.memory_bytes = all;
        Ok(true)
    }

    fn table_growing(&mut self, now: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.table_elements.saturating_sub(now).saturating_add(desired);
        if all > self.of_call.table_elements {
            return Err(self.ended(Hit::Tables));
        }
        self.table_elements = all;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.of_call.instances
    }
}

/// How long a call has computed, by the clock of the thread that it has: what others take of the processor meanwhile does
/// not count. Read while it computes, from within.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Nanoseconds of the stretches that are over.
    busy: AtomicU64,
    /// What the thread had computed when this stretch began, in nanoseconds.
    since: AtomicU64,
}

/// How long the wall clock stands in for that of the thread, which only the system can read: asked twice for each call, it
/// would be a good part of what a short call costs. A call seems to compute at most so much longer or shorter than it does.
const STANDS_IN: Duration = Duration::from_millis(1);

/// What this thread has computed, in nanoseconds.
fn of_thread() -> u64 {
    thread_local! {
        /// When the system was asked last, and what it said.
        static LAST: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
    }
    let now = Instant::now();
    if let Some((at, computed)) = LAST.get()
        && let since = now.duration_since(at)
        && since < STANDS_IN
    {
        return computed + u64::try_from(since.as_nanos()).unwrap_or_default();
    }
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    let computed = seconds.unwrap_or_default() * 1_000_000_000 + nanoseconds.unwrap_or_default();
    LAST.set(Some((now, computed)));
    computed
}

impl Meter {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The call is given a thread.
    pub(super) fn begins(&self) {
        self.since.store(of_thread(), Ordering::Relaxed);
    }

    /// The call gives its thread back.
    pub(super) fn ends(&self) {
        self.busy.fetch_add(self.stretch(), Ordering::Relaxed);
    }

    fn stretch(&self) -> u64 {
        of_thread().saturating_sub(self.since.load(Ordering::Relaxed))
    }

    /// The stretches that are over.
    pub(super) fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy.load(Ordering::Relaxed))
    }

    /// With the stretch that lasts. Only for the thread that computes.
    pub(super) fn busy_with_this(&self) -> Duration {
        self.busy() + Duration::from_nanos(self.stretch())
    }
}
