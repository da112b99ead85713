//! Makes a draft a contract that is sound: what the check of contracts refuses is mended where that can be done without
//! guessing, and else left out; both are said. The check itself decides, so nothing gets through that it would refuse.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::contract::{Contract, Problem, Severity, Surroundings};

use super::Failed;
use super::draft::{Draft, join, unescape};

/// How often a draft is checked again. What is left out may leave something else without a partner; such chains are short.
const ROUNDS_MAX: usize = 40;

/// The contract that `draft` becomes.
pub(super) fn repair(draft: &mut Draft) -> Result<Contract, Failed> {
    let mut last = String::new();
    for _ in 0..ROUNDS_MAX {
        let problems = match check(&draft.bare_yaml()) {
            Ok(contract) => return Ok(contract),
            Err(problems) => problems,
        };
        last = problems.first().map(|problem| problem.says.clone()).unwrap_or_default();
        let consumed = consumed(draft);
        let mut mended = false;
        // Backwards, so that the places in a list stay right.
        for problem in problems.iter().rev() {
            mended |= mend(draft, problem, &consumed);
        }
        if !mended {
            break;
        }
    }
    Err(Failed::new(format!("no sound contract can be made of it: {last}")))
}

fn check(text: &str) -> Result<Contract, Vec<Problem>> {
    let read_file = |_: &str| Err(std::io::Error::other("an import refers to no file"));
    let surroundings = Surroundings { read_file: &read_file, variable: &|_| None };
    Contract::parse("contract.yaml", text, surroundings).map_err(|problems| {
        problems.list().iter().filter(|problem| problem.severity == Severity::Error).cloned().collect()
    })
}

/// Does one thing against a problem; whether there was one to do.
fn mend(draft: &mut Draft, problem: &Problem, consumed: &BTreeSet<String>) -> bool {
    let steps: Vec<String> = problem.pointer.split('/').skip(1).map(unescape).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let upto = |count: usize| steps.iter().take(count).fold(String::new(), |at, step| join(&at, step));
    match steps.as_slice() {
        ["events" | "commands" | "publishers", _]
            if draft.set(&upto(2), "externalConsumers", json!(true)) =>
        {
            draft.note(&upto(2), "reaches no queue that is known here, so somebody else has to consume it");
            true
        }
        ["queues", _, "deadLetter", ..] if draft.set(&upto(3), "externalConsumers", json!(true)) => {
            draft.note(
                &upto(3),
                "reaches no queue that is known here, so somebody else has to keep the dead letters",
            );
            true
        }
        ["queues", _, "deadLetter", ..] => leave_out(draft, &upto(3), problem),
        ["queues", name] if consumed.contains(*name) && keeps_nothing(draft, name) => {
            draft.set(&upto(2), "onPoison", json!("drop"));
            draft.note(
                &upto(2),
                "has no dead letters: what cannot be handled is dropped. A `deadLetter` would keep it",
            );
            true
        }
        ["consumers", name] => {
            match draft.text("consumers", name, "queue").map(|queue| join("/queues", queue)) {
                Some(queue) if draft.set(&queue, "owned", json!(false)) => {
                    draft.note(&queue, "nothing says what it is bound to, so it is taken as somebody else's: it has to exist, and is not declared");
                    true
                }
                _ => leave_out(draft, &upto(2), problem),
            }
        }
        ["consumers", _, "event" | "command" | "rpc" | "message" | "queue"] => {
            leave_out(draft, &upto(2), problem)
        }
        ["consumers", name, "handler", ..] if draft.set(&upto(2), "handler", handler(name)) => {
            draft.note(&upto(3), format!("filled in: {}", problem.says));
            true
        }
        ["consumers", _, "publishes" | "capabilities" | "onFailure", _, ..] => {
            leave_out(draft, &upto(4), problem)
        }
        ["messages", _, "payload", ..] if draft.set(&upto(2), "payload", json!({})) => {
            draft.note(
                &upto(3),
                format!("anything goes, because its schema cannot be used: {}", problem.says),
            );
            true
        }
        ["exchanges" | "queues", _, "arguments", _, ..] => leave_out(draft, &upto(4), problem),
        ["bindings" | "rpcs" | "events" | "commands" | "publishers", _, ..] => {
            leave_out(draft, &upto(2), problem)
        }
        ["exchanges" | "queues" | "messages" | "consumers", _, _, ..] => leave_out(draft, &upto(3), problem),
        [_, _, ..] => leave_out(draft, &upto(2), problem),
        ["contract"] => draft.set_root("contract", json!("imported")),
        [_] => leave_out(draft, &upto(1), problem),
        [] => false,
    }
}

/// The queues that consumers take from.
fn consumed(draft: &Draft) -> BTreeSet<String> {
    let consumers = draft.section("consumers").into_iter().flatten();
    let queue = |consumer: &Value| match consumer["queue"].as_str() {
        Some(queue) => Some(queue.to_owned()),
        None => draft.text("rpcs", consumer["rpc"].as_str()?, "queue").map(str::to_owned),
    };
    consumers.filter_map(|(_, consumer)| queue(consumer)).collect()
}

/// Whether nothing says what becomes of messages in a queue that cannot be handled.
fn keeps_nothing(draft: &Draft, queue: &str) -> bool {
    let entry = draft.entry("queues", queue);
    entry.is_some_and(|entry| !entry.contains_key("deadLetter") && !entry.contains_key("onPoison"))
}

fn leave_out(draft: &mut Draft, pointer: &str, problem: &Problem) -> bool {
    if !draft.remove(pointer) {
        return false;
    }
    draft.remove_empty(pointer);
    let because = problem.because.as_ref().map(|because| format!(" ({because})")).unwrap_or_default();
    draft.note(pointer, format!("left out: {}{because}", problem.says));
    true
}

/// What handles the messages of a consumer of which no handler is known.
pub(super) fn handler(consumer: &str) -> Value {
    let plain = |char: char| if char.is_ascii_alphanumeric() || "._-".contains(char) { char } else { '-' };
    json!({ "component": format!("handlers/{}.wasm", consumer.chars().map(plain).collect::<String>()) })
}
