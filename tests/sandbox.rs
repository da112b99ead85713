//! What handlers may use, and what their instances keep: fresh and reused instances, places, metrics.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::forwarder::free_port;
use crate::support::guests::{self, FLOODS_LOGS, Guest, KEEPS_STATE, LOOPS, SLEEPS};
use crate::support::host::{Host, Project};
use crate::support::letter::Letter;
use crate::support::{get, until_called, value};

/// Sends payloads one after the other, and gives how many calls the instance of each had had.
fn calls(vhost: &Vhost, payloads: &[Value]) -> Vec<i64> {
    let call = |(n, payload): (usize, &Value)| {
        vhost.client.publish("in", "task", Letter::json(&format!("m-{n}"), payload));
        vhost.client.take_one("echoes").json()["calls"].as_i64().unwrap_or_default()
    };
    payloads.iter().enumerate().map(call).collect()
}

fn reuse(handler: &str) -> Worker {
    Worker::new(KEEPS_STATE)
        .handler(&format!("deadlineMs: 60000, concurrency: 1, isolation: reuse, {handler}"))
}

#[test]
fn a_reused_instance_handles_one_message_after_the_other() {
    let vhost = Vhost::fresh("reuse");
    let host = Host::start(&reuse("memoryMiB: 64"), &vhost);
    assert_eq!(calls(&vhost, &vec![json!({}); 6]), [1, 2, 3, 4, 5, 6]);
    host.finish();
}

#[test]
fn a_reused_instance_is_replaced_at_its_bounds() {
    let grow = [json!({}), json!({}), json!({ "grow": 3 }), json!({}), json!({})];
    for (bounds, payloads, expected) in [
        ("maxCalls: 2", vec![json!({}); 5], vec![1, 2, 1, 2, 1]),
        ("maxAgeMs: 1", vec![json!({}); 3], vec![1, 1, 1]),
        ("maxGrowthMiB: 2", grow.to_vec(), vec![1, 2, 3, 1, 2]),
    ] {
        let vhost = Vhost::fresh("bounds");
        let host = Host::start(&reuse(&format!("reuse: {{ {bounds} }}")), &vhost);
        assert_eq!(calls(&vhost, &payloads), expected, "{bounds}");
        host.finish();
    }
}

#[test]
fn a_fault_ends_a_reused_instance() {
    let vhost = Vhost::fresh("fault");
    let host = Host::start(&reuse("memoryMiB: 64").retry("mode: none"), &vhost);
    assert_eq!(calls(&vhost, &[json!({}), json!({})]), [1, 2]);
    vhost.client.publish("in", "task", Letter::json("trap", &json!({ "trap": true })));
    let dead = vhost.client.take_one("dead");
    assert!(
        dead.text("x-last-error").contains("asked to trap after 3 calls"),
        "{}",
        dead.text("x-last-error")
    );
    assert_eq!(calls(&vhost, &[json!({}), json!({})]), [1, 2]);
    host.finish();
}

#[test]
fn no_byte_passes_from_one_message_to_the_next() {
    let vhost = Vhost::fresh("no-byte");
    let worker = Worker::new(KEEPS_STATE).retry("mode: none").handler("deadlineMs: 60000, concurrency: 4");
    let project = Project::new(&worker.to_string().replace("handlers/keeps_state.wasm", "suspicious.wasm"));
    project.write("suspicious.wasm", guests::hostile_component("suspicious"));
    let port = free_port();
    let host = project.start_with(&vhost.url(), &["--admin", &format!("127.0.0.1:{port}")]);
    let letters = (0..1_000).map(|n| Letter::json(&format!("m-{n}"), &json!({}))).collect();
    vhost.client.publish_all("in", "task", letters);
    until_called(port, "worker", "handled", 1_000);
    host.finish();
    assert_eq!(vhost.leftovers(), [].into());
}

/// Two consumers of the same component, `left` and `right`, on queues of these names.
fn two(guest: Guest, of_contract: &str, handler: &str) -> String {
    let component = guest.file();
    let consumer = |name: &str| {
        format!(
            "  {name}: {{ command: {name}, queue: {name}, handler: {{ component: handlers/{component}, deadlineMs: 60000, {handler} }}, publishes: [echoed] }}\n"
        )
    };
    let (left, right) = (consumer("left"), consumer("right"));
    format!(
        "contract: two
{of_contract}
exchanges: {{ in: {{ type: direct }}, out: {{ type: direct }}, dlx: {{ type: direct }} }}
queues:
  left: {{ deadLetter: {{ exchange: dlx, routingKey: dead }}, retry: {{ mode: none }} }}
  right: {{ deadLetter: {{ exchange: dlx, routingKey: dead }}, retry: {{ mode: none }} }}
  echoes: {{}}
  dead: {{}}
bindings:
  echoes: {{ exchange: out, queue: echoes, routingKey: echoed }}
  dead: {{ exchange: dlx, queue: dead, routingKey: dead }}
messages: {{ task: {{ payload: {{ type: object }} }} }}
commands:
  left: {{ exchange: in, routingKey: left, message: task }}
  right: {{ exchange: in, routingKey: right, message: task }}
events: {{ echoed: {{ exchange: out, routingKey: echoed, message: task }} }}
consumers:
{left}{right}"
    )
}

fn one(vhost: &Vhost, key: &str) -> i64 {
    vhost.client.publish("in", key, Letter::json(key, &json!({})));
    vhost.client.take_one("echoes").json()["calls"].as_i64().unwrap_or_default()
}

#[test]
fn reused_instances_do_not_pass_from_handler_to_handler() {
    let vhost = Vhost::fresh("two");
    let host = Host::start(&two(KEEPS_STATE, "", "concurrency: 1, isolation: reuse"), &vhost);
    let counts: Vec<i64> =
        ["left", "right", "left", "right", "right"].iter().map(|key| one(&vhost, key)).collect();
    assert_eq!(counts, [1, 1, 2, 2, 3]);
    host.finish();
}

#[test]
fn an_instance_that_is_kept_makes_place_for_others() {
    let vhost = Vhost::fresh("place");
    let host = Host::start(&two(KEEPS_STATE, "concurrency: 1", "concurrency: 1, isolation: reuse"), &vhost);
    let counts: Vec<i64> = ["left", "left", "right", "left"].iter().map(|key| one(&vhost, key)).collect();
    assert_eq!(counts, [1, 2, 1, 1]);
    host.finish();
}

#[test]
fn calls_beyond_the_places_of_the_host_wait() {
    let vhost = Vhost::fresh("places");
    let project = Project::new(&two(SLEEPS, "concurrency: 2", "concurrency: 10"));
    let port = free_port();
    let host = project.start_with(&vhost.url(), &["--admin", &format!("127.0.0.1:{port}")]);
    let letters = |key: &'static str| {
        (0..5).map(move |n| Letter::json(&format!("{key}-{n}"), &json!({ "ms": 200 }))).collect()
    };
    let began = Instant::now();
    vhost.client.publish_all("in", "left", letters("left"));
    vhost.client.publish_all("in", "right", letters("right"));
    let mut most = 0;
    while vhost.client.ready("echoes") < 10 && began.elapsed() < Duration::from_secs(60) {
        let metrics = get(port, "/metrics");
        let running = ["left", "right"].map(|consumer| {
            value(&metrics, &format!("warren_guest_calls_running{{consumer=\"{consumer}\"}}"))
        });
        most = most.max(running.iter().sum());
    }
    assert!(began.elapsed() >= Duration::from_millis(1_000), "{:?}", began.elapsed());
    assert_eq!(most, 2);
    vhost.client.take("echoes", 10);
    host.finish();
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn limits_that_are_hit_are_counted() {
    for (guest, handler, limit) in [
        (LOOPS, "deadlineMs: 100", "deadlineMs"),
        (FLOODS_LOGS, "deadlineMs: 60000, limits: { logLines: 10 }", "logLines"),
        (FLOODS_LOGS, "deadlineMs: 60000, limits: { logKiB: 10 }", "logKiB"),
    ] {
        let vhost = Vhost::fresh(limit);
        let project = Project::new(&Worker::new(guest).retry("mode: none").handler(handler));
        let port = free_port();
        let host = project.start_with(&vhost.url(), &["--admin", &format!("127.0.0.1:{port}")]);
        assert!(get(port, "/livez").contains("200 OK"));
        assert!(get(port, "/readyz").contains("200 OK"));
        vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
        let name = format!("warren_guest_limit_hits_total{{consumer=\"worker\",limit=\"{limit}\"}}");
        crate::support::eventually(&name, crate::support::SOON, || {
            (value(&get(port, "/metrics"), &name) == 1).then_some(())
        });
        host.finish();
    }
}

#[test]
fn what_a_guest_writes_to_its_streams_is_logged_with_its_message() {
    let vhost = Vhost::fresh("streams");
    let host = Host::start(&Worker::new(KEEPS_STATE).retry("mode: none"), &vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "trap": true })));
    vhost.client.take_one("dead");
    let events = host.events("asked to trap");
    let said = events.iter().find(|event| event["stream"] == "stderr").expect("a line of stderr");
    assert_eq!((&said["consumer"], &said["message_id"]), (&json!("worker"), &json!("m-1")));
    host.finish();
}
