//! What changed about messages: whether who reads them takes what is written, and texts for readers.

use serde_json::{Value, json};

use super::closed::closed;
use super::{Both, Change, Class, Stage, Subject};
use crate::contract::Message;
use crate::contract::compat::{Comparison, Difference, Roles, compare};

/// How many differences one change tells.
const TOLD_MAX: usize = 6;

/// How what is written on one side of a change suits who reads it on the other.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What is certainly rejected.
    conflicts: Vec<String>,
    /// What may be.
    undecided: Vec<String>,
    /// What is fine unless something is sent that the writer's schema does not name.
    open: Vec<String>,
}

/// A message that is read by somebody who has the other contract.
pub(super) struct Flow<'a> {
    pub(super) subject: Subject,
    pub(super) writer: &'a Message,
    pub(super) reader: &'a Message,
    /// Who they are, such as "a new publisher" and "an old consumer".
    pub(super) roles: Roles<'a>,
    /// What is said if it does not fit.
    pub(super) misfit: String,
    /// What is said if it does.
    pub(super) fit: String,
    /// Whom it breaks if it does not fit.
    pub(super) breaks: String,
    pub(super) hint: &'a str,
    /// What to do when, if it does not fit.
    pub(super) misfit_steps: Vec<(Stage, String)>,
    /// What to do when, if it does.
    pub(super) fit_steps: Vec<(Stage, String)>,
}

impl Flow<'_> {
    /// The change, if there is one that matters in either direction.
    pub(super) fn change(self) -> Option<Change> {
        let reading = reads(self.writer, self.reader, self.roles);
        let (class, says) = if !reading.conflicts.is_empty() {
            (Class::Breaking, self.misfit)
        } else if !reading.undecided.is_empty() {
            (Class::Review, format!("it could not be decided whether {}", self.misfit))
        } else if !reading.open.is_empty() || !is_equivalent(self.writer, self.reader) {
            (Class::Compatible, self.fit)
        } else {
            return None;
        };
        let change = Change::new(class, self.subject, says);
        if class == Class::Compatible {
            let change = self.fit_steps.into_iter().fold(change, |change, step| change.step(step.0, step.1));
            return Some(if reading.open.is_empty() { change } else { change.because(UNNAMED) });
        }
        let Reading { conflicts, undecided, .. } = reading;
        let unclear = undecided.into_iter().map(|text| format!("not decided: {text}"));
        let change = change.details(told(conflicts.into_iter().chain(unclear).collect()));
        let change = change.breaks(self.breaks).hint(self.hint);
        Some(self.misfit_steps.into_iter().fold(change, |change, step| change.step(step.0, step.1)))
    }
}

const UNNAMED: &str = "as long as nobody sends properties that the contract does not name";

/// Texts for readers, and messages that came and went. What a schema lets through is told with who sends and takes it.
pub(super) fn changes(both: Both<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    let subject = |name: &str| Subject::Message(name.to_owned());
    for (name, old) in &both.old.messages {
        let Some(new) = both.new.messages.get(name) else {
            changes.push(Change::new(Class::Cosmetic, subject(name), "it is gone"));
            continue;
        };
        let schemas = |message: &Message| (message.payload_schema.clone(), message.headers_schema.clone());
        if schemas(old) != schemas(new) && is_equivalent(old, new) {
            let says = "its schemas let the same through, in other words";
            changes.push(Change::new(Class::Cosmetic, subject(name), says));
        }
        let texts = [
            ("summary", old.summary != new.summary),
            ("description", old.description != new.description),
            ("version", old.version != new.version),
            ("examples", old.examples != new.examples),
        ];
        let changed: Vec<&str> = texts.into_iter().filter(|text| text.1).map(|text| text.0).collect();
        if !changed.is_empty() {
            let says = format!("other {}", changed.join(", "));
            changes.push(Change::new(Class::Cosmetic, subject(name), says));
        }
    }
    for name in both.new.messages.keys().filter(|name| !both.old.messages.contains_key(*name)) {
        changes.push(Change::new(Class::Cosmetic, subject(name), "it is new"));
    }
    changes
}

/// Whether each of the two may be read as the other.
pub(super) fn is_equivalent(a: &Message, b: &Message) -> bool {
    let roles = Roles { writer: "one", reader: "the other" };
    [reads(a, b, roles), reads(b, a, roles)].iter().all(|reading| {
        reading.conflicts.is_empty() && reading.undecided.is_empty() && reading.open.is_empty()
    })
}

/// Holds what `writer` lets through against `reader`.
fn reads(writer: &Message, reader: &Message, roles: Roles<'_>) -> Reading {
    let mut reading = Reading::default();
    if writer.media_type() != reader.media_type() {
        reading.conflicts.push(format!(
            "the content-type is `{}` for {}, and {} takes `{}`",
            writer.content_type, roles.writer, roles.reader, reader.content_type
        ));
        return reading;
    }
    if writer.max_body_bytes > reader.max_body_bytes {
        reading.conflicts.push(format!(
            "{} may send {} bytes, and {} takes {}",
            roles.writer, writer.max_body_bytes, roles.reader, reader.max_body_bytes
        ));
    }
    if reader.is_json() {
        reading.part("payload", &writer.payload_schema, &reader.payload_schema, roles);
    }
    if let Some(headers) = &reader.headers_schema {
        let any = json!({ "type": "object" });
        reading.part("headers", writer.headers_schema.as_ref().unwrap_or(&any), headers, roles);
    }
    reading
}

impl Reading {
    fn part(&mut self, part: &str, writer: &Value, reader: &Value, roles: Roles<'_>) {
        if writer == reader {
            return;
        }
        let texts = |differences: &[Difference]| -> Vec<String> {
            let text = |it: &Difference| format!("{part}{}: {}", it.path, it.says);
            differences.iter().map(text).collect()
        };
        let Comparison { conflicts, undecided } = compare(writer, reader, roles);
        self.conflicts.extend(texts(&conflicts));
        if undecided.is_empty() {
            return;
        }
        match closed(writer).map(|writer| compare(&writer, reader, roles)) {
            None => self.undecided.extend(texts(&undecided)),
            Some(strict) => {
                let known = self.conflicts.clone();
                let further = texts(&strict.conflicts).into_iter().filter(|text| !known.contains(text));
                self.conflicts.extend(further);
                self.undecided.extend(texts(&strict.undecided));
                self.open.extend(texts(&undecided));
            }
        }
    }
}

fn told(mut texts: Vec<String>) -> Vec<String> {
    let more = texts.len().saturating_sub(TOLD_MAX);
    texts.truncate(TOLD_MAX);
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    texts
}
