//! Handlers that wait: on fibers of an asynchronous runtime, or each on a thread of its own? `make bench-waiting`.
//!
//! The same component, a fresh instance for each call. First calls that do not wait: what a call costs. Then 1,000 calls
//! that each wait 100 ms in the host, at the same time, on two runtime threads against 1,000 threads.

use std::error::Error;
use std::pin::Pin;
use std::time::{Duration, Instant};

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

const COMPONENT: &str = r#"(component
  (import "wait" (func $wait))
  (core func $lowered (canon lower (func $wait)))
  (core module $m (import "" "wait" (func $w)) (memory 17) (func (export "run") (call $w)))
  (core instance $i (instantiate $m (with "" (instance (export "wait" (func $lowered))))))
  (func (export "run") (canon lift (core func $i "run"))))"#;

/// Calls that do not wait, in one round.
const CALLS: u32 = 20_000;
/// Calls that wait at the same time.
const WAITING: usize = 1_000;
const WAIT: Duration = Duration::from_millis(100);
const ROUNDS: usize = 5;

type Failed = Box<dyn Error + Send + Sync>;
type Called = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

fn engine() -> Result<Engine, Failed> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.concurrency_support(false);
    let mut pool = PoolingAllocationConfig::default();
    let slots = u32::try_from(WAITING)? + 8;
    pool.total_component_instances(slots).total_core_instances(slots).total_memories(slots);
    pool.total_tables(slots).total_stacks(slots).linear_memory_keep_resident(4 << 20);
    pool.max_unused_warm_slots(slots);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(Engine::new(&config)?)
}

fn store(engine: &Engine) -> Store<()> {
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(u64::MAX / 2);
    store
}

fn on_thread(
    engine: &Engine,
    component: &Component,
    wait: Duration,
) -> Result<impl Fn() -> Result<(), Failed>, Failed> {
    let mut linker = Linker::<()>::new(engine);
    linker.root().func_wrap("wait", move |_, ()| {
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        Ok(())
    })?;
    let (pre, engine) = (linker.instantiate_pre(component)?, engine.clone());
    Ok(move || {
        let mut store = store(&engine);
        let instance = pre.instantiate(&mut store)?;
        Ok(instance.get_typed_func::<(), ()>(&mut store, "run")?.call(&mut store, ())?)
    })
}

fn on_fiber(engine: &Engine, component: &Component, wait: Duration) -> Result<impl Fn() -> Called, Failed> {
    let mut linker = Linker::<()>::new(engine);
    linker.root().func_wrap_async("wait", move |_, ()| {
        Box::new(async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            Ok(())
        })
    })?;
    let (pre, engine) = (linker.instantiate_pre(component)?, engine.clone());
    Ok(move || -> Called {
        let (pre, engine) = (pre.clone(), engine.clone());
        Box::pin(async move {
            let mut store = store(&engine);
            let instance = pre.instantiate_async(&mut store).await?;
            Ok(instance.get_typed_func::<(), ()>(&mut store, "run")?.call_async(&mut store, ()).await?)
        })
    })
}

/// What the process has of `name` in `/proc/self/status`.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value =
        status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.split_whitespace().next());
    value.and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// Hundredths of a second that the process has computed.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

struct Side {
    name: &'static str,
    took: Vec<f64>,
    threads: u64,
    rss_kib: u64,
    cpu: u64,
}

impl Side {
    fn new(name: &'static str) -> Self {
        Self { name, took: Vec::new(), threads: 0, rss_kib: 0, cpu: 0 }
    }

    fn print(mut self) {
        self.took.sort_by(f64::total_cmp);
        let median = self.took[self.took.len() / 2];
        println!(
            "{:<40} {:>7.0} calls/s (rounds {:.3} to {:.3} s), {} threads, {} MiB resident, {} us of CPU a call",
            self.name,
            WAITING as f64 / median,
            self.took[0],
            self.took[self.took.len() - 1],
            self.threads,
            self.rss_kib / 1024,
            self.cpu * 10_000 / (WAITING * ROUNDS) as u64
        );
    }
}

fn main() -> Result<(), Failed> {
    let engine = engine()?;
    let component = Component::new(&engine, wat::parse_str(COMPONENT)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (thread, fiber) =
        (on_thread(&engine, &component, Duration::ZERO)?, on_fiber(&engine, &component, Duration::ZERO)?);
    let (mut threads, mut fibers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..CALLS {
            thread()?;
        }
        threads.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS));
        let began = Instant::now();
        runtime.block_on(async {
            for _ in 0..CALLS {
                fiber().await?;
            }
            Ok::<_, Failed>(())
        })?;
        fibers.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS));
    }
    threads.sort_by(f64::total_cmp);
    fibers.sort_by(f64::total_cmp);
    let (direct, on_a_fiber) = (threads[ROUNDS / 2], fibers[ROUNDS / 2]);
    println!(
        "a call that does not wait, median of {ROUNDS} rounds of {CALLS}: {direct:.1} us direct, {on_a_fiber:.1} us on a fiber, ratio {:.2}",
        on_a_fiber / direct
    );

    let (thread, fiber) = (on_thread(&engine, &component, WAIT)?, on_fiber(&engine, &component, WAIT)?);
    // Fibers first: what the threads have taken stays with the process.
    let (mut by_fiber, mut by_thread) =
        (Side::new("1,000 waiting, fibers on 2 threads"), Side::new("1,000 waiting, a thread each"));
    for _ in 0..ROUNDS {
        let (began, before) = (Instant::now(), cpu());
        runtime.block_on(async {
            let calls: Vec<_> = (0..WAITING).map(|_| tokio::spawn(fiber())).collect();
            tokio::time::sleep(WAIT / 2).await;
            by_fiber.threads = by_fiber.threads.max(status("Threads"));
            by_fiber.rss_kib = by_fiber.rss_kib.max(status("VmRSS"));
            for call in calls {
                call.await??;
            }
            Ok::<_, Failed>(())
        })?;
        by_fiber.took.push(began.elapsed().as_secs_f64());
        by_fiber.cpu += cpu() - before;
    }
    for _ in 0..ROUNDS {
        let (began, before) = (Instant::now(), cpu());
        std::thread::scope(|scope| {
            let calls: Vec<_> = (0..WAITING).map(|_| scope.spawn(&thread)).collect();
            std::thread::sleep(WAIT / 2);
            by_thread.threads = by_thread.threads.max(status("Threads"));
            by_thread.rss_kib = by_thread.rss_kib.max(status("VmRSS"));
            for call in calls {
                call.join().map_err(|_| "a thread panicked")??;
            }
            Ok::<_, Failed>(())
        })?;
        by_thread.took.push(began.elapsed().as_secs_f64());
        by_thread.cpu += cpu() - before;
    }
    by_fiber.print();
    by_thread.print();
    Ok(())
}
