//! `reserveInventory`: an order was placed, so its goods are put aside.
//!
//! Keeps nothing. The stock of this example has no end, except that of one product; a real one would be asked here,
//! with the message's id as the key of the reservation, so that goods are reserved once.

use serde::{Deserialize, Serialize};
use warren_guest::{Failure, Result, handler, json, publish};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    id: String,
    user_id: String,
    items: Vec<Item>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    product_id: String,
    quantity: u32,
}

fn reserve(order: Order) -> Result {
    if let Some(item) = order.items.iter().find(|item| item.product_id == "prod-discontinued") {
        return Err(Failure::permanent(format_args!("out of stock: {}", item.product_id)));
    }
    publish(
        "inventoryReserved",
        &json!({
            "type": "inventoryReserved",
            "orderId": order.id,
            "userId": order.user_id,
            "items": order.items,
        }),
    )?;
    Ok(())
}
handler!(reserve);
