//! A large contract, as a company with many services might have it: text and schema files made from numbers, always
//! the same ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Where the schemas of a generated contract are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schemas {
    /// In the contract itself.
    Inline,
    /// In a file for each message, with what they share in one more.
    Files,
}

/// A contract, and the files that it refers to.
#[derive(Debug)]
pub(crate) struct Generated {
    pub(crate) text: String,
    pub(crate) files: BTreeMap<String, String>,
}

/// A contract of `consumers` consumers and as many publishers. Of ten consumers, seven take events from topic exchanges
/// (some with `*` or `#`, one with a view of its own of the message), and three carry out commands. Each queue has retries
/// and dead letters.
pub(crate) fn contract(consumers: usize, schemas: Schemas) -> Generated {
    let messages = (consumers / 5).max(1);
    let mut files = BTreeMap::new();
    let mut text = "contract: large\nversion: 1.0.0\nmemoryMiB: 1048576\nexchanges:\n".to_owned();
    let mut line = |line: String| writeln!(text, "  {line}").expect("a string takes all");
    for domain in 0..DOMAINS {
        line(format!("events{domain}: {{ type: topic }}"));
    }
    line("work: { type: direct }\n  dlx: { type: topic }\nqueues:".to_owned());
    for number in 0..consumers {
        let retry = ["{}", "{ mode: quorum-native }", "{ maxRetries: 5, initialDelayMs: 500 }"][number % 3];
        // One in ten keeps the key that its messages came with.
        let key = if number % 10 == 4 { String::new() } else { format!(", routingKey: dead.queue-{number}") };
        line(format!("queue-{number}: {{ deadLetter: {{ exchange: dlx{key} }}, retry: {retry} }}"));
    }
    line(
        "dead-letters: {}\nbindings:\n  dead: { exchange: dlx, queue: dead-letters, routingKey: \"#\" }"
            .to_owned(),
    );
    text.push_str("messages:\n");
    for number in 0..messages {
        let schema = match schemas {
            Schemas::Inline => schema(number, "#/$defs/money", true),
            Schemas::Files => {
                files.insert(
                    format!("schemas/message-{number}.json"),
                    schema(number, "common.json#/$defs/money", false),
                );
                format!("{{ $ref: schemas/message-{number}.json }}")
            }
        };
        writeln!(text, "  message{number}: {{ payload: {schema}, summary: Message {number} }}")
            .expect("as above");
        let view =
            r#"{ "type": "object", "required": ["id"], "properties": { "id": { "type": "string" } } }"#;
        writeln!(text, "  view{number}: {{ payload: {view} }}").expect("as above");
    }
    if schemas == Schemas::Files {
        files.insert("schemas/common.json".to_owned(), format!("{{ {MONEY} }}"));
    }
    flows(&mut text, consumers, messages);
    Generated { text, files }
}

const DOMAINS: usize = 10;
const MONEY: &str = r#""$defs": { "money": { "type": "object", "required": ["amount", "currency"], "properties": { "amount": { "type": "integer", "minimum": 0 }, "currency": { "type": "string", "pattern": "^[A-Z]{3}$" } }, "additionalProperties": false } }"#;

/// Events, commands, publishers and consumers.
fn flows(text: &mut String, consumers: usize, messages: usize) {
    let is_command = |number: usize| number % 10 >= 7;
    let mut sections = [String::new(), String::new(), String::new(), String::new()];
    for number in 0..consumers {
        let (message, domain) = (number % messages, number % DOMAINS);
        let [events, commands, publishers, takers] = &mut sections;
        let handler = "handler: { component: handlers/handler.wasm, deadlineMs: 2000, concurrency: 4 }";
        let taken = if is_command(number) {
            let command =
                format!("exchange: work, routingKey: work.item-{number}, message: message{message}");
            writeln!(commands, "  command{number}: {{ {command} }}").expect("a string takes all");
            writeln!(publishers, "  publisher{number}: {{ command: command{number} }}").expect("as above");
            format!("command: command{number}")
        } else {
            let event = format!(
                "exchange: events{domain}, routingKey: shop.item-{number}.done, message: message{message}"
            );
            writeln!(events, "  event{number}: {{ {event} }}").expect("as above");
            let again = format!("event: event{number}, routingKey: shop.item-{number}.again");
            writeln!(publishers, "  publisher{number}: {{ {again}, externalConsumers: true }}")
                .expect("as above");
            let pattern = match number % 10 {
                0 => format!(", routingKey: shop.item-{number}.*"),
                1 => format!(", routingKey: \"*.item-{number}.#\""),
                2 => format!(", message: view{message}"),
                _ => String::new(),
            };
            format!("event: event{number}{pattern}")
        };
        let grants = format!(
            "publishes: [publisher{}, publisher{}]",
            (number + 1) % consumers,
            (number + 7) % consumers
        );
        writeln!(takers, "  consumer{number}: {{ {taken}, queue: queue-{number}, {handler}, {grants} }}")
            .expect("as above");
    }
    for (name, section) in ["events", "commands", "publishers", "consumers"].into_iter().zip(sections) {
        write!(text, "{name}:\n{section}").expect("as above");
    }
}

/// A schema as such messages have it: about forty keywords, nested two deep, 2 KB.
fn schema(number: usize, money: &str, with_money: bool) -> String {
    let mut properties =
        format!(r#""id": {{ "type": "string", "minLength": 1 }}, "total": {{ "$ref": "{money}" }}"#);
    for field in 0..10 {
        let field = match field % 3 {
            0 => format!(
                r#""text{field}": {{ "type": "string", "maxLength": 200, "description": "Field {field} of message {number}." }}"#
            ),
            1 => format!(r#""count{field}": {{ "type": "integer", "minimum": 0, "maximum": 1000000 }}"#),
            _ => format!(r#""state{field}": {{ "enum": ["new", "open", "closed-{number}"] }}"#),
        };
        write!(properties, ", {field}").expect("a string takes all");
    }
    let line = format!(
        r#"{{ "type": "object", "required": ["sku", "price"], "properties": {{ "sku": {{ "type": "string" }}, "price": {{ "$ref": "{money}" }}, "quantity": {{ "type": "integer", "minimum": 1 }} }} }}"#
    );
    let defs = if with_money { format!(", {MONEY}") } else { String::new() };
    format!(
        r#"{{ "type": "object", "required": ["id", "total"], "properties": {{ {properties}, "lines": {{ "type": "array", "maxItems": 100, "items": {line} }}, "placedAt": {{ "type": "string", "format": "date-time" }} }}{defs} }}"#
    )
}
