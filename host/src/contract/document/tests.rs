//! Documents that borrow are taken, refused and judged like `serde_json::Value`: random schemas, random texts.

use std::fmt::Write as _;

use jsonschema::json::{Node, Object, cmp};
use serde_json::{Map, Value, json};

use super::super::patterns::{compile, compile_for};
use super::{Borrowed, Document, LISTED_MAX};

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 33) % sides as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

const NUMBERS: [&str; 33] = [
    "0",
    "-0",
    "0.0",
    "-0.0",
    "0e5",
    "1",
    "1.0",
    "1e0",
    "10e-1",
    "-1",
    "2",
    "3",
    "1.5",
    "0.1",
    "5e-324",
    "1e-400",
    "2147483648",
    "9007199254740992",
    "9007199254740993",
    "9007199254740992.0",
    "9223372036854775807",
    "9223372036854775808",
    "9223372036854775808.0",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "18446744073709551615.0",
    "123456789012345678901234567890",
    "1e19",
    "1.7976931348623157e308",
    "1e400",
    "-1e400",
];

/// Texts as they stand in JSON, many of them the same in another way of writing.
const TEXTS: [&str; 22] = [
    "",
    "a",
    "\\u0061",
    "b",
    "ab",
    "c",
    "é",
    "\\u00e9",
    "e\u{301}",
    "🦀",
    "\\ud83e\\udd80",
    "\\ud83e",
    "\\u0000",
    "a\\nb",
    "x-1",
    "x-a\\/b",
    "a@example.com",
    "2026-11-26",
    "2026-11-26T16:15:00Z",
    "10.0.0.1",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "\\\"\\\\",
];

const SPACES: [&str; 8] = ["", "", "", "", " ", "\n", "\t\r", "  "];

fn number(dice: &mut Dice) -> Value {
    loop {
        if let Ok(number) = serde_json::from_str(dice.pick(&NUMBERS)) {
            return number;
        }
    }
}

fn text(dice: &mut Dice) -> String {
    loop {
        if let Ok(text) = serde_json::from_str(&format!("\"{}\"", dice.pick(&TEXTS))) {
            return text;
        }
    }
}

/// Some value; sometimes a large one, for `const` and `enum`.
fn value(dice: &mut Dice) -> Value {
    let mut out = String::new();
    loop {
        out.clear();
        write_value(dice, 2, &mut out);
        if let Ok(value) = serde_json::from_str(&out) {
            return value;
        }
    }
}

fn space(dice: &mut Dice, out: &mut String) {
    out.push_str(dice.pick(&SPACES));
}

fn write_text(dice: &mut Dice, out: &mut String) {
    write!(out, "\"{}\"", dice.pick(&TEXTS)).unwrap();
}

fn write_value(dice: &mut Dice, depth: usize, out: &mut String) {
    space(dice, out);
    match dice.roll(if depth == 0 { 6 } else { 11 }) {
        0 => out.push_str(dice.pick(&["null", "true", "false"])),
        1..=3 => out.push_str(dice.pick(&NUMBERS)),
        4 | 5 => write_text(dice, out),
        6 | 7 => {
            let items = dice.pick(&[0, 1, 2, 3, 4, 17]);
            write_list(dice, items, ['[', ']'], out, |dice, out| {
                write_value(dice, if items > 4 { 0 } else { depth - 1 }, out);
            });
        }
        _ => {
            // Around the size from which on members are in order.
            let members = dice.pick(&[0, 1, 2, 3, 4, LISTED_MAX - 1, LISTED_MAX, LISTED_MAX + 1, 40]);
            write_list(dice, members, ['{', '}'], out, |dice, out| {
                if members > 4 && dice.roll(4) > 0 {
                    write!(out, "\"n{}\"", dice.roll(members + 2)).unwrap();
                } else {
                    write_text(dice, out);
                }
                space(dice, out);
                out.push(':');
                write_value(dice, if members > 4 { 0 } else { depth - 1 }, out);
            });
        }
    }
    space(dice, out);
}

fn write_list(
    dice: &mut Dice,
    count: usize,
    brackets: [char; 2],
    out: &mut String,
    item: impl Fn(&mut Dice, &mut String),
) {
    out.push(brackets[0]);
    for index in 0..count {
        if index > 0 {
            out.push(',');
        }
        item(dice, out);
    }
    out.push(brackets[1]);
}

/// A body, and whether it is nested about as deep as is allowed; some are damaged.
fn body(dice: &mut Dice) -> (Vec<u8>, bool) {
    let mut out = String::new();
    write_value(dice, 3, &mut out);
    let deep = dice.roll(40) == 0;
    if deep {
        let (open, close) = dice.pick(&[("[", "]"), ("{\"a\":", "}")]);
        let depth = 122 + dice.roll(8);
        out = format!("{}{out}{}", open.repeat(depth), close.repeat(depth));
    }
    let mut body = out.into_bytes();
    if dice.roll(6) == 0 {
        let at = dice.roll(body.len());
        let byte = dice.pick(b"\"\\{}[],:0-.eEu \n\x00\x1f\x7f\x80\xc3\xff");
        match dice.roll(4) {
            0 => body.truncate(at),
            1 => body[at] = byte,
            2 => body.insert(at, byte),
            _ => drop(body.remove(at)),
        }
    }
    (body, deep)
}

fn schema(dice: &mut Dice, depth: usize) -> Value {
    if dice.roll(12) == 0 {
        return Value::Bool(dice.roll(4) > 0);
    }
    let mut schema = Map::new();
    for _ in 0..=dice.roll(3) {
        keyword(dice, depth, &mut schema);
    }
    Value::Object(schema)
}

fn schemas(dice: &mut Dice, depth: usize) -> Value {
    (0..=dice.roll(3)).map(|_| schema(dice, depth)).collect()
}

fn named(dice: &mut Dice, names: &[&str], depth: usize) -> Value {
    let count = dice.pick(&[1, 2, 3, 20]);
    let entry = |dice: &mut Dice| {
        let name = if count > 3 { format!("n{}", dice.roll(count)) } else { dice.pick(names).to_owned() };
        (name, schema(dice, if count > 3 { 0 } else { depth }))
    };
    Value::Object((0..count).map(|_| entry(dice)).collect())
}

fn texts(dice: &mut Dice) -> Value {
    let mut texts: Vec<String> = (0..=dice.roll(4)).map(|_| text(dice)).collect();
    texts.sort();
    texts.dedup();
    json!(texts)
}

/// Adds a keyword, and what goes with it.
fn keyword(dice: &mut Dice, depth: usize, schema: &mut Map<String, Value>) {
    let mut set = |name: &str, value: Value| drop(schema.insert(name.to_owned(), value));
    if depth > 0 && dice.roll(2) == 0 {
        return applicator(dice, depth - 1, schema);
    }
    let small = |dice: &mut Dice| json!(dice.pick(&[0, 1, 2, 3, 16, 17]));
    match dice.roll(22) {
        0 | 1 => {
            const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
            let first = dice.pick(&TYPES);
            let second = dice.pick(&TYPES);
            set("type", if first == second { json!(first) } else { json!([first, second]) });
        }
        2 => set("enum", (0..=dice.roll(12)).map(|_| value(dice)).collect()),
        3 => set("enum", texts(dice)),
        4 => set("const", value(dice)),
        5 => set(dice.pick(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]), number(dice)),
        6 => set("multipleOf", json!(dice.pick(&[0.1, 0.5, 1.0, 2.0, 3.0, 1e19]))),
        7 => set(dice.pick(&["minLength", "maxLength"]), small(dice)),
        8 => set("pattern", json!(dice.pick(&["^a", "b$", "^x-", "^\\S*$", "[é🦀]", "^(?!a)", "^n[0-9]+$"]))),
        9 => {
            let formats = ["email", "date", "date-time", "ipv4", "uuid", "uri", "regex", "json-pointer"];
            set("format", json!(dice.pick(&formats)));
        }
        10 => set("uniqueItems", json!(dice.roll(5) > 0)),
        11 => set(dice.pick(&["minItems", "maxItems", "minProperties", "maxProperties"]), small(dice)),
        12..=14 => set("required", texts(dice)),
        15 => {
            let dependent = (0..=dice.roll(2)).map(|_| (text(dice), texts(dice))).collect::<Map<_, _>>();
            set("dependentRequired", Value::Object(dependent));
        }
        16..=18 => {
            set("$ref", json!(dice.pick(&["#", "#/$defs/a", "#/$defs/b", "#/$defs/c"])));
        }
        19 => set("additionalProperties", json!(false)),
        20 => set("unevaluatedProperties", json!(false)),
        _ => set("unevaluatedItems", json!(false)),
    }
}

/// A keyword that applies other schemas.
fn applicator(dice: &mut Dice, depth: usize, schema_: &mut Map<String, Value>) {
    let mut set = |name: &str, value: Value| drop(schema_.insert(name.to_owned(), value));
    let names = ["", "a", "b", "ab", "é", "🦀", "\u{0}", "x-1", "x-a/b", "n1"];
    match dice.roll(19) {
        0..=3 => set("properties", named(dice, &names, depth)),
        4 | 5 => {
            set("patternProperties", named(dice, &["^a", "^x-", "é", "^n[0-4]", "^$", ".", "^(?!a)"], depth))
        }
        6 => set("additionalProperties", schema(dice, depth)),
        7 => set("propertyNames", schema(dice, depth)),
        8 => set("dependentSchemas", named(dice, &names, depth)),
        9 => set("unevaluatedProperties", schema(dice, depth)),
        10 | 11 => set("items", schema(dice, depth)),
        12 => set("prefixItems", schemas(dice, depth)),
        13 => {
            set("contains", schema(dice, depth));
            if dice.roll(2) == 0 {
                set(dice.pick(&["minContains", "maxContains"]), json!(dice.roll(3)));
            }
        }
        14 => set("unevaluatedItems", schema(dice, depth)),
        15 => set("allOf", schemas(dice, depth)),
        16 => set(dice.pick(&["anyOf", "oneOf"]), schemas(dice, depth)),
        17 => set("not", schema(dice, depth)),
        _ => {
            set("if", schema(dice, depth));
            set("then", schema(dice, depth));
            set("else", schema(dice, depth));
        }
    }
}

#[derive(Default)]
struct Tally {
    schemas: usize,
    refused: usize,
    valid: usize,
    invalid: usize,
}

fn agree(seed: u64, tally: &mut Tally) -> Result<(), String> {
    let mut dice = Dice(seed | 1);
    (0..8).for_each(|_| _ = dice.roll(2));
    let mut schema_ = json!({ "$defs": { "a": schema(&mut dice, 1), "b": schema(&mut dice, 1), "c": schema(&mut dice, 1) } });
    for _ in 0..=dice.roll(3) {
        keyword(&mut dice, 3, schema_.as_object_mut().unwrap());
    }
    let Ok(validator) = compile(&schema_) else { return Ok(()) };
    let quick = compile_for::<Borrowed>(&schema_).map_err(|error| format!("{error}\n{schema_}"))?;
    tally.schemas += 1;
    let mut other = Value::Null;
    for _ in 0..6 {
        let (body, deep) = body(&mut dice);
        let shown = || format!("seed {seed}\nschema {schema_}\nbody {}", String::from_utf8_lossy(&body));
        let read = (serde_json::from_slice::<Value>(&body), Document::read(&body));
        let (value, document) = match &read {
            (Ok(value), Some(document)) => (value, document),
            (Err(_), None) => {
                tally.refused += 1;
                continue;
            }
            (value, _) => return Err(format!("read by one of two ({value:?})\n{}", shown())),
        };
        let root = document.root();
        // By their texts, because -0.0 and 0.0 are equal.
        let texts = (root.value().to_string(), value.to_string());
        if texts.0 != texts.1 {
            return Err(format!("read as {}\n{}", texts.0, shown()));
        }
        if !root.equals_value(value) || root.equals_value(&other) != cmp::equal(value, &other) {
            return Err(format!("compared to itself or {other}\n{}", shown()));
        }
        // A schema that refers to itself twice has two errors for one at each level, and so more than can be kept.
        let valid =
            if deep { validator.is_valid(value) } else { validator.iter_errors(value).next().is_none() };
        *(if valid { &mut tally.valid } else { &mut tally.invalid }) += 1;
        if quick.is_valid(root) != valid {
            let is_valid = validator.is_valid(value);
            return Err(format!("{valid} by its errors, {is_valid} in short\n{}", shown()));
        }
        other = value.clone();
    }
    Ok(())
}

/// The seeds are fixed: of others, one in tens of thousands makes a schema that refers to itself, for which errors, or with
/// `unevaluated…` verdicts, double with each level of a document, for both validators alike (`recursion`).
#[test]
fn documents_are_judged_like_values() {
    let mut tally = Tally::default();
    for seed in 0..2_000_u64 {
        agree(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), &mut tally).unwrap();
    }
    let Tally { schemas, refused, valid, invalid } = tally;
    // Otherwise this says little.
    println!("{schemas} schemas, {valid} valid, {invalid} invalid, {refused} no JSON");
    assert!(schemas > 1_000 && valid > 1_000 && invalid > 1_000 && refused > 300);
}

fn judged(schema: &Value, body: &str) -> (bool, bool) {
    let value: Value = serde_json::from_str(body).unwrap();
    let valid = compile(schema).unwrap().iter_errors(&value).next().is_none();
    let document = Document::read(body.as_bytes()).unwrap();
    (compile_for::<Borrowed>(schema).unwrap().is_valid(document.root()), valid)
}

#[test]
fn numbers_are_compared_like_those_of_values() {
    for a in NUMBERS {
        for b in NUMBERS {
            let (Ok(value), Ok(expected)) =
                (serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b))
            else {
                continue;
            };
            for keyword in ["const", "minimum", "exclusiveMaximum"] {
                let schema = json!({ keyword: expected });
                let (quick, valid) = judged(&schema, a);
                assert_eq!(quick, valid, "{value} against {schema}");
            }
            let schema = json!({ "uniqueItems": true });
            let (quick, valid) = judged(&schema, &format!("[{a}, {b}]"));
            assert_eq!(quick, valid, "{a} beside {b}");
        }
        if serde_json::from_str::<Value>(a).is_ok() {
            let (quick, valid) = judged(&json!({ "type": "integer" }), a);
            assert_eq!(quick, valid, "whether {a} is an integer");
        }
    }
}

#[test]
fn of_members_with_one_name_the_last_counts() {
    for (count, expected) in [(1, 1), (LISTED_MAX, LISTED_MAX), (LISTED_MAX + 1, LISTED_MAX + 1), (500, 500)]
    {
        let list: String = (0..2 * count).map(|index| format!("\"n{}\": {index},", index % count)).collect();
        let body = format!("{{{list} \"n\\u0030\": true}}");
        let schema = json!({ "minProperties": expected, "maxProperties": expected, "properties": { "n0": { "const": true } }, "required": ["n0"] });
        assert_eq!(judged(&schema, &body), (true, true), "{count}");
    }
}

#[test]
fn large_objects_are_searched_and_not_walked() {
    let members: Vec<String> = (0..200_000).rev().map(|index| format!("\"n{index}\":{index}")).collect();
    let body = format!("{{{},\"n7\":7}}", members.join(","));
    let began = std::time::Instant::now();
    let document = Document::read(body.as_bytes()).unwrap();
    let object = document.root().as_object().unwrap();
    assert_eq!(object.len(), 200_000);
    for index in 0..200_000 {
        let found = object.get(&format!("n{index}")).unwrap();
        assert!(found.equals_value(&json!(index)));
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let tree = json!({
        "$defs": { "tree": { "type": "object", "properties": { "left": { "$ref": "#/$defs/tree" }, "right": { "$ref": "#/$defs/tree" } }, "required": ["n"] } },
        "$ref": "#/$defs/tree"
    });
    assert_eq!(judged(&tree, r#"{"n":1,"left":{"n":2,"right":{"n":3}},"right":{"n":4}}"#), (true, true));
    assert_eq!(judged(&tree, r#"{"n":1,"left":{"n":2,"right":{}},"right":{"n":4}}"#), (false, false));
    let round = json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "anyOf": [{ "$ref": "#/$defs/a" }, { "type": "null" }] } }, "$ref": "#/$defs/a" });
    let (quick, valid) = judged(&round, "1");
    assert_eq!(quick, valid);
}

#[test]
fn patterns_that_give_up_are_judged_alike() {
    let schema = json!({ "pattern": "^(?=(a+)+$)(a|a)*b$", "propertyNames": { "pattern": "^(?!.*(.)\\1)" } });
    for body in [
        format!("\"{}c\"", "a".repeat(60)),
        "\"aab\"".to_owned(),
        "{\"ab\":1}".to_owned(),
        "{\"aa\":1}".to_owned(),
    ] {
        let (quick, valid) = judged(&schema, &body);
        assert_eq!(quick, valid, "{body}");
    }
}

#[test]
fn many_items_are_unique_as_they_are_among_values() {
    let schema = json!({ "uniqueItems": true });
    let distinct: Vec<String> = (0..20).map(|n| format!("{{\"n\":{n},\"of\":[{n}]}}")).collect();
    let distinct = distinct.join(",");
    let with = |more: &str| format!("[{distinct},{more}]");
    for (body, unique) in [
        (with("0"), true),
        (with("1,1.0"), false),
        (with("0.0,-0.0"), false),
        (with("1e0,10e-1"), false),
        (with("9007199254740992,9007199254740993"), true),
        (with("{\"of\":[7],\"n\":7}"), false),
        (with("{\"of\":[7],\"n\":7.0}"), false),
        (with("[1,2],[2,1]"), true),
        (with("\"a\",\"\\u0061\""), false),
        (with("null,false,[],{},\"\""), true),
    ] {
        assert_eq!(judged(&schema, &body), (unique, unique), "{body}");
    }
}
