//! What a run has come to, as tables that read well at a terminal and in Markdown.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::measure::Figure;
use crate::results::{Results, Spread};
use crate::sides::Side;
use crate::targets::{Goal, Target};

/// All tables of a run; the last line counts the targets.
pub(crate) fn all(results: &Results, targets: &[Target]) -> String {
    let mut text = String::new();
    for case in results.cases() {
        write!(text, "### {}\n\n{}\n\n", capital(case), of_case(results, case)).ok(); // a String takes all
    }
    if !results.series.is_empty() {
        write!(text, "### Other quantities\n\n{}\n\n", of_series(results)).ok();
    }
    for (title, lines) in [("Left out", &results.notes), ("Failed runs", &results.failures)] {
        if !lines.is_empty() {
            write!(text, "### {title}\n\n- {}\n\n", lines.join("\n- ")).ok();
        }
    }
    let met = targets.iter().filter(|target| target.is_met()).count();
    write!(text, "### Targets\n\n{}\n\n", of_targets(targets)).ok();
    let reasons: Vec<String> = targets
        .iter()
        .filter(|target| !target.is_met())
        .map(|target| format!("- **{}.** {}", target.what, target.reason))
        .collect();
    if !reasons.is_empty() {
        write!(text, "### Why the short ones are short\n\n{}\n\n", reasons.join("\n")).ok();
    }
    writeln!(text, "{met} of {} targets met, {} short", targets.len(), targets.len() - met).ok();
    text
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn of_case(results: &Results, case: &str) -> Table {
    let mut sides: Vec<&str> = Vec::new();
    for run in results.runs.iter().filter(|run| run.case == case) {
        if !sides.contains(&run.side.as_str()) {
            sides.push(&run.side);
        }
    }
    sides.sort_unstable();
    let limit = Side::LapinBatched.to_string();
    // Where the limit did not run, against the first.
    let base = if sides.contains(&limit.as_str()) { limit.as_str() } else { sides[0] };
    let against = format!(
        "times {}",
        base.split(' ').next().filter(|word| word.starts_with('(')).unwrap_or("the first")
    );
    let mut table = table(&[
        "side",
        "messages/s",
        "least to most",
        &against,
        "least to most",
        "CPU us",
        "broker us",
        "idle us",
        "peak MiB",
    ]);
    for side in sides {
        let number = |quantity: fn(&Figure) -> f64| results.spread(case, side, quantity);
        let (rate, ratio) = (number(|figure| figure.rate), results.ratio(case, side, base));
        table.add_row([
            side.to_owned(),
            middle(rate, 0),
            ends(rate, 0),
            middle(ratio, 2),
            ends(ratio, 2),
            middle(number(|figure| figure.cpu_us), 1),
            middle(number(|figure| figure.broker_us), 1),
            middle(number(|figure| figure.idle_us), 1),
            middle(number(|figure| figure.peak_mib), 0),
        ]);
    }
    table
}

fn of_series(results: &Results) -> Table {
    let mut table = table(&["workload", "what", "median", "least to most"]);
    for series in &results.series {
        let spread = Spread::of(series.values.iter().copied());
        table.add_row([series.case.clone(), series.what.clone(), middle(spread, 2), ends(spread, 2)]);
    }
    table
}

fn of_targets(targets: &[Target]) -> Table {
    let mut table = table(&["target", "goal", "measured", "verdict"]);
    for target in targets {
        let (goal, unit) = match target.goal {
            Goal::AtLeast(bound, unit) => (format!("at least {bound} {unit}"), unit),
            Goal::AtMost(bound, unit) => (format!("at most {bound} {unit}"), unit),
        };
        let measured =
            target.measured.map_or("not measured".to_owned(), |value| format!("{value:.2} {unit}"));
        let verdict = if target.is_met() { "met" } else { "short" };
        table.add_row([target.what.clone(), goal, measured, verdict.to_owned()]);
    }
    table
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    for (index, column) in table.column_iter_mut().enumerate() {
        if index > 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn middle(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or("-".to_owned(), |spread| format!("{:.digits$}", spread.median))
}

fn ends(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or("-".to_owned(), |spread| format!("{:.digits$} to {:.digits$}", spread.least, spread.most))
}
