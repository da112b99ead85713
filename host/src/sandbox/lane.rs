//! On which threads a call computes. All begin on the ordinary ones. A call that has computed for long goes on among
//! threads of low priority, and so do, from the start, the calls of handlers that usually compute for long: however many
//! of them there are, they do not keep a thread from handlers that are done in no time.
//!
//! A low priority is not enough: a thread that spins, and be it one that only runs when no other wants to, halves what
//! others get done on the same machine, because the system then puts them where they wait for each other. So, while the
//! ordinary threads have work, those of low priority rest for a multiple of what they have computed.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::limits::Meter;

/// Computing for longer than this is long.
pub(super) const HEAVY: Duration = Duration::from_millis(2);

/// So many processors are left to the connections, the system and a broker on the same machine, while ordinary calls have work.
const LEFT: f64 = 1.2;
/// What heavy calls have of each processor in any case.
const LEAST: f64 = 0.1;
/// Other calls have work when those that do not compute for long take this much of the processors. Not by how busy their
/// threads are: to begin and to end heavy calls keeps them busy, too, and these are not to rest for themselves.
const WORK: f64 = 0.02;
/// How often it is looked at how much that is.
const LOOK: Duration = Duration::from_millis(20);
/// The longest rest at a time: what waits for an answer on such a thread waits for the end of that, too. As much as it takes
/// to make up for 30 ms: a guest yields each 10 ms, but the host may copy 100 MB for it at a stretch.
const REST_MAX: Duration = Duration::from_millis(300);

/// The two kinds of threads.
#[derive(Debug, Clone)]
pub struct Lanes {
    heavy: Handle,
    /// None where all threads are of one kind: nobody is to rest for itself.
    ordinary: Option<Arc<Ordinary>>,
}

/// The ordinary threads, and how busy they have been.
#[derive(Debug)]
struct Ordinary {
    threads: Handle,
    /// For how long calls have computed that did not for long, all in all, in microseconds.
    light_us: AtomicU64,
    looked: Mutex<Looked>,
}

/// How busy the ordinary threads are.
#[derive(Debug, Clone, Copy)]
struct Load {
    /// For which part of their time they are busy.
    part: f64,
    /// The same with calls that do not compute for long.
    light: f64,
    /// How many they are: as many as processors.
    processors: usize,
}

/// What was seen.
#[derive(Debug, Clone, Copy)]
struct Looked {
    at: Instant,
    /// How long they had been busy until then, all in all.
    busy: Duration,
    /// With such calls.
    light_us: u64,
    /// How busy they were lately.
    load: Load,
}

impl Lanes {
    /// Calls begin among the threads of `ordinary`. What computes for long goes on among those of `heavy`, which are
    /// to have a low priority. Of each there are as many as processors.
    pub fn new(ordinary: Handle, heavy: Handle) -> Self {
        let load = Load { part: 0.0, light: 0.0, processors: ordinary.metrics().num_workers() };
        let looked = Looked { at: Instant::now(), busy: Duration::ZERO, light_us: 0, load };
        let ordinary =
            Ordinary { threads: ordinary, light_us: AtomicU64::new(0), looked: Mutex::new(looked) };
        Self { heavy, ordinary: Some(Arc::new(ordinary)) }
    }

    /// All calls compute on the same threads.
    pub fn of_one_kind(threads: Handle) -> Self {
        Self { heavy: threads, ordinary: None }
    }

    /// A call has computed so long, which was not for long.
    pub(super) fn was_light(&self, busy: Duration) {
        if let Some(ordinary) = &self.ordinary {
            let busy_us = u64::try_from(busy.as_micros()).unwrap_or(u64::MAX);
            ordinary.light_us.fetch_add(busy_us, Ordering::Relaxed);
        }
    }
}

impl Ordinary {
    fn load(&self) -> Load {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let since = looked.at.elapsed();
        if since >= LOOK {
            let metrics = self.threads.metrics();
            let workers = metrics.num_workers();
            let busy: Duration = (0..workers).map(|worker| metrics.worker_total_busy_duration(worker)).sum();
            let all = since.as_secs_f64() * workers as f64;
            let part = busy.saturating_sub(looked.busy).as_secs_f64() / all;
            let light_us = self.light_us.load(Ordering::Relaxed);
            let light = Duration::from_micros(light_us - looked.light_us).as_secs_f64() / all;
            *looked = Looked {
                at: Instant::now(),
                busy,
                light_us,
                load: Load { part, light, processors: workers },
            };
        }
        looked.load
    }
}

/// How long a thread rests that has computed for so long.
fn rest(computed: Duration, ordinary: Load) -> Duration {
    if ordinary.light < WORK {
        return Duration::ZERO;
    }
    let together = 1.0 - LEFT / ordinary.processors as f64;
    let part = (together - ordinary.part).max(LEAST);
    computed.mul_f64(1.0 / part - 1.0).min(REST_MAX)
}

/// How long calls of a handler usually compute.
#[derive(Debug, Default)]
pub(super) struct Usual {
    microseconds: AtomicU64,
}

impl Usual {
    /// Whether they compute for long.
    fn is_heavy(&self) -> bool {
        Duration::from_micros(self.microseconds.load(Ordering::Relaxed)) > HEAVY
    }

    /// Learns of one more call. True if it was long.
    pub(super) fn learn(&self, busy: Duration) -> bool {
        let before = self.microseconds.load(Ordering::Relaxed);
        let busy_us = u64::try_from(busy.as_micros()).unwrap_or(u64::MAX / 8);
        // Several at a time may overwrite each other; it is an estimate.
        self.microseconds.store((before * 7 + busy_us) / 8, Ordering::Relaxed);
        busy > HEAVY
    }
}

/// What came of a call.
pub(super) enum Ran<T> {
    /// It is over.
    Done(T),
    /// It is over, and came too late: it kept its thread beyond the end, as a host call can.
    Overdue(T),
    /// It is not, and its time is. It is stopped wherever it is, and its instance is gone.
    Late,
}

/// A future, and how long it keeps threads busy.
struct Metered<F> {
    future: F,
    meter: Arc<Meter>,
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.meter.begins();
        let polled = Pin::new(&mut self.future).poll(context);
        self.meter.ends();
        polled
    }
}

/// A call among the threads of low priority, which are rested by it.
struct Resting<F> {
    work: Metered<F>,
    ordinary: Option<Arc<Ordinary>>,
}

thread_local! {
    /// How long this thread has computed since it last rested.
    static COMPUTED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

impl<F: Future + Unpin> Future for Resting<F> {
    type Output = F::Output;

    #[expect(
        clippy::disallowed_methods,
        reason = "the thread is to rest: it has nothing to do but such calls"
    )]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let computed = COMPUTED.get();
        if computed >= HEAVY {
            COMPUTED.set(Duration::ZERO);
            if let Some(ordinary) = &self.ordinary {
                // The thread, and not the call: another one would take its place at once.
                std::thread::sleep(rest(computed, ordinary.load()));
            }
        }
        let before = self.work.meter.busy();
        let polled = Pin::new(&mut self.work).poll(context);
        COMPUTED.set(COMPUTED.get() + self.work.meter.busy().saturating_sub(before));
        polled
    }
}

/// Runs a call until it is over or `end` has come. If calls like it usually compute for long, it starts among the threads of
/// low priority.
pub(super) async fn run<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    meter: Arc<Meter>,
    end: Instant,
    lanes: &Lanes,
    usual: &Usual,
) -> Ran<T> {
    let at_once = usual.is_heavy();
    let mut work = Metered { future: Box::pin(work), meter: Arc::clone(&meter) };
    if !at_once {
        // Most are over by then.
        if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(Pin::new(&mut work).poll(context))).await {
            return ended(done, end);
        }
    }
    Box::pin(go_on(work, meter, end, lanes, usual, at_once)).await
}

/// What has not ended at its first slice, or is to have none among the ordinary threads.
async fn go_on<T: Send + 'static>(
    mut work: Metered<impl Future<Output = T> + Unpin + Send + 'static>,
    meter: Arc<Meter>,
    end: Instant,
    lanes: &Lanes,
    usual: &Usual,
    at_once: bool,
) -> Ran<T> {
    if !at_once && meter.busy() <= HEAVY {
        // It has been polled just now, and is not to go on before others had their turn.
        let mut waits = true;
        let ordinary = poll_fn(|context| {
            if std::mem::take(&mut waits) {
                return Poll::Pending;
            }
            match Pin::new(&mut work).poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if meter.busy() > HEAVY => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        match timeout_at(end, ordinary).await {
            Ok(Some(done)) => return ended(done, end),
            Ok(None) => {}
            Err(_) => return Ran::Late,
        }
    }
    if !at_once {
        // Those that begin before it is over need not find out again.
        usual.learn(meter.busy());
    }
    let work = Resting { work, ordinary: lanes.ordinary.clone() };
    let mut task = AbortOnDrop(lanes.heavy.spawn(work));
    match timeout_at(end, &mut task.0).await {
        Ok(Ok(done)) => ended(done, end),
        // Its time is over for the message; what still computes is interrupted at the next tick that finds it computing.
        Err(_) => Ran::Late,
        Ok(Err(error)) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic), // ours: dispatch rejects what makes us panic
            Err(_) => Ran::Late,
        },
    }
}

fn ended<T>(done: T, end: Instant) -> Ran<T> {
    if Instant::now() < end { Ran::Done(done) } else { Ran::Overdue(done) }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(work: impl Future<Output = u8> + Send + 'static, at_once: bool) -> Ran<u8> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let end = Instant::now() + Duration::from_millis(300);
        let lanes = Lanes::of_one_kind(runtime.handle().clone());
        let usual = Usual::default();
        if at_once {
            usual.learn(HEAVY * 9);
        }
        runtime.block_on(run(work, Arc::new(Meter::new()), end, &lanes, &usual))
    }

    /// Keeps its thread for so long, as a host call does.
    fn keep(time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn what_is_over_after_its_end_is_told_from_what_is_in_time() {
        for at_once in [false, true] {
            assert!(matches!(runs(async { 7 }, at_once), Ran::Done(7)));
            let never = std::future::pending();
            assert!(matches!(runs(never, at_once), Ran::Late));
        }
        let long = async {
            keep(Duration::from_millis(310));
            7
        };
        assert!(matches!(runs(long, false), Ran::Overdue(7)));
    }

    #[test]
    fn threads_rest_for_as_long_as_ordinary_ones_need() {
        let of = |light, part, processors| {
            let rest = rest(Duration::from_millis(10), Load { part, light, processors });
            (rest.as_micros() + 500) / 1000 // in milliseconds
        };
        assert_eq!(of(0.01, 0.4, 2), 0); // with heavy calls, above all
        assert_eq!(of(0.1, 0.2, 2), 40); // a fifth of the time
        assert_eq!(of(0.1, 0.4, 2), 90); // a tenth, and no less
        assert_eq!(of(0.1, 1.0, 1), 90);
        assert_eq!(of(0.1, 0.425, 16), 10); // half of the time: there are enough for all
        let long = Duration::from_secs(1);
        assert_eq!(rest(long, Load { part: 1.0, light: 1.0, processors: 2 }), REST_MAX);
    }

    #[test]
    fn what_computes_for_long_goes_on_elsewhere() {
        let long = async {
            let began = std::thread::current().id();
            let meter = Meter::new();
            meter.begins();
            while meter.busy_with_this() < 2 * HEAVY {
                keep(Duration::from_millis(1)); // of which others may take a part
            }
            tokio::task::yield_now().await;
            u8::from(std::thread::current().id() != began)
        };
        assert!(matches!(runs(long, false), Ran::Done(1)));
    }
}
