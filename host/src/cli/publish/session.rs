//! A connection that publishes, and that is opened again when it is lost.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::broker::{
    self, Address, ConnectError, Connection, DeclareError, Publication, PublishError, Publisher,
};
use crate::cli::Exit;
use crate::plan;
use crate::topology::Topology;

use super::input::Line;

const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How often one batch is sent again before its messages are taken for the cause of the trouble.
const RESENDS_MAX: u32 = 10;

/// Why nothing can be published.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Declare(#[from] DeclareError),
    #[error("{0}")]
    TooOld(String),
    #[error("{0}")]
    Broker(#[from] broker::Error),
    #[error("lost the broker {RESENDS_MAX} times over the same messages, the first of which is line {line}")]
    Hopeless { line: u64 },
}

impl SessionError {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Connect(ConnectError::Refused { .. }) => Exit::NoPermission,
            Self::Declare(DeclareError::Conflict(_) | DeclareError::Refused { .. }) | Self::TooOld(_) => {
                Exit::Contract
            }
            Self::Connect(ConnectError::Unreachable { .. })
            | Self::Declare(DeclareError::Broker(_))
            | Self::Broker(_)
            | Self::Hopeless { .. } => Exit::Unavailable,
        }
    }

    fn may_pass(&self) -> bool {
        self.exit() == Exit::Unavailable
    }
}

/// An open session.
pub(super) struct Session<'a> {
    address: &'a Address,
    topology: &'a Topology,
    wait: Duration,
    link: Link,
}

struct Link {
    /// The address in use.
    broker: String,
    publisher: Publisher,
    /// Ends with the publisher, or with the connection.
    tasks: JoinSet<()>,
}

/// A line that was sent, with what the broker said to it.
pub(super) type Verdict = (Line, Result<(), PublishError>);

impl<'a> Session<'a> {
    /// Connects, and declares the topology. Waits for a broker for as long as `wait`.
    pub(super) async fn open(
        address: &'a Address,
        topology: &'a Topology,
        wait: Duration,
    ) -> Result<Self, SessionError> {
        let link = Link::open(address, topology, wait).await?;
        Ok(Self { address, topology, wait, link })
    }

    /// Publishes a batch, on a new connection if need be; then all of it is sent again, with the same message ids.
    pub(super) async fn publish(
        &mut self,
        batch: Vec<(Line, Publication)>,
    ) -> Result<Vec<Verdict>, SessionError> {
        for _ in 0..RESENDS_MAX {
            let publications = batch.iter().map(|(_, publication)| publication.clone()).collect();
            if let Ok(verdicts) = self.link.publisher.publish(publications).await {
                let lines = batch.into_iter().map(|(line, _)| line);
                return Ok(lines.zip(verdicts).map(|(line, (_, verdict))| (line, verdict)).collect());
            }
            tracing::warn!("lost the broker, connecting again");
            self.address.fail_over(&self.link.broker);
            self.link = Link::open(self.address, self.topology, self.wait).await?;
        }
        Err(SessionError::Hopeless { line: batch.first().map_or(0, |(line, _)| line.number) })
    }

    pub(super) async fn close(self) {
        let Link { publisher, mut tasks, .. } = self.link;
        drop(publisher);
        while tasks.join_next().await.is_some() {}
    }
}

impl Link {
    async fn open(address: &Address, topology: &Topology, wait: Duration) -> Result<Self, SessionError> {
        let until = Instant::now() + wait;
        let mut said = false;
        loop {
            match Self::try_open(address, topology).await {
                Ok(link) => return Ok(link),
                Err(error) if error.may_pass() && Instant::now() < until => {
                    if !said {
                        tracing::warn!("{error}; trying again for {} s", wait.as_secs());
                        said = true;
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn try_open(address: &Address, topology: &Topology) -> Result<Self, SessionError> {
        if topology.needs_native_delay {
            let version = broker::version(address).await?;
            let reasons = plan::too_old(topology, version);
            if !reasons.is_empty() {
                return Err(SessionError::TooOld(reasons.join("\n\n")));
            }
        }
        let connection = Connection::open(address, "warren publish").await?;
        let broker = connection.address().to_owned();
        broker::declare(&connection, topology).await.inspect_err(|_| address.fail_over(&broker))?;
        let (publisher, mut publishing) = Publisher::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let failed = connection.failed();
            tokio::select! {
                served = publishing.serve(&connection) => {
                    if served.is_ok() {
                        connection.close().await;
                    }
                }
                _ = failed => {}
            }
        });
        Ok(Self { broker, publisher, tasks })
    }
}
