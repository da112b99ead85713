//! Text made to hurt: each is read, or refused, within a bound of time, and what is wrong with it can be shown.

use std::time::{Duration, Instant};

use super::{Contract, Problems, Surroundings};

/// How long one text may take. Tests run without optimisation, and beside others.
const TIME_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });
/// How long what is wrong may be to read, in bytes.
const SHOWN_BYTES_MAX: usize = 1024 * 1024;

fn files<'a>(files: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> std::io::Result<String> + 'a {
    |path| {
        let found = files.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

/// Reads `text` within the time that is allowed; shows what is wrong in every form.
fn read_with(text: &str, beside: &[(&str, &str)]) -> Result<Contract, Box<Problems>> {
    let start = Instant::now();
    let read_file = files(beside);
    let variable = |name: &str| (name == "SET").then(|| "7".to_owned());
    let surroundings = Surroundings { read_file: &read_file, variable: &variable };
    let read = Contract::parse("c.yaml", text, surroundings);
    let parsed = start.elapsed();
    let owned;
    let problems = match &read {
        Ok(contract) => {
            owned = contract.warnings();
            &owned
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            problems
        }
    };
    for shown in
        [problems.render(false), problems.render(true), problems.to_json().to_string(), problems.to_sarif().to_string()]
    {
        assert!(shown.len() <= SHOWN_BYTES_MAX, "{} bytes to show", shown.len());
    }
    let took = start.elapsed();
    println!("{parsed:?} to read, {took:?} in all, {} bytes, {} problems", text.len(), problems.list().len());
    assert!(took < TIME_MAX, "it took {took:?}, {parsed:?} of it to read");
    read
}

fn refused(text: &str) -> String {
    refused_with(text, &[])
}

fn refused_with(text: &str, beside: &[(&str, &str)]) -> String {
    let shown = read_with(text, beside).expect_err("it was accepted").render(false);
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
    let mapping = format!("contract: c\na: &a {{ k: &b {} }}\nb: [{}]\n", "x".repeat(1_000_000), "*a, *b, ".repeat(1000));
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
        format!("contract: c\nconsumers: {{ a: {{ queue: {huge}, event: {huge}, handler: {{ component: a }} }} }}"),
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
fn a_great_many_entries() {
    let keys = |count: usize| (0..count).map(|index| format!("k{index}: 1\n")).collect::<String>();
    refused(&format!("contract: c\n{}", keys(290_000)));
    assert!(refused(&format!("contract: c\n{}", keys(301_000))).contains("more than 300000 values"));
    refused(&format!("contract: c\nqueues:\n{}", keys(200_000).replace('k', "  k")));
    refused(&format!("contract: c\ninclude: [{}]", "x, ".repeat(299_000)));
    refused(&format!("contract: c\nallow: [{}]", "x, ".repeat(299_000)));
    refused(&format!("contract: c\nallow: [{}]", "{warning: unused, reason: x},".repeat(70_000)));
    refused(&format!("contract: c\nallow: [{}]", "{},".repeat(140_000)));
    let queues: String = (0..100_000).map(|index| format!("  q{index}: {{}}\n")).collect();
    let _ = read_with(&format!("contract: c\nqueues:\n{queues}"), &[]);
    let one_line: String = (0..100_000).map(|index| format!("\"q{index}\":{{\"typ\":1}},")).collect();
    refused(&format!("{{\"contract\":\"c\",\"queues\":{{{}}}}}", one_line.trim_end_matches(',')));
    let nulls: String = (0..140_000).map(|index| format!("\"q{index}\":{{}},")).collect();
    refused(&format!("{{\"contract\":\"c\",\"exchanges\":{{\"amq.a\":{{}},{}}}}}", nulls.replace('q', "amq.q").trim_end_matches(',')));
    let wrong: String = (0..140_000).map(|index| format!("\"q{index}\":\"{index}\",")).collect();
    refused(&format!("{{\"contract\":\"c\",\"domains\":{{{}}}}}", wrong.trim_end_matches(',')));
    refused(&format!("{{\"contract\":\"c\",\"messages\":{{{}}}}}", nulls.trim_end_matches(',')));
    let named: String = (0..60_000).map(|index| format!("\"q{index}\":{{\"exchange\":\"e\",\"message\":\"m\"}},")).collect();
    refused(&format!("{{\"contract\":\"c\",\"events\":{{{}}}}}", named.trim_end_matches(',')));
}

#[test]
fn long_keys_nested_deep() {
    let mut text = "contract: c\n".to_owned();
    for level in 0..60 {
        text.push_str(&format!("{}{}{level}:\n", " ".repeat(level), "k".repeat(1000)));
    }
    for leaf in 0..30_000 {
        text.push_str(&format!("{}l{leaf}: ${{SET}}\n", " ".repeat(60)));
    }
    refused(&text);
    // In a place where any shape is allowed.
    let deep: String = (0..55).map(|level| format!("{{{}{level}: ", "k".repeat(1000))).collect();
    let leaves: String = (0..30_000).map(|leaf| format!("l{leaf}: ${{SET}},")).collect();
    let text = format!("contract: c\nqueues: {{ q: {{ arguments: {{ a: {deep} {{ {leaves} }} {} }} }} }}", "}".repeat(55));
    let _ = read_with(&text, &[]);
    let unset = text.replace("SET", "NOT_SET");
    refused(&unset);
}

#[test]
fn strange_characters() {
    assert!(read_with("\u{feff}contract: c\r\nqueues:\r\n  a: {}\r\n", &[]).is_ok());
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
        "1e400", "-1e400", "99999999999999999999", "0x7fffffffffffffffffff", "1e-400", ".inf", ".nan", "-.inf", "0o7777777777777777777777777",
        "18446744073709551616", "9223372036854775808", "-9223372036854775809", "1.5", "-1", "1e3", "1_000",
    ] {
        refused(&format!("contract: c\nqueues: {{ q: {{ maxLength: {number}x }} }}"));
        let _ = read_with(&format!("contract: c\nqueues: {{ q: {{ maxLength: {number}, arguments: {{ x-max-length-bytes: {number}, y: {number} }} }} }}"), &[]);
        let _ = read_with(&format!("contract: c\nqueues: {{ q: {{ retry: {{ backoffMultiplier: {number}, maxRetries: 1000 }} }} }}"), &[]);
    }
    refused(&format!("contract: c\nqueues: {{ q: {{ maxLength: {} }} }}", "9".repeat(4_000_000)));
    refused(&format!("contract: c\nqueues: {{ q: {{ maxLength: 0.{}1 }} }}", "0".repeat(4_000_000)));
}

#[test]
fn variables_without_end() {
    for unit in ["${", "$${", "${SET}", "${SET:-", "${NOT_SET}", "${NOT_SET:-x}", "$", "}", "${}"] {
        let many = unit.repeat(1_000_000.min(4_000_000 / unit.len()));
        let _ = read_with(&format!("contract: \"{many}\""), &[]);
        let _ = read_with(&format!("contract: {many}"), &[]);
        let _ = read_with(&format!("contract: c\nversion: [{}]", format!("\"{unit}\",").repeat(200_000)), &[]);
    }
}

#[test]
fn schemas_that_refer_in_circles() {
    let with = |payload: &str| format!("contract: c\nmessages: {{ m: {{ payload: {payload}, examples: [{{ payload: {{ a: 1 }} }}] }} }}\nqueues: {{ q: {{}} }}");
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
    ] {
        let chain: Vec<(String, String)> = (0..70)
            .map(|index| (format!("long{index}.json"), format!("{{ \"$ref\": \"long{}.json\" }}", index + 1)))
            .collect();
        let deep = format!("{}{}", "{\"not\":".repeat(10_000), "}".repeat(10_000));
        let mut beside = vec![
            ("self.json", r#"{ "$ref": "self.json" }"#),
            ("a.json", r#"{ "properties": { "a": { "$ref": "b.json" } } }"#),
            ("b.json", r#"{ "allOf": [{ "$ref": "a.json" }, { "$ref": "b.json#/allOf/0" }] }"#),
            ("deep.json", &deep),
        ];
        beside.extend(chain.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        println!("{payload}");
        match read_with(&with(payload), &beside) {
            Ok(_) => println!("accepted"),
            Err(problems) => println!("{}", &problems.render(false)),
        }
    }
}

#[test]
fn patterns_that_backtrack() {
    for pattern in [
        "(a+)+$", "(a|a)*$", "^(a|aa)+$", "(?=(a+))*b", "(a*)*\\\\1$", "(x+x+)+y", "((((a{1,100}){1,100}){1,100}){1,100})", "(?<!(a+)+)b", "[", "(?:a?){50}a{50}", "a{1000000}", "\\\\p{L}{1000}{1000}",
    ] {
        let text = format!(
            "contract: c\nmessages: {{ m: {{ payload: {{ type: string, pattern: \"{pattern}\" }}, examples: [{{ payload: {}! }}] }} }}\nx: 1",
            "a".repeat(50_000)
        );
        println!("{pattern}");
        refused(&text);
    }
}

#[test]
fn files_that_include_themselves() {
    let sound = "contract: c\ninclude: [c.yaml, ./c.yaml, a.yaml]\n";
    assert!(read_with(sound, &[("c.yaml", sound), ("a.yaml", "include: [b.yaml]"), ("b.yaml", "include: [a.yaml, c.yaml]")]).is_ok());
    refused_with("contract: c\ninclude: [../c.yaml]", &[("../c.yaml", "include: [../c.yaml]")]);
    let texts: Vec<(String, String)> =
        (0..100).map(|index| (format!("{index}.yaml"), format!("include: [{}.yaml]", index + 1))).collect();
    let beside: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert!(refused_with("contract: c\ninclude: [0.yaml]", &beside).contains("64 files"));
    let texts: Vec<(String, String)> =
        (0..100).map(|index| (format!("{index}.yaml"), format!("contract: c\ndomains: {{ d: {}.yaml }}", index + 1))).collect();
    let beside: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let _ = read_with("contract: c\ndomains: { a: 0.yaml }", &beside);
}

#[test]
fn many_large_files() {
    let large = format!("queues: {{ q: {{ arguments: {{ {} }} }} }}", (0..200_000).map(|index| format!("k{index}: 1,")).collect::<String>());
    let beside: Vec<(String, String)> = (0..60).map(|index| (format!("{index}.yaml"), large.replace("q:", &format!("q{index}:")))).collect();
    let names: Vec<(&str, &str)> = beside.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let includes: String = (0..60).map(|index| format!("{index}.yaml, ")).collect();
    let _ = read_with(&format!("contract: c\ninclude: [{includes}]"), &names);
}

#[test]
fn ten_thousand_consumers() {
    for shared in [false, true] {
        let mut text = "contract: c\nexchanges: { e: {}, dlx: { type: direct } }\nmessages: { m: { payload: {} } }\nmemoryMiB: 1000000\n".to_owned();
        let (mut queues, mut events, mut consumers) = ("  dead: {}\n".to_owned(), String::new(), String::new());
        for index in 0..10_000 {
            queues.push_str(&format!("  q{index}: {{ deadLetter: {{ exchange: dlx, routingKey: dead }} }}\n"));
            events.push_str(&format!("  e{index}: {{ exchange: e, routingKey: e.n{index}, message: m }}\n"));
            let event = if shared { 0 } else { index };
            consumers.push_str(&format!("  c{index}: {{ queue: q{index}, event: e{event}, routingKey: \"*.n{event}\", handler: {{ component: a.wasm }}, publishes: [e{index}] }}\n"));
        }
        text.push_str(&format!("queues:\n{queues}events:\n{events}consumers:\n{consumers}bindings: {{ dead: {{ exchange: dlx, queue: dead, routingKey: dead }} }}\n"));
        let _ = read_with(&text, &[]);
    }
}

#[test]
fn zz_yaml_samples() {
    for text in [
        "contract: c\nqueues\n  orders: {}\n",
        "contract: c\nqueues:\n  orders {}\n",
        "contract: c\nqueues:\n  orders\n",
        "contract c\nqueues: {}\n",
        "contract: c\nqueues:\n  orders:{ type: classic }\n",
        "contract: c\nqueues:\n  orders: { type:classic }\n",
        "contract: c\nqueues:\n  orders: { type: classic\nexchanges: {}\n",
        "contract: c\nqueues:\n  orders: { type: classic\n",
        "contract: c\nqueues:\n  orders: { type: classic maxLength: 5 }\n",
        "contract: c\nqueues:\n  orders: { type: classic, }}\n",
        "contract: c\nqueues:\n  orders: { type: classic ]\n",
        "contract: c\nversion: \"1.0\nqueues: {}\n",
        "contract: c\nversion: '1.0\nqueues: {}\n",
        "contract: c\nversion: \"1.0\" x\nqueues: {}\n",
        "contract: c\nqueues:\n  orders:\n    type: classic\n   maxLength: 5\n",
        "contract: c\nqueues:\n  orders:\n    type: classic\n      maxLength: 5\n",
        "contract: c\n queues:\n  orders: {}\n",
        "  contract: c\nqueues: {}\n",
        "contract: c\nevents:\n  a: { routingKey: *.created }\n",
        "contract: c\nevents:\n  a:\n    routingKey: *.created\n",
        "contract: c\nevents:\n  a:\n    routingKey: *\n",
        "contract: c\nevents:\n  a:\n    routingKey: #\n    exchange: x\n",
        "contract: c\nevents:\n  a: { routingKey: #, exchange: x }\n",
        "contract: c\nevents:\n  a: { routingKey: *, exchange: x }\n",
        "contract: c\nevents:\n  a:\n    routingKey: @x\n",
        "contract: c\nevents:\n  a:\n    routingKey: `x`\n",
        "contract: c\nevents:\n  a:\n    routingKey: %x\n",
        "contract: c\ninclude: - a.yaml\n",
        "contract: c\ninclude:\n- a.yaml\nb.yaml\n",
        "contract: c\ninclude:\n  - a.yaml\n - b.yaml\n",
        "contract: c\ninclude: [a.yaml\nqueues: {}\n",
        "contract: c\nsummary: this: that\n",
        "contract: c\nsummary: \"a\\d\"\n",
        "contract: c\nsummary: \"a\\u12\"\n",
        "contract: c\nversion: !!str 1\n",
        "contract: c\nversion: !secret x\n",
        "contract: c\nversion: !a!b x\n",
        "contract: c\nqueues:\n  a: &x {}\n  b:\n    <<: *x\n",
        "contract: c\nqueues:\n  b: *y\n",
        "contract: c\nqueues:\n\torders: {}\n",
        "contract: c\nqueues:\n  orders:\n\t\ttype: classic\n",
        "contract: c\nqueues: {\n\torders: {}\n}\n",
        "contract: c\nqueues:\n  orders: \t{}\n",
        "{ \"contract\": \"c\", \"queues\": { \"a\": {}, } }",
        "{ \"contract\": \"c\" \"queues\": { \"a\": {} } }",
        "{ \"contract\": \"c\", \"queues\": { \"a\": {} }",
        "{ \"contract\": \"c\", \"queues\": { \"a\": {} } } }",
        "contract: c\n---\nqueues: {}\n",
        "contract: c\n...\nqueues: {}\n",
        "contract: c\nqueues: { ? a : {} }\n",
        "contract: c\nqueues: { [a]: {} }\n",
        "contract: c\nqueues: { {a: 1}: {} }\n",
        "contract: c\ndescription: |\n  a\n b\nqueues: {}\n",
        "contract: c\ndescription: |x\n  a\nqueues: {}\n",
        "contract: c\nqueues: ]\n",
        "contract: c\nqueues: ${X}\n x: {${Y}: 1}",
        "contract: c\nqueues: { a: ${X} }\n",
        "contract: {{ name }}\n",
        "contract: c\n# comment\nqueues: { a: {} } # x\n  b: {}\n",
        "<?xml version='1.0'?>\n<a/>",
        "just a text",
        "# only a comment\n",
        "[]",
        "contract: c\nqueues:\n  a: {}\n  a : {}\n",
        "{\"contract\": \"\\ud83d\\ude00 \\\\ud83d\", \"x\": 1}",
    ] {
        println!("=======\n{text}-------");
        match read_with(text, &[]) { Ok(_) => println!("ACCEPTED"), Err(p) => println!("{p}") }
    }
}
