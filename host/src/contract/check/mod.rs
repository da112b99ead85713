//! Raw contract -> checked contract: every name refers to something, every value means something.
//!
//! Collects all problems and keeps going; what could not be resolved is left out of the result, which is only used
//! when there are no problems. `queues`, `publishers` and `consumers` check one section of the file each.

mod consumers;
mod publishers;
mod queues;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::{Map, Value};

use super::problem::Problem;
use super::source::{Source, join};
use super::{Contract, Message, ReadFile, lossless, raw};

/// The largest message that RabbitMQ 4 takes unless told otherwise, in bytes.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Checks the meaning of a contract whose shape is sound.
pub(super) fn check(
    raw: raw::Contract,
    source: Source,
    read_file: ReadFile<'_>,
    problems: &mut Vec<Problem>,
) -> Contract {
    let whole = problems.is_empty();
    let mut checker = Checker { raw: &raw, read_file, problems, incomplete: false };
    let exchanges = checker.exchanges();
    let queues = checker.queues();
    let messages = checker.messages();
    let publishers = checker.publishers(&messages);
    let mut bindings = checker.bindings();
    let consumers = checker.consumers(&messages, &mut bindings);
    let incomplete = checker.incomplete;
    let contract = Contract {
        name: raw.contract.clone(),
        version: raw.version.clone().unwrap_or_default(),
        exchanges,
        queues,
        bindings,
        publishers,
        consumers,
        source,
    };
    // A message's way through a contract of which parts are missing would only repeat that they are.
    if whole && !incomplete {
        lossless::check(&contract, &raw, problems);
    }
    contract
}

type Messages = BTreeMap<String, Arc<Message>>;

struct Checker<'a> {
    raw: &'a raw::Contract,
    read_file: ReadFile<'a>,
    problems: &'a mut Vec<Problem>,
    /// Something was left out of the result, because it names what is not there.
    incomplete: bool,
}

impl Checker<'_> {
    pub(super) fn messages(&mut self) -> Messages {
        let mut messages = Messages::new();
        for (name, raw) in &self.raw.messages {
            let at = join("/messages", name);
            let payload = self.schema(&join(&at, "payload"), &raw.payload);
            let headers = raw.headers.as_ref().map(|headers| self.schema(&join(&at, "headers"), headers));
            let (Some(payload), None | Some(Some(_))) = (payload, &headers) else { continue };
            let message = Message {
                name: name.clone(),
                content_type: raw.content_type.clone().unwrap_or_else(|| "application/json".to_owned()),
                max_body_bytes: raw.max_body_bytes.unwrap_or(BODY_BYTES_MAX),
                payload,
                headers: headers.flatten(),
            };
            messages.insert(name.clone(), Arc::new(message));
        }
        messages
    }

    /// Compiles a schema, inline or `{ $ref: file }`.
    fn schema(&mut self, at: &str, written: &Map<String, Value>) -> Option<Validator> {
        let from_file = written.get("$ref").and_then(Value::as_str).filter(|file| !file.starts_with('#'));
        let read = match from_file {
            Some(file) => self.schema_file(&join(at, "$ref"), file),
            None => Ok(Value::Object(written.clone())),
        };
        let compiled = read.and_then(|schema| {
            jsonschema::draft202012::new(&schema)
                .map_err(|error| Problem::at(at, format!("not a JSON Schema: {error}")))
        });
        self.incomplete |= compiled.is_err();
        compiled.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn schema_file(&self, at: &str, file: &str) -> Result<Value, Problem> {
        if file.contains("://") {
            return Err(Problem::at(at, format!("`{file}` is not a file beside the contract"))
                .because("a contract means the same without a network")
                .hint("copy the schema into a file and refer to that"));
        }
        if Path::new(file).is_absolute() {
            return Err(Problem::at(at, format!("`{file}` is an absolute path"))
                .hint("write it relative to the contract file"));
        }
        let text = (self.read_file)(file)
            .map_err(|error| Problem::at(at, format!("the schema `{file}` cannot be read: {error}")))?;
        serde_json::from_str(&text)
            .map_err(|error| Problem::at(at, format!("the schema `{file}` is not JSON: {error}")))
    }

    pub(super) fn message(&mut self, at: &str, name: &str, messages: &Messages) -> Option<Arc<Message>> {
        self.known(at, "message", name, &self.raw.messages)?;
        messages.get(name).cloned()
    }

    /// Looks a name up, and reports it if there is no such thing.
    pub(super) fn known<'t, T>(
        &mut self,
        at: &str,
        what: &str,
        name: &str,
        things: &'t BTreeMap<String, T>,
    ) -> Option<&'t T> {
        let found = things.get(name);
        if found.is_none() {
            self.incomplete = true;
            self.problems.push(
                Problem::at(at, format!("no {what} is called `{name}`"))
                    .suggest(name, things.keys().map(String::as_str)),
            );
        }
        found
    }

    pub(super) fn unique(&mut self, name: &str, at: &str, other: &str, taken: bool) {
        if taken {
            self.problems.push(
                Problem::at(at, format!("`{name}` is also the name of {other}"))
                    .on_key()
                    .because("a handler publishes by this name, and it has to mean one thing"),
            );
        }
    }

    pub(super) fn fault(&mut self, at: &str, fault: Option<String>) {
        self.problems.extend(fault.map(|says| Problem::at(at, says)));
    }

    pub(super) fn entity_name(&mut self, name: &str, at: &str, what: &str) {
        let says = if name.is_empty() {
            format!("the name of this {what} is empty")
        } else if name.len() > 200 {
            format!("the name of this {what} is longer than 200 bytes")
        } else if name.starts_with("amq.") {
            format!("`{name}`: names that start with `amq.` belong to the broker")
        } else {
            return;
        };
        self.problems.push(Problem::at(at, says).on_key());
    }
}
