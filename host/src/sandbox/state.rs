//! What a guest finds around it during one call: an empty WASI, the outbox, the log, and its limits.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::message::{HeaderValue, Headers, Properties};

use super::capabilities::{Granted, PerCall, Writes};
use super::guest_log::{Context, GuestLog, Volume};
use super::instance::Turn;
use super::limits::{Limits, Meter};
use super::outbox::{Bounds, Grants, Outbox, Outgoing, Refusal, Request};
use super::wit::warren::handler::{logging, publisher, types};
use super::worlds::Foreign;
use super::{Ready, random, wit};

/// The most random bytes in one request: the host holds them all.
const RANDOM_BYTES_MAX: u64 = 64 * 1024;

/// The state of an instance's store. What belongs to one call begins anew with each.
pub(super) struct State {
    /// Made when it is first asked for, which most calls never do.
    wasi: Option<WasiCtx>,
    pub(super) table: ResourceTable,
    pub(super) granted: Arc<Granted>,
    pub(super) capabilities: PerCall,
    pub(super) limits: Limits,
    pub(super) outbox: Outbox,
    pub(super) log: GuestLog,
    pub(super) meter: Arc<Meter>,
    /// When the call has to be over.
    pub(super) end: Instant,
    /// For components of other hosts.
    pub(super) foreign: Foreign,
    message_id: Arc<str>,
    ready: ReadyParts,
}

/// What a store needs to know of its handler.
struct ReadyParts {
    grants: Arc<Grants>,
    bounds: Bounds,
    metrics: Arc<crate::metrics::HandlerMetrics>,
}

impl State {
    pub(super) fn new(ready: &Ready, turn: Turn) -> wasmtime::Result<Self> {
        let limits = ready.spec.limits;
        let Turn { context, meter, end } = turn;
        let message_id = Arc::clone(&context.message_id);
        let volume = Volume { lines: limits.log_lines, bytes: limits.log_bytes };
        let log = GuestLog::new(context, volume, Arc::clone(&ready.metrics), Arc::clone(&ready.granted));
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        // A folder that cannot be opened has to be known before the call.
        let wasi = ready.granted.has_folders().then(|| {
            let mut wasi = bare_wasi(&log);
            ready.granted.apply(&mut wasi).map(|()| wasi.build())
        });
        let wasi = wasi.transpose()?;
        Ok(Self {
            wasi,
            table,
            capabilities: ready.granted.per_call(),
            granted: Arc::clone(&ready.granted),
            limits: Limits::new(ready.spec.memory_bytes_max, limits),
            outbox: Outbox::default(),
            log,
            meter,
            end,
            foreign: Foreign::new(Arc::clone(&ready.told)),
            message_id,
            ready: ReadyParts {
                grants: Arc::clone(&ready.grants),
                bounds: Bounds { messages: limits.publishes, bytes: limits.publish_bytes },
                metrics: Arc::clone(&ready.metrics),
            },
        })
    }

    /// A new call in the same instance.
    pub(super) fn begin(&mut self, turn: Turn) {
        let Turn { context, meter, end } = turn;
        self.message_id = Arc::clone(&context.message_id);
        self.log.begin(context);
        self.limits.begin();
        self.outbox = Outbox::default();
        self.capabilities = self.granted.per_call();
        self.meter = meter;
        self.end = end;
    }

    /// The call has returned. Gives what it wants published, and what it has written to key-value stores.
    pub(super) fn end(&mut self) -> (Vec<Outgoing>, Writes) {
        self.log.end();
        (std::mem::take(&mut self.outbox).messages, self.capabilities.take_writes())
    }
}

/// What worlds of other hosts publish through.
impl State {
    pub(super) fn grants(&self) -> &Grants {
        &self.ready.grants
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.ready.bounds
    }

    /// Puts a message into the outbox.
    pub(super) fn put(&mut self, publisher: &str, request: Request) -> Result<String, Refusal> {
        let ReadyParts { grants, bounds, metrics } = &self.ready;
        let put = self.outbox.put(grants, *bounds, &self.message_id, publisher, request);
        put.inspect_err(|refusal| match refusal {
            Refusal::TooMany(_) => metrics.limit_hit("publishes"),
            Refusal::TooLarge(_) => metrics.limit_hit("publishMiB"),
            Refusal::UnknownPublisher | Refusal::NotGranted | Refusal::Invalid(_) => {}
        })
    }

    /// Says something about the message that is being handled.
    pub(super) fn warn(&self, text: &str) {
        let Context { consumer, message_id, .. } = self.log.context();
        let (consumer, message_id) = (&*consumer, &*message_id);
        let text = self.granted.redact(text);
        tracing::warn!(consumer, message_id, "{text}");
    }
}

pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    random::link(&mut linker)?;
    wit::Handler::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| bare_wasi(&self.log).build());
        WasiCtxView { ctx, table: &mut self.table }
    }
}

/// A WASI that has clocks, randomness, and our log for its output, and nothing else.
fn bare_wasi(log: &GuestLog) -> WasiCtxBuilder {
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(log.stdout()).stderr(log.stderr()).max_random_size(RANDOM_BYTES_MAX);
    wasi.allow_tcp(false).allow_udp(false);
    wasi
}

impl types::Host for State {}

impl publisher::Host for State {
    fn publish(
        &mut self,
        publisher: String,
        message: types::Outgoing,
    ) -> wasmtime::Result<Result<String, types::PublishError>> {
        let request = match request(message) {
            Ok(request) => request,
            Err(reason) => return Ok(Err(types::PublishError::Invalid(vec![reason]))),
        };
        Ok(self.put(&publisher, request).map_err(|refusal| match refusal {
            Refusal::UnknownPublisher => types::PublishError::UnknownPublisher,
            Refusal::NotGranted => types::PublishError::NotGranted,
            Refusal::Invalid(reasons) => types::PublishError::Invalid(reasons),
            Refusal::TooMany(limit) => types::PublishError::TooMany(limit),
            Refusal::TooLarge(limit) => types::PublishError::TooLarge(limit),
        }))
    }
}

impl logging::Host for State {
    fn log(
        &mut self,
        level: logging::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value:?}")).collect();
        self.log.event(level, &message, &fields);
        // The log is the harness's record of executions: a kill comes after the line.
        crate::failpoint::pass_now("mid-handler", &self.message_id);
        Ok(())
    }
}

fn request(message: types::Outgoing) -> Result<Request, String> {
    let headers = message.headers.into_iter().map(|(name, value)| Ok((name, header(value)?)));
    let headers = headers.collect::<Result<Headers, String>>()?;
    let properties = Properties {
        content_type: message.content_type,
        correlation_id: message.correlation_id,
        message_type: message.message_type,
        reply_to: message.reply_to,
        expiration: message.expiration_ms.map(|milliseconds| milliseconds.to_string()),
        priority: message.priority,
        ..Properties::default()
    };
    Ok(Request { properties, headers, routing_key: message.routing_key, body: message.body })
}

fn header(value: types::HeaderValueResult) -> Result<HeaderValue, String> {
    Ok(match value {
        types::HeaderValueResult::Void => HeaderValue::Void,
        types::HeaderValueResult::Boolean(value) => HeaderValue::Boolean(value),
        types::HeaderValueResult::Integer(value) => HeaderValue::I64(value),
        types::HeaderValueResult::Float(value) => HeaderValue::F64(value),
        types::HeaderValueResult::Text(text) => HeaderValue::text(text),
        types::HeaderValueResult::Bytes(bytes) => HeaderValue::Bytes(bytes),
        types::HeaderValueResult::Timestamp(seconds) => HeaderValue::Timestamp(seconds),
        types::HeaderValueResult::Nested(json) => {
            let json = serde_json::from_str(&json)
                .map_err(|error| format!("a nested header is not JSON: {error}"))?;
            HeaderValue::from_json(&json)
        }
    })
}
