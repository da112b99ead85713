//! What one call wants published: checked against the contract when the guest asks, kept until the host decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use crate::contract::Publisher;
use crate::message::{Headers, Properties, headers_json};
use crate::policy::history;

/// The most bytes of headers of one message: all properties have to fit into one AMQP frame of 128 KiB.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// The longest short string of AMQP, in bytes.
const SHORT_BYTES_MAX: usize = 255;

/// Which publishers a handler may use.
#[derive(Debug, Default)]
pub struct Grants {
    /// The ones it may, by name.
    pub granted: BTreeMap<String, Arc<Publisher>>,
    /// The names of all that the contract has.
    pub known: BTreeSet<String>,
}

/// A message that the guest wants published.
#[derive(Debug)]
pub struct Outgoing {
    /// Through which publisher.
    pub publisher: Arc<Publisher>,
    /// The routing key.
    pub routing_key: String,
    /// The properties that the guest set, and the message id.
    pub properties: Properties,
    /// The headers that the guest set.
    pub headers: Headers,
    /// The payload.
    pub body: Vec<u8>,
}

/// Why a message was not taken.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the contract has no publisher, event or command of this name")]
    UnknownPublisher,
    #[error("the contract does not list it under the consumer's `publishes`")]
    NotGranted,
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    #[error("one call may publish {0} messages")]
    TooMany(u32),
    #[error("one call may publish {0} bytes")]
    TooLarge(u32),
}

/// What a guest asks to publish, before it is checked.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) properties: Properties,
    pub(super) headers: Headers,
    pub(super) routing_key: Option<String>,
    pub(super) body: Vec<u8>,
}

/// How much one call may publish.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) messages: u32,
    pub(super) bytes: u32,
}

/// The messages of one call.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) messages: Vec<Outgoing>,
    /// The last message that was not taken, and why. Many guests trap over one, with a text that does not say so.
    pub(super) refused: Option<String>,
    bytes: u64,
}

impl Outbox {
    /// Takes a message, and gives it its id.
    pub(super) fn put(
        &mut self,
        grants: &Grants,
        bounds: Bounds,
        input_id: &str,
        publisher: &str,
        request: Request,
    ) -> Result<String, Refusal> {
        let taken = self.take(grants, bounds, input_id, publisher, request);
        if let Err(refusal) = &taken {
            self.refused = Some(format!("publishing through `{publisher}` was refused: {refusal}"));
        }
        taken
    }

    fn take(
        &mut self,
        grants: &Grants,
        bounds: Bounds,
        input_id: &str,
        publisher: &str,
        request: Request,
    ) -> Result<String, Refusal> {
        let Some(publisher) = grants.granted.get(publisher) else {
            let known = grants.known.contains(publisher);
            return Err(if known { Refusal::NotGranted } else { Refusal::UnknownPublisher });
        };
        if self.messages.len() >= bounds.messages as usize {
            return Err(Refusal::TooMany(bounds.messages));
        }
        self.bytes += request.body.len() as u64;
        if self.bytes > bounds.bytes.into() {
            return Err(Refusal::TooLarge(bounds.bytes));
        }
        let routing_key = check(publisher, &request).map_err(Refusal::Invalid)?;
        let id = derived_id(input_id, &publisher.name, self.messages.len());
        let mut properties = request.properties;
        properties.content_type.get_or_insert_with(|| publisher.message.content_type.clone());
        properties.message_type.get_or_insert_with(|| publisher.message.name.clone());
        properties.message_id = Some(id.clone());
        self.messages.push(Outgoing {
            publisher: Arc::clone(publisher),
            routing_key,
            properties,
            headers: request.headers,
            body: request.body,
        });
        Ok(id)
    }
}

/// The id of an output: the same whenever the same input is handled again, so that a duplicate can be told.
fn derived_id(input_id: &str, publisher: &str, ordinal: usize) -> String {
    let name = format!("warren:{input_id}\0{publisher}\0{ordinal}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}

fn check(publisher: &Publisher, request: &Request) -> Result<String, Vec<String>> {
    let routing_key = publisher.key_for(request.routing_key.as_deref()).map_err(|reason| vec![reason])?;
    let Properties { content_type, correlation_id, reply_to, message_type, .. } = &request.properties;
    for (name, value) in [
        ("content-type", content_type),
        ("correlation-id", correlation_id),
        ("reply-to", reply_to),
        ("message-type", message_type),
    ] {
        if value.as_ref().is_some_and(|value| value.len() > SHORT_BYTES_MAX) {
            return Err(vec![format!("{name} is longer than {SHORT_BYTES_MAX} bytes")]);
        }
    }
    // Published without a consumer for it, the broker closes the channel, with everything else that is in flight on it.
    if reply_to.as_deref() == Some("amq.rabbitmq.reply-to") {
        return Err(vec![
            "reply-to cannot be `amq.rabbitmq.reply-to`: nothing here takes the answer".to_owned(),
        ]);
    }
    // With `CC` and `BCC`, RabbitMQ would send a message past its publisher's own routing key.
    if let Some((name, _)) = request.headers.iter().find(|(name, _)| history::is_bookkeeping(name)) {
        return Err(vec![format!("the header `{name}` belongs to the broker or the host")]);
    }
    let header_bytes: usize = request.headers.iter().map(|(name, value)| name.len() + value.size()).sum();
    if header_bytes > HEADER_BYTES_MAX {
        return Err(vec![format!("headers are {header_bytes} bytes, {HEADER_BYTES_MAX} are allowed")]);
    }
    if let Some((name, _)) =
        request.headers.iter().find(|(name, _)| name.is_empty() || name.len() > SHORT_BYTES_MAX)
    {
        return Err(vec![format!(
            "a header name has {} bytes, 1 to {SHORT_BYTES_MAX} are allowed",
            name.len()
        )]);
    }
    let message = &publisher.message;
    message.check(&request.body, content_type.as_deref(), || headers_json(&request.headers))?;
    Ok(routing_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_has_the_same_id_whenever_its_input_is_handled() {
        let id = derived_id("m-1", "paid", 0);
        assert_eq!(id, derived_id("m-1", "paid", 0));
        for other in
            [derived_id("m-2", "paid", 0), derived_id("m-1", "paid", 1), derived_id("m-1", "sent", 0)]
        {
            assert_ne!(id, other);
        }
    }
}
