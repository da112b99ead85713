//! Requests to the origins that the contract's `capabilities: { http }` list. A thin layer over `wasi:http`, for
//! requests whose body and answer fit into memory; redirects are not followed.
//!
//! ```no_run
//! # fn example() -> warren_guest::Result {
//! use warren_guest::http::Request;
//!
//! let answer = Request::post("https://api.example.com/payments").json(&warren_guest::json!({ "amount": 5 })).send()?;
//! if answer.status >= 500 {
//!     return Err(warren_guest::Failure::transient(format_args!("payments answered {}", answer.status)));
//! }
//! # Ok(())
//! # }
//! ```

use std::error::Error;
use std::fmt;

use serde::Serialize;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use wasip2::io::streams::StreamError;

/// How much is read of an answer at a time, in bytes.
const CHUNK_BYTES: u64 = 64 * 1024;
/// How much of a body may be written at a time, in bytes.
const WRITE_BYTES: usize = 4096;

/// A request, to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// An answer, of whatever status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub enum HttpError {
    /// The request cannot be made: the URL or a header is not valid.
    Invalid(String),
    /// The host did not send it, or nobody answered.
    Failed(ErrorCode),
    /// The answer broke off.
    Broken(String),
}

/// Gets what is at a URL.
pub fn get(url: &str) -> Result<Response, HttpError> {
    Request::get(url).send()
}

impl Request {
    /// A request with any method.
    pub fn new(method: &str, url: &str) -> Self {
        let method = match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "PATCH" => Method::Patch,
            "OPTIONS" => Method::Options,
            other => Method::Other(other.to_owned()),
        };
        Self { method, url: url.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// A GET request.
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// A POST request.
    pub fn post(url: &str) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a value in JSON, and says so.
    pub fn json(self, value: &impl Serialize) -> Self {
        // Only maps with keys that are no text are not JSON; they send `null`, which the other side refuses.
        let body = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
        self.header("content-type", "application/json").body(body)
    }

    /// Sends the request and reads the whole answer.
    pub fn send(self) -> Result<Response, HttpError> {
        let invalid = |what: &str| HttpError::Invalid(what.to_owned());
        let (scheme, rest) = self.url.split_once("://").ok_or_else(|| invalid("the URL has no scheme"))?;
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => Scheme::Other(other.to_owned()),
        };
        let mut headers = self.headers;
        if !self.body.is_empty() {
            headers.push(("content-length".to_owned(), self.body.len().to_string().into_bytes()));
        }
        let fields = Fields::from_list(&headers)
            .map_err(|error| HttpError::Invalid(format!("a header was refused: {error:?}")))?;
        let request = OutgoingRequest::new(fields);
        request.set_method(&self.method).map_err(|()| invalid("the method is not valid"))?;
        request.set_scheme(Some(&scheme)).map_err(|()| invalid("the scheme is not valid"))?;
        request.set_authority(Some(authority)).map_err(|()| invalid("the host is not valid"))?;
        request.set_path_with_query(Some(path)).map_err(|()| invalid("the path is not valid"))?;
        let body = request.body().map_err(|()| invalid("the request has no body"))?;
        let answer = outgoing_handler::handle(request, None).map_err(HttpError::Failed)?;
        write(body, &self.body)?;
        answer.subscribe().block();
        match answer.get() {
            Some(Ok(Ok(answer))) => read(&answer),
            Some(Ok(Err(error))) => Err(HttpError::Failed(error)),
            Some(Err(())) | None => Err(HttpError::Broken("the answer was taken twice".to_owned())),
        }
    }
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), HttpError> {
    if !bytes.is_empty() {
        let Ok(stream) = body.write() else {
            return Err(HttpError::Broken("the body was taken twice".to_owned()));
        };
        for chunk in bytes.chunks(WRITE_BYTES) {
            // A server may answer before it has read all; what it says tells more than that it did not.
            if stream.blocking_write_and_flush(chunk).is_err() {
                return Ok(());
            }
        }
    }
    OutgoingBody::finish(body, None).map_err(HttpError::Failed)
}

fn read(answer: &IncomingResponse) -> Result<Response, HttpError> {
    let broken = |what: &str| HttpError::Broken(what.to_owned());
    let (status, headers) = (answer.status(), answer.headers().entries());
    let incoming = answer.consume().map_err(|()| broken("the answer was taken twice"))?;
    let body = read_body(&incoming)?;
    Ok(Response { status, headers, body })
}

fn read_body(incoming: &IncomingBody) -> Result<Vec<u8>, HttpError> {
    let stream = incoming.stream().map_err(|()| HttpError::Broken("the body was taken twice".to_owned()))?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(CHUNK_BYTES) {
            Ok(chunk) => body.extend(chunk),
            Err(StreamError::Closed) => return Ok(body),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(match wasip2::http::types::http_error_code(&error) {
                    Some(code) => HttpError::Failed(code),
                    None => HttpError::Broken(error.to_debug_string()),
                });
            }
        }
    }
}

impl Response {
    /// The first header of this name, which is given in lower case, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name)?;
        std::str::from_utf8(value).ok()
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text) => write!(f, "the request is not valid: {text}"),
            Self::Failed(ErrorCode::HttpRequestDenied) => {
                f.write_str("the contract does not grant requests to this origin")
            }
            Self::Failed(code) => write!(f, "the request failed: {code:?}"),
            Self::Broken(text) => write!(f, "the answer broke off: {text}"),
        }
    }
}

impl Error for HttpError {}
