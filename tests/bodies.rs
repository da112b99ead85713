//! Messages that the contract does not allow: dead-lettered as they are, and no handler is asked.

use std::io::Write;

use lapin::types::AMQPValue;
use serde_json::json;

use crate::support::broker::{Vhost, broker};
use crate::support::contract::Worker;
use crate::support::guests::ECHOES;
use crate::support::host::Host;
use crate::support::letter::{Letter, text};
use crate::support::{SOON, eventually};

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).expect("it compresses");
    encoder.finish().expect("it compresses")
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).expect("it compresses");
    encoder.finish().expect("it compresses")
}

trait IntoLetter {
    /// These bytes, in what else `letter` has.
    fn into_letter(self, letter: &Letter) -> Letter;
}

impl IntoLetter for Vec<u8> {
    fn into_letter(self, letter: &Letter) -> Letter {
        Letter { body: self, ..letter.clone() }
    }
}

/// What is wrong, the message, and what its dead letter says of it.
fn invalid() -> Vec<(&'static str, Letter, &'static str)> {
    let right = || Letter::json("", &json!({ "n": 1 })).header("tenant", text("a"));
    let typed = |content_type: &str| {
        let content_type = content_type.into();
        right().with(|properties| properties.with_content_type(content_type))
    };
    let encoded = |encoding: &str| {
        let encoding = encoding.into();
        right().with(|properties| properties.with_content_encoding(encoding))
    };
    let body = |body: &[u8]| Letter { body: body.to_vec(), ..right() };
    vec![
        ("not JSON", body(b"{\"n\": 1"), "body is not JSON"),
        ("two documents", body(b"{\"n\":1}{\"n\":2}"), "body is not JSON"),
        ("not UTF-8", body(b"{\"n\":1,\"t\":\"\xff\xfe\"}"), "body is not JSON"),
        ("NUL bytes", body(&[0; 64]), "body is not JSON"),
        ("very deep", body("[".repeat(100_000).as_bytes()), "body is not JSON"),
        ("empty", body(b""), "body is empty"),
        ("white space", body(b" \n "), "body is not JSON"),
        ("another shape", body(b"[1]"), "body: "),
        ("a missing key", body(b"{}"), "body: "),
        ("a wrong value", body(b"{\"n\":\"secret\"}"), "body/n: "),
        ("another type", typed("text/plain"), "content-type is `text/plain`"),
        ("no type at all", typed(""), "content-type is ``"),
        ("another compression", encoded("br"), "content-encoding `br` is not supported"),
        ("not what its encoding says", encoded("gzip"), "body is not gzip"),
        ("cut off", gzip(&right().body)[..20].to_vec().into_letter(&encoded("gzip")), "body is not gzip"),
        (
            "a bomb",
            gzip(&vec![b' '; 2_000_000]).into_letter(&encoded("gzip")),
            "body is more than the 1000000 bytes",
        ),
        (
            "a wrong value, compressed",
            zlib(b"{\"n\":\"secret\"}").into_letter(&encoded("deflate")),
            "body/n: ",
        ),
        ("a missing header", Letter::json("", &json!({ "n": 1 })), "headers: "),
        ("a wrong header", right().header("tenant", AMQPValue::LongInt(5)), "headers/tenant: "),
    ]
}

#[test]
fn an_invalid_message_is_dead_lettered_as_it_is() {
    let vhost = Vhost::fresh("invalid");
    let worker = Worker::new(ECHOES)
        .payload("type: object, required: [n], properties: { n: { type: integer } }")
        .message("maxBodyBytes: 1000000, headers: { type: object, required: [tenant], properties: { tenant: { type: string } } }");
    let host = Host::start(&worker, &vhost);
    let cases = invalid();
    for (what, letter, _) in &cases {
        let letter = letter.clone().with(|properties| properties.with_message_id((*what).into()));
        vhost.client.publish("in", "task", letter);
    }
    let valid = Letter::json("valid", &json!({ "n": 1 })).header("tenant", text("a"));
    vhost.client.publish("in", "task", valid);
    let dead = vhost.client.take("dead", cases.len());
    let echo = vhost.client.take_one("echoes");
    host.finish();

    for (what, letter, error) in &cases {
        let found: Vec<_> = dead.iter().filter(|dead| dead.id() == *what).collect();
        let [dead] = found[..] else { panic!("{what}: {} dead letters", found.len()) };
        assert!(dead.body == letter.body, "{what}: another body");
        assert_eq!(dead.text("x-warren-class"), "invalid", "{what}");
        let last = dead.text("x-last-error");
        assert!(last.starts_with(error), "{what}: {last}");
        assert!(!last.contains("secret"), "{what}: {last}");
        assert_eq!(dead.integer("x-warren-attempts"), 1, "{what}");
        assert_eq!(dead.properties.content_encoding(), letter.properties.content_encoding(), "{what}");
        assert_eq!(dead.properties.content_type(), letter.properties.content_type(), "{what}");
    }
    assert_eq!(echo.correlation_id(), "valid");
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_compressed_message_is_handled_as_the_plain_one() {
    let vhost = Vhost::fresh("compressed");
    let worker =
        Worker::new(ECHOES).payload("type: object, required: [n], properties: { n: { type: integer } }");
    let host = Host::start(&worker, &vhost);
    let body = json!({ "n": 1, "text": "x".repeat(10_000) });
    let plain = Letter::json("plain", &body);
    let raw_deflate = {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&plain.body).expect("it compresses");
        encoder.finish().expect("it compresses")
    };
    let cases = [
        ("plain", "", plain.body.clone()),
        ("gzip", "gzip", gzip(&plain.body)),
        ("GZIP", "GZIP", gzip(&plain.body)),
        ("deflate", "deflate", zlib(&plain.body)),
        ("bare", "deflate", raw_deflate),
    ];
    for (id, encoding, sent) in &cases {
        let letter = Letter { body: sent.clone(), ..Letter::json(id, &json!({})) };
        let letter = letter.with(|properties| properties.with_content_encoding((*encoding).into()));
        vhost.client.publish("in", "task", letter);
    }
    let echoes = vhost.client.take("echoes", cases.len());
    host.finish();
    for echo in &echoes {
        let echoed = echo.json();
        assert_eq!((&echoed["n"], &echoed["text"]), (&body["n"], &body["text"]), "{}", echo.correlation_id());
    }
    assert_eq!(vhost.leftovers(), [].into());
}

/// They fit into a frame many times over; whoever reads them recursively needs a bound.
#[test]
fn deeply_nested_headers_do_not_end_the_host() {
    let vhost = Vhost::fresh("deep");
    let host = Host::start(&Worker::new(ECHOES), &vhost);
    vhost.publish_nested_header("in", "task", 20_000);
    vhost.client.publish("in", "task", Letter::json("m-1", &json!({})));
    let ended = || vhost.client.ready("echoes") + vhost.client.ready("dead");
    eventually("both have ended", SOON, || (ended() >= 2).then_some(()));
    host.finish();
    assert!(vhost.client.drain("echoes").iter().any(|echo| echo.correlation_id() == "m-1"));
}

#[test]
fn what_is_odd_but_allowed_is_handled() {
    let vhost = Vhost::fresh("odd");
    let host = Host::start(&Worker::new(ECHOES), &vhost);
    let letter = |id: &str| Letter::json(id, &json!({ "id": id }));
    let letters = vec![
        letter("parameters").with(|p| p.with_content_type("Application/JSON; charset=utf-8".into())),
        letter("identity").with(|p| p.with_content_encoding("identity".into())),
        Letter::raw(" {\"id\": \"no type\"}\r\n"),
    ];
    vhost.client.publish_all("in", "task", letters);
    let echoes = vhost.client.take("echoes", 3);
    host.finish();
    let mut ids: Vec<String> = echoes.iter().map(|echo| echo.json()["id"].to_string()).collect();
    ids.sort();
    assert_eq!(ids, ["\"identity\"", "\"no type\"", "\"parameters\""]);
    assert_eq!(vhost.leftovers(), [].into());
}

#[test]
fn a_body_of_twenty_megabytes_is_dead_lettered_byte_for_byte() {
    // RabbitMQ 4 takes no message over 16 MiB.
    let (bytes, allowed) = if broker().version.0 < 4 {
        (20_000_000, String::new())
    } else {
        (16 * 1024 * 1024, "maxBodyBytes: 1000000".to_owned())
    };
    let vhost = Vhost::fresh("large");
    let mut worker = Worker::new(ECHOES);
    if !allowed.is_empty() {
        worker = worker.message(&allowed);
    }
    let host = Host::start(&worker, &vhost);
    let body: Vec<u8> = (0..bytes).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut letter = Letter::json("large", &json!({}));
    letter.body.clone_from(&body);
    vhost.client.publish("in", "task", letter);
    vhost.client.publish("in", "task", Letter::json("small", &json!({})));
    let dead = vhost.client.take_one("dead");
    let echo = vhost.client.take_one("echoes");
    host.finish();
    assert!(dead.body == body, "another body");
    assert_eq!(dead.text("x-warren-class"), "invalid");
    assert!(
        dead.text("x-last-error").starts_with(&format!("body is {bytes} bytes")),
        "{}",
        dead.text("x-last-error")
    );
    assert_eq!(echo.correlation_id(), "small");
    assert_eq!(vhost.leftovers(), [].into());
}
