//! Progress while publishing, and the count at the end: confirmed, and refused by reason.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Progress;
use super::input::Line;
use super::session::Verdict;

/// How many refused lines are named one by one.
const NAMED_MAX: u64 = 10;
/// How many different reasons are counted.
const REASONS_MAX: usize = 50;

pub(super) struct Report {
    bar: ProgressBar,
    began: Instant,
    confirmed: u64,
    refused: u64,
    reasons: BTreeMap<String, u64>,
    refused_file: Option<File>,
}

impl Report {
    pub(super) fn new(
        progress: Progress,
        bytes: Option<u64>,
        refused: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let refused_file = refused.map(|path| {
            File::create(path).with_context(|| format!("cannot write refused lines to `{}`", path.display()))
        });
        let shown = match progress {
            Progress::Always => true,
            Progress::Never => false,
            Progress::Auto => std::io::stderr().is_terminal(),
        };
        let bar = match bytes {
            Some(bytes) => ProgressBar::new(bytes).with_style(style("{bar:30} {percent:>3}% {msg}")),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg}")),
        };
        bar.set_draw_target(if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        Ok(Self {
            bar,
            began: Instant::now(),
            confirmed: 0,
            refused: 0,
            reasons: BTreeMap::new(),
            refused_file: refused_file.transpose()?,
        })
    }

    pub(super) fn read(&mut self, line: &Line) {
        self.bar.inc(line.bytes);
    }

    pub(super) fn verdicts(&mut self, verdicts: Vec<Verdict>) -> anyhow::Result<()> {
        for (line, verdict) in verdicts {
            match verdict {
                Ok(()) => self.confirmed += 1,
                Err(error) => self.refused(&line, &error.to_string())?,
            }
        }
        self.bar.set_message(format!("{} confirmed, {} refused", self.confirmed, self.refused));
        Ok(())
    }

    pub(super) fn refused(&mut self, line: &Line, reason: &str) -> anyhow::Result<()> {
        self.refused += 1;
        if self.refused <= NAMED_MAX {
            self.bar.suspend(|| eprintln!("line {} refused: {reason}", line.number));
        } else if self.refused == NAMED_MAX + 1 {
            self.bar.suspend(|| eprintln!("further refused lines are only counted"));
        }
        let reason = without_indices(reason);
        let known = self.reasons.len() < REASONS_MAX || self.reasons.contains_key(&reason);
        *self.reasons.entry(if known { reason } else { "other reasons".to_owned() }).or_default() += 1;
        if let Some(file) = &mut self.refused_file {
            file.write_all(&line.body)
                .and_then(|()| file.write_all(b"\n"))
                .context("cannot write a refused line")?;
        }
        Ok(())
    }

    /// Prints the count. Returns how many were refused.
    pub(super) fn finish(self, interrupted: bool) -> u64 {
        self.bar.finish_and_clear();
        let seconds = self.began.elapsed().as_secs_f64();
        let rate = if seconds < 1.0 {
            String::new()
        } else {
            format!(" ({:.0}/s)", self.confirmed as f64 / seconds)
        };
        let stopped = if interrupted { "stopped; " } else { "" };
        println!("{stopped}{} confirmed, {} refused, in {seconds:.1} s{rate}", self.confirmed, self.refused);
        let mut reasons: Vec<(String, u64)> = self.reasons.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (reason, count) in reasons {
            println!("{count:>8} refused: {reason}");
        }
        self.refused
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `body/items/3/price: ...` -> `body/items/*/price: ...`, so that the same mistake counts as one reason; and where in
/// the text a parser gave up does not make another reason.
fn without_indices(reason: &str) -> String {
    let reason = match reason.find(" at line ") {
        Some(end) if reason.starts_with("body is not JSON") => &reason[..end],
        _ => reason,
    };
    let (path, rest) = reason.split_once(": ").unwrap_or((reason, ""));
    let is_index = |step: &&str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    let steps: Vec<&str> = path.split('/').map(|step| if is_index(&step) { "*" } else { step }).collect();
    if rest.is_empty() { steps.join("/") } else { format!("{}: {rest}", steps.join("/")) }
}
