//! A queue as a broker or a document knows it, by its arguments, as a contract says it, by keys.

use serde_json::{Map, Value, json};

use crate::contract::DELIVERIES_MAX;

/// Arguments with a number that have a key, and the least that the broker takes.
const NUMBERS: [(&str, &str, i64); 5] = [
    ("x-message-ttl", "messageTtlMs", 0),
    ("x-expires", "expiresMs", 1),
    ("x-max-length", "maxLength", 0),
    ("x-max-length-bytes", "maxLengthBytes", 0),
    ("x-max-priority", "maxPriority", 1),
];
/// What Warren declares as the limit of a quorum queue without dead letters.
const DELIVERIES_WITHOUT_END: i64 = i32::MAX as i64;

/// A queue as it was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Its type, if that is not in the arguments.
    pub(super) kind: Option<String>,
    pub(super) durable: bool,
    pub(super) exclusive: bool,
    pub(super) auto_delete: bool,
    pub(super) arguments: Map<String, Value>,
    /// Its retry, as a contract says it, if that is known.
    pub(super) retry: Option<Map<String, Value>>,
}

/// A queue as a contract says it.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) entry: Map<String, Value>,
    pub(super) notes: Vec<String>,
}

impl Found {
    /// The keys of the contract; or why there can be none.
    pub(super) fn keys(self) -> Result<Keys, String> {
        let mut arguments = self.arguments;
        let kind =
            arguments.remove("x-queue-type").and_then(|kind| kind.as_str().map(str::to_owned)).or(self.kind);
        let kind = kind.unwrap_or_else(|| "classic".to_owned());
        let quorum = match kind.as_str() {
            "quorum" => true,
            "classic" => false,
            other => return Err(format!("a queue of the type `{other}` cannot be consumed by Warren")),
        };
        let mut keys = Keys::default();
        let mut set = |key: &str, value: Value| keys.entry.insert(key.to_owned(), value);
        if !quorum {
            set("type", json!("classic"));
        }
        for (key, given, usual) in [
            ("durable", self.durable, true),
            ("exclusive", self.exclusive, false),
            ("autoDelete", self.auto_delete, false),
        ] {
            if given != usual {
                set(key, json!(given));
            }
        }
        keys.dead_letter(&mut arguments, quorum);
        keys.retry(self.retry, &mut arguments);
        for (argument, key, min) in NUMBERS {
            keys.take(&mut arguments, argument, key, |value| {
                value.as_i64().is_some_and(|number| number >= min)
            });
        }
        keys.take(&mut arguments, "x-overflow", "overflow", Value::is_string);
        keys.take(&mut arguments, "x-single-active-consumer", "singleActiveConsumer", Value::is_boolean);
        if keys.entry.get("singleActiveConsumer") == Some(&json!(false)) {
            keys.entry.remove("singleActiveConsumer");
        }
        keys.delivery_limit(&mut arguments, quorum);
        if !arguments.is_empty() {
            keys.entry.insert("arguments".to_owned(), Value::Object(arguments));
        }
        Ok(keys)
    }
}

impl Keys {
    /// Makes an argument a key, if its value is of the right kind; else it stays, and the check of the contract judges it.
    fn take(
        &mut self,
        arguments: &mut Map<String, Value>,
        name: &str,
        key: &str,
        fits: impl Fn(&Value) -> bool,
    ) {
        if arguments.get(name).is_some_and(fits)
            && let Some(value) = arguments.remove(name)
        {
            self.entry.insert(key.to_owned(), value);
        }
    }

    fn dead_letter(&mut self, arguments: &mut Map<String, Value>, quorum: bool) {
        let exchange = arguments.remove("x-dead-letter-exchange");
        let key = arguments.remove("x-dead-letter-routing-key");
        let strategy = arguments.remove("x-dead-letter-strategy");
        let Some(exchange) = exchange.as_ref().and_then(Value::as_str) else { return };
        let mut dead_letter = Map::new();
        dead_letter.insert("exchange".to_owned(), json!(exchange));
        if let Some(key) = key.as_ref().and_then(Value::as_str).filter(|key| !key.is_empty()) {
            dead_letter.insert("routingKey".to_owned(), json!(key));
        }
        self.entry.insert("deadLetter".to_owned(), Value::Object(dead_letter));
        if !quorum {
            return;
        }
        // Both follow from `deadLetter`; without them, dead letters would be lost.
        if strategy.as_ref().and_then(Value::as_str) == Some("at-least-once")
            && arguments.get("x-overflow") == Some(&json!("reject-publish"))
        {
            arguments.remove("x-overflow");
            return;
        }
        if arguments.get("x-overflow") == Some(&json!("drop-head")) {
            arguments.remove("x-overflow");
            self.notes.push(
                "its `x-overflow: drop-head` is left out, because at-least-once dead letters exclude it"
                    .to_owned(),
            );
        }
    }

    /// The retry that is known, or that the broker's own arguments show.
    fn retry(&mut self, known: Option<Map<String, Value>>, arguments: &mut Map<String, Value>) {
        let kind = arguments.remove("x-delayed-retry-type");
        let min = arguments.remove("x-delayed-retry-min");
        let max = arguments.remove("x-delayed-retry-max");
        let retry = match (known, kind.as_ref().and_then(Value::as_str)) {
            (Some(known), _) => known,
            (None, None) => return,
            (None, Some(kind)) => {
                if kind != "failed" {
                    self.notes.push(format!(
                        "its `x-delayed-retry-type: {kind}` becomes `failed`, which `native-delay` declares"
                    ));
                }
                let mut retry = Map::new();
                retry.insert("mode".to_owned(), json!("native-delay"));
                retry.extend(min.map(|min| ("initialDelayMs".to_owned(), min)));
                retry.extend(max.map(|max| ("maxDelayMs".to_owned(), max)));
                let limit = arguments.get("x-delivery-limit").and_then(Value::as_i64);
                let retries = limit.filter(|limit| (0..=1000).contains(limit));
                retry.extend(retries.map(|retries| ("maxRetries".to_owned(), json!(retries))));
                retry
            }
        };
        self.entry.insert("retry".to_owned(), Value::Object(retry));
    }

    /// A limit is only said where it is not what Warren declares by itself.
    fn delivery_limit(&mut self, arguments: &mut Map<String, Value>, quorum: bool) {
        let Some(limit) = arguments.get("x-delivery-limit").and_then(Value::as_i64) else { return };
        let retry = self.entry.get("retry");
        let mode = retry.and_then(|retry| retry["mode"].as_str()).unwrap_or("ttl-backoff");
        let assumed = match (self.entry.contains_key("deadLetter"), mode) {
            (false, _) => DELIVERIES_WITHOUT_END,
            (true, "quorum-native" | "native-delay") => {
                retry.and_then(|retry| retry["maxRetries"].as_i64()).unwrap_or(3)
            }
            (true, _) => DELIVERIES_MAX.into(),
        };
        arguments.remove("x-delivery-limit");
        if !quorum || limit != assumed {
            self.entry.insert("deliveryLimit".to_owned(), json!(limit));
        }
    }
}
