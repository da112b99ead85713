//! The orders that are published: what kinds there are, how many of each, and what they look like.
//!
//! The same in every run but for the name of the run: all randomness is seeded.

use serde_json::{Value, json};

/// What an order is made to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing goes wrong.
    Good,
    /// The contract refuses it.
    Invalid(Defect),
    /// The payment gateway is busy until the third attempt.
    Busy,
    /// The card is declined.
    Declined,
    /// The client of the payment gateway never returns.
    Hang,
    /// The client of the payment gateway panics.
    Crash,
    /// The goods are out of stock.
    Discontinued,
}

/// Why the contract refuses an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    NotJson,
    NegativeQuantity,
    NoUser,
    NoItems,
}

/// The share of each kind, in per cent, rounded up; the rest is good.
pub(crate) const SHARES: [(Kind, usize); 9] = [
    (Kind::Invalid(Defect::NotJson), 1),
    (Kind::Invalid(Defect::NegativeQuantity), 1),
    (Kind::Invalid(Defect::NoUser), 1),
    (Kind::Invalid(Defect::NoItems), 1),
    (Kind::Busy, 4),
    (Kind::Declined, 2),
    (Kind::Hang, 1),
    (Kind::Crash, 1),
    (Kind::Discontinued, 1),
];

/// What the shop sells, with its price in cents.
const CATALOGUE: [(&str, u64); 10] = [
    ("prod-coffee-beans-1kg", 1_890),
    ("prod-espresso-cup", 790),
    ("prod-french-press", 3_450),
    ("prod-grinder-manual", 6_900),
    ("prod-grinder-electric", 15_900),
    ("prod-kettle-gooseneck", 5_490),
    ("prod-milk-jug", 1_650),
    ("prod-paper-filters-100", 420),
    ("prod-scale", 2_990),
    ("prod-tea-assortment", 1_290),
];

/// The kind of each order, the bad ones spread among the good.
pub(crate) fn mix(orders: usize) -> Vec<Kind> {
    let bad = SHARES
        .iter()
        .flat_map(|(kind, percent)| std::iter::repeat_n(*kind, (orders * percent).div_ceil(100)));
    let mut kinds: Vec<Kind> = bad.take(orders).collect();
    kinds.resize(orders, Kind::Good);
    fastrand::Rng::with_seed(1).shuffle(&mut kinds);
    kinds
}

/// One line of JSON for each order; invalid ones are as far from it as their defect says.
pub(crate) fn lines(run: &str, kinds: &[Kind]) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(2);
    kinds.iter().enumerate().map(|(index, kind)| line(run, index + 1, *kind, &mut random)).collect()
}

fn line(run: &str, number: usize, kind: Kind, random: &mut fastrand::Rng) -> String {
    let mut order = order(&format!("{run}-{number}"), number, token(kind), random);
    match kind {
        Kind::Good | Kind::Busy | Kind::Declined | Kind::Hang | Kind::Crash => {}
        Kind::Discontinued => order["items"][0]["productId"] = json!("prod-discontinued"),
        Kind::Invalid(Defect::NegativeQuantity) => order["items"][0]["quantity"] = json!(-1),
        Kind::Invalid(Defect::NoItems) => order["items"] = json!([]),
        Kind::Invalid(Defect::NoUser) => {
            order.as_object_mut().map(|order| order.remove("userId"));
        }
        Kind::Invalid(Defect::NotJson) => {
            let mut text = order.to_string();
            text.truncate(text.floor_char_boundary(text.len() / 2));
            return text;
        }
    }
    order.to_string()
}

/// What the made-up payment provider takes for a card.
fn token(kind: Kind) -> &'static str {
    match kind {
        Kind::Good | Kind::Invalid(_) | Kind::Discontinued => "tok_ok",
        Kind::Busy => "tok_busy",
        Kind::Declined => "tok_declined",
        Kind::Hang => "tok_hang",
        Kind::Crash => "tok_crash",
    }
}

fn order(id: &str, number: usize, token: &str, random: &mut fastrand::Rng) -> Value {
    let mut products = CATALOGUE;
    random.shuffle(&mut products);
    let mut total_cents = 0;
    let items: Vec<Value> = products[..random.usize(1..=4)]
        .iter()
        .map(|(product, price_cents)| {
            let quantity = random.u64(1..=3);
            total_cents += quantity * price_cents;
            json!({ "productId": product, "quantity": quantity, "priceCents": price_cents })
        })
        .collect();
    let (hour, minute, second) = (8 + number / 3600 % 12, number / 60 % 60, number % 60);
    json!({
        "id": id,
        "userId": format!("usr-{:05}", random.u32(..100_000)),
        "items": items,
        "totalCents": total_cents,
        "currency": random.choice(["EUR", "EUR", "USD", "GBP"]),
        "payment": { "method": "card", "token": token },
        "createdAt": format!("2026-03-02T{hour:02}:{minute:02}:{second:02}Z"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_orders_have_the_shares_that_are_stated() {
        let kinds = mix(1000);
        for (kind, percent) in SHARES {
            assert_eq!(kinds.iter().filter(|found| **found == kind).count(), percent * 10, "{kind:?}");
        }
        assert_eq!(kinds.len(), 1000);
    }

    #[test]
    fn few_orders_are_as_many_as_asked_for() {
        for orders in 1..30 {
            assert_eq!(mix(orders).len(), orders);
        }
    }

    #[test]
    fn an_order_adds_up() {
        let lines = lines("run", &[Kind::Good; 20]);
        for line in lines {
            let order: Value = serde_json::from_str(&line).unwrap();
            let sum: u64 = order["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["quantity"].as_u64().unwrap() * item["priceCents"].as_u64().unwrap())
                .sum();
            assert_eq!(order["totalCents"], sum);
        }
    }

    #[test]
    fn half_an_order_is_not_json() {
        let lines = lines("run", &[Kind::Invalid(Defect::NotJson)]);
        assert!(serde_json::from_str::<Value>(&lines[0]).is_err());
        assert!(!lines[0].is_empty());
    }
}
