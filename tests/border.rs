//! How the words of `wit/` cross the border into C, Go, JavaScript and Python, whose bindings are not made for this host
//! alone: every field and every type of header arrives and leaves as it was, and each way to fail says why.
//!
//! The components are those of `guests/*/checks`, which `make languages` builds. A language whose component is not there
//! is skipped, or fails where `WARREN_TEST_LANGUAGES=required`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::handling::headers;
use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::guests::REPORTS;
use crate::support::host::{Host, Project};
use crate::support::letter::{Got, Letter, text};

/// How long the host may take to compile a component of Go on a busy machine.
const COMPILING: Duration = Duration::from_secs(300);

/// Where `make languages` puts the checks of a language.
fn checks(language: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    target.join("languages").join(language).join("checks.wasm")
}

/// Whether they are there. If not, they must not have to be.
fn is_built(language: &str) -> bool {
    let component = checks(language);
    if !component.exists() {
        let said = format!("there is no {}; hint: make languages", component.display());
        let required = std::env::var("WARREN_TEST_LANGUAGES").is_ok_and(|value| value == "required");
        assert!(!required, "{said}");
        eprintln!("skipped: {said}");
        return false;
    }
    true
}

/// The checks of a language, as the handler of a worker.
fn start(language: &str, vhost: &Vhost, isolation: &str) -> Host {
    let handler = format!("deadlineMs: 60000, memoryMiB: 32, isolation: {isolation}");
    let worker = Worker::new(REPORTS).handler(&handler).to_string();
    let project = Project::new(&worker.replace(&format!("handlers/{}", REPORTS.file()), "checks.wasm"));
    std::fs::copy(checks(language), project.path("checks.wasm")).expect("a component");
    let host = project.launch(&vhost.url(), &["--log", "debug,lapin=off"]);
    host.until_ready_within(1, COMPILING);
    host
}

/// Publishes one task for each name.
fn publish(vhost: &Vhost, tasks: &[&str]) {
    let letter = |task: &&str| Letter::json(task, &json!({ "task": task }));
    vhost.client.publish_all("in", "task", tasks.iter().map(letter).collect());
}

/// A message as rich as it can be is reported as it is, and so is what is made of the report's own headers.
fn everything_crosses(language: &str) {
    all_but_crosses(language, &[]);
}

/// As `everything_crosses`, without the headers that the language does not have.
fn all_but_crosses(language: &str, without: &[&str]) {
    if !is_built(language) {
        return;
    }
    let vhost = Vhost::fresh(&format!("border-{language}"));
    let host = start(language, &vhost, "fresh");
    let mut letter = Letter::json("m-1", &json!({ "n": 1 })).with(|properties| {
        let properties = properties.with_correlation_id("c-1".into()).with_reply_to("r-1".into());
        let properties = properties.with_type("told".into()).with_app_id("tést".into());
        properties.with_priority(3).with_timestamp(1_700_000_000)
    });
    let mut seen = serde_json::Map::new();
    for (name, value, as_seen) in headers().into_iter().filter(|(name, _, _)| !without.contains(name)) {
        letter = letter.header(name, value);
        seen.insert(name.to_owned(), as_seen);
    }
    vhost.client.publish("in", "task", letter.header("x-causation-id", text("m-0")));
    let first = vhost.client.take_one("echoes");
    let told = json!({
        "body": "{\"n\":1}", "contentType": "application/json", "headers": seen, "exchange": "in",
        "routingKey": "task", "queue": "work", "consumer": "worker", "messageId": "m-1", "correlationId": "c-1",
        "causationId": "m-0", "replyTo": "r-1", "messageType": "told", "appId": "tést", "priority": 3,
        "timestamp": 1_700_000_000, "attempt": 1, "maxAttempts": 3, "redelivered": false, "deadlineMs": 60_000,
    });
    assert_eq!(first.json(), told);
    assert_eq!(first.correlation_id(), "its own");
    let properties = &first.properties;
    assert_eq!(
        (properties.kind().as_ref(), properties.reply_to().as_ref()),
        (Some(&"report".into()), Some(&"nobody".into()))
    );
    assert_eq!((*properties.priority(), properties.expiration().as_ref()), (Some(7), Some(&"600000".into())));

    vhost.client.publish("in", "task", again(&first));
    let second = vhost.client.take_one("echoes");
    host.finish();
    assert_eq!(second.json()["headers"], Value::Object(seen));
    assert_eq!(vhost.leftovers(), [].into());
}

/// The message with just the headers that the guest gave it.
fn again(first: &Got) -> Letter {
    let theirs = first.properties.headers().clone().unwrap_or_default();
    let given = theirs.inner().iter().filter(|(name, _)| name.as_str().starts_with("h-"));
    let given: BTreeMap<_, _> = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    Letter::json("m-2", &json!({})).with(|properties| properties.with_headers(given.into()))
}

/// Each task ends as a dead letter of this class, with a text that has this in it.
fn failures_say_why(language: &str, ways: &[(&str, &str, &str)]) {
    if !is_built(language) {
        return;
    }
    let vhost = Vhost::fresh(&format!("failures-{language}"));
    let host = start(language, &vhost, "reuse");
    let tasks: Vec<&str> = ways.iter().map(|(task, _, _)| *task).collect();
    publish(&vhost, &tasks);
    let dead = vhost.client.take("dead", ways.len());
    let said = host.events("said by");
    host.finish();
    for (task, class, why) in ways {
        let letter = dead.iter().find(|letter| letter.id() == *task).expect("a dead letter");
        let text = letter.text("x-last-error");
        assert_eq!(
            (letter.text("x-warren-class").as_str(), text.contains(why)),
            (*class, true),
            "{task}: {text}"
        );
    }
    assert!(said.iter().any(|event| event["stream"] == "stdout"), "{said:?}");
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn everything_crosses_into_c_and_back() {
    everything_crosses("c");
}

#[test]
fn everything_crosses_into_go_and_back() {
    everything_crosses("go");
}

/// An integer of 64 bits is not among them: JavaScript has it exact up to 2^53 only, and its SDK refuses to send another.
#[test]
fn everything_else_crosses_into_javascript_and_back() {
    all_but_crosses("javascript", &["h-i64"]);
}

#[test]
fn everything_crosses_into_python_and_back() {
    everything_crosses("python");
}

#[test]
fn each_way_to_fail_in_c_says_why() {
    failures_say_why(
        "c",
        &[
            ("panic", "trap", "handler panicked: on purpose, 7"),
            ("assert", "trap", "Assertion failed: task.len == 0"),
            ("abort", "trap", "handler aborted"),
            ("exit", "trap", "exit status 0"),
            ("deep", "trap", ""),
            ("malloc", "memory", ""),
            ("alloc", "memory", ""),
            ("utf8", "permanent", "\u{fffd} is not UTF-8"),
        ],
    );
}

#[test]
fn each_way_to_fail_in_go_says_why() {
    failures_say_why(
        "go",
        &[
            ("panic", "trap", "panic: on purpose"),
            ("deadlock", "trap", "all goroutines are asleep - deadlock!"),
            ("exit", "trap", "exit status 0"),
            ("header", "permanent", "header `h`: a header cannot hold a chan int"),
            ("memory", "memory", ""),
            ("utf8", "permanent", "\u{fffd} is not UTF-8"),
        ],
    );
}

/// The runtime looks at the clock while goroutines publish and timers are on their way; it must not do so while the host
/// hands something over, or the instance traps.
#[test]
fn goroutines_of_an_instance_that_is_used_again_may_publish() {
    if !is_built("go") {
        return;
    }
    let vhost = Vhost::fresh("goroutines");
    let host = start("go", &vhost, "reuse");
    const CALLS: usize = 500;
    let letters = (0..CALLS).map(|n| Letter::json(&format!("m-{n}"), &json!({ "task": "busy" })));
    vhost.client.publish_all("in", "task", letters.collect());
    let published = vhost.client.take("echoes", 4 * CALLS);
    host.finish();
    let mut calls: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for message in &published {
        let body = message.json();
        let of = body["of"].as_str().expect("an id").to_owned();
        calls.entry(of).or_default().push(body["n"].as_u64().expect("a number"));
    }
    assert_eq!(calls.len(), CALLS);
    for (of, numbers) in &mut calls {
        numbers.sort_unstable();
        assert_eq!(numbers, &[0, 1, 2, 3], "{of}");
    }
    assert_eq!(vhost.leftovers(), [].into());
}
