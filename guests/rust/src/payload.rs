//! From the bytes of a body to the payload a handler works on, and why they do not fit.

use serde::de::DeserializeOwned;

use crate::{Failure, Message, Result};

/// What a handler can take as its first argument: anything that [`serde`] can read from JSON, or [`Raw`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from the body of a message",
    label = "a handler is called with a payload of this type",
    note = "add `#[derive(serde::Deserialize)]` to it, without borrowed fields, or take the bytes as `warren_guest::Raw`"
)]
pub trait Payload: Sized {
    /// Reads the payload, or fails permanently with what does not fit and where.
    fn decode(message: &Message) -> Result<Self>;
}

impl<T: DeserializeOwned> Payload for T {
    fn decode(message: &Message) -> Result<T> {
        let body = &message.body;
        serde_json::from_slice(body).map_err(|error| misfit(body, &error, std::any::type_name::<T>()))
    }
}

/// The body as it is, for payloads that are not JSON.
///
/// ```
/// use warren_guest::{OrFail, Raw, Result, handler};
///
/// fn count(Raw(body): Raw) -> Result {
///     let text = String::from_utf8(body).permanent()?;
///     warren_guest::info!("{} lines", text.lines().count());
///     Ok(())
/// }
/// handler!(count);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw(pub Vec<u8>);

impl Payload for Raw {
    fn decode(message: &Message) -> Result<Self> {
        Ok(Self(message.body.clone()))
    }
}

/// Says what does not fit. Not generic, so that a handler pays for it once.
fn misfit(body: &[u8], error: &serde_json::Error, payload: &str) -> Failure {
    if !error.is_data() {
        return Failure::permanent(format_args!("the body is not JSON: {error}"));
    }
    let payload = short(payload);
    match offset(body, error.line(), error.column()).map(|end| path(&body[..end])) {
        Some(path) if !path.is_empty() => {
            Failure::permanent(format_args!("the body is not a `{payload}`: in `{path}`: {error}"))
        }
        _ => Failure::permanent(format_args!("the body is not a `{payload}`: {error}")),
    }
}

/// The name of a type without the paths: `Vec<Order>`, not `alloc::vec::Vec<orders::Order>`.
fn short(name: &str) -> String {
    let parts = name.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    parts.map(|part| part.rsplit("::").next().unwrap_or(part)).collect()
}

/// How many bytes `serde_json` had read at this line and column, which is 0 where it does not know.
fn offset(body: &[u8], line: usize, column: usize) -> Option<usize> {
    let mut starts = std::iter::once(0)
        .chain(body.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1));
    let start = starts.nth(line.checked_sub(1)?)?;
    Some((start + column).min(body.len()))
}

/// The path of the value that `read`, the beginning of a JSON text without syntax errors, ends in:
/// `items[2].price`.
///
/// Where it ends with the last byte of an object or array, that is the value.
fn path(read: &[u8]) -> String {
    let mut levels = Vec::new();
    let mut at = 0;
    while at < read.len() {
        match read[at] {
            b'{' => levels.push(Level::Object(None)),
            b'[' => levels.push(Level::Array(0)),
            b'}' | b']' => drop(levels.pop()),
            b',' => match levels.last_mut() {
                Some(Level::Object(key)) => *key = None,
                Some(Level::Array(index)) => *index += 1,
                None => {}
            },
            b'"' => {
                let end = string_end(read, at);
                if let Some(Level::Object(key @ None)) = levels.last_mut() {
                    *key = serde_json::from_slice::<String>(&read[at..end]).ok();
                }
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    levels.iter().fold(String::new(), |path, level| match level {
        Level::Object(Some(key)) if path.is_empty() => key.clone(),
        Level::Object(Some(key)) => format!("{path}.{key}"),
        Level::Object(None) => path,
        Level::Array(index) => format!("{path}[{index}]"),
    })
}

/// One nesting level on the way to a value, with where in it we are.
enum Level {
    Object(Option<String>),
    Array(usize),
}

/// Where the string that starts at `start` ends, its closing quote included.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < json.len() && json[at] != b'"' {
        at += if json[at] == b'\\' { 2 } else { 1 };
    }
    json.len().min(at + 1)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Order {
        id: String,
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Item {
        price: f64,
    }

    fn decoded<P: Payload>(body: &str) -> Result<P> {
        P::decode(&Message { body: body.into(), ..Message::default() })
    }

    #[track_caller]
    fn fails(body: &str, text: &str) {
        assert_eq!(decoded::<Order>(body), Err(Failure::permanent(text)));
    }

    #[test]
    fn json_becomes_the_payload() {
        let order = decoded::<Order>(r#"{ "id": "o-1", "items": [{ "price": 9.5 }], "unknown": true }"#);
        assert_eq!(order, Ok(Order { id: "o-1".into(), items: vec![Item { price: 9.5 }] }));
    }

    #[test]
    fn raw_is_the_body_as_it_is() {
        assert_eq!(decoded::<Raw>("\u{1}not json"), Ok(Raw(b"\x01not json".to_vec())));
    }

    #[test]
    fn a_body_that_is_not_json_says_where() {
        fails("", "the body is not JSON: EOF while parsing a value at line 1 column 0");
        fails("<order/>", "the body is not JSON: expected value at line 1 column 1");
        fails("{\n \"id\": }", "the body is not JSON: expected value at line 2 column 8");
    }

    #[test]
    fn a_body_that_does_not_fit_says_where() {
        fails(
            "7",
            "the body is not a `Order`: invalid type: integer `7`, expected struct Order at line 1 column 1",
        );
        fails("{}", "the body is not a `Order`: missing field `id` at line 1 column 2");
        fails(
            "{\n\"id\": 7}",
            "the body is not a `Order`: in `id`: invalid type: integer `7`, expected a string at line 2 column 7",
        );
        fails(
            r#"{"id": "o", "items": [{"price": 1}, {"cost": 2}]}"#,
            "the body is not a `Order`: in `items[1]`: missing field `price` at line 1 column 47",
        );
        fails(
            r#"{"id": "o", "items": [{"price": 1}, {"price": "2"}]}"#,
            "the body is not a `Order`: in `items[1].price`: invalid type: string \"2\", expected f64 at line 1 column 49",
        );
    }

    #[test]
    fn quotes_brackets_and_commas_in_strings_are_not_structure() {
        fails(
            r#"{"a\"{[,": "\\\"}],", "items": [{"price": null}]}"#,
            "the body is not a `Order`: in `items[0].price`: invalid type: null, expected f64 at line 1 column 46",
        );
    }

    #[test]
    fn a_type_is_named_without_paths() {
        assert_eq!(
            short(std::any::type_name::<(Vec<Order>, &str, [u8; 2])>()),
            "(Vec<Order>, &str, [u8; 2])"
        );
    }
}
