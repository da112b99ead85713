//! Publishes `body` `count` times through `publisher`; succeeds only if all of it was taken.
//!
//! `{"count": 2, "publisher": "echoed", "body": {}}`, and any of `routingKey`, `contentType`, `correlationId`,
//! `messageType`, `replyTo`, `expirationMs`, `priority` and `headers`, as `{"x": {"text": "v"}}`.

use std::collections::BTreeMap;

use behaviours::Header;
use warren_guest::{Outgoing, Result, handler, serde_json::Value};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    count: u32,
    publisher: String,
    body: Value,
    content_type: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Header>,
    routing_key: Option<String>,
    correlation_id: Option<String>,
    message_type: Option<String>,
    reply_to: Option<String>,
    expiration_ms: Option<u32>,
    priority: Option<u8>,
}

fn publish(order: Order) -> Result {
    let message = Outgoing {
        content_type: order.content_type,
        headers: order.headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
        routing_key: order.routing_key,
        correlation_id: order.correlation_id,
        message_type: order.message_type,
        reply_to: order.reply_to,
        expiration_ms: order.expiration_ms,
        priority: order.priority,
        ..Outgoing::json(&order.body)?
    };
    for _ in 0..order.count {
        message.publish(&order.publisher)?;
    }
    Ok(())
}
handler!(publish);
