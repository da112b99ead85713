//! One life of the consuming connection: the topology declared, every consumer running, until it fails or is drained.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::{self, ConnectError, Connection, DeclareError, Publisher};
use crate::plan::{self, Version};

use super::declared::Declared;
use super::link::Link;
use super::{Host, RunError};

/// Why a connection could not be put to use.
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

/// How it ended.
pub(super) enum Ended {
    /// It was told to stop, and everything in flight is finished or given back.
    Drained,
    /// It failed.
    Failed(String),
}

/// A connection on which consumers are running.
pub(super) struct Opened {
    declared: Arc<Declared>,
    /// The connection has failed.
    failed: CancellationToken,
    /// What is in flight, by consumer.
    deliveries: Vec<TaskTracker>,
    links: JoinSet<()>,
}

impl Opened {
    /// Connects, declares and starts to consume. A drop before that is done undoes it by closing the connection.
    /// `frame_max` is the broker's largest frame, if that is known for certain.
    pub(super) async fn open(
        host: &Host,
        publisher: &Publisher,
        stop: &CancellationToken,
        frame_max: Option<u32>,
    ) -> Result<Self, OpenError> {
        check_version(host).await?;
        let name = host.connection_name("consumes");
        let connection = Connection::open_with_frames(&host.address, &name, frame_max).await?;
        let broker = connection.address().to_owned();
        let declared = Declared::first(connection, Arc::clone(&host.topology)).await;
        let declared = Arc::new(declared.inspect_err(|_| host.address.fail_over(&broker))?);
        let failed = CancellationToken::new();
        // What the first consumers have begun is of no use when another cannot be started.
        let undo = failed.clone().drop_guard();
        let mut deliveries = Vec::with_capacity(host.subscriptions.len());
        let mut links = JoinSet::new();
        for subscribed in &host.subscriptions {
            let link = Link {
                subscribed: Arc::clone(subscribed),
                publisher: publisher.clone(),
                declared: Arc::clone(&declared),
                failed: failed.clone(),
                stop: stop.clone(),
                wasm: host.wasm.clone(),
                deliveries: TaskTracker::new(),
                detached: host.detached.clone(),
            };
            let consumption = link.start().await?;
            deliveries.push(link.deliveries.clone());
            links.spawn_on(link.run(consumption), &host.wasm);
        }
        undo.disarm();
        Ok(Self { declared, failed, deliveries, links })
    }

    /// The address in use.
    pub(super) fn broker(&self) -> &str {
        self.declared.connection.address()
    }

    /// Serves until the connection fails, or is stopped and drained.
    pub(super) async fn serve(mut self, host: &Host, stop: &CancellationToken) -> Ended {
        let ended = tokio::select! {
            reason = self.declared.connection.failed() => Ended::Failed(reason),
            ended = all_done(&mut self.links) => ended,
            () = self.declared.mend() => Ended::Failed("the topology is no longer looked after".to_owned()),
            () = grace(host, stop) => {
                let left: usize = self.deliveries.iter().map(TaskTracker::len).sum();
                tracing::warn!(left, "the grace period is over: unfinished messages go back to their queues");
                Ended::Drained
            }
        };
        // Each consumer drops what it has in flight: nothing can be settled any more.
        self.failed.cancel();
        while self.links.join_next().await.is_some() {}
        if let Some(declared) = Arc::into_inner(self.declared) {
            declared.connection.close().await;
        }
        ended
    }
}

/// Before anything is declared: whether the broker is one that can do what the contract asks for. Once for each host, and
/// each time if that depends on the version: what is connected to next may be another node.
async fn check_version(host: &Host) -> Result<(), OpenError> {
    if host.version_checked.load(Ordering::Relaxed) && !host.topology.needs_native_delay {
        return Ok(());
    }
    let version = broker::version(&host.address).await?;
    let reasons = plan::too_old(&host.topology, version);
    if !reasons.is_empty() {
        return Err(OpenError::TooOld(reasons.join("\n\n")));
    }
    if let Some(warning) = version.and_then(Version::warning)
        && !host.version_checked.load(Ordering::Relaxed)
    {
        tracing::warn!("{warning}");
    }
    host.version_checked.store(true, Ordering::Relaxed);
    Ok(())
}

async fn all_done(links: &mut JoinSet<()>) -> Ended {
    while let Some(done) = links.join_next().await {
        if let Err(panic) = done {
            return Ended::Failed(panic.to_string());
        }
    }
    Ended::Drained
}

async fn grace(host: &Host, stop: &CancellationToken) {
    stop.cancelled().await;
    tracing::info!(grace_s = host.grace.as_secs(), "stopping: finishing what is in flight");
    tokio::time::sleep_until(host.end()).await;
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}
