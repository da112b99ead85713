//! An AsyncAPI document, or the definitions of a RabbitMQ, -> a contract that passes `check`.
//!
//! Pure: text in, text and notes out. What the source does not say is filled in so that no message can be lost, and what a
//! contract cannot say is left out; each of both is a note, and a comment in the contract. In reading order: `asyncapi` and
//! `definitions` make a `draft`, `repair` lets the check of contracts judge it until it is sound.

mod asyncapi;
mod bindings;
mod definitions;
mod draft;
mod messages;
mod operations;
mod queue;
mod repair;
mod rpcs;
mod schemas;
mod source;
#[cfg(test)]
mod tests;
mod waits;

use std::fmt;

use serde_json::{Value, json};

use crate::contract::{TEXT_BYTES_MAX, document_values};
use draft::Draft;

/// The largest JSON text that is read, in bytes. Brokers' exports are large, and JSON has no aliases that explode.
const JSON_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest name of a contract, in characters.
const NAME_CHARS_MAX: usize = 128;

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An AsyncAPI document.
    Asyncapi,
    /// RabbitMQ's `export_definitions`.
    Definitions,
}

/// How to import.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// What the text is; found out if not said.
    pub kind: Option<Kind>,
    /// The virtual host, where definitions hold several.
    pub vhost: Option<&'a str>,
    /// What the file is called, for messages, and for the name of the contract where it gives none.
    pub file: &'a str,
}

/// A contract that was made.
#[derive(Debug)]
pub struct Imported {
    /// The contract file.
    pub yaml: String,
    /// What was filled in or left out, with its place: for whoever ran the command.
    pub notes: Vec<String>,
}

/// Why there is no contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What is wrong.
    pub says: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failed {
    fn new(says: impl Into<String>) -> Self {
        Self { says: says.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

impl std::error::Error for Failed {}

/// Makes a contract of `text`.
pub fn import(text: &str, options: Options<'_>) -> Result<Imported, Failed> {
    let values = read(options.file, text)?;
    let kind = match options.kind {
        Some(kind) => kind,
        None => detect(&values)?,
    };
    let mut draft = Draft::default();
    draft.set_root("contract", json!(name(options.file)));
    let source = match kind {
        Kind::Asyncapi => {
            asyncapi::read(&values, &mut draft)?;
            repair::repair(&mut draft)?;
            "the AsyncAPI document"
        }
        Kind::Definitions => {
            let expected = definitions::read(&values, options.vhost, &mut draft)?;
            let contract = repair::repair(&mut draft)?;
            if expected.give_up_what_differs(&contract, &mut draft) {
                repair::repair(&mut draft)?;
            }
            "the RabbitMQ definitions"
        }
    };
    let heading = format!(
        "Made by `warren import` of {source} {}. What was filled in or left out is said above its place, or here.",
        options.file
    );
    let mut yaml = draft.to_yaml(&heading);
    if yaml.len() > TEXT_BYTES_MAX {
        yaml = draft.bare_yaml();
    }
    Ok(Imported { yaml, notes: draft.notes() })
}

fn read(file: &str, text: &str) -> Result<Value, Failed> {
    let json = text.trim_start_matches('\u{feff}').trim_start();
    // Read as JSON, it may hold what YAML has no escape for.
    if json.starts_with('{') && text.len() <= JSON_BYTES_MAX {
        match serde_json::from_str(json) {
            Ok(values) => return Ok(values),
            Err(error) if !file.ends_with(".json") => drop(error),
            Err(error) => return Err(Failed::new(format!("`{file}` is not JSON: {error}"))),
        }
    }
    document_values(file, text).map_err(Failed::new)
}

fn detect(values: &Value) -> Result<Kind, Failed> {
    let has = |key: &str| values.get(key).is_some();
    if has("asyncapi") {
        Ok(Kind::Asyncapi)
    } else if has("contract") {
        Err(Failed::new("this is a contract already").hint("`warren check` says whether it is sound"))
    } else if has("queues") || has("exchanges") || has("bindings") {
        Ok(Kind::Definitions)
    } else {
        Err(Failed::new("this is no AsyncAPI document (it has no key `asyncapi`), and no RabbitMQ definitions (it has no `queues`, `exchanges` or `bindings`)")
            .hint("`rabbitmqctl export_definitions FILE` writes definitions"))
    }
}

/// A name for the contract, of that of the file.
fn name(file: &str) -> String {
    let base = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let stem = base.split('.').find(|part| !part.is_empty()).unwrap_or("imported");
    shortened(stem)
}

fn shortened(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}
