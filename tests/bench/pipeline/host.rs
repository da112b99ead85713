//! What `warren run` puts together, without a broker: a contract read from disk, its handlers loaded, a subscription for
//! each, and deliveries as lapin hands them out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use futures_util::FutureExt;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warren::broker::{Delivery, Publisher, Publishing, Settlement};
use warren::dispatch::{self, Epoch, Subscription};
use warren::load::{self, Handlers, Means};
use warren::metrics::Metrics;
use warren::sandbox::{Cache, Compiler, Lanes, Premises, Sandbox};

/// The component of a real toolchain: parses the payload and logs a line.
const RUST: &str = "target/behaviours/succeeds.wasm";

/// A host without connections.
pub(crate) struct Host {
    by_consumer: BTreeMap<String, Subscribed>,
    settlements: UnboundedSender<(u64, Settlement)>,
    /// Where acks would be sent.
    settled: UnboundedReceiver<(u64, Settlement)>,
    pub(crate) noop: Vec<u8>,
    pub(crate) rust: Vec<u8>,
    _publishing: Publishing,
    _sandbox: Sandbox,
}

/// One consumer.
#[derive(Clone)]
pub(crate) struct Subscribed {
    pub(crate) subscription: Arc<Subscription>,
    epoch: Epoch,
    deliveries: TaskTracker,
}

impl Host {
    /// Loads everything, as `warren run` does.
    pub(crate) async fn load(heavy: &Handle) -> anyhow::Result<Self> {
        let noop = wat::parse_str(include_str!("noop.wat"))?;
        let rust = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(RUST);
        let rust = std::fs::read(rust).with_context(|| format!("no {RUST}: `make behaviours` builds it"))?;
        let folder = tempfile::tempdir()?;
        let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content);
        write("contract.yaml", include_bytes!("contract.yaml"))?;
        write("order.json", include_bytes!("order.json"))?;
        write("noop.wasm", &noop)?;
        write("rust.wasm", &rust)?;
        let loaded = load::contract(&folder.path().join("contract.yaml"))?;
        let loaded = loaded.map_err(|problems| anyhow!(problems.render(false)))?;
        let means = Means {
            cache: Some(Cache::open(target().join("cache"))?),
            compiler: Compiler::Here,
            lanes: Lanes::of_one_kind(heavy.clone()),
            metrics: Arc::new(Metrics::new()),
            premises: Premises {
                folder: loaded.folder.clone(),
                stores: None,
                private: Vec::new(),
                is_run: true,
            },
        };
        let handlers = load::handlers(&loaded, means).await?;
        let Handlers { sandbox, mut by_consumer } =
            handlers.map_err(|problems| anyhow!(problems.render(false)))?;
        let (publisher, publishing) = Publisher::new();
        let (settlements, settled) = mpsc::unbounded_channel();
        let suspects = Arc::new(Semaphore::new(1));
        let mut subscribed = BTreeMap::new();
        for consumer in loaded.contract.consumers.values() {
            let handler = by_consumer.remove(&consumer.name).context("every consumer has a handler")?;
            let subscription = Subscription::new(&loaded.contract, consumer, handler, Arc::clone(&suspects));
            let subscription = Arc::new(subscription);
            let epoch = Epoch {
                publisher: publisher.clone(),
                failed: CancellationToken::new(),
                stop: CancellationToken::new(),
                missing: Arc::new(Notify::new()),
                recent: Arc::new(subscription.finished.recent()),
            };
            subscribed.insert(
                consumer.name.clone(),
                Subscribed { subscription, epoch, deliveries: TaskTracker::new() },
            );
        }
        Ok(Self {
            by_consumer: subscribed,
            settlements,
            settled,
            noop,
            rust,
            _publishing: publishing,
            _sandbox: sandbox,
        })
    }

    pub(crate) fn consumer(&self, name: &str) -> anyhow::Result<Subscribed> {
        self.by_consumer.get(name).cloned().with_context(|| format!("no consumer `{name}`"))
    }

    /// What `broker` makes of what lapin hands out.
    pub(crate) fn decode(&self, delivery: lapin::message::Delivery) -> Delivery {
        Delivery::new(delivery, &self.settlements)
    }

    /// Waits for the next settlement, as the settle task does; it has to be an ack.
    pub(crate) async fn acked(&mut self) -> anyhow::Result<()> {
        let (tag, settlement) = self.settled.recv().await.context("nothing settles any more")?;
        ensure!(settlement == Settlement::Ack, "delivery {tag} was not handled: {settlement:?}");
        Ok(())
    }
}

impl Subscribed {
    /// Takes a delivery to its end, or as far as it gets without waiting and the rest in a task, as `run/pump` does it.
    pub(crate) fn begin(&self, delivery: Delivery) {
        let (subscription, epoch) = (Arc::clone(&self.subscription), self.epoch.clone());
        let (turn, counted) = (subscription.turn(), self.deliveries.token());
        let mut work = Box::pin(async move {
            dispatch::dispatch(&subscription, &epoch, turn, delivery).await;
            drop(counted);
        });
        if work.as_mut().now_or_never().is_none() {
            self.deliveries.spawn(work);
        }
    }
}

impl Subscribed {
    /// How large the future is that takes a delivery to its end.
    pub(crate) fn task_bytes(&self, delivery: Delivery) -> usize {
        size_of_val(&dispatch::dispatch(&self.subscription, &self.epoch, self.subscription.turn(), delivery))
    }
}

/// Where what is measured and made on the way is kept.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench")
}

/// A valid order of exactly `size` bytes: up to 1 KiB by its note, beyond that by its lines.
pub(crate) fn order(size: usize) -> Vec<u8> {
    let line = |n: usize| format!(r#"{{"sku":"sku-{n:06}","quantity":{},"price":{}.5}}"#, n % 9 + 1, n % 100);
    let with = |lines: &str, note: &str| {
        format!(
            r#"{{"id":"o-000001","customer":"c-4711","currency":"EUR","placedAt":"2026-11-26T12:00:00Z","lines":[{lines}],"note":"{note}"}}"#
        )
    };
    let mut lines = line(1);
    for n in 2.. {
        let more = format!("{lines},{}", line(n));
        if n > 2 && size <= 1024 || with(&more, "").len() > size {
            break;
        }
        lines = more;
    }
    let note = "x".repeat(size.saturating_sub(with(&lines, "").len()));
    with(&lines, &note).into_bytes()
}

/// A message as a broker hands it over.
pub(crate) fn delivery(tag: u64, body: &[u8]) -> lapin::message::Delivery {
    let (exchange, routing_key) = ("shop".into(), "order.placed".into());
    let mut delivery = lapin::message::Delivery::mock(tag, exchange, routing_key, false, body.to_vec());
    let mut headers = FieldTable::default();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    headers.insert("traceparent".into(), AMQPValue::LongString(trace.into()));
    headers.insert("tenant".into(), AMQPValue::LongString("acme".into()));
    delivery.properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_headers(headers)
        .with_delivery_mode(2)
        .with_message_id("5f0c1c56-8f4e-4d0c-9d0a-3f1f6c0a9b11".into())
        .with_correlation_id("checkout-20261126-0001".into())
        .with_timestamp(1_795_000_000)
        .with_type("order".into())
        .with_app_id("shop-frontend".into());
    delivery
}
