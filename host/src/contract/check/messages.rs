//! Messages: their schemas are compiled, and their examples held against them.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::super::Surroundings;
use super::super::domains::Domain;
use super::super::files::resolve;
use super::super::message::Example;
use super::super::patterns::compile;
use super::super::payload::bundle;
use super::super::problem::{Problem, brief};
use super::super::source::join;
use super::super::{Message, raw};
use super::{Checker, Messages};

/// The largest message that RabbitMQ 4 takes unless told otherwise, in bytes.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

impl<'a> Checker<'a> {
    pub(super) fn messages(&mut self) -> Messages {
        let mut messages = Messages::new();
        for (name, raw) in &self.raw.messages {
            if self.is_full() {
                break;
            }
            let at = join("/messages", name);
            if name.contains('/') || name.is_empty() {
                let says = "the name of a message is a text without `/`";
                self.refuse(
                    Problem::at(&at, says).on_key().because("`domain/name` is one of another domain"),
                );
            }
            let Some(message) = self.compile(name, &at, raw) else {
                self.incomplete = true;
                continue;
            };
            self.examples(&at, &message);
            messages.insert(name.clone(), Arc::new(message));
        }
        messages
    }

    fn compile(&mut self, name: &str, at: &str, raw: &raw::Message) -> Option<Message> {
        let from = |at: &str| self.files.path_from(at, "x");
        let schema = |key: &str, written: &Map<String, Value>| {
            let at = join(at, key);
            bundle(&at, written, &from(&at), self.surroundings)
        };
        let payload = schema("payload", &raw.payload);
        let headers = raw.headers.as_ref().map(|headers| schema("headers", headers)).transpose();
        match (payload, headers) {
            (Ok(payload), Ok(headers)) => self.message_of(name, at, raw, payload, headers),
            (payload, headers) => {
                self.problems.extend(payload.err().into_iter().chain(headers.err()));
                None
            }
        }
    }

    /// A message of another domain. What is wrong with it is told in short: its own contract is where to mend it.
    pub(super) fn compile_foreign(
        &mut self,
        at: &str,
        domain: &'a Domain,
        theirs: &str,
        full: &str,
        raw: &raw::Message,
    ) -> Option<Arc<Message>> {
        let read_file = |file: &str| (self.surroundings.read_file)(&resolve(&domain.path, file));
        let near = Surroundings { read_file: &read_file, variable: self.surroundings.variable };
        let place = join("/messages", theirs);
        let schema = |key: &str, written: &Map<String, Value>| {
            let from = domain.files.path_from(&join(&place, key), "x");
            bundle(at, written, &from, near)
        };
        let payload = schema("payload", &raw.payload);
        let headers = raw.headers.as_ref().map(|headers| schema("headers", headers)).transpose();
        let compiled = match (payload, headers) {
            (Ok(payload), Ok(headers)) => self.message_of(full, at, raw, payload, headers),
            (payload, headers) => {
                self.problems.extend(payload.err().into_iter().chain(headers.err()));
                None
            }
        };
        self.incomplete |= compiled.is_none();
        compiled.map(Arc::new)
    }

    fn message_of(
        &mut self,
        name: &str,
        at: &str,
        raw: &raw::Message,
        payload: Value,
        headers: Option<Value>,
    ) -> Option<Message> {
        let file = |written: &Map<String, Value>| {
            written
                .get("$ref")
                .and_then(Value::as_str)
                .filter(|file| !file.starts_with('#'))
                .map(str::to_owned)
        };
        let mut validator = |key: &str, written: &Map<String, Value>, schema: &Value| {
            compile(schema)
                .map_err(|error| self.refuse(not_a_schema(&join(at, key), file(written).as_deref(), &error)))
                .ok()
        };
        let payload_validator = validator("payload", &raw.payload, &payload);
        let headers_validator = raw
            .headers
            .as_ref()
            .zip(headers.as_ref())
            .map(|(written, headers)| validator("headers", written, headers));
        let headers_validator = match headers_validator {
            Some(None) => return None,
            Some(Some(validator)) => Some(validator),
            None => None,
        };
        let example = |example: &raw::Example| Example {
            name: example.name.clone(),
            summary: example.summary.clone(),
            payload: example.payload.clone(),
            headers: example.headers.clone().map(Value::Object),
        };
        Some(Message {
            name: name.to_owned(),
            content_type: raw.content_type.clone().unwrap_or_else(|| "application/json".to_owned()),
            content_encoding: raw.content_encoding,
            max_body_bytes: raw.max_body_bytes.unwrap_or(BODY_BYTES_MAX),
            payload_schema: payload,
            headers_schema: headers,
            summary: raw.summary.clone(),
            description: raw.description.clone(),
            version: raw.version.clone(),
            examples: raw.examples.iter().map(example).collect(),
            payload: payload_validator?,
            quick_payload: OnceLock::new(),
            headers: headers_validator,
        })
    }

    fn examples(&mut self, at: &str, message: &Message) {
        for (index, example) in message.examples.iter().enumerate() {
            let faults = message.example_faults(example);
            if !faults.is_empty() {
                let at = join(&join(at, "examples"), &index.to_string());
                self.refuse(
                    Problem::at(at, "this example is not a message of its kind")
                        .because(faults.join("; "))
                        .hint("mend the example, or the schema"),
                );
            }
        }
    }
}

/// What keeps a schema from being one. `at` is its pointer, `file` the file that it is in, if it is not in the contract.
fn not_a_schema(at: &str, file: Option<&str>, error: &jsonschema::ValidationError<'_>) -> Problem {
    let place = error.instance_path().as_str();
    let keyword = place.rsplit('/').next().unwrap_or_default();
    let written = error.instance().as_str().unwrap_or_default();
    let within = match file {
        Some(file) => format!("in `{}`, at `{place}`: ", brief(file)),
        None => String::new(),
    };
    let problem = |says: String| {
        let at = if file.is_none() { format!("{at}{place}") } else { join(at, "$ref") };
        Problem::at(at, format!("{within}{says}"))
    };
    match keyword {
        "type" if error.instance().is_string() => {
            problem(format!("`{}` is not a type of JSON Schema", brief(written))).suggest(written, TYPES)
        }
        "pattern" => problem(format!("`{}` is not a regular expression, or too large a one", brief(written))),
        _ if place.is_empty() => problem(format!("not a JSON Schema: {}", brief(&error.to_string()))),
        _ => problem(format!("`{keyword}` is not as JSON Schema has it: {}", brief(&error.to_string()))),
    }
}
