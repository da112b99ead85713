//! `wasi:http/outgoing-handler`: requests to the origins that the contract lists, and to nothing else.
//!
//! Redirects are not followed: the guest sees them, and its next request is checked like its first. There is no proxy,
//! whatever the environment says. Connections are kept and shared by the calls of one handler.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::header::{HOST, HeaderValue};
use ::http::{Method, Request, Response, StatusCode, Uri, Version};
use anyhow::Context as _;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{
    Error, RequestOptions, Result, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::State;
use super::egress::{CONNECT_TIMEOUT, Connector, NoConnection};
use crate::contract::HttpGrant;

/// Requests that one call may make.
const REQUESTS_MAX: u32 = 200;
/// Bytes of bodies that one call may send, and that it may receive.
const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of an answer.
const HEADERS_MAX: usize = 200;
/// Bytes of the headers that a guest sets on one request, as they are in memory.
const FIELDS_BYTES_MAX: usize = 64 * 1024;
/// Connections that are kept for each origin while nobody uses them. As many as there may be calls of one handler:
/// fewer would make a handler that waits for answers connect anew for each.
const IDLE_MAX: usize = 1_000;
/// How long a connection is kept that nobody uses.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// What is told of an authority that was asked for.
const SHOWN_BYTES_MAX: usize = 200;

/// The connections of one handler.
pub(super) struct Http {
    consumer: String,
    connector: Connector,
    client: legacy::Client<HttpsConnector<Connector>, WasiBody>,
}

impl Http {
    pub(super) fn new(consumer: &str, grants: &[HttpGrant]) -> anyhow::Result<Self> {
        let is_tls = grants.iter().any(|grant| grant.origin.is_tls);
        let connector = Connector::new(grants.into());
        let mut client = legacy::Client::builder(TokioExecutor::new());
        client
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .http1_max_headers(HEADERS_MAX)
            .set_host(false);
        let https = HttpsConnector::from((connector.clone(), tls(is_tls)?));
        Ok(Self { consumer: consumer.to_owned(), connector, client: client.build(https) })
    }
}

/// TLS that trusts what the system trusts.
fn tls(is_needed: bool) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if is_needed {
        let found = rustls_native_certs::load_native_certs();
        let (usable, _) = roots.add_parsable_certificates(found.certs);
        if usable == 0 {
            let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
            anyhow::bail!("the system has no certificates to trust{why}");
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.context("no version of TLS")?.with_root_certificates(roots).with_no_client_auth())
}

/// The requests of one call.
pub(super) struct HttpCall {
    context: WasiHttpCtx,
    requests: Requests,
}

struct Requests {
    http: Option<Arc<Http>>,
    made: u32,
    sent: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
    refused: Option<String>,
}

type Sending = dyn Future<Output = Result<(Response<WasiBody>, Box<Io>)>> + Send;
type Io = dyn Future<Output = Result<()>> + Send;

impl HttpCall {
    pub(super) fn new(http: Option<Arc<Http>>) -> Self {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(FIELDS_BYTES_MAX);
        let requests =
            Requests { http, made: 0, sent: Arc::default(), received: Arc::default(), refused: None };
        Self { context, requests }
    }

    pub(super) fn refused(&self) -> Option<&str> {
        self.requests.refused.as_deref()
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let HttpCall { context, requests } = &mut self.capabilities.http;
        WasiHttpCtxView { ctx: context, table: &mut self.table, hooks: requests }
    }
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

impl WasiHttpHooks for Requests {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _written: Box<Io>,
    ) -> Box<Sending> {
        let admitted = self.admit(request);
        let received = Arc::clone(&self.received);
        Box::new(async move {
            let (http, request) = admitted?;
            send(&http, request, options.unwrap_or_default(), received).await
        })
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        code(error)
    }

    fn p2_error_from_connect(&mut self, _: &io::Error) -> ErrorCode {
        ErrorCode::ConnectionRefused
    }

    fn p2_error_from_tls(&mut self, _: &io::Error) -> ErrorCode {
        ErrorCode::TlsProtocolError
    }
}

impl Requests {
    /// Checks a request, and makes it one to the origin that is granted, in the one way to write that.
    fn admit(&mut self, mut request: Request<WasiBody>) -> Result<(Arc<Http>, Request<WasiBody>)> {
        let http = self.http.clone().ok_or(Error::HttpRequestDenied)?;
        self.made += 1;
        if self.made > REQUESTS_MAX {
            self.refuse(&http, format!("one call may make {REQUESTS_MAX} requests"));
            return Err(Error::ConnectionLimitReached);
        }
        let Some(grant) = http.connector.grant_for(request.uri()) else {
            self.refuse(&http, format!("a request to {} was refused: the contract does not list it under `capabilities: {{ http }}`", shown(request.uri())));
            return Err(Error::HttpRequestDenied);
        };
        if request.method() == Method::CONNECT {
            self.refuse(&http, "a CONNECT request was refused: a tunnel would lead past the list".to_owned());
            return Err(Error::HttpRequestMethodInvalid);
        }
        let authority = grant.origin.authority();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri =
            Uri::builder().scheme(grant.origin.scheme()).authority(authority.as_str()).path_and_query(path);
        *request.uri_mut() = uri.build().map_err(|_| Error::HttpRequestUriInvalid)?;
        *request.version_mut() = Version::HTTP_11;
        let host = HeaderValue::from_str(&authority).map_err(|_| Error::HttpRequestUriInvalid)?;
        request.headers_mut().insert(HOST, host);
        let sent = Arc::clone(&self.sent);
        Ok((http, request.map(|body| Bounded::new(body, sent, Error::HttpRequestBodySize).boxed_unsync())))
    }

    /// Tells the operator, once for each call, and whoever reads why the call failed.
    fn refuse(&mut self, http: &Http, why: String) {
        if self.refused.is_none() {
            tracing::warn!(consumer = http.consumer, "{why}");
        }
        self.refused = Some(why);
    }
}

/// Where a request wants to go: a guest's words, so not at any length.
fn shown(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("?");
    // What stands before an `@` may be a password.
    let authority = uri.authority().map_or("?", |authority| authority.as_str());
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let cut = authority.floor_char_boundary(SHOWN_BYTES_MAX);
    format!("`{scheme}://{}`", &authority[..cut])
}

async fn send(
    http: &Http,
    request: Request<WasiBody>,
    options: RequestOptions,
    received: Arc<AtomicU64>,
) -> Result<(Response<WasiBody>, Box<Io>)> {
    let origin = request.uri().clone();
    let answering = http.client.request(request);
    // The call's deadline bounds all of it; a guest may ask for less.
    let limit = options
        .first_byte_timeout
        .map(|limit| limit.saturating_add(options.connect_timeout.unwrap_or(CONNECT_TIMEOUT)));
    let answer = match limit {
        Some(limit) => {
            tokio::time::timeout(limit, answering).await.map_err(|_| Error::ConnectionReadTimeout)?
        }
        None => answering.await,
    };
    let answer = answer.map_err(|error| failure(http, &origin, &error))?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Error::HttpUpgradeFailed);
    }
    let head: usize = answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    // The library's own limit is one of its buffer, which may be read beyond.
    if head > HEAD_BYTES_MAX {
        return Err(Error::HttpResponseHeaderSectionSize(u32::try_from(head).ok()));
    }
    let between = options.between_bytes_timeout;
    let answer = answer.map(|body| {
        let body = Timed { body, between, sleep: None };
        Bounded::new(body, received, Error::HttpResponseBodySize).boxed_unsync()
    });
    Ok((answer, Box::new(async { Ok(()) })))
}

/// What went wrong, as the guest is told it; the operator is told what the guest cannot mend.
fn failure(http: &Http, origin: &Uri, error: &legacy::Error) -> Error {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(none) = error.downcast_ref::<NoConnection>() {
            if matches!(none, NoConnection::Private { .. }) {
                let consumer = &http.consumer;
                tracing::warn!(consumer, "a request to {} was refused: {none}", shown(origin));
            } else {
                tracing::debug!(consumer = http.consumer, "a request to {} failed: {none}", shown(origin));
            }
            return no_connection(none);
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return own(code(error));
        }
        if let Some(tls) = error.downcast_ref::<io::Error>().and_then(tls_error) {
            let consumer = &http.consumer;
            tracing::warn!(consumer, "a request to {} failed: {tls}", shown(origin));
            return match tls {
                rustls::Error::InvalidCertificate(_) => Error::TlsCertificateError,
                _ => Error::TlsProtocolError,
            };
        }
        cause = error.source();
    }
    Error::ConnectionTerminated
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    // The connector wraps the error of TLS twice.
    inner.downcast_ref().or_else(|| tls_error(inner.downcast_ref()?))
}

fn no_connection(error: &NoConnection) -> Error {
    match error {
        NoConnection::NotGranted => Error::HttpRequestDenied,
        NoConnection::Private { .. } => Error::DestinationIpProhibited,
        NoConnection::Lookup(_) => Error::DnsError { rcode: None, info_code: None },
        NoConnection::NoAddress => Error::DestinationNotFound,
        NoConnection::Timeout => Error::ConnectionTimeout,
        NoConnection::Connect { error, .. } if error.kind() == io::ErrorKind::ConnectionRefused => {
            Error::ConnectionRefused
        }
        NoConnection::Connect { .. } => Error::DestinationUnavailable,
    }
}

fn own(code: ErrorCode) -> Error {
    code.into()
}

/// What a failure of HTTP itself is called.
fn code(error: &hyper::Error) -> ErrorCode {
    let ours = error.source().and_then(|error| error.downcast_ref::<Error>());
    if let Some(Error::HttpRequestBodySize(size)) = ours {
        return ErrorCode::HttpRequestBodySize(*size);
    }
    if error.is_parse_too_large() {
        ErrorCode::HttpResponseHeaderSectionSize(u32::try_from(HEAD_BYTES_MAX).ok())
    } else if error.is_parse() {
        ErrorCode::HttpProtocolError
    } else if error.is_incomplete_message() || is_cut(error) {
        ErrorCode::HttpResponseIncomplete
    } else if error.is_timeout() {
        ErrorCode::HttpResponseTimeout
    } else {
        ErrorCode::ConnectionTerminated
    }
}

/// Whether a body ended before its length was reached.
fn is_cut(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|error| error.downcast_ref::<io::Error>());
    cause.is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

/// A body of which the bytes are counted, together with those of the call's others.
struct Bounded<B> {
    body: B,
    bytes: Arc<AtomicU64>,
    too_large: fn(Option<u64>) -> Error,
}

impl<B> Bounded<B> {
    fn new(body: B, bytes: Arc<AtomicU64>, too_large: fn(Option<u64>) -> Error) -> Self {
        Self { body, bytes, too_large }
    }
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for Bounded<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            if self.bytes.fetch_add(length, Ordering::Relaxed) + length > BODY_BYTES_MAX {
                return Poll::Ready(Some(Err((self.too_large)(Some(BODY_BYTES_MAX)))));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, and how long its next bytes may take, where the guest said so.
struct Timed {
    body: hyper::body::Incoming,
    between: Option<Duration>,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.sleep = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| own(code(&error)))));
        }
        let Some(between) = self.between else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(between)));
        ready!(sleep.as_mut().poll(context));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
