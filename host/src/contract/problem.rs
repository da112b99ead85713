//! One thing wrong with a contract: where, what, why it would hurt, and how to mend it. `render` draws it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::files::Files;
use super::source::{Part, Source};

/// One thing wrong with a contract.
#[derive(Debug, Clone)]
pub struct Problem {
    /// JSON pointer of the place in the contract, such as `/queues/orders/retry`.
    pub pointer: String,
    /// What is wrong: a lower-case fragment that names the thing in back-ticks.
    pub says: String,
    /// Why it would hurt, where that is not plain.
    pub because: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the contract is refused for it.
    pub severity: Severity,
    /// The name of a warning, by which `allow` silences it; empty for an error.
    pub name: &'static str,
    part: Part,
    span: Option<Range<usize>>,
    /// Which file the pointer is in, where it is not one of the whole contract.
    file: Option<usize>,
    also: Option<Also>,
}

/// Another place that a problem is about, and what is there.
#[derive(Debug, Clone)]
struct Also {
    pointer: String,
    /// In the file of the problem, in place of the pointer.
    span: Option<Range<usize>>,
    says: &'static str,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The contract is refused.
    Error,
    /// It may be meant.
    Warning,
}

impl Problem {
    /// A problem with the value at `pointer`, for which the contract is refused.
    pub fn at(pointer: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            says: cut(says.into()),
            because: None,
            hint: None,
            severity: Severity::Error,
            name: "",
            part: Part::Value,
            span: None,
            file: None,
            also: None,
        }
    }

    /// Something about the value at `pointer` that may be meant; `name` is what `allow` calls it.
    pub fn warning(name: &'static str, pointer: impl Into<String>, says: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, name, ..Self::at(pointer, says) }
    }

    /// The place as people write it: `queues.orders.retry`.
    pub fn path(&self) -> String {
        super::render::dotted(&self.pointer)
    }

    /// Points at the key, not the value.
    pub fn on_key(mut self) -> Self {
        self.part = Part::Key;
        self
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(cut(hint.into()));
        self
    }

    /// Adds why it would hurt.
    pub fn because(mut self, because: impl Into<String>) -> Self {
        self.because = Some(cut(because.into()));
        self
    }

    /// Shows another place as well, and says what is there.
    pub fn also(mut self, pointer: impl Into<String>, says: &'static str) -> Self {
        self.also = Some(Also { pointer: pointer.into(), span: None, says });
        self
    }

    /// Shows another byte range of the same text as well, and says what is there.
    pub(super) fn also_spanning(mut self, range: Range<usize>, says: &'static str) -> Self {
        self.also = Some(Also { pointer: String::new(), span: Some(range), says });
        self
    }

    /// Points at a byte range of the text instead of the value at the pointer.
    pub(super) fn spanning(mut self, range: Range<usize>) -> Self {
        self.span = Some(range);
        self
    }

    /// The byte range that it points at, if that is not the value at the pointer.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    /// The pointer is one of this file, and not of the whole contract.
    pub(super) fn in_file(mut self, file: usize) -> Self {
        self.file = Some(file);
        self
    }

    /// The same, as a hint "did you mean": the candidate nearest to `wrong`, or else the list of all.
    pub(super) fn suggest<'a>(self, wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        let candidates: Vec<&str> = candidates.into_iter().take(COMPARED_MAX).collect();
        match nearest(wrong, &candidates) {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None if candidates.is_empty() => self,
            None => self.hint(format!("there is: {}", list(&candidates))),
        }
    }
}

/// `a`, `b` and `c`; at most twelve of them.
pub(super) fn list(names: &[&str]) -> String {
    const SHOWN_MAX: usize = 12;
    let shown = names.iter().take(SHOWN_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN_MAX { format!("{shown}, …") } else { shown }
}

/// A text that the file brought, short enough to be shown.
pub(super) fn brief(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    if text.len() <= SHOWN_MAX {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(SHOWN_MAX)])
}

/// A text for a problem, which may name what the file brought.
fn cut(mut text: String) -> String {
    if text.len() > SAYS_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SAYS_BYTES_MAX));
        text.push('…');
    }
    text
}

/// How many names one is compared with.
const COMPARED_MAX: usize = 2000;

/// The candidate that `wrong` may have been meant to be, if one is near enough.
pub fn nearest<'a>(wrong: &str, candidates: &[&'a str]) -> Option<&'a str> {
    const COMPARED_BYTES_MAX: usize = 200; // comparing is quadratic
    let wrong = wrong[..wrong.floor_char_boundary(COMPARED_BYTES_MAX)].to_lowercase();
    candidates
        .iter()
        .map(|name| (strsim::jaro_winkler(&wrong, &name.to_lowercase()), *name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// How long what is told may be, in bytes.
const TOLD_BYTES_MAX: usize = 1024 * 1024;
/// The longest text of one problem, in bytes.
const SAYS_BYTES_MAX: usize = 2000;

/// How many problems are told of one contract. Where there are more, those who look for them stop looking.
pub(super) const TOLD_MAX: usize = 1000;

/// Whether there are as many problems as can be told.
pub(super) fn enough(problems: &[Problem]) -> bool {
    problems.len() >= TOLD_MAX
}

/// Everything wrong with one contract, with the text to show it in.
pub struct Problems {
    files: Arc<Files>,
    problems: Vec<Problem>,
    /// There may be more than were looked for, or than can be told.
    may_be_more: bool,
}

/// Where a problem is in its text.
pub(super) struct Located<'a> {
    pub(super) problem: &'a Problem,
    pub(super) source: &'a Source,
    pub(super) range: Range<usize>,
    /// Another place that it is about, and what is there.
    pub(super) also: Option<(&'a Source, Range<usize>, &'static str)>,
}

impl Problems {
    pub(super) fn new(files: Arc<Files>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_cached_key(|problem| {
            let (file, range) = locate(&files, problem);
            (problem.severity, file, range.start)
        });
        problems.dedup_by(|a, b| a.pointer == b.pointer && a.says == b.says && a.file == b.file);
        let mut bytes = 0;
        let fits = |problem: &&Problem| {
            bytes += problem.pointer.len() + problem.says.len();
            bytes <= TOLD_BYTES_MAX
        };
        let fitting = problems.iter().take(TOLD_MAX).take_while(fits).count();
        let may_be_more = enough(&problems) || fitting < problems.len();
        problems.truncate(fitting.max(1));
        Self { files, problems, may_be_more }
    }

    /// The problems: errors first, then in the order of the text.
    pub fn list(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Path of the contract, as the user named it.
    pub fn contract_path(&self) -> &str {
        &self.files.source(0).name
    }

    /// These and others of the same contract, as one.
    pub fn and(self, others: Self) -> Self {
        let problems = self.problems.into_iter().chain(others.problems).collect();
        let both = Self::new(self.files, problems);
        Self { may_be_more: both.may_be_more || self.may_be_more || others.may_be_more, ..both }
    }

    /// Whether there may be more than were looked for.
    pub(super) fn may_be_more(&self) -> bool {
        self.may_be_more
    }

    pub(super) fn located(&self) -> impl Iterator<Item = Located<'_>> {
        self.problems.iter().map(|problem| {
            let (file, range) = locate(&self.files, problem);
            let source = self.files.source(file);
            let also = problem.also.as_ref().map(|also| match &also.span {
                Some(span) => (source, span.clone(), also.says),
                None => {
                    let (file, pointer) = self.files.locate(&also.pointer);
                    let source = self.files.source(file);
                    (source, source.range(&pointer, Part::Key), also.says)
                }
            });
            Located { problem, source, range, also }
        })
    }
}

fn locate(files: &Files, problem: &Problem) -> (usize, Range<usize>) {
    let (file, pointer) = match problem.file {
        Some(file) => (file, problem.pointer.clone()),
        None => files.locate(&problem.pointer),
    };
    let range = problem.span.clone().unwrap_or_else(|| files.source(file).range(&pointer, problem.part));
    (file, range)
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.problems).finish()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}
