//! Exchanges and queues: what the broker would refuse is refused here, with the fix.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::super::problem::Problem;
use super::super::routing::key_fault;
use super::super::source::join;
use super::super::{Backoff, DELIVERIES_MAX, DeadLetter, Exchange, Queue, QueueType, Retry, raw};
use super::Checker;

/// Attempts after the first, if nothing is said.
const MAX_RETRIES: u32 = 3;
/// The most wait queues that one work queue may need.
const TIERS_MAX: usize = 32;

impl Checker<'_> {
    pub(super) fn exchanges(&mut self) -> BTreeMap<String, Exchange> {
        let mut exchanges = BTreeMap::new();
        for (name, raw) in &self.raw.exchanges {
            let at = join("/exchanges", name);
            self.entity_name(name, &at, "exchange");
            let mut arguments = raw.arguments.clone();
            if let Some(alternate) = &raw.alternate_exchange {
                self.known(&join(&at, "alternateExchange"), "exchange", alternate, &self.raw.exchanges);
                arguments.insert("alternate-exchange".to_owned(), Value::from(alternate.as_str()));
            }
            let exchange = Exchange {
                name: name.clone(),
                kind: raw.kind,
                durable: raw.durable,
                auto_delete: raw.auto_delete,
                internal: raw.internal,
                arguments,
            };
            exchanges.insert(name.clone(), exchange);
        }
        exchanges
    }

    pub(super) fn queues(&mut self) -> BTreeMap<String, Queue> {
        let mut queues = BTreeMap::new();
        for (name, raw) in &self.raw.queues {
            let at = join("/queues", name);
            self.entity_name(name, &at, "queue");
            if raw.kind == QueueType::Quorum && !raw.durable {
                self.problems.push(
                    Problem::at(join(&at, "durable"), "a quorum queue is always durable")
                        .hint("leave `durable` out, or say `type: classic`"),
                );
            }
            if raw.kind == QueueType::Quorum && raw.max_priority.is_some() {
                self.problems.push(
                    Problem::at(join(&at, "maxPriority"), "a quorum queue has no `maxPriority`")
                        .hint("say `type: classic`, or leave it out: RabbitMQ 4 has priorities without it"),
                );
            }
            if raw.kind == QueueType::Classic && raw.delivery_limit.is_some() {
                self.problems.push(
                    Problem::at(join(&at, "deliveryLimit"), "a classic queue does not count deliveries")
                        .hint("say `type: quorum`, or bound attempts by `retry.maxRetries`"),
                );
            }
            let dead_letter = raw.dead_letter.as_ref().map(|dead_letter| {
                let at = join(&at, "deadLetter");
                self.known(&join(&at, "exchange"), "exchange", &dead_letter.exchange, &self.raw.exchanges);
                if let Some(key) = &dead_letter.routing_key {
                    self.fault(&join(&at, "routingKey"), key_fault(key));
                }
                DeadLetter {
                    exchange: dead_letter.exchange.clone(),
                    routing_key: dead_letter.routing_key.clone(),
                }
            });
            let queue = Queue {
                name: name.clone(),
                kind: raw.kind,
                durable: raw.durable,
                arguments: queue_arguments(raw),
                dead_letter,
                retry: self.retry(&join(&at, "retry"), raw),
                deliveries_max: raw
                    .delivery_limit
                    .map_or(DELIVERIES_MAX, |limit| u32::try_from(limit).unwrap_or(u32::MAX)),
            };
            queues.insert(name.clone(), queue);
        }
        queues
    }

    fn retry(&mut self, at: &str, queue: &raw::Queue) -> Retry {
        let raw = &queue.retry;
        let max_retries = raw.max_retries.unwrap_or(MAX_RETRIES);
        let delays = [
            ("initialDelayMs", raw.initial_delay_ms.is_some()),
            ("maxDelayMs", raw.max_delay_ms.is_some()),
            ("backoffMultiplier", raw.backoff_multiplier.is_some()),
            ("jitter", raw.jitter.is_some()),
        ];
        if raw.mode != raw::RetryMode::TtlBackoff {
            for (key, _) in delays.iter().filter(|(_, set)| *set) {
                self.problems.push(
                    Problem::at(join(at, key), format!("`{key}` means nothing without a delay"))
                        .on_key()
                        .hint("say `mode: ttl-backoff`, or leave it out"),
                );
            }
        }
        match raw.mode {
            raw::RetryMode::None => {
                if raw.max_retries.is_some() {
                    self.problems.push(
                        Problem::at(join(at, "maxRetries"), "`maxRetries` means nothing with `mode: none`")
                            .on_key(),
                    );
                }
                Retry::None
            }
            raw::RetryMode::QuorumNative => {
                if queue.kind == QueueType::Classic {
                    self.problems.push(
                        Problem::at(join(at, "mode"), "only a quorum queue counts deliveries")
                            .hint("say `mode: ttl-backoff`, or `type: quorum`"),
                    );
                }
                Retry::QuorumNative { max_retries }
            }
            raw::RetryMode::TtlBackoff => Retry::TtlBackoff(self.backoff(at, raw, max_retries)),
        }
    }

    fn backoff(&mut self, at: &str, raw: &raw::Retry, max_retries: u32) -> Backoff {
        let initial = raw.initial_delay_ms.unwrap_or(1_000);
        let max = raw.max_delay_ms.unwrap_or(30_000.max(initial));
        if max < initial {
            self.problems.push(Problem::at(
                join(at, "maxDelayMs"),
                format!("`maxDelayMs` cannot be less than `initialDelayMs` ({max} < {initial})"),
            ));
        }
        let backoff = Backoff {
            max_retries,
            initial_delay: Duration::from_millis(initial),
            max_delay: Duration::from_millis(max),
            multiplier: raw.backoff_multiplier.unwrap_or(2.0),
            jitter: raw.jitter.unwrap_or(true),
        };
        let tiers = backoff.tiers_ms().len();
        if tiers > TIERS_MAX {
            self.problems.push(
                Problem::at(
                    at,
                    format!("this needs {tiers} wait queues, one for each delay; {TIERS_MAX} are allowed"),
                )
                .hint("a larger `backoffMultiplier` or a smaller `maxDelayMs` gives fewer different delays"),
            );
        }
        backoff
    }
}

/// The broker's arguments for what the typed keys say. At-least-once dead-lettering is not a choice: without it the
/// broker drops what it cannot dead-letter at that moment.
fn queue_arguments(raw: &raw::Queue) -> Map<String, Value> {
    let mut arguments = raw.arguments.clone();
    let mut set = |name: &str, value: Value| arguments.insert(name.to_owned(), value);
    set("x-queue-type", Value::from(if raw.kind == QueueType::Quorum { "quorum" } else { "classic" }));
    if let Some(dead_letter) = &raw.dead_letter {
        set("x-dead-letter-exchange", Value::from(dead_letter.exchange.as_str()));
        if let Some(key) = &dead_letter.routing_key {
            set("x-dead-letter-routing-key", Value::from(key.as_str()));
        }
        if raw.kind == QueueType::Quorum {
            set("x-dead-letter-strategy", Value::from("at-least-once"));
            set("x-overflow", Value::from("reject-publish"));
        }
    }
    for (name, value) in [
        ("x-delivery-limit", delivery_limit(raw)),
        ("x-message-ttl", raw.message_ttl_ms),
        ("x-max-length", raw.max_length),
        ("x-max-priority", raw.max_priority),
    ] {
        if let Some(value) = value {
            set(name, Value::from(value));
        }
    }
    if raw.single_active_consumer {
        set("x-single-active-consumer", Value::from(true));
    }
    arguments
}

/// A quorum queue's limit is always declared: what RabbitMQ assumes differs between versions.
fn delivery_limit(raw: &raw::Queue) -> Option<i64> {
    let assumed = match (raw.kind, &raw.dead_letter, raw.retry.mode) {
        (QueueType::Classic, _, _) => return None,
        // The broker would drop a message at its limit: somebody may only have looked at it.
        (QueueType::Quorum, None, _) => i64::from(i32::MAX),
        (QueueType::Quorum, Some(_), raw::RetryMode::QuorumNative) => {
            raw.retry.max_retries.unwrap_or(MAX_RETRIES).into()
        }
        (QueueType::Quorum, Some(_), raw::RetryMode::None | raw::RetryMode::TtlBackoff) => {
            DELIVERIES_MAX.into()
        }
    };
    Some(raw.delivery_limit.unwrap_or(assumed))
}
