//! What a guest logs, and what it writes to stdout and stderr, as events with the context of its message.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::metrics::HandlerMetrics;

use super::capabilities::Granted;
use super::wit::warren::handler::logging::Level;

/// The longest log line, in bytes.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// How much of stderr is kept to explain a trap, in bytes.
const STDERR_BYTES_MAX: usize = 4 * 1024;

/// Which message is being handled, for logs and derived ids.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) consumer: Arc<str>,
    pub(super) message_id: Arc<str>,
    pub(super) attempt: u32,
}

/// How much one call may log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Volume {
    pub(super) lines: u32,
    pub(super) bytes: usize,
}

/// Where everything goes that one call says.
#[derive(Clone)]
pub(super) struct GuestLog(Arc<Mutex<Inner>>);

struct Inner {
    context: Context,
    metrics: Arc<HandlerMetrics>,
    granted: Arc<Granted>,
    volume: Volume,
    left: Volume,
    full: bool,
    /// The first bytes of stderr.
    kept: Vec<u8>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

impl GuestLog {
    pub(super) fn new(
        context: Context,
        volume: Volume,
        metrics: Arc<HandlerMetrics>,
        granted: Arc<Granted>,
    ) -> Self {
        let (kept, stdout, stderr) = Default::default();
        Self(Arc::new(Mutex::new(Inner {
            context,
            metrics,
            granted,
            volume,
            left: volume,
            full: false,
            kept,
            stdout,
            stderr,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new call in the same instance.
    pub(super) fn begin(&self, context: Context) {
        let mut inner = self.lock();
        inner.context = context;
        inner.left = inner.volume;
        inner.full = false;
        inner.kept.clear();
        inner.stdout.clear();
        inner.stderr.clear();
    }

    /// The call is over: what is left of lines that were not ended is said.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(inner.buffer(stream));
            inner.line(stream, &rest);
        }
    }

    /// One event of the logging interface.
    pub(super) fn event(&self, level: Level, message: &str, fields: &str) {
        self.lock().event(level, message, fields, None);
    }

    /// The context of the message.
    pub(super) fn context(&self) -> Context {
        self.lock().context.clone()
    }

    /// The beginning of what the call wrote to stderr.
    pub(super) fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.lock().kept).trim().to_owned()
    }

    pub(super) fn stdout(&self) -> impl StdoutStream + 'static {
        Writer { log: self.clone(), stream: Stream::Stdout }
    }

    pub(super) fn stderr(&self) -> impl StdoutStream + 'static {
        Writer { log: self.clone(), stream: Stream::Stderr }
    }
}

impl Inner {
    fn buffer(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if matches!(stream, Stream::Stderr) {
            let room = STDERR_BYTES_MAX.saturating_sub(self.kept.len());
            self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(self.buffer(stream).len());
            let piece_kept = &piece[..piece.len().min(room)];
            self.buffer(stream).extend_from_slice(piece_kept);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(self.buffer(stream));
                self.line(stream, &line);
            }
        }
    }

    fn line(&mut self, stream: Stream, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        let (level, name) = match stream {
            Stream::Stdout => (Level::Info, "stdout"),
            Stream::Stderr => (Level::Warn, "stderr"),
        };
        self.event(level, text, "", Some(name));
    }

    fn event(&mut self, level: Level, message: &str, fields: &str, stream: Option<&str>) {
        // Before it is cut: half a secret is told as well.
        let (message, fields) = (self.granted.redact(message), self.granted.redact(fields));
        let (message, fields) = (cut(&message), cut(&fields));
        if !self.has_room(message.len() + fields.len()) {
            return;
        }
        let Context { consumer, message_id, attempt } = &self.context;
        let (consumer, message_id) = (&**consumer, &**message_id);
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(target: "guest", consumer, message_id, attempt, stream, "{message}{fields}")
            };
        }
        match level {
            Level::Trace => event!(trace),
            Level::Debug => event!(debug),
            Level::Info => event!(info),
            Level::Warn => event!(warn),
            Level::Error => event!(error),
        }
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        let Volume { lines, bytes: all } = self.left;
        if lines > 0 && all >= bytes && !self.full {
            self.left = Volume { lines: lines - 1, bytes: all - bytes };
            return true;
        }
        if !self.full {
            self.full = true;
            let key = if lines == 0 { "logLines" } else { "logKiB" };
            self.metrics.limit_hit(key);
            let Context { consumer, message_id, .. } = &self.context;
            let (consumer, message_id) = (&**consumer, &**message_id);
            let (most, kib) = (self.volume.lines, self.volume.bytes / 1024);
            tracing::warn!(target: "guest", consumer, message_id, "more than {most} log lines or {kib} KiB of them in one call (`limits.{key}`); the rest is dropped");
        }
        false
    }
}

/// One of the two standard streams.
#[derive(Clone)]
struct Writer {
    log: GuestLog,
    stream: Stream,
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.log.lock().write(self.stream, &bytes);
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
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

impl IsTerminal for Writer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Writer {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// Only WASI 0.3 asks for this, which handlers do not have.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LINE_BYTES_MAX)]
}
