//! The contract that the host runs; what it declares on the broker is what every side consumes from.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use super::{PREFETCH, Warren};
use crate::bench::Bench;
use crate::order::{ACCEPTED_SCHEMA, SCHEMA};

/// What is to be consumed, and how.
#[derive(Debug, Clone)]
pub(crate) struct Contract {
    /// So many queues with a consumer each.
    pub(crate) queues: usize,
    /// Whether one message is published for each.
    pub(crate) publishes: bool,
    /// The handler, among the test guests.
    pub(crate) guest: &'static str,
    /// How many messages the broker hands over ahead, for each consumer.
    pub(crate) prefetch: u16,
    /// How many calls run at once, for each consumer.
    pub(crate) concurrency: u16,
    /// The schema of what is consumed.
    pub(crate) schema: Value,
    /// The same of what is published.
    pub(crate) accepted: Value,
    /// The largest body that there may be, in bytes.
    pub(crate) body_bytes_max: u32,
    /// What the handler is granted.
    pub(crate) capabilities: Value,
}

impl Contract {
    /// One consumer of orders.
    pub(crate) fn orders(bench: &Bench) -> Result<Self> {
        Ok(Self {
            queues: 1,
            publishes: false,
            guest: "bench_order",
            prefetch: PREFETCH,
            concurrency: bench.concurrency,
            schema: serde_json::from_str(SCHEMA)?,
            accepted: serde_json::from_str(ACCEPTED_SCHEMA)?,
            body_bytes_max: 1024 * 1024,
            capabilities: json!({}),
        })
    }

    /// The name of a queue.
    #[expect(clippy::unused_self, reason = "queues are the contract's")]
    pub(crate) fn queue(&self, index: usize) -> String {
        format!("work-{index}")
    }

    /// The names of all queues that are consumed.
    pub(crate) fn all_queues(&self) -> Vec<String> {
        (0..self.queues).map(|index| self.queue(index)).collect()
    }

    /// Writes it for the host.
    pub(crate) fn write(&self, file: &Path, bench: &Bench, warren: &Warren) -> Result<()> {
        let component = match &warren.component {
            Some(component) => component.clone(),
            None => bench.guests.join(format!("{}.wasm", self.guest)),
        };
        let text = serde_json::to_string_pretty(&self.text(&component, warren.isolation.name()))?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Puts on the broker what the contract says, in place of what an earlier one did.
    pub(crate) async fn declare(&self, bench: &Bench) -> Result<()> {
        for queue in self.all_queues().iter().map(String::as_str).chain(["out", "dead"]) {
            bench.client.delete(queue).await?;
        }
        let file = bench.folder.join("declare.json");
        let Warren { isolation, .. } =
            Warren { isolation: super::Isolation::Fresh, what: "", component: None };
        let text = self.text(&bench.guests.join(format!("{}.wasm", self.guest)), isolation.name());
        std::fs::write(&file, serde_json::to_string_pretty(&text)?)?;
        let output = bench.warren().args(["apply", "--amqp-url", &bench.url]).arg(&file).output().await?;
        ensure!(output.status.success(), "warren apply: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn text(&self, component: &Path, isolation: &str) -> Value {
        let queue = json!({
            "deadLetter": { "exchange": "dlx", "routingKey": "dead" },
            "retry": { "mode": "quorum-native", "maxRetries": 5 },
        });
        let (mut queues, mut commands, mut consumers) = (Map::new(), Map::new(), Map::new());
        for name in self.all_queues() {
            queues.insert(name.clone(), queue.clone());
            commands
                .insert(name.clone(), json!({ "exchange": "in", "routingKey": name, "message": "order" }));
            let mut consumer = json!({
                "command": name,
                "queue": name,
                "prefetch": self.prefetch,
                "handler": {
                    "component": component,
                    "isolation": isolation,
                    "deadlineMs": 60_000,
                    "concurrency": self.concurrency,
                },
                "capabilities": self.capabilities,
            });
            if self.publishes {
                consumer["publishes"] = json!(["orderAccepted"]);
            }
            consumers.insert(name, consumer);
        }
        queues.insert("out".to_owned(), json!({}));
        queues.insert("dead".to_owned(), json!({}));
        json!({
            "contract": "bench",
            "version": "1.0.0",
            "exchanges": { "in": { "type": "direct" }, "out": { "type": "direct" }, "dlx": { "type": "direct" } },
            "queues": queues,
            "bindings": {
                "out": { "exchange": "out", "queue": "out", "routingKey": "accepted" },
                "dead": { "exchange": "dlx", "queue": "dead", "routingKey": "dead" },
            },
            "messages": { "order": { "payload": self.schema, "maxBodyBytes": self.body_bytes_max }, "accepted": { "payload": self.accepted } },
            "events": { "orderAccepted": { "exchange": "out", "routingKey": "accepted", "message": "accepted" } },
            "commands": commands,
            "consumers": consumers,
        })
    }
}
