//! Waits until every order has ended: writes down what comes, starts the host again when it dies, and kills it as
//! often as was asked for.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::evidence::Witness;
use crate::host::Host;
use crate::ledger::{Ending, Ledger};

/// After this long without progress the wait is over.
const PROGRESS_DEADLINE: Duration = Duration::from_secs(120);
/// A host that dies this often by itself, or by somebody else's hand, is not started again.
const DEATHS_MAX: usize = 200;
const TICK: Duration = Duration::from_millis(10);
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// How often the counts are printed where no bar can be drawn.
const COUNTS_EVERY: Duration = Duration::from_secs(3);
/// How long a life lasts that ends in a kill: until a random share of the work that is left is done, but no longer than
/// this. So kills come in the middle of work, and spread over all of it.
const SHORT_LIFE_MAX: Duration = Duration::from_millis(500);
/// How long every fourth life lasts: enough for a handler to reach its deadline. A message that was handed over 100
/// times and never finished would, rightly, be taken for poison.
const LONG_LIFE: Duration = Duration::from_millis(400);

/// A wait, and what happened during it.
pub(crate) struct Watch {
    bar: ProgressBar,
    /// When the counts were printed last; none where a bar shows them.
    counted: Option<Instant>,
    kills_asked: usize,
    kills: usize,
    deaths: usize,
    next_kill: Option<NextKill>,
}

/// When the host is to be killed next: when that many endings are found, or at a certain time, whichever is first.
#[derive(Debug)]
struct NextKill {
    at_ended: usize,
    at_latest: Instant,
}

impl Watch {
    pub(crate) fn new(ledger: &Ledger, kills: usize) -> Self {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} accounted for  {msg}");
        let bar = ProgressBar::new(ledger.owed() as u64)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let counted = (!std::io::stderr().is_terminal()).then(Instant::now);
        Self { bar, counted, kills_asked: kills, kills: 0, deaths: 0, next_kill: None }
    }

    /// The bar, to print above it.
    pub(crate) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// How often the host was killed, and how often it died by itself.
    pub(crate) fn lives_lost(&self) -> (usize, usize) {
        (self.kills, self.deaths)
    }

    /// Waits until every ending that is owed is found, or nothing has happened for too long.
    pub(crate) async fn until_accounted(
        &mut self,
        host: &mut Host,
        witness: &mut Witness,
        ledger: &mut Ledger,
    ) -> Result<()> {
        let mut tick = tokio::time::interval(TICK);
        let mut show = tokio::time::interval(SHOW_EVERY);
        let mut progressed = Instant::now();
        while ledger.ended() < ledger.owed() {
            tokio::select! {
                news = witness.next() => {
                    if witness.write_down(news?, ledger).await? {
                        progressed = Instant::now();
                    }
                }
                status = host.ended() => {
                    self.deaths += 1;
                    self.say(&format!("the host died by itself, with {}; starting it again", status?));
                    if self.deaths > DEATHS_MAX {
                        bail!("the host keeps dying; its last words:\n{}", host.last_words()?);
                    }
                    host.restart()?;
                }
                _ = show.tick() => self.show(ledger),
                _ = tick.tick() => {}
            }
            if self.kill_is_due(host, ledger)? {
                self.kill(host, ledger).await?;
            }
            if progressed.elapsed() > PROGRESS_DEADLINE {
                self.say(&format!("nothing has happened for {} s", PROGRESS_DEADLINE.as_secs()));
                break;
            }
        }
        self.show(ledger);
        self.bar.finish_and_clear();
        Ok(())
    }

    /// Whether the host is to be killed now.
    fn kill_is_due(&mut self, host: &mut Host, ledger: &Ledger) -> Result<bool> {
        // Asked also when no kill is to come: this is where a host that never gets ready is noticed.
        let Some(ready) = host.ready_since()? else { return Ok(false) };
        if self.kills == self.kills_asked || ledger.ended() == ledger.owed() {
            return Ok(false);
        }
        let (kills_left, open) = (self.kills_asked - self.kills, ledger.owed() - ledger.ended());
        let every_fourth = self.kills % 4 == 3;
        let next = self.next_kill.get_or_insert_with(|| {
            if every_fourth {
                return NextKill { at_ended: usize::MAX, at_latest: ready + LONG_LIFE };
            }
            let endings = fastrand::usize(1..=(2 * open / (kills_left + 1)).max(1));
            let at_latest = ready + SHORT_LIFE_MAX.mul_f64(fastrand::f64());
            NextKill { at_ended: ledger.ended() + endings, at_latest }
        });
        Ok(ledger.ended() >= next.at_ended || Instant::now() >= next.at_latest)
    }

    async fn kill(&mut self, host: &mut Host, ledger: &Ledger) -> Result<()> {
        host.kill().await?;
        self.kills += 1;
        self.next_kill = None;
        let (ended, owed) = (ledger.ended(), ledger.owed());
        self.say(&format!(
            "SIGKILL {} of {}, with {ended} of {owed} accounted for",
            self.kills, self.kills_asked
        ));
        host.restart()
    }

    fn show(&mut self, ledger: &Ledger) {
        self.bar.set_position(ledger.ended() as u64);
        let is = |ending: Ending| ledger.count(|evidence| evidence.ending == ending);
        let counts = format!(
            "paid {}  reserved {}  told {}  dead letters {}",
            is(Ending::Settled),
            is(Ending::Reserved),
            is(Ending::Notified),
            ledger.dead_letters()
        );
        if let Some(counted) = &mut self.counted
            && (counted.elapsed() > COUNTS_EVERY || ledger.ended() == ledger.owed())
        {
            *counted = Instant::now();
            println!("  {}/{} accounted for: {counts}", ledger.ended(), ledger.owed());
        }
        self.bar.set_message(counts);
    }

    /// Prints a line above the bar.
    fn say(&self, line: &str) {
        self.bar.suspend(|| println!("  {line}"));
    }
}
