//! One epoch: two connections, the topology declared, every consumer running, until it fails or is drained.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::{self, ConnectError, Connection, Consumption, DeclareError, Delivery, Publisher};
use crate::dispatch::{Epoch, dispatch};
use crate::plan::{self, Version};

use super::{Host, RunError, Subscribed};

/// Why an epoch could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No topology.
    #[error(transparent)]
    Declare(#[from] DeclareError),
    /// The broker cannot do what the contract asks for.
    #[error("{0}")]
    TooOld(String),
    /// The broker went away while consumers were started.
    #[error(transparent)]
    Broker(#[from] broker::Error),
}

impl OpenError {
    /// What waiting will not mend: at the start, a human is there to be told.
    pub(super) fn into_final(self) -> Result<RunError, Self> {
        match self {
            Self::Connect(error @ ConnectError::Refused { .. }) => Ok(RunError::Connect(error)),
            Self::Declare(error @ (DeclareError::Conflict(_) | DeclareError::Refused { .. })) => {
                Ok(RunError::Declare(error))
            }
            Self::TooOld(reason) => Ok(RunError::TooOld(reason)),
            error @ (Self::Connect(_) | Self::Declare(_) | Self::Broker(_)) => Err(error),
        }
    }
}

/// How an epoch ended.
pub(super) enum Ended {
    /// It was told to stop, and everything in flight is finished or given back.
    Drained,
    /// It failed.
    Failed(String),
}

/// A task of an epoch: ok when it has done its part, an error when the epoch has failed.
type Task = Result<(), String>;

/// An epoch that is open: consumers are running.
pub(super) struct Opened {
    consuming: Connection,
    publishing: Connection,
    epoch: Epoch,
    deliveries: TaskTracker,
    consumers: JoinSet<Task>,
    watches: JoinSet<Task>,
}

impl Opened {
    /// Connects, declares and starts to consume. A drop before that is done undoes it by closing the connections.
    pub(super) async fn open(host: &Host, stop: &CancellationToken) -> Result<Self, OpenError> {
        check_version(host).await?;
        let publishing =
            Connection::open(&host.address, &format!("warren publishes for {}", host.contract)).await?;
        let consuming =
            Connection::open(&host.address, &format!("warren consumes for {}", host.contract)).await?;
        // On the connection that consumes: an exclusive queue is its own.
        broker::declare(&consuming, &host.topology).await?;
        let (publisher, publish) = Publisher::open(&publishing).await?;
        let mut watches = JoinSet::new();
        watches.spawn(async move { publish.await.map_err(|error| error.to_string()) });
        for connection in [&publishing, &consuming] {
            let failed = connection.failed();
            watches.spawn(async move { Err(failed.await) });
        }
        let epoch = Epoch { publisher, failed: CancellationToken::new(), stop: stop.clone() };
        let deliveries = TaskTracker::new();
        let mut consumers = JoinSet::new();
        for subscribed in &host.subscriptions {
            let queue = &subscribed.subscription.holder.queue;
            let tag = format!("warren.{}", subscribed.subscription.holder.consumer);
            let consumption = Consumption::start(&consuming, queue, &tag, subscribed.prefetch).await?;
            let sink = sink(host, subscribed, &epoch, &deliveries);
            let stop = stop.clone();
            let named = format!("consumer `{}`", subscribed.subscription.holder.consumer);
            consumers.spawn(async move {
                consumption.run(sink, stop).await.map_err(|error| format!("{named}: {error}"))
            });
        }
        Ok(Self { consuming, publishing, epoch, deliveries, consumers, watches })
    }

    /// The address in use.
    pub(super) fn broker(&self) -> &str {
        self.consuming.address()
    }

    /// Serves until the epoch fails, or is stopped and drained.
    pub(super) async fn serve(mut self, host: &Host, stop: &CancellationToken) -> Ended {
        let ended = tokio::select! {
            reason = first_failure(&mut self.watches) => Ended::Failed(reason),
            ended = all_done(&mut self.consumers) => ended,
            () = grace(host, stop) => {
                let left = self.deliveries.len();
                tracing::warn!(left, "the grace period is over: unfinished messages go back to their queues");
                Ended::Drained
            }
        };
        // From here nothing can be settled. Whatever is still running is dropped where it stands.
        self.epoch.failed.cancel();
        self.deliveries.close();
        self.deliveries.wait().await;
        self.consumers.shutdown().await;
        drop(self.epoch); // the publishing task ends with its last publisher
        self.watches.shutdown().await;
        tokio::join!(self.consuming.close(), self.publishing.close());
        ended
    }
}

/// Before anything is declared: whether the broker is one that can do what the contract asks for. Once for each host.
async fn check_version(host: &Host) -> Result<(), OpenError> {
    if host.version_checked.load(Ordering::Relaxed) {
        return Ok(());
    }
    let version = broker::version(&host.address).await?;
    let reasons = plan::too_old(&host.topology, version);
    if !reasons.is_empty() {
        return Err(OpenError::TooOld(reasons.join("\n\n")));
    }
    if let Some(warning) = version.and_then(Version::warning) {
        tracing::warn!("{warning}");
    }
    host.version_checked.store(true, Ordering::Relaxed);
    Ok(())
}

async fn first_failure(watches: &mut JoinSet<Task>) -> String {
    while let Some(watched) = watches.join_next().await {
        match watched {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => return reason,
            Err(panic) => return panic.to_string(),
        }
    }
    std::future::pending().await
}

async fn all_done(consumers: &mut JoinSet<Task>) -> Ended {
    while let Some(done) = consumers.join_next().await {
        match done {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => return Ended::Failed(reason),
            Err(panic) => return Ended::Failed(panic.to_string()),
        }
    }
    Ended::Drained
}

async fn grace(host: &Host, stop: &CancellationToken) {
    stop.cancelled().await;
    tracing::info!(grace_s = host.grace.as_secs(), "stopping: finishing what is in flight");
    tokio::time::sleep(host.grace).await;
}

fn sink(host: &Host, subscribed: &Arc<Subscribed>, epoch: &Epoch, deliveries: &TaskTracker) -> broker::Sink {
    let (subscribed, epoch, deliveries) = (Arc::clone(subscribed), epoch.clone(), deliveries.clone());
    let wasm = host.wasm.clone();
    Box::new(move |delivery: Delivery| {
        let (subscribed, epoch) = (Arc::clone(&subscribed), epoch.clone());
        let work = async move { dispatch(&subscribed.subscription, &epoch, delivery).await };
        // The prefetch bounds how many of these there are.
        deliveries.spawn_on(work, &wasm);
    })
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}
