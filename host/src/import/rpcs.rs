//! Operations with a reply, as rpcs.

use serde_json::{Map, Value, json};

use super::draft::join;
use super::operations::{Operation, Operations};
use super::source::text;

/// How long a caller waits for an answer, where a document does not say, in milliseconds.
const TIMEOUT_MS: u64 = 30_000;

impl<'d> Operations<'_, 'd> {
    /// Reads a request and its answers; gives the name of the rpc.
    pub(super) fn rpc(&mut self, operation: &Operation<'d>, queue: &str) -> String {
        let said = operation.ours.get("rpc").and_then(Value::as_object).cloned().unwrap_or_default();
        let name = text(&said, "name").unwrap_or(operation.id).to_owned();
        let name = self.draft.free_name(&["rpcs"], &name);
        let at = join("/rpcs", &name);
        let reply = self.source.child(&operation.found, "reply");
        let mut answers = reply.map(|reply| self.messages_of(&reply)).unwrap_or_default();
        let request = self.received_message(operation).unwrap_or_default();
        let mut entry = Map::new();
        let mut errors = Map::new();
        if let Some(response) = text(&said, "response") {
            entry.insert("response".to_owned(), json!(self.messages.now(response)));
            for (code, message) in said.get("errors").and_then(Value::as_object).into_iter().flatten() {
                let message = message.as_str().map(|message| self.messages.now(message));
                errors.insert(code.clone(), json!(message));
            }
        } else {
            if answers.len() > 1 {
                self.draft.note(
                    &at,
                    "has several answers: the first is taken for the response, the others for errors",
                );
            }
            let rest = answers.split_off(answers.len().min(1));
            entry.extend(answers.pop().map(|response| ("response".to_owned(), json!(response))));
            errors.extend(rest.into_iter().map(|error| (error.clone(), json!(error))));
        }
        entry.insert("queue".to_owned(), json!(queue));
        entry.insert("request".to_owned(), json!(request));
        if !errors.is_empty() {
            entry.insert("errors".to_owned(), Value::Object(errors));
        }
        let timeout = said.get("timeoutMs").cloned();
        if timeout.is_none() {
            self.draft.note(
                &join(&at, "timeoutMs"),
                "filled in: the document does not say how long a caller waits",
            );
        }
        entry.insert("timeoutMs".to_owned(), timeout.unwrap_or_else(|| json!(TIMEOUT_MS)));
        let summary = said.get("summary").filter(|_| operation.ours.contains_key("handler"));
        let summary =
            summary.or(operation.keys.get("summary").filter(|_| !operation.ours.contains_key("handler")));
        entry.extend(summary.map(|summary| ("summary".to_owned(), summary.clone())));
        self.draft.put("rpcs", &name, entry);
        name
    }
}
