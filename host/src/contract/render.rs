//! Problems as a terminal shows them, as JSON, and as SARIF for code-scanning services.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::problem::{Located, Problems, Severity, brief};
use super::source::Source;

/// How many problems are drawn; the rest is counted.
const SHOWN_MAX: usize = 200;
/// How much of a line is drawn, in characters.
const WIDTH_MAX: usize = 140;
/// How much text one drawing is made from, in bytes: drawing reads all of it.
const DRAWN_BYTES_MAX: usize = 8 * 1024;

impl Problems {
    /// The problems as text for a terminal, with colours or without.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH_MAX);
        let mut out = String::new();
        for located in self.located().take(SHOWN_MAX) {
            out.push_str(&draw(&located, &renderer));
            out.push_str("\n\n");
        }
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        if errors + warnings > SHOWN_MAX {
            out.push_str(&format!("… and {} more\n\n", errors + warnings - SHOWN_MAX));
        }
        let counts = [counted(errors, "problem"), counted(warnings, "warning")];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        let or_more = if self.may_be_more() { ", and there may be more" } else { "" };
        out.push_str(&format!("{}: {}{or_more}", self.contract_path(), counts.join(", ")));
        out
    }

    /// How many of one severity there are.
    pub fn count(&self, severity: Severity) -> usize {
        self.list().iter().filter(|problem| problem.severity == severity).count()
    }

    /// The problems as a JSON array. Lines and columns count from 1, columns in characters.
    pub fn to_json(&self) -> Value {
        let problem = |located: Located<'_>| {
            let (start, end) = located.ends();
            json!({
                "severity": word(located.problem.severity),
                "name": (!located.problem.name.is_empty()).then_some(located.problem.name),
                "file": located.source.name,
                "line": start.0,
                "column": start.1,
                "endLine": end.0,
                "endColumn": end.1,
                "path": dotted(&located.problem.pointer),
                "pointer": located.problem.pointer,
                "message": located.problem.says,
                "because": located.problem.because,
                "help": located.problem.hint,
                "also": located.also.as_ref().map(|(source, range, says)| {
                    let (start, end) = (source.position(range.start), source.position(range.end));
                    json!({
                        "file": source.name, "line": start.0, "column": start.1,
                        "endLine": end.0, "endColumn": end.1, "message": says,
                    })
                }),
            })
        };
        Value::Array(self.located().map(problem).collect())
    }

    /// The problems as the results of a SARIF 2.1.0 run.
    pub fn to_sarif(&self) -> Value {
        let result = |located: Located<'_>| {
            let problem = located.problem;
            let texts = [Some(&problem.says), problem.because.as_ref(), problem.hint.as_ref()];
            let text = texts.into_iter().flatten().cloned().collect::<Vec<_>>().join("\n");
            let related = located.also.as_ref().map(|(source, range, says)| {
                json!({ "message": { "text": says }, "physicalLocation": physical(source, range) })
            });
            json!({
                "ruleId": if problem.name.is_empty() { "contract" } else { problem.name },
                "level": word(problem.severity),
                "message": { "text": text },
                "locations": [{
                    "physicalLocation": physical(located.source, &located.range),
                    "logicalLocations": [{ "fullyQualifiedName": dotted(&located.problem.pointer) }],
                }],
                "relatedLocations": related.into_iter().collect::<Vec<_>>(),
            })
        };
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": { "name": "warren", "version": env!("CARGO_PKG_VERSION") } },
                "columnKind": "unicodeCodePoints",
                "results": self.located().map(result).collect::<Vec<_>>(),
            }],
        })
    }
}

impl Located<'_> {
    /// Line and column of the first character, and of the one after the last.
    fn ends(&self) -> ((usize, usize), (usize, usize)) {
        (self.source.position(self.range.start), self.source.position(self.range.end))
    }
}

/// A place in a file, as SARIF says it.
fn physical(source: &Source, range: &Range<usize>) -> Value {
    let (start, end) = (source.position(range.start), source.position(range.end));
    json!({
        "artifactLocation": { "uri": source.name.replace('\\', "/") },
        "region": { "startLine": start.0, "startColumn": start.1, "endLine": end.0, "endColumn": end.1 },
    })
}

fn draw(located: &Located<'_>, renderer: &Renderer) -> String {
    let problem = located.problem;
    let path = brief(&dotted(&problem.pointer));
    let mut marks = vec![Mark { range: &located.range, kind: AnnotationKind::Primary, label: &path }];
    let mut elements: Vec<Element<'_>> = Vec::new();
    let mut elsewhere = None;
    if let Some((source, range, label)) = &located.also {
        let mark = Mark { range, kind: AnnotationKind::Context, label };
        let both = located.range.start.min(range.start)..located.range.end.max(range.end);
        if std::ptr::eq(*source, located.source) && excerpt(source, &both).len() <= DRAWN_BYTES_MAX {
            marks.push(mark);
        } else {
            elsewhere = Some((*source, mark));
        }
    }
    snippet(located.source, &marks, &mut elements);
    if let Some((source, mark)) = elsewhere {
        snippet(source, &[mark], &mut elements);
    }
    elements.extend(problem.because.as_deref().map(|text| Level::NOTE.message(text).into()));
    elements.extend(problem.hint.as_deref().map(|text| Level::HELP.message(text).into()));
    let report = match problem.severity {
        Severity::Error => Level::ERROR.primary_title(&problem.says).elements(elements),
        Severity::Warning => Level::WARNING.primary_title(&problem.says).id(problem.name).elements(elements),
    };
    renderer.render(&[report])
}

/// A marked place of a text.
struct Mark<'a> {
    range: &'a Range<usize>,
    kind: AnnotationKind,
    label: &'a str,
}

/// The lines that the marks are in, or what of a very long one can be shown.
fn snippet<'a>(source: &'a Source, marks: &[Mark<'a>], elements: &mut Vec<Element<'a>>) {
    let start = marks.iter().map(|mark| mark.range.start).min().unwrap_or_default();
    let end = marks.iter().map(|mark| mark.range.end).max().unwrap_or_default();
    let (line, column) = source.position(start);
    let mut shown = excerpt(source, &(start..end));
    let cut = shown.len() > DRAWN_BYTES_MAX;
    if cut {
        let text = &source.text;
        let from = text.floor_char_boundary(start.saturating_sub(WIDTH_MAX)).max(shown.start);
        let to = text.ceil_char_boundary((start + DRAWN_BYTES_MAX / 2).min(text.len()));
        shown = from..to.min(shown.end);
        elements.push(Origin::path(&source.name).line(line).char_column(column).into());
    }
    let text = &source.text[shown.clone()];
    let within = |offset: usize| offset.clamp(shown.start, shown.end) - shown.start;
    let annotation = |mark: &Mark<'a>| -> Annotation<'a> {
        mark.kind.span(within(mark.range.start)..within(mark.range.end)).label(mark.label)
    };
    let snippet = Snippet::source(text).line_start(line).annotations(marks.iter().map(annotation));
    elements.push(if cut { snippet.into() } else { snippet.path(&source.name).into() });
}

/// The whole lines that `range` is in.
fn excerpt(source: &Source, range: &Range<usize>) -> Range<usize> {
    let text = &source.text;
    let start = text[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[range.end..].find('\n').map_or(text.len(), |newline| range.end + newline + 1);
    start..end
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn counted(count: usize, noun: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        _ => Some(format!("{count} {noun}s")),
    }
}

/// `/queues/orders/retry` as people write it: `queues.orders.retry`.
pub(super) fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}
