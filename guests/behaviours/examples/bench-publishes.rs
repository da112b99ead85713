//! For the benchmark: publishes that an order was accepted, by the id of its message.

use warren_guest::{Message, Raw, Result, handler, json, publish};

fn accept(_: Raw, message: &Message) -> Result {
    publish("orderAccepted", &json!({ "order": message.message_id }))?;
    Ok(())
}
handler!(accept);
