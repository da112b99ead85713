//! What runs have come to: a table, a summary, and a record for the repository.
//!
//! The record is a file with a line of JSON for each scenario and broker, and a document made from it. A run replaces the
//! lines of what it ran, one by one as it goes; so a run that is broken off, or of one scenario alone, counts too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use anyhow::{Context, Result};
use comfy_table::{ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

use crate::nodes::root;
use crate::scenario::On;

/// How a scenario ended on one broker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) scenario: String,
    pub(crate) on: On,
    /// Of the broker; empty if there is none.
    pub(crate) version: String,
    pub(crate) messages: usize,
    pub(crate) faults: usize,
    pub(crate) lost: usize,
    /// Lost as the consumer asks for, with at-most-once.
    #[serde(default)]
    pub(crate) forgone: usize,
    pub(crate) duplicates: usize,
    /// Executions beyond those that the policy asks for.
    pub(crate) again: usize,
    pub(crate) took_s: u64,
    pub(crate) end: End,
    /// When it ended: a day, in UTC.
    pub(crate) day: String,
    /// What ran: the project's commit.
    pub(crate) commit: String,
}

/// The verdict on a scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum End {
    Passed,
    /// With what is wrong.
    Failed(String),
    /// With the reason. It counts as nothing, and surely not as passed.
    Skipped(String),
}

const COLUMNS: [&str; 10] = [
    "scenario",
    "RabbitMQ",
    "messages",
    "faults",
    "lost",
    "duplicates",
    "run again",
    "took",
    "commit",
    "verdict",
];

impl Line {
    /// One of which nothing is known yet, of today and the present commit.
    pub(crate) fn new(scenario: &str, on: On, version: &str, end: End) -> Self {
        let today = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self {
            scenario: scenario.to_owned(),
            on,
            version: version.to_owned(),
            messages: 0,
            faults: 0,
            lost: 0,
            forgone: 0,
            duplicates: 0,
            again: 0,
            took_s: 0,
            end,
            day: today.get(..10).unwrap_or_default().to_owned(),
            commit: commit().to_owned(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let Self { on, version, messages, faults, lost, forgone, duplicates, again, took_s, .. } = self;
        let broker = match on {
            On::Cluster => format!("{version}, 3 nodes"),
            On::Three | On::Four => version.clone(),
        };
        let said = match &self.end {
            End::Passed => "passed".to_owned(),
            End::Failed(_) => "FAILED".to_owned(),
            End::Skipped(reason) => {
                let mut cells = vec!["-".to_owned(); COLUMNS.len()];
                (cells[0], cells[1]) = (self.scenario.clone(), on.to_string());
                cells[COLUMNS.len() - 1] = format!("skipped: {reason}");
                return cells;
            }
        };
        let mut numbers = [messages, faults, lost, duplicates, again].map(ToString::to_string);
        if *forgone > 0 {
            numbers[2] = format!("{lost}, and {forgone} as asked");
        }
        let last = vec![format!("{took_s} s"), self.commit.clone(), said];
        [vec![self.scenario.clone(), broker], numbers.to_vec(), last].concat()
    }
}

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
        table.add_row(line.cells());
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
        sum(|line| line.lost),
        sum(|line| line.duplicates),
    )
}

/// The record: a document, and beside it a file of lines.
#[derive(Debug)]
pub(crate) struct Record {
    document: PathBuf,
    lines: PathBuf,
    /// The command of this run.
    command: String,
    /// Of every scenario.
    criteria: Vec<(&'static str, &'static str)>,
}

impl Record {
    pub(crate) fn new(document: &Path, command: String, criteria: Vec<(&'static str, &'static str)>) -> Self {
        let lines = document.with_extension("jsonl");
        Self { document: document.to_path_buf(), lines, command, criteria }
    }

    /// Puts a line in, in place of an older one of the same scenario and broker. Several may do so at once.
    pub(crate) fn put(&self, line: &Line) -> Result<()> {
        let lock = File::create(root().join(".warren/chaos-record.lock"))?;
        lock.lock()?;
        let mut all: BTreeMap<(On, String), Line> = BTreeMap::new();
        for text in fs::read_to_string(&self.lines).unwrap_or_default().lines() {
            let line: Line = serde_json::from_str(text)
                .with_context(|| format!("{} has a line that is none of ours", self.lines.display()))?;
            all.insert((line.on, line.scenario.clone()), line);
        }
        all.insert((line.on, line.scenario.clone()), line.clone());
        // Of a scenario that is gone there is nothing to say.
        all.retain(|(_, scenario), _| self.criteria.iter().any(|(name, _)| name == scenario));
        let lines: Vec<Line> = all.into_values().collect();
        let mut text = String::new();
        for line in &lines {
            writeln!(text, "{}", serde_json::to_string(line)?)?;
        }
        fs::write(&self.lines, text).with_context(|| format!("cannot write {}", self.lines.display()))?;
        let document = self.document(&lines)?;
        fs::write(&self.document, document)
            .with_context(|| format!("cannot write {}", self.document.display()))
    }

    fn document(&self, lines: &[Line]) -> Result<String> {
        let mut text = String::from("# Results of the fault harness\n\n");
        text.push_str("What the columns mean and what every scenario checks is in [README.md](README.md).\n");
        let (first, last) =
            (lines.iter().map(|line| &line.day).min(), lines.iter().map(|line| &line.day).max());
        let (first, last) = (first.map_or("", String::as_str), last.map_or("", String::as_str));
        let days = if first == last { first.to_owned() } else { format!("{first} to {last}") };
        let (command, table, summary) = (&self.command, table(lines), summary(lines));
        writeln!(text, "Last run:\n\n    {command}\n\n{days}, {}.\n\n{table}\n\n{summary}.\n", machine())?;
        for line in lines {
            if let End::Failed(why) = &line.end {
                let (scenario, version) = (&line.scenario, &line.version);
                writeln!(text, "`{scenario}` on {version} failed:\n\n```\n{why}\n```\n")?;
            }
        }
        text.push_str("Each scenario's own criterion:\n\n");
        for (name, criterion) in &self.criteria {
            writeln!(text, "- `{name}`: {criterion}")?;
        }
        Ok(text)
    }
}

/// The project's commit when the run began, with a `+` if something was changed since; unknown where there is no git.
pub(crate) fn commit() -> &'static str {
    static COMMIT: OnceLock<String> = OnceLock::new();
    COMMIT.get_or_init(read_commit)
}

fn read_commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root()).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no", "--", ":!tests/chaos/RESULTS.*"]);
    format!("{commit}{}", if changed.is_some_and(|files| !files.is_empty()) { "+" } else { "" })
}

/// Cores, memory and system of this machine.
fn machine() -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
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
