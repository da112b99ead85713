//! What the contract may say otherwise, the arithmetic of delays, attempts and copies as properties. The whole policy is a
//! table, in `table_tests`.

use std::time::Duration;

use super::*;
use crate::contract::{Backoff, DeliveryMode, QueueType};
use crate::message::{HeaderValue, Message};
use crate::policy::history::Arrival;

fn backoff(max_retries: u32, initial_ms: u64, max_ms: u64) -> Backoff {
    Backoff {
        max_retries,
        initial_delay: Duration::from_millis(initial_ms),
        max_delay: Duration::from_millis(max_ms),
        multiplier: 2.0,
        jitter: true,
    }
}

/// One of each class, and of rate limits a short and a long one.
pub(super) fn outcomes() -> Vec<Outcome> {
    let text = "why".to_owned();
    vec![
        Outcome::Handled,
        Outcome::Failed(Failure::Permanent(text.clone())),
        Outcome::Failed(Failure::Unauthorized(text.clone())),
        Outcome::Failed(Failure::Transient(text.clone())),
        Outcome::Failed(Failure::RateLimited {
            retry_after: Duration::from_millis(700),
            reason: text.clone(),
        }),
        Outcome::Failed(Failure::RateLimited { retry_after: Duration::from_secs(60), reason: text.clone() }),
        Outcome::Faulted(Fault::Trap(text.clone())),
        Outcome::Faulted(Fault::Deadline(Duration::from_secs(1))),
        Outcome::Faulted(Fault::Memory { limit: 1 << 20 }),
        Outcome::Invalid(vec![text]),
        Outcome::Poison { deliveries: 20 },
        Outcome::Redelivered,
    ]
}

fn say(disposition: &Disposition) -> String {
    match disposition {
        Disposition::Ack => "ack".to_owned(),
        Disposition::Requeue { after } if after.is_zero() => "requeue".to_owned(),
        Disposition::Requeue { after } => format!("requeue/{}", after.as_millis()),
        Disposition::DeadLetter => "dead".to_owned(),
        Disposition::Retry { tier_ms, after } => format!("{}/{tier_ms}", after.as_millis()),
    }
}

#[test]
fn the_contract_may_say_otherwise_for_each_class() {
    use FailureAction::{DeadLetter, Retry as Again};
    let retry = Retry::TtlBackoff(backoff(2, 400, 10_000));
    let first = Attempt { number: 1, max: 3 };
    let turned = OnFailure {
        transient: Some(DeadLetter),
        rate_limited: Some(DeadLetter),
        permanent: Some(Again),
        unauthorized: Some(Again),
        trap: Some(DeadLetter),
        deadline: Some(DeadLetter),
        memory: Some(DeadLetter),
    };
    let found: Vec<String> = outcomes()
        .iter()
        .map(|outcome| {
            format!(
                "{}: {}",
                outcome.class(),
                say(&decide(outcome, first, &retry, &turned, DeliveryMode::AtLeastOnce, 0.5))
            )
        })
        .collect();
    // What does not fit its schema, and what brings the host down, is not for the contract to try again.
    let expected = [
        "handled: ack",
        "permanent: 400/400",
        "unauthorized: 400/400",
        "transient: dead",
        "rate-limited: dead",
        "rate-limited: dead",
        "trap: dead",
        "deadline: dead",
        "memory: dead",
        "invalid: dead",
        "poison: dead",
        "redelivered: dead",
    ];
    assert_eq!(found, expected);
    let last = Attempt { number: 3, max: 3 };
    let permanent = Outcome::Failed(Failure::Permanent(String::new()));
    assert_eq!(
        decide(&permanent, last, &retry, &turned, DeliveryMode::AtLeastOnce, 0.5),
        Disposition::DeadLetter
    );
}

#[test]
fn delays_stay_within_half_and_one_and_a_half_of_their_base_and_fit_their_queue() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..2_000 {
        let initial = random.u64(1..100_000);
        let mut backoff = backoff(random.u32(0..12), initial, initial + random.u64(0..10_000_000));
        backoff.multiplier = 1.0 + random.f64() * 4.0;
        backoff.jitter = random.bool();
        let retry = Retry::TtlBackoff(backoff.clone());
        let tiers = backoff.tiers_ms();
        for number in 1..=backoff.max_retries {
            let attempt = Attempt { number, max: retry.max_attempts() };
            let outcome = Outcome::Failed(Failure::Transient(String::new()));
            let Disposition::Retry { tier_ms, after } = decide(
                &outcome,
                attempt,
                &retry,
                &OnFailure::default(),
                DeliveryMode::AtLeastOnce,
                random.f64(),
            ) else {
                panic!("attempt {number} of {} was not retried", attempt.max);
            };
            let (base, after) = (backoff.base_delay_ms(number - 1) as f64, after.as_millis() as f64);
            assert!(tiers.contains(&tier_ms));
            assert!(after <= backoff.longest_ms(tier_ms) as f64);
            assert!(after >= (base * 0.5).floor().max(1.0) && after <= (base * 1.5).ceil());
        }
    }
}

#[test]
fn delays_do_not_overflow() {
    let backoff = backoff(u32::MAX, 2_147_483_647, 2_147_483_647);
    assert_eq!(backoff.base_delay_ms(u32::MAX), 2_147_483_647);
}

fn message(headers: &[(&str, HeaderValue)]) -> Message {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Message { headers, routing_key: "work".to_owned(), ..Message::default() }
}

const QUORUM: Arrival = Arrival { queue: QueueType::Quorum, redelivered: false };

#[test]
fn attempts_that_make_no_sense_are_first_attempts() {
    let backoff = Retry::TtlBackoff(backoff(3, 1, 1));
    for value in [HeaderValue::text("nonsense"), HeaderValue::I64(-5), HeaderValue::Void] {
        let message = message(&[("x-retry-count", value)]);
        assert_eq!(history::attempt(&message, QUORUM, &backoff).number, 1, "{message:?}");
    }
    let message = message(&[("x-retry-count", HeaderValue::I64(i64::MAX))]);
    assert_eq!(history::attempt(&message, QUORUM, &backoff).number, u32::MAX);
}

#[test]
fn a_copy_keeps_what_the_publisher_said_and_drops_what_the_broker_added() {
    let mut original = message(&[
        ("customer", HeaderValue::I16(5)),
        ("x-death", HeaderValue::Array(vec![])),
        ("x-first-death-queue", HeaderValue::text("q")),
        ("x-acquired-count", HeaderValue::I64(1)),
        ("CC", HeaderValue::Array(vec![])),
        ("traceparent", HeaderValue::text("00-1")),
    ]);
    original.exchange = "orders".to_owned();
    original.properties.expiration = Some("60000".to_owned());
    original.properties.user_id = Some("shop".to_owned());
    original.properties.priority = Some(3);
    let outcome = Outcome::Failed(Failure::Transient("gateway".to_owned()));
    let first = copy::for_retry(
        &original,
        &outcome,
        Attempt { number: 1, max: 3 },
        Duration::from_millis(250),
        1_000,
    );
    let mut back = first.clone();
    (back.exchange, back.routing_key, back.properties.expiration) = (String::new(), "queue".to_owned(), None);
    let second =
        copy::for_retry(&back, &outcome, Attempt { number: 2, max: 3 }, Duration::from_millis(500), 2_000);
    let names: Vec<&str> = second.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "customer",
            "traceparent",
            "x-original-exchange",
            "x-original-routing-key",
            "x-original-expiration",
            "x-last-error",
            "x-warren-history",
            "x-first-failure-timestamp",
            "x-retry-count"
        ]
    );
    assert_eq!(history::origin(&second), ("orders", "work"));
    assert_eq!(second.header("customer"), Some(&HeaderValue::I16(5)));
    assert_eq!(second.header("x-first-failure-timestamp"), Some(&HeaderValue::I64(1_000)));
    assert_eq!(second.header("x-original-expiration"), Some(&HeaderValue::text("60000")));
    assert_eq!(second.properties.expiration.as_deref(), Some("500"));
    assert_eq!((second.properties.user_id, second.properties.priority), (None, Some(3)));
}

#[test]
fn a_copy_fits_into_a_frame() {
    let large = |bytes: usize| HeaderValue::text("x".repeat(bytes));
    let original =
        message(&[("small", HeaderValue::I16(1)), ("large", large(90_000)), ("other", large(30_000))]);
    let outcome = Outcome::Failed(Failure::Transient("gateway".to_owned()));
    let attempt = Attempt { number: 1, max: 3 };
    let copy = copy::for_retry(&original, &outcome, attempt, Duration::ZERO, 1_000);
    assert_eq!((copy.header("large"), copy.header("small")), (None, Some(&HeaderValue::I16(1))));
    assert!(copy.header("other").is_some());
    assert_eq!(copy.header("x-warren-dropped-headers"), Some(&HeaderValue::text("large")));
}

#[test]
fn a_dead_letter_explains_itself_and_stays_small() {
    let holder = copy::Holder {
        contract: "orders@1".to_owned(),
        consumer: "take".to_owned(),
        queue: "work".to_owned(),
        component: "abc".to_owned(),
    };
    let outcome = Outcome::Faulted(Fault::Trap("é".repeat(100_000)));
    let dead = copy::for_dead_letter(&message(&[]), &outcome, Attempt { number: 4, max: 4 }, &holder, 5);
    assert_eq!(dead.header("x-warren-class"), Some(&HeaderValue::text("trap")));
    assert_eq!(dead.header("x-warren-attempts"), Some(&HeaderValue::I32(4)));
    assert_eq!(dead.header("x-retry-count"), Some(&HeaderValue::I32(3)));
    assert!(dead.headers.iter().map(|(_, value)| value.size()).sum::<usize>() < 8_000);
    assert_eq!(dead.properties.expiration, None);
}

fn entries(message: &Message) -> Vec<(i64, i64, String)> {
    let Some(HeaderValue::Array(entries)) = message.header("x-warren-history") else { return Vec::new() };
    let field = |entry: &HeaderValue, wanted: &str| match entry {
        HeaderValue::Table(fields) => fields.iter().find(|(name, _)| name == wanted).unwrap().1.clone(),
        other => panic!("{other:?}"),
    };
    let read = |entry| {
        let number = |name| field(entry, name).as_integer().unwrap();
        (number("attempt"), number("at"), field(entry, "class").as_text().unwrap().to_owned())
    };
    entries.iter().map(read).collect()
}

#[test]
fn copies_remember_when_each_attempt_was_and_what_came_of_it() {
    let trap = Outcome::Faulted(Fault::Trap("unreachable".to_owned()));
    let busy = Outcome::Failed(Failure::Transient("gateway".to_owned()));
    let attempt = |number| Attempt { number, max: 3 };
    let first = copy::for_retry(&message(&[]), &busy, attempt(1), Duration::ZERO, 1_000);
    let second = copy::for_retry(&first, &trap, attempt(2), Duration::ZERO, 2_000);
    let waited = copy::for_wait(&second, Duration::from_millis(5));
    let holder = copy::Holder {
        contract: String::new(),
        consumer: String::new(),
        queue: String::new(),
        component: String::new(),
    };
    let dead = copy::for_dead_letter(&waited, &busy, attempt(3), &holder, 4_000);
    let expected = [(1, 1_000, "transient"), (2, 2_000, "trap"), (3, 4_000, "transient")];
    assert_eq!(entries(&dead), expected.map(|(number, at, class)| (number, at, class.to_owned())));
}

/// What a copy may add to a message in all, in bytes: together with `HEADER_BYTES_MAX`, less than a frame.
const ADDED_BYTES_MAX: usize = 12 * 1024;
const FRAME_BYTES: usize = 128 * 1024;

fn header_bytes(message: &Message) -> usize {
    message.headers.iter().map(|(name, value)| name.len() + 1 + value.size()).sum()
}

/// However often a message is tried, and whatever its publisher and its handler say.
#[test]
fn headers_of_copies_are_bounded_however_often_a_message_is_tried() {
    let mut random = fastrand::Rng::with_seed(11);
    let long = |random: &mut fastrand::Rng, most: usize| {
        let unit = ["a", "é", "\n", "🦀"][random.usize(0..4)];
        unit.repeat(random.usize(0..=most))
    };
    for round in 0..60 {
        let mut original = message(&[]);
        // Headers that look like ours, and are not; small ones, and such that fill a frame.
        let junk = (0..random.usize(0..40)).map(|_| HeaderValue::text(long(&mut random, 300))).collect();
        let table = HeaderValue::Table(vec![("attempt".to_owned(), HeaderValue::Array(junk))]);
        original.set_header("x-warren-history", HeaderValue::Array(vec![table; random.usize(0..30)]));
        for number in 0..random.usize(0..20) {
            original.set_header(&format!("h-{number}"), HeaderValue::text(long(&mut random, 4_000)));
        }
        original.properties.expiration = Some("60000".to_owned());
        let max = random.u32(1..200);
        let (mut copy, mut sizes) = (original.clone(), Vec::new());
        for number in 1..=max {
            let text = long(&mut random, 5_000);
            let outcome = match random.u8(0..3) {
                0 => Outcome::Failed(Failure::Transient(text)),
                1 => Outcome::Faulted(Fault::Trap(text)),
                _ => Outcome::Failed(Failure::RateLimited { retry_after: Duration::MAX, reason: text }),
            };
            let attempt = Attempt { number, max };
            copy = copy::for_retry(&copy, &outcome, attempt, Duration::ZERO, u64::from(number));
            if random.bool() {
                copy = copy::for_wait(&copy, Duration::ZERO);
            }
            let arrival = Arrival { queue: QueueType::Classic, redelivered: true };
            if random.bool() {
                copy = copy::for_recount(&copy, arrival);
            }
            sizes.push(header_bytes(&copy));
            let (kept, most) = (entries(&copy), 16.min(number as usize));
            assert_eq!(kept.len(), most, "round {round}");
            assert!(kept.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "{kept:?}");
            assert_eq!(kept.last().map(|(attempt, ..)| *attempt), Some(number.into()));
        }
        let holder = copy::Holder {
            contract: "c".repeat(255),
            consumer: "c".repeat(255),
            queue: "q".repeat(255),
            component: "0".repeat(64),
        };
        let attempt = Attempt { number: max, max };
        let outcome = Outcome::Invalid(vec!["x".repeat(100_000)]);
        sizes.push(header_bytes(&copy::for_dead_letter(&copy, &outcome, attempt, &holder, 7)));
        let most = header_bytes(&original).min(copy::HEADER_BYTES_MAX) + ADDED_BYTES_MAX;
        assert!(
            sizes.iter().all(|size| *size <= most && *size < FRAME_BYTES),
            "round {round}: {sizes:?} {most}"
        );
    }
}

#[test]
fn a_recounted_message_is_as_it_was_and_one_delivery_further() {
    let classic = |redelivered| Arrival { queue: QueueType::Classic, redelivered };
    let mut original = message(&[("x-retry-count", HeaderValue::I32(2)), ("CC", HeaderValue::Array(vec![]))]);
    original.exchange = "orders".to_owned();
    original.properties.expiration = Some("60000".to_owned());
    let mut came = original;
    for before in 0..25_u64 {
        assert_eq!(history::deliveries(&came, classic(false)), before);
        assert_eq!(history::deliveries(&came, classic(true)), before + 1);
        assert_eq!(history::is_suspect(&came, classic(false)), before >= 3);
        assert_eq!(history::is_poison(&came, classic(false), &Retry::None, 20), before >= 20);
        came = copy::for_recount(&came, classic(true));
        (came.exchange, came.routing_key) = (String::new(), "queue".to_owned());
    }
    assert_eq!(history::origin(&came), ("orders", "work"));
    assert_eq!(came.properties.expiration.as_deref(), Some("60000"), "it still expires where it waits");
    assert_eq!((came.header("CC"), came.header("x-retry-count")), (None, Some(&HeaderValue::I32(2))));
    // Once it was tried, that counts, and no longer how often it was handed over before.
    let failed = Outcome::Failed(Failure::Transient(String::new()));
    let retried = copy::for_retry(&came, &failed, Attempt { number: 3, max: 9 }, Duration::ZERO, 1);
    assert_eq!(history::deliveries(&retried, classic(false)), 0);
}

#[test]
fn innocents_have_two_deliveries_left_when_a_channel_begins_carefully() {
    let native = |max_retries| Retry::QuorumNative { max_retries };
    let careful = [1, 2, 3, 4, 100].map(|max_retries| history::careful_from(&native(max_retries), 20));
    assert_eq!(careful, [1, 1, 2, 3, 3]);
    let other = [1, 3, 4, 5, 20].map(|deliveries_max| history::careful_from(&Retry::None, deliveries_max));
    assert_eq!(other, [1, 1, 2, 3, 3]);
}
