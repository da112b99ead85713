//! What a message and its headers can be asked. The fields themselves are public, and come from
//! `wit/handler.wit`.

use std::time::Duration;

use crate::{HeaderValue, Message, Payload, Result};

impl Message {
    /// The value of the header of this name; names are case-sensitive.
    pub fn header(&self, name: &str) -> Option<&HeaderValue> {
        self.headers.iter().find(|(present, _)| present == name).map(|(_, value)| value)
    }

    /// Whether a failure of this attempt is final.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }

    /// How long this call may take before the host stops it.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms.into())
    }

    /// Reads the body as another type than the handler's payload, for instance one that depends on
    /// `message_type`.
    ///
    /// # Errors
    ///
    /// A permanent failure that says what does not fit, and where.
    pub fn payload<P: Payload>(&self) -> Result<P> {
        P::decode(self)
    }
}

/// An empty first and only attempt, for tests: `Message { body: b"{}".to_vec(), ..Message::default() }`.
impl Default for Message {
    fn default() -> Self {
        Self {
            body: Vec::new(),
            content_type: None,
            headers: Vec::new(),
            exchange: String::new(),
            routing_key: String::new(),
            queue: String::new(),
            consumer: String::new(),
            message_id: String::new(),
            correlation_id: None,
            causation_id: None,
            reply_to: None,
            message_type: None,
            app_id: None,
            priority: None,
            timestamp: None,
            attempt: 1,
            max_attempts: 1,
            redelivered: false,
            deadline_ms: 5000,
        }
    }
}

impl HeaderValue {
    /// The text, if it is [`HeaderValue::Text`].
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is [`HeaderValue::Integer`].
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The number, if it is [`HeaderValue::Float`] or [`HeaderValue::Integer`].
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            Self::Integer(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// The truth value, if it is [`HeaderValue::Boolean`].
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(truth) = self { Some(*truth) } else { None }
    }
}

impl From<&str> for HeaderValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for HeaderValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for HeaderValue {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

impl From<i32> for HeaderValue {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<u32> for HeaderValue {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i64> for HeaderValue {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for HeaderValue {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<Vec<u8>> for HeaderValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_by_their_exact_name() {
        let headers = vec![("tenant".to_owned(), "acme".into()), ("Tenant".to_owned(), 7.into())];
        let message = Message { headers, ..Message::default() };
        assert_eq!(message.header("tenant").and_then(HeaderValue::as_str), Some("acme"));
        assert_eq!(message.header("Tenant").and_then(HeaderValue::as_i64), Some(7));
        assert_eq!(message.header("TENANT"), None);
    }

    #[test]
    fn the_last_attempt_is_the_one_that_reaches_the_bound() {
        let message = |attempt| Message { attempt, max_attempts: 3, ..Message::default() };
        assert!(!message(2).is_last_attempt());
        assert!(message(3).is_last_attempt());
        assert!(message(4).is_last_attempt());
    }
}
