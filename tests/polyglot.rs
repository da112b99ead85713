//! `examples/orders-polyglot`: one order system, each handler in another language, every order accounted for.
//!
//! Its components are built by `examples/orders-polyglot/build`. Where one is missing, the test is skipped, and says so;
//! with `WARREN_TEST_LANGUAGES=required` that is an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::broker::Vhost;
use crate::support::host::Project;
use crate::support::letter::{Got, Letter};

/// How long the host may take to compile the components, where nothing is cached and other tests run beside.
const COMPILING: Duration = Duration::from_secs(300);

/// What an order is made to do, and what has to come of it.
struct Kind {
    name: &'static str,
    /// How many of them.
    orders: usize,
    token: &'static str,
    product: &'static str,
    price_cents: u64,
    quantity: i64,
    endings: &'static [&'static str],
}

const GOOD: Kind = Kind {
    name: "good",
    orders: 150,
    token: "tok_ok",
    product: "prod-kettle",
    price_cents: 1_890,
    quantity: 2,
    endings: &["inventoryReserved", "paymentSettled at 1", "told inventoryReserved", "told paymentSettled"],
};

const KINDS: [Kind; 9] = [
    GOOD,
    Kind {
        name: "busy",
        orders: 10,
        token: "tok_busy",
        endings: &[
            "inventoryReserved",
            "paymentSettled at 3",
            "told inventoryReserved",
            "told paymentSettled",
        ],
        ..GOOD
    },
    Kind {
        name: "invalid",
        orders: 5,
        quantity: -1,
        endings: &["acceptOrder: invalid at 1", "reserveInventory: invalid at 1"],
        ..GOOD
    },
    Kind {
        name: "declined",
        orders: 5,
        token: "tok_declined",
        endings: &["inventoryReserved", "takePayment: permanent at 1", "told inventoryReserved"],
        ..GOOD
    },
    Kind {
        name: "hang",
        orders: 2,
        token: "tok_hang",
        endings: &["inventoryReserved", "takePayment: deadline at 4", "told inventoryReserved"],
        ..GOOD
    },
    Kind {
        name: "crash",
        orders: 2,
        token: "tok_crash",
        endings: &["inventoryReserved", "takePayment: trap at 4", "told inventoryReserved"],
        ..GOOD
    },
    Kind {
        name: "stolen",
        orders: 3,
        token: "tok_stolen",
        endings: &["assessRisk: unauthorized at 1", "inventoryReserved", "told inventoryReserved"],
        ..GOOD
    },
    Kind {
        name: "expensive",
        orders: 3,
        price_cents: 500_000,
        endings: &["assessRisk: unauthorized at 1", "inventoryReserved", "told inventoryReserved"],
        ..GOOD
    },
    Kind {
        name: "discontinued",
        orders: 3,
        product: "prod-discontinued",
        endings: &["paymentSettled at 1", "reserveInventory: permanent at 1", "told paymentSettled"],
        ..GOOD
    },
];

impl Kind {
    fn letter(&self, id: &str) -> Letter {
        let quantity = self.quantity;
        let order = json!({
            "id": id, "userId": "usr-ünïcode-🐇", "currency": "EUR", "createdAt": "2026-03-02T08:00:00Z",
            "totalCents": self.price_cents * quantity.unsigned_abs(),
            "items": [{ "productId": self.product, "quantity": quantity, "priceCents": self.price_cents }],
            "payment": { "method": "card", "token": self.token },
        });
        Letter::json(id, &order)
    }
}

#[test]
fn every_order_is_accounted_for_with_each_handler_in_another_language() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/orders-polyglot");
    let example = example.canonicalize().expect("the example");
    if !is_built(&example) {
        return;
    }
    let contract = std::fs::read_to_string(example.join("contract.yaml")).expect("its contract");
    let contract = contract
        .replace("handlers/", &format!("{}/", example.join("handlers").display()))
        .replace("../orders/schemas", "schemas")
        // On a busy machine those of the example can be short.
        .replace("deadlineMs: 1000", "deadlineMs: 60000")
        .replace("deadlineMs: 500", "deadlineMs: 3000");

    let vhost = Vhost::fresh("polyglot");
    let project = Project::new(&contract);
    std::os::unix::fs::symlink(example.join("../orders/schemas"), project.path("schemas")).expect("a link");
    let host = project.launch(&vhost.url(), &[]);
    host.until_ready_within(1, COMPILING);
    let orders =
        KINDS.iter().flat_map(|kind| (0..kind.orders).map(move |n| (format!("{}-{n}", kind.name), kind)));
    let orders: Vec<(String, &Kind)> = orders.collect();
    vhost.client.publish_all(
        "shop",
        "order.created",
        orders.iter().map(|(id, kind)| kind.letter(id)).collect(),
    );

    let endings = orders.iter().flat_map(|(_, kind)| kind.endings);
    let (deaths, news): (Vec<&str>, Vec<&str>) = endings.partition(|ending| ending.contains(": "));
    let dead = vhost.client.take("shop-dead-letters", deaths.len());
    let told = vhost.client.take("shop-audit-log", news.len());
    host.finish();

    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (order, ending) in dead.iter().map(dead_letter).chain(told.iter().map(notice)) {
        found.entry(order).or_default().push(ending);
    }
    for endings in found.values_mut() {
        endings.sort();
    }
    let expected = |kind: &Kind| kind.endings.iter().map(|ending| (*ending).to_owned()).collect();
    let expected: BTreeMap<String, Vec<String>> =
        orders.iter().map(|(id, kind)| (id.clone(), expected(kind))).collect();
    assert_eq!(found, expected);
    assert_eq!(vhost.leftovers(), [].into());
}

/// Who gave up on which order, why, and when.
fn dead_letter(got: &Got) -> (String, String) {
    let body = got.json();
    let id = body["orderId"].as_str().or(body["id"].as_str()).expect("an order's id");
    let (consumer, class) = (got.text("x-warren-consumer"), got.text("x-warren-class"));
    (id.to_owned(), format!("{consumer}: {class} at {}", got.integer("x-warren-attempts")))
}

/// What was told of which order.
fn notice(got: &Got) -> (String, String) {
    let body = got.json();
    let text = |name: &str| body[name].as_str().expect("a text").to_owned();
    let ending = match (&body["about"], &body["attempts"]) {
        (Value::String(about), _) => format!("told {about}"),
        (_, Value::Number(attempts)) => format!("{} at {attempts}", text("type")),
        _ => text("type"),
    };
    assert_eq!(text("userId"), "usr-ünïcode-🐇");
    (text("orderId"), ending)
}

/// Whether every component is there.
fn is_built(example: &Path) -> bool {
    let component = |name: &str| -> PathBuf { example.join(format!("handlers/{name}.wasm")) };
    let missing: Vec<&str> = ["orders", "risk", "payments", "inventory", "notifications"]
        .into_iter()
        .filter(|name| !component(name).exists())
        .collect();
    if missing.is_empty() {
        return true;
    }
    let said = format!("{} not built; hint: examples/orders-polyglot/build", missing.join(", "));
    let required = std::env::var("WARREN_TEST_LANGUAGES").is_ok_and(|languages| languages == "required");
    assert!(!required, "{said}");
    eprintln!("skipped: {said}");
    false
}
