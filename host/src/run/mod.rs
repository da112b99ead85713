//! The composition root of `warren run`: handlers -> connection -> topology -> consumers -> drain.
//!
//! Three things fail and come back on their own, each after a delay that grows and varies (`backoff`): the connection
//! that consumes (`epoch`), each consumer's channel on it (`link`), and the connection that publishes (`publishing`).
//! When one fails, what was in flight on it is let go, and the others go on.

mod backoff;
mod declared;
mod epoch;
mod link;
mod publishing;
mod pump;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Health;
use crate::broker::{Address, ConnectError, Connection, DeclareError, Publisher};
use crate::contract::Contract;
use crate::dispatch::{Subscription, Tally};
use crate::load::Handlers;
use crate::sandbox::Handler;
use crate::topology::{self, Topology};

use backoff::Backoff;
use epoch::{Ended, OpenError, Opened};

/// How long the last confirms may take when the host ends; nobody waits for them any more.
const LAST_CONFIRMS: Duration = Duration::from_secs(3);

/// What a running host needs to know.
#[derive(Debug)]
pub struct Host {
    address: Address,
    topology: Arc<Topology>,
    subscriptions: Vec<Arc<Subscribed>>,
    grace: Duration,
    /// Where handlers run: away from the connections, whose heartbeats must not wait for a guest.
    wasm: Handle,
    contract: String,
    /// The broker has been asked for its version, and it will do.
    version_checked: AtomicBool,
    /// Messages that are acked already and in the hands of a handler.
    detached: TaskTracker,
    /// When the grace period ends; set when the host is stopped.
    end: OnceLock<Instant>,
    health: Arc<Health>,
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
        health: Arc<Health>,
    ) -> Self {
        let Handlers { sandbox, mut by_consumer } = handlers;
        let subscriptions = subscriptions(contract, &mut by_consumer);
        Self {
            address,
            topology: Arc::new(topology::derive(contract)),
            subscriptions,
            grace,
            wasm,
            contract: contract.full_name(),
            version_checked: AtomicBool::new(false),
            detached: TaskTracker::new(),
            end: OnceLock::new(),
            health,
            _sandbox: sandbox,
        }
    }

    /// Runs until `stop`, then drains.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), RunError> {
        let Some(connection) = self.first_publishing(&stop).await? else {
            return Ok(());
        };
        let frame_max = connection.frame_max();
        let (publisher, publishing) = Publisher::new();
        let mut supervised = JoinSet::new();
        // Among those who wait for its confirms, so that to tell them wakes no other thread.
        let (address, name) = (self.address.clone(), self.connection_name("publishes"));
        supervised.spawn_on(publishing::supervise(address, name, connection, publishing), &self.wasm);
        let ended = self.consume(&publisher, &stop, frame_max).await;
        self.detached.close();
        if tokio::time::timeout_at(self.end(), self.detached.wait()).await.is_err() {
            tracing::error!(
                left = self.detached.len(),
                "the grace period is over: messages that are acked already are lost"
            );
        }
        drop(publisher); // the publishing task ends with its last publisher
        drop(tokio::time::timeout(LAST_CONFIRMS, supervised.join_next()).await);
        self.summarise();
        ended
    }

    /// Opens the connection that publishes. None if the host is stopped before that is possible.
    async fn first_publishing(&self, stop: &CancellationToken) -> Result<Option<Connection>, RunError> {
        let mut backoff = Backoff::new();
        while !stop.is_cancelled() {
            let name = self.connection_name("publishes");
            let opened = tokio::select! {
                opened = Connection::open(&self.address, &name) => opened,
                () = stop.cancelled() => break,
            };
            match opened {
                Ok(connection) => return Ok(Some(connection)),
                Err(error) => self.wait_out(OpenError::Connect(error), true, &mut backoff, stop).await?,
            }
        }
        Ok(None)
    }

    /// Consumes until `stop`, over one connection after the other.
    async fn consume(
        &self,
        publisher: &Publisher,
        stop: &CancellationToken,
        frame_max: u32,
    ) -> Result<(), RunError> {
        let mut backoff = Backoff::new();
        // Of the broker as it is now: one that comes back may have been given larger frames.
        let mut frame_max = Some(frame_max);
        let mut first = true;
        while !stop.is_cancelled() {
            let opened = tokio::select! {
                opened = Opened::open(self, publisher, stop, frame_max.take()) => opened,
                () = stop.cancelled() => break,
            };
            match opened {
                Ok(epoch) => {
                    let consumers = self.subscriptions.len();
                    tracing::info!(contract = self.contract, consumers, broker = epoch.broker(), "ready");
                    first = false;
                    backoff.works();
                    let broker = epoch.broker().to_owned();
                    self.health.set(true);
                    let ended = epoch.serve(self, stop).await;
                    self.health.set(false);
                    match ended {
                        Ended::Drained => break,
                        Ended::Failed(reason) => tracing::warn!(reason, "lost the broker, connecting again"),
                    }
                    // Also where it was the node that failed and not the connection: another one may do better.
                    self.address.fail_over(&broker);
                    backoff.wait(stop).await;
                }
                Err(error) => self.wait_out(error, first, &mut backoff, stop).await?,
            }
        }
        Ok(())
    }

    /// Waits before the next try to connect. At the start, what waiting will not mend is the end.
    async fn wait_out(
        &self,
        error: OpenError,
        first: bool,
        backoff: &mut Backoff,
        stop: &CancellationToken,
    ) -> Result<(), RunError> {
        let text = error.to_string();
        if first && let Ok(error) = error.into_final() {
            return Err(error);
        }
        if backoff.is_news(&text) {
            tracing::warn!("{text}; trying again until it works");
        }
        backoff.wait(stop).await;
        Ok(())
    }

    /// When the grace period ends. It begins when this is asked for first.
    fn end(&self) -> Instant {
        *self.end.get_or_init(|| Instant::now() + self.grace)
    }

    /// What the management page shows.
    fn connection_name(&self, does: &str) -> String {
        format!("warren {does} for {}", self.contract)
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

fn subscriptions(contract: &Contract, handlers: &mut BTreeMap<String, Handler>) -> Vec<Arc<Subscribed>> {
    let suspects = Arc::new(Semaphore::new(1));
    let subscribe = |consumer: &crate::contract::Consumer| {
        let handler = handlers.remove(&consumer.name)?;
        let subscription = Subscription::new(contract, consumer, handler, Arc::clone(&suspects));
        Some(Arc::new(Subscribed { subscription, prefetch: consumer.prefetch }))
    };
    contract.consumers.values().filter_map(subscribe).collect()
}
