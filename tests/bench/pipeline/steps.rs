//! The steps of the pipeline, each to be done many times in a row, and nothing else between two looks at the clock.

use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use anyhow::ensure;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;
use warren::contract::Retry;
use warren::message::{Message, headers_json};
use warren::policy::history::{self, Arrival};
use warren::policy::{self, Attempt, Outcome};
use warren::sandbox::CallInfo;

use crate::bare::{Bare, Kept};
use crate::host::{Host, Subscribed, delivery, order};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// What lapin hands out becomes a delivery of ours.
    Decode,
    /// Decompress, parse, hold against the schema.
    Validate,
    /// The hash by which a message is known again.
    Print,
    /// What becomes of it.
    Decide,
    /// `Handler::call`: an instance, the message in, the outcome out.
    Call(Guest, Isolation),
    /// From lapin's delivery to the settlement.
    Path(Guest, Isolation),
    /// The guest's own work.
    Bare(Guest, Isolation),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Guest {
    /// `noop.wat`.
    Noop,
    /// `succeeds` of `guests/behaviours`.
    Rust,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Isolation {
    Fresh,
    Reuse,
}

impl Step {
    pub(crate) const ALL: [Self; 16] = {
        use Guest::{Noop, Rust};
        use Isolation::{Fresh, Reuse};
        [
            Self::Decode,
            Self::Validate,
            Self::Print,
            Self::Decide,
            Self::Bare(Noop, Fresh),
            Self::Call(Noop, Fresh),
            Self::Path(Noop, Fresh),
            Self::Bare(Noop, Reuse),
            Self::Call(Noop, Reuse),
            Self::Path(Noop, Reuse),
            Self::Bare(Rust, Fresh),
            Self::Call(Rust, Fresh),
            Self::Path(Rust, Fresh),
            Self::Bare(Rust, Reuse),
            Self::Call(Rust, Reuse),
            Self::Path(Rust, Reuse),
        ]
    };

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.to_string() == name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, guest, isolation) = match self {
            Self::Decode => return f.pad("decode"),
            Self::Validate => return f.pad("validate"),
            Self::Print => return f.pad("print"),
            Self::Decide => return f.pad("decide"),
            Self::Call(guest, isolation) => ("call", guest, isolation),
            Self::Path(guest, isolation) => ("path", guest, isolation),
            Self::Bare(guest, isolation) => ("guest", guest, isolation),
        };
        f.pad(&format!("{what}-{}", consumer(*guest, *isolation)))
    }
}

/// The consumer of the contract.
fn consumer(guest: Guest, isolation: Isolation) -> &'static str {
    match (guest, isolation) {
        (Guest::Noop, Isolation::Fresh) => "noop-fresh",
        (Guest::Noop, Isolation::Reuse) => "noop-reuse",
        (Guest::Rust, Isolation::Fresh) => "rust-fresh",
        (Guest::Rust, Isolation::Reuse) => "rust-reuse",
    }
}

/// Everything that the steps need, for bodies of one size.
pub(crate) struct Pipeline {
    host: Host,
    body: Vec<u8>,
    /// As the host decodes it.
    message: Message,
    bare: BTreeMap<Guest, (Bare, Kept)>,
}

impl Pipeline {
    pub(crate) async fn new(size: usize, heavy: &Handle) -> anyhow::Result<Self> {
        let host = Host::load(heavy).await?;
        let body = order(size);
        ensure!(body.len() == size, "an order of {size} bytes has {}", body.len());
        let message = host.decode(delivery(1, &body)).message;
        let mut bare = BTreeMap::new();
        for (guest, component) in [(Guest::Noop, &host.noop), (Guest::Rust, &host.rust)] {
            let alone = Bare::new(component, &body)?;
            let kept = alone.instance().await?;
            bare.insert(guest, (alone, kept));
        }
        Ok(Self { host, body, message, bare })
    }

    /// Does a step `calls` times, and gives the CPU time of this thread that it took. Everything that a step takes is on
    /// this thread if it is the only one of its runtime.
    pub(crate) async fn take(&mut self, step: Step, calls: u32) -> anyhow::Result<Duration> {
        match step {
            Step::Decode => {
                let deliveries: Vec<_> = (0..calls).map(|tag| delivery(tag.into(), &self.body)).collect();
                let began = cpu();
                for delivery in deliveries {
                    drop(black_box(self.host.decode(delivery)));
                }
                Ok(cpu() - began)
            }
            Step::Validate => self.validate(calls),
            Step::Print => {
                let subscription = self.host.consumer("noop-fresh")?.subscription;
                let began = cpu();
                for _ in 0..calls {
                    black_box(subscription.finished.print(black_box(&self.message)));
                }
                Ok(cpu() - began)
            }
            Step::Decide => {
                let Subscribed { subscription, .. } = self.host.consumer("noop-fresh")?;
                let (retry, on_failure) = (&subscription.retry, &subscription.on_failure);
                let began = cpu();
                for _ in 0..calls {
                    let attempt = self.attempt(retry);
                    let outcome = black_box(Outcome::Handled);
                    let jitter = fastrand::f64();
                    black_box(policy::decide(
                        &outcome,
                        attempt,
                        retry,
                        on_failure,
                        subscription.delivery,
                        jitter,
                    ));
                }
                Ok(cpu() - began)
            }
            Step::Call(guest, isolation) => {
                self.call(&self.host.consumer(consumer(guest, isolation))?, calls).await
            }
            Step::Path(guest, isolation) => {
                self.path(&self.host.consumer(consumer(guest, isolation))?, calls).await
            }
            Step::Bare(guest, isolation) => {
                let Some((bare, kept)) = self.bare.get_mut(&guest) else { anyhow::bail!("no such guest") };
                let began = cpu();
                for _ in 0..calls {
                    match isolation {
                        Isolation::Fresh => bare.fresh().await?,
                        Isolation::Reuse => bare.call(kept).await?,
                    }
                }
                Ok(cpu() - began)
            }
        }
    }

    fn validate(&self, calls: u32) -> anyhow::Result<Duration> {
        let schema = &self.host.consumer("noop-fresh")?.subscription.message;
        let Message { properties, headers, body, .. } = &self.message;
        let began = cpu();
        for _ in 0..calls {
            let body = schema.decode(black_box(body), properties.content_encoding.as_deref());
            let body = body.map_err(anyhow::Error::msg)?;
            let checked = schema.check(&body, properties.content_type.as_deref(), || headers_json(headers));
            ensure!(checked.is_ok(), "the order is not valid: {checked:?}");
        }
        Ok(cpu() - began)
    }

    fn attempt(&self, retry: &Retry) -> Attempt {
        let arrival = Arrival { queue: warren::contract::QueueType::Quorum, redelivered: false };
        history::attempt(black_box(&self.message), arrival, retry)
    }

    async fn call(&self, subscribed: &Subscribed, calls: u32) -> anyhow::Result<Duration> {
        let subscription = &subscribed.subscription;
        let message_id = self.message.properties.message_id.as_deref().unwrap_or_default();
        let attempt = self.attempt(&subscription.retry);
        let queue = &subscription.holder.queue;
        let began = cpu();
        for _ in 0..calls {
            let info = CallInfo { message_id, queue, attempt, redelivered: false };
            let call = subscription.handler.call(&self.message, info).await?;
            ensure!(call.outcome == Outcome::Handled, "not handled: {:?}", call.outcome);
        }
        Ok(cpu() - began)
    }

    async fn path(&mut self, subscribed: &Subscribed, calls: u32) -> anyhow::Result<Duration> {
        let deliveries: Vec<_> = (0..calls).map(|tag| delivery(tag.into(), &self.body)).collect();
        let began = cpu();
        for delivery in deliveries {
            subscribed.dispatch(self.host.decode(delivery)).await?;
        }
        let took = cpu() - began;
        let acked = self.host.acked()?;
        ensure!(acked == calls as usize, "{acked} of {calls} were acked");
        Ok(took)
    }
}

/// What this thread has computed.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}
