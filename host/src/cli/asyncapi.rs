//! `warren asyncapi`: the contract as an AsyncAPI document.

use clap::{Args, ValueEnum};

use crate::asyncapi::{Server, document};

use super::{ContractArgs, Exit, print_data};

/// Write a contract as an AsyncAPI 3.1 document
///
/// For documentation, code generators and whatever else reads AsyncAPI: channels, operations and messages with AMQP
/// bindings. What AsyncAPI has no word for is in `x-amqp-...` and `x-warren` extensions, so `warren import` makes a
/// contract of the document again. Values of environment variables are put in. Needs no broker and no components.
#[derive(Debug, Args)]
pub(super) struct Asyncapi {
    #[command(flatten)]
    contract: ContractArgs,

    /// The format of the document
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    format: Format,

    /// A broker to name in the document, as [NAME=]amqp[s]://host[:port][/vhost]; may be given several times. User and
    /// password are left out
    #[arg(long = "server", value_name = "URL")]
    servers: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

impl Asyncapi {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let mut servers: Vec<Server> = Vec::new();
        for text in &self.servers {
            // Not clap's affair: it would print the text, and so a password.
            let server = match Server::parse(text) {
                Ok(server) if servers.iter().any(|other| other.name == server.name) => {
                    Err(format!("another server is called `{}` as well", server.name))
                }
                parsed => parsed,
            };
            match server {
                Ok(server) => servers.push(server),
                Err(says) => {
                    eprintln!(
                        "error: --server is not a broker: {says}\n\nhint: write [NAME=]amqp://host:port/vhost, with the vhost `/` as %2f"
                    );
                    return Ok(Exit::Usage);
                }
            }
        }
        let Some(loaded) = self.contract.load() else { return Ok(Exit::Contract) };
        let document = document(&loaded.contract, &servers);
        print_data(&match self.format {
            Format::Yaml => document.to_yaml(),
            Format::Json => document.to_json(),
        })?;
        Ok(Exit::Done)
    }
}
