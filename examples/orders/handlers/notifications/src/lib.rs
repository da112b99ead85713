//! `notifyCustomer`: tells the customer, and tells the rest of the company that it did.
//!
//! Keeps nothing. The mail that a real one sends would carry the message's id, so that a second one is not delivered.

use serde::Deserialize;
use warren_guest::{Result, handler, json, publish};

/// Both events of the exchange `notifications`; their `type` tells them apart.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Notice {
    PaymentSettled { order_id: String, user_id: String, amount_cents: u64, currency: String },
    InventoryReserved { order_id: String, user_id: String, items: Vec<Item> },
}

#[derive(Deserialize)]
struct Item {
    quantity: u64,
}

fn notify(notice: Notice) -> Result {
    let (about, order_id, user_id, text) = match notice {
        Notice::PaymentSettled { order_id, user_id, amount_cents, currency } => {
            let amount = format!("{}.{:02} {currency}", amount_cents / 100, amount_cents % 100);
            ("paymentSettled", order_id, user_id, format!("We received your payment of {amount}."))
        }
        Notice::InventoryReserved { order_id, user_id, items } => {
            let pieces: u64 = items.iter().map(|item| item.quantity).sum();
            ("inventoryReserved", order_id, user_id, format!("{pieces} pieces are put aside for you."))
        }
    };
    publish(
        "customerNotified",
        &json!({ "orderId": order_id, "userId": user_id, "about": about, "text": text }),
    )?;
    Ok(())
}
handler!(notify);
