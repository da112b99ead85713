//! What is measured, and its names.

use std::fmt;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Not the host's: what the bench makes to be decoded. Where instructions are counted it is part of decode and path.
    Deliver,
    /// What lapin hands out becomes a delivery of ours.
    Decode,
    /// Decompress, parse, hold against the schema.
    Validate,
    /// The hash by which a message is known again.
    Print,
    /// What becomes of it.
    Decide,
    /// `Handler::call`: an instance, the message in, the outcome out.
    Call(Guest, Isolation),
    /// From lapin's delivery to the settlement.
    Path(Guest, Isolation),
    /// The guest's own work.
    Bare(Guest, Isolation),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Guest {
    /// `noop.wat`.
    Noop,
    /// `succeeds` of `guests/behaviours`.
    Rust,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Isolation {
    Fresh,
    Reuse,
}

impl Step {
    pub(crate) const ALL: [Self; 16] = {
        use Guest::{Noop, Rust};
        use Isolation::{Fresh, Reuse};
        [
            Self::Decode,
            Self::Validate,
            Self::Print,
            Self::Decide,
            Self::Bare(Noop, Fresh),
            Self::Call(Noop, Fresh),
            Self::Path(Noop, Fresh),
            Self::Bare(Noop, Reuse),
            Self::Call(Noop, Reuse),
            Self::Path(Noop, Reuse),
            Self::Bare(Rust, Fresh),
            Self::Call(Rust, Fresh),
            Self::Path(Rust, Fresh),
            Self::Bare(Rust, Reuse),
            Self::Call(Rust, Reuse),
            Self::Path(Rust, Reuse),
        ]
    };

    /// The consumer of the contract whose guest is called.
    pub(crate) fn consumer(self) -> Option<&'static str> {
        match self {
            Self::Deliver | Self::Decode | Self::Validate | Self::Print | Self::Decide => None,
            Self::Call(guest, isolation) | Self::Path(guest, isolation) | Self::Bare(guest, isolation) => {
                Some(match (guest, isolation) {
                    (Guest::Noop, Isolation::Fresh) => "noop-fresh",
                    (Guest::Noop, Isolation::Reuse) => "noop-reuse",
                    (Guest::Rust, Isolation::Fresh) => "rust-fresh",
                    (Guest::Rust, Isolation::Reuse) => "rust-reuse",
                })
            }
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Deliver]).find(|step| step.to_string() == name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Deliver => "deliver",
            Self::Decode => "decode",
            Self::Validate => "validate",
            Self::Print => "print",
            Self::Decide => "decide",
            Self::Call(..) => "call",
            Self::Path(..) => "path",
            Self::Bare(..) => "guest",
        };
        match self.consumer() {
            Some(consumer) => f.pad(&format!("{what}-{consumer}")),
            None => f.pad(what),
        }
    }
}
