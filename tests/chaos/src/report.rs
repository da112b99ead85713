//! What a run has come to: a line for each scenario, a table, and a file for the repository.

use std::fmt::Write as _;
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};

use crate::check::Verdict;
use crate::scenario::On;

/// How a scenario ended on one broker.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) scenario: &'static str,
    pub(crate) on: On,
    /// Of the broker; empty if there is none.
    pub(crate) version: String,
    pub(crate) messages: usize,
    pub(crate) faults: usize,
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
    pub(crate) end: End,
}

/// The verdict on a scenario.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Passed,
    /// With what is wrong.
    Failed(String),
    /// With the reason. It counts as nothing, and surely not as passed.
    Skipped(String),
}

impl Line {
    fn cells(&self) -> Vec<String> {
        let Self { scenario, on, version, messages, faults, verdict, took, end } = self;
        let broker = match on {
            On::Cluster => format!("{version}, 3 nodes"),
            On::Three | On::Four => version.clone(),
        };
        let Verdict { lost, duplicates, again, .. } = verdict;
        let said = match end {
            End::Passed => "passed".to_owned(),
            End::Failed(_) => "FAILED".to_owned(),
            End::Skipped(reason) => {
                return vec![(*scenario).to_owned(), format!("{on}"), format!("skipped: {reason}")];
            }
        };
        let numbers = [messages, faults, lost, duplicates, again].map(ToString::to_string);
        let took = format!("{} s", took.as_secs());
        [vec![(*scenario).to_owned(), broker], numbers.to_vec(), vec![took, said]].concat()
    }
}

const COLUMNS: [&str; 9] =
    ["scenario", "RabbitMQ", "messages", "faults", "lost", "duplicates", "run again", "took", "verdict"];

/// Whether nothing failed.
pub(crate) fn passed(lines: &[Line]) -> bool {
    !lines.iter().any(|line| matches!(line.end, End::Failed(_)))
}

/// The table, in Markdown, which reads well at a terminal, too.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(COLUMNS);
    for line in lines {
        let mut cells = line.cells();
        if cells.len() < COLUMNS.len() {
            let said = cells.pop().unwrap_or_default();
            cells.resize(COLUMNS.len() - 1, "-".to_owned());
            cells.push(said);
        }
        table.add_row(cells);
    }
    table.to_string()
}

/// The last line of a run: everything, counted.
pub(crate) fn summary(lines: &[Line]) -> String {
    let ran: Vec<&Line> = lines.iter().filter(|line| !matches!(line.end, End::Skipped(_))).collect();
    let failed = ran.iter().filter(|line| matches!(line.end, End::Failed(_))).count();
    let sum = |count: fn(&Line) -> usize| ran.iter().map(|line| count(line)).sum::<usize>();
    format!(
        "{} scenarios passed, {failed} failed, {} skipped: {} faults, {} messages, {} lost, {} duplicated",
        ran.len() - failed,
        lines.len() - ran.len(),
        sum(|line| line.faults),
        sum(|line| line.messages),
        sum(|line| line.verdict.lost),
        sum(|line| line.verdict.duplicates),
    )
}

/// The file for the repository.
pub(crate) fn document(lines: &[Line], command: &str, criteria: &[(&str, &str)]) -> String {
    let mut text = String::from("# Results of the fault harness\n\n");
    let date = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    text.push_str("What the columns mean and what every scenario checks is in [README.md](README.md).\n\n");
    writeln!(text, "    {command}\n\n{date}, {}.\n\n{}\n\n{}.\n", machine(), table(lines), summary(lines))
        .ok();
    for line in lines {
        if let End::Failed(why) = &line.end {
            let (scenario, version) = (line.scenario, &line.version);
            writeln!(text, "`{scenario}` on {version} failed:\n\n```\n{why}\n```\n").ok();
        }
    }
    text.push_str("Each scenario's own criterion:\n\n");
    for (name, criterion) in criteria {
        writeln!(text, "- `{name}`: {criterion}").ok();
    }
    text
}

/// Cores, memory and system of this machine.
fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let kib: u64 =
        memory.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default();
    let release = read("/etc/os-release");
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown system");
    let kernel = read("/proc/sys/kernel/osrelease");
    let (gib, name) = (kib / 1024 / 1024, name.trim_matches('"'));
    format!("{cores} cores, {gib} GiB, {name}, Linux {}", kernel.trim())
}
