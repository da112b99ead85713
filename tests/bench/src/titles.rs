//! What the cases are called, where they are measured and where they are judged.

pub(crate) const CONSUME: &str = "consume, 1 KiB";
pub(crate) const PUBLISH: &str = "consume and publish one confirmed, 1 KiB";
pub(crate) const ONE_CONSUMER: &str = "consume, 1 KiB, 1 consumer";
pub(crate) const MANY_CONSUMERS: &str = "consume, 1 KiB, 100 consumers";
pub(crate) const IO_BOUND: &str = "IO-bound, 100 ms of HTTP, 1,000 in flight";
pub(crate) const LANGUAGES: &str = "languages, template of each, consume and publish";
pub(crate) const LATENCY: &str = "latency at half of peak load";
pub(crate) const P99_RATIO: &str = "p99 of (e) against (b), times";
pub(crate) const START: &str = "start to first ack";
pub(crate) const MEMORY: &str = "memory, idle";
pub(crate) const IDLE: &str = "(e): MiB with one consumer";
pub(crate) const IDLE_DATA: &str = "(e): MiB of it that are no pages of a file";
pub(crate) const PER_CONSUMER: &str = "(e): MiB for each further consumer";
pub(crate) const BACKLOG: &str = "backlog of 1,000,000, 256 B";
pub(crate) const LAST_TENTH: &str = "throughput of last tenth against first, times";
pub(crate) const FLAT: &str = "memory at the end against after first tenth, times";
