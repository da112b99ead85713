//! Delays between tries that grow, vary, and start small again after a good time.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The first delay; it doubles each time.
const DELAY: Duration = Duration::from_millis(500);
const DELAY_MAX: Duration = Duration::from_secs(15);
/// What lived this long was good.
const GOOD: Duration = Duration::from_secs(30);

/// The delays of one thing that fails.
#[derive(Debug)]
pub(super) struct Backoff {
    delay: Duration,
    worked_since: Option<Instant>,
    /// What was said last: once for each kind of trouble, and not once for each try.
    said: String,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { delay: DELAY, worked_since: None, said: String::new() }
    }

    /// It works again.
    pub(super) fn works(&mut self) {
        self.worked_since = Some(Instant::now());
        self.said.clear();
    }

    /// Whether this is news.
    pub(super) fn is_news(&mut self, trouble: &str) -> bool {
        let news = self.said != trouble;
        trouble.clone_into(&mut self.said);
        news
    }

    /// Waits before the next try; ends early when cancelled.
    pub(super) async fn wait(&mut self, cancelled: &CancellationToken) {
        if self.worked_since.take().is_some_and(|since| since.elapsed() > GOOD) {
            self.delay = DELAY;
        }
        let varied = self.delay.mul_f64(0.5 + fastrand::f64());
        self.delay = (self.delay * 2).min(DELAY_MAX);
        tokio::select! {
            () = tokio::time::sleep(varied) => {}
            () = cancelled.cancelled() => {}
        }
    }
}
