//! Key-value stores, as the contract's `capabilities: { keyValue }` grants them.
//!
//! What a handler writes it sees itself; it is kept when the handler has returned `Ok`, all of it, before anything is
//! published, and dropped when it fails. If another call has meanwhile written a key that this one has read and then
//! written, the handler is run again.

use std::error::Error;
use std::fmt;

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        clippy::doc_markdown,
        clippy::str_to_string,
        reason = "generated code"
    )]

    wit_bindgen::generate!({ path: "../../wit/deps/keyvalue.wit", world: "imports" });
}

use bindings::wasi::keyvalue::{atomics, store};

/// An open store.
#[derive(Debug)]
pub struct Store(store::Bucket);

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// The contract has no store of this name.
    NoSuchStore,
    /// The contract does not list it for this consumer.
    NotGranted,
    /// Something else.
    Other(String),
}

impl Store {
    /// Opens a store that the contract lists for this consumer.
    pub fn open(name: &str) -> Result<Self, StoreError> {
        Ok(Self(store::open(name)?))
    }

    /// The value of a key, if there is one.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(key)?)
    }

    /// Sets the value of a key.
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), StoreError> {
        Ok(self.0.set(key, value.as_ref())?)
    }

    /// Deletes a key, if it is there.
    pub fn delete(&self, key: &str) -> Result<(), StoreError> {
        Ok(self.0.delete(key)?)
    }

    /// Whether there is such a key.
    pub fn exists(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.0.exists(key)?)
    }

    /// Adds to a number, which is 0 where the key is not there, and gives the sum.
    pub fn increment(&self, key: &str, delta: u64) -> Result<u64, StoreError> {
        Ok(atomics::increment(&self.0, key, delta)?)
    }

    /// Calls `each` for every key, in order.
    pub fn keys(&self, mut each: impl FnMut(String)) -> Result<(), StoreError> {
        let mut cursor = None;
        loop {
            let page = self.0.list_keys(cursor)?;
            page.keys.into_iter().for_each(&mut each);
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}

impl From<store::Error> for StoreError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoSuchStore => Self::NoSuchStore,
            store::Error::AccessDenied => Self::NotGranted,
            store::Error::Other(text) => Self::Other(text),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchStore => f.write_str("the contract has no such key-value store"),
            Self::NotGranted => {
                f.write_str("the contract does not list the key-value store for this consumer")
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Error for StoreError {}
