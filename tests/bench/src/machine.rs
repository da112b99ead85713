//! What the figures were measured on.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::broker::root;
use crate::process::TICKS;

/// How long the machine is looked at before a run.
const LOOK: Duration = Duration::from_secs(3);

/// How busy the machine is with other things, in percent of all its cores: what is measured on a busy one is worth less.
pub(crate) async fn busy_percent() -> f64 {
    let before = cpu_times();
    tokio::time::sleep(LOOK).await;
    let after = cpu_times();
    let (idle, all) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
    100.0 * (1.0 - idle as f64 / all.max(1) as f64)
}

/// How long the cores had nothing to do so far, all of them together, in microseconds; in steps of 10 ms.
pub(crate) fn idle_us() -> u64 {
    cpu_times().0 * (1_000_000 / TICKS)
}

/// How many cores there are.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Time that the cores had nothing to do, and all of their time, in ticks.
fn cpu_times() -> (u64, u64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let times: Vec<u64> =
        line.split_whitespace().skip(1).take(8).filter_map(|time| time.parse().ok()).collect();
    // Idle, and waiting for a disk.
    (times.iter().skip(3).take(2).sum(), times.iter().sum())
}

/// Machine, software and versions, a line each.
pub(crate) fn description(rabbitmq: &str, busy_percent: f64) -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    let cores = cores();
    let memory = read("/proc/meminfo");
    let kib: u64 =
        memory.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default();
    let release = read("/etc/os-release");
    let system =
        release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown system");
    let kernel = read("/proc/sys/kernel/osrelease");
    let lines = [
        format!("- date: {}", humantime::format_rfc3339_seconds(SystemTime::now())),
        format!("- commit: {}", commit()),
        format!("- CPU: {}, {cores} cores, broker and sides on them", model.map_or("unknown", str::trim)),
        format!("- memory: {} MiB", kib / 1024),
        format!("- {busy_percent:.0} % of it busy with other things when it began"),
        format!("- system: {}, Linux {}", system.trim_matches('"'), kernel.trim()),
        format!("- RabbitMQ {rabbitmq}, one node"),
        format!("- node {}", first_line("node", &["--version"])),
        format!("- {}", first_line("python3", &["--version"])),
        format!("- {}", first_line("rustc", &["--version"])),
    ];
    lines.join("\n")
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    said.lines().next().map_or_else(|| format!("{program}: none"), str::to_owned)
}

/// The project's commit, with a `+` if something was changed since.
fn commit() -> String {
    let commit = first_line("git", &["rev-parse", "--short", "HEAD"]);
    let changed = ["status", "--porcelain", "--untracked-files=no", "--", ":!tests/bench/RESULTS.md"];
    let changed = Command::new("git").args(changed).current_dir(root()).output();
    let changed = changed.is_ok_and(|output| !output.stdout.is_empty());
    format!("{commit}{}", if changed { "+" } else { "" })
}
