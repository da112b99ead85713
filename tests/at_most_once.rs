//! Consumers that ask for at most once: acked on receipt, never handed to the handler twice.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::guests::{DISPATCHES, ECHOES, Guest, SLEEPS};
use crate::support::host::{Host, Project};
use crate::support::letter::Letter;
use crate::support::{SOON, eventually};

fn worker(guest: Guest) -> Worker {
    let worker = Worker::new(guest).retry("mode: none").handler("deadlineMs: 60000, concurrency: 2");
    worker.consumer("delivery: at-most-once, prefetch: 5")
}

#[test]
fn what_succeeds_is_published_and_what_fails_is_dead_lettered_at_once() {
    let vhost = Vhost::fresh("once");
    let host = Host::start(&worker(DISPATCHES), &vhost);
    let kinds = ["ok", "transient", "permanent", "trap", "rate-limit"];
    let letters = kinds.map(|kind| Letter::json(kind, &json!({ "do": kind }))).into();
    vhost.client.publish_all("in", "task", letters);
    let dead = vhost.client.take("dead", 4);
    assert_eq!(vhost.client.take_one("echoes").correlation_id(), "ok");
    host.finish();
    for dead in dead {
        let class = if dead.id() == "rate-limit" { "rate-limited".to_owned() } else { dead.id() };
        assert_eq!((dead.text("x-warren-class"), dead.integer("x-warren-attempts")), (class, 1));
    }
    assert_eq!(vhost.leftovers(), [].into());
}

/// That is the bargain: the message is gone with the host that had it in its hands.
#[test]
fn a_message_that_is_being_handled_is_acked_already() {
    let vhost = Vhost::fresh("once-killed");
    let project = Project::new(&worker(SLEEPS));
    let host = project.start(&vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "ms": 600_000 })));
    vhost.until_acked("work", 1);
    host.kill9();
    project.start(&vhost).finish();
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn what_may_have_been_handled_is_dead_lettered_and_not_handled_again() {
    let vhost = Vhost::fresh("once-again");
    let project = Project::new(&worker(ECHOES));
    project.start(&vhost).finish();
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    vhost.client.hand_over_and_drop("work");
    let host = project.start(&vhost);
    let dead = vhost.client.take_one("dead");
    host.finish();
    assert_eq!((dead.id().as_str(), dead.text("x-warren-class").as_str()), ("m-1", "redelivered"));
    assert_eq!(vhost.leftovers(), [].into());
}

/// Given back, they would come again as ones that may have been handled.
#[test]
fn a_host_that_stops_finishes_what_was_handed_over_ahead() {
    let vhost = Vhost::fresh("once-stopped");
    let project = Project::new(&worker(SLEEPS));
    let host = project.start(&vhost);
    let letters = (0..20).map(|n| Letter::json(&format!("m-{n}"), &json!({ "ms": 300 }))).collect();
    vhost.client.publish_all("in", "task", letters);
    eventually("some are handled", SOON, || (vhost.client.ready("echoes") >= 2).then_some(()));
    let began = Instant::now();
    host.signal("TERM");
    assert_eq!(host.until_exit(SOON), Some(0));
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    let left = vhost.client.ready("work");
    let host = project.start(&vhost);
    vhost.client.until_ready("echoes", 20);
    host.finish();
    assert!((1..18).contains(&left), "{left} were left");
    assert_eq!(vhost.leftovers(), [("echoes".to_owned(), 20)].into());
}
