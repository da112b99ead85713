//! The same handler in each guest language: its template, which reads an order, logs a line and publishes one message.

use anyhow::Result;
use serde_json::json;

use super::throughput::{Case, compare};
use crate::bench::Bench;
use crate::measure::{Body, Task};
use crate::results::Results;
use crate::sides::contract::Contract;
use crate::sides::{Isolation, Side, Warren};
use crate::titles::LANGUAGES;

/// Where `make languages` puts the template of each.
const TEMPLATES: [(&str, &str); 6] = [
    ("Rust", "rust/template.wasm"),
    ("C", "c/template.wasm"),
    ("Go", "go/template.wasm"),
    ("JavaScript", "javascript/template.wasm"),
    ("TypeScript", "javascript/template-typescript.wasm"),
    ("Python", "python/template.wasm"),
];

pub(crate) async fn run(bench: &Bench, results: &mut Results) -> Result<()> {
    let contract = Contract {
        publishes: true,
        guest: "bench_order",
        schema: json!({
            "type": "object",
            "required": ["orderId", "amount", "customer"],
            "properties": {
                "orderId": { "type": "string" },
                "amount": { "type": "integer" },
                "customer": { "type": "string" },
            },
        }),
        accepted: json!({ "type": "object", "required": ["orderId", "amount", "customer", "attempt"] }),
        ..Contract::orders(bench)?
    };
    let body =
        Body::Same(br#"{"orderId":"o-1","amount":1250,"customer":"ada","note":"ring twice"}"#.to_vec());
    let sides = TEMPLATES.iter().flat_map(|(what, file)| {
        [Isolation::Fresh, Isolation::Reuse].map(|isolation| {
            Side::Warren(Warren { isolation, what, component: Some(bench.languages.join(file)) })
        })
    });
    let task = Task { contract, messages: bench.messages / 2, body };
    compare(bench, results, vec![Case { title: LANGUAGES.to_owned(), task, sides: sides.collect() }]).await
}
