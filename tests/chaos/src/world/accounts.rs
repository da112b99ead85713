//! The accounting at the end of a scenario: everything comes to rest, hosts end well, and what is left is judged.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{GRACE_SECONDS, STALLED, World};
use crate::check::{Rules, check};
use crate::contract::Retry;
use crate::evidence::Evidence;
use crate::load::Load;
use crate::wait::pause;

/// How long the queues have to be empty: longer than the broker's counts are old.
const EMPTY: Duration = Duration::from_secs(3);
/// How long before and after a fault duplicates are put down to it.
const SLACK: Duration = Duration::from_secs(5);
/// The queues that messages stay in.
const ENDS: [&str; 2] = ["echoes", "dead"];

impl World {
    /// The end of every scenario: waits until everything is published and has come to an end, stops the hosts, which have
    /// to end well, and judges.
    pub(crate) fn account(&self) -> Result<()> {
        let load = self.load.borrow().clone().context("a scenario without a load")?;
        load.until_confirmed(self.size.messages, STALLED)?;
        self.note("everything is published");
        let drained = self.until_drained();
        let stopped = drained.and_then(|()| self.stop_hosts());
        // Judged in any case: what is lost or left over matters more than that time ran out.
        let left = stopped.and_then(|()| self.until_drained());
        self.note("everything is at rest");
        let evidence = self.evidence(&load)?;
        let contract = self.contract.borrow();
        let rules = Rules {
            attempts_max: contract.attempts_max(),
            in_flight: usize::from(contract.prefetch) * self.hosts_at_once.get(),
            wait_queues: if contract.retry == Retry::TtlBackoff { 2 } else { 0 },
            slack_ms: u64::try_from(SLACK.as_millis())?,
            tasks_decide: self.tasks_decide.get(),
            also: self.also.get(),
            lost_per_fault: self.lost_per_fault.get(),
        };
        let verdict = check(&evidence, &rules);
        *self.evidence.borrow_mut() = evidence;
        let findings = verdict.findings.join("\n  ");
        *self.verdict.borrow_mut() = verdict;
        match (left, findings.is_empty()) {
            (left, true) => left,
            (Ok(()), false) => bail!("the accounts do not balance:\n  {findings}"),
            (Err(error), false) => bail!("{error:#}; the accounts do not balance:\n  {findings}"),
        }
    }

    /// Waits until every queue but the two ends is empty, and stays so.
    pub(crate) fn until_drained(&self) -> Result<()> {
        let mut empty_since = None;
        let mut seen = Vec::new();
        let (mut moved, mut told) = (Instant::now(), String::new());
        loop {
            pause(Duration::from_millis(250));
            ensure!(moved.elapsed() < STALLED, "nothing has moved for {} s: {told}", STALLED.as_secs());
            let messages = match self.management.messages() {
                Ok(messages) => messages,
                Err(error) => {
                    told = format!("{error:#}");
                    continue;
                }
            };
            let now: Vec<u64> = messages.values().copied().collect();
            if now != seen {
                (seen, moved) = (now, Instant::now());
            }
            let left: Vec<String> = messages
                .iter()
                .filter(|(queue, count)| !ENDS.contains(&queue.as_str()) && **count > 0)
                .map(|(queue, count)| format!("{count} in `{queue}`"))
                .collect();
            if !left.is_empty() {
                empty_since = None;
            } else if empty_since.get_or_insert_with(Instant::now).elapsed() > EMPTY {
                return Ok(());
            }
            told = left.join(", ");
        }
    }

    fn stop_hosts(&self) -> Result<()> {
        let hosts = self.hosts.borrow();
        let mut running = Vec::new();
        for host in hosts.iter() {
            if host.ended()?.is_none() {
                host.terminate()?;
                running.push(host);
            }
        }
        for host in running {
            let code = host.until_exit(Duration::from_secs(GRACE_SECONDS + 10))?;
            if code != 0 {
                bail!("the host ended with exit code {code}");
            }
        }
        Ok(())
    }

    fn evidence(&self, load: &Load) -> Result<Evidence> {
        self.harvest()?;
        let (echoes, dead) = self.harvest.take();
        let mut executions = Vec::new();
        for host in self.hosts.borrow().iter() {
            executions.extend(host.with_log(|log| log.executions.clone()));
        }
        let mut left = self.management.messages()?;
        left.retain(|queue, _| !ENDS.contains(&queue.as_str()));
        let (sent, faults) = (load.ledger(), self.faults.borrow().clone());
        Ok(Evidence { sent, executions, echoes, dead, faults, left })
    }
}
