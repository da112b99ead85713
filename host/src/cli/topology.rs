//! `warren topology`: what a contract has on the broker.

use clap::{Args, ValueEnum};

use crate::topology::definitions::definitions;
use crate::topology::derive;
use crate::topology::overview::Overview;
use crate::topology::picture::Picture;

use super::{ContractArgs, Exit, print_data};

/// Show what a contract declares on the broker: exchanges, queues, bindings, where dead letters go; needs no broker
///
/// Wait queues, and bindings that follow from events and commands, are among it. What somebody else declares is shown and
/// never declared.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Topology {
    #[command(flatten)]
    contract: ContractArgs,

    /// How to show it. `json`: everything, with what it is for. `definitions`: what `rabbitmqctl import_definitions` and
    /// the management API take. `mermaid` and `dot`: a picture
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// The vhost of the definitions; it has to exist when they are imported
    #[arg(long, value_name = "NAME", default_value = "/")]
    vhost: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Definitions,
    Mermaid,
    Dot,
}

const AFTER_HELP: &str = "\
Examples:
  warren topology contract.yaml
  warren topology contract.yaml --format definitions --vhost shop > shop.json
  rabbitmqctl import_definitions shop.json
  warren topology contract.yaml --format dot | dot -Tsvg > topology.svg

The JSON has contract, version, needsNativeDelay, and as arrays:
  exchanges   name, type, declared, domain, durable, autoDelete, internal, arguments,
              alternateExchange, deadLettersOf
  queues      name, type, declared, domain, durable, exclusive, autoDelete, arguments,
              consumer, rpc, wait { queue, baseMs, minMs, maxMs }, deadLettersOf,
              deadLetter { exchange, routingKey, queues }
  bindings    exchange, queue or toExchange, routingKey, arguments, from (a JSON pointer)
  publishers  name, kind, exchange, routingKey, pattern, message
  consumers   name, queue, message, component, delivery, publishes
`declared` is false for what somebody else declares. Later versions may add fields;
none changes its meaning.";

impl Topology {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let Some(loaded) = self.contract.load() else { return Ok(Exit::Contract) };
        let topology = derive(&loaded.contract);
        let overview = Overview::new(&loaded.contract, &topology);
        let text = match self.format {
            Format::Table => overview.table(),
            Format::Json => serde_json::to_string_pretty(&overview)? + "\n",
            Format::Mermaid => Picture::new(&overview).mermaid(),
            Format::Dot => Picture::new(&overview).dot(&loaded.contract.name),
            Format::Definitions => {
                let definitions = definitions(&topology, &self.vhost);
                for left_out in &definitions.left_out {
                    eprintln!("left out: {left_out}");
                }
                format!("{:#}\n", definitions.json)
            }
        };
        print_data(&text)?;
        Ok(Exit::Done)
    }
}
