//! Components of other hosts, unmodified: what they are told, what they may publish, and what their failures become.

use std::io::{Read, Write};
use std::net::TcpStream;

use lapin::types::AMQPValue;
use serde_json::{Value, json};

use crate::support::broker::Vhost;
use crate::support::foreign::{
    self, Guest, Inbox, WASI_MESSAGING, WASI_MESSAGING_ASYNC, WASMCLOUD_2, WASMCLOUD_3, WASMCLOUD_BOTH, World,
};
use crate::support::forwarder::free_port;
use crate::support::host::{Host, Project};
use crate::support::letter::{Got, Letter, text};
use crate::support::{SOON, eventually};

/// A message that orders this.
fn order(id: &str, order: &Value) -> Letter {
    Letter::json(id, order)
}

/// What becomes of one order that is not carried out.
fn dead_letter(vhost: &Vhost, guest: Guest, letter: Letter) -> Got {
    let host = Host::start(&Inbox::new(guest), vhost);
    vhost.client.publish("in", "do.it", letter);
    let dead = vhost.client.take_one("dead");
    host.finish();
    assert_eq!(vhost.leftovers(), [].into(), "{}", guest.name);
    dead
}

#[test]
fn a_subject_is_a_publisher_and_outputs_are_sent_when_the_call_is_done() {
    for guest in foreign::all() {
        let vhost = Vhost::fresh("subject");
        let host = Host::start(&Inbox::new(guest), &vhost);
        for (id, to) in [("m-1", "echoed"), ("m-2", "out/echo.ed"), ("m-3", "echo.ed")] {
            let publish = json!({ "do": "publish", "to": to, "body": { "for": id }, "times": 2 });
            vhost.client.publish("in", "do.it", order(id, &publish));
        }
        vhost.client.publish("in", "do.it", order("m-4", &json!({ "do": "succeed" })));
        let echoes = vhost.client.take("echoes", 6);
        vhost.until_acked("work", 4);
        host.finish();

        for echo in &echoes {
            let id = echo.json()["for"].as_str().expect("its input").to_owned();
            assert_eq!((echo.exchange.as_str(), echo.routing_key.as_str()), ("out", "echo.ed"));
            assert_eq!((echo.correlation_id(), echo.text("x-causation-id")), (id.clone(), id));
            assert_eq!(*echo.properties.delivery_mode(), Some(2));
            assert_eq!(echo.properties.kind().as_ref().expect("a type").as_str(), "echo");
            if guest.world == World::Messaging {
                assert!(echo.text("written-by").starts_with("wasi-messaging"));
                assert_eq!(echo.header("lost"), None);
            }
        }
        let mut ids: Vec<String> = echoes.iter().map(Got::id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 6, "{}", guest.name);
        assert_eq!(vhost.leftovers(), [].into(), "{}", guest.name);
    }
}

#[test]
fn a_handler_is_told_what_its_interface_can_carry() {
    for guest in foreign::all() {
        let vhost = Vhost::fresh("told");
        let host = Host::start(&Inbox::new(guest), &vhost);
        let letter = order("m-1", &json!({ "do": "report", "to": "echoed" }))
            .with(|properties| properties.with_reply_to("answers".into()))
            .header("text", text("t€xt"))
            .header("number", AMQPValue::LongInt(7));
        vhost.client.publish("in", "do.it", letter);
        let report = vhost.client.take_one("echoes").json();
        host.finish();
        let told = match guest.world {
            World::Wasmcloud2 | World::Wasmcloud3 => {
                json!({ "subject": "do.it", "replyTo": "answers", "seen": 1 })
            }
            World::Messaging => json!({
                "topic": "do.it", "contentType": "application/json", "seen": 1,
                "metadata": [["number", "7"], ["text", "t€xt"]],
            }),
        };
        assert_eq!(report, told, "{}", guest.name);
    }
}

#[test]
fn an_error_is_a_failure_of_its_class() {
    for guest in foreign::all() {
        // How it fails, and with what class, text and attempts that ends.
        let table: &[(&str, &str, &str, i64)] = match guest.world {
            World::Wasmcloud2 => &[("any", "transient", "why", 2)],
            World::Wasmcloud3 => &[
                ("reject", "permanent", "rejected by the handler", 1),
                ("retry", "transient", "the handler asks for a retry", 2),
                ("other", "permanent", "why", 1),
            ],
            World::Messaging => &[
                ("timeout", "transient", "timeout", 2),
                ("connection", "transient", "connection: why", 2),
                ("permission-denied", "unauthorized", "why", 1),
                ("other", "transient", "why", 2),
            ],
        };
        let vhost = Vhost::fresh("errors");
        let host = Host::start(&Inbox::new(guest), &vhost);
        for (how, class, text, attempts) in table {
            let fail = json!({ "do": "fail", "how": how, "reason": "why" });
            vhost.client.publish("in", "do.it", order("m-1", &fail));
            let dead = vhost.client.take_one("dead");
            let found =
                (dead.text("x-warren-class"), dead.text("x-last-error"), dead.integer("x-warren-attempts"));
            assert_eq!(found, ((*class).to_owned(), (*text).to_owned(), *attempts), "{} {how}", guest.name);
        }
        let after = json!({ "do": "publish-and-fail", "to": "echoed" });
        vhost.client.publish("in", "do.it", order("m-2", &after));
        assert_eq!(vhost.client.take_one("dead").text("x-warren-class"), "transient");
        host.finish();
        // What was published before the failure is not there.
        assert_eq!(vhost.leftovers(), [].into(), "{}", guest.name);
    }
}

#[test]
fn a_trap_and_a_missed_deadline_are_faults() {
    for guest in foreign::all() {
        let vhost = Vhost::fresh("faults");
        let host = Host::start(&Inbox::new(guest).handler("deadlineMs: 1500"), &vhost);
        for (what, class) in [("trap", "trap"), ("loop", "deadline")] {
            vhost.client.publish("in", "do.it", order("m-1", &json!({ "do": what })));
            let dead = vhost.client.take_one("dead");
            assert_eq!(dead.text("x-warren-class"), class, "{}: {}", guest.name, dead.text("x-last-error"));
            assert_eq!(dead.integer("x-warren-attempts"), 2);
        }
        // And it goes on.
        vhost.client.publish("in", "do.it", order("m-2", &json!({ "do": "report", "to": "echoed" })));
        vhost.client.take_one("echoes");
        host.finish();
        assert_eq!(vhost.leftovers(), [].into(), "{}", guest.name);
    }
}

#[test]
fn what_is_not_granted_or_not_clear_or_not_valid_is_not_published() {
    for guest in foreign::all() {
        let vhost = Vhost::fresh("refused");
        let host = Host::start(&Inbox::new(guest), &vhost);
        for (to, body, says) in [
            (
                "secret",
                json!({}),
                "publishing to `secret` was refused: it is a publisher of the contract that",
            ),
            ("out/secret", json!({}), "is neither the name, nor `exchange/routing-key`, nor"),
            ("nowhere", json!({}), "(answers, echoed, first, second)"),
            ("both", json!({}), "several publishers that are granted (first, second)"),
            ("echoed", json!({ "forbidden": 1 }), "forbidden"),
            ("echoed", json!([1]), "is not of type \"object\""),
        ] {
            let publish = json!({ "do": "publish", "to": to, "body": body });
            vhost.client.publish("in", "do.it", order("m-1", &publish));
            let error = vhost.client.take_one("dead").text("x-last-error");
            assert!(error.contains(says), "{}, `{to}`: {error}", guest.name);
        }
        host.finish();
        assert_eq!(vhost.leftovers(), [].into(), "{}", guest.name);
    }
}

#[test]
fn an_answer_goes_where_a_publisher_is_granted_for() {
    for guest in foreign::all().into_iter().filter(|guest| guest.name != "python_wasi_messaging") {
        let vhost = Vhost::fresh("reply");
        let host = Host::start(&Inbox::new(guest), &vhost);
        let reply = |to: &str| {
            let to = to.to_owned();
            order("m-1", &json!({ "do": "reply", "body": { "answer": 42 } })).with(|properties| {
                properties.with_reply_to(to.into()).with_correlation_id("question-1".into())
            })
        };
        vhost.client.publish("in", "do.it", reply("answers"));
        let answer = vhost.client.take_one("answers");
        assert_eq!(
            (answer.json(), answer.correlation_id()),
            (json!({ "answer": 42 }), "question-1".to_owned())
        );
        vhost.client.publish("in", "do.it", reply("amq.rabbitmq.reply-to.g1h2"));
        let error = vhost.client.take_one("dead").text("x-last-error");
        assert!(error.contains("publishing to `amq.rabbitmq.reply-to.g1h2` was refused"), "{error}");
        vhost.client.publish("in", "do.it", order("m-2", &json!({ "do": "reply", "body": {} })));
        vhost.client.take_one("dead");
        host.finish();
        assert_eq!(vhost.leftovers(), [].into(), "{}", guest.name);
    }
}

#[test]
fn a_request_that_waits_for_its_answer_is_refused_and_said_once() {
    for guest in foreign::all().into_iter().filter(|guest| guest.name != "python_wasi_messaging") {
        let vhost = Vhost::fresh("request");
        let host = Host::start(&Inbox::new(guest), &vhost);
        for id in ["m-1", "m-2"] {
            vhost.client.publish("in", "do.it", order(id, &json!({ "do": "request", "to": "echoed" })));
            let error = vhost.client.take_one("dead").text("x-last-error");
            assert!(error.contains("cannot ask `echoed` and wait for an answer"), "{}: {error}", guest.name);
        }
        let said = host.events("cannot ask `echoed`").into_iter().filter(|event| event["level"] == "WARN");
        let said: Vec<Value> = said.filter(|event| event["target"] != "warren::dispatch::record").collect();
        assert_eq!(said.len(), 1, "{said:?}");
        host.finish();
    }
}

#[test]
fn headers_that_get_lost_are_counted_and_said_once() {
    for (guest, lost) in [(WASMCLOUD_2, 8), (WASI_MESSAGING, 2)] {
        let vhost = Vhost::fresh("headers");
        let port = free_port();
        let project = Project::new(&Inbox::new(guest));
        let host = project.start_with(&vhost.url(), &["--admin", &format!("127.0.0.1:{port}")]);
        for _ in 0..2 {
            // Message id and content type are properties too; the second is something that `wasi:messaging` has.
            let letter = order("m-1", &json!({ "do": "succeed" }));
            vhost.client.publish("in", "do.it", letter.header("a", text("1")).header("b", text("2")));
        }
        vhost.until_acked("work", 2);
        let metrics = get(port, "/metrics");
        let name = "warren_foreign_dropped_headers_total{consumer=\"worker\"} ";
        let found = metrics.lines().find_map(|line| line.strip_prefix(name)).expect("the metric");
        assert_eq!(found, lost.to_string(), "{}", guest.name);
        host.until_event("headers and properties of this message", 1);
        assert_eq!(host.events("headers and properties of this message").len(), 1);
        host.finish();
    }
}

/// The answer of the host's own HTTP server.
fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the host listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn instances_are_fresh_or_reused_as_the_contract_says() {
    for guest in foreign::all() {
        for (isolation, expected) in [("fresh", [1, 1, 1]), ("reuse", [1, 2, 3])] {
            let vhost = Vhost::fresh(isolation);
            let handler = format!("deadlineMs: 60000, concurrency: 1, isolation: {isolation}");
            let host = Host::start(&Inbox::new(guest).handler(&handler), &vhost);
            let seen = [1, 2, 3].map(|n| {
                let report = order(&format!("m-{n}"), &json!({ "do": "report", "to": "echoed" }));
                vhost.client.publish("in", "do.it", report);
                vhost.client.take_one("echoes").json()["seen"].as_u64().expect("a number")
            });
            host.finish();
            assert_eq!(seen, expected, "{} {isolation}", guest.name);
        }
    }
}

#[test]
fn many_messages_are_handled_at_a_time() {
    for guest in foreign::all() {
        let vhost = Vhost::fresh("many");
        let handler = "deadlineMs: 60000, concurrency: 8, isolation: reuse";
        let host = Host::start(&Inbox::new(guest).handler(handler), &vhost);
        let publish = json!({ "do": "publish", "to": "echoed", "body": { "x": 1 } });
        let letters = (0..200).map(|n| order(&format!("m-{n}"), &publish)).collect();
        vhost.client.publish_all("in", "do.it", letters);
        let ids: std::collections::BTreeSet<String> =
            vhost.client.take("echoes", 200).iter().map(Got::correlation_id).collect();
        assert_eq!(ids.len(), 200);
        host.finish();
        assert_eq!(vhost.leftovers(), [].into(), "{}", guest.name);
    }
}

#[test]
fn what_a_task_publishes_after_its_handler_has_returned_is_of_the_same_call() {
    for guest in [WASMCLOUD_3, WASI_MESSAGING_ASYNC] {
        let vhost = Vhost::fresh("later");
        let handler = "deadlineMs: 60000, concurrency: 1, isolation: reuse";
        let host = Host::start(&Inbox::new(guest).handler(handler), &vhost);
        for id in ["m-1", "m-2"] {
            let later = json!({ "do": "publish-later", "to": "echoed" });
            vhost.client.publish("in", "do.it", order(id, &later));
            assert_eq!(vhost.client.take_one("echoes").correlation_id(), id, "{}", guest.name);
        }
        host.finish();
        assert_eq!(vhost.leftovers(), [].into(), "{}", guest.name);
    }
}

#[test]
fn of_two_interfaces_the_newer_is_called() {
    let vhost = Vhost::fresh("both");
    let dead = dead_letter(&vhost, WASMCLOUD_BOTH, order("m-1", &json!({})));
    assert_eq!(dead.text("x-last-error"), "this is 0.3.0");
    let project = Project::new(&Inbox::new(WASMCLOUD_BOTH));
    let check = project.run(&["check", "contract.yaml"]);
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    assert!(
        check.stderr.contains("`wasmcloud:messaging@0.2.0` as well, which is ignored"),
        "{}",
        check.stderr
    );
}

#[test]
fn logs_of_a_component_of_another_host_are_the_guests() {
    let vhost = Vhost::fresh("logs");
    let host = Host::start(&Inbox::new(WASMCLOUD_2), &vhost);
    vhost.client.publish("in", "do.it", order("m-1", &json!({ "do": "log", "text": "line-1", "times": 1 })));
    vhost.client.publish(
        "in",
        "do.it",
        order("m-2", &json!({ "do": "log", "text": "many", "times": 1_000 })),
    );
    vhost.until_acked("work", 2);
    let said = eventually("the line", SOON, || host.events("line-1").pop());
    assert_eq!((&said["consumer"], &said["message_id"]), (&json!("worker"), &json!("m-1")));
    assert!(said["message"].as_str().is_some_and(|text| text.contains("context=\"orders\"")), "{said}");
    let lines = host.events("many").len();
    assert!((190..=200).contains(&lines), "{lines}");
    host.finish();
}
