//! `warren plan`: the contract against a broker, without a change to it; and how `plan` and `apply` look at a broker.

use clap::{Args, ValueEnum};
use tokio::runtime::Runtime;

use crate::broker::{self, Address, ConnectError, Connection, DeclareError, Management, ManagementError};
use crate::plan::observed::Observed;
use crate::plan::{self, Place, Verdict};
use crate::topology::{self, Topology};

use super::run::client_runtime;
use super::{BrokerArgs, ContractArgs, Exit, ManagementArgs, print_data};

/// Compare a contract with what is on the broker; changes nothing
///
/// Says of each exchange, queue and binding whether it is there, missing or different, in which argument, and what to do;
/// which policies change what the contract says; and what is left of older contracts. Exits with 0 if there is nothing to
/// do, with 75 if `warren apply` has something to create, and with 78 if a person has to do something first: change what is
/// there with other arguments, or have somebody create what is theirs.
///
/// Everything is seen through the management API (--management-url). Without it, each thing is asked for over AMQP; what
/// exists is then declared once more as the contract has it, which changes nothing.
#[derive(Debug, Args)]
#[command(name = "plan")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    contract: ContractArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    management: ManagementArgs,

    /// How to show the plan. `json`: an object with everything, also what is as the contract says
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

impl PlanArgs {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let Some(address) = self.broker.address_beside(&self.management) else { return Ok(Exit::Usage) };
        let Some(loaded) = self.contract.load() else { return Ok(Exit::Contract) };
        let topology = topology::derive(&loaded.contract);
        let looked = look(&client_runtime()?, &address, &self.management, &topology);
        let observed = match looked {
            Ok(Looked { observed, .. }) => observed,
            Err(error) => return Ok(error.say()),
        };
        let contract = self.contract.path.display().to_string();
        let plan = plan::plan(&topology, &observed, Place { vhost: address.vhost(), contract: &contract });
        match self.format {
            Format::Human => print_data(&plan.render())?,
            Format::Json => print_data(&format!("{:#}\n", plan.to_json()))?,
        }
        Ok(exit(plan.verdict(false)))
    }
}

/// How a verdict ends a command that changes nothing.
pub(super) fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Nothing => Exit::Done,
        Verdict::Changes => Exit::Pending,
        Verdict::Blocked => Exit::Contract,
    }
}

/// What was seen, and the management API it was seen through, if it was.
pub(super) struct Looked {
    pub(super) observed: Observed,
    pub(super) management: Option<Management>,
}

/// Why a broker could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error("--management-url or WARREN_MANAGEMENT_URL cannot be used: {0}")]
    Url(ManagementError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Declare(#[from] DeclareError),
}

impl LookError {
    /// Prints it, and gives the exit code for it.
    pub(super) fn say(&self) -> Exit {
        eprintln!("error: {self}");
        match self {
            Self::Url(_) => Exit::Usage,
            Self::Connect(ConnectError::Refused { .. }) => Exit::NoPermission,
            Self::Connect(ConnectError::Unreachable { .. }) | Self::Declare(DeclareError::Broker(_)) => {
                Exit::Unavailable
            }
            Self::Declare(DeclareError::Conflict(_) | DeclareError::Refused { .. }) => Exit::Contract,
        }
    }
}

/// Looks at the broker: through the management API if there is one, or else over AMQP.
pub(super) fn look(
    runtime: &Runtime,
    address: &Address,
    management: &ManagementArgs,
    topology: &Topology,
) -> Result<Looked, LookError> {
    if let Some(url) = management.url() {
        let management = Management::at(url, address).map_err(LookError::Url)?;
        match management.observe() {
            Ok(observed) => return Ok(Looked { observed, management: Some(management) }),
            Err(error) => tracing::warn!("{error}; looking at the broker over AMQP instead"),
        }
    }
    let observed = runtime.block_on(async {
        let version = broker::version(address).await?;
        let connection = Connection::open(address, "warren plan").await?;
        let observed = broker::observe(&connection, topology, version).await?;
        connection.close().await;
        Ok::<_, LookError>(observed)
    })?;
    Ok(Looked { observed, management: None })
}
