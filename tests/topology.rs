//! `warren topology`: what is imported from its definitions is what Warren would declare.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::broker::Vhost;
use crate::support::host::Project;
use crate::support::node::import_definitions;
use crate::support::{SOON, eventually};

/// Arguments of every type that a contract can write, on everything that has arguments.
const CONTRACT: &str = r#"
contract: tests
exchanges:
  in: { type: headers, alternateExchange: strays, arguments: { x-number: 1, x-real: 1.5, x-yes: true, x-list: [1, a], x-map: { a: 1 } } }
  strays: { type: fanout, durable: false }
  dlx: { type: topic }
  theirs: { owned: false }
queues:
  work:
    deadLetter: { exchange: dlx, routingKey: dead }
    maxLength: 1000
    messageTtlMs: 60000
    singleActiveConsumer: true
    arguments: { x-quorum-initial-group-size: 1 }
  priorities: { type: classic, maxPriority: 5, expiresMs: 3600000, deadLetter: { exchange: "", routingKey: dead } }
  mine: { type: classic, durable: false, exclusive: true }
  dead: {}
  theirs: { owned: false }
bindings:
  work: { exchange: in, queue: work, headers: { kind: task, number: 1, real: 1.5, yes: true }, match: any-with-x }
  priorities: { exchange: in, queue: priorities, headers: { kind: other }, arguments: { number: 2 } }
  strays: { exchange: strays, queue: dead }
  mine: { exchange: strays, queue: mine }
  between: { exchange: dlx, toExchange: strays, routingKey: "lost.#" }
  dead: { exchange: dlx, queue: dead, routingKey: "*" }
  there: { exchange: theirs, queue: dead, routingKey: a.b }
messages: { task: { payload: {} } }
events: { task: { exchange: in, message: task } }
consumers:
  worker: { message: task, queue: work, handler: { component: a.wasm } }
"#;

#[test]
fn imported_definitions_are_what_is_declared() {
    let vhost = Vhost::fresh("definitions");
    // What is somebody else's is left out, and has to be there.
    vhost.client.declare_exchange("theirs", lapin::ExchangeKind::Topic);
    vhost.client.declare_queue("theirs", &lapin::types::FieldTable::default());
    let project = Project::new(&CONTRACT);
    let definitions =
        project.run(&["topology", "contract.yaml", "--format", "definitions", "--vhost", vhost.name()]);
    assert_eq!(definitions.code, Some(0), "{}", definitions.stderr);
    for left_out in ["exchange `theirs`", "queue `theirs`", "queue `mine`", "binding of `mine`"] {
        assert!(definitions.stderr.contains(&format!("left out: {left_out}")), "{}", definitions.stderr);
    }
    match import_definitions(&definitions.stdout) {
        Some(output) => assert!(output.status.success(), "{output:?}"),
        // Not a broker of the project: by the management API, which imports them the same way.
        None => vhost.import(&definitions.stdout),
    }
    let imported = vhost.topology();
    let published = project.run(&[
        "publish",
        "contract.yaml",
        "task",
        "-d",
        "{}",
        "-H",
        "kind=task",
        "--amqp-url",
        &vhost.url(),
    ]);
    assert_eq!(published.code, Some(0), "{}{}", published.stdout, published.stderr);
    // The exclusive queue goes with the connection that published, a moment later.
    let now = eventually("the exclusive queue is gone", SOON, || {
        let now = vhost.topology();
        (!now.to_string().contains("\"mine\"")).then_some(now)
    });
    // A binding that was different would be there twice.
    assert_eq!(now, imported);
    let queues = imported["queues"].as_array().unwrap().iter();
    let queues: BTreeSet<&str> = queues.filter_map(|queue| queue["name"].as_str()).collect();
    let expected =
        ["dead", "priorities", "theirs", "work", "work-wait-1000ms", "work-wait-2000ms", "work-wait-4000ms"];
    assert_eq!(queues, expected.into());
    assert_eq!(vhost.client.ready("work"), 1);
}

#[test]
fn a_topology_is_shown_in_every_format() {
    let project = Project::new(&CONTRACT);
    let show = |format: &str| {
        let shown = project.run(&["topology", "contract.yaml", "--format", format]);
        assert_eq!((shown.code, shown.stderr.is_empty()), (Some(0), true), "{}", shown.stderr);
        shown.stdout
    };
    assert!(show("table").contains("\nwork-wait-1000ms  quorum   waits 0.5 to 1.5 s for work\n"));
    let overview: Value = serde_json::from_str(&show("json")).unwrap();
    assert_eq!(overview["queues"][3]["deadLettersOf"], json!([]));
    assert_eq!(overview["queues"][0]["deadLettersOf"], json!(["priorities", "work"]));
    assert!(show("mermaid").starts_with("flowchart LR\n"));
    assert!(show("dot").starts_with("digraph \"tests\" {\n"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let project = Project::new(&CONTRACT);
    let mut command = project.command(&["topology", "contract.yaml", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
