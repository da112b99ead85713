//! For the benchmark: reads an order into a type of its own, as most handlers do.

use warren_guest::{Failure, Result, handler};

#[derive(serde::Deserialize)]
struct Order {
    id: String,
    lines: Vec<Line>,
}

#[derive(serde::Deserialize)]
struct Line {
    sku: String,
    quantity: u32,
    price: f64,
}

fn take(order: Order) -> Result {
    let total: f64 = order.lines.iter().map(|line| f64::from(line.quantity) * line.price).sum();
    let is_sold = order.lines.iter().all(|line| !line.sku.is_empty());
    if order.id.is_empty() || !is_sold || total.is_nan() {
        return Err(Failure::permanent("an order that cannot be"));
    }
    Ok(())
}
handler!(take);
