//! What is written is read back the same, by the parser of contracts.

use serde_json::json;

use super::*;
use crate::contract::document_values;

fn read(text: &str) -> Value {
    document_values("test.yaml", text).unwrap_or_else(|said| panic!("{said}\n{text}"))
}

/// Texts that a careless writer, or an old reader, makes something else of.
const TEXTS: &[&str] = &[
    "",
    " ",
    "yes",
    "No",
    "ON",
    "y",
    "null",
    "~",
    "true",
    "1.0",
    "1",
    "0x1f",
    "1e3",
    ".inf",
    "-",
    "- a",
    "a: b",
    "a #b",
    "order.*",
    "#",
    "%",
    "@a",
    "`a`",
    "*a",
    "&a",
    "!a",
    "|",
    ">",
    "{}",
    "[]",
    "'",
    "\"",
    "\\",
    "a\nb",
    "a\nb\n",
    "a\n\n b\n",
    "\n",
    " a\nb",
    "a \nb",
    "a\n\n",
    "\ta",
    "a\tb\n\tc",
    "\u{0}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}a",
    "é",
    "日本語",
    "🦀",
    "2020-01-01",
    "12:30:45",
    "1_000",
    "0o17",
    "=",
    "---",
    "...",
    "? a",
    "a:",
    ":a",
    "1.0.0",
    "1.2",
    "a\r\nb",
    "null\n",
    "$${X}",
    "a\n# b",
    "a\n---\nb",
    "a\n...\n",
    "a ",
    "ends.\nHere  too",
    "\u{fffe}",
];

#[test]
fn texts_stay_texts_and_numbers_numbers() {
    for &text in TEXTS {
        for value in [json!(text), json!({ text: text }), json!([text, [text], { "k": [{ text: text }] }])] {
            let yaml = Node::from(value.clone()).to_yaml();
            assert_eq!(read(&yaml), value, "{yaml}");
        }
    }
    for value in [
        json!(1),
        json!(-7),
        json!(1.5),
        json!(1.0),
        json!(1e300),
        json!(1e-7),
        json!(i64::MAX),
        json!(null),
        json!(true),
        json!({}),
        json!([[], {}]),
    ] {
        let yaml = Node::from(value.clone()).to_yaml();
        assert_eq!(read(&yaml), value, "{yaml}");
    }
}

#[test]
fn a_long_key_is_read_back() {
    let key = "k".repeat(1000);
    let value = json!({ &key: { &key: [1, { &key: "v" }] } });
    assert_eq!(read(&Node::from(value.clone()).to_yaml()), value);
}

#[test]
fn any_text_is_read_back() {
    let pieces = [
        "a", "1", ".", ":", " ", "#", "-", "\n", "\t", "'", "\"", "\\", "{", "]", ",", "&", "*", "?", "|",
        "é", "\u{85}", "\r", "~",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let text: String = (0..random.usize(..8)).map(|_| pieces[random.usize(..pieces.len())]).collect();
        let value = json!({ "a": { &text: &text }, "b": [&text, { &text: { "c": &text } }] });
        let yaml = Node::from(value.clone()).to_yaml();
        assert_eq!(read(&yaml), value, "{yaml}");
    }
}

#[test]
fn comments_and_order_are_kept() {
    let mut inner = Mapping::default();
    inner.set("z", 1_u32).comment("first\nsecond: line").set("a", "b");
    let mut root = Mapping::default();
    root.set("w", vec![Node::from(inner)]).comment("above").set_some("x", None::<bool>);
    assert_eq!(
        Node::from(root.clone()).to_yaml(),
        "# above\nw:\n  - # first second: line\n    z: 1\n    a: b\n"
    );
    assert_eq!(
        Node::from(root).to_json(),
        "{\n  \"w\": [\n    {\n      \"z\": 1,\n      \"a\": \"b\"\n    }\n  ]\n}\n"
    );
}
