//! The topology on one connection: declared when it is opened, and again when something of it turns out to be missing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

use crate::broker::{self, Connection, DeclareError};
use crate::topology::Topology;

/// How often something missing may make us declare everything.
const PAUSE: Duration = Duration::from_secs(5);

/// A topology that is declared on a connection.
#[derive(Debug)]
pub(super) struct Declared {
    /// The connection that consumes: an exclusive queue belongs to the one that declares it.
    pub(super) connection: Connection,
    pub(super) missing: Arc<Notify>,
    topology: Arc<Topology>,
    /// When it was declared last, by the beginning.
    last: Mutex<Instant>,
}

impl Declared {
    /// Declares it for the first time.
    pub(super) async fn first(connection: Connection, topology: Arc<Topology>) -> Result<Self, DeclareError> {
        let last = Mutex::new(Instant::now());
        // On the connection that consumes: an exclusive queue is its own.
        broker::declare(&connection, &topology).await?;
        Ok(Self { connection, missing: Arc::default(), topology, last })
    }

    /// Declares it again, unless somebody has done so since `noticed`.
    pub(super) async fn again(&self, noticed: Instant) -> Result<(), DeclareError> {
        let mut last = self.last.lock().await;
        if *last >= noticed {
            return Ok(());
        }
        let began = Instant::now();
        broker::declare(&self.connection, &self.topology).await?;
        *last = began;
        Ok(())
    }

    /// Declares it again whenever a message could not be published for want of an exchange or a queue.
    pub(super) async fn mend(&self) {
        let mut said = String::new();
        loop {
            self.missing.notified().await;
            match self.again(Instant::now()).await {
                Ok(()) => said.clear(),
                Err(error) => {
                    let text = error.to_string();
                    if text != said {
                        tracing::warn!("what is missing cannot be declared: {text}");
                        said = text;
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
