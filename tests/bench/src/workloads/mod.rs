//! What is measured. A workload adds its figures to the results; one that fails costs itself and no other.

pub(crate) mod io_bound;
mod languages;
mod latency;
mod memory;
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
    /// Consume only, 256 B, 16 KiB and 256 KiB.
    Sizes,
    /// Consume only, of which 1 % and 20 % fail once.
    Failure,
    /// Consume only with 1, 10 and 100 consumers in one host.
    Consumers,
    /// The template of each guest language.
    Languages,
    /// A thousand in flight that wait for HTTP.
    Io,
    /// From delivery to ack, at half of peak load.
    Latency,
    /// Of an idle host, and for each further consumer.
    Memory,
    /// From the start to the first ack.
    Start,
    /// A million messages.
    Backlog,
}

impl Workload {
    /// Measures it.
    pub(crate) async fn run(self, bench: &Bench, results: &mut Results) -> Result<()> {
        match self {
            Self::Consume => throughput::consume(bench, results).await,
            Self::Publish => throughput::publish(bench, results).await,
            Self::Sizes => throughput::sizes(bench, results).await,
            Self::Failure => throughput::failure(bench, results).await,
            Self::Consumers => throughput::consumers(bench, results).await,
            Self::Languages => languages::run(bench, results).await,
            Self::Io => io_bound::run(bench, results).await,
            Self::Latency => latency::half_load(bench, results).await,
            Self::Memory => memory::idle(bench, results).await,
            Self::Start => latency::start(bench, results).await,
            Self::Backlog => memory::backlog(bench, results).await,
        }
    }
}
