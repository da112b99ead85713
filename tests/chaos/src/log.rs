//! A host's log, read as it grows. It is the record of executions: guests write to it before they do anything, the host
//! hands that to the system at once, and so a kill of the host takes nothing from it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// How many of the last lines that are not of guests are kept.
const LAST_LINES: usize = 40;

/// A handler began with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Execution {
    /// Of the message.
    pub(crate) id: String,
    /// Counted from 1.
    pub(crate) attempt: u32,
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// What a log has said so far.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    offset: u64,
    rest: Vec<u8>,
    /// Every execution.
    pub(crate) executions: Vec<Execution>,
    /// What the host itself has said, each with the number of times: the message of the event.
    pub(crate) said: Vec<String>,
    last: VecDeque<String>,
}

impl Log {
    pub(crate) fn new(path: &Path) -> Self {
        let (executions, said, last) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { path: path.to_path_buf(), offset: 0, rest: Vec::new(), executions, said, last }
    }

    /// Reads what is new.
    pub(crate) fn read(&mut self) -> Result<()> {
        let mut file = File::open(&self.path).with_context(|| format!("no log {}", self.path.display()))?;
        file.seek(SeekFrom::Start(self.offset))?;
        let read = file.read_to_end(&mut self.rest)?;
        self.offset += u64::try_from(read)?;
        let text = std::mem::take(&mut self.rest);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if line.ends_with(b"\n") {
                self.take(line);
            } else {
                self.rest = line.to_vec();
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line).trim_end().to_owned();
        let event: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if event["target"] == "guest" {
            self.executions.extend(execution(&event));
            return;
        }
        self.said.push(event["message"].as_str().unwrap_or(&text).to_owned());
        // One for each message that is retried or dead: too many to see anything else.
        if event["target"] == "warren::dispatch::record" {
            return;
        }
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(text);
    }

    /// How often the host has said this.
    pub(crate) fn count(&self, message: &str) -> usize {
        self.said.iter().filter(|said| said.contains(message)).count()
    }

    /// The last lines that are not of guests.
    pub(crate) fn tail(&self) -> String {
        self.last.iter().map(|line| format!("    {line}\n")).collect()
    }
}

fn execution(event: &Value) -> Option<Execution> {
    if event["message"] != "executes" {
        return None;
    }
    let at = humantime::parse_rfc3339(event["timestamp"].as_str()?).ok()?;
    let attempt = u32::try_from(event["attempt"].as_u64()?).ok()?;
    Some(Execution { id: event["message_id"].as_str()?.to_owned(), attempt, at_ms: crate::wait::ms_of(at) })
}
