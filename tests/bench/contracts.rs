//! How long it takes to load a contract of 1,000 consumers: read, parse and check, schemas and all, without components;
//! and to compare two of them.
//!
//! `make bench-contracts`. Prints the median of some runs, the quickest and the slowest, and the peak of memory so far;
//! exits with 1 if 1,000 consumers take more than a second.

mod generate;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use generate::Schemas;
use warren::contract::Contract;

const RUNS: usize = 11;
const CONSUMERS: usize = 1_000;
const TARGET: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let mut met = true;
    for (name, consumers, schemas) in [
        ("1,000 consumers, schemas inline", CONSUMERS, Schemas::Inline),
        ("1,000 consumers, schemas in 200 files", CONSUMERS, Schemas::Files),
        ("2,000 consumers, to see how it grows", 2 * CONSUMERS, Schemas::Inline),
    ] {
        let generated = generate::contract(consumers, schemas);
        let folder = tempfile::tempdir().expect("a new folder");
        write(folder.path(), &generated);
        let path = folder.path().join("contract.yaml");
        let size = generated.text.len() / 1024;
        let name = format!("{name} ({size} KiB, {} files)", generated.files.len() + 1);
        let median = report(&name, || drop(load(&path)));
        met &= median < TARGET || consumers > CONSUMERS;
        if schemas == Schemas::Files {
            let old = load(&path);
            // Every other event moves, every queue gets another retry, every message another type.
            let moved = generated.text.replace("5.done", "5.over").replace("maxRetries: 5", "maxRetries: 6");
            std::fs::write(&path, moved).expect("a new file");
            for (file, text) in &generated.files {
                let changed = text.replace(r#""maxLength": 200"#, r#""maxLength": 300"#);
                std::fs::write(folder.path().join(file), changed).expect("a new file");
            }
            let new = load(&path);
            report("comparing two of these", || drop(warren::diff::compare(&old, &new)));
        }
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write(folder: &Path, generated: &generate::Generated) {
    std::fs::create_dir(folder.join("schemas")).expect("a new folder");
    std::fs::write(folder.join("contract.yaml"), &generated.text).expect("a new file");
    for (path, text) in &generated.files {
        std::fs::write(folder.join(path), text).expect("a new file");
    }
}

fn load(path: &Path) -> Contract {
    let loaded = warren::load::contract(path).expect("the file is there");
    loaded.unwrap_or_else(|problems| panic!("{}", problems.render(false))).contract
}

/// Measures, prints and gives the median.
fn report(name: &str, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let (quickest, median, slowest) = (times[0], times[RUNS / 2], times[RUNS - 1]);
    println!(
        "{name}: median {:.0} ms, {:.0} to {:.0} ms in {RUNS} runs; peak {} MiB",
        ms(median),
        ms(quickest),
        ms(slowest),
        peak_mib(),
    );
    median
}

/// The most memory that this process has had at once, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}
