//! Failures and faults: what is retried, how often and when, and what a dead letter says of itself.

use std::time::{Duration, Instant};

use lapin::types::AMQPValue;
use serde_json::json;

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::guests::{
    DISPATCHES, ECHOES, FAILS_PERMANENTLY, FAILS_TRANSIENTLY, Guest, HOARDS, IS_RATE_LIMITED,
    IS_UNAUTHORIZED, LOOPS, PUBLISHES_THEN_FAILS, PUBLISHES_THEN_TRAPS, SLEEPS, SUCCEEDS, TRAPS,
};
use crate::support::host::{Host, Project};
use crate::support::letter::{Got, Letter, arguments, text};

/// Has one message handled by a contract that cannot, and gives its dead letter. Nothing else may be left anywhere.
fn dead_letter(vhost: &Vhost, worker: &Worker, letter: Letter) -> Got {
    let host = Host::start(worker, vhost);
    vhost.client.publish("in", "task", letter);
    let dead = vhost.client.take_one("dead");
    host.finish();
    assert_eq!(vhost.leftovers(), [].into());
    dead
}

fn sha256_of(guest: Guest) -> String {
    let output =
        std::process::Command::new("sha256sum").arg(guest.component()).output().expect("sha256sum runs");
    String::from_utf8_lossy(&output.stdout).split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn final_failures_are_dead_lettered_at_once_and_say_why() {
    for (guest, class, error) in [
        (FAILS_PERMANENTLY, "permanent", "no such order"),
        (IS_UNAUTHORIZED, "unauthorized", "the token has expired"),
    ] {
        let vhost = Vhost::fresh(class);
        let letter = Letter::json("m-1", &json!({ "n": 1 }));
        let dead = dead_letter(&vhost, &Worker::new(guest), letter.clone());
        assert_eq!((dead.exchange.as_str(), dead.routing_key.as_str()), ("dlx", "dead"));
        assert_eq!((dead.body.as_slice(), dead.id().as_str()), (letter.body.as_slice(), "m-1"));
        assert_eq!(*dead.properties.delivery_mode(), Some(2));
        for (name, value) in [
            ("x-warren-class", class),
            ("x-last-error", error),
            ("x-warren-consumer", "worker"),
            ("x-warren-queue", "work"),
            ("x-warren-contract", "tests@1.2.3"),
            ("x-warren-component", &sha256_of(guest)),
            ("x-original-exchange", "in"),
            ("x-original-routing-key", "task"),
        ] {
            assert_eq!(dead.text(name), value, "{name}");
        }
        assert_eq!((dead.integer("x-warren-attempts"), dead.integer("x-retry-count")), (1, 0));
        assert!(dead.integer("x-warren-dead-lettered-at") >= dead.integer("x-first-failure-timestamp"));
    }
}

#[test]
fn a_transient_failure_is_tried_as_often_as_the_contract_says() {
    let vhost = Vhost::fresh("transient");
    let retry = "mode: ttl-backoff, maxRetries: 3, initialDelayMs: 40, maxDelayMs: 100, backoffMultiplier: 2";
    let worker = Worker::new(FAILS_TRANSIENTLY).retry(retry);
    let dead = dead_letter(&vhost, &worker, Letter::json("m-1", &json!({})));
    assert_eq!(dead.text("x-warren-class"), "transient");
    assert_eq!(dead.text("x-last-error"), "not yet at attempt 4");
    assert_eq!((dead.integer("x-warren-attempts"), dead.integer("x-retry-count")), (4, 3));
    assert_eq!(
        (dead.text("x-original-exchange"), dead.text("x-original-routing-key")),
        ("in".into(), "task".into())
    );
    let mut queues = vhost.queues();
    queues.sort();
    // One wait queue for each distinct delay, so that a short one never waits behind a long one.
    assert_eq!(queues, ["dead", "echoes", "work", "work-wait-100ms", "work-wait-40ms", "work-wait-80ms"]);
}

#[test]
fn a_failure_that_passes_is_handled_in_the_end() {
    for kind in ["quorum", "classic"] {
        let vhost = Vhost::fresh(kind);
        let worker = Worker::new(FAILS_TRANSIENTLY).queue(&format!("type: {kind}"));
        let host = Host::start(&worker, &vhost);
        vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "succeedOn": 3 })));
        let echo = vhost.client.take_one("echoes");
        host.finish();
        assert_eq!(echo.json()["attempt"], 3, "{kind}");
        assert_eq!((echo.correlation_id(), echo.text("x-causation-id")), ("m-1".into(), "m-1".into()));
        assert_eq!(vhost.leftovers(), [].into());
    }
}

#[test]
fn a_retry_does_not_come_before_its_time() {
    let vhost = Vhost::fresh("delay");
    let retry = "mode: ttl-backoff, maxRetries: 2, initialDelayMs: 400, maxDelayMs: 800, jitter: false";
    let host = Host::start(&Worker::new(FAILS_TRANSIENTLY).retry(retry), &vhost);
    let began = Instant::now();
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "succeedOn": 3 })));
    vhost.client.take_one("echoes");
    let took = began.elapsed();
    host.finish();
    assert!(took >= Duration::from_millis(1200), "{took:?}");
}

#[test]
fn a_rate_limited_message_waits_as_long_as_asked() {
    // The guest asks for 300 ms: longer than every wait queue holds, between two of them, and shorter than the first.
    for (name, delays) in [
        ("shorter", "initialDelayMs: 50, maxDelayMs: 50, jitter: false"),
        ("between", "initialDelayMs: 100, maxDelayMs: 1000, backoffMultiplier: 10"),
        ("longer", "initialDelayMs: 700, maxDelayMs: 700, jitter: false"),
    ] {
        let vhost = Vhost::fresh(name);
        let retry = format!("mode: ttl-backoff, maxRetries: 2, {delays}");
        let host = Host::start(&Worker::new(IS_RATE_LIMITED).retry(&retry), &vhost);
        let began = Instant::now();
        vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
        let echo = vhost.client.take_one("echoes");
        let took = began.elapsed();
        host.finish();
        assert!(took >= Duration::from_millis(300), "{name}: {took:?}");
        // Waiting again because it was not due yet is no attempt.
        assert_eq!(echo.json()["attempt"], 2, "{name}");
        assert_eq!(vhost.leftovers(), [].into());
    }
}

#[test]
fn a_rate_limited_message_waits_with_quorum_native_too() {
    let vhost = Vhost::fresh("native-limited");
    let worker = Worker::new(IS_RATE_LIMITED).retry("mode: quorum-native, maxRetries: 3");
    let host = Host::start(&worker, &vhost);
    let began = Instant::now();
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    vhost.client.take_one("echoes");
    let took = began.elapsed();
    host.finish();
    assert!(took >= Duration::from_millis(300), "{took:?}");
}

#[test]
fn faults_are_retried_within_the_bound_and_then_dead_lettered() {
    for (guest, handler, payload, class, error) in [
        (TRAPS, "deadlineMs: 60000", json!({}), "trap", "the handler gave up"),
        (LOOPS, "deadlineMs: 100", json!({}), "deadline", "not done within its deadline of 100 ms"),
        (HOARDS, "deadlineMs: 60000, memoryMiB: 8", json!({}), "memory", "its limit of 8 MiB"),
        // It cannot even be given the message.
        (SUCCEEDS, "memoryMiB: 2", json!({ "x": "x".repeat(4_000_000) }), "memory", "its limit of 2 MiB"),
        // It would return in the end, but late,
        (
            SLEEPS,
            "deadlineMs: 200",
            json!({ "ms": 300 }),
            "deadline",
            "not done within its deadline of 200 ms",
        ),
        // or nobody would live to see it.
        (
            SLEEPS,
            "deadlineMs: 200",
            json!({ "ms": 600_000 }),
            "deadline",
            "not done within its deadline of 200 ms",
        ),
    ] {
        let vhost = Vhost::fresh(class);
        let worker = Worker::new(guest).handler(handler);
        let dead = dead_letter(&vhost, &worker, Letter::json("m-1", &payload));
        assert_eq!(dead.text("x-warren-class"), class);
        assert!(dead.text("x-last-error").contains(error), "{class}: {}", dead.text("x-last-error"));
        assert_eq!(dead.integer("x-warren-attempts"), 3, "{class}");
    }
}

#[test]
fn a_handler_that_does_not_succeed_publishes_nothing() {
    for (guest, class, attempts) in
        [(PUBLISHES_THEN_FAILS, "permanent", 1), (PUBLISHES_THEN_TRAPS, "trap", 3)]
    {
        let vhost = Vhost::fresh(class);
        let dead = dead_letter(&vhost, &Worker::new(guest), Letter::json("m-1", &json!({})));
        assert_eq!(dead.text("x-warren-class"), class);
        assert_eq!(dead.integer("x-warren-attempts"), attempts);
    }
}

#[test]
fn without_retries_the_first_failure_is_the_last() {
    for (guest, retry, class) in [
        (FAILS_TRANSIENTLY, "mode: none", "transient"),
        (IS_RATE_LIMITED, "mode: none", "rate-limited"),
        (TRAPS, "mode: none", "trap"),
        (FAILS_TRANSIENTLY, "mode: ttl-backoff, maxRetries: 0", "transient"),
        (FAILS_TRANSIENTLY, "mode: quorum-native, maxRetries: 0", "transient"),
    ] {
        let vhost = Vhost::fresh(class);
        let worker = Worker::new(guest).retry(retry);
        let dead = dead_letter(&vhost, &worker, Letter::json("m-1", &json!({})));
        assert_eq!((dead.text("x-warren-class").as_str(), dead.integer("x-warren-attempts")), (class, 1));
        assert!(!vhost.queues().iter().any(|queue| queue.contains("-wait-")));
    }
}

#[test]
fn the_broker_counts_attempts_with_quorum_native() {
    let vhost = Vhost::fresh("native");
    let worker = Worker::new(FAILS_TRANSIENTLY).retry("mode: quorum-native, maxRetries: 4");
    let host = Host::start(&worker, &vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    vhost.client.publish("in", "task", Letter::json("m-2", &json!({ "succeedOn": 3 })));
    let dead = vhost.client.take_one("dead");
    let echo = vhost.client.take_one("echoes");
    host.finish();
    assert_eq!(dead.id(), "m-1");
    assert_eq!(dead.text("x-last-error"), "not yet at attempt 5");
    assert_eq!(dead.integer("x-warren-attempts"), 5);
    assert_eq!(dead.header("x-death"), None);
    assert_eq!(
        (echo.json()["attempt"].as_u64(), echo.json()["redelivered"].as_bool()),
        (Some(3), Some(true))
    );
    assert_eq!(vhost.leftovers(), [].into());
}

/// Where the contract gives dead letters no key, they keep the message's own, also after a wait queue has changed it.
#[test]
fn a_dead_letter_without_a_key_keeps_the_messages_own() {
    let vhost = Vhost::fresh("own-key");
    let contract = Worker::new(FAILS_TRANSIENTLY).to_string();
    let contract = contract.replace(", routingKey: dead }, retry", " }, retry");
    let contract = contract.replace("queue: dead, routingKey: dead", "queue: dead, routingKey: task");
    let host = Host::start(&contract, &vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    let dead = vhost.client.take_one("dead");
    host.finish();
    assert_eq!((dead.routing_key.as_str(), dead.integer("x-warren-attempts")), ("task", 3));
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn poison_is_dropped_where_the_contract_says_so() {
    let vhost = Vhost::fresh("drop");
    let contract = Worker::new(FAILS_PERMANENTLY).to_string();
    let contract = contract.replace("deadLetter: { exchange: dlx, routingKey: dead }", "onPoison: drop");
    let host = Host::start(&contract, &vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    vhost.until_acked("work", 1);
    host.finish();
    assert_eq!(vhost.leftovers(), [].into());
}

/// With all headers that it was published with, a copy would go to its other receivers once more, or nowhere at all.
#[test]
fn copies_of_a_message_carry_no_orders_to_the_broker() {
    let vhost = Vhost::fresh("copies");
    let host = Host::start(&Worker::new(FAILS_TRANSIENTLY), &vhost);
    vhost.client.declare_queue("other", &arguments([]));
    vhost.client.bind("other", "in", "other");
    vhost.client.bind("other", "dlx", "other");
    let receivers = AMQPValue::FieldArray(vec![text("other")].into());
    for header in ["CC", "BCC"] {
        let letter = Letter::json(header, &json!({})).header(header, receivers.clone());
        vhost.client.publish("in", "task", letter);
    }
    // RabbitMQ 3 believes what a publisher says of earlier deaths, and drops what seems to go in circles.
    let death = [("queue", text("work-wait-50ms")), ("reason", text("expired")), ("exchange", text(""))];
    let deaths = AMQPValue::FieldArray(vec![AMQPValue::FieldTable(arguments(death))].into());
    vhost.client.publish("in", "task", Letter::json("x-death", &json!({})).header("x-death", deaths));
    let dead = vhost.client.take("dead", 3);
    host.finish();
    for dead in dead {
        assert_eq!(dead.integer("x-warren-attempts"), 3, "{}", dead.id());
        for name in ["CC", "BCC", "x-death"] {
            assert_eq!(dead.header(name), None, "{}", dead.id());
        }
    }
    assert_eq!(vhost.leftovers(), [("other".to_owned(), 2)].into());
}

/// All properties of a message have to fit into one frame, and a dead letter has more of them than the message had.
#[test]
fn a_message_whose_headers_fill_a_frame_stops_nobody() {
    let vhost = Vhost::fresh("frame");
    let host = Host::start(&Worker::new(DISPATCHES), &vhost);
    let large = text(&"x".repeat(130_900));
    let letter = Letter::json("large", &json!({ "do": "permanent" })).header("large", large);
    vhost.client.publish("in", "task", letter.clone());
    vhost.client.publish("in", "task", Letter::json("small", &json!({ "do": "ok" })));
    let dead = vhost.client.take_one("dead");
    let echo = vhost.client.take_one("echoes");
    host.finish();
    assert_eq!((dead.id().as_str(), echo.correlation_id().as_str()), ("large", "small"));
    assert_eq!((dead.text("x-warren-class").as_str(), &dead.body), ("permanent", &letter.body));
    assert_eq!(vhost.leftovers(), [].into());
}

/// What the broker dead-letters by itself goes where the host's dead letters go.
#[test]
fn the_brokers_own_limits_lead_to_the_dead_letters() {
    for (name, retry, limit) in
        [("delivery_limit", "mode: none", "deliveryLimit: 2"), ("expired", "mode: none", "messageTtlMs: 1")]
    {
        let vhost = Vhost::fresh(name);
        let project = Project::new(&Worker::new(FAILS_TRANSIENTLY).retry(retry).queue(limit));
        project.start(&vhost).finish();
        vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
        if name == "delivery_limit" {
            (0..3).for_each(|_| vhost.client.hand_over_and_drop("work"));
        }
        let dead = vhost.client.take_one("dead");
        assert_eq!((dead.id().as_str(), dead.header("x-warren-class")), ("m-1", None));
        let first_death = (dead.text("x-first-death-reason"), dead.text("x-first-death-queue"));
        assert_eq!(first_death, (name.to_owned(), "work".to_owned()));
        assert_eq!(vhost.leftovers(), [].into());
    }
}

#[test]
fn a_poisonous_message_is_not_given_to_the_handler_for_ever() {
    // What a host that is brought down again and again leaves behind: a message that was handed over many times.
    let vhost = Vhost::fresh("poison");
    let worker = Worker::new(ECHOES).queue("deliveryLimit: 3");
    let project = Project::new(&worker);
    project.start(&vhost).finish();
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    for _ in 0..3 {
        vhost.client.hand_over_and_drop("work");
    }
    let host = project.start(&vhost);
    let dead = vhost.client.take_one("dead");
    host.finish();
    assert_eq!(dead.text("x-warren-class"), "poison");
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_spinning_handler_does_not_hold_up_another_consumer() {
    let vhost = Vhost::fresh("spinning");
    let contract = format!(
        "contract: tests
exchanges: {{ in: {{ type: direct }}, out: {{ type: direct }}, dlx: {{ type: direct }} }}
queues:
  spinning: {{ deadLetter: {{ exchange: dlx, routingKey: dead }}, retry: {{ mode: none }} }}
  echoing: {{ deadLetter: {{ exchange: dlx, routingKey: dead }} }}
  echoes: {{}}
  dead: {{}}
bindings:
  echoes: {{ exchange: out, queue: echoes, routingKey: echoed }}
  dead: {{ exchange: dlx, queue: dead, routingKey: dead }}
messages: {{ any: {{ payload: {{ type: object }} }} }}
commands:
  spin: {{ exchange: in, routingKey: spin, message: any }}
  echo: {{ exchange: in, routingKey: echo, message: any }}
events: {{ echoed: {{ exchange: out, routingKey: echoed, message: any }} }}
consumers:
  spinner: {{ command: spin, queue: spinning, handler: {{ component: handlers/{}, deadlineMs: 8000 }} }}
  echoer: {{ command: echo, queue: echoing, handler: {{ component: handlers/{}, deadlineMs: 60000 }}, publishes: [echoed] }}
",
        LOOPS.file(),
        ECHOES.file()
    );
    let host = Host::start(&contract, &vhost);
    let letters =
        |name: &str, count| (0..count).map(|n| Letter::json(&format!("{name}-{n}"), &json!({}))).collect();
    vhost.client.publish_all("in", "spin", letters("spin", 8));
    vhost.client.until_ready("spinning", 0);
    vhost.client.publish_all("in", "echo", letters("echo", 50));
    let echoes = vhost.client.take("echoes", 50);
    let given_up_meanwhile = vhost.client.ready("dead");
    let dead = vhost.client.take("dead", 8);
    host.finish();
    assert_eq!((echoes.len(), given_up_meanwhile), (50, 0));
    assert!(dead.iter().all(|dead| dead.text("x-warren-class") == "deadline"), "{dead:?}");
    assert_eq!(vhost.leftovers(), [].into());
}
