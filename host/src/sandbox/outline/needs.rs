//! What this host has for the imports of a component, and which interfaces of handlers it calls.

use super::super::worlds::Flavour;

/// What a contract has to grant for an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Nothing: it is there for every handler.
    None,
    /// `publishes`.
    Publishes,
    /// `capabilities.http`.
    Http,
    /// `capabilities.config` or `capabilities.secrets`.
    Config,
    /// `capabilities.keyValue`.
    KeyValue,
    /// No contract can: this host does not have it.
    NotProvided,
}

/// What an import needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The capability without which the component cannot be loaded, or can do nothing through the import.
    pub capability: Capability,
    /// What else there is to say.
    pub note: Option<&'static str>,
}

impl Capability {
    /// Its key in the contract, or what there is to say in its place.
    pub fn text(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Publishes => "publishes",
            Self::Http => "http",
            Self::Config => "config",
            Self::KeyValue => "keyValue",
            Self::NotProvided => "not provided by this host",
        }
    }
}

/// What the host has, by the beginning of names. Names are followed by a version that the second text begins.
const PROVIDED: [(&str, &str, Capability, Option<&str>); 23] = [
    ("warren:handler/publisher", "0.1.", Capability::Publishes, None),
    ("warren:handler/logging", "0.1.", Capability::None, None),
    ("warren:handler/types", "0.1.", Capability::None, None),
    ("wasmcloud:messaging/consumer", "0.2.", Capability::Publishes, NO_REQUESTS),
    ("wasmcloud:messaging/consumer", "0.3.", Capability::Publishes, NO_REQUESTS),
    ("wasmcloud:messaging/types", "0.2.", Capability::None, None),
    ("wasmcloud:messaging/types", "0.3.", Capability::None, None),
    ("wasi:messaging/producer", "0.2.0-draft", Capability::Publishes, None),
    ("wasi:messaging/request-reply", "0.2.0-draft", Capability::Publishes, NO_REQUESTS),
    ("wasi:messaging/types", "0.2.0-draft", Capability::None, None),
    ("wasi:logging/logging", "0.1.0-draft", Capability::None, None),
    ("wasi:cli/", "0.2.", Capability::None, None),
    ("wasi:clocks/", "0.2.", Capability::None, None),
    ("wasi:io/", "0.2.", Capability::None, None),
    ("wasi:random/", "0.2.", Capability::None, None),
    ("wasi:filesystem/", "0.2.", Capability::None, Some("sees a folder only with `files`")),
    ("wasi:sockets/", "0.2.", Capability::None, Some("there is no network")),
    ("wasi:http/types", "0.2.", Capability::Http, None),
    ("wasi:http/outgoing-handler", "0.2.", Capability::Http, None),
    ("wasi:config/store", "0.2.0-rc.1", Capability::Config, None),
    ("wasi:keyvalue/store", "0.2.0-draft", Capability::KeyValue, None),
    ("wasi:keyvalue/atomics", "0.2.0-draft", Capability::KeyValue, None),
    ("wasi:keyvalue/batch", "0.2.0-draft", Capability::KeyValue, None),
];

const NO_REQUESTS: Option<&str> = Some("a request that waits for its answer is refused");

/// What an import needs.
pub(super) fn need(import: &str) -> Need {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    let provided = PROVIDED.iter().find(|(name, since, ..)| {
        let same = if name.ends_with('/') { interface.starts_with(name) } else { interface == *name };
        same && version.starts_with(since)
    });
    match provided {
        Some((_, _, capability, note)) => Need { capability: *capability, note: *note },
        None => Need { capability: Capability::NotProvided, note: None },
    }
}

/// The function that is called, and its type.
pub(in crate::sandbox) fn function(flavour: Flavour) -> (&'static str, &'static str) {
    match flavour {
        Flavour::Ours => ("handle", OURS),
        Flavour::Wasmcloud3 => ("handle-message", WASMCLOUD_3),
        Flavour::Wasmcloud2 => ("handle-message", WASMCLOUD_2),
        Flavour::Messaging => ("handle", MESSAGING),
        Flavour::MessagingAsync => ("handle", MESSAGING_ASYNC),
    }
}

/// How one type differs from the one that is wanted, in few words.
pub(super) fn difference(found: &str, wanted: &str) -> String {
    match (found.strip_prefix("async "), wanted.strip_prefix("async ")) {
        (Some(rest), None) if rest == wanted => return "asynchronous, and has to be synchronous".to_owned(),
        (None, Some(rest)) if rest == found => return "synchronous, and has to be asynchronous".to_owned(),
        _ => {}
    }
    let same = found.char_indices().zip(wanted.chars()).find(|((_, one), other)| one != other);
    let at = same.map_or(found.len().min(wanted.len()), |((at, _), _)| at);
    // From the word before the difference, as far as it can be taken in.
    let part = |text: &str| {
        let start = text.floor_char_boundary(at.saturating_sub(DIFFERENCE_BEFORE));
        let end = text.floor_char_boundary(at + DIFFERENCE_AFTER);
        let dots = |is_cut: bool| if is_cut { "…" } else { "" };
        format!("`{}{}{}`", dots(start > 0), &text[start..end], dots(end < text.len()))
    };
    format!("{}, and has to be {}", part(found), part(wanted))
}

/// How much of a type is shown before and after a difference, in bytes.
const DIFFERENCE_BEFORE: usize = 40;
const DIFFERENCE_AFTER: usize = 60;

const WASMCLOUD_2: &str =
    "func(msg: record { subject: string, body: list<u8>, reply-to: option<string> }) -> result<_, string>";
const WASMCLOUD_3: &str = "async func(msg: record { subject: string, body: stream<u8>, reply-to: option<string> }) -> result<_, variant { reject, retry, other: string }>";
const MESSAGING: &str = "func(message: own) -> result<_, variant { timeout, connection: string, permission-denied: string, other: string }>";
const MESSAGING_ASYNC: &str = "async func(message: own) -> result<_, variant { timeout, connection: string, permission-denied: string, other: string }>";
const OURS: &str = "func(message: record { body: list<u8>, content-type: option<string>, headers: list<tuple<string, variant { void, boolean: bool, integer: s64, float: f64, text: string, bytes: list<u8>, timestamp: u64, nested: string }>>, exchange: string, routing-key: string, queue: string, consumer: string, message-id: string, correlation-id: option<string>, causation-id: option<string>, reply-to: option<string>, message-type: option<string>, app-id: option<string>, priority: option<u8>, timestamp: option<u64>, attempt: u32, max-attempts: u32, redelivered: bool, deadline-ms: u32 }) -> result<_, variant { permanent: string, transient: string, rate-limited: record { retry-after-ms: u32, reason: string }, unauthorized: string }>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_differs_is_shown_where_it_does() {
        let asynchronous = format!("async {OURS}");
        assert_eq!(difference(&asynchronous, OURS), "asynchronous, and has to be synchronous");
        assert_eq!(
            difference(WASMCLOUD_2, "func()"),
            "`func(msg: record { subject: string, body: list<u8>, reply-to: opt…`, and has to be `func()`"
        );
        let other = OURS.replace("headers: list", "headers: option");
        let said = difference(&other, OURS);
        assert!(
            said.contains("headers: option<tuple")
                && said.contains("headers: list<tuple")
                && said.len() < 260,
            "{said}"
        );
        assert_eq!(difference("func()", ""), "`func()`, and has to be ``");
    }

    #[test]
    fn an_import_is_known_by_interface_and_version() {
        for (import, capability) in [
            ("warren:handler/publisher@0.1.0", Capability::Publishes),
            ("warren:handler/publisher@0.2.0", Capability::NotProvided),
            ("wasi:cli/environment@0.2.9", Capability::None),
            ("wasi:cli/environment@0.3.0", Capability::NotProvided),
            ("wasi:http/outgoing-handler@0.2.3", Capability::Http),
            ("wasi:http/incoming-handler@0.2.3", Capability::NotProvided),
            ("wasi:logging/logging@0.1.0-draft", Capability::None),
            ("wasmcloud:messaging/consumer@0.3.0", Capability::Publishes),
            ("wasmcloud:bus/lattice@1.0.0", Capability::NotProvided),
            ("a-function", Capability::NotProvided),
            ("wasi:clicker/x@0.2.0", Capability::NotProvided),
        ] {
            assert_eq!(need(import).capability, capability, "{import}");
        }
    }
}
