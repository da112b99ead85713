//! Key-value stores in one file: reading at any time, writing in commits that are kept whole or not at all.
//!
//! One thread writes. It takes all commits that wait, puts them into one transaction and has the disk confirm that once,
//! so that a commit costs a fraction of a confirmation when many wait. Several hosts on one machine may share the file.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use redb::{
    ConcurrencyMode, Database, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction,
};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

/// Name of the file in the data folder.
const FILE: &str = "keyvalue.redb";
/// How much of the file is kept in memory, in bytes; the library's own default is 1 GiB.
const CACHE_BYTES: usize = 32 * 1024 * 1024;
/// Commits that wait; beyond that their calls wait.
const WAITING_MAX: usize = 1_024;
/// Commits in one transaction.
const BATCH_MAX: usize = 256;
/// How long a commit may take. It may be kept after all when it took longer.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// What each store's keys and values take, in bytes, by the store's name.
const SIZES: TableDefinition<'_, &str, u64> = TableDefinition::new("sizes");

/// The stores of one data folder.
pub struct Stores {
    database: Arc<Database>,
    commits: mpsc::Sender<Commit>,
}

/// What a call has written to one key.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) store: Arc<str>,
    pub(super) key: String,
    /// What the call had read before, if it had: only if that is still so, the change is made.
    pub(super) seen: Option<Seen>,
    /// The new value; none to delete it.
    pub(super) value: Option<Vec<u8>>,
    /// How much the store may take, in bytes.
    pub(super) bytes_max: u64,
}

/// A value that was read, or that there was none; as a digest, because values are large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen(Option<[u8; 32]>);

impl Seen {
    pub(super) fn of(value: Option<&[u8]>) -> Self {
        Self(value.map(|value| Sha256::digest(value).into()))
    }
}

/// Why a call's writes were not kept. None of them was.
#[derive(Debug, thiserror::Error)]
pub(in crate::sandbox) enum Uncommitted {
    /// Another call has written what this one had read.
    #[error("another call has written the key `{key}` of the store `{store}` at the same time")]
    Conflict {
        /// The store.
        store: Arc<str>,
        /// The key, or its beginning.
        key: String,
    },
    /// There is no room.
    #[error("the key-value store `{store}` is full: it may take {bytes_max} bytes")]
    Full {
        /// The store.
        store: Arc<str>,
        /// Its limit.
        bytes_max: u64,
    },
    /// The disk did not do its part.
    #[error("the key-value stores cannot be written: {0}")]
    Failed(String),
}

struct Commit {
    changes: Vec<Change>,
    done: oneshot::Sender<Result<(), Uncommitted>>,
}

impl Stores {
    /// Opens the stores in a folder, which has to be ours alone, and is made if it is missing.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        super::super::cache::make_private(folder)
            .with_context(|| format!("cannot use the data folder `{}`", folder.display()))?;
        let path = folder.join(FILE);
        let open = || -> anyhow::Result<Database> {
            let mut builder = Database::builder();
            builder.set_cache_size(CACHE_BYTES).set_concurrency_mode(ConcurrencyMode::MultiWriter);
            let database = builder.create(&path)?;
            let transaction = database.begin_write()?;
            transaction.open_table(SIZES)?;
            transaction.commit()?;
            Ok(database)
        };
        let database =
            open().with_context(|| format!("cannot open the key-value stores `{}`", path.display()))?;
        let database = Arc::new(database);
        let (commits, waiting) = mpsc::channel(WAITING_MAX);
        let written = Arc::clone(&database);
        std::thread::Builder::new()
            .name("key-value".to_owned())
            .spawn(move || write_all(&written, waiting))
            .context("no thread for the key-value stores")?;
        Ok(Self { database, commits })
    }

    /// The value of a key.
    pub(super) fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>, redb::Error> {
        let name = table(store);
        let transaction = self.database.begin_read()?;
        match transaction.open_table(TableDefinition::<&str, &[u8]>::new(&name)) {
            Ok(table) => Ok(table.get(key)?.map(|value| value.value().to_vec())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Keys after `after`, in order, `count` at most.
    pub(super) fn keys(&self, store: &str, after: &str, count: usize) -> Result<Vec<String>, redb::Error> {
        use std::ops::Bound::{Excluded, Unbounded};
        let name = table(store);
        let transaction = self.database.begin_read()?;
        let table = match transaction.open_table(TableDefinition::<&str, &[u8]>::new(&name)) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut keys = Vec::new();
        // No key is empty, so an empty `after` is before them all.
        for entry in table.range::<&str>((Excluded(after), Unbounded))?.take(count) {
            keys.push(entry?.0.value().to_owned());
        }
        Ok(keys)
    }

    /// Makes changes, all of them or none, and returns when the disk has them.
    pub(super) async fn commit(&self, changes: Vec<Change>) -> Result<(), Uncommitted> {
        let gone = || Uncommitted::Failed("the host is stopping".to_owned());
        let (done, answer) = oneshot::channel();
        let committing = async {
            self.commits.send(Commit { changes, done }).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        };
        let late = |_| Uncommitted::Failed(format!("not within {} s", COMMIT_TIMEOUT.as_secs()));
        tokio::time::timeout(COMMIT_TIMEOUT, committing).await.map_err(late)?
    }
}

fn table(store: &str) -> String {
    format!("store:{store}")
}

/// Takes commits as they come, until there is nobody left to send one.
fn write_all(database: &Database, mut waiting: mpsc::Receiver<Commit>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
        let verdicts = write(database, &batch);
        let verdicts = verdicts.unwrap_or_else(|error| {
            tracing::warn!(%error, "the key-value stores cannot be written");
            batch.iter().map(|_| Err(Uncommitted::Failed(error.to_string()))).collect()
        });
        for (commit, verdict) in batch.into_iter().zip(verdicts) {
            // A call that is gone does not want to know.
            drop(commit.done.send(verdict));
        }
    }
}

/// Makes the changes of a batch in one transaction, one commit after the other; each sees those before it.
fn write(database: &Database, batch: &[Commit]) -> Result<Vec<Result<(), Uncommitted>>, redb::Error> {
    let transaction = database.begin_write()?;
    let mut sizes = Sizes::default();
    let mut verdicts = Vec::with_capacity(batch.len());
    for commit in batch {
        let verdict = sizes.take(&transaction, &commit.changes)?;
        if verdict.is_ok() {
            apply(&transaction, &commit.changes)?;
        }
        verdicts.push(verdict);
    }
    sizes.keep(&transaction)?;
    transaction.commit()?;
    Ok(verdicts)
}

fn apply(transaction: &WriteTransaction, changes: &[Change]) -> Result<(), redb::Error> {
    for change in changes {
        let name = table(&change.store);
        let mut table = transaction.open_table(TableDefinition::<&str, &[u8]>::new(&name))?;
        match &change.value {
            Some(value) => drop(table.insert(change.key.as_str(), value.as_slice())?),
            None => drop(table.remove(change.key.as_str())?),
        }
    }
    Ok(())
}

/// The sizes of the stores that a transaction writes to.
#[derive(Default)]
struct Sizes(HashMap<Arc<str>, u64>);

impl Sizes {
    /// Looks whether the changes may be made, and if so, counts them.
    fn take(
        &mut self,
        transaction: &WriteTransaction,
        changes: &[Change],
    ) -> Result<Result<(), Uncommitted>, redb::Error> {
        let mut sizes: HashMap<Arc<str>, u64> = HashMap::new();
        for change in changes {
            let Change { store, key, seen, value, bytes_max } = change;
            let name = table(store);
            let table = transaction.open_table(TableDefinition::<&str, &[u8]>::new(&name))?;
            let found = table.get(key.as_str())?;
            let found = found.as_ref().map(redb::AccessGuard::value);
            if seen.is_some_and(|seen| seen != Seen::of(found)) {
                let key = key.chars().take(100).collect();
                return Ok(Err(Uncommitted::Conflict { store: Arc::clone(store), key }));
            }
            let old = match (sizes.get(store), self.0.get(store)) {
                (Some(size), _) | (None, Some(size)) => *size,
                (None, None) => transaction.open_table(SIZES)?.get(&**store)?.map_or(0, |size| size.value()),
            };
            let less = found.map_or(0, |found| key.len() + found.len()) as u64;
            let more = value.as_ref().map_or(0, |value| key.len() + value.len()) as u64;
            let new = old.saturating_sub(less).saturating_add(more);
            // What makes a store smaller is taken also where it is over its limit, because that was lowered.
            if new > *bytes_max && more > less {
                return Ok(Err(Uncommitted::Full { store: Arc::clone(store), bytes_max: *bytes_max }));
            }
            sizes.insert(Arc::clone(store), new);
        }
        self.0.extend(sizes);
        Ok(Ok(()))
    }

    fn keep(self, transaction: &WriteTransaction) -> Result<(), redb::Error> {
        let mut table = transaction.open_table(SIZES)?;
        for (store, size) in self.0 {
            table.insert(&*store, size)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: &str = "orders";

    fn change(key: &str, seen: Option<Seen>, value: Option<&str>) -> Change {
        let value = value.map(|value| value.as_bytes().to_vec());
        Change { store: STORE.into(), key: key.to_owned(), seen, value, bytes_max: 20 }
    }

    fn with_stores<F: Future<Output = ()>>(test: impl FnOnce(Arc<Stores>) -> F) {
        let folder = tempfile::tempdir().unwrap();
        let stores = Arc::new(Stores::open(folder.path()).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(stores));
    }

    #[test]
    fn a_commit_is_kept_whole_or_not_at_all() {
        with_stores(async |stores| {
            assert_eq!(stores.get(STORE, "a").unwrap(), None);
            stores.commit(vec![change("a", None, Some("1")), change("b", None, Some("2"))]).await.unwrap();
            assert_eq!(stores.get(STORE, "a").unwrap().as_deref(), Some(b"1".as_slice()));
            let stale = Some(Seen::of(Some(b"0")));
            let refused = stores.commit(vec![change("a", None, None), change("b", stale, Some("3"))]).await;
            assert!(matches!(refused, Err(Uncommitted::Conflict { key, .. }) if key == "b"));
            assert_eq!(stores.keys(STORE, "", 10).unwrap(), ["a", "b"]);
            assert_eq!(stores.keys(STORE, "a", 10).unwrap(), ["b"]);
            assert_eq!(stores.keys("other", "", 10).unwrap(), [""; 0]);
        });
    }

    #[test]
    fn what_was_read_has_to_be_so_still() {
        with_stores(async |stores| {
            let nothing = Some(Seen::of(None));
            stores.commit(vec![change("n", nothing, Some("1"))]).await.unwrap();
            assert!(stores.commit(vec![change("n", nothing, Some("1"))]).await.is_err());
            stores.commit(vec![change("n", Some(Seen::of(Some(b"1"))), Some("2"))]).await.unwrap();
            assert_eq!(stores.get(STORE, "n").unwrap().as_deref(), Some(b"2".as_slice()));
        });
    }

    #[test]
    fn a_store_takes_no_more_than_it_may() {
        with_stores(async |stores| {
            stores.commit(vec![change("a", None, Some("123456789"))]).await.unwrap();
            let full = stores.commit(vec![change("b", None, Some("1234567890"))]).await;
            assert!(matches!(full, Err(Uncommitted::Full { bytes_max: 20, .. })), "{full:?}");
            // What takes another's place, or less, fits.
            stores.commit(vec![change("a", None, Some("987654321"))]).await.unwrap();
            stores
                .commit(vec![change("a", None, None), change("b", None, Some("1234567890"))])
                .await
                .unwrap();
            stores.commit(vec![change("b", None, None)]).await.unwrap();
            stores.commit(vec![change("c", None, Some("1234567890123456789"))]).await.unwrap();
        });
    }

    #[test]
    fn stores_are_there_after_the_host_has_gone_and_for_two_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let one = Stores::open(folder.path()).unwrap();
        runtime.block_on(one.commit(vec![change("a", None, Some("1"))])).unwrap();
        let other = Stores::open(folder.path()).unwrap();
        assert_eq!(other.get(STORE, "a").unwrap().as_deref(), Some(b"1".as_slice()));
        runtime.block_on(other.commit(vec![change("a", None, Some("2"))])).unwrap();
        assert_eq!(one.get(STORE, "a").unwrap().as_deref(), Some(b"2".as_slice()));
        drop((one, other));
        let again = Stores::open(folder.path()).unwrap();
        assert_eq!(again.get(STORE, "a").unwrap().as_deref(), Some(b"2".as_slice()));
    }
}
