//! Problems as a terminal shows them, as JSON, and as SARIF for code-scanning services.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::problem::{Located, Problems, Severity, brief};

/// How many problems are drawn; the rest is counted.
const SHOWN_MAX: usize = 200;
/// How much of a line is drawn, in characters.
const WIDTH_MAX: usize = 140;

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
        out.push_str(&format!("{}: {}", self.contract_path(), counts.join(", ")));
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
            })
        };
        Value::Array(self.located().map(problem).collect())
    }

    /// The problems as the results of a SARIF 2.1.0 run.
    pub fn to_sarif(&self) -> Value {
        let result = |located: Located<'_>| {
            let (start, end) = located.ends();
            let problem = located.problem;
            let texts = [Some(&problem.says), problem.because.as_ref(), problem.hint.as_ref()];
            let text = texts.into_iter().flatten().cloned().collect::<Vec<_>>().join("\n");
            json!({
                "ruleId": if problem.name.is_empty() { "contract" } else { problem.name },
                "level": word(problem.severity),
                "message": { "text": text },
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": { "uri": located.source.name.replace('\\', "/") },
                        "region": {
                            "startLine": start.0, "startColumn": start.1, "endLine": end.0, "endColumn": end.1,
                        },
                    },
                    "logicalLocations": [{ "fullyQualifiedName": dotted(&problem.pointer) }],
                }],
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
        (position(&self.source.text, self.range.start), position(&self.source.text, self.range.end))
    }
}

fn draw(located: &Located<'_>, renderer: &Renderer) -> String {
    let problem = located.problem;
    let path = brief(&dotted(&problem.pointer));
    let snippet = Snippet::source(&located.source.text)
        .path(&located.source.name)
        .annotation(AnnotationKind::Primary.span(located.range.clone()).label(&path));
    let mut elements: Vec<Element<'_>> = vec![snippet.into()];
    elements.extend(problem.because.as_deref().map(|text| Level::NOTE.message(text).into()));
    elements.extend(problem.hint.as_deref().map(|text| Level::HELP.message(text).into()));
    let report = match problem.severity {
        Severity::Error => Level::ERROR.primary_title(&problem.says).elements(elements),
        Severity::Warning => Level::WARNING.primary_title(&problem.says).id(problem.name).elements(elements),
    };
    renderer.render(&[report])
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

/// Line and column, both from 1, of a byte offset.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// `/queues/orders/retry` as people write it: `queues.orders.retry`.
pub(super) fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}
