//! `warren check`: everything that can be known without a broker.

use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::contract::{Contract, Problems, Severity};
use crate::load::{self, Handlers};
use crate::sandbox::{Lanes, Premises};
use crate::topology;

use super::{CacheArgs, ContractArgs, Exit, print_data, print_problems};

/// Check a contract, its schemas and its components; needs no broker
///
/// Does everything that `run` does before it connects: reads the contract, follows every name, looks for ways to lose a
/// message, loads each component, checks that it fits and can be started. Exits with 0 if the contract is sound, and with
/// 78 if it is not, or if there are warnings and `--deny warnings` is given.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    contract: ContractArgs,
    #[command(flatten)]
    cache: CacheArgs,

    /// How to say what is wrong. `json`: an array of objects with severity, file, line, column, path, message, help.
    /// `sarif`: SARIF 2.1.0, which code-scanning services read
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Treat these as problems
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Deny>,

    /// Do not load the components: for a contract whose handlers are built elsewhere
    #[arg(long)]
    no_components: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
    Sarif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    Warnings,
}

impl Check {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let loaded = match self.contract.read() {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(problems)) => return self.report(&problems),
            Err(error) => {
                eprintln!("error: {error:#}");
                return Ok(Exit::Contract);
            }
        };
        let contract = &loaded.contract;
        let mut found = contract.warnings();
        let mut handlers = None;
        if !self.no_components {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let lanes = Lanes::of_one_kind(runtime.handle().clone());
            let means = self.cache.means(lanes, Arc::default(), |_| Ok(Premises::to_look(&loaded.folder)))?;
            match runtime.block_on(load::handlers(&loaded, means))? {
                Ok(loaded) => handlers = Some(loaded),
                Err(problems) => found = problems.and(found),
            }
        }
        let exit = self.report(&found)?;
        if exit == Exit::Done && self.format == Format::Human {
            print_data(&self.summary(contract, handlers.as_ref()))?;
        }
        Ok(exit)
    }

    /// Says what was found, and what that means.
    fn report(&self, found: &Problems) -> anyhow::Result<Exit> {
        match self.format {
            Format::Human if found.is_empty() => {}
            Format::Human => print_problems(found),
            Format::Json => print_data(&format!("{:#}\n", found.to_json()))?,
            Format::Sarif => print_data(&format!("{:#}\n", found.to_sarif()))?,
        }
        let refused = found.count(Severity::Error) > 0
            || (self.deny == Some(Deny::Warnings) && found.count(Severity::Warning) > 0);
        Ok(if refused { Exit::Contract } else { Exit::Done })
    }

    fn summary(&self, contract: &Contract, handlers: Option<&Handlers>) -> String {
        let mut lines = Vec::new();
        for consumer in contract.consumers.values() {
            let digest = handlers
                .and_then(|handlers| handlers.by_consumer.get(&consumer.name))
                .map(|handler| format!(" ({})", handler.short_digest()))
                .unwrap_or_default();
            let publishes = if consumer.publishes.is_empty() {
                String::new()
            } else {
                format!(", publishes {}", consumer.publishes.join(", "))
            };
            lines.push(format!(
                "{}: takes `{}` from {}, handled by {}{digest}{publishes}",
                consumer.name, consumer.message.name, consumer.queue, consumer.handler.component
            ));
        }
        let topology = topology::derive(contract);
        lines.push(format!(
            "{}: sound. {} exchanges, {} queues (with wait queues), {} bindings, {} consumers",
            self.contract.path.display(),
            topology.exchanges.len(),
            topology.queues.len(),
            topology.bindings.len(),
            contract.consumers.len(),
        ));
        for later in contract.cannot_run() {
            lines.push(format!("but `warren run` will refuse it: {}", later.says));
        }
        lines.join("\n") + "\n"
    }
}
