//! What a handler may reach beside its messages, once it is known to be sound.

use std::collections::BTreeMap;

use super::origin::Origin;
use super::raw::Access;

/// What a handler may reach beside its messages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Capabilities {
    /// Configuration: keys and values.
    pub config: BTreeMap<String, String>,
    /// Secrets.
    pub secrets: Vec<SecretGrant>,
    /// Origins for HTTP.
    pub http: Vec<HttpGrant>,
    /// Folders.
    pub files: Vec<FileGrant>,
    /// Key-value stores.
    pub key_value: Vec<StoreGrant>,
}

/// A secret that a handler may read.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretGrant {
    /// What the handler calls it.
    pub name: String,
    /// The file that holds it, relative to the contract file; none for the environment variable of its name.
    pub file: Option<String>,
}

/// An origin that a handler may send requests to.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpGrant {
    /// Which one.
    pub origin: Origin,
    /// Whether it may be at an address that is not of the public internet.
    pub allow_private: bool,
}

/// How much a store may take where the contract does not say, in bytes.
pub(crate) const STORE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A key-value store that a handler may use.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreGrant {
    /// Its name; handlers that name the same one share it.
    pub name: String,
    /// How much its keys and values may take, in bytes.
    pub bytes_max: u64,
}

/// A folder that a handler sees.
#[derive(Debug, Clone, PartialEq)]
pub struct FileGrant {
    /// The folder, relative to the contract file.
    pub path: String,
    /// Where the handler sees it.
    pub at: String,
    /// What it may do there.
    pub access: Access,
}
