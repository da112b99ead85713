//! A kind of message: its schemas, and the check of a real message against them.

use std::fmt;

use jsonschema::Validator;
use serde_json::Value;

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
    /// The largest payload, in bytes.
    pub max_body_bytes: u64,
    pub(super) payload: Validator,
    pub(super) headers: Option<Validator>,
}

impl Message {
    /// Checks a message; the reasons why it is invalid. Values of the message are not part of the reasons, because
    /// they end up in logs and headers.
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
        if is_json(&self.content_type) {
            let payload = parse(body)?;
            collect(&self.payload, &payload, "body", &mut reasons);
        }
        if let Some(schema) = &self.headers {
            collect(schema, &headers(), "headers", &mut reasons);
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }
}

fn parse(body: &[u8]) -> Result<Value, Vec<String>> {
    if body.is_empty() {
        return Err(vec!["body is empty".to_owned()]);
    }
    serde_json::from_slice(body).map_err(|error| vec![format!("body is not JSON: {error}")])
}

fn collect(schema: &Validator, value: &Value, what: &str, reasons: &mut Vec<String>) {
    for error in schema.iter_errors(value).take(REASONS_MAX.saturating_sub(reasons.len())) {
        let mut reason = format!("{what}{}: {}", error.instance_path(), error.masked());
        if reason.len() > REASON_BYTES_MAX {
            reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
            reason.push('…');
        }
        reasons.push(reason);
    }
}

/// Compares MIME types without their parameters: `application/json; charset=utf-8` is `application/json`.
fn same_type(a: &str, b: &str) -> bool {
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence(a) == essence(b)
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("name", &self.name).finish_non_exhaustive()
    }
}
