//! The composition root of `warren run`: handlers -> connection -> topology -> consumers -> drain.
//!
//! A loop of epochs: while one lives, deliveries are dispatched; when it fails, what was in flight is let go and the
//! next one is opened, after a delay that grows and varies. `epoch` opens one and watches over it.

mod epoch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::broker::{Address, ConnectError, DeclareError};
use crate::contract::Contract;
use crate::dispatch::{Subscription, Tally};
use crate::load::Handlers;
use crate::policy::copy::Holder;
use crate::sandbox::Handler;
use crate::topology::{self, Topology};

use epoch::{Ended, Opened};

/// The first delay before connecting again; it doubles each time.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(15);
/// An epoch that lived this long was a good one: the next delay starts small again.
const GOOD_EPOCH: Duration = Duration::from_secs(30);

/// What a running host needs to know.
#[derive(Debug)]
pub struct Host {
    address: Address,
    topology: Topology,
    subscriptions: Vec<Arc<Subscribed>>,
    grace: Duration,
    /// Where handlers run: away from the connections, whose heartbeats must not wait for a guest.
    wasm: Handle,
    contract: String,
    /// The broker has been asked for its version, and it will do.
    version_checked: AtomicBool,
    /// Keeps the engine's clock going.
    _sandbox: crate::sandbox::Sandbox,
}

/// A subscription with how much the broker may hand over ahead.
#[derive(Debug)]
struct Subscribed {
    subscription: Subscription,
    prefetch: u16,
}

/// Why the host could not do its work. All else it waits out.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The broker does not want us.
    #[error(transparent)]
    Connect(ConnectError),
    /// What the contract asks for cannot be declared.
    #[error(transparent)]
    Declare(DeclareError),
    /// The broker cannot do what the contract asks for.
    #[error("{0}")]
    TooOld(String),
}

impl Host {
    /// Puts a host together. `grace` is how long it may take to finish what is in flight when it is stopped.
    pub fn new(
        contract: &Contract,
        handlers: Handlers,
        address: Address,
        grace: Duration,
        wasm: Handle,
    ) -> Self {
        let Handlers { sandbox, mut by_consumer } = handlers;
        let subscriptions = subscriptions(contract, &mut by_consumer);
        Self {
            address,
            topology: topology::derive(contract),
            subscriptions,
            grace,
            wasm,
            contract: named(contract),
            version_checked: AtomicBool::new(false),
            _sandbox: sandbox,
        }
    }

    /// Runs until `stop`, then drains.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), RunError> {
        let mut delay = RECONNECT_DELAY;
        let mut first = true;
        let mut said = String::new();
        while !stop.is_cancelled() {
            let opened = tokio::select! {
                opened = Opened::open(self, &stop) => opened,
                () = stop.cancelled() => break,
            };
            match opened {
                Ok(epoch) => {
                    let consumers = self.subscriptions.len();
                    tracing::info!(contract = self.contract, consumers, broker = %self.address, "ready");
                    first = false;
                    said.clear();
                    let began = tokio::time::Instant::now();
                    match epoch.serve(self, &stop).await {
                        Ended::Drained => break,
                        Ended::Failed(reason) => tracing::warn!(reason, "lost the broker, connecting again"),
                    }
                    if began.elapsed() > GOOD_EPOCH {
                        delay = RECONNECT_DELAY;
                    }
                }
                Err(error) => {
                    let text = error.to_string();
                    if first && let Ok(error) = error.into_final() {
                        return Err(error);
                    }
                    // Once for each kind of trouble, and not once for each try.
                    if text != said {
                        tracing::warn!("{text}; trying again until it works");
                        said = text;
                    }
                }
            }
            let varied = delay.mul_f64(0.5 + fastrand::f64());
            tokio::select! {
                () = tokio::time::sleep(varied) => {}
                () = stop.cancelled() => {}
            }
            delay = (delay * 2).min(RECONNECT_DELAY_MAX);
        }
        self.summarise();
        Ok(())
    }

    fn summarise(&self) {
        for subscribed in &self.subscriptions {
            let Subscription { holder, tally, .. } = &subscribed.subscription;
            let Tally { handled, retried, dead_lettered } = tally;
            tracing::info!(
                consumer = holder.consumer,
                handled = handled.load(Ordering::Relaxed),
                retried = retried.load(Ordering::Relaxed),
                dead_lettered = dead_lettered.load(Ordering::Relaxed),
                "stopped"
            );
        }
    }
}

fn named(contract: &Contract) -> String {
    if contract.version.is_empty() {
        contract.name.clone()
    } else {
        format!("{}@{}", contract.name, contract.version)
    }
}

fn subscriptions(contract: &Contract, handlers: &mut BTreeMap<String, Handler>) -> Vec<Arc<Subscribed>> {
    let subscribe = |consumer: &crate::contract::Consumer| {
        let handler = handlers.remove(&consumer.name)?;
        let queue = contract.queue_of(consumer);
        let subscription = Subscription {
            message: consumer.message.clone(),
            retry: queue.retry.clone(),
            on_failure: consumer.on_failure,
            delivery_mode: consumer.delivery,
            deliveries_max: queue.deliveries_max,
            queue_type: queue.kind,
            dead_letter: queue.dead_letter.clone(),
            permits: Semaphore::new(consumer.handler.concurrency.into()),
            holder: Holder {
                contract: named(contract),
                consumer: consumer.name.clone(),
                queue: queue.name.clone(),
                component: handler.digest.clone(),
            },
            handler,
            app_id: contract.name.clone(),
            tally: Tally::default(),
        };
        Some(Arc::new(Subscribed { subscription, prefetch: consumer.prefetch }))
    };
    contract.consumers.values().filter_map(subscribe).collect()
}
