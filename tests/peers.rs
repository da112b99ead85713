//! What was measured of peers, with Warren in their place: each test does to it what made another worker loop for ever,
//! lose a message or forget why, and prints what came of it (`--nocapture`). M1 to M8 are the findings of that study, of
//! a worker with `basic.nack`, copies without `mandatory`, at-most-once wait queues and copies of all headers.

use std::time::{Duration, Instant};

use lapin::types::AMQPValue;
use serde_json::{Value, json};

use crate::native_delay::time_ms;
use crate::support::broker::{Vhost, broker};
use crate::support::contract::Worker;
use crate::support::guests::{ECHOES, FAILS_TRANSIENTLY, SLEEPS};
use crate::support::host::{Host, Project};
use crate::support::letter::{Got, Letter, arguments, text};
use crate::support::node::evaluate;
use crate::support::{SOON, eventually};

/// What the log says when the host keeps a message because the broker does not take what is to replace it.
const KEPT: &str = "the message is kept and tried again";

fn version() -> String {
    let (major, minor) = broker().version;
    format!("RabbitMQ {major}.{minor}")
}

/// Stops a host, and gives the number of failed calls, by its log.
fn failures(host: &Host) -> usize {
    host.signal("TERM");
    assert_eq!(host.until_exit(SOON), Some(0), "exit code");
    settled(host).len()
}

/// The failed calls that have been settled, as the log has them, oldest first.
fn settled(host: &Host) -> Vec<Value> {
    let mut settled = host.events("will be retried");
    settled.extend(host.events("dead-lettered"));
    // Warnings say such things, too.
    settled.retain(|event| event["attempt"].is_u64());
    settled
}

/// Entries of `x-warren-history`: attempt and class, and when it was, in milliseconds since 1970.
fn history(dead: &Got) -> Vec<(i64, String, i64)> {
    let Some(AMQPValue::FieldArray(entries)) = dead.header("x-warren-history") else {
        panic!("no history in {:?}", dead.properties.headers())
    };
    let read = |entry: &AMQPValue| {
        let AMQPValue::FieldTable(entry) = entry else { panic!("{entry:?}") };
        let number = |name: &str| match entry.inner().get(name) {
            Some(AMQPValue::LongLongInt(number)) => *number,
            other => panic!("`{name}` is {other:?}"),
        };
        let Some(AMQPValue::LongString(class)) = entry.inner().get("class") else { panic!("{entry:?}") };
        (number("attempt"), String::from_utf8_lossy(class.as_bytes()).into_owned(), number("at"))
    };
    entries.as_slice().iter().map(read).collect()
}

/// Found: from 4.3 on, `nack` is not counted, and a peer called its handler 4,845 times in five seconds, without an end.
#[test]
fn m1_immediate_retries_are_bounded_on_every_broker() {
    let vhost = Vhost::fresh("m1");
    let worker = Worker::new(FAILS_TRANSIENTLY).retry("mode: quorum-native, maxRetries: 3");
    let host = Host::start(&worker, &vhost);
    let began = Instant::now();
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    let dead = vhost.client.take_one("dead");
    let took = began.elapsed();
    let calls = failures(&host);
    println!("M1 {}: {calls} calls, 1 dead letter, after {} ms", version(), took.as_millis());
    assert_eq!((calls, dead.integer("x-warren-attempts")), (4, 4));
    assert_eq!((dead.text("x-warren-class").as_str(), dead.header("x-death")), ("transient", None));
    assert_eq!(vhost.leftovers(), [].into());
}

/// The peer that loops works on the same queue. Up to 4.2 the broker's limit ends that; from 4.3 on Warren does, the first
/// time that it gets the message.
#[test]
fn m1_a_message_that_a_peer_gives_back_for_ever_is_ended() {
    let vhost = Vhost::fresh("m1-peer");
    let project = Project::new(&Worker::new(FAILS_TRANSIENTLY).retry("mode: quorum-native, maxRetries: 3"));
    project.start(&vhost).finish();
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    let nacks = vhost.client.give_back_for_ever("work", 50);
    let host = project.start(&vhost);
    let dead = vhost.client.take_one("dead");
    host.finish();
    let counted = broker().version < (4, 3);
    let class = if counted { dead.text("x-first-death-reason") } else { dead.text("x-warren-class") };
    println!("M1 {}: {nacks} nacks by a peer, then dead ({class}), and no call", version());
    let expected = if counted { (4, "delivery_limit") } else { (50, "poison") };
    assert_eq!((nacks, class.as_str()), expected);
    assert_eq!(vhost.leftovers(), [].into());
}

/// Found: without `mandatory`, the copy for a wait queue that is gone is confirmed, and the message lost.
#[test]
fn m2_a_wait_queue_that_is_missing_loses_nothing() {
    let vhost = Vhost::fresh("m2");
    let host = Host::start(&Worker::new(FAILS_TRANSIENTLY), &vhost);
    vhost.client.delete_queue("work-wait-50ms");
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "succeedOn": 2 })));
    let echo = vhost.client.take_one("echoes");
    let failed = failures(&host);
    let kept = host.events(KEPT).len();
    println!(
        "M2 {}: kept {kept} times until there was a wait queue, handled at attempt 2, 0 lost",
        version()
    );
    assert_eq!((failed, echo.json()["attempt"].as_u64()), (1, Some(2)));
    assert!(kept > 0);
    assert_eq!(vhost.leftovers(), [].into());
}

/// Found: a copy that the broker refuses ends the message after one attempt, dead without a reason.
#[test]
fn m3_a_retry_that_the_broker_refuses_waits_until_it_does_not() {
    let vhost = Vhost::fresh("m3");
    // What fills the wait queue stays there for so long.
    let retry = "mode: ttl-backoff, maxRetries: 1, initialDelayMs: 5000, maxDelayMs: 5000, jitter: false";
    let project = Project::new(&Worker::new(FAILS_TRANSIENTLY).retry(retry));
    // What is the same trouble again is told at this level.
    let host = project.start_with(&vhost.url(), &["--log", "warren=debug"]);
    let limit = |messages: u32| vhost.set_policy("limit", "^work-wait-", &json!({ "max-length": messages }));
    limit(1);
    // The policy takes effect a moment after it is set, and a quorum queue lets one more in than it should.
    let mut fillers = 0;
    eventually("the wait queue refuses", SOON, || {
        let filler = Letter::json(&format!("filler-{fillers}"), &json!({ "succeedOn": 1 }));
        let taken = vhost.client.is_taken("", "work-wait-5000ms", filler);
        fillers += usize::from(taken);
        (!taken).then_some(())
    });
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "succeedOn": 2 })));
    host.until_event(KEPT, 2);
    let settled = settled(&host).len();
    limit(1_000);
    let echoes = vhost.client.take("echoes", fillers + 1);
    let failed = failures(&host);
    let refused = host.events(KEPT).len();
    println!("M3 {}: refused and kept {refused} times, handled at attempt 2, 0 dead", version());
    let ours: Vec<Value> =
        echoes.iter().filter(|echo| echo.correlation_id() == "m-1").map(Got::json).collect();
    assert_eq!((settled, failed, ours.len(), ours[0]["attempt"].as_u64()), (0, 1, 1, Some(2)));
    assert_eq!(vhost.leftovers(), [].into());
}

/// Found: an at-most-once wait queue, the broker's default, drops what it cannot hand on when its time is over.
#[test]
fn m4_a_work_queue_that_is_missing_when_the_delay_is_over_loses_nothing() {
    let vhost = Vhost::fresh("m4");
    let retry = "mode: ttl-backoff, maxRetries: 1, initialDelayMs: 1500, maxDelayMs: 1500, jitter: false";
    let project = Project::new(&Worker::new(FAILS_TRANSIENTLY).retry(retry));
    // Read when the wait queue begins. Three minutes is the broker's own, and what is waited where it cannot be changed.
    let set = |ms: u32| {
        evaluate(&format!("application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, {ms})."))
    };
    let is_short = set(5_000);
    let host = project.start(&vhost);
    set(180_000);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "succeedOn": 2 })));
    vhost.client.until_ready("work-wait-1500ms", 1);
    host.finish();
    vhost.client.delete_queue("work");
    vhost.client.until_ready("work-wait-1500ms", 0);
    // Its time is over, and it has nowhere to go.
    let host = project.start(&vhost);
    let began = Instant::now();
    let limit = if is_short { SOON } else { Duration::from_secs(240) };
    let echo = eventually("the message comes back", limit, || vhost.client.drain("echoes").pop());
    let took = began.elapsed();
    host.finish();
    let interval = if is_short { "5 s" } else { "180 s" };
    println!(
        "M4 {}: kept while its queue was missing, handled at attempt 2, {} ms after that was back (the broker's interval: \
         {interval}); 0 lost",
        version(),
        took.as_millis()
    );
    assert_eq!(echo.json()["attempt"], 2);
    assert_eq!(vhost.leftovers(), [].into());
}

/// Found: after a wait queue, the publisher's expiration is gone, and only the delay of the retry is left of it.
/// Warren keeps what it was, in a header: for the retry itself it is taken off, or the message would end in the wait queue.
#[test]
fn m5_what_the_publisher_said_of_expiry_is_kept() {
    let vhost = Vhost::fresh("m5");
    let host = Host::start(&Worker::new(FAILS_TRANSIENTLY), &vhost);
    let letter = Letter::json("m-1", &json!({})).with(|with| with.with_expiration("60000".into()));
    vhost.client.publish("in", "task", letter);
    let dead = vhost.client.take_one("dead");
    host.finish();
    let kept = dead.text("x-original-expiration");
    println!("M5 {}: expiration {kept} ms kept in a header over 2 hops, none on the dead letter", version());
    assert_eq!((kept.as_str(), dead.properties.expiration()), ("60000", &None));
    assert_eq!((dead.integer("x-warren-attempts"), dead.header("x-death")), (3, None));
    assert_eq!(vhost.leftovers(), [].into());
}

/// Found: a copy with all headers goes once more to everybody in `CC`.
#[test]
fn m6_others_in_cc_get_the_message_once() {
    let vhost = Vhost::fresh("m6");
    let host = Host::start(&Worker::new(FAILS_TRANSIENTLY), &vhost);
    vhost.client.declare_queue("other", &arguments([]));
    vhost.client.bind("other", "in", "other");
    vhost.client.bind("other", "dlx", "other");
    let cc = AMQPValue::FieldArray(vec![text("other")].into());
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})).header("CC", cc));
    let dead = vhost.client.take_one("dead");
    host.finish();
    let others = vhost.client.drain("other").len();
    println!("M6 {}: {others} message in the queue of CC after 2 retries and a dead letter", version());
    assert_eq!((others, dead.integer("x-warren-attempts")), (1, 3));
    assert_eq!(vhost.leftovers(), [].into());
}

/// Found: a dead letter says what the attempt before the last one failed of, and nothing if there was one attempt.
#[test]
fn m7_a_dead_letter_tells_each_attempt_and_the_last_one_first() {
    let vhost = Vhost::fresh("m7");
    let host = Host::start(&Worker::new(FAILS_TRANSIENTLY), &vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    let dead = vhost.client.take_one("dead");
    host.finish();
    let history = history(&dead);
    let gaps: Vec<i64> = history.windows(2).map(|pair| pair[1].2 - pair[0].2).collect();
    println!(
        "M7 {}: `{}`, {} attempts, {gaps:?} ms apart",
        version(),
        dead.text("x-last-error"),
        history.len()
    );
    assert_eq!(dead.text("x-last-error"), "not yet at attempt 3");
    let told: Vec<(i64, &str)> =
        history.iter().map(|(attempt, class, _)| (*attempt, class.as_str())).collect();
    assert_eq!(told, [(1, "transient"), (2, "transient"), (3, "transient")]);
    assert!(gaps.iter().all(|gap| *gap >= 50), "{gaps:?}");
    assert_eq!(history[0].2, dead.integer("x-first-failure-timestamp"));
}

/// Found: 4.3 delays a `reject` more and more, and a `nack` always alike.
#[test]
fn m8_delays_of_the_broker_grow() {
    if broker().version < (4, 3) {
        println!("M8 skipped: native-delay needs RabbitMQ 4.3, this is {}", version());
        return;
    }
    let vhost = Vhost::fresh("m8");
    let retry = "mode: native-delay, maxRetries: 4, initialDelayMs: 200, maxDelayMs: 500";
    let host = Host::start(&Worker::new(FAILS_TRANSIENTLY).retry(retry), &vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    let dead = vhost.client.take_one("dead");
    assert_eq!(failures(&host), 5);
    let attempts = settled(&host);
    let times: Vec<u64> = attempts.iter().map(time_ms).collect();
    let day_ms = 86_400_000;
    let gaps: Vec<u64> = times.windows(2).map(|pair| (pair[1] + day_ms - pair[0]) % day_ms).collect();
    println!("M8 {}: retries after {gaps:?} ms", version());
    for (gap, least) in gaps.iter().zip([200, 400, 500, 500]) {
        // The clock of the log and the broker's are not read at the same moment.
        assert!(gap + 20 >= least, "{gaps:?}");
    }
    assert_eq!((gaps.len(), dead.integer("x-warren-attempts")), (4, 5));
    // The message stayed in its queue, so only the last attempt could be written down.
    assert_eq!(history(&dead).len(), 1);
    assert_eq!(vhost.leftovers(), [].into());
}

/// A shovel publishes a dead letter with the counts of the queue it died in, and a peer copies all headers. RabbitMQ 4.3
/// hands them over with the first delivery.
#[test]
fn counts_that_were_published_are_not_the_brokers() {
    let native_delay = "mode: native-delay, maxRetries: 2, initialDelayMs: 50, maxDelayMs: 50";
    let mut cases = vec![
        ("quorum", "mode: ttl-backoff, maxRetries: 2, initialDelayMs: 50, maxDelayMs: 50"),
        ("classic", "mode: ttl-backoff, maxRetries: 2, initialDelayMs: 50, maxDelayMs: 50"),
        ("quorum", "mode: quorum-native, maxRetries: 2"),
    ];
    cases.extend((broker().version >= (4, 3)).then_some(("quorum", native_delay)));
    for (kind, retry) in cases {
        let vhost = Vhost::fresh("published-counts");
        let worker = Worker::new(FAILS_TRANSIENTLY).retry(retry).queue(&format!("type: {kind}"));
        let host = Host::start(&worker, &vhost);
        let count = AMQPValue::LongLongInt(60);
        let letter = Letter::json("m-1", &json!({ "succeedOn": 3 }));
        let letter = letter.header("x-delivery-count", count.clone());
        // The one that older brokers do not know.
        let letter =
            if broker().version < (4, 3) { letter } else { letter.header("x-acquired-count", count) };
        vhost.client.publish("in", "task", letter);
        let ended = || vhost.client.ready("echoes") + vhost.client.ready("dead");
        eventually("it has ended", SOON, || (ended() > 0).then_some(()));
        let failed = failures(&host);
        let echoes: Vec<Value> = vhost.client.drain("echoes").iter().map(Got::json).collect();
        println!("counts {}, {kind}, {retry}: {failed} failed calls, {} handled", version(), echoes.len());
        assert_eq!(failed, 2, "{kind}, {retry}");
        let attempts: Vec<Option<u64>> = echoes.iter().map(|echo| echo["attempt"].as_u64()).collect();
        assert_eq!(attempts, [Some(3)], "{kind}, {retry}");
        assert_eq!(vhost.leftovers(), [].into(), "{kind}, {retry}");
    }
}

/// A host that is brought down by a message every time, in every mode.
#[test]
fn what_brings_hosts_down_is_ended_in_every_mode() {
    let recounted = ("x-warren-deliveries", AMQPValue::LongLongInt(19));
    for (name, queue, retry, losses, header) in [
        (
            "native",
            "deadLetter: { exchange: dlx, routingKey: dead }, deliveryLimit: 9",
            "quorum-native",
            3,
            None,
        ),
        ("dropped", "onPoison: drop", "quorum-native", 3, None),
        ("unsaid", "deadLetter: { exchange: dlx, routingKey: dead }", "ttl-backoff", 20, None),
        (
            "classic",
            "type: classic, deadLetter: { exchange: dlx, routingKey: dead }",
            "ttl-backoff",
            1,
            Some(recounted),
        ),
    ] {
        let vhost = Vhost::fresh(name);
        let contract = Worker::new(ECHOES).retry(&format!("mode: {retry}, maxRetries: 2")).to_string();
        let contract = contract.replace("deadLetter: { exchange: dlx, routingKey: dead }", queue);
        let project = Project::new(&contract);
        project.start(&vhost).finish();
        let letter = Letter::json("m-1", &json!({}));
        let letter = match header {
            Some((name, value)) => letter.header(name, value),
            None => letter,
        };
        vhost.client.publish("in", "task", letter);
        (0..losses).for_each(|_| vhost.client.hand_over_and_drop("work"));
        vhost.client.until_ready("work", 1);
        let host = project.start(&vhost);
        host.until_event("dropped, as `onPoison` says", usize::from(name == "dropped"));
        let dead = if name == "dropped" { Vec::new() } else { vhost.client.take("dead", 1) };
        host.finish();
        println!("poison {}, {name}: not called after {losses} losses, {} dead", version(), dead.len());
        assert!(dead.iter().all(|dead| dead.text("x-warren-class") == "poison"), "{name}");
        assert_eq!(vhost.leftovers(), [].into(), "{name}");
    }
}

/// A classic queue says of a message that it came back, and not how often. Warren counts, unless that would cost the
/// message the place that its queue is there for.
#[test]
fn what_a_classic_queue_does_not_count_is_counted_by_the_host() {
    for (queue, losses, counted) in
        [("type: classic", 3, Some(3)), ("type: classic, singleActiveConsumer: true", 1, None)]
    {
        let vhost = Vhost::fresh("recount");
        let project = Project::new(&Worker::new(SLEEPS).queue(queue));
        let mut host = project.start(&vhost);
        vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "ms": 20_000 })));
        // It is in the handler when the host dies.
        vhost.until_unacked("work", 1);
        for _ in 0..losses {
            host.kill9();
            vhost.client.until_ready("work", 1);
            host = project.start(&vhost);
            // Put back and counted, or in the handler again.
            host.until_event("will be retried", usize::from(counted.is_some()));
            vhost.client.until_ready("work", 0);
        }
        host.kill9();
        vhost.client.until_ready("work", 1);
        let left = vhost.client.take_one("work");
        let found = left.header("x-warren-deliveries").map(|_| left.integer("x-warren-deliveries"));
        println!("classic {}, {queue}: {found:?} counted after {losses} losses", version());
        assert_eq!((found, left.id().as_str()), (counted, "m-1"), "{queue}");
        assert_eq!(vhost.leftovers(), [].into());
    }
}
