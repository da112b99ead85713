//! What the cases are called, where they are measured and where they are judged.

pub(crate) const CONSUME: &str = "consume, 1 KiB";
pub(crate) const PUBLISH: &str = "consume and publish one confirmed, 1 KiB";
