//! The sandbox: components in, outcomes out. The only room that names wasmtime.
//!
//! A `Sandbox` is one engine for all handlers of a contract. It turns a component into a `Handler`, ready to be called:
//! checked against the world it has to have, compiled (or taken from our own cache) and linked. Each call gets a fresh
//! instance with its own memory limit and deadline, and gives back what the guest did as data.

mod admission;
mod cache;
mod call;
mod capabilities;
mod compile;
mod engine;
mod guest_log;
mod inspect;
mod instance;
mod lane;
mod limits;
mod outbox;
mod pool;
mod random;
mod state;
mod wit;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::contract::{HandlerSpec, Isolation};
use crate::metrics::{HandlerMetrics, Metrics};

use admission::Admission;
pub use cache::Cache;
use call::Usual;
pub use call::{Call, CallInfo, HostFault};
pub use capabilities::{Granted, Premises, Stores};
pub use compile::{Bounds as CompileBounds, COMMAND as COMPILE_COMMAND, Compiler, child as compile_child};
pub use engine::EngineOptions;
use engine::Ticker;
pub use inspect::ComponentError;
pub use outbox::{Grants, Outgoing};
use pool::Pool;
use state::State;

/// The engine that all handlers share.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<State>,
    cache: Option<Cache>,
    compiler: Compiler,
    admission: Arc<Admission>,
    heavy: Handle,
    metrics: Arc<Metrics>,
    _ticker: Ticker,
}

/// A component that is ready to be called.
pub struct Handler {
    ready: Arc<Ready>,
    usual: Usual,
    /// SHA-256 of the component, in hex.
    pub digest: String,
}

/// Everything that a call needs. Calls that outlive their message hold on to it.
struct Ready {
    pre: wit::HandlerPre<State>,
    engine: Engine,
    grants: Arc<Grants>,
    granted: Arc<Granted>,
    consumer: Arc<str>,
    spec: HandlerSpec,
    pool: Arc<Pool>,
    admission: Arc<Admission>,
    /// How many places an instance takes.
    weight: AtomicU32,
    heavy: Handle,
    metrics: HandlerMetrics,
}

impl Sandbox {
    /// Makes an engine. Compiled components are kept in `cache`, if there is one. Calls that compute for long go on
    /// among the threads of `heavy`.
    pub fn new(
        options: EngineOptions,
        cache: Option<Cache>,
        compiler: Compiler,
        heavy: Handle,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let engine = engine::new(options)?;
        let linker = state::linker(&engine)?;
        let ticker = Ticker::start(&engine);
        let admission = Arc::new(Admission::new(options.calls_max.max(1)));
        Ok(Self { engine, linker, cache, compiler, admission, heavy, metrics, _ticker: ticker })
    }

    /// Makes a handler of the component in `bytes`, and tries whether it can be started. What is wrong with the component
    /// is a `ComponentError`.
    pub async fn load(
        &self,
        consumer: &str,
        bytes: &[u8],
        spec: &HandlerSpec,
        grants: Grants,
        granted: Granted,
    ) -> Result<Handler, ComponentError> {
        let digest = hex(&Sha256::digest(bytes));
        if let Some(wanted) = spec.sha256.as_ref().filter(|wanted| **wanted != digest) {
            return Err(ComponentError::Digest { wanted: wanted.clone(), found: digest });
        }
        inspect::binary(bytes)?;
        let component = self.component(consumer, bytes, &digest).await?;
        inspect::world(&component, &self.engine)?;
        let mut linker = self.linker.clone();
        capabilities::link(&mut linker, &granted).map_err(|error| inspect::wrong_type(&error))?;
        let pre = linker.instantiate_pre(&component).map_err(|error| {
            inspect::unlinkable(&component, &self.engine, |import| granted.has(import), &error)
        })?;
        let pre = wit::HandlerPre::new(pre).map_err(|error| inspect::wrong_type(&error))?;
        let metrics = self.metrics.handler(consumer);
        let bounds = (spec.isolation == Isolation::Reuse).then_some(spec.reuse);
        let pool = Arc::new(Pool::new(bounds, metrics.clone()));
        self.admission.adopt(&pool);
        let ready = Ready {
            pre,
            engine: self.engine.clone(),
            grants: Arc::new(grants),
            granted: Arc::new(granted),
            consumer: consumer.into(),
            spec: spec.clone(),
            pool,
            admission: Arc::clone(&self.admission),
            weight: AtomicU32::new(1),
            heavy: self.heavy.clone(),
            metrics,
        };
        let handler = Handler { ready: Arc::new(ready), usual: Usual::default(), digest };
        handler.try_start().await?;
        Ok(handler)
    }

    async fn component(
        &self,
        consumer: &str,
        bytes: &[u8],
        digest: &str,
    ) -> Result<Component, ComponentError> {
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.load(&self.engine, digest)) {
            return Ok(component);
        }
        tracing::info!(consumer, kilobytes = bytes.len() / 1024, "compiling the handler");
        let code = self.compiler.compile(&self.engine, bytes).await?;
        let component = cache::deserialize(&self.engine, &code)
            .map_err(|error| ComponentError::Invalid { reason: format!("{error:#}") })?;
        if let Some(cache) = &self.cache {
            cache.store(&self.engine, digest, &code);
        }
        Ok(component)
    }
}

impl Handler {
    /// The first digits of the digest, to tell components apart.
    pub fn short_digest(&self) -> String {
        format!("sha256:{}", &self.digest[..12])
    }
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
