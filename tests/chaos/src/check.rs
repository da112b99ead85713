//! Judges the evidence. Pure: the same evidence always gets the same verdict.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Evidence, Victim};

/// The broker moves so many messages at once from a wait queue back to the work queue; all may be there again after it
/// was killed.
const MOVED_AT_ONCE: usize = 32;
/// How many ids a finding names.
const NAMED_MAX: usize = 5;

/// What is allowed, beyond what always holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The most attempts of a message, by the contract.
    pub(crate) attempts_max: u32,
    /// The most messages that are in flight at once: prefetch, times hosts.
    pub(crate) in_flight: usize,
    /// Wait queues.
    pub(crate) wait_queues: usize,
    /// How long before and after a fault duplicates are put down to it, in milliseconds.
    pub(crate) slack_ms: u64,
    /// Whether every message has to end as its task says.
    pub(crate) tasks_decide: bool,
    /// The class of dead letters that the scenario makes appear in place of what the task says: the broker's own reason,
    /// or `redelivered`.
    pub(crate) also: Option<&'static str>,
    /// How many messages each fault may lose; none, but for consumers that ask for it.
    pub(crate) lost_per_fault: usize,
}

/// The verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Confirmed messages that are neither handled nor dead.
    pub(crate) lost: usize,
    /// Likewise, where the consumer asks for at-most-once and faults explain them.
    pub(crate) forgone: usize,
    /// Further copies of what came out or is dead.
    pub(crate) duplicates: usize,
    /// Executions beyond those that the policy asks for.
    pub(crate) again: usize,
    /// What is wrong; nothing if the scenario passes.
    pub(crate) findings: Vec<String>,
}

/// Judges.
pub(crate) fn check(evidence: &Evidence, rules: &Rules) -> Verdict {
    let mut verdict = Verdict::default();
    let outcomes = outcomes(evidence);
    let done = |id: &str| outcomes.get(id).is_some_and(|outcome| !outcome.echoes.is_empty());
    let dead = |id: &str| outcomes.get(id).is_some_and(|outcome| !outcome.classes.is_empty());
    let confirmed = evidence.sent.iter().filter(|(_, sent)| sent.confirmed).map(|(id, _)| id);
    let lost = ids(confirmed.filter(|id| !done(id) && !dead(id)));
    if lost.len() > rules.lost_per_fault * evidence.faults.len() {
        verdict.lost = lost.len();
        verdict.find("confirmed and neither handled nor dead", &lost);
    } else {
        verdict.forgone = lost.len();
    }
    let known = |id: &String| evidence.sent.contains_key(id);
    verdict.find("came out and was never published", &ids(outcomes.keys().filter(|id| !known(id))));
    // Where messages may be lost, what comes again is dead-lettered, whether it was handled or not.
    let doubtful = |id: &str| {
        rules.lost_per_fault > 0
            && outcomes
                .get(id)
                .is_some_and(|outcome| outcome.classes.iter().all(|class| Some(&**class) == rules.also))
    };
    let both = outcomes.keys().filter(|id| done(id) && dead(id) && !doubtful(id));
    verdict.find("both handled and dead", &ids(both));
    let otherwise = outcomes.iter().filter(|(id, outcome)| {
        rules.tasks_decide
            && evidence.sent.get(*id).is_some_and(|sent| !outcome.is(sent.task.class(), rules.also))
    });
    let otherwise: BTreeSet<String> =
        otherwise.map(|(id, outcome)| format!("{id} ({})", outcome.in_words())).collect();
    verdict.find("ended otherwise than its task says", &otherwise);
    let renamed =
        outcomes.iter().filter(|(_, outcome)| outcome.echoes.iter().collect::<BTreeSet<_>>().len() > 1);
    verdict.find("came out under several ids", &ids(renamed.map(|(id, _)| id)));
    for (queue, left) in &evidence.left {
        if *left > 0 {
            verdict.findings.push(format!("{left} messages are left in queue `{queue}`"));
        }
    }
    verdict.attempts(evidence, rules);
    verdict.duplicates(evidence, &outcomes, rules);
    verdict
}

/// What became of one message.
#[derive(Debug, Default)]
struct Ended {
    /// Ids of what came out for it.
    echoes: Vec<String>,
    /// Classes of its dead letters.
    classes: Vec<String>,
}

impl Ended {
    fn is(&self, class: Option<&str>, also: Option<&str>) -> bool {
        let allowed = |found: &str| {
            // What could not be published for long is left to the broker, which gives its own reason.
            class.is_some_and(|class| found == class || found == "rejected") || also == Some(found)
        };
        self.classes.iter().all(|found| allowed(found)) && (class.is_none() || self.echoes.is_empty())
    }

    fn in_words(&self) -> String {
        match self.classes.first() {
            None => "handled".to_owned(),
            Some(class) => format!("dead, class `{class}`"),
        }
    }
}

fn outcomes(evidence: &Evidence) -> BTreeMap<String, Ended> {
    let mut outcomes: BTreeMap<String, Ended> = BTreeMap::new();
    for echo in &evidence.echoes {
        outcomes.entry(echo.input.clone()).or_default().echoes.push(echo.id.clone());
    }
    for dead in &evidence.dead {
        outcomes.entry(dead.id.clone()).or_default().classes.push(dead.class.clone());
    }
    outcomes
}

fn ids<'a>(ids: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    ids.cloned().collect()
}

impl Verdict {
    fn find(&mut self, what: &str, ids: &BTreeSet<String>) {
        if !ids.is_empty() {
            let named: Vec<&str> = ids.iter().take(NAMED_MAX).map(String::as_str).collect();
            self.findings.push(format!("{} {what}: {}", ids.len(), named.join(", ")));
        }
    }

    /// No attempt beyond the policy's; each attempt once for each copy published, and once more for each fault while the
    /// message was under way.
    fn attempts(&mut self, evidence: &Evidence, rules: &Rules) {
        let beyond = evidence.executions.iter().filter(|execution| execution.attempt > rules.attempts_max);
        self.find("had more attempts than the policy allows", &ids(beyond.map(|execution| &execution.id)));
        let beyond = evidence.dead.iter().filter(|dead| dead.attempts > i64::from(rules.attempts_max));
        self.find("dead after more attempts than the policy allows", &ids(beyond.map(|dead| &dead.id)));
        let mut often = BTreeSet::new();
        for (id, times) in by_message(evidence) {
            let sends = evidence.sent.get(id).map_or(1, |sent| sent.sends.max(1)) as usize;
            let all = times.values().flatten();
            let (first, last) = (all.clone().min().copied(), all.max().copied());
            let hit = evidence.faults.iter().filter(|fault| {
                Some(fault.from_ms) <= last && Some(fault.to_ms.saturating_add(rules.slack_ms)) >= first
            });
            let allowed = sends * (1 + hit.count());
            often.extend(times.values().any(|times| times.len() > allowed).then(|| id.to_owned()));
        }
        self.find("executed more often than faults explain", &often);
    }

    /// Duplicates only near faults, and of no more messages than were in flight.
    fn duplicates(&mut self, evidence: &Evidence, outcomes: &BTreeMap<String, Ended>, rules: &Rules) {
        let sends = |id: &str| evidence.sent.get(id).map_or(1, |sent| sent.sends.max(1)) as usize;
        let mut touched: BTreeSet<String> = BTreeSet::new();
        for (id, outcome) in outcomes {
            // Copies that the publisher itself has made are its own.
            let more = (outcome.echoes.len() + outcome.classes.len()).saturating_sub(sends(id));
            self.duplicates += more;
            touched.extend((more > 0).then(|| id.clone()));
        }
        let mut far = BTreeSet::new();
        for (id, times) in by_message(evidence) {
            for times in times.values() {
                let more = times.get(sends(id)..).unwrap_or_default();
                self.again += more.len();
                touched.extend((!more.is_empty()).then(|| id.to_owned()));
            }
            // A copy made by a fault goes on to further attempts later; the first execution again tells when.
            let first = times.values().filter_map(|times| times.get(sends(id))).min();
            let near = |at_ms: u64| {
                evidence.faults.iter().filter(|fault| fault.victim != Victim::Nobody).any(|fault| {
                    let from = fault.from_ms.saturating_sub(rules.slack_ms);
                    (from..=fault.to_ms.saturating_add(rules.slack_ms)).contains(&at_ms)
                })
            };
            far.extend(first.is_some_and(|at_ms| !near(*at_ms)).then(|| id.to_owned()));
        }
        self.find("executed again with no fault near", &far);
        let per_fault = |victim: Victim| match victim {
            Victim::Nobody => 0,
            Victim::Host => rules.in_flight,
            Victim::Broker => rules.in_flight + MOVED_AT_ONCE * rules.wait_queues,
        };
        let allowed: usize = evidence.faults.iter().map(|fault| per_fault(fault.victim)).sum();
        if touched.len() > allowed {
            let faults = evidence.faults.len();
            self.findings.push(format!(
                "{} messages in duplicate, and no more than {allowed} were in flight at {faults} faults",
                touched.len()
            ));
        }
    }
}

/// When each attempt of each message was executed, in order.
fn by_message(evidence: &Evidence) -> BTreeMap<&str, BTreeMap<u32, Vec<u64>>> {
    let mut all: BTreeMap<&str, BTreeMap<u32, Vec<u64>>> = BTreeMap::new();
    for execution in &evidence.executions {
        all.entry(&execution.id).or_default().entry(execution.attempt).or_default().push(execution.at_ms);
    }
    all.values_mut().flat_map(BTreeMap::values_mut).for_each(|times| times.sort_unstable());
    all
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
