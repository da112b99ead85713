//! A topology for people: a few tables, one for each kind of thing, with what each is there for.

use serde_json::{Map, Value};

use crate::contract::compared;
use crate::text::{columns, counted, duration, span};

use super::overview::{BindingView, ExchangeView, Overview, QueueView};

/// What a delivery limit is set to so that there is none.
const NO_LIMIT: u64 = i32::MAX as u64;

/// Arguments that other columns say.
const SAID_ELSEWHERE: [&str; 5] = [
    "x-queue-type",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "alternate-exchange",
];

impl Overview<'_> {
    /// The tables, ready to be printed.
    pub fn table(&self) -> String {
        let waits = self.queues.iter().filter(|queue| queue.wait.is_some()).count();
        let version = if self.version.is_empty() { String::new() } else { format!(" {}", self.version) };
        let mut lines = vec![format!(
            "{}{version}: {}, {}{}, {}",
            self.contract,
            counted(self.exchanges.len(), "exchange", "exchanges"),
            counted(self.queues.len(), "queue", "queues"),
            if waits > 0 { format!(" ({waits} for waiting)") } else { String::new() },
            counted(self.bindings.len(), "binding", "bindings"),
        )];
        if self.needs_native_delay {
            lines.push("The broker delays retries itself: RabbitMQ 4.3 or newer.".to_owned());
        }
        let mut section = |head: &[&str], rows: Vec<Vec<String>>| {
            if !rows.is_empty() {
                let head = head.iter().map(|&cell| cell.to_owned()).collect();
                lines.push(String::new());
                lines.extend(columns(&[vec![head], rows].concat()));
            }
        };
        section(&["EXCHANGE", "TYPE", "NOTES"], self.exchanges.iter().map(exchange).collect());
        section(
            &["QUEUE", "TYPE", "WHAT IT IS FOR", "LIMITS"],
            self.queues.iter().map(|view| self.queue(view)).collect(),
        );
        section(
            &["BINDING", "WITH", "TO", "FOLLOWS FROM"],
            self.bindings.iter().map(|binding| self.binding(binding)).collect(),
        );
        section(&["DEAD LETTERS OF", "GO TO", "WITH", "AND END IN"], self.dead_letters());
        lines.push(String::new());
        lines.join("\n")
    }

    fn binding(&self, binding: &BindingView<'_>) -> Vec<String> {
        let kind = self.exchanges.iter().find(|exchange| exchange.name == binding.exchange);
        let with = match kind.map(|exchange| exchange.kind) {
            Some("headers") => match_text(binding.arguments),
            Some("fanout") => "everything".to_owned(),
            _ => binding.routing_key.to_owned(),
        };
        let to = match (binding.queue, binding.to_exchange) {
            (None, Some(exchange)) => format!("exchange {exchange}"),
            (queue, _) => queue.unwrap_or_default().to_owned(),
        };
        let from =
            binding.from.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~");
        vec![binding.exchange.to_owned(), with, to, from]
    }

    fn queue(&self, view: &QueueView<'_>) -> Vec<String> {
        let consumer = |name: &str| self.consumers.iter().find(|consumer| consumer.name == name);
        let work = |name: &str| match consumer(name).map(|consumer| consumer.delivery) {
            Some("at-most-once") => format!("work of {name}, at most once"),
            _ => format!("work of {name}"),
        };
        queue(view, view.consumer.map(work))
    }

    fn dead_letters(&self) -> Vec<Vec<String>> {
        let path = |queue: &QueueView<'_>| {
            let Some(dead_letter) = &queue.dead_letter else {
                // Where nothing works on a queue, nothing fails.
                queue.consumer?;
                return Some(vec![
                    queue.name.to_owned(),
                    "nowhere: they are dropped (`onPoison: drop`)".to_owned(),
                ]);
            };
            let ends = dead_letter.queues.join(", ");
            Some(vec![
                queue.name.to_owned(),
                if dead_letter.exchange.is_empty() { "(default)" } else { dead_letter.exchange }.to_owned(),
                dead_letter.routing_key.unwrap_or("(their own key)").to_owned(),
                if ends.is_empty() { "whatever somebody else binds".to_owned() } else { ends },
            ])
        };
        self.queues.iter().filter_map(path).collect()
    }
}

/// What a binding of a headers exchange matches.
pub fn match_text(arguments: &Map<String, Value>) -> String {
    let word = arguments.get("x-match").and_then(Value::as_str).unwrap_or("all");
    let pairs: Vec<String> = compared(arguments)
        .map(|(name, value)| match value {
            Value::Null => format!("{name} is there"),
            _ => format!("{name}={value}"),
        })
        .collect();
    match (pairs.len(), word.starts_with("all")) {
        (0, true) => "everything".to_owned(),
        (0, false) => "nothing".to_owned(),
        (1, _) => pairs.concat(),
        (_, all) => format!("{} of {}", if all { "all" } else { "any" }, pairs.join(", ")),
    }
}

fn exchange(exchange: &ExchangeView<'_>) -> Vec<String> {
    let mut notes = owner(exchange.declared, exchange.domain);
    notes.extend(exchange.alternate_exchange.map(|name| format!("what it cannot route goes to {name}")));
    if !exchange.dead_letters_of.is_empty() {
        notes.push(dead_letters_of(&exchange.dead_letters_of));
    }
    for (is, word) in [
        (!exchange.durable, "goes when the broker restarts"),
        (exchange.auto_delete, "goes with its last binding"),
        (exchange.internal, "internal"),
    ] {
        notes.extend(is.then(|| word.to_owned()));
    }
    notes.extend(further(exchange.arguments));
    vec![exchange.name.to_owned(), exchange.kind.to_owned(), notes.join("; ")]
}

fn queue(queue: &QueueView<'_>, work: Option<String>) -> Vec<String> {
    let mut purposes = owner(queue.declared, queue.domain);
    if let Some(wait) = &queue.wait {
        let time = match wait.min_ms == wait.max_ms {
            true => duration(wait.base_ms),
            false => span(wait.min_ms, wait.max_ms),
        };
        purposes.push(format!("waits {time} for {}", wait.queue));
    }
    purposes.extend(queue.rpc.map(|rpc| format!("requests of {rpc}")));
    purposes.extend(work);
    if !queue.dead_letters_of.is_empty() {
        purposes.push(dead_letters_of(&queue.dead_letters_of));
    }
    if purposes.is_empty() {
        purposes.push("kept: not consumed here".to_owned());
    }
    for (is, word) in [
        (!queue.durable, "goes when the broker restarts"),
        (queue.exclusive, "goes with its connection"),
        (queue.auto_delete, "goes with its last consumer"),
    ] {
        purposes.extend(is.then(|| word.to_owned()));
    }
    let limits = if queue.declared && queue.wait.is_none() { limits(queue.arguments) } else { String::new() };
    vec![queue.name.to_owned(), queue.kind.to_owned(), purposes.join("; "), limits]
}

/// The arguments that are worth a look, in words.
fn limits(arguments: &Map<String, Value>) -> String {
    let number = |name: &str| arguments.get(name).and_then(Value::as_u64);
    let mut limits = Vec::new();
    limits.extend(number("x-message-ttl").map(|ms| format!("expire after {}", duration(ms))));
    limits.extend(
        number("x-delivery-limit")
            .filter(|limit| *limit != NO_LIMIT)
            .map(|limit| format!("delivery limit {limit}")),
    );
    limits.extend(number("x-max-length").map(|count| format!("{count} messages")));
    limits.extend(number("x-max-length-bytes").map(|count| format!("{count} bytes")));
    limits.extend(number("x-expires").map(|ms| format!("goes unused after {}", duration(ms))));
    limits.extend(number("x-max-priority").map(|count| format!("{count} priorities")));
    if number("x-max-length").or(number("x-max-length-bytes")).is_some() {
        limits.extend(arguments.get("x-overflow").and_then(Value::as_str).map(str::to_owned));
    }
    limits.extend(further(arguments));
    limits.join(", ")
}

/// Arguments that have no words of their own.
fn further(arguments: &Map<String, Value>) -> Vec<String> {
    const IN_WORDS: [&str; 7] = [
        "x-message-ttl",
        "x-delivery-limit",
        "x-max-length",
        "x-max-length-bytes",
        "x-expires",
        "x-max-priority",
        "x-overflow",
    ];
    let known = |name: &str| SAID_ELSEWHERE.contains(&name) || IN_WORDS.contains(&name);
    arguments.iter().filter(|(name, _)| !known(name)).map(|(name, value)| format!("{name}={value}")).collect()
}

fn owner(declared: bool, domain: Option<&str>) -> Vec<String> {
    match (declared, domain) {
        (true, _) => Vec::new(),
        (false, Some(domain)) => vec![format!("of the domain {domain}: has to exist")],
        (false, None) => vec!["not ours: has to exist".to_owned()],
    }
}

/// The dead letters of these queues; more than two are in the table of dead letters.
fn dead_letters_of(queues: &[&str]) -> String {
    match queues {
        [_] | [_, _] => format!("dead letters of {}", queues.join(" and ")),
        _ => format!("dead letters of {} queues", queues.len()),
    }
}
