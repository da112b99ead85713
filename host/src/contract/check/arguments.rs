//! What a queue's keys and its raw `arguments` say together. Arguments that have a key of their own are read as that
//! key, so that nothing is checked less because it was written as AMQP writes it.

use serde_json::Value;

use super::super::problem::{Problem, brief};
use super::super::raw::{self, Overflow};
use super::super::source::join;
use super::Checker;

/// The typed keys of a queue, wherever they were written.
#[derive(Debug, Default)]
pub(super) struct Typed {
    pub(super) message_ttl_ms: Option<i64>,
    pub(super) expires_ms: Option<i64>,
    pub(super) max_length: Option<i64>,
    pub(super) max_length_bytes: Option<i64>,
    pub(super) max_priority: Option<i64>,
    pub(super) delivery_limit: Option<i64>,
    pub(super) overflow: Option<Overflow>,
    pub(super) single_active_consumer: bool,
    /// Keys that were written as arguments.
    as_arguments: Vec<(&'static str, &'static str)>,
}

/// Arguments with a number, their key, and the numbers that the broker takes.
const NUMBERS: [(&str, &str, i64, i64); 6] = [
    ("x-message-ttl", "messageTtlMs", 0, 4_294_967_295),
    ("x-expires", "expiresMs", 1, 4_294_967_295),
    ("x-max-length", "maxLength", 0, i64::MAX),
    ("x-max-length-bytes", "maxLengthBytes", 0, i64::MAX),
    ("x-max-priority", "maxPriority", 1, 255),
    ("x-delivery-limit", "deliveryLimit", 0, i64::MAX),
];

/// Arguments that are written as keys only, with the key and the reason.
const KEYS_ONLY: [(&str, &str, &str); 7] = [
    ("x-queue-type", "type: ...", "what a queue can do depends on it"),
    (
        "x-dead-letter-exchange",
        "deadLetter: { exchange: ... }",
        "as an argument, nobody would check that dead letters arrive",
    ),
    (
        "x-dead-letter-routing-key",
        "deadLetter: { routingKey: ... }",
        "as an argument, nobody would check that dead letters arrive",
    ),
    (
        "x-dead-letter-strategy",
        "",
        "it is at-least-once wherever the queue can do it: less would lose dead letters",
    ),
    ("x-delayed-retry-type", "retry: { mode: native-delay }", "the host has to know who counts attempts"),
    ("x-delayed-retry-min", "retry: { initialDelayMs: ... }", "the host has to know who counts attempts"),
    ("x-delayed-retry-max", "retry: { maxDelayMs: ... }", "the host has to know who counts attempts"),
];

impl Typed {
    /// Where a key was written.
    pub(super) fn place(&self, at: &str, key: &str) -> String {
        match self.as_arguments.iter().find(|(typed, _)| *typed == key) {
            Some((_, argument)) => join(&join(at, "arguments"), argument),
            None => join(at, key),
        }
    }
}

impl Checker<'_> {
    pub(super) fn typed(&mut self, at: &str, raw: &raw::Queue) -> Typed {
        let mut typed = Typed {
            message_ttl_ms: raw.message_ttl_ms,
            expires_ms: raw.expires_ms,
            max_length: raw.max_length,
            max_length_bytes: raw.max_length_bytes,
            max_priority: raw.max_priority,
            delivery_limit: raw.delivery_limit,
            overflow: raw.overflow,
            single_active_consumer: raw.single_active_consumer,
            as_arguments: Vec::new(),
        };
        for (name, value) in &raw.arguments {
            let at = join(&join(at, "arguments"), name);
            self.argument(&at, name, value, &mut typed);
        }
        typed
    }

    fn argument(&mut self, at: &str, name: &str, value: &Value, typed: &mut Typed) {
        if let Some((argument, key, min, max)) = NUMBERS.into_iter().find(|(argument, ..)| *argument == name)
        {
            match value.as_i64().filter(|number| (min..=max).contains(number)) {
                Some(number) => self.number(at, argument, key, number, typed),
                None => self.refuse(
                    Problem::at(
                        at,
                        format!(
                            "`{name}` is a whole number from {min}, and `{}` is none",
                            brief(&value.to_string())
                        ),
                    )
                    .because("the broker would refuse the queue")
                    .hint(format!("`{key}` says the same")),
                ),
            }
            return;
        }
        if let Some((_, instead, because)) = KEYS_ONLY.into_iter().find(|(argument, ..)| *argument == name) {
            self.refuse(
                Problem::at(at, format!("`{name}` is not written as an argument"))
                    .on_key()
                    .because(because)
                    .hint(match instead {
                        "" => "leave it out".to_owned(),
                        instead => format!("write `{instead}`"),
                    }),
            );
            return;
        }
        match (name, value) {
            ("x-overflow", value) => self.overflow_argument(at, value, typed),
            ("x-single-active-consumer", Value::Bool(value)) => {
                typed.single_active_consumer |= value;
                typed.as_arguments.push(("singleActiveConsumer", "x-single-active-consumer"));
            }
            ("x-single-active-consumer", _) => {
                let hint = "`singleActiveConsumer: true` says the same";
                self.refuse(Problem::at(at, "`x-single-active-consumer` is true or false").hint(hint));
            }
            ("x-queue-mode" | "x-ha-policy" | "x-queue-master-locator", _) => self.refuse(
                Problem::at(at, format!("`{name}` is gone: RabbitMQ 4 refuses or ignores it"))
                    .on_key()
                    .hint("leave it out"),
            ),
            ("x-queue-version", value) if value.as_i64() != Some(2) => self.refuse(
                Problem::at(at, "RabbitMQ 4.3 refuses this `x-queue-version`").hint("leave it out, or say 2"),
            ),
            _ => {}
        }
    }

    fn number(
        &mut self,
        at: &str,
        argument: &'static str,
        key: &'static str,
        number: i64,
        typed: &mut Typed,
    ) {
        let slot = match key {
            "messageTtlMs" => &mut typed.message_ttl_ms,
            "expiresMs" => &mut typed.expires_ms,
            "maxLength" => &mut typed.max_length,
            "maxLengthBytes" => &mut typed.max_length_bytes,
            "maxPriority" => &mut typed.max_priority,
            _ => &mut typed.delivery_limit,
        };
        if slot.is_some() {
            let says = format!("`{argument}` and `{key}` say the same thing twice");
            self.refuse(Problem::at(at, says).on_key().hint("leave one of them out"));
            return;
        }
        *slot = Some(number);
        typed.as_arguments.push((key, argument));
    }

    fn overflow_argument(&mut self, at: &str, value: &Value, typed: &mut Typed) {
        let overflow = match value.as_str() {
            Some("drop-head") => Overflow::DropHead,
            Some("reject-publish") => Overflow::RejectPublish,
            Some("reject-publish-dlx") => Overflow::RejectPublishDlx,
            _ => {
                let known = ["drop-head", "reject-publish", "reject-publish-dlx"];
                let written = value.as_str().unwrap_or_default();
                let shown = if value.is_string() { brief(written) } else { brief(&value.to_string()) };
                let problem = Problem::at(at, format!("`{shown}` is not a value of `x-overflow`"));
                self.refuse(problem.suggest(written, known));
                return;
            }
        };
        if typed.overflow.is_some() {
            let says = "`x-overflow` and `overflow` say the same thing twice";
            self.refuse(Problem::at(at, says).on_key().hint("leave one of them out"));
            return;
        }
        typed.overflow = Some(overflow);
        typed.as_arguments.push(("overflow", "x-overflow"));
    }
}
