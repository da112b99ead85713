//! Explanations of contracts of the corpus, with goldens beside them. `BLESS=1` writes the goldens anew.

use serde_json::{Map, Value};

use super::{ask, explain};
use crate::contract::tests::{corpus, golden, parse};

/// What is asked of a contract: name, key and headers.
type Asked<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

fn plain(name: &str) -> Asked<'_> {
    (name, None, None)
}

#[test]
fn explanations_of_the_corpus() {
    let questions: [(&str, Vec<Asked<'_>>); 4] = [
        ("at-most-once", vec![plain("measured")]),
        (
            "small",
            vec![
                plain("orderCreated"),
                ("orders", Some("order.creatd"), None),
                plain("nothing"),
                plain("orders"),
            ],
        ),
        (
            "everything",
            vec![
                plain("orderCreated"),
                plain("orderAgain"),
                plain("newsflash"),
                plain("pay"),
                plain("track"),
                ("track", Some("track.home"), None),
                ("track", Some("trace.home"), None),
                ("events", Some("customer.created"), None),
                ("", Some("strays"), None),
                ("", Some("stray"), None),
            ],
        ),
        (
            "ways",
            vec![
                plain("documentMade"),
                ("documentMade", None, Some(r#"{ "kind": "picture" }"#)),
                ("documentMade", None, Some(r#"{ "kind": "invoice", "pages": 1.0 }"#)),
                ("documentMade", None, Some(r#"{}"#)),
                plain("orderPlaced"),
                plain("direct"),
                ("end", Some("a.b"), None),
                ("end", Some("b"), None),
                ("regions", Some("order.placed.eu"), None),
            ],
        ),
    ];
    let mut differences = Vec::new();
    for (name, asked) in questions {
        let path = corpus("valid").join(name).with_extension("yaml");
        let contract = parse(&path).unwrap();
        let said = |(name, key, headers): Asked<'_>| {
            let map = headers.map(|headers| serde_json::from_str::<Map<String, Value>>(headers).unwrap());
            let text = match ask(&contract, name, key, map, false) {
                Ok(question) => explain(&contract, question).human(),
                Err(reason) => format!("error: {reason}\n"),
            };
            let headers = headers.map(|headers| format!(" {headers}")).unwrap_or_default();
            format!("$ '{name}' {}{headers}\n{text}", key.unwrap_or_default())
        };
        let said: Vec<String> = asked.into_iter().map(said).collect();
        let wide = said.iter().flat_map(|said| said.lines()).find(|line| line.chars().count() > 110);
        assert_eq!(wide, None, "too wide for a terminal");
        golden(&path.with_extension("explain"), &said.join("\n"), &mut differences);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn an_explanation_as_json() {
    let path = corpus("valid").join("ways.yaml");
    let contract = parse(&path).unwrap();
    let question = ask(&contract, "documentMade", None, None, false).unwrap();
    let json = serde_json::to_string_pretty(&explain(&contract, question)).unwrap() + "\n";
    let mut differences = Vec::new();
    golden(&path.with_extension("explained"), &json, &mut differences);
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn an_exchange_can_be_meant_where_a_publisher_has_its_name() {
    let text = r#"{
        "contract": "c", "exchanges": { "news": { "type": "fanout" }, "work": { "type": "direct" } },
        "messages": { "note": { "payload": {} } }, "queues": { "all": {}, "some": {} },
        "events": { "news": { "exchange": "work", "routingKey": "note", "message": "note" } },
        "bindings": { "all": { "exchange": "news", "queue": "all" },
                      "some": { "exchange": "work", "queue": "some", "routingKey": "note" } }
    }"#;
    let surroundings = crate::contract::Surroundings { read_file: &|_| unreachable!(), variable: &|_| None };
    let contract = crate::contract::Contract::parse("c.json", text, surroundings).unwrap();
    let queues = |exchange_meant| {
        let question = ask(&contract, "news", None, None, exchange_meant).unwrap();
        explain(&contract, question).queues.iter().map(|queue| queue.name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(queues(false), ["some"]);
    assert_eq!(queues(true), ["all"]);
}
