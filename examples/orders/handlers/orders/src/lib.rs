//! `acceptOrder`: an order was placed, so it has to be paid.
//!
//! Keeps nothing: what it publishes gets an id derived from the id of the order's message. Should the host go down
//! after publishing and before acknowledging, the payment is asked for twice, under the same id, and whoever takes
//! payments can tell.

use serde::Deserialize;
use warren_guest::{Result, debug, handler, json, publish};

/// What this handler reads of an order. The contract has checked all of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    id: String,
    user_id: String,
    total_cents: u64,
    currency: String,
    payment: Payment,
}

#[derive(Deserialize)]
struct Payment {
    token: String,
}

fn accept(order: Order) -> Result {
    publish(
        "processPayment",
        &json!({
            "orderId": order.id,
            "userId": order.user_id,
            "amountCents": order.total_cents,
            "currency": order.currency,
            "token": order.payment.token,
        }),
    )?;
    debug!("order accepted"; "orderId" => order.id);
    Ok(())
}
handler!(accept);
