//! The messages: orders of a wanted size, and the schema that every side checks them with.

use std::fmt::Write as _;

/// What an order is.
pub(crate) const SCHEMA: &str = include_str!("../order.json");
/// What is published for each, where something is.
pub(crate) const ACCEPTED_SCHEMA: &str = include_str!("../accepted.json");

/// Bytes of an order beside its lines and its note, and of one line, at most.
const FRAME_BYTES: usize = 120;
const LINE_BYTES: usize = 49;
/// Longest note: what is larger has more lines, because real documents grow in structure and not in one text.
const NOTE_BYTES: usize = 512;

/// An order of exactly `bytes` bytes, or a few more if that is too small for one. One that `fails` does so once.
pub(crate) fn body(index: usize, bytes: usize, fails: bool) -> Vec<u8> {
    let lines = (bytes.saturating_sub(FRAME_BYTES + NOTE_BYTES) / LINE_BYTES).max(1);
    let end = if fails { r#"","fail":true}"# } else { r#""}"# };
    let mut order =
        format!(r#"{{"id":"{}","customer":"c-{:05}","currency":"EUR","lines":["#, id(index), index % 10_000);
    for line in 0..lines {
        let comma = if line == 0 { "" } else { "," };
        let (sku, quantity, cents) =
            ((index + line) % 1_000_000, 1 + line % 9, 100 + (index + 37 * line) % 99_900);
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        write!(order, r#"{comma}{{"sku":"SKU-{sku:06}","quantity":{quantity},"price":{price}}}"#).ok(); // a String takes all
    }
    order.push_str(r#"],"note":""#);
    let words = "please ring twice and leave it with the neighbours ".chars().cycle();
    order.extend(words.take(bytes.saturating_sub(order.len() + end.len())));
    order.push_str(end);
    order.into_bytes()
}

/// The id of an order, and of its message.
pub(crate) fn id(index: usize) -> String {
    format!("o-{index:08}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_have_the_wanted_size_and_fit_the_schema() {
        let schema = serde_json::from_str(SCHEMA).unwrap();
        let checker = jsonschema::validator_for(&schema).unwrap();
        for bytes in [256, 1024, 16 * 1024, 256 * 1024] {
            for fails in [false, true] {
                let body = body(7, bytes, fails);
                assert_eq!(body.len(), bytes);
                let order: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert!(checker.is_valid(&order), "{bytes}");
                assert_eq!(order["fail"].as_bool().unwrap_or(false), fails);
                assert!(order["note"].as_str().unwrap().len() < 16 * 1024, "{bytes}");
            }
        }
    }
}
