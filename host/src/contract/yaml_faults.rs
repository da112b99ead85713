//! Why a text is not YAML, in words that say what to do about it.
//!
//! The parser says what it did not find where it gave up. The mistake is often before that: a bracket or a quote that
//! was not closed, a `:` that is missing. So the text around is looked at.

use std::ops::Range;

use super::problem::Problem;

const COLUMNS: &str = "keys that belong together begin in the same column";

/// The problem that stopped the parser, which calls it `info`, at byte `at` of `text`.
pub(super) fn explain(text: &str, at: usize, info: &str) -> Problem {
    let at = text.floor_char_boundary(at.min(text.len()));
    let has = |words: &[&str]| words.iter().any(|word| info.contains(word));
    let tabs = tabs_around(text, at);
    if !tabs.is_empty() && has(&["tab", "indentation"]) {
        return problem("a tab cannot indent", tabs).hint("indent with spaces");
    }
    if has(&["quoted scalar"]) && has(&["indentation", "end of stream", "document indicator"]) {
        return problem("this quote is not closed", one(text, at));
    }
    let in_flow = info.contains("invalid indentation") && open_bracket(text, at).is_some();
    if in_flow || has(&["',' or", "node content", "illegal placement"]) {
        return in_brackets(text, at);
    }
    if has(&["mapping values", "simple key"]) {
        return colon(text, at);
    }
    if has(&["block mapping", "block collection", "document start"]) {
        return problem("this line is indented like none that it could belong to", rest_of_line(text, at))
            .hint(COLUMNS);
    }
    if has(&["unknown anchor", "anchor or alias"]) {
        return alias(text, at);
    }
    if has(&["misplaced bracket"]) {
        return problem("this bracket was not opened", one(text, at));
    }
    if has(&["unexpected character", "cannot start with"]) {
        let char = text[at..].chars().next().unwrap_or_default();
        let says = format!("a text cannot begin with `{}` in YAML", char.escape_debug());
        return problem(says, one(text, at)).hint("put it in quotes");
    }
    if has(&["trailing content after"]) {
        return problem("the text goes on after its closing quote", rest_of_line(text, at))
            .hint("put all of it in quotes; or is a `,` or a line break missing?");
    }
    short(text, at, info)
}

/// Faults that need no look at the text around them.
fn short(text: &str, at: usize, info: &str) -> Problem {
    let known: [(&str, &str, Option<&str>); 9] = [
        (
            "escape",
            "an escape in this text is unknown",
            Some("in double quotes `\\` begins an escape: write `\\\\`, or use single quotes"),
        ),
        ("hexadecimal", "an escape in this text is unknown", Some("`\\u` is followed by four digits")),
        (
            "block sequence entries",
            "a list cannot begin here",
            Some("begin it on a line of its own, or write `[a, b]`"),
        ),
        ("block scalar, did", "after `|` or `>` the text begins on the next line", None),
        ("recursion limit", "nested deeper than 64 levels", None),
        (
            "unprintable",
            "a control character",
            Some("leave it out; in double quotes, it can be written as an escape such as `\\u0007`"),
        ),
        (
            "byte order mark",
            "a byte order mark within the text",
            Some("two files seem to have been joined: leave it out"),
        ),
        (
            "directive",
            "YAML directives are not part of the contract language",
            Some("leave out the line with `%`"),
        ),
        ("tag", super::yaml::NO_TAGS, None),
    ];
    let info = if info.contains("handle") { "tag" } else { info };
    match known.into_iter().find(|(word, ..)| info.contains(word)) {
        Some((_, says, None)) => problem(says, one(text, at)),
        Some((_, says, Some(hint))) => problem(says, one(text, at)).hint(hint),
        None => problem(format!("not valid YAML: {info}"), one(text, at)),
    }
}

/// Something is missing between brackets, or the closing one.
fn in_brackets(text: &str, at: usize) -> Problem {
    let open = open_bracket(text, at);
    let before = text[..at].trim_end();
    let variable = before.trim_end_matches('{');
    if let Some(value) = variable.strip_suffix('$')
        && text[value.len()..].starts_with("${")
    {
        return problem("`{` within `{ }` begins a mapping", value.len()..value.len() + 2)
            .hint("put a value with a variable in quotes: `\"${NAME}\"`");
    }
    let Some(open) = open else {
        return problem("a value is missing here", one(text, at));
    };
    let bracket = &text[open..=open];
    let closing = if bracket == "{" { "}" } else { "]" };
    if open_bracket(text, text.len()).is_some() && !text[at..].starts_with([']', '}']) {
        let says = format!("this `{bracket}` is not closed");
        let hint = match text[open..].lines().next().and_then(|line| line.find(" #")) {
            Some(_) => "`#` begins a comment: put a key that begins with it in quotes".to_owned(),
            None => format!("add the `{closing}` that belongs to it"),
        };
        return problem(says, open..open + 1).hint(hint);
    }
    problem(format!("`,` or `{closing}` is missing before this"), one(text, at))
        .hint(format!("what stands between `{bracket}` and `{closing}` is separated by commas"))
}

/// A `:` where none can be: it, one before it, or the indentation is wrong.
fn colon(text: &str, at: usize) -> Problem {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let before = &text[line_start..at];
    if let Some(first) = before.find(": ") {
        let value = line_start + first + 2;
        return problem("`: ` within a text ends it in YAML", value..at.max(value))
            .hint("put the text in quotes");
    }
    let above = text[..line_start].lines().rev().find(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    let own = rest_of_line(text, line_start + (before.len() - before.trim_start().len()));
    let Some(above) = above else {
        return problem("a key and `:` cannot stand here", own).hint(COLUMNS);
    };
    if above.contains(": ") {
        return problem("this line is indented as if it belonged to the text above", own).hint(COLUMNS);
    }
    let key = above.trim();
    let start = above.as_ptr() as usize - text.as_ptr() as usize + (above.len() - above.trim_start().len());
    problem("a `:` is missing in this line", start..start + key.len()).hint("write `key: value`")
}

/// An alias that means nothing, or a text that was not meant to be one.
fn alias(text: &str, at: usize) -> Problem {
    let word = text[at..].split([' ', ',', '\n', '}', ']']).next().unwrap_or_default();
    let range = at..at + word.len().max(one(text, at).len());
    let quoted = |problem: Problem| {
        problem
            .hint(format!("put a text that begins with it in quotes: `\"{}\"`", super::problem::brief(word)))
    };
    match word.strip_prefix('*') {
        Some(name) if !name.is_empty() && !name.starts_with(['.', '*', '#']) => {
            problem(format!("no anchor `&{}` comes before this alias", super::problem::brief(name)), range)
                .hint("a text that begins with `*` has to be in quotes")
        }
        Some(_) => quoted(problem("`*` begins an alias in YAML", range)),
        None => quoted(problem("`&` begins an anchor in YAML", range)),
    }
}

/// The innermost bracket that is open at byte `at`.
fn open_bracket(text: &str, at: usize) -> Option<usize> {
    let mut open = Vec::new();
    let mut quote = None;
    let mut comment = false;
    let mut before = '\n';
    for (index, char) in text[..at].char_indices() {
        match (quote, char) {
            _ if comment => comment = char != '\n',
            (Some(closing), char) if char == closing && before != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if " \n\t,:[{".contains(before) => quote = Some(char),
            (None, '#') if " \n\t".contains(before) => comment = true,
            (None, '{' | '[') => open.push(index),
            (None, '}' | ']') => {
                open.pop();
            }
            (None, _) => {}
        }
        before = char;
    }
    open.pop()
}

fn problem(says: impl Into<String>, range: Range<usize>) -> Problem {
    Problem::at("", says).spanning(range)
}

/// The one character at byte `at`.
fn one(text: &str, at: usize) -> Range<usize> {
    at..at + text[at..].chars().next().filter(|char| *char != '\n').map_or(0, char::len_utf8)
}

fn rest_of_line(text: &str, at: usize) -> Range<usize> {
    at..at + text[at..].lines().next().unwrap_or_default().trim_end().len()
}

fn tabs_around(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].trim_end_matches('\t').len();
    start..text.len() - text[at..].trim_start_matches('\t').len()
}
