//! A handler as the contract wants it, once it is known to be sound.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Publisher;
use super::raw::Isolation;

/// A handler as the contract wants it: the component and its limits.
#[derive(Debug, Clone)]
pub struct HandlerSpec {
    /// Path of the component, relative to the contract file.
    pub component: String,
    /// SHA-256 that the component must have, in hex.
    pub sha256: Option<String>,
    /// Who has to have signed it.
    pub signature: Option<SignatureSpec>,
    /// What an instance may keep from one message to the next.
    pub isolation: Isolation,
    /// When an instance that is reused is replaced.
    pub reuse: Reuse,
    /// How long one call may take, host calls included.
    pub deadline: Duration,
    /// How much memory one instance may use, in bytes.
    pub memory_bytes_max: usize,
    /// What one call may use beside that.
    pub limits: Limits,
    /// How many messages are handled at the same time.
    pub concurrency: u16,
}

/// Who has to have signed a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureSpec {
    /// The minisign public key, in Base64.
    pub public_key: String,
    /// Path of the signature, relative to the contract file.
    pub file: String,
}

/// When an instance that handles many messages is replaced by a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reuse {
    /// After this many calls.
    pub calls_max: u32,
    /// After this time.
    pub age_max: Duration,
    /// When its memory has grown by this many bytes since its first call.
    pub growth_bytes_max: usize,
}

/// What one call may use beside time and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time that it computes; none where the deadline is limit enough.
    pub cpu: Option<Duration>,
    /// Elements of all tables.
    pub table_elements: usize,
    /// Core instances.
    pub instances: usize,
    /// Bytes that the host has to hold for one host call, and for the answer of the handler.
    pub host_call_bytes: usize,
    /// Open files, streams, requests and other handles at the same time.
    pub handles: usize,
    /// Random bytes.
    pub random_bytes: u64,
    /// Lines of log, stdout and stderr.
    pub log_lines: u32,
    /// Bytes of these lines.
    pub log_bytes: usize,
    /// Messages published.
    pub publishes: u32,
    /// Bytes of their payloads.
    pub publish_bytes: u32,
}

impl Default for Reuse {
    fn default() -> Self {
        Self { calls_max: 10_000, age_max: Duration::from_secs(3_600), growth_bytes_max: 16 << 20 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: None,
            table_elements: 20_000,
            instances: 32,
            host_call_bytes: 32 << 20,
            handles: 1_000,
            random_bytes: 1 << 20,
            log_lines: 200,
            log_bytes: 256 << 10,
            publishes: 1_000,
            publish_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// What holds where the contract says nothing, for a handler that may publish through these of all publishers: the host
    /// can hold the largest payload twice, which leaves as much for what goes with it.
    pub fn usual(publishers: &BTreeMap<String, Arc<Publisher>>, granted: &[String]) -> Self {
        let payloads = granted.iter().filter_map(|name| publishers.get(name));
        let largest = payloads.map(|publisher| publisher.message.max_body_bytes as usize).max();
        let usual = Self::default();
        let host_call_bytes = usual.host_call_bytes.max(2 * largest.unwrap_or_default());
        Self { host_call_bytes, ..usual }
    }

    /// Every limit that is a number, by its key in the contract and in the unit of that key.
    pub fn numbers(&self) -> [(&'static str, u64); 9] {
        [
            ("tableElements", self.table_elements as u64),
            ("instances", self.instances as u64),
            ("hostCallMiB", self.host_call_bytes as u64 >> 20),
            ("handles", self.handles as u64),
            ("randomKiB", self.random_bytes >> 10),
            ("logLines", self.log_lines.into()),
            ("logKiB", self.log_bytes as u64 >> 10),
            ("publishes", self.publishes.into()),
            ("publishMiB", u64::from(self.publish_bytes >> 20)),
        ]
    }
}
