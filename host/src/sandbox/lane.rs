//! On which threads a call computes. All begin on the ordinary ones. A call that has computed for long goes on among
//! threads of low priority, and so do, from the start, the calls of handlers that usually compute for long: however many
//! of them there are, they do not keep a thread from handlers that are done in no time.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::limits::Meter;

/// Computing for longer than this is long.
pub(super) const HEAVY: Duration = Duration::from_millis(2);

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

/// Runs a call until it is over or `end` has come. `heavy` are the threads of low priority; with `at_once` it starts there.
pub(super) async fn run<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    meter: Arc<Meter>,
    end: Instant,
    heavy: &Handle,
    at_once: bool,
) -> Ran<T> {
    let mut work = Metered { future: Box::pin(work), meter: Arc::clone(&meter) };
    if !at_once {
        // Most are over by then.
        if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(Pin::new(&mut work).poll(context))).await {
            return ended(done, end);
        }
    }
    Box::pin(go_on(work, meter, end, heavy, at_once)).await
}

/// What has not ended at its first slice, or is to have none among the ordinary threads.
async fn go_on<T: Send + 'static>(
    mut work: Metered<impl Future<Output = T> + Unpin + Send + 'static>,
    meter: Arc<Meter>,
    end: Instant,
    heavy: &Handle,
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
    let mut task = AbortOnDrop(heavy.spawn(work));
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
        let end = Instant::now() + Duration::from_millis(50);
        runtime.block_on(run(work, Arc::new(Meter::new()), end, runtime.handle(), at_once))
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
            keep(Duration::from_millis(60));
            7
        };
        assert!(matches!(runs(long, false), Ran::Overdue(7)));
    }

    #[test]
    fn what_computes_for_long_goes_on_elsewhere() {
        let long = async {
            let began = std::thread::current().id();
            keep(Duration::from_millis(5));
            tokio::task::yield_now().await;
            u8::from(std::thread::current().id() != began)
        };
        assert!(matches!(runs(long, false), Ran::Done(1)));
    }
}
