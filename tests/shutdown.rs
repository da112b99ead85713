//! Stopping: what is in flight is finished, the rest is back in its queue, and the exit code says that all is well.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::forwarder::{Forwarder, free_port};
use crate::support::guests::SLEEPS;
use crate::support::host::{Host, Project};
use crate::support::letter::{Got, Letter};
use crate::support::{SOON, eventually};

/// A host that has one message in its hands, for longer than any test.
fn busy(vhost: &Vhost, url: &str, grace_seconds: &str) -> Host {
    let project = Project::new(&Worker::new(SLEEPS).handler("deadlineMs: 900000"));
    let host = project.start_with(url, &["--grace-seconds", grace_seconds]);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "ms": 900_000 })));
    vhost.until_unacked("work", 1);
    host
}

#[test]
fn a_stopped_host_finishes_what_it_began_and_returns_the_rest() {
    for signal in ["TERM", "INT"] {
        let vhost = Vhost::fresh(signal);
        let worker = Worker::new(SLEEPS).handler("deadlineMs: 60000, concurrency: 2").consumer("prefetch: 6");
        let host = Host::start(&worker, &vhost);
        let letters = (0..20).map(|n| Letter::json(&format!("m-{n}"), &json!({ "ms": 250 }))).collect();
        vhost.client.publish_all("in", "task", letters);
        eventually("three are handled", SOON, || (vhost.client.ready("echoes") >= 3).then_some(()));
        host.signal(signal);
        assert_eq!(host.until_exit(SOON), Some(0));

        let done: BTreeSet<String> = vhost.client.drain("echoes").iter().map(Got::correlation_id).collect();
        vhost.client.until_ready("work", u32::try_from(20 - done.len()).unwrap());
        let rest = vhost.client.drain("work");
        let returned = rest.iter().filter(|got| got.redelivered).count();
        let rest: BTreeSet<String> = rest.iter().map(Got::id).collect();
        assert!((3..20).contains(&done.len()), "{} were handled", done.len());
        assert_eq!((done.len() + rest.len(), done.is_disjoint(&rest)), (20, true), "{done:?} {rest:?}");
        assert!(returned <= 6, "{returned} were handed over before, the prefetch is 6");
        assert_eq!(vhost.leftovers(), [].into());
    }
}

#[test]
fn when_the_grace_period_is_over_a_message_goes_back() {
    let vhost = Vhost::fresh("grace");
    let host = busy(&vhost, &vhost.url(), "1");
    let began = Instant::now();
    host.signal("TERM");
    assert_eq!(host.until_exit(Duration::from_secs(20)), Some(0));
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    vhost.client.until_ready("work", 1);
    assert_eq!(vhost.client.take_one("work").id(), "m-1");
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_second_signal_ends_the_host_at_once() {
    let vhost = Vhost::fresh("twice");
    let host = busy(&vhost, &vhost.url(), "600");
    host.signal("INT");
    host.until_event("stopping", 1);
    host.signal("INT");
    assert_eq!(host.until_exit(Duration::from_secs(20)), Some(130));
    vhost.client.until_ready("work", 1);
    assert_eq!(vhost.client.take_one("work").id(), "m-1");
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_host_that_loses_its_broker_while_it_stops_does_not_wait() {
    let vhost = Vhost::fresh("lost");
    let forwarder = Forwarder::start();
    let host = busy(&vhost, &vhost.url_by(forwarder.port()), "600");
    host.signal("TERM");
    host.until_event("stopping", 1);
    forwarder.cut();
    assert_eq!(host.until_exit(Duration::from_secs(20)), Some(0));
    vhost.client.until_ready("work", 1);
}

#[test]
fn a_host_without_a_broker_can_be_stopped() {
    let vhost = Vhost::fresh("no-broker");
    let project = Project::new(&Worker::new(SLEEPS));
    let never_there = project.launch(&vhost.url_by(free_port()), &[]);
    never_there.until_event("trying again", 1);

    let forwarder = Forwarder::start();
    let gone = project.start_with(&vhost.url_by(forwarder.port()), &[]);
    drop(forwarder);
    gone.until_event("trying again", 1);
    for host in [never_there, gone] {
        host.signal("TERM");
        assert_eq!(host.until_exit(Duration::from_secs(20)), Some(0));
    }
}
