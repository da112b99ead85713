//! What is measured. A workload adds its figures to the results; one that fails costs itself and no other.

mod throughput;

use anyhow::Result;

use crate::bench::Bench;
use crate::results::Results;

/// The workloads, by the names that `--only` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// Consume only, 1 KiB.
    Consume,
    /// Consume, and publish one confirmed message for each.
    Publish,
}

impl Workload {
    /// Measures it.
    pub(crate) async fn run(self, bench: &Bench, results: &mut Results) -> Result<()> {
        match self {
            Self::Consume => throughput::consume(bench, results).await,
            Self::Publish => throughput::publish(bench, results).await,
        }
    }
}
