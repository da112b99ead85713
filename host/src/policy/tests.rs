//! The whole policy as a table, and the arithmetic of delays as properties.

use std::time::Duration;

use super::*;
use crate::contract::{Backoff, DeliveryMode};
use crate::message::{HeaderValue, Message};

fn backoff(max_retries: u32, initial_ms: u64, max_ms: u64) -> Backoff {
    Backoff {
        max_retries,
        initial_delay: Duration::from_millis(initial_ms),
        max_delay: Duration::from_millis(max_ms),
        multiplier: 2.0,
        jitter: true,
    }
}

/// 400 ms, 800 ms and so on, by the broker.
fn delayed(max_retries: u32) -> Retry {
    let (initial_delay, max_delay) = (Duration::from_millis(400), Duration::from_secs(10));
    Retry::NativeDelay { max_retries, initial_delay, max_delay }
}

fn outcomes() -> Vec<Outcome> {
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
    ]
}

fn decided(outcome: &Outcome, attempt: Attempt, retry: &Retry) -> Disposition {
    decide(outcome, attempt, retry, &OnFailure::default(), DeliveryMode::AtLeastOnce, 0.5)
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

/// Columns: attempts 1, 2, 3 and 4 of 3, with no jitter either way (0.5). `700/1000` is: wait 700 ms in the queue of 1 s.
#[test]
fn the_policy() {
    let modes = [
        ("none", Retry::None),
        ("native", Retry::QuorumNative { max_retries: 2 }),
        ("backoff", Retry::TtlBackoff(backoff(2, 400, 10_000))),
        ("delayed", delayed(2)),
    ];
    let mut table = String::new();
    for (name, retry) in modes {
        for outcome in outcomes() {
            let max = retry.max_attempts();
            let cells: Vec<String> =
                (1..=4).map(|number| say(&decided(&outcome, Attempt { number, max }, &retry))).collect();
            table += &format!("{name:8} {:13} {}\n", outcome.class(), cells.join(" "));
        }
    }
    let expected = "\
none     handled       ack ack ack ack
none     permanent     dead dead dead dead
none     unauthorized  dead dead dead dead
none     transient     dead dead dead dead
none     rate-limited  dead dead dead dead
none     rate-limited  dead dead dead dead
none     trap          dead dead dead dead
none     deadline      dead dead dead dead
none     memory        dead dead dead dead
none     invalid       dead dead dead dead
none     poison        dead dead dead dead
native   handled       ack ack ack ack
native   permanent     dead dead dead dead
native   unauthorized  dead dead dead dead
native   transient     requeue requeue dead dead
native   rate-limited  requeue/700 requeue/700 dead dead
native   rate-limited  requeue/60000 requeue/60000 dead dead
native   trap          requeue requeue dead dead
native   deadline      requeue requeue dead dead
native   memory        requeue requeue dead dead
native   invalid       dead dead dead dead
native   poison        dead dead dead dead
backoff  handled       ack ack ack ack
backoff  permanent     dead dead dead dead
backoff  unauthorized  dead dead dead dead
backoff  transient     400/400 800/800 dead dead
backoff  rate-limited  700/800 800/800 dead dead
backoff  rate-limited  1200/800 1200/800 dead dead
backoff  trap          400/400 800/800 dead dead
backoff  deadline      400/400 800/800 dead dead
backoff  memory        400/400 800/800 dead dead
backoff  invalid       dead dead dead dead
backoff  poison        dead dead dead dead
delayed  handled       ack ack ack ack
delayed  permanent     dead dead dead dead
delayed  unauthorized  dead dead dead dead
delayed  transient     requeue requeue dead dead
delayed  rate-limited  requeue/300 requeue dead dead
delayed  rate-limited  requeue/59600 requeue/59200 dead dead
delayed  trap          requeue requeue dead dead
delayed  deadline      requeue requeue dead dead
delayed  memory        requeue requeue dead dead
delayed  invalid       dead dead dead dead
delayed  poison        dead dead dead dead
";
    assert_eq!(table, expected, "found:\n{table}");
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

#[test]
fn attempts_are_counted_by_our_header_or_by_the_broker() {
    let backoff = Retry::TtlBackoff(backoff(3, 1, 1));
    let native = Retry::QuorumNative { max_retries: 3 };
    let delayed = delayed(3);
    let returned =
        message(&[("x-acquired-count", HeaderValue::I64(7)), ("x-delivery-count", HeaderValue::I64(2))]);
    let retried = message(&[("x-retry-count", HeaderValue::I32(2))]);
    for (message, retry, expected) in [
        (message(&[]), &backoff, 1),
        (retried.clone(), &backoff, 3),
        (returned.clone(), &backoff, 1), // the host was stopped with it in hand: costs no attempt
        (returned.clone(), &native, 8),
        (returned, &delayed, 3), // by what the broker's own limit counts
        (retried, &native, 1),
        (self::message(&[("x-retry-count", HeaderValue::text("nonsense"))]), &backoff, 1),
        (self::message(&[("x-retry-count", HeaderValue::I64(-5))]), &backoff, 1),
    ] {
        assert_eq!(history::attempt(&message, retry).number, expected, "{message:?} {retry:?}");
    }
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
