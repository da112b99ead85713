//! What the figures were measured on.

use std::fs;
use std::process::Command;
use std::time::SystemTime;

use crate::broker::root;

/// Machine, software and versions, a line each.
pub(crate) fn description(rabbitmq: &str) -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
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
