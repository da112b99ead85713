//! What the contract language can say beside one exchange and one queue, carried out on a real broker.

use flate2::read::GzDecoder;
use serde_json::json;
use std::io::Read;

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::guests::{ECHOES, FAILS_PERMANENTLY, FAILS_TRANSIENTLY, SUCCEEDS, TRAPS};
use crate::support::host::{Host, Project};
use crate::support::letter::{Letter, arguments, text};

/// A contract in which the consumer `worker` gets `task` in a certain way, and `echoed` goes to the queue `echoes`.
fn contract(exchanges: &str, more: &str, consumer: &str) -> String {
    format!(
        "contract: tests
exchanges:
  out: {{ type: direct }}
  dlx: {{ type: direct }}
{exchanges}
messages:
  task: {{ payload: {{ type: object }} }}
queues:
  work: {{ deadLetter: {{ exchange: dlx, routingKey: dead }} }}
  echoes: {{}}
  dead: {{}}
bindings:
  echoes: {{ exchange: out, queue: echoes, routingKey: echoed }}
  dead: {{ exchange: dlx, queue: dead, routingKey: dead }}
events:
  echoed: {{ exchange: out, routingKey: echoed, message: task }}
{more}
consumers:
  worker: {{ queue: work, publishes: [echoed], handler: {{ component: handlers/{}, deadlineMs: 60000 }}, {consumer} }}
",
        ECHOES.file()
    )
}

#[test]
fn a_message_comes_over_a_bridge() {
    let vhost = Vhost::fresh("bridge");
    let exchanges = "  shop: { type: topic }\n  local: { type: topic }";
    let more = "  placed: { exchange: shop, routingKey: order.placed, message: task }";
    let host = Host::start(
        &contract(exchanges, more, "event: placed, routingKey: \"order.#\", bridgeExchange: local"),
        &vhost,
    );
    vhost.client.publish("shop", "order.placed", Letter::json("m-1", &json!({ "n": 1 })));
    assert_eq!(vhost.client.take_one("echoes").json()["n"], 1);
    host.finish();
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_message_is_chosen_by_its_headers() {
    let vhost = Vhost::fresh("headers");
    let exchanges = "  shop: { type: headers }";
    let more = "  placed: { exchange: shop, message: task }";
    let consumer = "event: placed, headers: { region: eu, urgent: true }";
    let host = Host::start(&contract(exchanges, more, consumer), &vhost);
    let letter = Letter::json("m-1", &json!({ "n": 1 }));
    vhost.client.declare_queue("others", &arguments([]));
    vhost.client.bind("others", "shop", "");
    let right = letter.header("region", text("eu")).header("urgent", lapin::types::AMQPValue::Boolean(true));
    vhost.client.publish("shop", "", right);
    vhost.client.publish("shop", "", Letter::json("m-2", &json!({ "n": 2 })).header("region", text("eu")));
    assert_eq!(vhost.client.take_one("echoes").json()["n"], 1);
    vhost.client.take("others", 2);
    host.finish();
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn the_default_exchange_takes_a_message_to_a_queue_by_its_name() {
    let vhost = Vhost::fresh("default");
    let worker = Worker::new(ECHOES).to_string().replace(
        "  echoed: { exchange: out, routingKey: echoed, message: echo }",
        "  echoed: { exchange: \"\", routingKey: echoes, message: echo }",
    );
    let host = Host::start(&worker, &vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    let echo = vhost.client.take_one("echoes");
    assert_eq!((echo.exchange.as_str(), echo.routing_key.as_str()), ("", "echoes"));
    host.finish();
}

#[test]
fn what_belongs_to_somebody_else_is_used_as_it_is() {
    let vhost = Vhost::fresh("theirs");
    // Not how the contract would declare it.
    vhost.client.declare_queue(
        "work",
        &arguments([("x-queue-type", text("classic")), ("x-max-length", 50_i32.into())]),
    );
    let project = Project::new(&Worker::new(ECHOES).queue("owned: false"));
    let host = project.start(&vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    vhost.client.take_one("echoes");
    host.finish();
    assert_eq!(vhost.queue("work")["arguments"]["x-max-length"], 50);

    let empty = Vhost::fresh("theirs-missing");
    let refused = project.launch(&empty.url(), &[]);
    assert_eq!(refused.until_exit(crate::support::SOON), Some(78));
    assert!(!empty.client.exists("work"));
}

#[test]
fn an_exclusive_queue_is_consumed_by_the_host_that_declares_it() {
    let vhost = Vhost::fresh("exclusive");
    let worker = Worker::new(ECHOES).queue("type: classic, exclusive: true").retry("mode: none");
    let host = Host::start(&worker, &vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    vhost.client.take_one("echoes");
    host.finish();
}

#[test]
fn failures_end_as_the_contract_says_for_their_class() {
    for (guest, on_failure, class, attempts) in [
        (FAILS_TRANSIENTLY, "transient: dead-letter", "transient", 1),
        (FAILS_PERMANENTLY, "permanent: retry", "permanent", 3),
        (TRAPS, "trap: dead-letter", "trap", 1),
    ] {
        let vhost = Vhost::fresh("on-failure");
        let worker = Worker::new(guest).consumer(&format!("onFailure: {{ {on_failure} }}"));
        let host = Host::start(&worker, &vhost);
        vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
        let dead = vhost.client.take_one("dead");
        host.finish();
        assert_eq!(
            (dead.text("x-warren-class").as_str(), dead.integer("x-warren-attempts")),
            (class, attempts)
        );
    }
}

#[test]
fn what_is_published_is_compressed_as_the_contract_says() {
    let vhost = Vhost::fresh("compresses");
    let worker = Worker::new(ECHOES).to_string().replace(
        "properties: { forbidden: false } } }",
        "properties: { forbidden: false } }, contentEncoding: gzip }",
    );
    let project = Project::new(&worker);
    let host = project.start(&vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "n": 1 })));
    let publish = ["publish", "contract.yaml", "echoed", "-d", "{\"n\":2}", "--amqp-url", &vhost.url()];
    assert_eq!(project.run(&publish).code, Some(0));
    let mut numbers: Vec<i64> = vhost
        .client
        .take("echoes", 2)
        .iter()
        .map(|echo| {
            assert_eq!(
                echo.properties.content_encoding().as_ref().map(|encoding| encoding.as_str()),
                Some("gzip")
            );
            let mut body = String::new();
            GzDecoder::new(echo.body.as_slice()).read_to_string(&mut body).unwrap();
            serde_json::from_str::<serde_json::Value>(&body).unwrap()["n"].as_i64().unwrap()
        })
        .collect();
    host.finish();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn what_cannot_be_run_yet_is_sound_and_refused_by_name() {
    let rpcs =
        "rpcs:\n  quote: { queue: work, request: task, response: echo, timeoutMs: 5000 }\nconsumers:\n";
    let contract = Worker::new(SUCCEEDS).to_string();
    let contract =
        contract.replace("commands:\n  task: { exchange: in, routingKey: task, message: task }\n", "");
    let contract = contract.replace("consumers:\n", rpcs).replace("command: task, queue: work", "rpc: quote");
    let project = Project::new(&contract);
    let check = project.run(&["check", "contract.yaml"]);
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    assert!(check.stdout.contains("`warren run` will refuse it"), "{}", check.stdout);
    let run = project.run(&["run", "contract.yaml"]);
    assert_eq!(run.code, Some(78));
    assert!(run.stderr.contains("the rpc `quote` cannot be run by this version"), "{}", run.stderr);
}
