//! A text as a YAML scalar: plain where every parser reads it as that text, else as a block of lines or in quotes.

use crate::contract::plain_value;

/// Words that some parser takes for no text.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// A text; over several lines only where an indentation is given.
pub(super) fn scalar(text: &str, indent: Option<usize>) -> String {
    match indent {
        _ if is_plain(text) => text.to_owned(),
        Some(indent) if is_block(text) => block(text, indent),
        _ => quoted(text),
    }
}

/// Whether `text` is itself without quotes, for every parser.
fn is_plain(text: &str) -> bool {
    let plain = |char: char| char.is_alphanumeric() || "_-./@+$()';=<>, ".contains(char);
    let begins = text.chars().next().is_some_and(|first| first.is_alphabetic() || "_/$".contains(first));
    (begins || is_version(text))
        && text.chars().all(plain)
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && plain_value(text).is_some_and(|value| value.as_str() == Some(text))
}

/// Three numbers and two dots: nobody takes that for a number, and everybody writes it without quotes.
fn is_version(text: &str) -> bool {
    let numbers: Vec<&str> = text.split('.').collect();
    numbers.len() == 3
        && numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether `text` can be written as it is, line under line.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.starts_with([' ', '\t', '\n'])
        && !body.ends_with('\n')
        && body.lines().all(|line| !line.ends_with([' ', '\t']))
        && text.chars().all(|char| char == '\n' || !needs_escape(char))
}

fn block(text: &str, indent: usize) -> String {
    let (mark, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let margin = " ".repeat(indent);
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{margin}{line}") };
    format!("{mark}\n{}", body.split('\n').map(line).collect::<Vec<_>>().join("\n"))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            char if needs_escape(char) => out.push_str(&format!("\\u{:04X}", u32::from(char))),
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// What YAML does not print, or takes for a line break. All of them have four hexadecimal digits.
pub(super) fn needs_escape(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
