//! `takePayment`: charges an order to its card, and says so.
//!
//! Keeps nothing, not even a count of its attempts: the message brings that with it. The message's id goes to the
//! gateway as idempotency key, so the customer pays once, however often the message is handled.

use serde::Deserialize;
use warren_guest::{Failure, Message, Result, debug, handler, json, publish};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Charge {
    order_id: String,
    user_id: String,
    amount_cents: u64,
    currency: String,
    token: String,
}

fn take(charge: Charge, message: &Message) -> Result {
    gateway(&charge, &message.message_id, message.attempt)?;
    publish(
        "paymentSettled",
        &json!({
            "type": "paymentSettled",
            "orderId": charge.order_id,
            "userId": charge.user_id,
            "amountCents": charge.amount_cents,
            "currency": charge.currency,
            "attempts": message.attempt,
        }),
    )?;
    Ok(())
}
handler!(take);

/// The client of a payment provider that is made up. As with real ones, test tokens say what it is to do.
fn gateway(charge: &Charge, idempotency_key: &str, attempt: u32) -> Result {
    debug!("charging {} cents", charge.amount_cents; "idempotencyKey" => idempotency_key);
    match charge.token.as_str() {
        "tok_ok" => Ok(()),
        "tok_busy" if attempt >= 3 => Ok(()),
        "tok_busy" => Err(Failure::transient("the gateway is busy")),
        "tok_declined" => Err(Failure::permanent("the card was declined")),
        "tok_hang" => loop {
            std::hint::spin_loop(); // waits for an answer that never comes
        },
        "tok_crash" => panic!("the gateway's answer makes no sense"),
        token => Err(Failure::permanent(format_args!("the gateway does not know the token `{token}`"))),
    }
}
