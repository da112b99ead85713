//! Publishing: the short way, the way with options, and what a refusal means for the handler.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::{Failure, HeaderValue, OrFail, Outgoing, PublishError, Result, host, millis};

/// Publishes `payload` as JSON through a publisher, event or command of the contract, and returns the message
/// id it will have.
///
/// It goes into the outbox of this call: the host sends it when the handler has returned `Ok`, and drops it
/// otherwise. For headers, a routing key and the like, see [`Outgoing`]'s methods.
///
/// # Errors
///
/// A permanent failure if the payload cannot be written as JSON, or if the host refuses the message; the text
/// says why, and what to change in the contract.
pub fn publish<T: Serialize + ?Sized>(publisher: &str, payload: &T) -> Result<String> {
    Outgoing::json(payload)?.publish(publisher)
}

/// ```no_run
/// use std::time::Duration;
/// use warren_guest::{Outgoing, Result, json};
///
/// fn remind() -> Result<String> {
///     Outgoing::json(&json!({ "orderId": "o-1" }))?
///         .routing_key("reminder.email")
///         .header("tenant", "acme")
///         .expiration(Duration::from_secs(60))
///         .publish("reminder")
/// }
/// ```
impl Outgoing {
    /// A message with `payload` as its JSON body.
    ///
    /// # Errors
    ///
    /// A permanent failure if the payload cannot be written as JSON, for instance a map whose keys are not
    /// text.
    pub fn json<T: Serialize + ?Sized>(payload: &T) -> Result<Self> {
        let body =
            serde_json::to_vec(payload).or_permanent("the payload to publish cannot be written as JSON")?;
        Ok(Self::raw(body))
    }

    /// A message with these bytes as its body.
    pub fn raw(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// The MIME type of the body; the one of the publisher's message in the contract if not set.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Adds a header, or replaces the one of this name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<HeaderValue>) -> Self {
        let name = name.into();
        self.headers.retain(|(present, _)| *present != name);
        self.headers.push((name, value.into()));
        self
    }

    /// The routing key, instead of the publisher's own.
    pub fn routing_key(mut self, routing_key: impl Into<String>) -> Self {
        self.routing_key = Some(routing_key.into());
        self
    }

    /// The correlation id, instead of the one of the message being handled.
    pub fn correlation_id(mut self, correlation_id: impl Into<String>) -> Self {
        self.correlation_id = Some(correlation_id.into());
        self
    }

    /// The AMQP `type` property: the name of the kind of message.
    pub fn message_type(mut self, message_type: impl Into<String>) -> Self {
        self.message_type = Some(message_type.into());
        self
    }

    /// Where an answer is expected.
    pub fn reply_to(mut self, reply_to: impl Into<String>) -> Self {
        self.reply_to = Some(reply_to.into());
        self
    }

    /// How long the message may wait in a queue before it may be discarded or dead-lettered (rounded up to a
    /// millisecond, at most 49 days).
    pub fn expiration(mut self, expiration: Duration) -> Self {
        self.expiration_ms = Some(millis(expiration));
        self
    }

    /// The AMQP `priority` property.
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Publishes the message through a publisher, event or command of the contract, and returns the message
    /// id it will have.
    ///
    /// # Errors
    ///
    /// A permanent failure if the host refuses the message; the text says why, and what to change in the
    /// contract.
    pub fn publish(&self, publisher: &str) -> Result<String> {
        self.try_publish(publisher).map_err(|error| refused(publisher, &error))
    }

    /// As [`publish`](Self::publish), for a handler that has something else to do when the host refuses.
    ///
    /// # Errors
    ///
    /// Why the host refuses the message.
    pub fn try_publish(&self, publisher: &str) -> core::result::Result<String, PublishError> {
        host::publish(publisher, self)
    }
}

/// Why the host refused, and what to do about it. Another attempt would be refused too, so it is permanent.
fn refused(publisher: &str, error: &PublishError) -> Failure {
    let with = |text: fmt::Arguments<'_>| Failure::permanent(format_args!("publisher `{publisher}` {text}"));
    match error {
        PublishError::UnknownPublisher => with(format_args!(
            "is not in the contract; hint: add it to `publishers`, `events` or `commands`, or correct the name"
        )),
        PublishError::NotGranted => with(format_args!(
            "is not granted to this consumer; hint: add it to the consumer's `publishes` in the contract"
        )),
        PublishError::Invalid(reasons) => {
            with(format_args!("refuses a message that does not satisfy the contract: {}", reasons.join("; ")))
        }
        PublishError::TooMany(limit) => {
            with(format_args!("refuses more than {limit} messages from one call"))
        }
        PublishError::TooLarge(limit) => {
            with(format_args!("refuses more than {limit} bytes, in one message or from one call"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_refusal_says_what_to_change_in_the_contract() {
        let text = |error| match refused("x", &error) {
            Failure::Permanent(text) => text,
            other => panic!("{other}"),
        };
        assert!(
            text(PublishError::UnknownPublisher)
                .starts_with("publisher `x` is not in the contract; hint: add it")
        );
        assert!(
            text(PublishError::NotGranted).ends_with("add it to the consumer's `publishes` in the contract")
        );
        let invalid =
            text(PublishError::Invalid(vec!["`a` is required".into(), "`b` is not a number".into()]));
        assert!(invalid.ends_with(": `a` is required; `b` is not a number"), "{invalid}");
        assert!(text(PublishError::TooMany(100)).contains("more than 100 messages"));
        assert!(text(PublishError::TooLarge(1 << 20)).contains("more than 1048576 bytes"));
    }

    #[test]
    fn options_are_set_only_when_asked_for() {
        let plain = Outgoing::json(&[1]).unwrap();
        assert_eq!(plain, Outgoing { body: b"[1]".to_vec(), ..Outgoing::default() });
        let full = plain
            .routing_key("k")
            .header("h", "old")
            .header("h", 1)
            .expiration(Duration::from_millis(1500))
            .priority(3)
            .correlation_id("c")
            .message_type("t")
            .reply_to("r")
            .content_type("text/plain");
        assert_eq!(full.headers, [("h".to_owned(), HeaderValue::Integer(1))]);
        assert_eq!((full.routing_key.as_deref(), full.correlation_id.as_deref()), (Some("k"), Some("c")));
        assert_eq!((full.message_type.as_deref(), full.reply_to.as_deref()), (Some("t"), Some("r")));
        assert_eq!(
            (full.expiration_ms, full.priority, full.content_type.as_deref()),
            (Some(1500), Some(3), Some("text/plain"))
        );
    }

    #[test]
    fn what_is_not_json_is_a_permanent_failure() {
        let failure = Outgoing::json(&BTreeMap::from([([1u8], 1)])).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "permanent: the payload to publish cannot be written as JSON: key must be a string"
        );
    }
}
