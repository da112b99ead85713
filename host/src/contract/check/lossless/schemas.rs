//! Whether a consumer understands what reaches its queue: its schema against that of each publisher.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::super::super::compat::{Comparison, Roles, compare};
use super::super::super::problem::Problem;
use super::super::super::raw;
use super::super::super::routes::Way;
use super::super::super::source::join;
use super::super::super::{Consumer, Contract, Message, Publisher, Takes};

/// How many differences one problem tells.
const TOLD_MAX: usize = 4;

pub(super) fn check(
    contract: &Contract,
    raw: &raw::Contract,
    ways: &BTreeMap<&str, Way<'_>>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let mut by_queue: HashMap<&str, &Consumer> = HashMap::new();
    for consumer in contract.consumers.values().filter(|consumer| !matches!(consumer.takes, Takes::Rpc(_))) {
        by_queue.insert(&consumer.queue, consumer);
    }
    let mut compared: HashMap<(&str, &str), Verdict> = HashMap::new();
    for publisher in contract.publishers.values() {
        for queue in &ways[publisher.name.as_str()].queues {
            let Some(consumer) = by_queue.get(queue) else { continue };
            if publisher.message.name == consumer.message.name {
                continue;
            }
            let pair = (publisher.message.name.as_str(), consumer.message.name.as_str());
            let verdict =
                compared.entry(pair).or_insert_with(|| understands(&publisher.message, &consumer.message));
            let own_view = raw.consumers.get(&consumer.name).is_some_and(|written| written.message.is_some());
            tell(publisher, consumer, own_view, verdict, problems, warnings);
        }
    }
}

struct Verdict {
    conflicts: Vec<String>,
    undecided: Vec<String>,
}

/// Whether `reader` takes all that `writer` lets through.
fn understands(writer: &Message, reader: &Message) -> Verdict {
    let mut verdict = Verdict { conflicts: Vec::new(), undecided: Vec::new() };
    let essence = |message: &Message| {
        message.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    };
    if essence(writer) != essence(reader) {
        verdict.conflicts.push(format!(
            "the content-type is `{}`, and the consumer takes `{}`",
            writer.content_type, reader.content_type
        ));
        return verdict;
    }
    if writer.max_body_bytes > reader.max_body_bytes {
        verdict.conflicts.push(format!(
            "it may be {} bytes long, and the consumer takes {}",
            writer.max_body_bytes, reader.max_body_bytes
        ));
    }
    let roles = || Roles { writer: "the publisher", reader: "the consumer" };
    let mut add = |part: &str, comparison: Comparison| {
        let told = |difference: &super::super::super::compat::Difference| {
            format!("{part}{}: {}", difference.path, difference.says)
        };
        verdict.conflicts.extend(comparison.conflicts.iter().map(told));
        verdict.undecided.extend(comparison.undecided.iter().map(told));
    };
    if reader.is_json() {
        add("payload", compare(&writer.payload_schema, &reader.payload_schema, roles()));
    }
    if let Some(headers) = &reader.headers_schema {
        let any: Value = json!({ "type": "object" });
        add("headers", compare(writer.headers_schema.as_ref().unwrap_or(&any), headers, roles()));
    }
    verdict
}

fn tell(
    publisher: &Publisher,
    consumer: &Consumer,
    own_view: bool,
    verdict: &Verdict,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let at = join("/consumers", &consumer.name);
    let at = match &consumer.takes {
        _ if own_view => join(&at, "message"),
        Takes::Message => join(&at, "message"),
        Takes::Event(_) => join(&at, "event"),
        Takes::Command(_) => join(&at, "command"),
        Takes::Rpc(_) => join(&at, "rpc"),
    };
    let (reader, writer) = (&consumer.message.name, &publisher.message.name);
    if !verdict.conflicts.is_empty() {
        problems.push(
            Problem::at(
                at,
                format!("`{}` would refuse what `{}` may publish", consumer.name, publisher.name),
            )
            .because(format!(
                "it takes `{reader}`, and gets `{writer}`; every such message would be a dead letter\n{}",
                told(&verdict.conflicts)
            ))
            .hint("let the consumer's schema take all that is published, or bind its queue to less"),
        );
    } else if !verdict.undecided.is_empty() {
        warnings.push(
            Problem::warning(
                "schemas-undecided",
                at,
                format!(
                    "whether `{}` takes all that `{}` publishes cannot be told",
                    consumer.name, publisher.name
                ),
            )
            .because(format!("it takes `{reader}`, and gets `{writer}`\n{}", told(&verdict.undecided)))
            .hint("let both use one message, or say why it is right with `allow`"),
        );
    }
}

fn told(differences: &[String]) -> String {
    let mut shown = differences.iter().take(TOLD_MAX).cloned().collect::<Vec<_>>();
    if differences.len() > TOLD_MAX {
        shown.push(format!("and {} more", differences.len() - TOLD_MAX));
    }
    shown.join("\n")
}
