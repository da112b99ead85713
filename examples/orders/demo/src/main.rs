//! What `make demo` ends with: a thousand orders, some of them bad on purpose, through a real broker and a real host,
//! and an account of what became of every single one.
//!
//! In reading order: `options`, `orders` (what is published, and what has to come of it), `host` (the program under
//! test, started, killed and stopped), `evidence` (what the broker's queues tell), `watch` (waits, and kills),
//! `ledger` (compares), `report` (says so).

mod evidence;
mod host;
mod ledger;
mod options;
mod orders;
mod publish;
mod report;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

use evidence::Witness;
use host::Host;
use ledger::Ledger;
use options::Options;
use publish::publish;

/// Where the demo keeps its files.
const FOLDER: &str = ".warren/demo";

/// The story in full: what it asks for, and what was found.
struct Demo {
    options: Options,
    /// Names this run; every order's id and message id start with it.
    run: String,
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error:#}\n\n{}", options::HELP);
            return ExitCode::from(64);
        }
    };
    let run = format!("demo-{:06x}", fastrand::u32(..1 << 24));
    let demo = Demo { options, run, folder: PathBuf::from(FOLDER) };
    // Leaving this select drops what is running, and with it the host.
    let ended = tokio::select! {
        ended = demo.tell() => ended,
        interrupted = interrupted() => interrupted.and_then(|()| Err(anyhow::anyhow!("interrupted"))),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Demo {
    /// Runs everything; whether every order ended as it should.
    async fn tell(&self) -> Result<bool> {
        let Options { orders, kills, warren, contract, amqp_url } = &self.options;
        let kinds = orders::mix(*orders);
        report::mix(&self.run, &kinds);
        let (file, refused_file) = self.write_orders(&kinds)?;

        let began = Instant::now();
        let mut host = Host::start(warren, contract, &self.folder.join("host.log"))?;
        host.until_ready().await?;
        println!("started `warren run {}`, ready after {:.1?}", contract.display(), began.elapsed());

        publish::shows_refusal(warren, contract, &refused_file).await?;

        let mut ledger = Ledger::new(&kinds);
        // About one order in eight makes a dead letter, and kills make duplicates.
        let mut witness = Witness::open(amqp_url, &self.run, *orders).await?;
        let mut watch = watch::Watch::new(&ledger, *kills);
        let bar = watch.bar();
        let publishing = async {
            let summary = publish(warren, contract, &file, &self.run).await?;
            bar.suspend(|| println!("{summary}"));
            Ok(())
        };
        let watching = watch.until_accounted(&mut host, &mut witness, &mut ledger);
        let began = Instant::now();
        tokio::try_join!(publishing, watching)?;
        let elapsed = began.elapsed();

        // A kill may have been the last thing that happened.
        host.until_ready().await?;
        let stopped = host.stop().await?;
        println!("stopped the host with SIGTERM: it finished what it had, and exited with {stopped}");
        witness.listen_until_quiet(&mut ledger).await?;
        report::account(&ledger);
        let sound = report::verdict(&self.run, &ledger, &watch, elapsed);
        report::next(&self.options, &self.folder);
        Ok(sound)
    }

    /// Writes all orders, and the invalid ones among them once more on their own; the paths of both files.
    fn write_orders(&self, kinds: &[orders::Kind]) -> Result<(PathBuf, PathBuf)> {
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder `{}`", self.folder.display()))?;
        let lines = orders::lines(&self.run, kinds);
        let invalid = |index: &usize| matches!(kinds[*index], orders::Kind::Invalid(_));
        let sample: Vec<&str> = (0..lines.len()).filter(invalid).map(|index| lines[index].as_str()).collect();
        let (all_path, sample_path) =
            (self.folder.join("orders.jsonl"), self.folder.join("invalid-sample.jsonl"));
        for (path, text) in [(&all_path, lines.join("\n")), (&sample_path, sample.join("\n"))] {
            std::fs::write(path, text + "\n")
                .with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok((all_path, sample_path))
    }
}

/// Resolves on Ctrl-C or SIGTERM.
async fn interrupted() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
