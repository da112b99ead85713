//! The sandbox: components in, outcomes out. The only room that names wasmtime.
//!
//! A `Sandbox` is one engine for all handlers of a contract. It turns a component into a `Handler`, ready to be called:
//! checked against the world it has to have, compiled (or taken from our own cache) and linked. Each call gets a fresh
//! instance with its own memory limit and deadline, and gives back what the guest did as data.

mod cache;
mod call;
mod engine;
mod inspect;
mod outbox;
mod outline;
mod state;
mod wit;
mod worlds;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::contract::HandlerSpec;

pub use cache::Cache;
pub use call::{Call, CallInfo, HostFault};
pub use engine::EngineOptions;
use engine::Ticker;
pub use inspect::ComponentError;
pub use outbox::{Grants, Outgoing};
pub use outline::{Capability, Need, Outline};
use state::State;

/// The engine that all handlers share.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<State>,
    cache: Option<Cache>,
    _ticker: Ticker,
}

/// A component that is ready to be called.
pub struct Handler {
    pre: wit::HandlerPre<State>,
    engine: Engine,
    grants: Arc<Grants>,
    consumer: Arc<str>,
    /// SHA-256 of the component, in hex.
    pub digest: String,
    deadline: Duration,
    memory_bytes_max: usize,
}

impl Sandbox {
    /// Makes an engine. Compiled components are kept in `cache`, if there is one.
    pub fn new(options: EngineOptions, cache: Option<Cache>) -> anyhow::Result<Self> {
        let engine = engine::new(options)?;
        let linker = state::linker(&engine)?;
        let ticker = Ticker::start(&engine);
        Ok(Self { engine, linker, cache, _ticker: ticker })
    }

    /// Makes a handler of the component in `bytes`. What is wrong with the component is a `ComponentError`.
    pub fn load(
        &self,
        consumer: &str,
        bytes: &[u8],
        spec: &HandlerSpec,
        grants: Grants,
    ) -> Result<Handler, ComponentError> {
        let digest = digest(bytes);
        if let Some(wanted) = spec.sha256.as_ref().filter(|wanted| **wanted != digest) {
            return Err(ComponentError::Digest { wanted: wanted.clone(), found: digest });
        }
        inspect::binary(bytes)?;
        let component = self.compile(consumer, bytes, &digest)?;
        let pre = self
            .linker
            .instantiate_pre(&component)
            .map_err(|error| inspect::unlinkable(&component, &self.engine, &error))?;
        let pre = wit::HandlerPre::new(pre).map_err(|error| inspect::wrong_type("x", &error))?;
        Ok(Handler {
            pre,
            engine: self.engine.clone(),
            grants: Arc::new(grants),
            consumer: consumer.into(),
            digest,
            deadline: spec.deadline,
            memory_bytes_max: spec.memory_bytes_max,
        })
    }

    fn compile(&self, consumer: &str, bytes: &[u8], digest: &str) -> Result<Component, ComponentError> {
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.load(&self.engine, digest)) {
            return Ok(component);
        }
        tracing::info!(consumer, kilobytes = bytes.len() / 1024, "compiling the handler");
        let compiled = Component::new(&self.engine, bytes)
            .map_err(|error| ComponentError::Invalid { reason: format!("{error:#}") })?;
        if let Some(cache) = &self.cache {
            cache.store(&self.engine, digest, &compiled);
        }
        Ok(compiled)
    }
}

impl Handler {
    /// The first digits of the digest, to tell components apart.
    pub fn short_digest(&self) -> String {
        format!("sha256:{}", &self.digest[..12])
    }
}

/// SHA-256 of a component, in hex.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("digest", &self.digest).finish_non_exhaustive()
    }
}
