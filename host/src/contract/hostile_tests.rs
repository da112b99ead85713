//! Text made to hurt: each is read, or refused, within a bound of time, and what is wrong with it can be shown.

use std::time::{Duration, Instant};

use super::{Contract, Surroundings};

/// How long one text may take. None takes two seconds when it is compiled with optimisation and has a core to itself.
const TIME_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 10 });
/// How long what is wrong may be to read, in bytes.
const SHOWN_BYTES_MAX: usize = 4 * 1024 * 1024;

fn files<'a>(files: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> std::io::Result<String> + 'a {
    |path| {
        let found = files.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

/// Reads `text` within the time that is allowed, and shows what is wrong in every form. What it says if it was refused.
pub(super) fn read_with(text: &str, beside: &[(&str, &str)]) -> Option<String> {
    let start = Instant::now();
    let read_file = files(beside);
    let variable = |name: &str| match name {
        "SET" => Some("7".to_owned()),
        "LONG" => Some("x".repeat(100_000)),
        _ => None,
    };
    let surroundings = Surroundings { read_file: &read_file, variable: &variable };
    let read = Contract::parse("c.yaml", text, surroundings);
    let parsed = start.elapsed();
    let (problems, is_refused) = match read {
        Ok(contract) => (contract.warnings(), false),
        Err(problems) => (*problems, true),
    };
    assert!(!is_refused || !problems.is_empty());
    let shown = problems.render(false);
    for shown in
        [&shown, &problems.render(true), &problems.to_json().to_string(), &problems.to_sarif().to_string()]
    {
        assert!(shown.len() <= SHOWN_BYTES_MAX, "{} bytes to show", shown.len());
    }
    let took = start.elapsed();
    println!("{parsed:?} to read, {took:?} in all, {} bytes, {} problems", text.len(), problems.list().len());
    assert!(took < TIME_MAX, "it took {took:?}, {parsed:?} of it to read");
    is_refused.then_some(shown)
}

pub(super) fn refused(text: &str) -> String {
    refused_with(text, &[])
}

pub(super) fn refused_with(text: &str, beside: &[(&str, &str)]) -> String {
    let shown = read_with(text, beside).expect("it was accepted");
    println!("{}", &shown[..shown.floor_char_boundary(600)]);
    shown
}

#[test]
fn anchors_that_explode() {
    let mut text = "contract: c\nx0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..30 {
        let alias = format!("*x{}, ", level - 1);
        text.push_str(&format!("x{level}: &x{level} [{}]\n", alias.repeat(10)));
    }
    assert!(refused(&text).contains("more than 300000 values"));
    let long = format!("contract: c\na: &a {}\nb: [{}]\n", "x".repeat(1_000_000), "*a, ".repeat(1000));
    assert!(refused(&long).contains("aliases repeat more than 16 MiB"));
    let mapping = format!(
        "contract: c\na: &a {{ k: &b {} }}\nb: [{}]\n",
        "x".repeat(1_000_000),
        "*a, *b, ".repeat(1000)
    );
    let twice = format!(
        "contract: c\na: &a {}\nb: &b [{}]\nc: [{}]\n",
        "x".repeat(100_000),
        "*a, ".repeat(100),
        "*b, ".repeat(1000)
    );
    assert!(refused(&twice).contains("aliases repeat more than 16 MiB"));
    let nested = format!("contract: c\na: {}{}{}", "&a [".repeat(60), "x, ".repeat(100_000), "]".repeat(60));
    assert!(refused(&nested).contains("more than 300000 values"));
    assert!(refused(&mapping).contains("aliases repeat more than 16 MiB"));
}

#[test]
fn an_alias_within_itself() {
    assert!(refused("contract: c\nqueues: &q { a: *q }\n").contains("contains it"));
    assert!(refused("contract: c\nqueues: &q [*q]\n").contains("contains it"));
    assert!(refused("contract: *c\n").contains("anchor"));
    refused("contract: c\nqueues: { ? &q { a: 1 } : *q }\n");
}

#[test]
fn nesting_without_end() {
    const DEEP: usize = 100_000;
    for text in [
        "[".repeat(DEEP),
        "{ a: ".repeat(DEEP),
        format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP)),
        "- ".repeat(DEEP),
        "? ".repeat(DEEP),
        format!("contract: c\nqueues: {}", "- ".repeat(DEEP)),
        "[{a: ".repeat(DEEP),
        "{".repeat(DEEP),
        "!!map ".repeat(DEEP),
        "&a ".repeat(DEEP),
        "*a ".repeat(DEEP),
        ": ".repeat(DEEP),
        "a: ".repeat(DEEP),
        "?\n".repeat(DEEP),
        "-\n".repeat(DEEP),
    ] {
        refused(&text);
    }
    let mut block = String::new();
    for level in 0..2000 {
        block.push_str(&format!("{}a:\n", " ".repeat(level)));
    }
    assert!(refused(&block).contains("deeper than 64 levels"));
}

#[test]
fn huge_scalars_and_keys() {
    const HUGE: usize = 4 * 1024 * 1024 - 1000;
    let huge = "x".repeat(HUGE);
    for text in [
        format!("contract: {huge}"),
        format!("contract: \"{huge}\""),
        format!("contract: '{huge}'"),
        format!("contract: |\n  {huge}"),
        format!("contract: >\n  {}", "x y\n  ".repeat(HUGE / 6)),
        format!("contract: \"{}\"", "\\u0041".repeat(HUGE / 6)),
        format!("contract: \"{}", "\\\\".repeat(HUGE / 2)),
        format!("contract: {}", "x\n  ".repeat(HUGE / 4)),
        format!("contract: '{}", "''".repeat(HUGE / 2)),
        format!("contract: c\n{huge}: 1\n"),
        format!("contract: c\n\"{huge}\": 1\n"),
        format!("contract: c\n? {huge}\n: 1\n"),
        format!("contract: c\nqueues: {{ {huge}: {{}} }}"),
        format!("contract: c\nqueues: {{ a: {{ {huge}: 1 }} }}"),
        format!(
            "contract: c\nconsumers: {{ a: {{ queue: {huge}, event: {huge}, handler: {{ component: a }} }} }}"
        ),
        format!("contract: c # {huge}\nx: 1"),
        format!("contract: c\n{}x: 1", "\n".repeat(HUGE)),
        format!("contract: c\n{}x: 1", "# a\n".repeat(HUGE / 4)),
        format!("contract: c{}\nx: 1", " ".repeat(HUGE)),
        format!("contract: c\n{}: 1", "ö".repeat(HUGE / 2)),
        format!("contract: &{huge} c\nx: 1"),
        format!("contract: !{huge} c\nx: 1"),
        format!("%{huge}\n---\ncontract: c\nx: 1"),
        format!("contract: c\nx: *{huge}"),
        "-".repeat(HUGE),
        "?".repeat(HUGE),
        ":".repeat(HUGE),
        "---\n".repeat(HUGE / 4),
        "...\n".repeat(HUGE / 4),
        "%YAML 1.2\n".repeat(HUGE / 10),
        "\t".repeat(HUGE),
        "\r".repeat(HUGE),
        "#\n".repeat(HUGE / 2),
        format!("contract: \"{}", "a\n\n".repeat(HUGE / 3)),
        format!("contract: c\nqueues: {{ a: {{ {} }} }}", "x ".repeat(HUGE / 2)),
        "x".repeat(HUGE * 2),
    ] {
        refused(&text);
    }
}

#[test]
fn strange_characters() {
    assert_eq!(read_with("\u{feff}contract: c\r\nqueues:\r\n  a: {}\r\n", &[]), None);
    // JSON has these two as one character; YAML has not.
    assert_eq!(read_with("{ \"contract\": \"\\ud83d\\ude00 \\\\ud83d\\\\ude00\" }", &[]), None);
    for text in [
        "contract: c\0\n",
        "\0",
        "contract: \"\\ud800\"\n",
        "contract: \"\\ud83d\\ude00\"\n x: 1",
        "contract: c\u{feff}\nqueues: \u{feff}\n x",
        "contract: c\rqueues: 1\r",
        "contract: \u{85}c\n\u{2028}x: 1\n",
        "contract: \u{7f}\u{1b}[31mc\nx: 1\n",
        "{\"contract\": \"\\u0000\", \"x\": 1}",
        "{\"contract\": \"\\ud800\", \"x\": 1}",
        "contract: c\nqueues: { \"\\e[31m\": 1 }\n",
        "contract: c\nqueues:\n  \u{202e}a: 1\n",
        "contract: c\nqueues: { ä: { ö: ü } }\n",
        "contract: c\nqueues:\n\ta: 1\n",
    ] {
        refused(text);
    }
}

#[test]
fn numbers_that_are_too_large() {
    for number in [
        "1e400",
        "-1e400",
        "99999999999999999999",
        "0x7fffffffffffffffffff",
        "1e-400",
        ".inf",
        ".nan",
        "-.inf",
        "0o7777777777777777777777777",
        "18446744073709551616",
        "9223372036854775808",
        "-9223372036854775809",
        "1.5",
        "-1",
        "1e3",
        "1_000",
    ] {
        refused(&format!("contract: c\nqueues: {{ q: {{ maxLength: {number}x }} }}"));
        read_with(
            &format!(
                "contract: c\nqueues: {{ q: {{ maxLength: {number}, arguments: {{ x-max-length-bytes: {number}, y: {number} }} }} }}"
            ),
            &[],
        );
        read_with(
            &format!(
                "contract: c\nqueues: {{ q: {{ retry: {{ backoffMultiplier: {number}, maxRetries: 1000 }} }} }}"
            ),
            &[],
        );
    }
    refused(&format!("contract: c\nqueues: {{ q: {{ maxLength: {} }} }}", "9".repeat(4_000_000)));
    read_with(&format!("contract: c\nqueues: {{ q: {{ maxLength: 0.{}1 }} }}", "0".repeat(4_000_000)), &[]);
}

#[test]
fn variables_without_end() {
    assert!(refused("contract: ${LONG}\n").contains("longer than 64 KiB"));
    for unit in ["${", "$${", "${SET}", "${SET:-", "${NOT_SET}", "${NOT_SET:-x}", "$", "}", "${}"] {
        let many = unit.repeat(1_000_000.min(4_000_000 / unit.len()));
        read_with(&format!("contract: \"{many}\""), &[]);
        read_with(&format!("contract: {many}"), &[]);
        read_with(&format!("contract: c\nversion: [{}]", format!("\"{unit}\",").repeat(100_000)), &[]);
    }
}

#[test]
fn schemas_that_refer_in_circles() {
    let with = |payload: &str| {
        format!(
            "contract: c\nmessages: {{ m: {{ payload: {payload}, examples: [{{ payload: {{ a: 1 }} }}] }} }}\nqueues: {{ q: {{}} }}"
        )
    };
    for payload in [
        "{ $ref: '#' }",
        "{ $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } }",
        "{ allOf: [{ $ref: '#' }, { $ref: '#' }, { $ref: '#' }] }",
        "{ $ref: self.json }",
        "{ $ref: a.json }",
        "{ $dynamicRef: '#x', $dynamicAnchor: x }",
        "{ properties: { a: { $ref: '#' } } }",
        "{ $ref: long0.json }",
        "{ not: { $ref: '#' } }",
        "{ $id: 'http://example.com/x', $ref: 'y' }",
        "{ $schema: 'http://json-schema.org/draft-04/schema#', type: object }",
        "{ $schema: 'https://example.com/meta', type: object }",
        "{ $id: '::::', $anchor: 'a b' }",
        "{ $ref: '#/nowhere' }",
        "{ $ref: deep.json }",
        "{ $ref: large.json }",
    ] {
        let chain: Vec<(String, String)> = (0..70)
            .map(|index| (format!("long{index}.json"), format!("{{ \"$ref\": \"long{}.json\" }}", index + 1)))
            .collect();
        let deep = format!("{}{}", "{\"not\":".repeat(10_000), "}".repeat(10_000));
        let large = format!("{{ \"description\": \"{}\" }}", "x".repeat(2_000_000));
        let mut beside = vec![
            ("self.json", r#"{ "$ref": "self.json" }"#),
            ("a.json", r#"{ "properties": { "a": { "$ref": "b.json" } } }"#),
            ("b.json", r#"{ "allOf": [{ "$ref": "a.json" }, { "$ref": "b.json#/allOf/0" }] }"#),
            ("deep.json", &deep),
            ("large.json", &large),
        ];
        beside.extend(chain.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        println!("{payload}");
        println!("{}", read_with(&with(payload), &beside).as_deref().unwrap_or("accepted"));
    }
}

#[test]
fn patterns_that_backtrack() {
    for pattern in [
        "(a+)+$",
        "(a|a)*$",
        "^(a|aa)+$",
        "(?=(a+))*b",
        "(a*)*\\\\1$",
        "(x+x+)+y",
        "((((a{1,100}){1,100}){1,100}){1,100})",
        "(?<!(a+)+)b",
        "[",
        "(?:a?){50}a{50}",
        "a{1000000}",
        "\\\\p{L}{1000}{1000}",
    ] {
        let text = format!(
            "contract: c\nmessages: {{ m: {{ payload: {{ type: string, pattern: \"{pattern}\" }}, examples: [{{ payload: {}! }}] }} }}\nx: 1",
            "a".repeat(50_000)
        );
        println!("{pattern}");
        refused(&text);
    }
}
