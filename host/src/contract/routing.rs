//! Routing keys and binding patterns: what they may look like, as amqp-contract defines it, and which key matches which
//! pattern, as RabbitMQ does it.

/// The longest routing key, in bytes (an AMQP short string).
pub(super) const KEY_BYTES_MAX: usize = 255;
/// The most `#` in a binding key: RabbitMQ 4.3 refuses more.
const HASHES_MAX: usize = 2;

/// Whether `key` matches the topic `pattern`: words are separated by dots, `*` stands for one word, `#` for any number.
pub fn topic_matches(pattern: &str, key: &str) -> bool {
    let (mut pattern, mut key) = (each_word(pattern), each_word(key));
    loop {
        // Most patterns and keys part before the first `#`, and nothing is allocated for them.
        match pattern.next() {
            None => return key.next().is_none(),
            Some("#") => return rest_matches(pattern.collect(), key.collect()),
            Some(word) if key.next().is_some_and(|other| word == "*" || word == other) => {}
            Some(_) => return false,
        }
    }
}

/// Whether `key` matches `#` and then `pattern`.
fn rest_matches(pattern: Vec<&str>, key: Vec<&str>) -> bool {
    // `open[i]`: the part of the pattern seen so far matches the first `i` words of the key.
    let mut open = vec![true; key.len() + 1];
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
fn each_word(text: &str) -> impl Iterator<Item = &str> {
    text.split('.').take(if text.is_empty() { 0 } else { usize::MAX })
}

fn words(text: &str) -> Vec<&str> {
    each_word(text).collect()
}

/// What is wrong with `key` as a routing key to publish with, if something is.
pub fn key_fault(key: &str) -> Option<String> {
    if key.split('.').any(|word| word == "*" || word == "#") {
        return Some(format!("`{key}` is a pattern: a message is published with a key, without `*` and `#`"));
    }
    pattern_fault(key)
}

/// What is wrong with `pattern` as a binding key, if something is.
pub fn pattern_fault(pattern: &str) -> Option<String> {
    if pattern.is_empty() {
        return Some("the routing key is empty".to_owned());
    }
    if pattern.len() > KEY_BYTES_MAX {
        return Some("the routing key is longer than 255 bytes".to_owned());
    }
    let hashes = pattern.split('.').filter(|word| *word == "#").count();
    if hashes > HASHES_MAX {
        return Some(format!("`{pattern}` has {hashes} `#`, and RabbitMQ 4.3 takes at most {HASHES_MAX}"));
    }
    if pattern.split('.').any(str::is_empty) {
        return Some(format!("`{pattern}` has an empty word between dots"));
    }
    let strange = pattern
        .split('.')
        .filter(|word| *word != "*" && *word != "#")
        .find(|word| !word.chars().all(|char| char.is_ascii_alphanumeric() || char == '-' || char == '_'));
    let word = strange?;
    Some(if word.contains(['*', '#']) {
        format!("`{word}`: `*` and `#` stand for whole words between dots")
    } else {
        format!("`{word}` is no word of a routing key: letters, digits, `-` and `_`, with dots between words")
    })
}

/// Whether some key matches both patterns.
pub(super) fn patterns_meet(a: &str, b: &str) -> bool {
    // Most part before the first `#`, and nothing is allocated for them.
    for (a, b) in each_word(a).zip(each_word(b)) {
        if a == "#" || b == "#" {
            break;
        }
        if a != b && a != "*" && b != "*" {
            return false;
        }
    }
    let (a, b) = (words(a), words(b));
    // `open[j]`: what was seen of `a` and the first `j` words of `b` match some same beginning of a key.
    let mut open = vec![false; b.len() + 1];
    open[0] = true;
    for (index, word) in b.iter().enumerate() {
        open[index + 1] = open[index] && *word == "#";
    }
    for word in a {
        let before = open.clone();
        for index in 0..=b.len() {
            let skip = word == "#" && before[index];
            let step = index > 0 && {
                let other = b[index - 1];
                let one = word == "*" || other == "*" || word == other;
                let plain = word != "#" && other != "#" && one;
                (before[index - 1] && plain)
                    || (other == "#" && (open[index - 1] || before[index]))
                    || (word == "#" && open[index - 1])
            };
            open[index] = skip || step;
        }
    }
    open[b.len()]
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

    #[test]
    fn patterns_meet_where_a_key_matches_both() {
        let parts = ["a", "b", "*", "#"];
        let mut keys = vec![String::new()];
        // Two patterns of three words that meet do so in a key of at most six.
        let mut longest = vec![String::new()];
        for _ in 0..6 {
            longest = longest.iter().flat_map(|key| ["a", "b"].map(|word| format!("{key}.{word}"))).collect();
            keys.extend(longest.iter().map(|key| key[1..].to_owned()));
        }
        let mut patterns = Vec::new();
        for first in parts {
            patterns.push(first.to_owned());
            for second in parts {
                patterns.push(format!("{first}.{second}"));
                patterns.extend(parts.map(|third| format!("{first}.{second}.{third}")));
            }
        }
        for a in &patterns {
            for b in &patterns {
                let meet = keys.iter().any(|key| topic_matches(a, key) && topic_matches(b, key));
                assert_eq!(patterns_meet(a, b), meet, "{a} and {b}");
            }
        }
    }
}
