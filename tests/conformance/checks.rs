//! What the SDKs put in place of what a language lacks in a sandbox, seen from within: `guests/*/checks`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::broker::Vhost;
use crate::support::client::Letter;
use crate::support::host::{Host, Project};

/// Hands tasks to the checks of a language. Gives back what was reported, what was logged, and why each dead letter died.
fn run(language: &str, tasks: &[Value]) -> Option<(Vec<Value>, Vec<Value>, Vec<(Value, String)>)> {
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
  reports: { exchange: out, queue: reports, routingKey: report }
  dead: { exchange: dlx, queue: dead, routingKey: dead }
messages: { any: { payload: { type: object } } }
commands: { task: { exchange: in, routingKey: task, message: any } }
publishers: { report: { exchange: out, routingKey: report, message: any, externalConsumers: true } }
consumers:
  worker: { command: task, queue: work, publishes: [report], handler: { component: handler.wasm, deadlineMs: 60000 } }
";
    let project = Project::new(&contract);
    std::fs::copy(component, project.path("handler.wasm")).expect("a component");
    let host = super::launch(&project, &vhost);
    let letters = tasks.iter().enumerate().map(|(n, task)| Letter::json(&format!("m-{n}"), task)).collect();
    vhost.client.publish_all("in", "task", letters);
    let failing = tasks.iter().filter(|task| **task != json!({})).count();
    let reports = vhost
        .client
        .take("reports", tasks.len() - failing)
        .iter()
        .map(crate::support::client::Got::json)
        .collect();
    let dead = vhost.client.take("dead", failing);
    let logs = guest_logs(&host);
    host.finish();
    Some((reports, logs, dead.iter().map(|letter| (letter.json(), letter.text("x-last-error"))).collect()))
}

fn guest_logs(host: &Host) -> Vec<Value> {
    host.events("").into_iter().filter(|event| event["target"] == "guest").collect()
}

/// Why the message with this task is dead.
#[track_caller]
fn reason<'a>(dead: &'a [(Value, String)], task: &Value) -> &'a str {
    dead.iter().find(|(found, _)| found == task).map(|(_, reason)| reason.as_str()).expect("a dead letter")
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
    let [promise, string, header] =
        [json!({ "async": true }), json!({ "string": true }), json!({ "header": true })];
    let tasks = [json!({}), json!({}), json!({}), promise.clone(), string.clone(), header.clone()];
    let Some((reports, logs, dead)) = run("javascript", &tasks) else { return };
    random_numbers_differ(&reports);
    is_logged(&logs, "INFO", r#"seen by {} [1,{"two":"2"}]"#);
    is_logged(&logs, "DEBUG", "half a surrogate pair \u{fffd} \u{fffd}=\"\u{fffd}\"");
    assert!(reason(&dead, &promise).contains("a promise would not be awaited"), "{dead:?}");
    assert!(reason(&dead, &string).contains("what was thrown is no Error: only a string"), "{dead:?}");
    assert!(reason(&dead, &header).contains("beyond 2^53"), "{dead:?}");
    is_logged(&logs, "ERROR", "handler threw TypeError: a handler is a synchronous function");
}

#[test]
fn python_has_what_the_sdk_promises() {
    let [exit, value, header] =
        [json!({ "exit": true }), json!({ "value": true }), json!({ "header": true })];
    let tasks = [json!({}), json!({}), json!({}), exit.clone(), value.clone(), header.clone()];
    let Some((reports, logs, dead)) = run("python", &tasks) else { return };
    random_numbers_differ(&reports);
    is_logged(&logs, "INFO", r#"seen by logging n="1" logger="checks""#);
    is_logged(&logs, "DEBUG", "not lost");
    is_logged(&logs, "ERROR", "KeyError: 'missing'");
    assert!(reason(&dead, &exit).contains("SystemExit"), "{dead:?}");
    assert!(reason(&dead, &value).contains("this one returned 7"), "{dead:?}");
    assert!(reason(&dead, &header).contains("does not fit into 64 bits"), "{dead:?}");
    is_logged(&logs, "ERROR", "handler raised SystemExit: 0");
}
