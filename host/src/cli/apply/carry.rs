//! Carries out changes one by one, says what it did, and ends cleanly when interrupted.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::broker::{
    self, Address, ConnectError, Connection, DeclareError, Management, ManagementError, Outcome, SETTLING,
};
use crate::cli::{Exit, to_stdout};
use crate::plan::Change;

/// Why not all could be carried out.
#[derive(Debug, thiserror::Error)]
enum CarryError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Declare(#[from] DeclareError),
    #[error(transparent)]
    Management(#[from] ManagementError),
    #[error("{0}")]
    Internal(#[from] tokio::task::JoinError),
}

impl CarryError {
    fn exit(&self) -> Exit {
        match self {
            Self::Connect(ConnectError::Refused { .. }) => Exit::NoPermission,
            Self::Declare(DeclareError::Conflict(_) | DeclareError::Refused { .. }) => Exit::Contract,
            Self::Connect(ConnectError::Unreachable { .. })
            | Self::Declare(DeclareError::Broker(_))
            | Self::Management(_) => Exit::Unavailable,
            Self::Internal(_) => Exit::Internal,
        }
    }
}

/// Carries out changes.
pub(super) struct Carrier<'a> {
    address: &'a Address,
    management: Option<Arc<Management>>,
    done: usize,
    /// Bindings that were declared without knowing whether they were there.
    ensured: usize,
    kept: usize,
}

impl<'a> Carrier<'a> {
    pub(super) fn new(address: &'a Address, management: Option<Management>) -> Self {
        Self { address, management: management.map(Arc::new), done: 0, ensured: 0, kept: 0 }
    }

    /// Carries out `changes`, in order, and says how that ended.
    pub(super) async fn carry(mut self, changes: &[Change<'_>]) -> Exit {
        if changes.is_empty() {
            to_stdout("nothing to do: everything is as the contract says\n");
            return Exit::Done;
        }
        let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return Exit::Internal };
        let ended = tokio::select! {
            ended = self.all(changes) => Some(ended),
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
        };
        match ended {
            Some(Ok(())) => self.summarise(),
            Some(Err(error)) => {
                eprintln!("error: {error}\n\n{} of {} changes were made", self.made(), changes.len());
                error.exit()
            }
            None => {
                let (made, all) = (self.made(), changes.len());
                eprintln!("interrupted after {made} of {all} changes; run it again for the rest");
                Exit::Interrupted
            }
        }
    }

    fn made(&self) -> usize {
        self.done + self.ensured
    }

    fn summarise(&self) -> Exit {
        let Self { done, ensured, kept, .. } = *self;
        if done == 0 && kept == 0 {
            to_stdout("nothing to do: everything that can be seen is as the contract says\n");
        }
        if ensured > 0 {
            to_stdout(&format!(
                "declared {ensured} bindings that could not be seen; those that were there are as before\n"
            ));
        }
        if kept > 0 { Exit::Pending } else { Exit::Done }
    }

    async fn all(&mut self, changes: &[Change<'_>]) -> Result<(), CarryError> {
        let connection = Connection::open(self.address, "warren apply").await?;
        let (mut settled, mut quorum) = (Vec::new(), Vec::new());
        for change in changes {
            match *change {
                Change::Delete { name, quorum: true } => quorum.push(name),
                _ => settled.push(*change),
            }
        }
        for change in settled {
            let outcome = broker::change(&connection, change).await?;
            self.record(change, outcome);
        }
        self.delete_quorum(&connection, quorum).await?;
        connection.close().await;
        Ok(())
    }

    /// Deletes quorum queues that stay empty for as long as the broker's count of their messages may be behind. The broker
    /// itself cannot be asked to delete one only if it is empty.
    async fn delete_quorum(&mut self, connection: &Connection, names: Vec<&str>) -> Result<(), CarryError> {
        let mut empty = Vec::new();
        for name in names {
            match broker::counts(connection, name).await? {
                Some((0, 0)) => empty.push(name),
                None => {}
                Some((messages, consumers)) => {
                    let why = format!("it has {messages} messages and {consumers} consumers");
                    self.keep(name, &why);
                }
            }
        }
        if empty.is_empty() {
            return Ok(());
        }
        let (count, seconds) = (empty.len(), SETTLING.as_secs());
        eprintln!("watching {count} wait queues for {seconds} s, to see that they stay empty");
        tokio::time::sleep(SETTLING).await;
        for name in empty {
            match self.messages(name).await? {
                Some(0) => {
                    let change = Change::Delete { name, quorum: true };
                    let outcome = broker::change(connection, change).await?;
                    self.record(change, outcome);
                }
                Some(messages) => self.keep(name, &format!("it has {messages} messages")),
                None => self.keep(name, "the management API does not say how many messages it has"),
            }
        }
        Ok(())
    }

    async fn messages(&self, queue: &str) -> Result<Option<u64>, CarryError> {
        let Some(management) = self.management.clone() else { return Ok(None) };
        let queue = queue.to_owned();
        Ok(tokio::task::spawn_blocking(move || management.messages(&queue)).await??)
    }

    fn record(&mut self, change: Change<'_>, outcome: Outcome) {
        match (change, outcome) {
            (_, Outcome::Needless) => {}
            (Change::Delete { name, .. }, Outcome::Kept(why)) => self.keep(name, &why),
            (_, Outcome::Kept(why)) => eprintln!("not done: {why}"),
            (Change::Bind { again: true, .. }, Outcome::Done) => self.ensured += 1,
            (change, Outcome::Done) => {
                self.done += 1;
                to_stdout(&format!("{change}\n"));
            }
        }
    }

    fn keep(&mut self, name: &str, why: &str) {
        self.kept += 1;
        eprintln!("kept: wait queue `{name}`, because {why}; try again later");
    }
}
