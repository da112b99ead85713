//! Publishes through `echoed` everything in the message it was given, the body as text if it is UTF-8 and as
//! numbers if not.

use std::collections::BTreeMap;

use behaviours::Header;
use warren_guest::{Failure, Message, Raw, Result, handler, json, publish, serde_json::Value};

fn report(Raw(body): Raw, message: &Message) -> Result {
    let mut headers = BTreeMap::new();
    for (name, value) in &message.headers {
        if headers.insert(name, Header::from(value.clone())).is_some() {
            return Err(Failure::permanent(format_args!("header `{name}` occurs twice")));
        }
    }
    let report = json!({
        "body": String::from_utf8(body).map_or_else(|raw| Value::from(raw.into_bytes()), Value::from),
        "contentType": message.content_type,
        "headers": headers,
        "exchange": message.exchange,
        "routingKey": message.routing_key,
        "queue": message.queue,
        "consumer": message.consumer,
        "messageId": message.message_id,
        "correlationId": message.correlation_id,
        "causationId": message.causation_id,
        "replyTo": message.reply_to,
        "messageType": message.message_type,
        "appId": message.app_id,
        "priority": message.priority,
        "timestamp": message.timestamp,
        "attempt": message.attempt,
        "maxAttempts": message.max_attempts,
        "redelivered": message.redelivered,
        "deadlineMs": message.deadline_ms,
    });
    publish("echoed", &report)?;
    Ok(())
}
handler!(report);
