//! Takes the values of secrets out of what a guest says.

use std::borrow::Cow;

/// Shorter values are found in any text.
const LENGTH_MIN: usize = 4;
/// Of a value of several lines, such as a key in PEM, also its lines are looked for, if they are at least so long.
const LINE_LENGTH_MIN: usize = 16;
const INSTEAD: &str = "***";

/// Knows what to look for.
#[derive(Default)]
pub(super) struct Redactor {
    /// The longest first, so that what contains another is replaced whole.
    hidden: Vec<String>,
}

impl Redactor {
    pub(super) fn new<'v>(values: impl Iterator<Item = &'v str>) -> Self {
        let mut hidden = Vec::new();
        for value in values {
            // However it is padded: the part that is secret is looked for.
            let value = value.trim();
            if value.chars().count() >= LENGTH_MIN {
                hidden.push(value.to_owned());
                // As Rust, JSON and others write it within quotes.
                let quoted = format!("{value:?}");
                let escaped = &quoted[1..quoted.len() - 1];
                if escaped != value {
                    hidden.push(escaped.to_owned());
                }
            }
            let lines = value.lines().map(str::trim).filter(|line| line.len() >= LINE_LENGTH_MIN);
            hidden.extend(lines.filter(|line| *line != value).map(str::to_owned));
        }
        hidden.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        hidden.dedup();
        Self { hidden }
    }

    /// The text with `***` for each value. Texts may have been cut, so a value that begins at the end of the text
    /// is replaced as well.
    pub(super) fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for hidden in &self.hidden {
            if text.contains(hidden.as_str()) {
                text = Cow::Owned(text.replace(hidden.as_str(), INSTEAD));
            }
        }
        let begun = self.hidden.iter().filter_map(|hidden| begun_at_end(&text, hidden)).min();
        match begun {
            Some(at) => Cow::Owned(format!("{}{INSTEAD}", &text[..at])),
            None => text,
        }
    }
}

/// Where the text ends with the beginning of a value.
fn begun_at_end(text: &str, hidden: &str) -> Option<usize> {
    let longest = hidden.len().min(text.len());
    let lengths = (LENGTH_MIN..=longest).rev().filter(|length| hidden.is_char_boundary(*length));
    let found = lengths.into_iter().find(|length| text.ends_with(&hidden[..*length]));
    found.map(|length| text.len() - length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(values: &[&str], text: &str) -> String {
        Redactor::new(values.iter().copied()).redact(text).into_owned()
    }

    #[test]
    fn values_are_replaced_wherever_they_are() {
        assert_eq!(redacted(&["hunter22"], "a hunter22, hunter22"), "a ***, ***");
        assert_eq!(redacted(&["abcd", "abcdef"], "abcdef abcd"), "*** ***");
        assert_eq!(redacted(&[" padded\n"], "is padded!"), "is ***!");
        assert_eq!(redacted(&["a\"b\\c"], r#"{"t":"a\"b\\c"}"#), r#"{"t":"***"}"#);
        assert_eq!(redacted(&["pässwörd"], "das pässwörd"), "das ***");
    }

    #[test]
    fn short_values_and_other_texts_are_left_alone() {
        assert_eq!(redacted(&["abc", ""], "abcabc"), "abcabc");
        assert!(matches!(Redactor::new(["hunter22"].into_iter()).redact("nothing"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_value_that_was_cut_is_replaced() {
        assert_eq!(redacted(&["hunter22"], "the password is hunt"), "the password is ***");
        assert_eq!(redacted(&["hunter22"], "the password is hun"), "the password is hun");
    }

    #[test]
    fn lines_of_a_value_are_replaced() {
        let key = "-----BEGIN KEY-----\nMIIBVQIBADANBgkqhkiG\n-----END KEY-----\n";
        assert_eq!(redacted(&[key], "line MIIBVQIBADANBgkqhkiG"), "line ***");
    }
}
