//! What a guest finds around it during one call: an empty WASI, the outbox, the log, and its limits.

use std::sync::{Arc, Mutex};

use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, ResourceLimiter};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::message::{HeaderValue, Headers, Properties};

use super::outbox::{Grants, Outbox, Refusal, Request};
use super::wit;
use super::wit::warren::handler::{logging, publisher, types};

/// The most log lines of one call.
const LOG_LINES_MAX: u32 = 200;
/// The longest log line, in bytes.
const LOG_LINE_BYTES_MAX: usize = 4 * 1024;
/// How much of stderr is kept to explain a trap, in bytes.
const STDERR_BYTES_MAX: usize = 4 * 1024;
/// Resource handles that a guest may hold.
const RESOURCES_MAX: usize = 1_000;
/// The most random bytes in one request.
const RANDOM_BYTES_MAX: u64 = 64 * 1024;
/// Tables, memories and core instances of one call.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// The state of one call's store.
pub(super) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    pub(super) limits: Limits,
    pub(super) outbox: Outbox,
    pub(super) stderr: Capture,
    grants: Arc<Grants>,
    context: Context,
    log_lines: u32,
    pub(super) foreign: super::worlds::Foreign,
}

/// Which message is being handled, for logs and derived ids.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) consumer: Arc<str>,
    pub(super) message_id: String,
    pub(super) attempt: u32,
}

impl State {
    pub(super) fn new(grants: Arc<Grants>, context: Context, memory_bytes_max: usize) -> Self {
        let stderr = Capture::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let wasi = WasiCtxBuilder::new()
            .stdout(wasmtime_wasi::p2::pipe::SinkOutputStream)
            .stderr(stderr.clone())
            .max_random_size(RANDOM_BYTES_MAX)
            .allow_tcp(false)
            .allow_udp(false)
            .build();
        Self {
            wasi,
            table,
            limits: Limits { memory_bytes_max, memory_exceeded: false },
            outbox: Outbox::default(),
            stderr,
            grants,
            context,
            log_lines: 0,
            foreign: super::worlds::Foreign::default(),
        }
    }
}

impl State {
    pub(super) fn grants(&self) -> &Grants {
        &self.grants
    }

    pub(super) fn put(&mut self, publisher: &str, request: Request) -> Result<String, Refusal> {
        self.outbox.put(&self.grants, &self.context.message_id, publisher, request)
    }

    pub(super) fn warn(&self, text: &str) {
        tracing::warn!(consumer = &*self.context.consumer, "{text}");
    }
}

pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wit::Handler::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
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
        let put = self.outbox.put(&self.grants, &self.context.message_id, &publisher, request);
        Ok(put.map_err(|refusal| match refusal {
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
        self.log_lines += 1;
        if self.log_lines > LOG_LINES_MAX {
            if self.log_lines == LOG_LINES_MAX + 1 {
                let consumer = &*self.context.consumer;
                tracing::warn!(target: "guest", consumer, "more than {LOG_LINES_MAX} log lines in one call; the rest is dropped");
            }
            return Ok(());
        }
        let message = cut(&message);
        let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value:?}")).collect();
        let fields = cut(&fields);
        let Context { consumer, message_id, attempt } = &self.context;
        let consumer = &**consumer;
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(target: "guest", consumer, message_id, attempt, "{message}{fields}")
            };
        }
        match level {
            logging::Level::Trace => event!(trace),
            logging::Level::Debug => event!(debug),
            logging::Level::Info => event!(info),
            logging::Level::Warn => event!(warn),
            logging::Level::Error => event!(error),
        }
        // The log is the harness's record of executions: a kill comes after the line.
        crate::failpoint::pass_now("mid-handler", message_id);
        Ok(())
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOG_LINE_BYTES_MAX)]
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

fn header(value: types::HeaderValue) -> Result<HeaderValue, String> {
    Ok(match value {
        types::HeaderValue::Void => HeaderValue::Void,
        types::HeaderValue::Boolean(value) => HeaderValue::Boolean(value),
        types::HeaderValue::Integer(value) => HeaderValue::I64(value),
        types::HeaderValue::Float(value) => HeaderValue::F64(value),
        types::HeaderValue::Text(text) => HeaderValue::text(text),
        types::HeaderValue::Bytes(bytes) => HeaderValue::Bytes(bytes),
        types::HeaderValue::Timestamp(seconds) => HeaderValue::Timestamp(seconds),
        types::HeaderValue::Nested(json) => {
            let json = serde_json::from_str(&json)
                .map_err(|error| format!("a nested header is not JSON: {error}"))?;
            HeaderValue::from_json(&json)
        }
    })
}

/// The memory limit of one call.
pub(super) struct Limits {
    memory_bytes_max: usize,
    pub(super) memory_exceeded: bool,
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, _now: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.memory_bytes_max {
            self.memory_exceeded = true;
            // A trap, and not a refusal: few guests survive a refusal, and none says that this is what happened.
            return Err(wasmtime::format_err!("memory limit"));
        }
        Ok(true)
    }

    fn table_growing(&mut self, _now: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

/// Keeps the first bytes that a guest writes to stderr, and swallows the rest.
#[derive(Clone, Default)]
pub(super) struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    pub(super) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let room = STDERR_BYTES_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl OutputStream for Capture {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

impl IsTerminal for Capture {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Capture {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// Only WASI 0.3 asks for this, which handlers of this world do not have.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }
}
