//! What happens to a message at its consumer, for each kind of outcome and each attempt: what `policy::decide` says, with
//! the least, the middle and the most that jitter makes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::contract::{Consumer, DeliveryMode, FailureAction, OnFailure, Owner, Queue, QueueType, Retry};
use crate::policy::history;
use crate::policy::{self, Attempt, Disposition, Failure, Fault, Outcome};
use crate::topology::wait_queue_name;

/// What a consumer does with a message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerFate<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it takes the message for.
    pub message: &'a str,
    /// Path of its component.
    pub component: &'a str,
    /// `at-least-once`, or `at-most-once`: acknowledged on receipt, before it is handled.
    pub delivery: &'static str,
    /// What it may publish.
    pub publishes: &'a [String],
    /// How often a message is tried, the first time included.
    pub max_attempts: u32,
    /// How long one call may take, in milliseconds.
    pub deadline_ms: u64,
    /// How much memory one call may take, in bytes.
    pub memory_bytes: usize,
    /// What becomes of each kind of outcome.
    pub outcomes: Vec<OutcomeFate>,
    /// What becomes of a message that is handed over again and again and never settled.
    pub never_settled: Unsettled,
    /// How long one wait can be at most when a handler asks for more.
    #[serde(skip)]
    pub(super) asked_longest: Duration,
}

/// What becomes of one kind of outcome.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeFate {
    /// The kind: `handled`, `transient`, `rate-limited`, `permanent`, `unauthorized`, `invalid`, `trap`, `deadline`,
    /// `memory`, or `redelivered` (`at-most-once` only: it came back, and may have been handled before).
    pub outcome: &'static str,
    /// Whether `onFailure` of the consumer says so.
    pub overridden: bool,
    /// What is done after each attempt, until the message is settled for good.
    pub steps: Vec<Step>,
}

/// What is done after one attempt, or after several with the same end.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The first of these attempts, from 1.
    pub from_attempt: u32,
    /// The last of them.
    pub to_attempt: u32,
    /// `ack`, `retry` (in a wait queue), `requeue` (in the queue itself), `dead-letter` or `drop`.
    pub then: &'static str,
    /// The wait queue.
    pub wait_queue: Option<String>,
    /// When the next attempt is: as a rule, at least and at most, in milliseconds.
    pub after_ms: Option<u64>,
    /// See above.
    pub min_ms: Option<u64>,
    /// See above.
    pub max_ms: Option<u64>,
}

/// What becomes of a message that is never settled: each time it is handed over, the host or its connection dies.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsettled {
    /// How often it is handed over; none: again and again, because nothing counts.
    pub deliveries: Option<u64>,
    /// Who ends it: `host` or `broker`.
    pub by: Option<&'static str>,
    /// `dead-letter`, `drop` or `requeue`.
    pub then: &'static str,
}

/// The fate of messages that `consumer` takes from `queue`.
pub(super) fn of<'a>(consumer: &'a Consumer, queue: &Queue) -> ConsumerFate<'a> {
    let handler = &consumer.handler;
    let fates = samples(consumer).into_iter().map(|(outcome, overridden)| OutcomeFate {
        outcome: outcome.class(),
        overridden: overridden.is_some(),
        steps: steps(&outcome, consumer, queue),
    });
    ConsumerFate {
        name: &consumer.name,
        message: &consumer.message.name,
        component: &handler.component,
        delivery: consumer.delivery.word(),
        publishes: &consumer.publishes,
        max_attempts: queue.retry.max_attempts(),
        deadline_ms: ms(handler.deadline),
        memory_bytes: handler.memory_bytes_max,
        outcomes: fates.collect(),
        never_settled: unsettled(consumer, queue),
        asked_longest: asked_longest(consumer, queue),
    }
}

/// One outcome of each kind, with what the contract says to do about it.
fn samples(consumer: &Consumer) -> Vec<(Outcome, Option<FailureAction>)> {
    let OnFailure { transient, rate_limited, permanent, unauthorized, trap, deadline, memory } =
        consumer.on_failure;
    let failed = Outcome::Failed;
    let retry_after = Duration::ZERO;
    let mut samples = vec![
        (Outcome::Handled, None),
        (failed(Failure::Transient(String::new())), transient),
        (failed(Failure::RateLimited { retry_after, reason: String::new() }), rate_limited),
        (Outcome::Faulted(Fault::Trap(String::new())), trap),
        (Outcome::Faulted(Fault::Deadline(consumer.handler.deadline)), deadline),
        (Outcome::Faulted(Fault::Memory { limit: consumer.handler.memory_bytes_max }), memory),
        (failed(Failure::Permanent(String::new())), permanent),
        (failed(Failure::Unauthorized(String::new())), unauthorized),
        (Outcome::Invalid(Vec::new()), None),
    ];
    if consumer.delivery == DeliveryMode::AtMostOnce {
        samples.push((Outcome::Redelivered, None));
    }
    samples
}

/// What is done after each attempt that ends like this.
fn steps(outcome: &Outcome, consumer: &Consumer, queue: &Queue) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let max = queue.retry.max_attempts();
    for number in 1..=max {
        let step = step(outcome, Attempt { number, max }, consumer, queue);
        let ends = step.after_ms.is_none();
        match steps.last_mut() {
            Some(last) if last.is_like(&step) => last.to_attempt = number,
            _ => steps.push(step),
        }
        if ends {
            break;
        }
    }
    steps
}

fn step(outcome: &Outcome, attempt: Attempt, consumer: &Consumer, queue: &Queue) -> Step {
    let decide = |jitter| decide(outcome, attempt, consumer, queue, jitter);
    let mut step = Step {
        from_attempt: attempt.number,
        to_attempt: attempt.number,
        then: "",
        wait_queue: None,
        after_ms: None,
        min_ms: None,
        max_ms: None,
    };
    let after = match decide(0.5) {
        Disposition::Ack => {
            step.then = "ack";
            return step;
        }
        Disposition::DeadLetter => {
            step.then = dead_letter(queue);
            return step;
        }
        Disposition::Requeue { after } => {
            step.then = "requeue";
            let brokers = policy::delayed_by_broker(&queue.retry, attempt.number);
            [after + brokers; 3]
        }
        Disposition::Retry { tier_ms, after } => {
            step.then = "retry";
            step.wait_queue = Some(wait_queue_name(&queue.name, tier_ms));
            [delay(&decide(0.0)), after, delay(&decide(1.0))]
        }
    };
    [step.min_ms, step.after_ms, step.max_ms] = after.map(|after| Some(ms(after)));
    step
}

fn decide(
    outcome: &Outcome,
    attempt: Attempt,
    consumer: &Consumer,
    queue: &Queue,
    jitter: f64,
) -> Disposition {
    policy::decide(outcome, attempt, &queue.retry, &consumer.on_failure, consumer.delivery, jitter)
}

fn delay(disposition: &Disposition) -> Duration {
    match disposition {
        Disposition::Requeue { after } | Disposition::Retry { after, .. } => *after,
        Disposition::Ack | Disposition::DeadLetter => Duration::ZERO,
    }
}

/// Where the policy says dead letter, and there is nowhere to put it, `onPoison: drop` was said.
fn dead_letter(queue: &Queue) -> &'static str {
    if queue.dead_letter.is_some() { "dead-letter" } else { "drop" }
}

/// What the host and the broker count beside the attempts, and what they do at the end.
fn unsettled(consumer: &Consumer, queue: &Queue) -> Unsettled {
    let attempt = Attempt { number: 1, max: queue.retry.max_attempts() };
    if consumer.delivery == DeliveryMode::AtMostOnce {
        let then = step(&Outcome::Redelivered, attempt, consumer, queue).then;
        return Unsettled { deliveries: Some(1), by: Some("host"), then };
    }
    if queue.kind == QueueType::Classic && !history::may_recount(queue) {
        return Unsettled { deliveries: None, by: None, then: "requeue" };
    }
    // A limit of N lets N + 1 deliveries through; without a dead letter, and on somebody else's queue, none is known.
    let limit = queue.arguments.get("x-delivery-limit").and_then(serde_json::Value::as_u64);
    let known = limit.filter(|_| queue.dead_letter.is_some() && queue.owner == Owner::Us);
    let brokers = known.map(|limit| limit.saturating_add(1));
    let native = matches!(queue.retry, Retry::QuorumNative { .. } | Retry::NativeDelay { .. });
    let hosts = u64::from(if native { attempt.max } else { queue.deliveries_max.max(1) });
    match brokers.filter(|brokers| *brokers <= hosts) {
        Some(brokers) => {
            Unsettled { deliveries: Some(brokers), by: Some("broker"), then: dead_letter(queue) }
        }
        None => {
            let then = step(&Outcome::Poison { deliveries: hosts }, attempt, consumer, queue).then;
            Unsettled { deliveries: Some(hosts), by: Some("host"), then }
        }
    }
}

/// How long one wait can be at most when a handler asks for very long.
fn asked_longest(consumer: &Consumer, queue: &Queue) -> Duration {
    let asked =
        Failure::RateLimited { retry_after: Duration::from_secs(u32::MAX.into()), reason: String::new() };
    let attempt = Attempt { number: 1, max: queue.retry.max_attempts() };
    let asked = Outcome::Failed(asked);
    let decided = decide(&asked, attempt, consumer, queue, 0.5);
    delay(&decided) + policy::delayed_by_broker(&queue.retry, attempt.number)
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn queue_word(kind: QueueType) -> &'static str {
    match kind {
        QueueType::Quorum => "quorum",
        QueueType::Classic => "classic",
    }
}

impl Step {
    /// Whether it says the same of its attempts as another one does.
    fn is_like(&self, other: &Self) -> bool {
        Self { from_attempt: self.from_attempt, to_attempt: self.to_attempt, ..other.clone() } == *self
    }
}

/// Outcomes with the same fate, together, in the order in which they first come.
pub(super) fn alike(outcomes: &[OutcomeFate]) -> Vec<(Vec<&OutcomeFate>, &[Step])> {
    let mut order: Vec<&[Step]> = Vec::new();
    let mut by_steps: BTreeMap<usize, Vec<&OutcomeFate>> = BTreeMap::new();
    for fate in outcomes {
        let place = order.iter().position(|steps| *steps == fate.steps.as_slice()).unwrap_or_else(|| {
            order.push(&fate.steps);
            order.len() - 1
        });
        by_steps.entry(place).or_default().push(fate);
    }
    by_steps.into_iter().map(|(place, fates)| (fates, order[place])).collect()
}
