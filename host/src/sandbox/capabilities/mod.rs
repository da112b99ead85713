//! What a handler may reach beside its messages: nothing that its contract does not grant.
//!
//! `Granted` is made once for each handler, when it is loaded: secrets are read then, folders and stores opened, and what
//! is missing is refused. `link` adds the interfaces of what is granted to a linker, and no others. `PerCall` is what one
//! call has of them: its requests, and what it has written to key-value stores and nobody else sees yet.

mod config;
mod egress;
mod files;
mod http;
mod key_value;
mod redact;
mod secrets;
mod store;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use std::borrow::Cow;

use wasmtime::component::Linker;
use wasmtime_wasi::WasiCtxBuilder;

use crate::contract::{Capabilities, Consumer, Problem};

use super::state::State;
use files::Folder;
use http::{Http, HttpCall};
use key_value::StoreCall;
use redact::Redactor;
pub use store::Stores;
pub(super) use store::Uncommitted;

/// What grants are looked up in.
#[derive(Debug, Clone)]
pub struct Premises {
    /// The folder that paths of the contract are relative to.
    pub folder: PathBuf,
    /// Where key-value stores are; none where nothing is to be run.
    pub stores: Option<Arc<Stores>>,
    /// Folders that no handler may see whatever the contract says: those with the host's own data.
    pub private: Vec<PathBuf>,
    /// Whether handlers are to run. To look at a contract, no secret and no folder has to be there.
    pub is_run: bool,
}

impl Premises {
    /// To look at a contract and its components, and run nothing.
    pub fn to_look(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), stores: None, private: Vec::new(), is_run: false }
    }
}

/// What one handler may reach, looked up and opened.
pub struct Granted {
    capabilities: Capabilities,
    variables: wasmtime_wasi_config::WasiConfigVariables,
    redactor: Redactor,
    http: Option<Arc<Http>>,
    folders: Vec<Folder>,
    stores: Option<Arc<Stores>>,
    /// The names of all stores that the contract has, granted to this handler or not.
    known_stores: Vec<String>,
}

/// What one call has of what is granted.
pub(super) struct PerCall {
    http: HttpCall,
    stores: StoreCall,
}

impl Granted {
    /// Looks up what a consumer is granted. All that is missing is told at once.
    pub fn resolve(
        consumer: &Consumer,
        known_stores: Vec<String>,
        premises: &Premises,
    ) -> Result<Self, Vec<Problem>> {
        let capabilities = consumer.capabilities.clone();
        let mut problems = Vec::new();
        let at = |key: &str| format!("/consumers/{}/capabilities/{key}", consumer.name);
        let secrets = secrets::read(&capabilities.secrets, premises, &at("secrets"), &mut problems);
        let own = consumer.handler.component.as_str();
        let folders = files::open(&capabilities.files, own, premises, &at("files"), &mut problems);
        let http = if capabilities.http.is_empty() {
            None
        } else {
            Http::new(&consumer.name, &capabilities.http)
                .map_err(|error| {
                    let says = format!("no connections can be made: {error:#}");
                    problems.push(
                        Problem::at(at("http"), says)
                            .hint("`https` needs the system's certificates; SSL_CERT_FILE names others"),
                    );
                })
                .ok()
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            variables: config::variables(&capabilities.config, &secrets),
            redactor: Redactor::new(secrets.iter().map(|(_, value)| value.as_str())),
            http: http.map(Arc::new),
            folders,
            stores: premises.stores.clone().filter(|_| !capabilities.key_value.is_empty()),
            known_stores,
            capabilities,
        })
    }

    /// Whether an interface of the capabilities is granted.
    pub(super) fn has(&self, import: &str) -> bool {
        let Capabilities { config, secrets, http, key_value, files: _ } = &self.capabilities;
        match capability_of(import) {
            Some(Capability::Config) => !config.is_empty() || !secrets.is_empty(),
            Some(Capability::Http) => !http.is_empty(),
            Some(Capability::KeyValue) => !key_value.is_empty(),
            None => false,
        }
    }

    /// The text without the values of secrets in it: for everything that a guest says and a person may read.
    pub(super) fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.redactor.redact(text)
    }

    /// Whether there are folders to show.
    pub(super) fn has_folders(&self) -> bool {
        !self.folders.is_empty()
    }

    /// Shows a guest the folders that it may see.
    pub(super) fn apply(&self, wasi: &mut WasiCtxBuilder) -> wasmtime::Result<()> {
        self.folders.iter().try_for_each(|folder| folder.apply(wasi))
    }

    /// Keeps what a call has written to key-value stores, all of it or none. To be called once the guest has succeeded,
    /// and before anything that it published is sent.
    pub(super) async fn keep(&self, writes: Writes) -> Result<(), Uncommitted> {
        match &self.stores {
            Some(stores) if !writes.0.is_empty() => stores.commit(writes.0).await,
            Some(_) | None => Ok(()),
        }
    }

    /// What a call begins with.
    pub(super) fn per_call(self: &Arc<Self>) -> PerCall {
        PerCall { http: HttpCall::new(self.http.clone()), stores: StoreCall::default() }
    }
}

/// What a call has written to key-value stores, and nobody else sees yet.
#[derive(Debug, Default)]
pub(super) struct Writes(Vec<store::Change>);

impl Writes {
    /// Whether it has written nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PerCall {
    /// The call has succeeded: what it has written is to be kept.
    pub(super) fn take_writes(&mut self) -> Writes {
        Writes(std::mem::take(&mut self.stores).into_changes())
    }

    /// What the host refused the guest last: many guests trap over it with a text that does not say so.
    pub(super) fn refused(&self) -> Option<&str> {
        self.http.refused()
    }
}

/// Adds the interfaces of what is granted.
pub(super) fn link(linker: &mut Linker<State>, granted: &Granted) -> wasmtime::Result<()> {
    let Capabilities { config, secrets, http, key_value, files: _ } = &granted.capabilities;
    if !config.is_empty() || !secrets.is_empty() {
        config::link(linker)?;
    }
    if !http.is_empty() {
        http::link(linker)?;
    }
    if !key_value.is_empty() {
        key_value::link(linker)?;
    }
    Ok(())
}

/// Which capability an interface belongs to; none for one that no capability grants.
fn capability_of(import: &str) -> Option<Capability> {
    let package = import.split_once('@').map_or(import, |(name, _)| name);
    Some(match package {
        "wasi:config/store" => Capability::Config,
        "wasi:http/outgoing-handler" | "wasi:http/types" => Capability::Http,
        "wasi:keyvalue/store" | "wasi:keyvalue/atomics" | "wasi:keyvalue/batch" => Capability::KeyValue,
        _ => return None,
    })
}

#[derive(Debug, Clone, Copy)]
enum Capability {
    Config,
    Http,
    KeyValue,
}

/// What the contract has to say for a component to get an interface; none for one that is granted in no way.
pub(super) fn grant_for(import: &str) -> Option<&'static str> {
    Some(match capability_of(import)? {
        Capability::Config => "capabilities: { config: { KEY: value }, secrets: [NAME] }",
        Capability::Http => "capabilities: { http: [\"https://HOST\"] }",
        Capability::KeyValue => "capabilities: { keyValue: [NAME] }",
    })
}

/// `path` of the contract, as a path of this process.
fn path_of(folder: &Path, path: &str) -> PathBuf {
    folder.join(path)
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of secrets are in `variables`.
        f.debug_struct("Granted").finish_non_exhaustive()
    }
}
