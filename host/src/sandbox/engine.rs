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
/// The most core instances, memories and tables of one component. Rust needs 3 core instances, Go 5, Python over 20.
const CORE_INSTANCES_MAX: u32 = 64;
const MEMORIES_MAX: u32 = 16;
const TABLES_MAX: u32 = 64;
/// What one place of the pool has of each. A component that needs more takes several places.
const CORE_INSTANCES: u32 = 24;
const MEMORIES: u32 = 2;
const TABLES: u32 = 8;
/// Table elements; Python needs over 6,000.
const TABLE_ELEMENTS: usize = 20_000;
/// What host functions need on top of a guest's stack, in bytes.
const HOST_STACK_BYTES: usize = 1024 * 1024;

/// All that a 32-bit memory can have. Each handler's own limit is kept by its store, which can say so.
const MEMORY_BYTES_MAX: usize = 1 << 32;

/// What the engine has to make room for.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// The most calls at the same time, over all handlers.
    pub calls_max: u32,
    /// The most stack of a guest, in bytes.
    pub stack_bytes_max: usize,
}

/// Which components an engine is for. Those that are synchronous are called faster where nothing else is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abi {
    /// Components that have nothing of the component model's asynchronous part.
    Synchronous,
    /// All components.
    Asynchronous,
}

/// Makes an engine with a pool of instances, where there is room for one.
pub fn new(options: EngineOptions, abi: Abi) -> anyhow::Result<Engine> {
    match Engine::new(&config(options, abi, true)) {
        Ok(engine) => Ok(engine),
        // The pool reserves address space; a container may not have it to give.
        Err(error) => {
            tracing::warn!(%error, "no room for an instance pool: instances are made one by one, which is slower");
            Ok(Engine::new(&config(options, abi, false))?)
        }
    }
}

/// An engine that makes the same code, and has no room for instances.
pub(super) fn for_compiling(abi: Abi) -> anyhow::Result<Engine> {
    Ok(Engine::new(&config(EngineOptions { calls_max: 1, stack_bytes_max: 512 * 1024 }, abi, false))?)
}

/// How many places an instance takes, by what the pool has in use before and after it is made.
pub(super) fn weight(before: Option<&Used>, after: Option<Used>) -> u32 {
    let (Some(before), Some(after)) = (before, after) else { return 1 };
    let needs = |before: u64, after: u64, each: u32| after.saturating_sub(before).div_ceil(each.into());
    let places = needs(before.core_instances, after.core_instances, CORE_INSTANCES)
        .max(needs(before.memories, after.memories, MEMORIES))
        .max(needs(before.tables, after.tables, TABLES));
    u32::try_from(places).unwrap_or(u32::MAX).max(1)
}

/// What of the pool is in use.
pub(super) struct Used {
    core_instances: u64,
    memories: u64,
    tables: u64,
}

impl Used {
    /// None where there is no pool.
    pub(super) fn of(engine: &Engine) -> Option<Self> {
        let metrics = engine.pooling_allocator_metrics()?;
        Some(Self {
            core_instances: metrics.core_instances(),
            memories: metrics.memories() as u64,
            tables: metrics.tables() as u64,
        })
    }
}

fn config(options: EngineOptions, abi: Abi, pooled: bool) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.memory_init_cow(true);
    if abi == Abi::Synchronous {
        config.wasm_component_model_async(false).concurrency_support(false);
    }
    config.max_wasm_stack(options.stack_bytes_max);
    config.async_stack_size(options.stack_bytes_max + HOST_STACK_BYTES);
    if pooled {
        let calls = options.calls_max.max(1);
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(calls)
            .total_core_instances(calls.saturating_mul(CORE_INSTANCES))
            .total_memories(calls.saturating_mul(MEMORIES))
            .total_tables(calls.saturating_mul(TABLES))
            .total_stacks(calls)
            .max_core_instances_per_component(CORE_INSTANCES_MAX)
            .max_memories_per_component(MEMORIES_MAX)
            .max_tables_per_component(TABLES_MAX)
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
