//! How a queue's failures are retried.

use std::time::Duration;

use super::super::problem::Problem;
use super::super::raw::{self, RetryMode};
use super::super::source::join;
use super::super::{Backoff, DeliveryMode, QueueType, Retry};
use super::Checker;

/// Attempts after the first, if nothing is said.
pub(super) const MAX_RETRIES: u32 = 3;
const INITIAL_DELAY_MS: u64 = 1_000;
const MAX_DELAY_MS: u64 = 30_000;
const BACKOFF_MULTIPLIER: f64 = 2.0;
/// The most wait queues that one work queue may need.
const TIERS_MAX: usize = 32;

impl Checker<'_> {
    /// How failures in a queue are retried; `consumed` says what the handler of its consumer can rely on, if it has one.
    pub(super) fn retry(&mut self, at: &str, queue: &raw::Queue, consumed: Option<DeliveryMode>) -> Retry {
        let unsaid = raw::Retry::default();
        let raw = match (&queue.retry, consumed) {
            (Some(raw), _) => raw,
            // Retries are assumed only where something can be tried again.
            (None, Some(DeliveryMode::AtMostOnce)) => return Retry::None,
            (None, Some(DeliveryMode::AtLeastOnce) | None) => &unsaid,
        };
        self.without_meaning(at, raw);
        let max_retries = raw.max_retries.unwrap_or(MAX_RETRIES);
        if queue.kind == QueueType::Classic
            && matches!(raw.mode, RetryMode::QuorumNative | RetryMode::NativeDelay)
        {
            self.refuse(
                Problem::at(join(at, "mode"), "only a quorum queue counts deliveries")
                    .hint("say `mode: ttl-backoff`, or `type: quorum`"),
            );
        }
        match raw.mode {
            RetryMode::None => Retry::None,
            RetryMode::QuorumNative => Retry::QuorumNative { max_retries },
            RetryMode::TtlBackoff => Retry::TtlBackoff(self.backoff(at, raw, max_retries)),
            RetryMode::NativeDelay => {
                if !queue.owned {
                    self.refuse(
                        Problem::at(
                            join(at, "mode"),
                            "`native-delay` is an argument of the queue, and this queue is somebody else's",
                        )
                        .hint("say `mode: ttl-backoff`"),
                    );
                }
                let (initial_delay, max_delay) = self.delays(at, raw);
                Retry::NativeDelay { max_retries, initial_delay, max_delay }
            }
        }
    }

    fn without_meaning(&mut self, at: &str, raw: &raw::Retry) {
        let (delays, growth) = match raw.mode {
            RetryMode::TtlBackoff => return,
            RetryMode::NativeDelay => (None, Some("the broker's own delays grow by the first one each time")),
            RetryMode::None | RetryMode::QuorumNative => (Some("means nothing without a delay"), None),
        };
        let keys = [
            ("initialDelayMs", raw.initial_delay_ms.is_some(), delays),
            ("maxDelayMs", raw.max_delay_ms.is_some(), delays),
            ("backoffMultiplier", raw.backoff_multiplier.is_some(), delays.or(growth)),
            ("jitter", raw.jitter.is_some(), delays.or(growth)),
        ];
        for (key, given, why) in keys {
            let (true, Some(why)) = (given, why) else { continue };
            let at = join(at, key);
            let problem = match growth {
                Some(_) => {
                    Problem::at(at, format!("`{key}` means nothing with `mode: native-delay`")).because(why)
                }
                None => Problem::at(at, format!("`{key}` {why}")),
            };
            self.refuse(problem.on_key().hint("say `mode: ttl-backoff`, or leave it out"));
        }
        if raw.mode == RetryMode::None && raw.max_retries.is_some() {
            let at = join(at, "maxRetries");
            self.refuse(
                Problem::at(at, "`maxRetries` means nothing with `mode: none`")
                    .on_key()
                    .hint("leave it out, or choose another `mode`"),
            );
        }
    }

    fn delays(&mut self, at: &str, raw: &raw::Retry) -> (Duration, Duration) {
        let initial = raw
            .initial_delay_ms
            .unwrap_or_else(|| INITIAL_DELAY_MS.min(raw.max_delay_ms.unwrap_or(u64::MAX)));
        let max = raw.max_delay_ms.unwrap_or(MAX_DELAY_MS.max(initial));
        if max < initial {
            let says = format!("`maxDelayMs` cannot be less than `initialDelayMs` ({max} < {initial})");
            self.refuse(
                Problem::at(join(at, "maxDelayMs"), says)
                    .hint("a larger `maxDelayMs`, or a smaller `initialDelayMs`")
                    .also(join(at, "initialDelayMs"), "the first delay"),
            );
        }
        (Duration::from_millis(initial), Duration::from_millis(max))
    }

    fn backoff(&mut self, at: &str, raw: &raw::Retry, max_retries: u32) -> Backoff {
        let (initial_delay, max_delay) = self.delays(at, raw);
        let backoff = Backoff {
            max_retries,
            initial_delay,
            max_delay,
            multiplier: raw.backoff_multiplier.unwrap_or(BACKOFF_MULTIPLIER),
            jitter: raw.jitter.unwrap_or(true),
        };
        let tiers = backoff.tiers_ms().len();
        if tiers > TIERS_MAX {
            self.refuse(
                Problem::at(
                    at,
                    format!("this needs {tiers} wait queues, one for each delay; {TIERS_MAX} are allowed"),
                )
                .hint("a larger `backoffMultiplier` or a smaller `maxDelayMs` gives fewer different delays"),
            );
        }
        backoff
    }
}
