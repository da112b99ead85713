//! `warren apply`: creates what a contract asks for and a broker does not have. `carry` carries out the changes.

mod carry;

use clap::Args;

use crate::plan::{self, Place, Plan};
use crate::topology;

use super::plan::{Looked, exit, look};
use super::run::client_runtime;
use super::{BrokerArgs, ContractArgs, Exit, ManagementArgs, to_stdout};

use carry::Carrier;

/// Create on the broker what the contract asks for and is not there
///
/// Declares missing exchanges, queues and bindings, in an order in which no message falls into a gap. What is there is never
/// changed: if something is there with other arguments, or if something that is somebody else's is missing, nothing is
/// applied and the plan says what to do (see also --partial). Exits with 0 if the broker has what the contract asks for;
/// running it again then does nothing.
#[derive(Debug, Args)]
pub(super) struct Apply {
    #[command(flatten)]
    contract: ContractArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    management: ManagementArgs,

    /// Also remove what older versions of the contract left: other bindings of its queues, and its wait queues of other
    /// delays. A queue is deleted only if it is empty and nobody consumes from it; its messages go back to their work queue
    /// by themselves, so run this again later. Stop the hosts of older versions first. Needs --management-url
    #[arg(long)]
    prune: bool,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// Create what can be created, even if a person has to do something about the rest; still exits with 78
    #[arg(long)]
    partial: bool,
}

impl Apply {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let Some(address) = self.broker.address_beside(&self.management) else { return Ok(Exit::Usage) };
        let Some(loaded) = self.contract.load() else { return Ok(Exit::Contract) };
        let topology = topology::derive(&loaded.contract);
        let runtime = client_runtime()?;
        let Looked { observed, management } = match look(&runtime, &address, &self.management, &topology) {
            Ok(looked) => looked,
            Err(error) => return Ok(error.say()),
        };
        let contract = self.contract.path.display().to_string();
        let plan = plan::plan(&topology, &observed, Place { vhost: address.vhost(), contract: &contract });
        if self.dry_run {
            to_stdout(&plan.render());
            return Ok(exit(plan.verdict(self.prune)));
        }
        if let Some(exit) = self.refuse(&plan) {
            return Ok(exit);
        }
        for warning in &plan.warnings {
            eprintln!("warning: {warning}");
        }
        if self.prune && management.is_none() {
            eprintln!("warning: without the management API, it cannot be seen what to remove");
        }
        let changes = plan.changes(&topology, self.prune);
        let carried = runtime.block_on(Carrier::new(&address, management).carry(&changes));
        for binding in plan.left_out() {
            eprintln!(
                "left out: {}, which has to do with what is different or missing",
                plan::Thing::Binding(binding)
            );
        }
        Ok(match carried {
            Exit::Done | Exit::Pending if plan.is_blocked() => {
                eprint!("{}", plan.render_blocked());
                Exit::Contract
            }
            carried => carried,
        })
    }

    /// Refuses a plan that must not be carried out.
    fn refuse(&self, plan: &Plan<'_>) -> Option<Exit> {
        let (too_old, blocked) = (!plan.too_old.is_empty(), plan.is_blocked());
        if !too_old && (!blocked || self.partial) {
            return None;
        }
        eprint!("{}", plan.render_blocked());
        let hint = if too_old { "" } else { "\n\nhint: --partial creates what can be created" };
        eprintln!("error: nothing was applied{hint}");
        Some(Exit::Contract)
    }
}
