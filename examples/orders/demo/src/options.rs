//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

pub(crate) const HELP: &str = "\
orders-demo: publishes orders, some of them bad on purpose, and accounts for every one

  --orders N        how many orders to publish [1000]
  --kills N         how often to kill the host with SIGKILL while it works [0]
  --warren FILE     the host [target/release/warren]
  --contract FILE   the contract [examples/orders/contract.yaml]

The broker is the one of the environment variable WARREN_AMQP_URL: eval \"$(scripts/broker env)\"";

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) orders: usize,
    pub(crate) kills: usize,
    pub(crate) warren: PathBuf,
    pub(crate) contract: PathBuf,
    pub(crate) amqp_url: String,
}

impl Options {
    /// Reads the arguments; none if help is asked for.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut options = Self {
            orders: 1000,
            kills: 0,
            warren: PathBuf::from("target/release/warren"),
            contract: PathBuf::from("examples/orders/contract.yaml"),
            amqp_url: String::new(),
        };
        while let Some(argument) = arguments.next() {
            if matches!(argument.as_str(), "-h" | "--help") {
                return Ok(None);
            }
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let mut value =
                || value.clone().or_else(|| arguments.next()).context(format!("`{name}` needs a value"));
            match name.as_str() {
                "--orders" => options.orders = number(&name, &value()?, 1..=1_000_000)?,
                "--kills" => options.kills = number(&name, &value()?, 0..=1_000)?,
                "--warren" => options.warren = value()?.into(),
                "--contract" => options.contract = value()?.into(),
                _ => bail!("there is no option `{name}`"),
            }
        }
        options.amqp_url = std::env::var("WARREN_AMQP_URL")
            .context("WARREN_AMQP_URL says where the broker is, and is not set")?;
        Ok(Some(options))
    }
}

fn number(name: &str, text: &str, range: std::ops::RangeInclusive<usize>) -> Result<usize> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.with_context(|| format!("`{name}` takes a number from {} to {}", range.start(), range.end()))
}
