//! `wasi:keyvalue`: what a call reads and writes. Its writes are kept here until it has succeeded; its reads see them.
//!
//! A key that a call has read and then writes is compared when the writes are kept: if another call has written it in
//! the meantime, none of them is, and the call is made again. So `increment` never loses a step, and neither does a
//! handler that reads, computes and sets.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use crate::contract::StoreGrant;

use super::store::{Change, Seen, Stores};
use super::{Granted, State};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit/deps/keyvalue.wit",
        world: "imports",
        imports: { default: trappable },
        with: { "wasi:keyvalue/store.bucket": super::Bucket },
    });
}

use bindings::wasi::keyvalue::{atomics, batch, store};
use store::{Error, KeyResponse};

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 1_024;
/// The longest value, in bytes.
const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Keys that one call may touch.
const KEYS_MAX: usize = 10_000;
/// What one call may write, in bytes.
const WRITTEN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Keys in one answer of `list-keys`.
const PAGE: usize = 1_000;
/// Keys in one call of `batch`.
const BATCH_MAX: usize = 1_000;

/// An open store, as a guest holds it.
#[derive(Debug, Clone)]
#[expect(unreachable_pub, reason = "what is generated names it so")]
pub struct Bucket {
    name: Arc<str>,
    bytes_max: u64,
}

/// What one call has read and written.
#[derive(Debug, Default)]
pub(super) struct StoreCall {
    touched: BTreeMap<(Arc<str>, String), Touched>,
    written_bytes: usize,
    /// The last keys of the pages that were given out; a cursor is an index of these, from 1.
    pages: Vec<String>,
}

#[derive(Debug)]
struct Touched {
    /// What the call read there before it wrote.
    seen: Option<Seen>,
    written: Option<Written>,
}

#[derive(Debug)]
struct Written {
    value: Option<Vec<u8>>,
    bytes_max: u64,
}

impl StoreCall {
    /// The writes, to be kept.
    pub(super) fn into_changes(self) -> Vec<Change> {
        let changes = self.touched.into_iter().filter_map(|((store, key), touched)| {
            let Written { value, bytes_max } = touched.written?;
            Some(Change { store, key, seen: touched.seen, value, bytes_max })
        });
        changes.collect()
    }
}

/// What the functions of the interface work on.
pub(super) struct View<'a> {
    granted: &'a Granted,
    call: &'a mut StoreCall,
    table: &'a mut ResourceTable,
}

struct Data;

impl HasData for Data {
    type Data<'a> = View<'a>;
}

fn view(state: &mut State) -> View<'_> {
    View { granted: &state.granted, call: &mut state.capabilities.stores, table: &mut state.table }
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, Data>(linker, view)?;
    atomics::add_to_linker::<_, Data>(linker, view)?;
    batch::add_to_linker::<_, Data>(linker, view)
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

fn other(text: impl Into<String>) -> Error {
    Error::Other(text.into())
}

/// Bad luck of ours, which a guest cannot tell from another.
fn unreadable(error: redb::Error) -> Error {
    tracing::warn!(%error, "the key-value stores cannot be read");
    other("the key-value stores cannot be read")
}

impl View<'_> {
    fn stores(&self) -> Result<&Stores, Error> {
        self.granted.stores.as_deref().ok_or_else(|| other("there are no stores here"))
    }

    fn bucket(&self, bucket: &Resource<Bucket>) -> wasmtime::Result<Bucket> {
        Ok(self.table.get(bucket)?.clone())
    }

    /// The entry of a key that the call touches.
    fn touch(&mut self, bucket: &Bucket, key: &str) -> Result<&mut Touched, Error> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(other(format!("a key has 1 to {KEY_BYTES_MAX} bytes, this has {}", key.len())));
        }
        let place = (Arc::clone(&bucket.name), key.to_owned());
        if self.call.touched.len() >= KEYS_MAX && !self.call.touched.contains_key(&place) {
            return Err(other(format!("one call may touch {KEYS_MAX} keys")));
        }
        Ok(self.call.touched.entry(place).or_insert(Touched { seen: None, written: None }))
    }

    fn read(&mut self, bucket: &Bucket, key: &str) -> Result<Option<Vec<u8>>, Error> {
        if let Some(written) = &self.touch(bucket, key)?.written {
            return Ok(written.value.clone());
        }
        let found = self.stores()?.get(&bucket.name, key).map_err(unreadable)?;
        let seen = Seen::of(found.as_deref());
        // The first look counts: a call that saw two values relies on neither.
        self.touch(bucket, key)?.seen.get_or_insert(seen);
        Ok(found)
    }

    fn write(&mut self, bucket: &Bucket, key: &str, value: Option<Vec<u8>>) -> Result<(), Error> {
        let length = value.as_ref().map_or(0, Vec::len);
        if length > VALUE_BYTES_MAX {
            return Err(other(format!("a value has at most {VALUE_BYTES_MAX} bytes, this has {length}")));
        }
        let before = self.touch(bucket, key)?.written.as_ref();
        let before = before.and_then(|written| written.value.as_ref()).map_or(0, Vec::len);
        let written_bytes = self.call.written_bytes - before + length;
        if written_bytes > WRITTEN_BYTES_MAX {
            return Err(other(format!("one call may write {WRITTEN_BYTES_MAX} bytes")));
        }
        self.call.written_bytes = written_bytes;
        self.touch(bucket, key)?.written = Some(Written { value, bytes_max: bucket.bytes_max });
        Ok(())
    }

    fn open_bucket(&mut self, name: &str) -> Result<Bucket, Error> {
        let granted = &self.granted.capabilities.key_value;
        match granted.iter().find(|grant| grant.name == name) {
            Some(StoreGrant { name, bytes_max }) => {
                Ok(Bucket { name: name.as_str().into(), bytes_max: *bytes_max })
            }
            None if self.granted.known_stores.iter().any(|known| known == name) => Err(Error::AccessDenied),
            None => Err(Error::NoSuchStore),
        }
    }

    fn page(&mut self, bucket: &Bucket, cursor: Option<u64>) -> Result<KeyResponse, Error> {
        let page = cursor.map_or(Ok(0), usize::try_from).unwrap_or(usize::MAX);
        let after = match (cursor, page.checked_sub(1).and_then(|index| self.call.pages.get(index))) {
            (None, _) => String::new(),
            (Some(_), Some(after)) => after.clone(),
            (Some(_), None) => return Err(other("a cursor means something within its call only")),
        };
        let mut keys = self.stores()?.keys(&bucket.name, &after, PAGE).map_err(unreadable)?;
        let last = if keys.len() < PAGE { None } else { keys.last().cloned() };
        let written = self.call.touched.iter().filter(|((store, key), touched)| {
            *store == bucket.name
                && touched.written.is_some()
                && *key > after
                && last.as_ref().is_none_or(|last| key <= last)
        });
        let (mut set, mut deleted) = (Vec::new(), Vec::new());
        for ((_, key), touched) in written {
            let is_set = touched.written.as_ref().is_some_and(|written| written.value.is_some());
            if is_set { set.push(key.clone()) } else { deleted.push(key.clone()) }
        }
        keys.retain(|key| deleted.binary_search(key).is_err());
        keys.extend(set);
        keys.sort();
        keys.dedup();
        let cursor = match last {
            Some(_) if self.call.pages.len() >= KEYS_MAX => {
                return Err(other(format!("one call may list {KEYS_MAX} pages")));
            }
            Some(last) => {
                self.call.pages.push(last);
                Some(self.call.pages.len() as u64)
            }
            None => None,
        };
        Ok(KeyResponse { keys, cursor })
    }

    fn add(&mut self, bucket: &Bucket, key: &str, delta: u64) -> Result<u64, Error> {
        let now = match self.read(bucket, key)? {
            Some(bytes) => {
                let digits = str::from_utf8(&bytes).ok().and_then(|text| text.parse::<u64>().ok());
                digits.ok_or_else(|| other("the value is not a number in decimal digits"))?
            }
            None => 0,
        };
        let sum = now.checked_add(delta).ok_or_else(|| other("the sum is more than 64 bits hold"))?;
        self.write(bucket, key, Some(sum.to_string().into_bytes()))?;
        Ok(sum)
    }
}

fn within_batch(count: usize) -> Result<(), Error> {
    if count > BATCH_MAX { Err(other(format!("a batch has at most {BATCH_MAX} keys"))) } else { Ok(()) }
}

impl store::Host for View<'_> {
    fn open(&mut self, identifier: String) -> Answer<Resource<Bucket>> {
        match self.open_bucket(&identifier) {
            Ok(bucket) => Ok(Ok(self.table.push(bucket)?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl store::HostBucket for View<'_> {
    fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<Option<Vec<u8>>> {
        let bucket = self.bucket(&bucket)?;
        Ok(self.read(&bucket, &key))
    }

    fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Answer<()> {
        let bucket = self.bucket(&bucket)?;
        Ok(self.write(&bucket, &key, Some(value)))
    }

    fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<()> {
        let bucket = self.bucket(&bucket)?;
        Ok(self.write(&bucket, &key, None))
    }

    fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<bool> {
        let bucket = self.bucket(&bucket)?;
        Ok(self.read(&bucket, &key).map(|value| value.is_some()))
    }

    fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<u64>) -> Answer<KeyResponse> {
        let bucket = self.bucket(&bucket)?;
        Ok(self.page(&bucket, cursor))
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for View<'_> {
    fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Answer<u64> {
        let bucket = self.bucket(&bucket)?;
        Ok(self.add(&bucket, &key, delta))
    }
}

impl batch::Host for View<'_> {
    fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Answer<Vec<Option<(String, Vec<u8>)>>> {
        let bucket = self.bucket(&bucket)?;
        let get = || {
            within_batch(keys.len())?;
            let mut bytes = 0;
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                let value = self.read(&bucket, &key)?;
                bytes += value.as_ref().map_or(0, Vec::len);
                if bytes > WRITTEN_BYTES_MAX {
                    return Err(other(format!("a batch has at most {WRITTEN_BYTES_MAX} bytes")));
                }
                found.push(value.map(|value| (key, value)));
            }
            Ok(found)
        };
        Ok(get())
    }

    fn set_many(&mut self, bucket: Resource<Bucket>, entries: Vec<(String, Vec<u8>)>) -> Answer<()> {
        let bucket = self.bucket(&bucket)?;
        let within = within_batch(entries.len());
        let set = || entries.into_iter().try_for_each(|(key, value)| self.write(&bucket, &key, Some(value)));
        Ok(within.and_then(|()| set()))
    }

    fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Answer<()> {
        let bucket = self.bucket(&bucket)?;
        let within = within_batch(keys.len());
        let delete = || keys.into_iter().try_for_each(|key| self.write(&bucket, &key, None));
        Ok(within.and_then(|()| delete()))
    }
}
