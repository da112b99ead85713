//! The steps of the pipeline, each to be done many times in a row, and nothing else between two looks at the clock.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;
use warren::broker::Delivery;
use warren::contract::QueueType;
use warren::message::{Message, headers_json};
use warren::policy::history::{self, Arrival};
use warren::policy::{self, Attempt, Disposition, Outcome};
use warren::sandbox::CallInfo;

use crate::bare::{Bare, Kept};
use crate::host::{Host, Subscribed, delivery, order};
use crate::step::{Guest, Isolation, Step};

/// Everything that the steps need, for bodies of one size.
pub(crate) struct Pipeline {
    host: Host,
    body: Vec<u8>,
    /// As the host decodes it.
    message: Arc<Message>,
    /// What messages are held against, and retried by.
    subscribed: Subscribed,
    bare: BTreeMap<Guest, (Bare, Kept)>,
}

impl Pipeline {
    pub(crate) async fn new(size: usize, heavy: &Handle) -> anyhow::Result<Self> {
        let host = Host::load(heavy).await?;
        let body = order(size);
        ensure!(body.len() == size, "an order of {size} bytes has {}", body.len());
        let message = host.decode(delivery(1, &body)).message;
        let subscribed = host.consumer("noop-fresh")?;
        Ok(Self { host, body, message: Arc::new(message), subscribed, bare: BTreeMap::new() })
    }

    /// Does a step `calls` times, and gives the CPU time of this thread that it took. Everything that a step does is on
    /// this thread, if it is the only one of its runtime.
    pub(crate) async fn take(&mut self, step: Step, calls: u32) -> anyhow::Result<Duration> {
        let calls = 0..calls;
        let began;
        match step {
            Step::Deliver => {
                began = cpu();
                drop(calls.map(|_| self.delivery()).collect::<Vec<_>>());
            }
            Step::Decode => {
                let deliveries: Vec<_> = calls.map(|_| self.delivery()).collect();
                began = cpu();
                for delivery in deliveries {
                    drop(black_box(self.decode(delivery)));
                }
            }
            Step::Validate => {
                began = cpu();
                for _ in calls {
                    self.validate()?;
                }
            }
            Step::Print => {
                began = cpu();
                for _ in calls {
                    self.print();
                }
            }
            Step::Decide => {
                began = cpu();
                for _ in calls {
                    black_box(self.decide());
                }
            }
            Step::Call(..) => {
                let subscribed = self.subscribed(step)?;
                began = cpu();
                for _ in calls {
                    self.call(&subscribed).await?;
                }
            }
            Step::Path(..) => {
                let subscribed = self.subscribed(step)?;
                let deliveries: Vec<_> = calls.map(|_| self.delivery()).collect();
                began = cpu();
                for delivery in deliveries {
                    self.path(&subscribed, delivery).await?;
                }
            }
            Step::Bare(guest, isolation) => {
                let (bare, kept) = self.bare(guest).await?;
                began = cpu();
                for _ in calls {
                    match isolation {
                        Isolation::Fresh => bare.fresh().await?,
                        Isolation::Reuse => bare.call(kept).await?,
                    }
                }
            }
        }
        Ok(cpu() - began)
    }

    pub(crate) fn subscribed(&self, step: Step) -> anyhow::Result<Subscribed> {
        self.host.consumer(step.consumer().context("the step has no consumer")?)
    }

    async fn bare(&mut self, guest: Guest) -> anyhow::Result<&mut (Bare, Kept)> {
        if !self.bare.contains_key(&guest) {
            let component = match guest {
                Guest::Noop => &self.host.noop,
                Guest::Rust => &self.host.rust,
            };
            let bare = Bare::new(component, &self.body)?;
            let kept = bare.instance().await?;
            self.bare.insert(guest, (bare, kept));
        }
        self.bare.get_mut(&guest).context("it was inserted")
    }

    pub(crate) fn delivery(&self) -> lapin::message::Delivery {
        delivery(1, &self.body)
    }

    pub(crate) fn decode(&self, delivery: lapin::message::Delivery) -> Delivery {
        self.host.decode(delivery)
    }

    /// As `dispatch` does it.
    pub(crate) fn validate(&self) -> anyhow::Result<()> {
        let schema = &self.subscribed.subscription.message;
        let Message { properties, headers, body, .. } = &*self.message;
        let body = schema.decode(black_box(body), properties.content_encoding.as_deref());
        let body = body.map_err(anyhow::Error::msg)?;
        let checked = schema.check(&body, properties.content_type.as_deref(), || headers_json(headers));
        checked.map_err(|reasons| anyhow::anyhow!("the order is not valid: {}", reasons.join("; ")))
    }

    /// How large the future is that takes a delivery to its end.
    pub(crate) fn task_bytes(&self) -> anyhow::Result<usize> {
        Ok(self
            .subscribed(Step::Path(Guest::Noop, Isolation::Fresh))?
            .task_bytes(self.decode(self.delivery())))
    }

    pub(crate) fn print(&self) {
        black_box(self.subscribed.subscription.finished.print(black_box(&*self.message)));
    }

    pub(crate) fn decide(&self) -> Disposition {
        let subscription = &self.subscribed.subscription;
        let (retry, on_failure) = (&subscription.retry, &subscription.on_failure);
        let outcome = black_box(Outcome::Handled);
        policy::decide(&outcome, self.attempt(), retry, on_failure, subscription.delivery, fastrand::f64())
    }

    fn attempt(&self) -> Attempt {
        let arrival = Arrival { queue: QueueType::Quorum, redelivered: false };
        history::attempt(black_box(&*self.message), arrival, &self.subscribed.subscription.retry)
    }

    pub(crate) async fn call(&self, subscribed: &Subscribed) -> anyhow::Result<()> {
        let subscription = &subscribed.subscription;
        let message_id = self.message.properties.message_id.as_deref().unwrap_or_default();
        let queue = &subscription.holder.queue;
        let info = CallInfo { message_id, queue, attempt: Attempt { number: 1, max: 6 }, redelivered: false };
        let call = subscription.handler.call(&self.message, info).await?;
        ensure!(call.outcome == Outcome::Handled, "not handled: {:?}", call.outcome);
        Ok(())
    }

    pub(crate) async fn path(
        &mut self,
        subscribed: &Subscribed,
        delivery: lapin::message::Delivery,
    ) -> anyhow::Result<()> {
        subscribed.begin(self.decode(delivery));
        self.host.acked().await
    }
}

/// What this thread has computed.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}
