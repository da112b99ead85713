//! The wasmtime engine: pooled instances, epoch interruption, and the thread that counts epochs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often running guests are looked at; a deadline is met to within one of these.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// Memory that an instance slot keeps for the next instance instead of giving it back to the system, in bytes.
const KEEP_RESIDENT_BYTES: usize = 4 * 1024 * 1024;
const TABLE_KEEP_RESIDENT_BYTES: usize = 512 * 1024;
/// Core instances of one component: Rust needs 3, Go 5.
const CORE_INSTANCES_PER_COMPONENT: u32 = 32;
/// Table elements; Python needs over 6,000.
const TABLE_ELEMENTS: usize = 20_000;

/// All that a 32-bit memory can have. Each handler's own limit is kept by its store, which can say so.
const MEMORY_BYTES_MAX: usize = 1 << 32;

/// What the engine has to make room for.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// The most calls at the same time, over all handlers.
    pub calls_max: u32,
}

pub(super) fn new(options: EngineOptions) -> anyhow::Result<Engine> {
    match Engine::new(&config(options, true)) {
        Ok(engine) => Ok(engine),
        // The pool reserves address space; a container may not have it to give.
        Err(error) => {
            tracing::warn!(%error, "no room for an instance pool: instances are made one by one, which is slower");
            Ok(Engine::new(&config(options, false))?)
        }
    }
}

fn config(options: EngineOptions, pooled: bool) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.memory_init_cow(true);
    if pooled {
        let calls = options.calls_max.max(1);
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(calls)
            .total_core_instances(calls.saturating_mul(8))
            .total_memories(calls.saturating_mul(2))
            .total_tables(calls.saturating_mul(4))
            .total_stacks(calls)
            .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
            .max_memories_per_component(2)
            .max_tables_per_component(4)
            .table_elements(TABLE_ELEMENTS)
            .max_memory_size(MEMORY_BYTES_MAX)
            .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
            .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
            .max_unused_warm_slots(calls)
            .pagemap_scan(Enabled::Auto);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// Counts epochs until it is dropped. A thread of its own: on a runtime, guests that keep every worker busy would also
/// stop the clock that is to stop them.
pub(super) struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, engine) = (Arc::clone(&stop), engine.clone());
        let tick = move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::park_timeout(TICK);
                engine.increment_epoch();
            }
        };
        let thread = std::thread::Builder::new().name("epoch".to_owned()).spawn(tick).ok();
        Self { stop, thread }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}
