//! Whether a text matches a `pattern`, for the plain part of regular expressions that every dialect reads alike.
//!
//! Leaves everything else (look-around, back references, lazy repeats, Unicode classes) undecided.

use std::iter::Peekable;
use std::str::Chars;

/// Patterns and texts beyond this many characters are not looked at.
const LENGTH_MAX: usize = 1_000;
/// How many times positions are advanced before the answer is "unknown".
const STEPS_MAX: u32 = 10_000;
/// How deep groups may be nested.
const DEPTH_MAX: usize = 16;

/// Whether `text` matches `pattern` somewhere; `None` where this module cannot tell. Adds to `steps` what it took.
pub(super) fn matches(pattern: &str, text: &str, steps: &mut u32) -> Option<bool> {
    if pattern.len() > LENGTH_MAX || text.len() > LENGTH_MAX {
        return None;
    }
    let mut chars = pattern.chars().peekable();
    let group = parse_group(&mut chars, 0)?;
    if chars.next().is_some() {
        return None;
    }
    let text: Vec<char> = text.chars().collect();
    let mut run = Run { text: &text, steps: STEPS_MAX };
    let ends = run.group(&group, &vec![true; text.len() + 1]);
    *steps += STEPS_MAX - run.steps;
    Some(ends?.contains(&true))
}

/// Alternatives, each a row of repeated pieces.
type Group = Vec<Vec<Repeat>>;

struct Repeat {
    piece: Piece,
    least: u32,
    most: Option<u32>,
}

enum Piece {
    One(Class),
    Start,
    End,
    Group(Group),
}

/// The characters in the ranges; or with `negated`, all others.
struct Class {
    ranges: Vec<(char, char)>,
    negated: bool,
}

impl Class {
    fn has(&self, char: char) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&char)) != self.negated
    }
}

fn parse_group(chars: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Group> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut group = vec![Vec::new()];
    while let Some(char) = chars.next_if(|char| *char != ')') {
        let piece = match char {
            '|' => {
                group.push(Vec::new());
                continue;
            }
            '^' => Piece::Start,
            '$' => Piece::End,
            // What ends a line differs between dialects; `\n` and `\r` do in all that matter here.
            '.' => Piece::One(Class {
                ranges: vec![('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')],
                negated: true,
            }),
            '(' => {
                if chars.next_if_eq(&'?').is_some() {
                    chars.next_if_eq(&':')?;
                }
                let inner = parse_group(chars, depth + 1)?;
                chars.next_if_eq(&')')?;
                Piece::Group(inner)
            }
            '[' => Piece::One(parse_class(chars)?),
            '\\' => Piece::One(Class { ranges: parse_escape(chars)?, negated: false }),
            '*' | '+' | '?' | '{' | '}' | ']' => return None,
            literal => Piece::One(Class { ranges: vec![(literal, literal)], negated: false }),
        };
        let (least, most) = parse_repeat(chars)?;
        if matches!(piece, Piece::Start | Piece::End) && (least, most) != (1, Some(1)) {
            return None;
        }
        group.last_mut()?.push(Repeat { piece, least, most });
    }
    Some(group)
}

fn parse_repeat(chars: &mut Peekable<Chars<'_>>) -> Option<(u32, Option<u32>)> {
    let repeat = match chars.next_if(|char| matches!(char, '*' | '+' | '?' | '{')) {
        None => return Some((1, Some(1))),
        Some('*') => (0, None),
        Some('+') => (1, None),
        Some('?') => (0, Some(1)),
        Some(_) => {
            let least = parse_count(chars)?;
            let most = if chars.next_if_eq(&',').is_none() {
                Some(least)
            } else if chars.peek() == Some(&'}') {
                None
            } else {
                Some(parse_count(chars)?)
            };
            chars.next_if_eq(&'}')?;
            (least, most)
        }
    };
    // A second sign would make the repeat lazy or possessive, and empty ranges are faults.
    let plain = !chars.peek().is_some_and(|char| matches!(char, '*' | '+' | '?' | '{'));
    (plain && repeat.1.is_none_or(|most| repeat.0 <= most)).then_some(repeat)
}

fn parse_count(chars: &mut Peekable<Chars<'_>>) -> Option<u32> {
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    digits.parse().ok().filter(|count| *count <= 1_000)
}

fn parse_class(chars: &mut Peekable<Chars<'_>>) -> Option<Class> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges: Vec<(char, char)> = Vec::new();
    loop {
        let first = match chars.next()? {
            ']' if ranges.is_empty() => return None,
            ']' => return Some(Class { ranges, negated }),
            // Some dialects give these a meaning inside a class.
            '[' | '&' | '~' => return None,
            '\\' => {
                let escaped = parse_escape(chars)?;
                if escaped.len() > 1 || escaped[0].0 != escaped[0].1 {
                    if chars.peek() == Some(&'-') {
                        return None;
                    }
                    ranges.extend(escaped);
                    continue;
                }
                escaped[0].0
            }
            '-' if !ranges.is_empty() && chars.peek() != Some(&']') => return None,
            literal => literal,
        };
        let last = match chars.next_if_eq(&'-') {
            None => first,
            Some(_) if chars.peek() == Some(&']') => {
                ranges.push(('-', '-'));
                first
            }
            Some(_) => chars.next_if(char::is_ascii_alphanumeric)?,
        };
        if first > last {
            return None;
        }
        ranges.push((first, last));
    }
}

fn parse_escape(chars: &mut Peekable<Chars<'_>>) -> Option<Vec<(char, char)>> {
    match chars.next()? {
        'd' => Some(vec![('0', '9')]),
        'w' => Some(vec![('0', '9'), ('a', 'z'), ('A', 'Z'), ('_', '_')]),
        sign if sign.is_ascii_punctuation() => Some(vec![(sign, sign)]),
        _ => None,
    }
}

/// Follows all ways through a pattern at once, as the set of positions reached, so that nothing is tried twice.
struct Run<'t> {
    text: &'t [char],
    steps: u32,
}

impl Run<'_> {
    fn group(&mut self, group: &Group, from: &[bool]) -> Option<Vec<bool>> {
        let mut reached = vec![false; from.len()];
        for row in group {
            let mut open = from.to_vec();
            for repeat in row {
                open = self.repeat(repeat, open)?;
            }
            merge(&mut reached, &open);
        }
        Some(reached)
    }

    fn repeat(&mut self, repeat: &Repeat, from: Vec<bool>) -> Option<Vec<bool>> {
        let mut open = from;
        for _ in 0..repeat.least {
            open = self.piece(&repeat.piece, &open)?;
        }
        let mut reached = open.clone();
        let mut count = repeat.least;
        while repeat.most.is_none_or(|most| count < most) {
            open = self.piece(&repeat.piece, &open)?;
            if !merge(&mut reached, &open) {
                break;
            }
            count += 1;
        }
        Some(reached)
    }

    fn piece(&mut self, piece: &Piece, from: &[bool]) -> Option<Vec<bool>> {
        let steps = 1 + u32::try_from(from.len() / 8).ok()?;
        self.steps = self.steps.checked_sub(steps)?;
        let end = self.text.len();
        let mut reached = vec![false; from.len()];
        match piece {
            Piece::Group(group) => return self.group(group, from),
            Piece::Start => reached[0] = from[0],
            Piece::End => reached[end] = from[end],
            Piece::One(class) => {
                for (index, char) in self.text.iter().enumerate() {
                    reached[index + 1] = from[index] && class.has(*char);
                }
            }
        }
        Some(reached)
    }
}

/// Adds `more` to `set`, and says whether that was anything new.
fn merge(set: &mut [bool], more: &[bool]) -> bool {
    let mut grown = false;
    for (have, new) in set.iter_mut().zip(more) {
        grown |= *new && !*have;
        *have |= *new;
    }
    grown
}
