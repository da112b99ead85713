//! Queues: what the broker would refuse is refused here, with the fix.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::super::domains::Domain;
use super::super::problem::Problem;
use super::super::raw::{self, Overflow};
use super::super::routing::key_fault;
use super::super::source::join;
use super::super::{
    DELIVERIES_MAX, DeadLetter, DeliveryMode, Owner, POISON_DELIVERIES, Queue, QueueType, Retry,
};
use super::Checker;
use super::arguments::Typed;

impl<'a> Checker<'a> {
    pub(super) fn queues(&mut self) -> BTreeMap<String, Queue> {
        let mut queues = BTreeMap::new();
        let consumed = self.consumed();
        for (name, raw) in &self.raw.queues {
            if self.is_full() {
                break;
            }
            let at = join("/queues", name);
            self.entity_name(name, &at, "queue", raw.owned);
            let typed = self.typed(&at, raw);
            match raw.kind {
                QueueType::Quorum => self.quorum(&at, raw, &typed),
                QueueType::Classic => self.classic(&at, &typed),
            }
            let dead_letter = raw.dead_letter.as_ref().and_then(|raw| self.dead_letter(&at, raw));
            self.overflow(&at, raw, &typed);
            let retry = self.retry(&join(&at, "retry"), raw, consumed.get(name.as_str()).copied());
            self.broker_counts(&at, &typed, &retry);
            let owner = if raw.owned { Owner::Us } else { Owner::Somebody };
            queues.insert(name.clone(), queue(name, raw, &typed, dead_letter, retry, owner));
        }
        queues
    }

    /// The queues that are consumed, with what the handlers can rely on.
    fn consumed(&self) -> BTreeMap<&'a str, DeliveryMode> {
        let raw = self.raw;
        let queue = |consumer: &'a raw::Consumer| {
            let of_rpc = || consumer.rpc.as_ref().and_then(|rpc| raw.rpcs.get(rpc)).map(|rpc| &rpc.queue);
            Some((consumer.queue.as_ref().or_else(of_rpc)?.as_str(), consumer.delivery))
        };
        raw.consumers.values().filter_map(queue).collect()
    }

    fn quorum(&mut self, at: &str, raw: &raw::Queue, typed: &Typed) {
        let not_on_quorum = [
            (
                "durable",
                !raw.durable,
                "a quorum queue is always durable",
                "leave `durable` out, or say `type: classic`",
            ),
            (
                "exclusive",
                raw.exclusive,
                "a quorum queue cannot be exclusive",
                "leave `exclusive` out, or say `type: classic`; for one consumer at a time, say `singleActiveConsumer: true`",
            ),
            (
                "autoDelete",
                raw.auto_delete,
                "a quorum queue cannot delete itself",
                "leave `autoDelete` out, or say `type: classic`",
            ),
            (
                "maxPriority",
                typed.max_priority.is_some(),
                "a quorum queue has no `maxPriority`",
                "say `type: classic`, or leave it out: RabbitMQ 4 has priorities without it",
            ),
        ];
        for (key, wrong, says, hint) in not_on_quorum {
            if wrong {
                self.refuse(Problem::at(typed.place(at, key), says).on_key().hint(hint));
            }
        }
        if typed.overflow == Some(Overflow::RejectPublishDlx) {
            self.refuse(
                Problem::at(typed.place(at, "overflow"), "a quorum queue has no `reject-publish-dlx`")
                    .hint("say `reject-publish`: whoever publishes is told, and keeps the message"),
            );
        }
    }

    /// Where the broker counts attempts, its limit ends them.
    fn broker_counts(&mut self, at: &str, typed: &Typed, retry: &Retry) {
        let (Retry::QuorumNative { max_retries } | Retry::NativeDelay { max_retries, .. }) = retry else {
            return;
        };
        if let Some(limit) = typed.delivery_limit.filter(|limit| *limit < i64::from(*max_retries)) {
            self.refuse(
                Problem::at(
                    typed.place(at, "deliveryLimit"),
                    format!("`deliveryLimit: {limit}` leaves no room for {max_retries} retries"),
                )
                .because("in this mode the broker counts them, and takes the message away at its limit, without the reason")
                .hint("leave `deliveryLimit` out: it follows from `retry.maxRetries`"),
            );
        }
    }

    fn classic(&mut self, at: &str, typed: &Typed) {
        if typed.delivery_limit.is_some() {
            self.refuse(
                Problem::at(typed.place(at, "deliveryLimit"), "a classic queue does not count deliveries")
                    .on_key()
                    .hint("say `type: quorum`, or bound attempts by `retry.maxRetries`"),
            );
        }
    }

    fn overflow(&mut self, at: &str, raw: &raw::Queue, typed: &Typed) {
        if raw.kind == QueueType::Quorum
            && raw.dead_letter.is_some()
            && typed.overflow == Some(Overflow::DropHead)
        {
            self.refuse(
                Problem::at(typed.place(at, "overflow"), "`drop-head` and a `deadLetter` that loses nothing exclude each other")
                    .because("the broker dead-letters at least once only on queues with `reject-publish`; else it forgets what it cannot dead-letter at that moment")
                    .hint("leave `overflow` out, or say `reject-publish`"),
            );
        }
        if typed.overflow.is_some() && typed.max_length.is_none() && typed.max_length_bytes.is_none() {
            self.refuse(
                Problem::at(typed.place(at, "overflow"), "`overflow` of a queue that is never full")
                    .on_key()
                    .hint("add `maxLength` or `maxLengthBytes`, or leave it out"),
            );
        }
    }

    fn dead_letter(&mut self, at: &str, raw: &raw::DeadLetter) -> Option<DeadLetter> {
        let at = join(at, "deadLetter");
        let (exchange, _) = self.exchange(&join(&at, "exchange"), &raw.exchange)?;
        let key_at = join(&at, "routingKey");
        match &raw.routing_key {
            // The default exchange takes the name of any queue.
            Some(key) if exchange.is_empty() && raw.external_consumers => {
                let says = "the routing key is longer than 255 bytes";
                self.fault(&key_at, (key.len() > 255).then(|| says.to_owned()));
            }
            Some(key) if exchange.is_empty() => {
                self.known(&key_at, "queue", key, &self.raw.queues);
            }
            Some(key) => self.fault(&key_at, key_fault(key)),
            None if exchange.is_empty() => {
                self.refuse_way(
                    Problem::at(&at, "dead letters by the default exchange need a `routingKey`")
                        .because("it takes a message to the queue that its routing key names, and a dead letter's own key names none")
                        .hint("write the name of the dead-letter queue as `routingKey`"),
                );
                return None;
            }
            None => {}
        }
        Some(DeadLetter { exchange, routing_key: raw.routing_key.clone() })
    }

    /// A queue of another domain, as far as ways of messages lead through it.
    pub(super) fn foreign_queue(
        &self,
        name: &str,
        raw: &raw::Queue,
        domain: &Domain,
        owner: &Owner,
    ) -> Queue {
        let dead_letter = raw.dead_letter.as_ref().and_then(|dead_letter| {
            let (exchange, _) = self.their_exchange(domain, &dead_letter.exchange)?;
            Some(DeadLetter { exchange, routing_key: dead_letter.routing_key.clone() })
        });
        queue(name, raw, &Typed::default(), dead_letter, Retry::None, owner.clone())
    }
}

fn queue(
    name: &str,
    raw: &raw::Queue,
    typed: &Typed,
    dead_letter: Option<DeadLetter>,
    retry: Retry,
    owner: Owner,
) -> Queue {
    let limit = typed.delivery_limit;
    Queue {
        name: name.to_owned(),
        kind: raw.kind,
        durable: raw.durable,
        exclusive: raw.exclusive,
        auto_delete: raw.auto_delete,
        arguments: arguments(raw, typed, dead_letter.as_ref(), &retry),
        dead_letter,
        retry,
        deliveries_max: limit.map_or(POISON_DELIVERIES, |limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        message_ttl: typed.message_ttl_ms.and_then(|ttl| u64::try_from(ttl).ok()).map(Duration::from_millis),
        owner,
    }
}

/// The broker's arguments for what the typed keys say. At-least-once dead-lettering is not a choice: without it the
/// broker drops what it cannot dead-letter at that moment.
fn arguments(
    raw: &raw::Queue,
    typed: &Typed,
    dead_letter: Option<&DeadLetter>,
    retry: &Retry,
) -> Map<String, Value> {
    let quorum = raw.kind == QueueType::Quorum;
    let mut arguments = raw.arguments.clone();
    let mut set = |name: &str, value: Value| arguments.insert(name.to_owned(), value);
    set("x-queue-type", Value::from(if quorum { "quorum" } else { "classic" }));
    if let Some(dead_letter) = dead_letter {
        set("x-dead-letter-exchange", Value::from(dead_letter.exchange.as_str()));
        if let Some(key) = &dead_letter.routing_key {
            set("x-dead-letter-routing-key", Value::from(key.as_str()));
        }
        if quorum {
            set("x-dead-letter-strategy", Value::from("at-least-once"));
            set("x-overflow", Value::from("reject-publish"));
        }
    }
    for (name, value) in [
        ("x-delivery-limit", delivery_limit(raw, typed)),
        ("x-message-ttl", typed.message_ttl_ms),
        ("x-expires", typed.expires_ms),
        ("x-max-length", typed.max_length),
        ("x-max-length-bytes", typed.max_length_bytes),
        ("x-max-priority", typed.max_priority),
    ] {
        if let Some(value) = value {
            set(name, Value::from(value));
        }
    }
    if let Some(overflow) = typed.overflow {
        let word = match overflow {
            Overflow::DropHead => "drop-head",
            Overflow::RejectPublish => "reject-publish",
            Overflow::RejectPublishDlx => "reject-publish-dlx",
        };
        set("x-overflow", Value::from(word));
    }
    if typed.single_active_consumer {
        set("x-single-active-consumer", Value::from(true));
    }
    if let Retry::NativeDelay { initial_delay, max_delay, .. } = retry {
        let ms = |delay: &Duration| Value::from(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        // `failed`: what the host rejects waits; what it gives back when it stops does not.
        set("x-delayed-retry-type", Value::from("failed"));
        set("x-delayed-retry-min", ms(initial_delay));
        set("x-delayed-retry-max", ms(max_delay));
    }
    arguments
}

/// A quorum queue's limit is always declared: what RabbitMQ assumes differs between versions.
fn delivery_limit(raw: &raw::Queue, typed: &Typed) -> Option<i64> {
    let retry = raw.retry.as_ref();
    let mode = retry.map_or(raw::RetryMode::default(), |retry| retry.mode);
    let assumed = match (raw.kind, &raw.dead_letter, mode) {
        (QueueType::Classic, _, _) => return None,
        // The broker would drop a message at its limit: somebody may only have looked at it.
        (QueueType::Quorum, None, _) => i64::from(i32::MAX),
        (QueueType::Quorum, Some(_), raw::RetryMode::QuorumNative | raw::RetryMode::NativeDelay) => {
            retry.and_then(|retry| retry.max_retries).unwrap_or(super::retry::MAX_RETRIES).into()
        }
        (QueueType::Quorum, Some(_), raw::RetryMode::None | raw::RetryMode::TtlBackoff) => {
            DELIVERIES_MAX.into()
        }
    };
    Some(typed.delivery_limit.unwrap_or(assumed))
}
