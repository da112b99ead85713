//! One thing wrong with a contract: where, what, and how to mend it. Drawn as a compiler would draw it.

use std::fmt;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Level, Renderer, Snippet};

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
    part: Part,
    span: Option<Range<usize>>,
}

impl Problem {
    /// A problem with the value at `pointer`.
    pub fn at(pointer: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            says: says.into(),
            because: None,
            hint: None,
            part: Part::Value,
            span: None,
        }
    }

    /// Points at the key, not the value.
    pub fn on_key(mut self) -> Self {
        self.part = Part::Key;
        self
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds why it would hurt.
    pub fn because(mut self, because: impl Into<String>) -> Self {
        self.because = Some(because.into());
        self
    }

    /// Points at a byte range of the text instead of the value at the pointer.
    pub(super) fn spanning(mut self, range: Range<usize>) -> Self {
        self.span = Some(range);
        self
    }

    /// The same, as a hint "did you mean": the candidate nearest to `wrong`, or else the list of all.
    pub(super) fn suggest<'a>(self, wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        let candidates: Vec<&str> = candidates.into_iter().collect();
        match nearest(wrong, &candidates) {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None if candidates.is_empty() => self,
            None => self.hint(format!("there is: {}", list(&candidates))),
        }
    }
}

/// `a`, `b` and `c`; at most twelve of them.
fn list(names: &[&str]) -> String {
    const SHOWN_MAX: usize = 12;
    let shown = names.iter().take(SHOWN_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN_MAX { format!("{shown}, …") } else { shown }
}

fn nearest<'a>(wrong: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    candidates
        .iter()
        .map(|name| (strsim::jaro_winkler(&wrong, &name.to_lowercase()), *name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Everything wrong with one contract, with the text to show it in.
pub struct Problems {
    source: Source,
    problems: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(source: Source, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| range(&source, problem).start);
        Self { source, problems }
    }

    /// The problems, in the order of the text.
    pub fn list(&self) -> &[Problem] {
        &self.problems
    }

    /// The problems as text for a terminal, with colours or without.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut out = String::new();
        for problem in &self.problems {
            let path = dotted(&problem.pointer);
            let snippet = Snippet::source(&self.source.text)
                .path(&self.source.name)
                .annotation(AnnotationKind::Primary.span(range(&self.source, problem)).label(&path));
            let mut elements: Vec<Element<'_>> = vec![snippet.into()];
            elements.extend(problem.because.as_deref().map(|text| Level::NOTE.message(text).into()));
            elements.extend(problem.hint.as_deref().map(|text| Level::HELP.message(text).into()));
            let report = [Level::ERROR.primary_title(&problem.says).elements(elements)];
            out.push_str(&renderer.render(&report));
            out.push_str("\n\n");
        }
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        out.push_str(&format!("{}: {count} {noun}", self.source.name));
        out
    }
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

fn range(source: &Source, problem: &Problem) -> Range<usize> {
    problem.span.clone().unwrap_or_else(|| source.range(&problem.pointer, problem.part))
}

/// `/queues/orders/retry` as people write it: `queues.orders.retry`.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}
