//! Environment variables in values: `${NAME}`, and `${NAME:-default}` for one that may be missing.
//!
//! Only in values, never in keys, and not in schemas and examples, where `$` and braces have a meaning of their own.
//! What comes of it is a text; where a number or a switch belongs, `shape` reads it as one, with or without quotes,
//! because in `{ .. }` YAML wants them. `$${` stands for `${`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::problem::{Problem, brief, enough};
use super::source::escape;

/// The longest value that a variable may have, in bytes.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// What was found while variables were put in.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Names of all variables that the text uses.
    pub(super) names: BTreeSet<String>,
    /// Variables that are not set, and what is not written as a variable should be.
    pub(super) problems: Vec<Problem>,
}

/// Puts variables into `root`, the values of one file.
pub(super) fn variables(root: &mut Value, variable: &dyn Fn(&str) -> Option<String>) -> Found {
    let mut found = Found::default();
    walk(root, &mut String::new(), variable, &mut found);
    found
}

fn walk(
    value: &mut Value,
    pointer: &mut String,
    variable: &dyn Fn(&str) -> Option<String>,
    found: &mut Found,
) {
    match value {
        Value::String(text) if text.contains("${") => match replace(text, variable, &mut found.names) {
            Ok(replaced) => {
                *value = Value::String(replaced);
            }
            Err(fault) => {
                if !enough(&found.problems) {
                    found.problems.push(fault.at(pointer));
                }
                *value = Value::Null;
            }
        },
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let length = pointer.len();
                pointer.push_str(&format!("/{index}"));
                walk(item, pointer, variable, found);
                pointer.truncate(length);
            }
        }
        Value::Object(entries) if !is_schema(pointer) => {
            for (key, item) in entries.iter_mut() {
                let length = pointer.len();
                pointer.push('/');
                pointer.push_str(&escape(key));
                walk(item, pointer, variable, found);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// `/messages/*/payload`, `headers` and `examples`.
fn is_schema(pointer: &str) -> bool {
    let mut steps = pointer.split('/').skip(1);
    steps.next() == Some("messages")
        && steps.nth(1).is_some_and(|step| matches!(step, "payload" | "headers" | "examples"))
}

#[derive(Debug, PartialEq)]
enum Fault {
    NotSet(String),
    NotAName(String),
    NotClosed,
    TooLong(String),
}

impl Fault {
    fn at(self, pointer: &str) -> Problem {
        match self {
            Self::NotSet(name) => {
                Problem::at(pointer, format!("the environment variable `{name}` is not set"))
                    .hint(format!("set it, or give it a default: `${{{name}:-...}}`"))
            }
            Self::NotAName(name) => {
                Problem::at(pointer, format!("`{}` is not the name of a variable", brief(&name)))
                    .hint("a name is made of letters, digits and `_`; write `$${` for a plain `${`")
            }
            Self::NotClosed => Problem::at(pointer, "`${` without `}`").hint("write `$${` for a plain `${`"),
            Self::TooLong(name) => {
                Problem::at(pointer, format!("the value of `{name}` is longer than 64 KiB"))
            }
        }
    }
}

fn replace(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    names: &mut BTreeSet<String>,
) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let end = after.find('}').ok_or(Fault::NotClosed)?;
        let (name, default) = match after[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&after[..end], None),
        };
        if !is_name(name) {
            return Err(Fault::NotAName(name.to_owned()));
        }
        names.insert(name.to_owned());
        // As in a shell, `:-` also counts for a variable that is set and empty.
        let given = variable(name).filter(|value| !(value.is_empty() && default.is_some()));
        let value = given.or(default.map(str::to_owned)).ok_or_else(|| Fault::NotSet(name.to_owned()))?;
        if value.len() > VALUE_BYTES_MAX {
            return Err(Fault::TooLong(name.to_owned()));
        }
        out.push_str(&value);
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Whether `text` can be the name of an environment variable.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_as_a_shell_would() {
        let variable = |name: &str| match name {
            "HOST" => Some("shop".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, expected) in [
            ("${HOST}.orders", Ok("shop.orders")),
            ("${HOST:-other}", Ok("shop")),
            ("${NONE:-other}", Ok("other")),
            ("${NONE:-}", Ok("")),
            ("${EMPTY:-other}", Ok("other")),
            ("${EMPTY}", Ok("")),
            ("$${HOST}", Ok("${HOST}")),
            ("$HOST", Ok("$HOST")),
            ("${NONE}", Err(Fault::NotSet("NONE".to_owned()))),
            ("${NO NAME}", Err(Fault::NotAName("NO NAME".to_owned()))),
            ("${}", Err(Fault::NotAName(String::new()))),
            ("${HOST", Err(Fault::NotClosed)),
        ] {
            assert_eq!(replace(text, &variable, &mut BTreeSet::new()), expected.map(str::to_owned), "{text}");
        }
    }
}
