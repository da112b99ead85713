//! What a scenario is: what it claims, where it runs, how large it is, and what it does.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::world::World;

/// One kind of fault under load. It lives in a file of its own in `scenarios/`, which names it.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// When it passes, in one sentence; what every scenario checks beside that is in `check`.
    pub(crate) criterion: &'static str,
    /// What it runs on.
    pub(crate) on: &'static [On],
    /// Its size in the quick set; none if it is not in it.
    pub(crate) quick: Option<Size>,
    /// Its size in the full set.
    pub(crate) full: Size,
    /// Does it. An error says what went otherwise than claimed.
    pub(crate) run: fn(&World) -> anyhow::Result<()>,
}

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Messages published.
    pub(crate) messages: usize,
    /// Faults, at least.
    pub(crate) faults: usize,
}

/// A broker to run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum On {
    /// One node of RabbitMQ 3.
    #[value(name = "3")]
    Three,
    /// One node of RabbitMQ 4.
    #[value(name = "4")]
    Four,
    /// Three nodes of RabbitMQ 4.
    Cluster,
}

impl On {
    /// All, in the order in which they are run.
    pub(crate) const ALL: &'static [Self] = &[Self::Three, Self::Four, Self::Cluster];
    /// Either version, on one node.
    pub(crate) const SINGLE: &'static [Self] = &[Self::Three, Self::Four];
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Three => "3",
            Self::Four => "4",
            Self::Cluster => "cluster",
        })
    }
}
