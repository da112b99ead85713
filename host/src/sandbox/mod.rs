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
mod outline;
mod pool;
mod random;
mod signature;
mod state;
mod wit;
mod worlds;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::contract::{HandlerSpec, Isolation};
use crate::metrics::{HandlerMetrics, Metrics};

use admission::Admission;
pub use cache::Cache;
pub use call::{Call, CallInfo, HostFault};
pub use capabilities::{Granted, Premises, Stores};
pub use compile::{Bounds as CompileBounds, COMMAND as COMPILE_COMMAND, Compiler, child as compile_child};
use engine::Ticker;
pub use engine::{Abi, EngineOptions, new as new_engine};
pub use inspect::ComponentError;
pub use lane::Lanes;
use lane::Usual;
pub use outbox::{Grants, Outgoing};
pub use outline::{Capability, Need, Outline};
use pool::Pool;
pub use signature::{SignatureError, verify as verify_signature};
use worlds::{Flavour, Told, World};

/// The engines that all handlers share.
pub struct Sandbox {
    options: EngineOptions,
    synchronous: Side,
    /// For components with asynchronous functions; made when there is one.
    asynchronous: OnceCell<Side>,
    cache: Option<Cache>,
    compiler: Compiler,
    admission: Arc<Admission>,
    lanes: Lanes,
    metrics: Arc<Metrics>,
}

/// An engine, and the clock that stops its guests.
struct Side {
    engine: Engine,
    abi: Abi,
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
    world: World,
    engine: Engine,
    grants: Arc<Grants>,
    granted: Arc<Granted>,
    consumer: Arc<str>,
    spec: HandlerSpec,
    pool: Arc<Pool>,
    admission: Arc<Admission>,
    /// How many places an instance takes.
    weight: AtomicU32,
    lanes: Lanes,
    metrics: Arc<HandlerMetrics>,
    told: Arc<Told>,
}

impl Side {
    fn new(options: EngineOptions, abi: Abi) -> anyhow::Result<Self> {
        let engine = engine::new(options, abi)?;
        let ticker = Ticker::start(&engine);
        Ok(Self { engine, abi, _ticker: ticker })
    }
}

impl Sandbox {
    /// Makes an engine. Compiled components are kept in `cache`, if there is one. Calls that compute for long go on
    /// among those of low priority.
    pub fn new(
        options: EngineOptions,
        cache: Option<Cache>,
        compiler: Compiler,
        lanes: Lanes,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let synchronous = Side::new(options, Abi::Synchronous)?;
        let asynchronous = OnceCell::new();
        let admission = Arc::new(Admission::new(options.calls_max.max(1)));
        Ok(Self { options, synchronous, asynchronous, cache, compiler, admission, lanes, metrics })
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
        let digest = digest(bytes);
        if let Some(wanted) = spec.sha256.as_ref().filter(|wanted| **wanted != digest) {
            return Err(ComponentError::Digest { wanted: wanted.clone(), found: digest });
        }
        let outline = Outline::read(bytes)?;
        let flavours = inspect::flavours(&outline)?;
        let side = self.side(&outline).await?;
        let component = self.component(side, consumer, bytes, &digest).await?;
        let world = world(side, &component, &outline, &flavours, &granted)?;
        worlds::tell(consumer, world.flavour(), &flavours);
        let metrics = self.metrics.handler(consumer);
        let bounds = (spec.isolation == Isolation::Reuse).then_some(spec.reuse);
        let pool = Arc::new(Pool::new(bounds, Arc::clone(&metrics)));
        self.admission.adopt(&pool);
        let ready = Ready {
            world,
            engine: side.engine.clone(),
            grants: Arc::new(grants),
            granted: Arc::new(granted),
            consumer: consumer.into(),
            spec: spec.clone(),
            pool,
            admission: Arc::clone(&self.admission),
            weight: AtomicU32::new(1),
            lanes: self.lanes.clone(),
            metrics,
            told: Arc::default(),
        };
        let handler = Handler { ready: Arc::new(ready), usual: Usual::default(), digest };
        handler.try_start().await?;
        Ok(handler)
    }

    /// The engine for a component.
    async fn side(&self, outline: &Outline) -> Result<&Side, ComponentError> {
        if !outline.asynchronous {
            return Ok(&self.synchronous);
        }
        let make = async || Side::new(self.options, Abi::Asynchronous);
        self.asynchronous
            .get_or_try_init(make)
            .await
            .map_err(|error| ComponentError::NotStartable { reason: format!("{error:#}") })
    }

    async fn component(
        &self,
        side: &Side,
        consumer: &str,
        bytes: &[u8],
        digest: &str,
    ) -> Result<Component, ComponentError> {
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.load(&side.engine, digest)) {
            return Ok(component);
        }
        tracing::info!(consumer, kilobytes = bytes.len() / 1024, "compiling the handler");
        let code = self.compiler.compile(&side.engine, side.abi, bytes).await?;
        let component = cache::deserialize(&side.engine, &code)
            .map_err(|error| ComponentError::Invalid { reason: format!("{error:#}") })?;
        if let Some(cache) = &self.cache {
            cache.store(&side.engine, digest, &code);
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

/// The component, linked, and the first interface that it can be called by.
fn world(
    side: &Side,
    component: &Component,
    outline: &Outline,
    flavours: &[Flavour],
    granted: &Granted,
) -> Result<World, ComponentError> {
    let mut why_not = None;
    for flavour in flavours {
        let linker = || {
            let mut linker = state::linker(&side.engine)?;
            flavour.link(&mut linker, side.abi)?;
            capabilities::link(&mut linker, granted)?;
            wasmtime::Result::Ok(linker)
        };
        let pre = linker().and_then(|linker| linker.instantiate_pre(component)).map_err(|error| {
            inspect::unlinkable(component, &side.engine, |import| granted.has(import), &error)
        });
        let world = pre.and_then(|pre| {
            World::new(*flavour, pre).map_err(|error| inspect::wrong_type(outline, *flavour, Some(&error)))
        });
        match world {
            Ok(world) => return Ok(world),
            Err(error) => drop(why_not.get_or_insert(error)),
        }
    }
    Err(why_not.unwrap_or(ComponentError::WrongWorld { found: Vec::new() }))
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
