//! A queue in words: what happens there, outcome by outcome, and what is done about it.

use crate::contract::DeliveryMode;
use crate::policy::{Failure, Outcome};
use crate::text::{columns, counted, duration, span, wrap};

use super::QueueView;
use super::fate::{ConsumerFate, OutcomeFate, Step, Unsettled, alike};

/// What a consumer does with a message before it handles it, if it handles none twice.
const AT_MOST_ONCE: &str = "acknowledged, before the handler runs (`delivery: at-most-once`): what the host has in hand when it \
     dies is lost";
/// The width of the column that says what happened.
pub(super) const LEFT: usize = 26;
/// A space at which no line is broken; printed as a plain one.
const KEPT: &str = "\u{a0}";
/// The width of the column that says what is done about it.
pub(super) const RIGHT: usize = 72;

/// What happens to a message in a queue.
pub(super) fn queue_lines(queue: &QueueView<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let may = if queue.sure { "" } else { ", if its headers lead here" };
    let whose = match (queue.declared, queue.domain) {
        (true, _) => String::new(),
        (false, Some(domain)) => format!(", of the domain {domain}"),
        (false, None) => ", somebody else's".to_owned(),
    };
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    match &queue.consumer {
        Some(consumer) => {
            lines.push(format!(
                "queue {} ({}{whose}{may}) → {}, {}",
                queue.name, queue.kind, consumer.name, consumer.component
            ));
            if consumer.delivery == DeliveryMode::AtMostOnce.word() {
                rows.push(("on receipt".to_owned(), wrap(AT_MOST_ONCE, RIGHT)));
            }
            rows.extend(consumer_rows(consumer));
        }
        None => lines.push(format!("queue {} ({}{whose}{may})", queue.name, queue.kind)),
    }
    let lost = if queue.dead_letter.is_some() { "dead letter" } else { "gone" };
    if let Some(ttl) = queue.message_ttl_ms {
        rows.push((format!("not taken for {}", duration(ttl)), vec![lost.to_owned()]));
    }
    if let Some(full) = &queue.when_full {
        let limits = [(full.max_messages, "messages"), (full.max_bytes, "bytes")];
        let limits = limits.iter().filter_map(|(max, of)| max.map(|max| format!("{max} {of}")));
        let then = match full.overflow {
            "drop-head" => format!("the oldest in it: {lost}"),
            "reject-publish-dlx" => format!("not taken, and its publisher is told: {lost}"),
            _ => "not taken, and its publisher is told".to_owned(),
        };
        rows.push((format!("full ({})", limits.collect::<Vec<_>>().join(" or ")), vec![then]));
    }
    if queue.consumer.is_none() {
        let text = if queue.declared { "not consumed here" } else { "it is not known here who consumes it" };
        rows.insert(0, ("is kept".to_owned(), vec![text.to_owned()]));
    }
    if queue.consumer.is_some() || queue.dead_letter.is_some() {
        rows.push(("dead letters".to_owned(), wrap(&dead_letters(queue), RIGHT)));
    }
    for (what, done) in rows {
        let what = wrap(&what, LEFT - 2);
        for index in 0..what.len().max(done.len()) {
            let cell =
                |cells: &[String]| cells.get(index).map(|cell| cell.replace(KEPT, " ")).unwrap_or_default();
            lines.push(format!("  {:LEFT$}{}", cell(&what), cell(&done)).trim_end().to_owned());
        }
    }
    lines
}

fn dead_letters(queue: &QueueView<'_>) -> String {
    let Some(dead_letter) = &queue.dead_letter else {
        return "none: what cannot be handled is dropped, as `onPoison: drop` says".to_owned();
    };
    let to = match dead_letter.exchange {
        "" => "the default exchange".to_owned(),
        exchange => format!("exchange {exchange}"),
    };
    let own = if dead_letter.own_key && !dead_letter.routing_key.is_empty() { ", its own" } else { "" };
    let ends: Vec<String> = dead_letter
        .queues
        .iter()
        .map(|queue| match queue.consumer {
            Some(consumer) => format!("queue {}, where {consumer} takes them", queue.name),
            None => format!("queue {}", queue.name),
        })
        .collect();
    let ends = if ends.is_empty() { "no queue of this contract".to_owned() } else { ends.join(" and ") };
    let key = match dead_letter.routing_key.as_str() {
        "" => "no key".to_owned(),
        key => format!("key {key}"),
    };
    format!("{to}, {key}{own} → {ends}")
}

fn consumer_rows(consumer: &ConsumerFate<'_>) -> Vec<(String, Vec<String>)> {
    let mut rows = Vec::new();
    for (outcomes, steps) in alike(&consumer.outcomes) {
        let names: Vec<String> = outcomes.iter().map(|outcome| outcome_text(outcome, consumer)).collect();
        let mut done = fate_lines(steps, consumer);
        let asks = outcomes.iter().any(|outcome| outcome.outcome == rate_limited());
        if asks && steps.iter().any(|step| step.after_ms.is_some()) {
            done.extend(wrap(&rate_limit_text(consumer), RIGHT));
        }
        rows.push((names.join(", "), done));
    }
    // What is never handed over twice is `redelivered`.
    if consumer.delivery != DeliveryMode::AtMostOnce.word() {
        rows.push(("never settled".to_owned(), wrap(&unsettled_text(&consumer.never_settled), RIGHT)));
    }
    rows
}

fn rate_limited() -> &'static str {
    let (retry_after, reason) = (std::time::Duration::ZERO, String::new());
    Outcome::Failed(Failure::RateLimited { retry_after, reason }).class()
}

fn outcome_text(fate: &OutcomeFate, consumer: &ConsumerFate<'_>) -> String {
    const MIB: usize = 1024 * 1024;
    let limit = match fate.outcome {
        "deadline" => format!(" ({})", duration(consumer.deadline_ms)),
        "memory" => format!(" ({} MiB)", consumer.memory_bytes / MIB),
        _ => String::new(),
    };
    // A limit is not parted from what it limits.
    let text = format!("{}{limit}", fate.outcome).replace(' ', KEPT);
    if fate.overridden { format!("{text} (onFailure)") } else { text }
}

/// What is done, in one line, or a line for each wait.
fn fate_lines(steps: &[Step], consumer: &ConsumerFate<'_>) -> Vec<String> {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Vec::new() };
    let end = match last.then {
        "dead-letter" => "dead letter",
        "drop" => "dropped",
        "ack" => return vec![acknowledged(consumer)],
        other => other,
    };
    if first.after_ms.is_none() {
        return vec![format!("{end} at once")];
    }
    let attempts = counted(last.to_attempt as usize, "attempt", "attempts");
    if steps.len() == 2 && first.max_ms == Some(0) {
        return vec![format!("{attempts}, one after the other at once, then {end}")];
    }
    let mut lines = vec![format!("{attempts}, then {end}:")];
    let waits = &steps[..steps.len() - 1];
    let mut rows: Vec<Vec<String>> = waits.iter().map(wait_row).collect();
    if last.to_attempt > 2 {
        let all = |time: fn(&Step) -> Option<u64>| {
            let times = |step: &Step| u64::from(step.to_attempt - step.from_attempt + 1);
            waits
                .iter()
                .map(|step| time(step).unwrap_or(0).saturating_mul(times(step)))
                .fold(0, u64::saturating_add)
        };
        let (after, min, max) = (all(|step| step.after_ms), all(|step| step.min_ms), all(|step| step.max_ms));
        rows.push(vec!["in all".to_owned(), duration(after), range(min, max), String::new()]);
    }
    lines.extend(columns(&rows).into_iter().map(|line| format!("  {line}")));
    lines
}

fn wait_row(step: &Step) -> Vec<String> {
    let (Some(after), Some(min), Some(max)) = (step.after_ms, step.min_ms, step.max_ms) else {
        return Vec::new();
    };
    let after_which = match step.to_attempt - step.from_attempt {
        0 => format!("after the {}", ordinal(step.from_attempt)),
        _ => format!("after the {} to the {}", ordinal(step.from_attempt), ordinal(step.to_attempt)),
    };
    let place = match &step.wait_queue {
        Some(queue) => format!("in {queue}"),
        None if max == 0 => "at once".to_owned(),
        None => "kept by the broker".to_owned(),
    };
    vec![after_which, duration(after), range(min, max), place]
}

fn range(min: u64, max: u64) -> String {
    if min == max { String::new() } else { format!("({})", span(min, max)) }
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn acknowledged(consumer: &ConsumerFate<'_>) -> String {
    let at_most_once = consumer.delivery == DeliveryMode::AtMostOnce.word();
    match consumer.publishes {
        [] if at_most_once => "done".to_owned(),
        publishes if at_most_once => {
            format!("what it published is sent, unless the host dies meanwhile: {}", publishes.join(", "))
        }
        [] => "acknowledged".to_owned(),
        publishes => format!("acknowledged, once the broker has what it published: {}", publishes.join(", ")),
    }
}

fn rate_limit_text(consumer: &ConsumerFate<'_>) -> String {
    let longest = duration(u64::try_from(consumer.asked_longest.as_millis()).unwrap_or(u64::MAX));
    let waits = consumer.outcomes.iter().flat_map(|fate| &fate.steps).any(|step| step.wait_queue.is_some());
    match waits {
        true => format!("rate-limited: no sooner than asked, over {longest} in several waits"),
        false => format!("rate-limited: no sooner than asked, but within {longest}"),
    }
}

fn unsettled_text(unsettled: &Unsettled) -> String {
    let then = match unsettled.then {
        "dead-letter" => "dead letter",
        _ => "dropped",
    };
    match (unsettled.deliveries, unsettled.by) {
        (None, _) => "handed over again and again: nobody counts that on this queue".to_owned(),
        (Some(deliveries), Some("broker")) => format!("{then} by the broker, after {deliveries} deliveries"),
        (Some(deliveries), _) => {
            let times = counted(usize::try_from(deliveries).unwrap_or(usize::MAX), "delivery", "deliveries");
            format!("{then} after {times}, the handler is not asked again")
        }
    }
}
