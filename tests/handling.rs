//! A message that is handled: what the handler is told, what it publishes, and that nothing else happens.

use std::collections::BTreeSet;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray};
use serde_json::{Value, json};

use crate::support::broker::Vhost;
use crate::support::contract::Worker;
use crate::support::guests::{
    ECHOES, FAILS_TRANSIENTLY, FLOODS_LOGS, KEEPS_STATE, PUBLISHES, REPORTS, SUCCEEDS,
};
use crate::support::host::{Host, Project};
use crate::support::letter::{Letter, arguments, text};

#[test]
fn a_handled_message_is_acked_and_its_output_published() {
    let vhost = Vhost::fresh("handled");
    let host = Host::start(&Worker::new(ECHOES), &vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({ "n": 1 })));
    let echo = vhost.client.take_one("echoes");
    host.finish();

    assert_eq!(echo.json(), json!({ "n": 1, "attempt": 1, "redelivered": false }));
    assert_eq!((echo.exchange.as_str(), echo.routing_key.as_str()), ("out", "echoed"));
    let properties = &echo.properties;
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/json");
    assert_eq!(properties.kind().as_ref().unwrap().as_str(), "echo");
    assert_eq!(properties.app_id().as_ref().unwrap().as_str(), "tests");
    assert!(properties.timestamp().is_some());
    assert_eq!(echo.correlation_id(), "m-1");
    assert_eq!(echo.text("x-causation-id"), "m-1");
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn an_output_id_follows_from_its_input() {
    let vhost = Vhost::fresh("derived-ids");
    let host = Host::start(&Worker::new(ECHOES), &vhost);
    let letter = |id: &str| Letter::json(id, &json!({ "of": id }));
    let correlated = letter("m-3").with(|properties| properties.with_correlation_id("order-3".into()));
    for letter in [letter("m-1"), letter("m-2"), letter("m-1"), correlated] {
        vhost.client.publish("in", "task", letter);
    }
    let echoes = vhost.client.take("echoes", 4);
    host.finish();

    let of = |input: &str| {
        let of_input = echoes.iter().filter(|echo| echo.json()["of"] == input);
        let ids = of_input.map(|echo| (echo.id(), echo.correlation_id()));
        ids.collect::<Vec<_>>()
    };
    let [first, again] = &of("m-1")[..] else { panic!("{:?}", of("m-1")) };
    assert_eq!(first, again);
    assert_ne!(first.0, of("m-2")[0].0);
    assert_eq!(of("m-2")[0].1, "m-2");
    assert_eq!(of("m-3")[0].1, "order-3");
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_handler_that_publishes_nothing_just_takes_messages_away() {
    let vhost = Vhost::fresh("succeeds");
    let host = Host::start(&Worker::new(SUCCEEDS), &vhost);
    let letters = (0..50).map(|n| Letter::json(&format!("m-{n}"), &json!({}))).collect();
    vhost.client.publish_all("in", "task", letters);
    vhost.until_acked("work", 50);
    host.finish();
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn every_message_gets_a_fresh_instance() {
    let vhost = Vhost::fresh("fresh");
    let host = Host::start(&Worker::new(KEEPS_STATE), &vhost);
    let letters = (0..20).map(|n| Letter::json(&format!("m-{n}"), &json!({}))).collect();
    vhost.client.publish_all("in", "task", letters);
    let counts = vhost.client.take("echoes", 20);
    host.finish();
    assert!(counts.iter().all(|count| count.json() == json!({ "calls": 1 })), "{counts:?}");
    assert_eq!(vhost.leftovers(), [].into());
}

/// A header of every type that RabbitMQ knows, and how a guest sees it.
pub(crate) fn headers() -> Vec<(&'static str, AMQPValue, Value)> {
    let array = FieldArray::from(vec![AMQPValue::LongInt(1), text("two")]);
    let table = arguments([("deep", AMQPValue::FieldTable(arguments([("er", AMQPValue::Boolean(true))])))]);
    vec![
        ("h-void", AMQPValue::Void, json!("void")),
        ("h-boolean", AMQPValue::Boolean(true), json!({ "boolean": true })),
        ("h-i8", AMQPValue::ShortShortInt(-8), json!({ "integer": -8 })),
        ("h-u8", AMQPValue::ShortShortUInt(200), json!({ "integer": 200 })),
        ("h-i16", AMQPValue::ShortInt(-16_000), json!({ "integer": -16_000 })),
        ("h-u16", AMQPValue::ShortUInt(60_000), json!({ "integer": 60_000 })),
        ("h-i32", AMQPValue::LongInt(-32), json!({ "integer": -32 })),
        ("h-u32", AMQPValue::LongUInt(4_000_000_000), json!({ "integer": 4_000_000_000_u32 })),
        ("h-i64", AMQPValue::LongLongInt(i64::MIN), json!({ "integer": i64::MIN })),
        ("h-f32", AMQPValue::Float(0.5), json!({ "float": 0.5 })),
        ("h-f64", AMQPValue::Double(-1.25), json!({ "float": -1.25 })),
        (
            "h-decimal",
            AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 150 }),
            json!({ "float": 1.5 }),
        ),
        ("h-text", text("t€xt"), json!({ "text": "t€xt" })),
        ("h-not-utf-8", AMQPValue::LongString(vec![0xff, 0].into()), json!({ "bytes": [255, 0] })),
        ("h-bytes", AMQPValue::ByteArray(ByteArray::from(vec![1, 2])), json!({ "bytes": [1, 2] })),
        ("h-timestamp", AMQPValue::Timestamp(1_700_000_000), json!({ "timestamp": 1_700_000_000 })),
        ("h-array", AMQPValue::FieldArray(array), json!({ "nested": "[1,\"two\"]" })),
        ("h-table", AMQPValue::FieldTable(table), json!({ "nested": "{\"deep\":{\"er\":true}}" })),
    ]
}

#[test]
fn the_handler_is_told_everything_about_the_message() {
    let vhost = Vhost::fresh("reports");
    let host = Host::start(&Worker::new(REPORTS), &vhost);
    let mut letter = Letter::json("m-1", &json!({ "n": 1 })).with(|properties| {
        let properties = properties.with_correlation_id("c-1".into()).with_reply_to("r-1".into());
        let properties = properties.with_type("told".into()).with_app_id("test".into());
        properties.with_priority(3).with_timestamp(1_700_000_000)
    });
    let mut expected = serde_json::Map::new();
    for (name, value, seen) in headers() {
        letter = letter.header(name, value);
        expected.insert(name.to_owned(), seen);
    }
    letter = letter.header("x-causation-id", text("m-0"));
    vhost.client.publish("in", "task", letter);
    let report = vhost.client.take_one("echoes").json();
    host.finish();

    assert_eq!(report["headers"], Value::Object(expected));
    let told = json!({
        "body": "{\"n\":1}", "contentType": "application/json", "headers": report["headers"],
        "exchange": "in", "routingKey": "task", "queue": "work", "consumer": "worker",
        "messageId": "m-1", "correlationId": "c-1", "causationId": "m-0", "replyTo": "r-1",
        "messageType": "told", "appId": "test", "priority": 3, "timestamp": 1_700_000_000,
        "attempt": 1, "maxAttempts": 3, "redelivered": false, "deadlineMs": 60_000,
    });
    assert_eq!(report, told);
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn headers_and_properties_survive_retries_with_their_types() {
    let vhost = Vhost::fresh("survive");
    let host = Host::start(&Worker::new(FAILS_TRANSIENTLY), &vhost);
    let mut letter = Letter::json("m-1", &json!({})).with(|properties| {
        let properties = properties.with_correlation_id("c-1".into()).with_reply_to("r-1".into());
        let properties = properties.with_type("told".into()).with_app_id("test".into());
        properties.with_priority(3).with_timestamp(1_700_000_000).with_expiration("600000".into())
    });
    for (name, value, _) in headers() {
        letter = letter.header(name, value);
    }
    vhost.client.publish("in", "task", letter.clone());
    let dead = vhost.client.take_one("dead");
    host.finish();

    for (name, value, _) in headers() {
        assert_eq!(dead.header(name), Some(&value), "{name}");
    }
    let of = |properties: &BasicProperties| {
        let texts = [
            properties.message_id(),
            properties.correlation_id(),
            properties.reply_to(),
            properties.kind(),
            properties.app_id(),
            properties.content_type(),
        ];
        let texts: Vec<_> = texts.into_iter().map(|text| text.as_ref().map(ToString::to_string)).collect();
        (texts, *properties.priority(), *properties.timestamp(), *properties.delivery_mode())
    };
    assert_eq!(of(&dead.properties), of(&letter.properties));
    // Kept as a header: as a property it would throw the dead letter away.
    assert_eq!(*dead.properties.expiration(), None);
    assert_eq!(dead.text("x-original-expiration"), "600000");
    assert_eq!(dead.integer("x-warren-attempts"), 3);
    assert_eq!(vhost.leftovers(), [].into());
}

/// A fixed handler is deployed while a message waits for its second attempt.
#[test]
fn after_a_retry_the_handler_still_sees_where_the_message_came_from() {
    let vhost = Vhost::fresh("origin");
    let retry = "mode: ttl-backoff, maxRetries: 1, initialDelayMs: 2000, maxDelayMs: 2000, jitter: false";
    let broken = Host::start(&Worker::new(FAILS_TRANSIENTLY).retry(retry), &vhost);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})).header("h", AMQPValue::ShortInt(7)));
    vhost.client.until_ready("work-wait-2000ms", 1);
    broken.finish();
    let mended = Host::start(&Worker::new(REPORTS).retry(retry), &vhost);
    let report = vhost.client.take_one("echoes").json();
    mended.finish();

    for (key, value) in [
        ("exchange", json!("in")),
        ("routingKey", json!("task")),
        ("queue", json!("work")),
        ("messageId", json!("m-1")),
        ("attempt", json!(2)),
        ("maxAttempts", json!(2)),
        ("headers", json!({ "h": { "integer": 7 } })),
        ("causationId", json!(null)),
    ] {
        assert_eq!(report[key], value, "{key}");
    }
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_message_without_an_id_is_given_one() {
    let vhost = Vhost::fresh("no-id");
    let host = Host::start(&Worker::new(REPORTS), &vhost);
    let empty = Letter::raw("{}").with(|properties| properties.with_message_id("".into()));
    vhost.client.publish_all("in", "task", vec![Letter::raw("{}"), Letter::raw("{}"), empty.clone(), empty]);
    let reports = vhost.client.take("echoes", 4);
    host.finish();
    let mut ids = BTreeSet::new();
    for report in &reports {
        let id = report.json()["messageId"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 36, "`{id}`");
        assert_eq!(report.correlation_id(), id);
        assert_eq!(report.text("x-causation-id"), id);
        assert_eq!(report.json()["contentType"], json!(null));
        ids.insert((id, report.id()));
    }
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn messages_of_one_id_are_all_handled() {
    let vhost = Vhost::fresh("same-id");
    let host = Host::start(&Worker::new(ECHOES), &vhost);
    let letters = (0..100).map(|n| Letter::json("same", &json!({ "n": n }))).collect();
    vhost.client.publish_all("in", "task", letters);
    let echoes = vhost.client.take("echoes", 100);
    host.finish();
    let numbers: BTreeSet<u64> = echoes.iter().filter_map(|echo| echo.json()["n"].as_u64()).collect();
    assert_eq!((echoes.len(), numbers.len()), (100, 100));
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn an_output_has_what_the_handler_set() {
    let vhost = Vhost::fresh("set");
    let host = Host::start(&Worker::new(PUBLISHES), &vhost);
    let order = json!({
        "count": 2, "publisher": "echoed", "body": { "x": 1 }, "contentType": "application/json; charset=utf-8",
        "correlationId": "other", "messageType": "special", "replyTo": "answers", "expirationMs": 600_000,
        "priority": 5, "routingKey": "echoed",
        "headers": {
            "a": { "text": "t" }, "b": { "integer": 5 }, "c": { "boolean": false }, "d": { "float": 0.5 },
            "e": { "bytes": [1] }, "f": { "timestamp": 9 }, "g": "void", "h": { "nested": "[1,{\"i\":null}]" },
        },
    });
    vhost.client.publish("in", "task", Letter::json("m-1", &order));
    let outputs = vhost.client.take("echoes", 2);
    host.finish();

    assert_eq!(outputs.len(), 2);
    assert_ne!(outputs[0].id(), outputs[1].id());
    for output in &outputs {
        assert_eq!(output.json(), json!({ "x": 1 }));
        let properties = &output.properties;
        let set = |text: &Option<lapin::types::ShortString>| text.as_ref().unwrap().to_string();
        assert_eq!(set(properties.content_type()), "application/json; charset=utf-8");
        assert_eq!(set(properties.kind()), "special");
        assert_eq!(set(properties.reply_to()), "answers");
        assert_eq!(set(properties.expiration()), "600000");
        assert_eq!((output.correlation_id().as_str(), *properties.priority()), ("other", Some(5)));
        assert_eq!(output.text("x-causation-id"), "m-1");
        assert_eq!(output.text("a"), "t");
        let item = arguments([("i", AMQPValue::Void)]);
        let nested = FieldArray::from(vec![AMQPValue::LongLongInt(1), AMQPValue::FieldTable(item)]);
        for (name, value) in [
            ("b", AMQPValue::LongLongInt(5)),
            ("c", AMQPValue::Boolean(false)),
            ("d", AMQPValue::Double(0.5)),
            ("e", AMQPValue::ByteArray(ByteArray::from(vec![1]))),
            ("f", AMQPValue::Timestamp(9)),
            ("g", AMQPValue::Void),
            ("h", AMQPValue::FieldArray(nested)),
        ] {
            assert_eq!(output.header(name), Some(&value), "{name}");
        }
    }
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_flood_of_logs_hurts_nobody() {
    let vhost = Vhost::fresh("flood");
    let host = Host::start(&Worker::new(FLOODS_LOGS), &vhost);
    let letters = (0..10).map(|n| Letter::json(&format!("m-{n}"), &json!({}))).collect();
    vhost.client.publish_all("in", "task", letters);
    vhost.until_acked("work", 10);
    let bytes = host.log_bytes();
    host.finish();
    // Ten times ten megabytes were to be logged.
    assert!(bytes < 10_000_000, "{bytes} bytes of log");
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn what_waits_in_the_queue_is_taken_up_at_the_start() {
    let vhost = Vhost::fresh("backlog");
    let project = Project::new(&Worker::new(ECHOES));
    project.start(&vhost).finish();
    let letters = (0..300).map(|n| Letter::json(&format!("m-{n}"), &json!({ "n": n }))).collect();
    vhost.client.publish_all("in", "task", letters);
    let host = project.start(&vhost);
    let echoes = vhost.client.take("echoes", 300);
    host.finish();
    let mut numbers: Vec<u64> = echoes.iter().filter_map(|echo| echo.json()["n"].as_u64()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..300).collect::<Vec<u64>>());
    assert_eq!(vhost.leftovers(), [].into());
}
