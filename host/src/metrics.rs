//! What is counted while the host runs, in the words of OpenMetrics, for whoever watches it.
//!
//! Counting is a few atomic additions: each handler looks its own counters up once, when it is loaded.

use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    seconds: Family<ConsumerLabels, Histogram, fn() -> Histogram>,
    running: Family<ConsumerLabels, Gauge>,
    waiting: Family<ConsumerLabels, Gauge>,
    instances: Family<ConsumerLabels, Counter>,
    warm: Family<ConsumerLabels, Gauge>,
    retired: Family<ReasonLabels, Counter>,
    limits: Family<LimitLabels, Counter>,
    heavy: Family<ConsumerLabels, Counter>,
    dropped_headers: Family<ConsumerLabels, Counter>,
}

/// The counters of one handler.
#[derive(Debug)]
pub struct HandlerMetrics {
    consumer: String,
    calls: Family<CallLabels, Counter>,
    /// The one of the most frequent outcome.
    handled: Counter,
    limits: Family<LimitLabels, Counter>,
    retired: Family<ReasonLabels, Counter>,
    /// How long calls take, from the instance to its answer, in seconds.
    pub seconds: Histogram,
    /// Calls that run.
    pub running: Gauge,
    /// Calls that wait for a place among all calls of the host.
    pub waiting: Gauge,
    /// Instances made.
    pub instances: Counter,
    /// Instances that wait for their next call.
    pub warm: Gauge,
    /// Calls that computed for so long that they went on at low priority.
    pub heavy: Counter,
    /// Headers that the interface of another host could not carry.
    pub dropped_headers: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConsumerLabels {
    consumer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    consumer: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    consumer: String,
    limit: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    consumer: String,
    reason: &'static str,
}

/// The class of the outcome that most calls have.
const HANDLED: &str = "handled";

/// 10 us to 84 s.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_01, 2.2, 20))
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("warren"),
            calls: Family::default(),
            seconds: Family::new_with_constructor(seconds as fn() -> Histogram),
            running: Family::default(),
            waiting: Family::default(),
            instances: Family::default(),
            warm: Family::default(),
            retired: Family::default(),
            limits: Family::default(),
            heavy: Family::default(),
            dropped_headers: Family::default(),
        };
        let Self { registry, calls, seconds, running, waiting, instances, warm, retired, .. } = &mut metrics;
        registry.register("guest_calls", "Calls of handlers, by what came of them", calls.clone());
        registry.register("guest_call_seconds", "How long calls took", seconds.clone());
        registry.register("guest_calls_running", "Calls that run", running.clone());
        registry.register("guest_calls_waiting", "Calls that wait for a place", waiting.clone());
        registry.register("guest_instances", "Instances made", instances.clone());
        registry.register("guest_instances_warm", "Instances that wait for their next call", warm.clone());
        registry.register("guest_instances_retired", "Reused instances given up, by reason", retired.clone());
        let Self { registry, limits, heavy, dropped_headers, .. } = &mut metrics;
        registry.register("guest_limit_hits", "Limits that calls ran into, by key", limits.clone());
        registry.register("guest_calls_heavy", "Calls that went on at low priority", heavy.clone());
        registry.register(
            "foreign_dropped_headers",
            "Headers that the interface of another host's component cannot carry",
            dropped_headers.clone(),
        );
        metrics
    }

    /// The counters of the handler of `consumer`.
    pub fn handler(&self, consumer: &str) -> Arc<HandlerMetrics> {
        let labels = ConsumerLabels { consumer: consumer.to_owned() };
        let handled = CallLabels { consumer: consumer.to_owned(), outcome: HANDLED };
        Arc::new(HandlerMetrics {
            consumer: consumer.to_owned(),
            calls: self.calls.clone(),
            handled: self.calls.get_or_create(&handled).clone(),
            limits: self.limits.clone(),
            retired: self.retired.clone(),
            seconds: self.seconds.get_or_create(&labels).clone(),
            running: self.running.get_or_create(&labels).clone(),
            waiting: self.waiting.get_or_create(&labels).clone(),
            instances: self.instances.get_or_create(&labels).clone(),
            warm: self.warm.get_or_create(&labels).clone(),
            heavy: self.heavy.get_or_create(&labels).clone(),
            dropped_headers: self.dropped_headers.get_or_create(&labels).clone(),
        })
    }

    /// Everything, as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if text::encode(&mut out, &self.registry).is_err() {
            out.clear(); // writing into a string does not fail
        }
        out
    }
}

impl HandlerMetrics {
    /// A call came to an end; `outcome` is the class of what came of it.
    pub fn called(&self, outcome: &'static str) {
        if outcome == HANDLED {
            self.handled.inc();
            return;
        }
        self.calls.get_or_create(&CallLabels { consumer: self.consumer.clone(), outcome }).inc();
    }

    /// A call ran into a limit; `limit` is its key in the contract.
    pub fn limit_hit(&self, limit: &'static str) {
        self.limits.get_or_create(&LimitLabels { consumer: self.consumer.clone(), limit }).inc();
    }

    /// A reused instance was given up.
    pub fn retired(&self, reason: &'static str) {
        self.retired.get_or_create(&ReasonLabels { consumer: self.consumer.clone(), reason }).inc();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A gauge that counts something while it lives.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Counted {
    /// Counts one more, until it is dropped.
    pub fn new(gauge: &Gauge<i64, std::sync::atomic::AtomicI64>) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_in_the_text() {
        let metrics = Metrics::new();
        let handler = metrics.handler("take\"Order");
        handler.limit_hit("memoryMiB");
        handler.called("handled");
        {
            let _running = Counted::new(&handler.running);
            assert!(metrics.text().contains("warren_guest_calls_running{consumer=\"take\\\"Order\"} 1"));
        }
        let text = metrics.text();
        assert!(
            text.contains("warren_guest_limit_hits_total{consumer=\"take\\\"Order\",limit=\"memoryMiB\"} 1")
        );
        assert!(text.contains("warren_guest_calls_running{consumer=\"take\\\"Order\"} 0"));
        assert!(text.ends_with("# EOF\n"));
    }
}
