//! Connections that are lost, hosts that are killed, queues that vanish: every message ends handled or dead, and a
//! duplicate is recognised by its id.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::forwarder::Forwarder;
use crate::support::guests::{DISPATCHES, ECHOES, SLEEPS};
use crate::support::host::{Host, Project};
use crate::support::letter::{Got, Letter};
use crate::support::{SOON, eventually};

/// Messages that take their time, `m-0` to `m-<count - 1>`.
pub(crate) fn slow_letters(count: usize, ms: u64) -> Vec<Letter> {
    (0..count).map(|n| Letter::json(&format!("m-{n}"), &json!({ "ms": ms }))).collect()
}

pub(crate) fn slow() -> Worker {
    Worker::new(SLEEPS).handler("deadlineMs: 60000, concurrency: 5").consumer("prefetch: 15")
}

/// Waits until every message `m-0` to `m-<count - 1>` is handled, and nothing is left; a message that was handled twice
/// has come out with the same id.
pub(crate) fn all_handled_once(vhost: &Vhost, host: Host, count: usize) {
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    eventually(&format!("{count} messages are handled"), SOON, || {
        for echo in vhost.client.drain("echoes") {
            ids.entry(echo.correlation_id()).or_default().insert(echo.id());
        }
        (ids.len() >= count).then_some(())
    });
    // One whose ack was lost comes once more, and a host that is stopped before that gives it back.
    eventually("the queue is empty", SOON, || (vhost.queue("work")["messages"] == 0).then_some(()));
    host.finish();
    for echo in vhost.client.drain("echoes") {
        ids.entry(echo.correlation_id()).or_default().insert(echo.id());
    }
    let expected: BTreeSet<String> = (0..count).map(|n| format!("m-{n}")).collect();
    assert_eq!(ids.keys().cloned().collect::<BTreeSet<_>>(), expected);
    for (input, outputs) in &ids {
        assert_eq!(outputs.len(), 1, "`{input}` has come out as {outputs:?}");
    }
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_cut_connection_loses_nothing_in_flight() {
    let vhost = Vhost::fresh("cut");
    let forwarder = Forwarder::start();
    let host = Project::new(&slow()).start_with(&vhost.url_by(forwarder.port()), &[]);
    vhost.client.publish_all("in", "task", slow_letters(80, 300));
    for cut in 1..=3 {
        eventually("some more are handled", SOON, || {
            (vhost.client.ready("echoes") >= 10 * cut).then_some(())
        });
        forwarder.cut();
        host.until_ready(cut as usize + 1);
    }
    all_handled_once(&vhost, host, 80);
}

/// A handler outlives the connection its message came over, and is done while the next one has a message of its own
/// under the same delivery tag.
#[test]
fn what_ends_after_its_connection_settles_nothing_on_the_next() {
    let vhost = Vhost::fresh("epochs");
    let forwarder = Forwarder::start();
    let worker = Worker::new(SLEEPS).handler("deadlineMs: 60000, concurrency: 2").consumer("prefetch: 2");
    let host = Project::new(&worker).start_with(&vhost.url_by(forwarder.port()), &[]);
    // The first is soon done, so that tags mean other messages on the next connection.
    vhost.client.publish("in", "task", Letter::json("m-0", &json!({ "ms": 0 })));
    vhost.client.until_ready("echoes", 1);
    let slow = slow_letters(6, 2000).split_off(1);
    vhost.client.publish_all("in", "task", slow);
    vhost.client.until_ready("work", 3);
    forwarder.cut();
    host.until_ready(2);
    vhost.client.until_ready("echoes", 6);
    // Settling a wrong tag, or one twice, would have cost another connection.
    assert_eq!(host.events("ready").len(), 2);
    all_handled_once(&vhost, host, 6);
}

#[test]
fn a_connection_that_the_broker_closes_loses_nothing_in_flight() {
    // Of the two connections of a host either may go alone.
    for (name, back) in [("warren publishes", "publishing again"), ("warren consumes", "ready")] {
        let vhost = Vhost::fresh("closed");
        let host = Host::start(&slow(), &vhost);
        vhost.client.publish_all("in", "task", slow_letters(120, 300));
        let before = host.events(back).len();
        vhost.close_connection(name);
        host.until_event(back, before + 1);
        // Consumers go on while the other connection is replaced.
        let connections = if name == "warren publishes" { 1 } else { 2 };
        assert_eq!(host.events("ready").len(), connections);
        all_handled_once(&vhost, host, 120);
    }
}

#[test]
fn a_connection_that_falls_silent_is_given_up() {
    let vhost = Vhost::fresh("silent");
    let forwarder = Forwarder::start();
    let host = Project::new(&slow()).start_with(&vhost.url_by(forwarder.port()), &[]);
    vhost.client.publish_all("in", "task", slow_letters(10, 300));
    vhost.client.until_ready("work", 0);
    forwarder.freeze();
    host.until_ready(2);
    // What came out can be there before the broker, too, has missed the connection and hands its messages over again.
    vhost.until_acked("work", 10);
    all_handled_once(&vhost, host, 10);
}

#[test]
fn a_queue_that_is_deleted_is_declared_again() {
    let vhost = Vhost::fresh("deleted");
    let host = Host::start(&Worker::new(ECHOES), &vhost);
    vhost.client.delete_queue("work");
    host.until_event("consuming again", 1);
    vhost.client.publish("in", "task", Letter::json("m-0", &json!({})));
    all_handled_once(&vhost, host, 1);
}

/// One consumer loses its queue, and gets it again; what the other has in its hands is settled on the channel it came over.
#[test]
fn a_channel_that_fails_takes_no_other_with_it() {
    let vhost = Vhost::fresh("alone");
    let second = "consumers:
  other: { command: other, queue: other, handler: { component: handlers/echoes.wasm }, publishes: [echoed] }
";
    let contract = slow().to_string().replace("consumers:\n", second);
    let contract = contract
        .replace("queues:\n", "queues:\n  other: { deadLetter: { exchange: dlx, routingKey: dead } }\n");
    let command = "commands:\n  other: { exchange: in, routingKey: other, message: task }\n";
    let host = Host::start(&contract.replace("commands:\n", command), &vhost);
    vhost.client.publish_all("in", "task", slow_letters(30, 300));
    vhost.client.until_ready("work", 15);
    vhost.client.delete_queue("other");
    host.until_event("consuming again", 1);
    vhost.client.publish("in", "other", Letter::json("other", &json!({})));
    vhost.client.until_ready("echoes", 31);
    let echoes = vhost.client.drain("echoes");
    host.finish();
    assert_eq!((host_redelivered(&echoes), echoes.len()), (0, 31));
    assert_eq!(vhost.leftovers(), [].into());
}

/// How many of them came of a message that was handed over before.
fn host_redelivered(echoes: &[Got]) -> usize {
    echoes.iter().filter(|echo| echo.json()["redelivered"] == true).count()
}

/// The outputs are confirmed, the ack is on its way, and the connection it goes over is dead.
#[test]
fn a_message_whose_ack_was_lost_is_acked_again_and_not_run_again() {
    let vhost = Vhost::fresh("lost-acks");
    let forwarder = Forwarder::start();
    let url = vhost.url_by(forwarder.port());
    let host = Project::new(&slow()).start_with(&url, &["--log", "warren=debug"]);
    vhost.client.publish_all("in", "task", slow_letters(5, 500));
    vhost.client.until_ready("work", 0);
    forwarder.freeze_last();
    host.until_event("handled", 5);
    forwarder.cut_last();
    host.until_ready(2);
    host.until_event("was finished before its ack was lost", 5);
    host.finish();
    assert_eq!(vhost.client.drain("echoes").len(), 5);
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn two_hosts_share_a_queue_and_one_takes_over_from_the_other() {
    let vhost = Vhost::fresh("two");
    let project = Project::new(&slow());
    let (first, second) = (project.start(&vhost), project.start(&vhost));
    vhost.client.publish_all("in", "task", slow_letters(60, 200));
    eventually("some are handled", SOON, || (vhost.client.ready("echoes") >= 10).then_some(()));
    first.kill9();
    all_handled_once(&vhost, second, 60);
}

/// What message number `n` of a mixed load does, and whether it is handled in the end.
fn mixed(n: usize) -> (serde_json::Value, bool) {
    match n % 250 {
        0 => (json!({ "do": "loop" }), false),
        50 => (json!({ "do": "hoard" }), false),
        100 => (json!({ "do": "unauthorized" }), false),
        150 => (json!({ "do": "rate-limit", "succeedOn": 2 }), true),
        other => match other % 5 {
            0 => (json!({ "do": "transient", "succeedOn": 3 }), true),
            1 => (json!({ "do": "permanent" }), false),
            2 => (json!({ "do": "transient" }), false),
            3 => (json!({ "do": "trap" }), false),
            _ => (json!({ "do": "ok" }), true),
        },
    }
}

#[test]
fn a_host_that_is_killed_again_and_again_loses_nothing() {
    const COUNT: usize = 500;
    let vhost = Vhost::fresh("killed");
    let worker = Worker::new(DISPATCHES).handler("deadlineMs: 2000, memoryMiB: 16");
    let project = Project::new(&worker);
    let mut host = project.start(&vhost);
    let letters = (0..COUNT).map(|n| Letter::json(&format!("m-{n}"), &mixed(n).0)).collect();
    vhost.client.publish_all("in", "task", letters);
    let ended = || vhost.client.ready("echoes") + vhost.client.ready("dead");
    for kill in 1..=5 {
        eventually("some more have ended", SOON, || (ended() >= 70 * kill).then_some(()));
        host.kill9();
        host = project.start(&vhost);
    }

    let mut handled: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut dead: BTreeSet<String> = BTreeSet::new();
    let mut collect = || {
        for echo in vhost.client.drain("echoes") {
            handled.entry(echo.correlation_id()).or_default().insert(echo.id());
        }
        dead.extend(vhost.client.drain("dead").iter().map(Got::id));
        (handled.len() + dead.len() >= COUNT).then_some(())
    };
    eventually("every message has ended", SOON, &mut collect);
    // Duplicates may still be on their way, from queue to queue.
    loop {
        host.finish();
        collect();
        if vhost.leftovers().is_empty() {
            break;
        }
        host = project.start(&vhost);
    }
    for n in 0..COUNT {
        let id = format!("m-{n}");
        let outputs = handled.get(&id).map_or(0, BTreeSet::len);
        let expected = if mixed(n).1 { (1, false) } else { (0, true) };
        assert_eq!((outputs, dead.contains(&id)), expected, "{id}: {}", mixed(n).0);
    }
}
