//! `warren run`: two runtimes, the signals, and the host between them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Health};
use crate::load;
use crate::metrics::Metrics;
use crate::run::{Host, RunError};
use crate::sandbox::Lanes;

use super::{BrokerArgs, CacheArgs, ContractArgs, DataArgs, Exit, heavy_threads, print_problems};

/// Declare the topology and consume until Ctrl-C or SIGTERM
///
/// A broker that is not there is waited for; one that goes away is connected to again, and nothing is lost. On Ctrl-C or
/// SIGTERM no more messages are taken, those in flight are finished, the rest goes back to its queues, and the exit code
/// is 0. A second signal ends the program at once, which loses nothing either.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    contract: ContractArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    cache: CacheArgs,
    #[command(flatten)]
    data: DataArgs,

    /// How long to finish what is in flight when stopping, in seconds
    #[arg(long, env = "WARREN_GRACE_SECONDS", value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=3600))]
    grace_seconds: u64,

    /// Serve /livez, /readyz and /metrics (OpenMetrics) on this address, such as 127.0.0.1:9464
    #[arg(long, env = "WARREN_ADMIN", value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
}

impl Run {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let Some(address) = self.broker.address() else { return Ok(Exit::Usage) };
        let Some(loaded) = self.contract.load() else { return Ok(Exit::Contract) };
        let later = loaded.contract.cannot_run();
        if !later.is_empty() {
            print_problems(&loaded.contract.problems(later));
            return Ok(Exit::Contract);
        }
        for warning in loaded.contract.warnings().list() {
            tracing::warn!(warning = warning.name, at = warning.path(), "{}", warning.says);
        }
        raise_open_files();
        let amqp = Builder::new_multi_thread().worker_threads(1).thread_name("amqp").enable_all().build()?;
        // From here on, also while components are compiled, a signal means a clean end.
        let signals = {
            let _context = amqp.enter();
            Signals {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            }
        };
        let metrics = Arc::new(Metrics::new());
        let health = Arc::new(Health::default());
        if let Some(address) = self.admin {
            let listener = match amqp.block_on(admin::listen(address)) {
                Ok(listener) => listener,
                Err(error) => {
                    eprintln!("error: cannot serve health and metrics on {address}: {error}");
                    return Ok(Exit::Usage);
                }
            };
            tracing::info!(address = %listener.local_addr()?, "serving health and metrics");
            amqp.spawn(admin::serve(listener, Arc::clone(&metrics), Arc::clone(&health)));
        }
        // Guests get a runtime of their own, so that none of them can hold up a heartbeat.
        let guests = Builder::new_multi_thread().thread_name("guests").enable_all().build()?;
        let heavy = heavy_threads::runtime()?;
        let lanes = Lanes::new(guests.handle().clone(), heavy.handle().clone());
        let means =
            self.cache.means(lanes, Arc::clone(&metrics), |cache| self.data.premises(&loaded, cache))?;
        let handlers = match guests.block_on(load::handlers(&loaded, means))? {
            Ok(handlers) => handlers,
            Err(problems) => {
                print_problems(&problems);
                return Ok(Exit::Contract);
            }
        };
        let grace = Duration::from_secs(self.grace_seconds);
        let host = Host::new(&loaded.contract, handlers, address, grace, guests.handle().clone(), health);
        let ended = amqp.block_on(until_stopped(&host, signals));
        guests.shutdown_timeout(Duration::from_secs(1));
        heavy.shutdown_timeout(Duration::from_secs(1));
        // A name server that does not answer must not hold up the end.
        amqp.shutdown_timeout(Duration::from_secs(1));
        Ok(match ended {
            Ok(()) => Exit::Done,
            Err(error) => {
                eprintln!("error: {error}");
                match error {
                    RunError::Connect(_) => Exit::NoPermission,
                    RunError::Declare(_) | RunError::TooOld(_) => Exit::Contract,
                }
            }
        })
    }
}

/// Raises the limit of open files as far as it may be. Each request of a handler has a socket of its own, and the limit that
/// programs begin with, often 1,024, is low only for the sake of those that use `select`.
fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, current, maximum, "the limit of open files could not be raised");
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

async fn until_stopped(host: &Host, mut signals: Signals) -> Result<(), RunError> {
    let stop = CancellationToken::new();
    let running = host.run(stop.clone());
    tokio::pin!(running);
    loop {
        tokio::select! {
            ended = &mut running => return ended,
            _ = signals.interrupt.recv() => {}
            _ = signals.terminate.recv() => {}
        }
        if stop.is_cancelled() {
            leave_now();
        }
        stop.cancel();
    }
}

#[expect(clippy::exit, reason = "asked for twice; the broker hands out again whatever was not settled")]
fn leave_now() {
    eprintln!("stopped at once; unfinished messages go back to their queues");
    std::process::exit(Exit::Interrupted as i32);
}

/// A runtime for commands that only talk to the broker.
pub(super) fn client_runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).enable_all().build()
}
