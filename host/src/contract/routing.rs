//! Routing keys and binding patterns as AMQP 0-9-1 and RabbitMQ define them, and whether a message finds a queue.

use std::collections::BTreeSet;

use super::{Binding, Exchange, ExchangeType};

/// The longest routing key, in bytes (an AMQP short string).
pub(super) const KEY_BYTES_MAX: usize = 255;

/// Whether `key` matches the topic `pattern`: words are separated by dots, `*` stands for one word, `#` for any number.
pub(super) fn topic_matches(pattern: &str, key: &str) -> bool {
    let pattern: Vec<&str> = words(pattern);
    let key: Vec<&str> = words(key);
    // `open[i]`: the part of the pattern seen so far matches the first `i` words of the key.
    let mut open = vec![false; key.len() + 1];
    open[0] = true;
    for word in pattern {
        if word == "#" {
            let first = open.iter().position(|open| *open);
            for (index, open) in open.iter_mut().enumerate() {
                *open = first.is_some_and(|first| index >= first);
            }
        } else {
            for index in (0..key.len()).rev() {
                open[index + 1] = open[index] && (word == "*" || word == key[index]);
            }
            open[0] = false;
        }
    }
    open[key.len()]
}

/// An empty text has no word, and not one empty word.
fn words(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('.').collect() }
}

/// What is wrong with `key` as a routing key to publish with, if something is.
pub(super) fn key_fault(key: &str) -> Option<String> {
    if key.split('.').any(|word| word == "*" || word == "#") {
        return Some(format!("`{key}` is a pattern: a message is published with a key, without `*` and `#`"));
    }
    pattern_fault(key)
}

/// What is wrong with `pattern` as a binding key, if something is.
pub(super) fn pattern_fault(pattern: &str) -> Option<String> {
    if pattern.is_empty() {
        return Some("the routing key is empty".to_owned());
    }
    if pattern.len() > KEY_BYTES_MAX {
        return Some("the routing key is longer than 255 bytes".to_owned());
    }
    if pattern.split('.').any(str::is_empty) {
        return Some(format!("`{pattern}` has an empty word between dots"));
    }
    let strange = pattern
        .split('.')
        .filter(|word| *word != "*" && *word != "#")
        .find(|word| !word.chars().all(|char| char.is_ascii_alphanumeric() || char == '-' || char == '_'));
    strange.map(|word| format!("`{word}` may hold letters, digits, `-` and `_`, with dots between words"))
}

/// The names of the queues that a message published to `exchange` with `key` reaches.
pub(super) fn reaches<'a>(exchange: &Exchange, key: &str, bindings: &'a [Binding]) -> BTreeSet<&'a str> {
    bindings
        .iter()
        .filter(|binding| binding.exchange == exchange.name && binding_matches(exchange.kind, binding, key))
        .map(|binding| binding.queue.as_str())
        .collect()
}

fn binding_matches(kind: ExchangeType, binding: &Binding, key: &str) -> bool {
    match kind {
        // What a headers exchange does depends on the message, so any binding may match.
        ExchangeType::Fanout | ExchangeType::Headers => true,
        ExchangeType::Direct => binding.routing_key == key,
        ExchangeType::Topic => topic_matches(&binding.routing_key, key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_broker_matches() {
        for (pattern, key, expected) in [
            ("order.created", "order.created", true),
            ("order.*", "order.created", true),
            ("order.*", "order.item.shipped", false),
            ("order.*", "order", false),
            ("order.#", "order", true),
            ("order.#", "order.item.shipped", true),
            ("#", "", true),
            ("#", "a.b.c", true),
            ("*", "", false),
            ("*.created", "order.created", true),
            ("#.created", "created", true),
            ("a.#.z", "a.z", true),
            ("a.#.z", "a.b.c.z", true),
            ("a.#.z", "a.b.c", false),
            ("#.#", "a", true),
            ("*.#", "", false),
            ("a.*.c", "a.b.c", true),
            ("orders", "order", false),
        ] {
            assert_eq!(topic_matches(pattern, key), expected, "{pattern} against {key}");
        }
    }
}
