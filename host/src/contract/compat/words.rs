//! The words of findings: parts of sentences in lower case, with the thing in back-ticks.
//!
//! Leaves it to the modules of the types to say when.

use serde_json::Value;

use super::Roles;
use super::facets::Bound;
use super::number::Num;
use super::types::Types;

pub(super) const TOO_LARGE: &str = "the schemas are too large to be compared in full";
pub(super) const TOO_DEEP: &str = "values nested this deeply are not compared";

/// Values and names listed in one message.
const LISTED_MAX: usize = 5;
/// Characters of a value, name or pattern in a message.
const CHARS_MAX: usize = 60;

/// Says what was found in the words of the two roles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Says<'r> {
    pub(super) roles: Roles<'r>,
}

impl Says<'_> {
    pub(super) fn types(&self, sent: Types, taken: Types) -> String {
        let Roles { writer, reader } = self.roles;
        let sent = match sent {
            Types::FRACTION => "numbers with a fraction".to_owned(),
            _ if sent.names().len() > 3 => "other types".to_owned(),
            _ => any_of(sent),
        };
        format!("{writer} may send {sent}, and {reader} takes {}", any_of(taken))
    }

    pub(super) fn nothing(&self) -> String {
        let Roles { writer, reader } = self.roles;
        format!("{writer} may send a value here, and {reader} takes none (`false`)")
    }

    pub(super) fn required(&self, name: &str) -> String {
        let Roles { writer, reader } = self.roles;
        format!("{} is required by {reader}, and {writer} may leave it out", quoted(name))
    }

    pub(super) fn forbidden(&self, name: &str, always: bool) -> String {
        let Roles { writer, reader } = self.roles;
        let sent = if always { "is always" } else { "may be" };
        format!("{} {sent} sent by {writer}, and {reader} forbids it", quoted(name))
    }

    pub(super) fn undescribed(&self, name: &str) -> String {
        let Roles { writer, reader } = self.roles;
        format!(
            "{} is described by {reader} only: {writer} does not mention it, and leaves other properties open",
            quoted(name)
        )
    }

    pub(super) fn closed<'n>(&self, names: impl Iterator<Item = &'n str>) -> String {
        let Roles { writer, reader } = self.roles;
        let names = listed(names.map(quoted));
        let but = if names.is_empty() { String::new() } else { format!(" but {names}") };
        format!(
            "{writer} leaves other properties open, and {reader} forbids all{but} (`additionalProperties`)"
        )
    }

    /// Values that the reader rejects; `known` are those it lists, if it lists any.
    pub(super) fn values(&self, sent: &[&Value], known: Option<&[&Value]>) -> String {
        let Roles { writer, reader } = self.roles;
        let sent = listed(sent.iter().map(|value| shown(value)));
        match known {
            Some(known) => {
                let known = listed(known.iter().map(|value| shown(value)));
                format!("{sent} may be sent by {writer}, and {reader} takes only {known}")
            }
            None => format!("{sent} may be sent by {writer}, and {reader} rejects it"),
        }
    }

    pub(super) fn values_unclear(&self, sent: &[&Value]) -> String {
        let Roles { writer, reader } = self.roles;
        let sent = listed(sent.iter().map(|value| shown(value)));
        format!("{sent} may be sent by {writer}, and whether {reader} accepts it is not clear")
    }

    pub(super) fn only_values(&self, known: &[&Value]) -> String {
        let Roles { writer, reader } = self.roles;
        let known = listed(known.iter().map(|value| shown(value)));
        format!("{reader} takes only {known}, and {writer} may send others")
    }

    pub(super) fn tag(&self, sent: &[&Value]) -> String {
        let Roles { writer, reader } = self.roles;
        let sent = listed(sent.iter().map(|value| shown(value)));
        format!("{sent} may be sent by {writer}, and is in none of the alternatives of {reader}")
    }

    pub(super) fn no_alternative(&self) -> String {
        let Roles { writer, reader } = self.roles;
        format!("{writer} may send what none of the alternatives (`anyOf`, `oneOf`) of {reader} accepts")
    }

    pub(super) fn alternatives_unclear(&self) -> String {
        let reader = self.roles.reader;
        format!(
            "whether the alternatives (`anyOf`, `oneOf`) of {reader} accept everything together is not clear"
        )
    }

    pub(super) fn bound(&self, theirs: Bound, ours: Option<Bound>) -> String {
        let ours = ours.map(|bound| (bound.keyword, number(bound.number)));
        self.tighter(theirs.keyword, &number(theirs.number), ours)
    }

    pub(super) fn limit(&self, keyword: &str, theirs: u64, ours: Option<u64>) -> String {
        self.tighter(keyword, &theirs.to_string(), ours.map(|ours| (keyword, ours.to_string())))
    }

    pub(super) fn step(&self, theirs: Num, ours: Option<Num>) -> String {
        self.tighter("multipleOf", &number(theirs), ours.map(|ours| ("multipleOf", number(ours))))
    }

    /// A limit of the reader that the writer's does not keep.
    fn tighter(&self, keyword: &str, theirs: &str, ours: Option<(&str, String)>) -> String {
        let Roles { writer, reader } = self.roles;
        match ours {
            None => format!("`{keyword}` is {theirs} for {reader}, and {writer} has no such limit"),
            Some((same, ours)) if same == keyword => {
                format!("`{keyword}` is {theirs} for {reader} and {ours} for {writer}")
            }
            Some((other, ours)) => {
                format!("`{keyword}` is {theirs} for {reader}, `{other}` is {ours} for {writer}")
            }
        }
    }

    pub(super) fn items_closed(&self, most: u64) -> String {
        let Roles { writer, reader } = self.roles;
        format!("{reader} takes at most {most} items (`items`), and {writer} may send more")
    }

    pub(super) fn pattern(&self, pattern: &str) -> String {
        let Roles { writer, reader } = self.roles;
        format!("`pattern` is {} for {reader}, and {writer} may send other texts", quoted(pattern))
    }

    pub(super) fn pattern_unclear(&self, pattern: &str) -> String {
        let Roles { writer, reader } = self.roles;
        format!(
            "`pattern` is {} for {reader}, and whether each text of {writer} matches it is not compared",
            quoted(pattern)
        )
    }

    pub(super) fn unique(&self) -> String {
        let Roles { writer, reader } = self.roles;
        format!("items must all differ for {reader} (`uniqueItems`), and {writer} may repeat them")
    }

    /// A keyword that some value of the writer does not meet.
    pub(super) fn unmet(&self, keyword: &str) -> String {
        let Roles { writer, reader } = self.roles;
        format!("{writer} may send what `{keyword}` of {reader} rejects")
    }

    pub(super) fn not_compared(&self, keyword: &str) -> String {
        let reader = self.roles.reader;
        match keyword {
            "oneOf" => {
                format!("`oneOf`: whether more than one alternative of {reader} matches is not compared")
            }
            "$ref" | "$dynamicRef" => format!("`{keyword}` of {reader} cannot be followed"),
            "anyOf" => format!("`anyOf` of {reader} has too many alternatives to be compared"),
            _ => format!("`{keyword}` of {reader} is not compared"),
        }
    }
}

fn any_of(types: Types) -> String {
    types.names().into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
}

fn number(number: Num) -> String {
    match number {
        Num::Whole(number) => number.to_string(),
        Num::Real(number) => Value::from(number).to_string(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => quoted(&value.to_string()),
    }
}

fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("`{short}`")
}

fn listed(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<String> = parts.take(LISTED_MAX + 1).collect();
    if parts.len() > LISTED_MAX {
        parts[LISTED_MAX] = "…".to_owned();
    }
    parts.join(", ")
}
