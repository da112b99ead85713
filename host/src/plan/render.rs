//! A plan as text for people and as JSON.

use std::fmt;

use serde_json::{Value, json};

use crate::contract::Destination;
use crate::topology::Purpose;

use super::observed::{Difference, Sight};
use super::{Item, Plan, State, Thing};

/// Where a line goes on that is about the one above.
const NEXT: &str = "      ";

impl Plan<'_> {
    /// The plan as text: what is not as the contract says, then what that comes to.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for text in &self.too_old {
            out.push_str(&format!("  ! {}\n", indented(text)));
        }
        for item in &self.items {
            if let Some(text) = describe(item, self.sight) {
                out.push_str(&text);
            }
        }
        for warning in &self.warnings {
            out.push_str(&format!("  ! {warning}\n"));
        }
        if self.sight == Sight::Amqp {
            out.push_str(
                "    bindings, policies and wait queues of older contracts cannot be seen over AMQP\n",
            );
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&self.summary());
        out.push('\n');
        out
    }

    /// Only what a person has to do something about.
    pub fn render_blocked(&self) -> String {
        let too_old = self.too_old.iter().map(|text| format!("  ! {}\n", indented(text)));
        let blocked = self
            .items
            .iter()
            .filter(|item| item.state.is_blocked())
            .filter_map(|item| describe(item, self.sight));
        too_old.chain(blocked).collect()
    }

    /// What the plan comes to, in one line.
    pub fn summary(&self) -> String {
        let count = |test: fn(&State) -> bool| self.items.iter().filter(|item| test(&item.state)).count();
        let parts = [
            (count(|state| matches!(state, State::Missing)), "to create"),
            (count(|state| matches!(state, State::Different { .. })), "different, for a person to change"),
            (count(|state| matches!(state, State::Absent)), "missing, for somebody else to create"),
            (count(|state| matches!(state, State::Unseen)), "not visible"),
            (count(|state| matches!(state, State::Extra { .. })), "not in the contract"),
            (count(|state| matches!(state, State::Skipped)), "left to the host that runs"),
            (
                count(|state| matches!(state, State::Same | State::Tolerated(_) | State::Mistaken(_))),
                "as the contract says",
            ),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
        let broker = match self.version {
            Some(version) => format!("RabbitMQ {version}"),
            None => "the broker".to_owned(),
        };
        let parts = if parts.is_empty() { "nothing is asked for".to_owned() } else { parts.join(", ") };
        format!("{broker}: {parts}")
    }

    /// The plan as JSON: everything, also what is as it should be.
    pub fn to_json(&self) -> Value {
        json!({
            "broker": { "version": self.version.map(|version| version.to_string()), "seenThrough": match self.sight {
                Sight::Management => "management",
                Sight::Amqp => "amqp",
            } },
            "items": self.items.iter().map(item_json).collect::<Vec<_>>(),
            "tooOld": self.too_old,
            "warnings": self.warnings,
        })
    }
}

/// What is to be said of an item; nothing if it is as it should be.
fn describe(item: &Item<'_>, sight: Sight) -> Option<String> {
    let Item { thing, state } = item;
    let line = |sign: char, says: &str| format!("  {sign} {thing} {says}\n");
    Some(match state {
        State::Same | State::Unseen | State::Skipped => return None,
        State::Missing => line('+', "will be created"),
        State::Tolerated(differences) => {
            line('.', "differs in what the broker does not compare; it can stay") + &list(differences)
        }
        State::Mistaken(differences) => {
            line('!', "is somebody else's, and not what the contract takes it for") + &list(differences)
        }
        State::Absent => {
            line('!', "is missing, and somebody else's to create")
                + &format!(
                    "{NEXT}have its owner create it: `warren apply` with the contract that owns it, or, if it is yours, leave `owned: false` out\n"
                )
        }
        State::Different { differences, messages, steps } => {
            let held = messages.map_or_else(String::new, |messages| match sight {
                Sight::Management => {
                    format!("; when the broker last counted, it held {}", counted(messages, "message"))
                }
                Sight::Amqp => format!("; it holds {} that nobody has taken", counted(messages, "message")),
            });
            let mut text = line('!', &format!("is different, and cannot be changed in place{held}"))
                + &list(differences);
            if sight == Sight::Amqp {
                text.push_str(&format!(
                    "{NEXT}there may be more: over AMQP, the broker names one difference at a time\n"
                ));
            }
            text.push_str(&format!("{NEXT}either write into the contract what is there, or:\n"));
            for (number, step) in steps.iter().enumerate() {
                text.push_str(&format!("{NEXT}{}. {step}\n", number + 1));
            }
            text
        }
        State::Extra { messages, consumers } => match thing {
            Thing::Orphan { of, .. } => {
                let messages = messages.map(|count| counted(count, "message"));
                let consumers = consumers.map(|count| counted(count, "consumer"));
                let holds: Vec<String> = messages.into_iter().chain(consumers).collect();
                let holds = if holds.is_empty() {
                    String::new()
                } else {
                    format!(" ({} when last counted)", holds.join(", "))
                };
                line(
                    '-',
                    &format!(
                        "is left of an older contract{holds}; `apply --prune` deletes it when it is empty"
                    ),
                ) + &format!("{NEXT}messages in it still come back to `{of}`\n")
            }
            _ => line('-', "is not in the contract; `apply --prune` removes it"),
        },
    })
}

fn list(differences: &[Difference]) -> String {
    let line = |difference: &Difference| format!("{NEXT}{difference}\n");
    differences.iter().map(line).collect()
}

fn indented(text: &str) -> String {
    text.replace("\n\n", "\n").replace('\n', &format!("\n{NEXT}"))
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn item_json(item: &Item<'_>) -> Value {
    let Item { thing, state } = item;
    let mut out = thing_json(*thing);
    out["state"] = Value::from(match state {
        State::Same => "same",
        State::Tolerated(_) => "tolerated",
        State::Mistaken(_) => "mistaken",
        State::Missing => "missing",
        State::Unseen => "unseen",
        State::Skipped => "skipped",
        State::Different { .. } => "different",
        State::Absent => "absent",
        State::Extra { .. } => "extra",
    });
    let differences = |differences: &[Difference]| {
        let json = |difference: &Difference| {
            let Difference { argument, is, asked } = difference;
            json!({ "argument": argument, "is": is, "asked": asked })
        };
        Value::Array(differences.iter().map(json).collect())
    };
    match state {
        State::Tolerated(found) | State::Mistaken(found) => out["differences"] = differences(found),
        State::Different { differences: found, messages, steps } => {
            out["differences"] = differences(found);
            out["messages"] = json!(messages);
            out["migration"] = json!(steps);
        }
        State::Extra { messages, consumers } if matches!(thing, Thing::Orphan { .. }) => {
            out["messages"] = json!(messages);
            out["consumers"] = json!(consumers);
        }
        State::Same
        | State::Missing
        | State::Unseen
        | State::Skipped
        | State::Absent
        | State::Extra { .. } => {}
    }
    out
}

fn thing_json(thing: Thing<'_>) -> Value {
    let binding = |exchange: &str, to: &Destination, key: &str, arguments: &Value| {
        let kind = match to {
            Destination::Queue(_) => "queue",
            Destination::Exchange(_) => "exchange",
        };
        json!({ "kind": "binding", "source": exchange, "destination": to.name(), "destinationType": kind, "routingKey": key, "arguments": arguments })
    };
    match thing {
        Thing::Exchange(exchange) => json!({ "kind": "exchange", "name": exchange.name }),
        Thing::Queue(queue) => json!({ "kind": "queue", "name": queue.name }),
        Thing::Orphan { name, of, .. } => json!({ "kind": "queue", "name": name, "waitQueueOf": of }),
        Thing::Binding(it) => {
            binding(&it.exchange, &it.destination, &it.routing_key, &Value::from(it.arguments.clone()))
        }
        Thing::ExtraBinding(it) => {
            binding(&it.exchange, &it.destination, &it.routing_key, &Value::from(it.arguments.clone()))
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {} there, the contract asks for {}", self.argument, self.is, self.asked)
    }
}

impl fmt::Display for Thing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(exchange) => write!(f, "exchange `{}`", exchange.name),
            Self::Queue(queue) if queue.purpose == Purpose::Contract => write!(f, "queue `{}`", queue.name),
            Self::Queue(queue) => write!(f, "wait queue `{}`", queue.name),
            Self::Orphan { name, .. } => write!(f, "wait queue `{name}`"),
            Self::Binding(it) => bound(f, &it.exchange, &it.destination, &it.routing_key, &it.arguments),
            Self::ExtraBinding(it) => bound(f, &it.exchange, &it.destination, &it.routing_key, &it.arguments),
        }
    }
}

fn bound(
    f: &mut fmt::Formatter<'_>,
    exchange: &str,
    to: &Destination,
    key: &str,
    arguments: &serde_json::Map<String, Value>,
) -> fmt::Result {
    write!(f, "binding `{exchange}` -> `{}`", to.name())?;
    if !key.is_empty() {
        write!(f, " with `{key}`")?;
    }
    if !arguments.is_empty() {
        write!(f, " and {}", Value::from(arguments.clone()))?;
    }
    Ok(())
}
