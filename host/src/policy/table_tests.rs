//! The whole policy as a table: for each broker, queue type and retry mode, what a message says of itself when it arrives,
//! which attempt that is, and what becomes of it after each outcome. The golden is `tests/policy/table.txt`; `BLESS=1`
//! writes it anew. The brokers here are as the real ones were measured to be (`tests/peers.rs` has some of it).

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::tests::outcomes;
use super::*;
use crate::contract::{Backoff, DeliveryMode, QueueType};
use crate::message::{HeaderValue, Message};
use crate::policy::history::Arrival;

/// Attempts in all, where there are retries.
const ATTEMPTS: u32 = 4;
/// How often a message may be handed over without being settled.
const DELIVERIES_MAX: u32 = 20;

/// Headers that a message is published with.
type Published<'a> = &'a [(&'a str, i64)];

/// Brokers that count alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Generation {
    V3,
    V40,
    V43,
}

/// How a message came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Return {
    /// `basic.nack`: by a host that stops, or that has not begun with it.
    Nack,
    /// `basic.reject`: a failed attempt, where the broker counts them.
    Reject,
    /// With its channel or connection.
    Loss,
}

impl Generation {
    const ALL: [Self; 3] = [Self::V3, Self::V40, Self::V43];

    fn name(self) -> &'static str {
        match self {
            Self::V3 => "RabbitMQ 3.10",
            Self::V40 => "RabbitMQ 4.0 to 4.2",
            Self::V43 => "RabbitMQ 4.3",
        }
    }

    /// What the broker makes of a message that was published and came back like this.
    fn hand_over(self, queue: QueueType, published: Published<'_>, returns: &[Return]) -> (Message, Arrival) {
        let mut message = Message::default();
        for (name, value) in published {
            message.set_header(name, HeaderValue::I64(*value));
        }
        let arrival = Arrival { queue, redelivered: !returns.is_empty() };
        if queue == QueueType::Classic {
            return (message, arrival);
        }
        let mut set = |name: &str, count: usize, even_none: bool| {
            if count > 0 || even_none {
                message.set_header(name, HeaderValue::I64(count as i64));
            }
        };
        let failed = returns.iter().filter(|back| **back != Return::Nack).count();
        match self {
            Self::V3 => set("x-delivery-count", returns.len(), true),
            Self::V40 => set("x-delivery-count", returns.len(), false),
            Self::V43 => {
                set("x-acquired-count", returns.len(), false);
                set("x-delivery-count", failed, false);
            }
        }
        (message, arrival)
    }
}

fn word(queue: QueueType) -> &'static str {
    match queue {
        QueueType::Quorum => "quorum queue",
        QueueType::Classic => "classic queue",
    }
}

/// The retry modes that a queue can have.
fn modes(generation: Generation, queue: QueueType) -> Vec<(&'static str, Retry)> {
    let max_retries = ATTEMPTS - 1;
    let (initial_delay, max_delay) = (Duration::from_millis(400), Duration::from_secs(1));
    let backoff = Backoff { max_retries, initial_delay, max_delay, multiplier: 2.0, jitter: true };
    let mut modes = vec![("none", Retry::None), ("ttl-backoff", Retry::TtlBackoff(backoff))];
    if queue == QueueType::Quorum {
        modes.push(("quorum-native", Retry::QuorumNative { max_retries }));
    }
    if queue == QueueType::Quorum && generation == Generation::V43 {
        modes.push(("native-delay", Retry::NativeDelay { max_retries, initial_delay, max_delay }));
    }
    modes
}

/// Messages on their way, and what is read from them when they arrive.
fn arrivals(table: &mut String, generation: Generation, queue: QueueType) {
    use Return::{Loss, Nack, Reject};
    let stale = [("x-acquired-count", 50), ("x-delivery-count", 60)];
    let recounted = [("x-warren-deliveries", 19)];
    let stories: [(&str, Published<'_>, Vec<Return>); 13] = [
        ("published", &[], vec![]),
        ("given back once", &[], vec![Nack]),
        ("given back 20 times", &[], vec![Nack; 20]),
        ("lost once", &[], vec![Loss]),
        ("lost 3 times", &[], vec![Loss; 3]),
        ("lost 20 times", &[], vec![Loss; 20]),
        ("rejected 3 times", &[], vec![Reject; 3]),
        ("rejected 4 times", &[], vec![Reject; 4]),
        ("rejected twice, given back twice", &[], vec![Reject, Nack, Reject, Nack]),
        ("second retry copy, lost once", &[("x-retry-count", 2)], vec![Loss]),
        ("published with another queue's counts", &stale, vec![]),
        ("the same, given back once", &stale, vec![Nack]),
        ("lost 20 times, put back 19 times", &recounted, vec![Loss]),
    ];
    let modes = modes(generation, queue);
    for (story, published, returns) in stories {
        if published == recounted && queue == QueueType::Quorum {
            continue;
        }
        let (message, arrival) = generation.hand_over(queue, published, &returns);
        let before = history::deliveries(&message, arrival);
        let suspect = if history::is_suspect(&message, arrival) { "suspect" } else { "" };
        write!(table, "{story:38} before {before:<3} {suspect:8}").unwrap();
        for (_, retry) in &modes {
            let attempt = history::attempt(&message, arrival, retry);
            let poison = history::is_poison(&message, arrival, retry, DELIVERIES_MAX);
            let cell = format!("{}/{}{}", attempt.number, attempt.max, if poison { " poison" } else { "" });
            write!(table, " {cell:15}").unwrap();
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    }
}

/// What a message that is at this attempt says of itself when it arrives.
fn at_attempt(generation: Generation, queue: QueueType, retry: &Retry, number: u32) -> (Message, Arrival) {
    let before = number - 1;
    match retry {
        Retry::QuorumNative { .. } | Retry::NativeDelay { .. } => {
            generation.hand_over(queue, &[], &vec![Return::Reject; before as usize])
        }
        Retry::None | Retry::TtlBackoff(_) => {
            let count = [("x-retry-count", i64::from(before))];
            generation.hand_over(queue, if before > 0 { &count } else { &[] }, &[])
        }
    }
}

fn cell(outcome: &Outcome, attempt: Attempt, retry: &Retry, delivery: DeliveryMode) -> String {
    let decide = |jitter| decide(outcome, attempt, retry, &OnFailure::default(), delivery, jitter);
    let (least, most) = (decide(0.0), decide(1.0));
    match (&least, &most) {
        (Disposition::Ack, Disposition::Ack) => "ack".to_owned(),
        (Disposition::DeadLetter, Disposition::DeadLetter) => "dead letter".to_owned(),
        (Disposition::Requeue { after }, Disposition::Requeue { after: same }) if after == same => {
            let brokers = delayed_by_broker(retry, attempt.number);
            match (after.as_millis(), brokers.as_millis()) {
                (0, 0) => "reject".to_owned(),
                (0, brokers) => format!("reject, broker {brokers}"),
                (host, 0) => format!("hold {host}, reject"),
                (host, brokers) => format!("hold {host}, broker {brokers}"),
            }
        }
        (Disposition::Retry { tier_ms, after }, Disposition::Retry { tier_ms: to, after: up_to }) => {
            let tiers = if tier_ms == to { tier_ms.to_string() } else { format!("{tier_ms} or {to}") };
            format!("{} to {} in {tiers}", after.as_millis(), up_to.as_millis())
        }
        _ => panic!("jitter decides: {least:?} or {most:?}"),
    }
}

/// Every outcome at the first, a middle, the last attempt, and at one that there should not be.
fn decisions(table: &mut String, generation: Generation, queue: QueueType, retry: &Retry) {
    const WIDTH: usize = 27;
    let numbers = match retry.max_attempts() {
        1 => vec![1, 2],
        max => vec![1, 2, max, max + 1],
    };
    let mut head = format!("{:14}", "");
    let mut columns = Vec::new();
    for number in numbers {
        let (message, arrival) = at_attempt(generation, queue, retry, number);
        let attempt = history::attempt(&message, arrival, retry);
        assert_eq!(attempt.number, number, "{generation:?} {queue:?} {retry:?}");
        let poison = history::is_poison(&message, arrival, retry, DELIVERIES_MAX);
        let title = format!("{}/{}{}", attempt.number, attempt.max, if poison { ", poison" } else { "" });
        write!(head, "{title:WIDTH$}").unwrap();
        columns.push((attempt, poison.then(|| history::deliveries(&message, arrival))));
    }
    writeln!(table, "{}", head.trim_end()).unwrap();
    for outcome in outcomes() {
        let mut line = format!("{:14}", outcome.class());
        for (attempt, poison) in &columns {
            let cell = match poison {
                // The handler is not asked, so there is no such outcome.
                Some(deliveries) => {
                    let poison = Outcome::Poison { deliveries: *deliveries };
                    cell(&poison, *attempt, retry, DeliveryMode::AtLeastOnce)
                }
                None => cell(&outcome, *attempt, retry, DeliveryMode::AtLeastOnce),
            };
            write!(line, "{cell:WIDTH$}").unwrap();
        }
        writeln!(table, "{}", line.trim_end()).unwrap();
    }
}

#[test]
fn the_policy() {
    let mut table = format!(
        "The policy, with {ATTEMPTS} attempts and {DELIVERIES_MAX} deliveries. Times in milliseconds; `a to b in c`: the \
         least and the most that\njitter makes, in the wait queue of c. Made by host/src/policy/table_tests.rs.\n"
    );
    for generation in Generation::ALL {
        for queue in [QueueType::Quorum, QueueType::Classic] {
            let modes = modes(generation, queue);
            let names: Vec<String> = modes.iter().map(|(name, _)| format!("{name:15}")).collect();
            let title = format!("{}, {}: arrivals", generation.name(), word(queue));
            writeln!(table, "\n{title:59} {}", names.join(" ").trim_end()).unwrap();
            arrivals(&mut table, generation, queue);
            for (name, retry) in modes {
                writeln!(table, "\n{}, {}, {name}", generation.name(), word(queue)).unwrap();
                decisions(&mut table, generation, queue, &retry);
            }
        }
    }
    table += "\nat-most-once: every outcome, in every mode and at every attempt\n";
    for outcome in outcomes() {
        let mut cells: Vec<String> = Vec::new();
        for (_, retry) in modes(Generation::V43, QueueType::Quorum) {
            for number in 1..=ATTEMPTS + 1 {
                let attempt = Attempt { number, max: retry.max_attempts() };
                cells.push(cell(&outcome, attempt, &retry, DeliveryMode::AtMostOnce));
            }
        }
        cells.dedup();
        writeln!(table, "{:14}{}", outcome.class(), cells.join(", ")).unwrap();
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/policy/table.txt");
    let mut differences = Vec::new();
    crate::contract::tests::golden(&golden, &table, &mut differences);
    assert!(differences.is_empty(), "not as before (BLESS=1 takes what is found): {}", differences.concat());
}
