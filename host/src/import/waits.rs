//! Wait queues, read back as the retry of the queue that they belong to.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::queue::Found;

/// A wait queue: the base delay, and how long messages really wait at most, in milliseconds.
type Tier = (u64, u64);

/// Takes the wait queues of `queues` out, and gives the retry of each queue that has some, and whether it is a guess.
pub(super) fn retries(queues: &mut BTreeMap<String, Found>) -> BTreeMap<String, (Map<String, Value>, bool)> {
    let mut tiers: BTreeMap<String, Vec<Tier>> = BTreeMap::new();
    let mut waits = Vec::new();
    for (name, found) in queues.iter() {
        if let Some((work, tier)) = tier(name, found).filter(|(work, _)| queues.contains_key(work)) {
            tiers.entry(work).or_default().push(tier);
            waits.push(name.clone());
        }
    }
    for wait in waits {
        queues.remove(&wait);
    }
    tiers.into_iter().map(|(work, tiers)| (work, retry(tiers))).collect()
}

fn tier(name: &str, found: &Found) -> Option<(String, Tier)> {
    let (work, delay) = name.strip_suffix("ms")?.rsplit_once("-wait-")?;
    let base_ms = delay.parse::<u64>().ok()?;
    let text = |argument: &str| found.arguments.get(argument).and_then(Value::as_str);
    let back = text("x-dead-letter-exchange") == Some("") && text("x-dead-letter-routing-key") == Some(work);
    let longest_ms = found.arguments.get("x-message-ttl").and_then(Value::as_u64)?;
    back.then(|| (work.to_owned(), (base_ms, longest_ms)))
}

fn retry(mut tiers: Vec<Tier>) -> (Map<String, Value>, bool) {
    tiers.sort_unstable();
    let bases: Vec<u64> = tiers.iter().map(|(base, _)| *base).collect();
    let jitter = tiers.iter().any(|(base, longest)| longest > base);
    let (first, last) = (bases.first().copied().unwrap_or(1), bases.last().copied().unwrap_or(1));
    let multiplier = match bases.as_slice() {
        [first, second, ..] => *second as f64 / (*first).max(1) as f64,
        _ => 1.0,
    };
    let grown = |index: i32| (first as f64 * multiplier.powi(index)).min(last as f64).floor() as u64;
    let right = (0..).zip(&bases).all(|(index, base)| grown(index) == *base);
    let multiplier = if multiplier.fract() == 0.0 { json!(multiplier as u64) } else { json!(multiplier) };
    let retry = [
        ("mode", json!("ttl-backoff")),
        ("maxRetries", json!(bases.len())),
        ("initialDelayMs", json!(first)),
        ("maxDelayMs", json!(last)),
        ("backoffMultiplier", multiplier),
        ("jitter", json!(jitter)),
    ];
    let retry = retry.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    (retry, !right)
}
