//! What the SDKs put in place of what a language lacks in a sandbox, seen from within: `guests/*/checks`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::broker::Vhost;
use crate::support::host::Project;
use crate::support::letter::{Got, Letter};

/// Instances that look around.
const LOOKS: usize = 3;

/// What the checks of a language reported and logged, and why each task died that did.
struct Seen {
    reports: Vec<Value>,
    logs: Vec<Value>,
    dead: BTreeMap<String, String>,
}

/// Has the checks of a language look around three times, and fail at each of `tasks`.
fn run(language: &str, tasks: &[&str]) -> Option<Seen> {
    let component = super::component(language, &format!("{language}/checks"))?;
    let vhost = Vhost::fresh(&format!("checks-{language}"));
    let contract = "contract: checks
version: 1.0.0
exchanges: { in: { type: direct }, out: { type: direct }, dlx: { type: direct } }
queues:
  work: { deadLetter: { exchange: dlx, routingKey: dead }, retry: { mode: none } }
  reports: {}
  dead: {}
bindings:
  reports: { exchange: out, queue: reports, routingKey: echoed }
  dead: { exchange: dlx, queue: dead, routingKey: dead }
messages: { any: { payload: { type: object } } }
commands: { task: { exchange: in, routingKey: task, message: any } }
publishers: { echoed: { exchange: out, routingKey: echoed, message: any, externalConsumers: true } }
consumers:
  worker: { command: task, queue: work, publishes: [echoed], handler: { component: handler.wasm, deadlineMs: 60000 } }
";
    let project = Project::new(&contract);
    std::fs::copy(component, project.path("handler.wasm")).expect("a component");
    let host = super::launch(&project, &vhost);
    let looks = ["look"; LOOKS];
    let letters = looks.iter().chain(tasks).enumerate();
    let letters = letters.map(|(n, task)| Letter::json(&format!("m-{n}"), &json!({ "task": task })));
    vhost.client.publish_all("in", "task", letters.collect());
    let reports = vhost.client.take("reports", LOOKS).iter().map(Got::json).collect();
    let dead = vhost.client.take("dead", tasks.len());
    let logs = host.events("").into_iter().filter(|event| event["target"] == "guest").collect();
    host.finish();
    let task = |letter: &Got| letter.json()["task"].as_str().unwrap_or_default().to_owned();
    Some(Seen {
        reports,
        logs,
        dead: dead.iter().map(|letter| (task(letter), letter.text("x-last-error"))).collect(),
    })
}

#[track_caller]
fn is_logged(logs: &[Value], level: &str, text: &str) {
    let found = |event: &&Value| {
        event["level"] == level && event["message"].as_str().is_some_and(|said| said.contains(text))
    };
    assert!(logs.iter().any(|event| found(&event)), "no `{text}` at {level} in {logs:#?}");
}

/// Random numbers differ from instance to instance, and from those that were drawn when the component was built.
fn random_numbers_differ(reports: &[Value]) {
    let mut numbers = BTreeSet::new();
    for report in reports {
        for number in report["random"].as_array().expect("numbers") {
            let value = number.as_f64().expect("a number");
            assert!((0.0..1.0).contains(&value), "{value}");
            assert_ne!(*number, report["atLoad"]);
            numbers.insert(number.to_string());
        }
        numbers.insert(report["uuid"].to_string());
        assert_eq!(report["atLoad"], reports[0]["atLoad"]);
    }
    assert_eq!(numbers.len(), 3 * reports.len(), "{numbers:?}");
}

#[test]
fn javascript_has_what_the_sdk_adds_to_quickjs() {
    let Some(Seen { reports, logs, dead }) = run("javascript", &["promise", "string", "header"]) else {
        return;
    };
    random_numbers_differ(&reports);
    is_logged(&logs, "INFO", r#"seen by {} [1,{"two":"2"}]"#);
    is_logged(&logs, "DEBUG", "half a surrogate pair \u{fffd} \u{fffd}=\"\u{fffd}\"");
    is_logged(&logs, "ERROR", "handler threw TypeError: a handler is a synchronous function");
    assert!(dead["promise"].contains("a promise would not be awaited"), "{dead:?}");
    assert!(dead["string"].contains("what was thrown is no Error: only a string"), "{dead:?}");
    assert!(dead["header"].contains("beyond 2^53"), "{dead:?}");
}

#[test]
fn python_has_what_the_sdk_promises() {
    let Some(Seen { reports, logs, dead }) = run("python", &["exit", "value", "header"]) else { return };
    random_numbers_differ(&reports);
    is_logged(&logs, "INFO", r#"seen by logging n="1" logger="checks""#);
    is_logged(&logs, "INFO", "said by print");
    is_logged(&logs, "DEBUG", "not lost");
    is_logged(&logs, "ERROR", "KeyError: 'missing'");
    is_logged(&logs, "ERROR", "cannot be logged: '%s and %s'");
    is_logged(&logs, "ERROR", "handler raised SystemExit: 0");
    assert!(dead["exit"].contains("SystemExit"), "{dead:?}");
    assert!(dead["value"].contains("this one returned 7"), "{dead:?}");
    assert!(dead["header"].contains("does not fit into 64 bits"), "{dead:?}");
}
