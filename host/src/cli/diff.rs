//! `warren diff`: what a new contract changes, and whom that breaks.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::diff::{self, Class};

use super::{ContractArgs, Exit, print_data};

/// Compare two contracts: what is breaking, and what to do about it; needs no broker
///
/// Lists every change by event, command, publisher, rpc, consumer, message, exchange and queue, as `breaking` (somebody
/// stops working, messages are rejected or left lying, or the broker refuses it), `review` (the contracts alone do not
/// tell), `compatible` or `cosmetic`; with whom it breaks, why, and in which order to roll it out. Schemas are compared
/// in the direction that matters: what is published has to suit who has the old contract, and what is consumed has to
/// take what they send. Warns when the version did not rise as the changes ask for.
///
/// Exits with 0, or with 1 if there is a change that `--fail-on` names, or with 78 if one of the two is not sound.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(super) struct Diff {
    /// The contract as it was
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The contract as it is to be
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// How to say it. `markdown`: as a comment in a code review. `json`: an object with `worst`, `counts`,
    /// `versionWarning`, `changes` (class, subject, message, details, breaks, because, help) and `rollOut`
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Exit with 1 if there is a change of this class or a worse one
    #[arg(long, value_enum, value_name = "CLASS", default_value_t = FailOn::Breaking)]
    fail_on: FailOn,
}

const AFTER_HELP: &str = "\
To compare with the last commit, check it out beside, because schemas and includes are looked for beside a contract:
  git worktree add --detach /tmp/before HEAD
  warren diff /tmp/before/contract.yaml contract.yaml
  git worktree remove --force /tmp/before
In a pull request, `origin/main` in place of `HEAD` compares with the branch that it goes to.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Breaking,
    Review,
    Compatible,
    /// Any change, cosmetic ones, too
    Any,
    Never,
}

impl Diff {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let load = |path| ContractArgs { path }.load();
        // Both are read before either is given up, so that all that is wrong is said at once.
        let (old, new) = (load(self.old), load(self.new));
        let (Some(old), Some(new)) = (old, new) else { return Ok(Exit::Contract) };
        let found = diff::compare(&old.contract, &new.contract);
        match self.format {
            Format::Human => {
                let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                print_data(&found.render(colour))?;
            }
            Format::Json => print_data(&format!("{:#}\n", found.to_json()))?,
            Format::Markdown => print_data(&found.to_markdown())?,
        }
        let least = match self.fail_on {
            FailOn::Breaking => Some(Class::Breaking),
            FailOn::Review => Some(Class::Review),
            FailOn::Compatible => Some(Class::Compatible),
            FailOn::Any => Some(Class::Cosmetic),
            FailOn::Never => None,
        };
        let fails = least.is_some_and(|least| found.worst().is_some_and(|worst| worst >= least));
        Ok(if fails { Exit::Differs } else { Exit::Done })
    }
}
