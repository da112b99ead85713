//! `warren check`: everything that can be known without a broker.

use clap::Args;

use crate::load;
use crate::sandbox::Handler;
use crate::topology;

use super::{CacheArgs, ContractArgs, Exit, print_problems};

/// Check a contract, its schemas and its components; needs no broker
///
/// Does everything that `run` does before it connects: reads the contract, follows every name, looks for ways to lose a
/// message, loads each component, checks that it fits and can be started.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    contract: ContractArgs,
    #[command(flatten)]
    cache: CacheArgs,
}

impl Check {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let Some(loaded) = self.contract.load() else { return Ok(Exit::Contract) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handlers = match runtime.block_on(load::handlers(&loaded, self.cache.open()?))? {
            Ok(handlers) => handlers,
            Err(problems) => {
                print_problems(&problems);
                return Ok(Exit::Contract);
            }
        };
        let contract = &loaded.contract;
        let topology = topology::derive(contract);
        for consumer in contract.consumers.values() {
            let digest =
                handlers.by_consumer.get(&consumer.name).map(Handler::short_digest).unwrap_or_default();
            let publishes = if consumer.publishes.is_empty() {
                String::new()
            } else {
                format!(", publishes {}", consumer.publishes.join(", "))
            };
            println!(
                "{}: takes `{}` from {}, handled by {} ({digest}){publishes}",
                consumer.name, consumer.message.name, consumer.queue, consumer.handler.component
            );
        }
        println!(
            "{}: sound. {} exchanges, {} queues (with wait queues), {} bindings, {} consumers",
            self.contract.path.display(),
            topology.exchanges.len(),
            topology.queues.len(),
            topology.bindings.len(),
            contract.consumers.len(),
        );
        Ok(Exit::Done)
    }
}
