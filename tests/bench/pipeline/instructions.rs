//! Instructions of a call, by callgrind: they are the same on a machine that does other things too, so that a change of a
//! few percent shows. `make bench-instructions` holds them against `tests/bench/instructions.json`; `BLESS=1` writes it.
//!
//! Counted is what two runs differ by, one of `CALLS` calls and one of twice as many: set-up, and what valgrind's
//! translation adds, are in both. The kernel's instructions are not counted (of a fresh call, those are what the
//! system does to clear the guest's memory, and the clocks), nor is time: this is no measure of speed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use serde::{Deserialize, Serialize};

const CALLS: u32 = 1024;
/// Of large bodies, fewer.
const CALLS_LARGE: u32 = 64;
/// By how much a step may take more instructions than before: a part of them, and what set-up differs by from run to run.
const TOLERANCE: f64 = 0.05;
const SCATTER: f64 = 200.0;

const STEPS: [(&str, usize); 14] = [
    ("deliver", 256),
    ("decode", 256),
    ("validate", 256),
    ("validate", 16 * 1024),
    ("print", 256),
    ("decide", 256),
    ("guest-noop-fresh", 256),
    ("call-noop-fresh", 256),
    ("path-noop-fresh", 256),
    ("path-noop-fresh", 1024),
    ("guest-noop-reuse", 256),
    ("call-noop-reuse", 256),
    ("path-noop-reuse", 256),
    ("path-noop-reuse", 1024),
];

/// What the repository keeps.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// The compiler and the valgrind that they were counted with.
    with: String,
    /// Instructions of one call, by step and size of the body.
    instructions: BTreeMap<String, u64>,
}

/// Counts, prints and compares. False if a step takes more than it may.
pub(crate) fn run() -> anyhow::Result<bool> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bench/instructions.json");
    let kept: Kept = match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).context("instructions.json")?,
        Err(_) => Kept::default(),
    };
    let program = std::env::current_exe()?;
    let with = format!("{}, {}", said("rustc", "--version")?, said("valgrind", "--version")?);
    if !kept.with.is_empty() && kept.with != with {
        println!("counted with {with}; the figures to compare with are of {}", kept.with);
    }
    without_auxv()?;
    // Compiles the guests for the processor that valgrind has; the runs that count take them from the cache.
    count(&program, "decide", 256, 0)?;
    let mut counted = Kept { with, instructions: BTreeMap::new() };
    let mut met = true;
    println!("{:<24} {:>12} {:>12} {:>8}", "instructions of a call", "now", "kept", "change");
    for (step, size) in STEPS {
        let calls = if size > 4096 { CALLS_LARGE } else { CALLS };
        let [once, twice] = [calls, 2 * calls].map(|calls| count(&program, step, size, calls));
        let now = twice?.saturating_sub(once?) / u64::from(calls);
        let name = format!("{step} {size}");
        match kept.instructions.get(&name) {
            Some(before) => {
                let change = now as f64 / *before as f64 - 1.0;
                let more = now as f64 > *before as f64 * (1.0 + TOLERANCE) + SCATTER;
                let verdict = if more { "  MORE" } else { "" };
                met &= !more;
                println!("{name:<24} {now:>12} {before:>12} {:>+7.1}%{verdict}", change * 100.0);
            }
            None => println!("{name:<24} {now:>12} {:>12}", "-"),
        }
        counted.instructions.insert(name, now);
    }
    if !met {
        println!("more by over {:.0} %: BLESS=1 keeps the new figures, if that is meant", TOLERANCE * 100.0);
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&counted)?))?;
        return Ok(true);
    }
    Ok(met)
}

fn said(program: &str, option: &str) -> anyhow::Result<String> {
    let output = Command::new(program).arg(option).output();
    let output = output.with_context(|| format!("`{program}` does not run; is it installed?"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// All instructions of a run.
fn count(program: &PathBuf, step: &str, size: usize, calls: u32) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["repeat", step, &size.to_string(), &calls.to_string()])
        .output()
        .context("valgrind does not run")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{step} under valgrind: {}\n{text}", output.status);
    let Some((_, rest)) = text.split_once("Collected : ") else { bail!("valgrind counted nothing: {text}") };
    rest.split_whitespace().next().and_then(|count| count.parse().ok()).context("no number of instructions")
}

/// From here on, this process and its children do not get their auxiliary vector from the kernel by `prctl`, but read
/// `/proc/self/auxv`, where valgrind shows them its own. By the kernel's, rustix would look for a vDSO that valgrind hides.
fn without_auxv() -> anyhow::Result<()> {
    const PR_GET_AUXV: u64 = 0x4155_5856;
    const EINVAL: u32 = 22;
    let prctl = if cfg!(target_arch = "x86_64") { 157 } else { 167 };
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, PR_GET_AUXV)?;
    let rules = [(prctl, vec![SeccompRule::new(vec![condition])?])].into_iter().collect();
    let (other, this) = (SeccompAction::Allow, SeccompAction::Errno(EINVAL));
    let filter = SeccompFilter::new(rules, other, this, std::env::consts::ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}
