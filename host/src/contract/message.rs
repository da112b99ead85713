//! A kind of message: its schemas, and the check of a real message against them.

use std::borrow::Cow;
use std::fmt;
use std::io::{Read, Write};
use std::sync::OnceLock;

use flate2::Compression;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::Encoding;
use super::document::{Borrowed, Document};
use super::patterns::compile_for;
use super::recursion::{Recursion, extent};

/// The longest list of reasons given for one invalid message.
const REASONS_MAX: usize = 5;
/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 300;

/// A kind of message, with its schemas compiled.
pub struct Message {
    /// Name in the contract.
    pub name: String,
    /// MIME type of the payload.
    pub content_type: String,
    /// How Warren compresses what it publishes.
    pub content_encoding: Option<Encoding>,
    /// The largest payload, decompressed, in bytes.
    pub max_body_bytes: u64,
    /// The payload's schema, JSON Schema 2020-12 without references to other files.
    pub payload_schema: Value,
    /// The headers' schema, likewise.
    pub headers_schema: Option<Value>,
    /// One line on what the message says.
    pub summary: Option<String>,
    /// More on what the message says.
    pub description: Option<String>,
    /// Version of the message.
    pub version: Option<String>,
    /// Messages as they may be.
    pub examples: Vec<Example>,
    pub(super) payload: Validator,
    /// The same for documents that borrow: it only says whether a message is valid. Made for the first message, so that
    /// loading a contract takes no longer for it; none if it cannot be made.
    pub(super) quick_payload: OnceLock<Quick>,
    pub(super) headers: Option<Validator>,
}

/// What every payload is held against, made when the first one comes.
pub(super) struct Quick {
    validator: Option<Validator<Borrowed>>,
    /// The deepest payload that is judged.
    depth_max: Option<usize>,
}

/// A message as it may be.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Example {
    pub name: Option<String>,
    pub summary: Option<String>,
    pub payload: Value,
    pub headers: Option<Value>,
}

/// A body as its publisher meant it: without compression.
pub type Decoded<'a> = Cow<'a, [u8]>;

impl Message {
    /// Takes the compression off a body. The error is the reason why it cannot be read.
    pub fn decode<'a>(&self, body: &'a [u8], content_encoding: Option<&str>) -> Result<Decoded<'a>, String> {
        let encoding = content_encoding.unwrap_or_default().trim();
        let is = |names: &[&str]| names.iter().any(|name| encoding.eq_ignore_ascii_case(name));
        if is(&["", "identity", "utf-8"]) {
            Ok(Cow::Borrowed(body))
        } else if is(&["gzip", "x-gzip"]) {
            self.inflate(MultiGzDecoder::new(body), "gzip")
        } else if is(&["deflate"]) && is_zlib(body) {
            // RFC 9110 means zlib's format; some send the bare one.
            self.inflate(ZlibDecoder::new(body), "deflate")
        } else if is(&["deflate"]) {
            self.inflate(DeflateDecoder::new(body), "deflate")
        } else {
            let encoding: String = encoding.to_ascii_lowercase().chars().take(50).collect();
            Err(format!("content-encoding `{encoding}` is not supported: gzip and deflate are"))
        }
    }

    fn inflate<'a>(&self, decoder: impl Read, encoding: &str) -> Result<Decoded<'a>, String> {
        let mut body = Vec::new();
        // One byte more than allowed tells that there is more; a bomb is not unpacked any further.
        let read = decoder.take(self.max_body_bytes.saturating_add(1)).read_to_end(&mut body);
        read.map_err(|error| format!("body is not {encoding}, as its content-encoding says: {error}"))?;
        if body.len() as u64 > self.max_body_bytes {
            return Err(format!(
                "body is more than the {} bytes that the contract allows, decompressed",
                self.max_body_bytes
            ));
        }
        Ok(Cow::Owned(body))
    }

    /// Compresses a body as the contract says for what is published; `content-encoding` goes with it.
    pub fn encode(&self, body: Vec<u8>) -> (Vec<u8>, Option<&'static str>) {
        let compressed = match self.content_encoding {
            None => None,
            Some(Encoding::Gzip) => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&body).and_then(|()| encoder.finish()).ok().map(|body| (body, "gzip"))
            }
            Some(Encoding::Deflate) => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&body).and_then(|()| encoder.finish()).ok().map(|body| (body, "deflate"))
            }
        };
        match compressed {
            Some((compressed, encoding)) => (compressed, Some(encoding)),
            None => (body, None),
        }
    }

    /// Checks a message without compression; the reasons why it is invalid. Values of the message are not part of the
    /// reasons, because they end up in logs and headers.
    pub fn check(
        &self,
        body: &[u8],
        content_type: Option<&str>,
        headers: impl FnOnce() -> Value,
    ) -> Result<(), Vec<String>> {
        if body.len() as u64 > self.max_body_bytes {
            return Err(vec![format!(
                "body is {} bytes, the contract allows {}",
                body.len(),
                self.max_body_bytes
            )]);
        }
        if let Some(content_type) = content_type
            && !same_type(content_type, &self.content_type)
        {
            let content_type: String = content_type.chars().take(100).collect();
            return Err(vec![format!(
                "content-type is `{content_type}`, the contract says `{}`",
                self.content_type
            )]);
        }
        let mut reasons = Vec::new();
        if self.is_json() && !self.is_valid(body)? {
            let payload = parse(body)?;
            collect(&self.payload, &self.payload_schema, &payload, "body", &mut reasons);
        }
        if let (Some(validator), Some(schema)) = (&self.headers, &self.headers_schema) {
            collect(validator, schema, &headers(), "headers", &mut reasons);
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    /// Whether a body is surely valid JSON that fits the schema. If not, the slower way decides, and finds the reasons.
    fn is_valid(&self, body: &[u8]) -> Result<bool, Vec<String>> {
        let make = || Quick {
            validator: compile_for(&self.payload_schema).ok(),
            depth_max: Recursion::of(&self.payload_schema).depth_max(),
        };
        let Quick { validator, depth_max } = self.quick_payload.get_or_init(make);
        if let Some(depth_max) = *depth_max
            && extent(&parse(body)?).0 > depth_max
        {
            return Err(vec![format!(
                "body is nested more than {depth_max} deep: that is as far as a schema with `unevaluatedProperties` or `unevaluatedItems` that refers to itself can be checked"
            )]);
        }
        Ok(match (validator, Document::read(body)) {
            (Some(quick), Some(document)) => quick.is_valid(document.root()),
            _ => false,
        })
    }

    /// Why an example of the contract is none, if so.
    pub(super) fn example_faults(&self, example: &Example) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.is_json() {
            collect(&self.payload, &self.payload_schema, &example.payload, "payload", &mut reasons);
        }
        if let (Some(validator), Some(schema), Some(headers)) =
            (&self.headers, &self.headers_schema, &example.headers)
        {
            collect(validator, schema, headers, "headers", &mut reasons);
        }
        reasons
    }

    /// The MIME type without its parameters, in lower case.
    pub fn media_type(&self) -> String {
        essence(&self.content_type).to_ascii_lowercase()
    }

    /// Whether the payload is JSON, and so held against its schema.
    pub fn is_json(&self) -> bool {
        let essence = essence(&self.content_type);
        let suffix = essence.as_bytes().last_chunk::<5>();
        essence.eq_ignore_ascii_case("application/json")
            || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"+json"))
    }
}

fn parse(body: &[u8]) -> Result<Value, Vec<String>> {
    if body.is_empty() {
        return Err(vec!["body is empty".to_owned()]);
    }
    serde_json::from_slice(body).map_err(|error| vec![format!("body is not JSON: {error}")])
}

/// Finds the reasons why a value does not fit a schema: some, or one, or that there is one, by what it costs to find them.
/// The validator finds all errors before it gives the first.
pub(super) fn collect(
    validator: &Validator,
    schema: &Value,
    value: &Value,
    what: &str,
    reasons: &mut Vec<String>,
) {
    if validator.is_valid(value) {
        return;
    }
    let recursion = Recursion::of(schema);
    if recursion.can_list(value) {
        let left = REASONS_MAX.saturating_sub(reasons.len());
        reasons.extend(validator.iter_errors(value).take(left).map(|error| reason(what, &error)));
    } else if recursion.has_first()
        && let Err(error) = validator.validate(value)
    {
        reasons.push(reason(what, &error));
    } else {
        reasons.push(format!("{what} does not fit its schema; it is too large and too deep to say where"));
    }
}

fn reason(what: &str, error: &ValidationError<'_>) -> String {
    let mut reason = format!("{what}{}: {}", error.instance_path(), error.masked());
    if reason.len() > REASON_BYTES_MAX {
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        reason.push('…');
    }
    reason
}

/// The two bytes of zlib's header: method 8, and a check sum.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0)
}

/// Compares MIME types without their parameters: `application/json; charset=utf-8` is `application/json`.
fn same_type(a: &str, b: &str) -> bool {
    essence(a).eq_ignore_ascii_case(essence(b))
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("name", &self.name).finish_non_exhaustive()
    }
}
