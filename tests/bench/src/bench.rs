//! What every workload has at hand: the broker, the host's binary, the guests, and a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::broker::{Client, Node, root};

/// The surroundings of a run.
#[derive(Debug)]
pub(crate) struct Bench {
    /// The host's binary.
    pub(crate) warren: PathBuf,
    /// Where the test guests are.
    pub(crate) guests: PathBuf,
    /// Where the handlers in other languages are.
    pub(crate) languages: PathBuf,
    /// Where the clients of Node and Python are.
    pub(crate) clients: PathBuf,
    /// For logs and contracts.
    pub(crate) folder: PathBuf,
    /// How many rounds.
    pub(crate) rounds: usize,
    /// How many messages of up to 1 KiB a queue is filled with.
    pub(crate) messages: usize,
    /// How many calls the host runs at once.
    pub(crate) concurrency: u16,
    /// Only the sides with these letters, if there are any.
    pub(crate) letters: Vec<char>,
    /// Where the broker is.
    pub(crate) url: String,
    /// Its host and port.
    pub(crate) address: String,
    /// Its process.
    pub(crate) broker: u32,
    /// The driver's connection to it.
    pub(crate) client: Client,
}

/// How much is measured, as given.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Extent {
    /// How many rounds, in which each side has its turn
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    pub(crate) rounds: usize,
    /// How many messages of up to 1 KiB a run has; fewer where they are larger, or a side is slow
    #[arg(long, value_name = "NUMBER", default_value_t = 30_000)]
    pub(crate) messages: usize,
    /// How many calls the host runs at once
    #[arg(long, value_name = "NUMBER", default_value_t = CONCURRENCY)]
    pub(crate) concurrency: u16,
    /// Only these sides, by their letters in the tables, such as b,e
    #[arg(long, value_name = "LETTER", value_delimiter = ',')]
    pub(crate) sides: Vec<char>,
}

/// The contract's default. With 64 and 256 the host was no faster.
pub(crate) const CONCURRENCY: u16 = 16;

/// Where things are, as given.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Places {
    /// The host's binary
    #[arg(long, value_name = "FILE", env = "WARREN_BENCH_HOST", default_value = "target/release/warren")]
    warren: PathBuf,
    /// The folder of the test guests
    #[arg(long, value_name = "FOLDER", env = "WARREN_BENCH_GUESTS", default_value = "target/behaviours")]
    guests: PathBuf,
    /// The folder of the handlers in other languages
    #[arg(long, value_name = "FOLDER", env = "WARREN_BENCH_LANGUAGES", default_value = "target/languages")]
    languages: PathBuf,
    /// The folder of the clients of Node and Python, and for the benchmark's own files
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    work: PathBuf,
}

impl Bench {
    /// Looks everything up and connects to the broker.
    pub(crate) async fn new(places: &Places, node: &Node, extent: &Extent) -> Result<Self> {
        let find = |place: &Path| {
            let place = if place.is_absolute() { place.to_path_buf() } else { root().join(place) };
            place.canonicalize().with_context(|| format!("there is no {}", place.display()))
        };
        let clients = find(&places.work)?;
        let folder = clients.join("run");
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            warren: find(&places.warren)?,
            guests: find(&places.guests)?,
            languages: root().join(&places.languages),
            clients,
            folder,
            rounds: extent.rounds,
            messages: extent.messages,
            concurrency: extent.concurrency,
            letters: extent.sides.clone(),
            url: node.url.clone(),
            address: node.address()?.to_owned(),
            broker: node.pid,
            client: Client::open(&node.url).await?,
        })
    }

    /// The host, with a cache of the benchmark's own, and no settings of the caller's.
    pub(crate) fn warren(&self) -> Command {
        let mut command = Command::new(&self.warren);
        for name in
            ["WARREN_AMQP_URL", "WARREN_MANAGEMENT_URL", "WARREN_LOG", "WARREN_LOG_FORMAT", "WARREN_ADMIN"]
        {
            command.env_remove(name);
        }
        command
            .env("WARREN_CACHE_DIR", self.folder.join("cache"))
            .env("WARREN_DATA", self.folder.join("data"));
        command
    }
}
