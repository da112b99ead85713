//! `warren publish`: what it confirms is in the queue, and what it refuses is counted by reason.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use lapin::types::AMQPValue;

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::forwarder::{Forwarder, free_port};
use crate::support::guests::SUCCEEDS;
use crate::support::host::{Finished, Project};
use crate::support::letter::{Got, Letter};
use crate::support::{SOON, eventually};

/// Exit codes, after sysexits.h.
const USAGE: i32 = 64;
const REFUSED: i32 = 65;
const UNAVAILABLE: i32 = 69;
const NO_PERMISSION: i32 = 77;
const CONTRACT: i32 = 78;

/// A contract whose messages have a number, and 100 bytes at most.
fn project() -> Project {
    let worker = Worker::new(SUCCEEDS)
        .payload("type: object, required: [n], properties: { n: { type: integer }, tags: { items: { type: string } } }")
        .message("maxBodyBytes: 100, headers: { type: object, properties: { tenant: { type: string } } }");
    Project::new(&worker)
}

fn publish(project: &Project, vhost: &Vhost, arguments: &[&str]) -> Finished {
    let url = vhost.url();
    let mut all = vec!["publish", "contract.yaml", "task", "--amqp-url", &url];
    all.extend(arguments);
    project.run(&all)
}

#[test]
fn every_line_of_a_file_is_published() {
    let vhost = Vhost::fresh("lines");
    let project = project();
    project.write("lines.jsonl", "{\"n\":1}\n{ \"n\": 2 }\r\n\n   \n{\"n\":5}");
    let done = publish(&project, &vhost, &["--file", "lines.jsonl", "--message-id-prefix", "p"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.starts_with("3 confirmed, 0 refused"), "{}", done.stdout);

    let got = vhost.client.drain("work");
    let bodies: Vec<(String, &[u8])> = got.iter().map(|got| (got.id(), got.body.as_slice())).collect();
    let expected: [(&str, &[u8]); 3] =
        [("p-1", b"{\"n\":1}"), ("p-2", b"{ \"n\": 2 }"), ("p-5", b"{\"n\":5}")];
    assert_eq!(bodies, expected.map(|(id, body)| (id.to_owned(), body)));
    for got in &got {
        let properties = &got.properties;
        assert_eq!((got.exchange.as_str(), got.routing_key.as_str()), ("in", "task"));
        assert_eq!(*properties.delivery_mode(), Some(2));
        assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/json");
        assert_eq!(properties.kind().as_ref().unwrap().as_str(), "task");
        assert_eq!(properties.app_id().as_ref().unwrap().as_str(), "tests");
        assert!(properties.timestamp().is_some());
    }
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn one_message_is_published_as_it_is_given() {
    let vhost = Vhost::fresh("one");
    let given = [
        "--data",
        "{\"n\":7}",
        "--message-id",
        "m-7",
        "--correlation-id",
        "c-7",
        "-H",
        "tenant=a",
        "-H",
        "x=5",
    ];
    let done = publish(&project(), &vhost, &given);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let got = vhost.client.take_one("work");
    assert_eq!((got.id(), got.correlation_id()), ("m-7".into(), "c-7".into()));
    assert_eq!((got.body.as_slice(), got.text("tenant")), (b"{\"n\":7}".as_slice(), "a".into()));
    assert_eq!(got.header("x"), Some(&AMQPValue::LongLongInt(5)));

    // Without an id it gets one of its own each time.
    for _ in 0..2 {
        assert_eq!(publish(&project(), &vhost, &["-d", "{\"n\":7}"]).code, Some(0));
    }
    let ids: BTreeSet<String> = vhost.client.take("work", 2).iter().map(Got::id).collect();
    assert_eq!((ids.len(), ids.iter().all(|id| id.len() == 36)), (2, true), "{ids:?}");
}

#[test]
fn invalid_lines_are_refused_and_counted_by_reason() {
    let vhost = Vhost::fresh("invalid-lines");
    let project = project();
    let long = format!("{{\"n\":1,\"t\":\"{}\"}}", "x".repeat(100));
    let refused = [
        "not json",
        "{\"n\":",
        "{}",
        "[1]",
        "{\"n\":\"1\"}",
        "{\"n\":1,\"tags\":[1]}",
        "{\"n\":1,\"tags\":[\"a\",2]}",
        &long,
    ];
    let exactly = format!("{{\"n\":1,\"t\":\"{}\"}}", "x".repeat(100 - 14));
    assert_eq!(exactly.len(), 100);
    project.write("lines.jsonl", format!("{{\"n\":1}}\n{}\n{exactly}\n", refused.join("\n")));
    let done = publish(&project, &vhost, &["-f", "lines.jsonl", "--refused", "refused.jsonl"]);
    assert_eq!(done.code, Some(REFUSED), "{}", done.stderr);
    assert!(done.stdout.starts_with("2 confirmed, 8 refused"), "{}", done.stdout);
    let counts: Vec<&str> = done.stdout.lines().skip(1).map(str::trim).collect();
    for (count, reason) in [
        (1, "body is not JSON: expected"),
        (1, "body is not JSON: EOF"),
        (2, "body/tags/*: "),
        (1, "body/n: "),
        (1, "body is larger than 100 bytes"),
    ] {
        let counted = format!("{count} refused: {reason}");
        assert!(counts.iter().any(|line| line.starts_with(&counted)), "no `{counted}` in {counts:?}");
    }
    assert!(done.stderr.contains("line 2 refused: body is not JSON"), "{}", done.stderr);
    let written = std::fs::read_to_string(project.path("refused.jsonl")).unwrap();
    let written: Vec<&str> = written.lines().collect();
    assert_eq!(written[..7], refused[..7]);
    // Of a line that is too long only the beginning is kept.
    assert!(written.len() == 8 && long.starts_with(written[7]) && written[7].len() > 100, "{written:?}");
    assert_eq!(vhost.client.drain("work").len(), 2);

    // They are what they are: whoever wants to see what consumers make of them can send them.
    let done = publish(&project, &vhost, &["-f", "refused.jsonl", "--no-validate"]);
    assert_eq!(done.code, Some(REFUSED), "{}", done.stderr);
    assert_eq!(vhost.client.drain("work").len(), 7);
    // A header is checked, too.
    let done = publish(&project, &vhost, &["-d", "{\"n\":1}", "-H", "tenant=5"]);
    assert_eq!(done.code, Some(REFUSED), "{}", done.stdout);
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_message_that_no_queue_takes_is_refused() {
    let vhost = Vhost::fresh("no-route");
    let project = project();
    project.start(&vhost).finish();
    vhost.client.unbind("work", "in", "task");
    project.write("lines.jsonl", "{\"n\":1}\n{\"n\":2}\n");
    let done = publish(&project, &vhost, &["-f", "lines.jsonl", "--no-declare"]);
    assert_eq!(done.code, Some(REFUSED), "{}", done.stderr);
    assert!(done.stdout.starts_with("0 confirmed, 2 refused"), "{}", done.stdout);
    assert!(done.stdout.contains("2 refused: ") && done.stdout.contains("NO_ROUTE"), "{}", done.stdout);
    // What is missing is declared, unless that is not wanted.
    assert_eq!(publish(&project, &vhost, &["-f", "lines.jsonl"]).code, Some(0));
    assert_eq!(vhost.leftovers(), [("work".to_owned(), 2)].into());
}

#[test]
fn a_stream_is_published_as_it_comes() {
    let vhost = Vhost::fresh("stream");
    let project = project();
    let mut command = project.command(&["publish", "contract.yaml", "task", "--amqp-url", &vhost.url()]);
    command.stdin(Stdio::piped());
    let mut running = project.spawn(command);
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"{\"n\":1}\n{\"n\":2}\n").unwrap();
    // The stream has not ended, and its first lines are in the queue. (Before it is declared, there is none.)
    eventually("two lines are there", SOON, || vhost.client.exists("work").then_some(()));
    vhost.client.until_ready("work", 2);
    stdin.write_all(b"{\"n\":3}").unwrap();
    drop(stdin);
    let done = running.finish();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.starts_with("3 confirmed, 0 refused"), "{}", done.stdout);
    assert_eq!(vhost.leftovers(), [("work".to_owned(), 3)].into());
}

#[test]
fn an_interrupted_stream_says_what_was_confirmed() {
    let vhost = Vhost::fresh("interrupted");
    let project = project();
    let mut command = project.command(&["publish", "contract.yaml", "task", "--amqp-url", &vhost.url()]);
    command.stdin(Stdio::piped());
    let mut running = project.spawn(command);
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"{\"n\":1}\n{\"n\":2}\n").unwrap();
    eventually("two lines are there", SOON, || vhost.client.exists("work").then_some(()));
    vhost.client.until_ready("work", 2);
    running.signal("INT");
    let done = running.finish();
    assert_eq!(done.code, Some(130));
    assert!(done.stdout.starts_with("stopped; 2 confirmed, 0 refused"), "{} {}", done.stdout, done.stderr);
    assert_eq!(vhost.leftovers(), [("work".to_owned(), 2)].into());
}

#[test]
fn a_command_that_cannot_be_carried_out_says_why() {
    let vhost = Vhost::fresh("cannot");
    let project = project();
    let (url, nowhere) = (vhost.url(), format!("amqp://127.0.0.1:{}", free_port()));
    let wrong = url.replacen(":guest@", ":wrong@", 1);
    let data = "{\"n\":1}";
    for (arguments, code, says) in [
        (&["taks", "--amqp-url", &url, "-d", data][..], USAGE, "there is `alsoEchoed`, `echoed`, `task`"),
        (&["task", "--amqp-url", &url, "-d", data, "-k", "other"], USAGE, "has a fixed routing key"),
        (&["task", "--amqp-url", &url, "-d", data, "-H", "novalue"], USAGE, "NAME=VALUE"),
        (&["task", "--amqp-url", "http://x", "-d", data], USAGE, "--amqp-url"),
        (&["task", "--amqp-url", &url, "-d", data, "-f", "x"], USAGE, "--file"),
        (&["task", "--amqp-url", &nowhere, "-d", data, "--wait-seconds", "1"], UNAVAILABLE, "no broker at"),
        (&["task", "--amqp-url", &wrong, "-d", data], NO_PERMISSION, "refused"),
    ] {
        let mut all = vec!["publish", "contract.yaml"];
        all.extend(arguments);
        let done = project.run(&all);
        assert_eq!(done.code, Some(code), "{arguments:?}: {}", done.stderr);
        assert!(done.stderr.contains(says), "{arguments:?}: {}", done.stderr);
    }
    let done = publish(&project, &vhost, &["-f", "nothing.jsonl"]);
    assert!(done.code != Some(0) && done.stderr.contains("nothing.jsonl"), "{done:?}");
    vhost.client.declare_queue("work", &lapin::types::FieldTable::default());
    vhost.client.publish("", "work", Letter::raw("mine"));
    let done = publish(&project, &vhost, &["-d", data]);
    assert_eq!(done.code, Some(CONTRACT), "{}", done.stderr);
    assert!(done.stderr.contains("queue `work` exists and is different"), "{}", done.stderr);
    assert_eq!(vhost.leftovers(), [("work".to_owned(), 1)].into());
}

#[test]
fn a_broker_that_stays_away_ends_the_command_with_a_count() {
    let vhost = Vhost::fresh("away");
    let forwarder = Forwarder::start();
    let project = project();
    let url = vhost.url_by(forwarder.port());
    let mut command = project.command(&["publish", "contract.yaml", "task", "--amqp-url", &url]);
    command.args(["--wait-seconds", "1"]).stdin(Stdio::piped());
    let mut running = project.spawn(command);
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"{\"n\":1}\n").unwrap();
    eventually("one line is there", SOON, || vhost.client.exists("work").then_some(()));
    vhost.client.until_ready("work", 1);
    drop(forwarder);
    stdin.write_all(b"{\"n\":2}\n").unwrap();
    drop(stdin);
    let done = running.finish();
    assert_eq!(done.code, Some(UNAVAILABLE), "{}", done.stderr);
    assert!(done.stdout.starts_with("1 confirmed, 0 refused"), "{}", done.stdout);
    assert!(done.stderr.contains("no broker at"), "{}", done.stderr);
    assert_eq!(vhost.leftovers(), [("work".to_owned(), 1)].into());
}

#[test]
fn a_cut_connection_costs_no_line() {
    const COUNT: usize = 20_000;
    let vhost = Vhost::fresh("cut-lines");
    let forwarder = Forwarder::start();
    let project = project();
    let mut lines = String::new();
    for n in 1..=COUNT {
        writeln!(lines, "{{\"n\":{n}}}").unwrap();
    }
    project.write("lines.jsonl", lines);
    let url = vhost.url_by(forwarder.port());
    let mut command = project.command(&["publish", "contract.yaml", "task", "--amqp-url", &url]);
    command.args(["-f", "lines.jsonl", "--message-id-prefix", "p"]);
    let running = project.spawn(command);
    for megabytes in 1..=2 {
        eventually("a megabyte is under way", SOON, || {
            (forwarder.bytes() > megabytes * 1_000_000).then_some(())
        });
        forwarder.cut();
    }
    let done = running.finish();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.starts_with("20000 confirmed, 0 refused"), "{}", done.stdout);
    assert!(forwarder.bytes() > 2_000_000, "{} bytes: nothing was cut", forwarder.bytes());

    let ids: BTreeSet<String> = vhost.client.take_ids("work", COUNT).into_iter().collect();
    let expected: BTreeSet<String> = (1..=COUNT).map(|n| format!("p-{n}")).collect();
    assert!(ids == expected, "{} different ids", ids.len());
}
