//! Publishing what handlers ask for: what they may not publish, and what the broker does not take.

use std::collections::BTreeSet;

use lapin::types::AMQPValue;
use serde_json::{Value, json};
use warren::broker::{Address, Connection, Publication, PublishError, Publisher};
use warren::message::{Message, Properties};

use crate::support::broker::Vhost;
use crate::support::contract::{RETRY, Worker};
use crate::support::guests::{ECHOES, FAILS_PERMANENTLY, FAILS_TRANSIENTLY, PUBLISHES};
use crate::support::host::{Host, Project};
use crate::support::letter::{Got, Letter, arguments, text};
use crate::support::{SOON, eventually, wait};

/// What the log says when the host keeps a message because the broker does not take what is to replace it.
const KEPT: &str = "the message is kept and tried again";

#[test]
fn what_a_handler_may_not_publish_it_is_told() {
    let order = |changes: Value| {
        let mut order = json!({ "count": 1, "publisher": "echoed", "body": {} });
        let changes = changes.as_object().cloned().unwrap_or_default();
        order.as_object_mut().unwrap().extend(changes);
        order
    };
    let long = "x".repeat(100_000);
    let cases = [
        ("nobody", json!({ "publisher": "nobody" }), "is not in the contract"),
        ("a command", json!({ "publisher": "task" }), "is not granted to this consumer"),
        ("another name", json!({ "publisher": "alsoEchoed" }), "is not granted to this consumer"),
        ("not an object", json!({ "body": [1] }), "does not satisfy the contract: body: "),
        ("forbidden", json!({ "body": { "forbidden": 1 } }), "does not satisfy the contract: body"),
        ("text", json!({ "contentType": "text/plain" }), "content-type is `text/plain`"),
        ("key", json!({ "routingKey": "other" }), "has a fixed routing key, it cannot be `other`"),
        ("header", json!({ "headers": { "h": { "text": long } } }), "headers are 100"),
        ("nested", json!({ "headers": { "h": { "nested": "{" } } }), "a nested header is not JSON"),
        ("long", json!({ "correlationId": "c".repeat(256) }), "correlation-id is longer than 255 bytes"),
        ("too many", json!({ "count": 1001 }), "refuses more than 1000 messages"),
        ("too much", json!({ "count": 700, "body": { "x": long } }), "refuses more than 67108864 bytes"),
    ];
    let vhost = Vhost::fresh("refused");
    let host = Host::start(&Worker::new(PUBLISHES), &vhost);
    for (what, changes, _) in &cases {
        vhost.client.publish("in", "task", Letter::json(what, &order(changes.clone())));
    }
    let dead = vhost.client.take("dead", cases.len());
    host.finish();
    for (what, _, error) in cases {
        let found: Vec<&Got> = dead.iter().filter(|dead| dead.id() == what).collect();
        let [dead] = found[..] else { panic!("{what}: {} dead letters", found.len()) };
        assert_eq!(dead.text("x-warren-class"), "permanent", "{what}");
        assert!(dead.text("x-last-error").contains(error), "{what}: {}", dead.text("x-last-error"));
    }
    // And nothing of it came out.
    assert_eq!(vhost.leftovers(), [].into());
}

/// RabbitMQ reads further routing keys out of these headers: they would get a handler past its own.
#[test]
fn headers_do_not_get_a_handler_to_other_queues() {
    let vhost = Vhost::fresh("secret");
    let host = Host::start(&Worker::new(PUBLISHES), &vhost);
    vhost.client.declare_queue("secret", &arguments([]));
    vhost.client.bind("secret", "out", "secret");
    for header in ["CC", "BCC"] {
        let headers = json!({ header: { "nested": "[\"secret\"]" } });
        let order = json!({ "count": 1, "publisher": "echoed", "body": {}, "headers": headers });
        vhost.client.publish("in", "task", Letter::json(header, &order));
    }
    // Whether the host refuses such a message or takes the header off it.
    let ended = || vhost.client.ready("echoes") + vhost.client.ready("dead");
    eventually("both have ended", SOON, || (ended() >= 2).then_some(()));
    host.finish();
    assert_eq!(vhost.client.ready("secret"), 0);
}

/// The broker closes a channel on which such a message is published, and all other messages are in flight on it.
#[test]
fn no_handler_can_bring_the_connection_down() {
    let nested = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let cases = [
        json!({ "headers": { "CC": { "text": "secret" } } }),
        json!({ "headers": { "BCC": { "integer": 1 } } }),
        json!({ "headers": { "h": { "timestamp": u64::MAX } } }),
        json!({ "headers": { "h": { "nested": nested } } }),
        json!({ "headers": { "h": { "nested": "{\"\":1}" } } }),
        json!({ "headers": { "x-death": { "text": "" }, "x-delivery-count": { "text": "" } } }),
        json!({ "headers": { "x-death": { "nested": "[{\"count\":1}]" } } }),
        json!({ "headers": { "h": { "bytes": vec![0; 65_000] } }, "correlationId": "c".repeat(255) }),
        json!({ "replyTo": "amq.rabbitmq.reply-to" }),
        json!({ "expirationMs": u32::MAX }),
        json!({ "priority": 255 }),
        json!({ "correlationId": "", "messageType": "", "replyTo": "" }),
    ];
    let mut lost = Vec::new();
    for changes in cases {
        let vhost = Vhost::fresh("hostile");
        let host = Host::start(&Worker::new(PUBLISHES), &vhost);
        let mut order = json!({ "count": 1, "publisher": "echoed", "body": {} });
        order.as_object_mut().unwrap().extend(changes.as_object().cloned().unwrap_or_default());
        vhost.client.publish("in", "task", Letter::json("m-1", &order));
        let ended = || vhost.client.ready("echoes") + vhost.client.ready("dead") > 0;
        eventually("it has ended", SOON, || (ended() || host.events("ready").len() > 1).then_some(()));
        if !ended() {
            lost.push(changes.to_string().chars().take(80).collect::<String>());
        }
        host.kill9();
    }
    assert_eq!(lost, [""; 0], "the connection was lost");
}

#[test]
fn as_many_messages_as_allowed_come_out_of_one() {
    let vhost = Vhost::fresh("many");
    let host = Host::start(&Worker::new(PUBLISHES), &vhost);
    let order = json!({ "count": 1000, "publisher": "echoed", "body": {} });
    vhost.client.publish("in", "task", Letter::json("m-1", &order));
    let outputs = vhost.client.take("echoes", 1000);
    host.finish();
    let ids: BTreeSet<String> = outputs.iter().map(Got::id).collect();
    assert_eq!((outputs.len(), ids.len()), (1000, 1000));
    assert_eq!(vhost.leftovers(), [].into());
}

/// Publishes two messages of which the replacement cannot be published, because `queue` is not bound any more; gives
/// a host that has tried.
fn kept(vhost: &Vhost, project: &Project, queue: &str, exchange: &str, key: &str) -> Host {
    let host = project.start(vhost);
    vhost.client.unbind(queue, exchange, key);
    let letters = ["m-1", "m-2"].map(|id| Letter::json(id, &json!({ "id": id })));
    vhost.client.publish_all("in", "task", letters.into());
    host.until_event(KEPT, 1);
    host
}

#[test]
fn an_output_that_no_queue_takes_is_kept_until_the_host_has_bound_one() {
    let vhost = Vhost::fresh("unbound");
    let host = kept(&vhost, &Project::new(&Worker::new(ECHOES)), "echoes", "out", "echoed");
    let mut echoes: Vec<_> = vhost.client.take("echoes", 2).iter().map(Got::json).collect();
    host.finish();
    echoes.sort_by_key(|echo| echo["id"].to_string());
    let echo = |id: &str| json!({ "id": id, "attempt": 1, "redelivered": false });
    assert_eq!(echoes, [echo("m-1"), echo("m-2")]);
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_kept_message_outlives_its_host() {
    for (name, end) in [("stopped", Host::finish as fn(Host)), ("killed", Host::kill9)] {
        let vhost = Vhost::fresh(name);
        let full = "type: classic, maxLength: 1, arguments: { x-overflow: reject-publish }";
        let project = Project::new(&Worker::new(ECHOES).echoes(full));
        let host = project.start(&vhost);
        vhost.client.publish("out", "echoed", Letter::json("in the way", &json!({})));
        vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
        host.until_event(KEPT, 1);
        end(host);
        vhost.client.until_ready("work", 1);
        assert_eq!(vhost.client.take_one("echoes").id(), "in the way");
        let host = project.start(&vhost);
        assert_eq!(vhost.client.take_one("echoes").json()["attempt"], 1, "{name}");
        host.finish();
        assert_eq!(vhost.leftovers(), [].into());
    }
}

#[test]
fn a_dead_letter_that_no_queue_takes_is_kept_until_the_host_has_bound_one() {
    let vhost = Vhost::fresh("dead-unbound");
    let host = kept(&vhost, &Project::new(&Worker::new(FAILS_PERMANENTLY)), "dead", "dlx", "dead");
    let dead = vhost.client.take("dead", 2);
    host.finish();
    let ids: BTreeSet<String> = dead.iter().map(Got::id).collect();
    assert_eq!(ids, ["m-1".to_owned(), "m-2".to_owned()].into());
    assert!(dead.iter().all(|dead| dead.integer("x-warren-attempts") == 1));
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_retry_that_no_wait_queue_takes_is_kept_until_the_host_has_declared_one() {
    let vhost = Vhost::fresh("no-tier");
    let project = Project::new(&Worker::new(FAILS_TRANSIENTLY).retry(RETRY));
    let host = project.start(&vhost);
    vhost.client.delete_queue("work-wait-50ms");
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    host.until_event(KEPT, 1);
    let dead = vhost.client.take_one("dead");
    host.finish();
    assert_eq!(dead.integer("x-warren-attempts"), 3);
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn an_exchange_that_is_gone_is_declared_again() {
    let vhost = Vhost::fresh("no-exchange");
    let host = Host::start(&Worker::new(ECHOES), &vhost);
    vhost.client.delete_exchange("out");
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    let echo = vhost.client.take_one("echoes");
    host.finish();
    assert_eq!(echo.json()["attempt"], 1);
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn what_a_full_queue_refuses_is_kept_until_there_is_room() {
    let vhost = Vhost::fresh("full");
    // Classic, because a quorum queue begins to refuse some messages later than it should.
    let full = "type: classic, maxLength: 1, arguments: { x-overflow: reject-publish }";
    let host = Host::start(&Worker::new(ECHOES).echoes(full), &vhost);
    let letters = (0..4).map(|n| Letter::json(&format!("m-{n}"), &json!({}))).collect();
    vhost.client.publish_all("in", "task", letters);
    host.until_event(KEPT, 1);
    // Takes them out as they come.
    let echoes = vhost.client.take("echoes", 4);
    host.finish();
    let ids: BTreeSet<String> = echoes.iter().map(Got::correlation_id).collect();
    assert_eq!((echoes.len(), ids.len()), (4, 4));
    assert!(echoes.iter().all(|echo| echo.json()["attempt"] == 1));
    assert_eq!(vhost.leftovers(), [].into());
}

/// lapin hands a return out with whichever confirm comes next; this is what `broker::publish` is careful about.
#[test]
fn every_verdict_of_a_pipelined_batch_is_right() {
    let vhost = Vhost::fresh("verdicts");
    vhost.client.declare_queue("quorum", &arguments([("x-queue-type", text("quorum"))]));
    vhost.client.declare_queue("classic", &arguments([]));
    let full = [("x-max-length", AMQPValue::LongInt(1)), ("x-overflow", text("reject-publish"))];
    vhost.client.declare_queue("full", &arguments(full));
    vhost.client.publish("", "full", Letter::raw("1"));
    let publication = |n: usize| {
        let exchange = if n % 100 == 51 { "nowhere" } else { "" };
        let routing_key = match n % 10 {
            3 => "missing",
            7 => "full",
            even if even % 2 == 0 => "quorum",
            _ => "classic",
        };
        let properties = Properties { message_id: Some(format!("p-{n}")), ..Properties::default() };
        let message = Message { properties, body: b"{}".to_vec(), ..Message::default() };
        Publication { exchange: exchange.to_owned(), routing_key: routing_key.to_owned(), message }
    };
    let verdicts = wait(async {
        let address = Address::parse(&vhost.url()).unwrap();
        let (publisher, mut publishing) = Publisher::new();
        let publish = async move { publisher.publish((0..400).map(publication).collect()).await };
        // What lapin still sends on a channel that the broker has closed costs the connection, in one run of ten.
        let serve = async {
            loop {
                let connection = Connection::open(&address, "verdicts").await.unwrap();
                let served = publishing.serve(&connection).await;
                connection.close().await;
                if served.is_ok() {
                    return;
                }
            }
        };
        let (verdicts, ()) = tokio::join!(publish, serve);
        verdicts.unwrap()
    });
    assert_eq!(verdicts.len(), 400);
    for (n, (publication, verdict)) in verdicts.iter().enumerate() {
        assert_eq!(publication.message.properties.message_id, Some(format!("p-{n}")));
        match (n % 10, verdict) {
            // The broker closes the channel over these, with everything else that is on its way on it.
            (1, Err(PublishError::Failed { .. })) if n % 100 == 51 => {}
            (3, Err(PublishError::Returned { .. })) | (7, Err(PublishError::Refused { .. })) => {}
            (3 | 7, _) | (_, Err(_)) => panic!("message {n}: {verdict:?}"),
            (1, Ok(())) if n % 100 == 51 => panic!("message {n}: {verdict:?}"),
            (_, Ok(())) => {}
        }
    }
    let ids = |queue: &str| vhost.client.drain(queue).iter().map(Got::id).collect::<BTreeSet<_>>().len();
    assert_eq!((ids("quorum"), ids("classic")), (200, 116));
}
