//! Whether one binding takes all that another one takes.

use crate::contract::{Binding, ExchangeType, topic_matches};

/// How many keys are tried for one pattern at most.
const KEYS_MAX: usize = 4096;
/// A word that no pattern names: routing keys hold no such sign.
const ANY_WORD: &str = "\u{1}";

/// Whether every message that `narrow` takes is also taken by `wide`, a binding of the same exchange.
pub(super) fn covers(kind: ExchangeType, wide: &Binding, narrow: &Binding) -> bool {
    match kind {
        ExchangeType::Topic => pattern_covers(&wide.routing_key, &narrow.routing_key),
        ExchangeType::Direct => wide.routing_key == narrow.routing_key,
        ExchangeType::Fanout => true,
        ExchangeType::Headers => wide.arguments == narrow.arguments,
    }
}

/// Whether every key that matches `narrow` also matches `wide`.
///
/// A word that `wide` does not name is the hardest for it, so `*` of `narrow` stands for one such word, and `#` for any
/// number of them. More of them in a row than `wide` has words are all alike to it. Where that makes too many keys to
/// try, the answer is no.
pub(super) fn pattern_covers(wide: &str, narrow: &str) -> bool {
    let words_max = wide.split('.').count() + 1;
    let mut keys: Vec<Vec<&str>> = vec![Vec::new()];
    for word in narrow.split('.').filter(|word| !word.is_empty()) {
        match word {
            "#" if keys.len() * (words_max + 1) > KEYS_MAX => return wide == narrow || wide == "#",
            "#" => {
                keys = keys
                    .iter()
                    .flat_map(|key| {
                        (0..=words_max).map(|count| {
                            key.iter().copied().chain(std::iter::repeat_n(ANY_WORD, count)).collect()
                        })
                    })
                    .collect();
            }
            "*" => keys.iter_mut().for_each(|key| key.push(ANY_WORD)),
            word => keys.iter_mut().for_each(|key| key.push(word)),
        }
    }
    keys.iter().all(|key| topic_matches(wide, &key.join(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_matches() {
        for (wide, narrow, expected) in [
            ("#", "order.*", true),
            ("#", "#", true),
            ("#", "a.#.b", true),
            ("order.*", "order.created", true),
            ("order.*", "order.*", true),
            ("order.created", "order.*", false),
            ("order.*", "order.#", false),
            ("order.#", "order.*", true),
            ("order.#", "order", true),
            ("*.*", "order.#", false),
            ("#.*", "*.#", true),
            ("*.#", "#", false),
            ("a.#.b", "a.*.b", true),
            ("a.#.b", "a.#.c.b", true),
            ("a.#.b", "a.#", false),
            ("#.#", "#.a.#", true),
        ] {
            assert_eq!(pattern_covers(wide, narrow), expected, "{wide} covers {narrow}");
        }
    }

    #[test]
    fn covering_agrees_with_all_short_keys() {
        let parts = ["a", "b", "*", "#"];
        let mut patterns: Vec<String> = parts.map(str::to_owned).to_vec();
        for first in parts {
            for second in parts {
                patterns.push(format!("{first}.{second}"));
                patterns.extend(parts.map(|third| format!("{first}.{second}.{third}")));
            }
        }
        let mut keys = vec![String::new()];
        let mut longest = vec![String::new()];
        for _ in 0..6 {
            let one_more = |key: &String| ["a", "b", "c"].map(|word| format!("{key}.{word}"));
            longest = longest.iter().flat_map(one_more).collect();
            keys.extend(longest.iter().map(|key| key[1..].to_owned()));
        }
        let matched: Vec<Vec<bool>> = patterns
            .iter()
            .map(|pattern| keys.iter().map(|key| topic_matches(pattern, key)).collect())
            .collect();
        for (wide, by_wide) in patterns.iter().zip(&matched) {
            for (narrow, by_narrow) in patterns.iter().zip(&matched) {
                let all = by_narrow.iter().zip(by_wide).all(|(narrow, wide)| !narrow || *wide);
                assert_eq!(pattern_covers(wide, narrow), all, "{wide} covers {narrow}");
            }
        }
    }
}
