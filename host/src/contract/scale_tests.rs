//! A large contract takes its time by its size: ten times the consumers take about ten times as long, and not a hundred.
//! `make bench-contracts` measures how long that is.

use std::time::{Duration, Instant};

use super::{Contract, Surroundings};
use generate::{Generated, Schemas};

#[path = "../../../tests/bench/generate.rs"]
mod generate;

/// What no load of this machine explains any more.
const LIMIT: Duration = Duration::from_secs(60);

/// The quickest of some runs, which other work on the machine disturbed least.
fn quickest(runs: usize, generated: &Generated) -> Duration {
    let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let read_file = |path: &str| generated.files.get(path).cloned().ok_or_else(missing);
    let surroundings = Surroundings { read_file: &read_file, variable: &|_| None };
    let run = |_| {
        let began = Instant::now();
        let parsed = Contract::parse("contract.yaml", &generated.text, surroundings);
        let took = began.elapsed();
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err().render(false));
        took
    };
    (0..runs).map(run).min().unwrap_or_default()
}

#[test]
fn ten_times_the_consumers_do_not_take_a_hundred_times_as_long() {
    let small = quickest(5, &generate::contract(200, Schemas::Inline));
    let large = quickest(2, &generate::contract(2_000, Schemas::Inline));
    assert!(large < small * 30 && large < LIMIT, "200 consumers take {small:?}, 2,000 take {large:?}");
}

#[test]
fn schemas_in_many_files_load_as_well() {
    let took = quickest(1, &generate::contract(1_000, Schemas::Files));
    assert!(took < LIMIT, "{took:?}");
}
