//! The checker finds what it has to find: each rule is broken once.

use super::*;
use crate::evidence::{Dead, Echo, Fault};
use crate::load::{Sent, Task};
use crate::log::Execution;

const RULES: Rules = Rules {
    attempts_max: 3,
    in_flight: 2,
    wait_queues: 1,
    slack_ms: 1000,
    tasks_decide: true,
    also: None,
    lost_per_fault: 0,
};

/// Two messages, one handled and one dead, at second 100; a fault at second 200.
fn sound() -> Evidence {
    let mut evidence = Evidence::default();
    let sent = |task| Sent { task, sends: 1, confirmed: true };
    evidence.sent.insert("a".to_owned(), sent(Task::Succeed));
    evidence.sent.insert("b".to_owned(), sent(Task::Fail));
    evidence.echoes.push(echo("a"));
    evidence.dead.push(dead("b", "permanent"));
    evidence.executions = vec![execution("a", 1, 100), execution("b", 1, 100)];
    evidence.faults.push(Fault { victim: Victim::Host, from_ms: 200_000, to_ms: 203_000 });
    evidence
}

fn echo(input: &str) -> Echo {
    Echo { input: input.to_owned(), id: format!("of {input}") }
}

fn dead(id: &str, class: &str) -> Dead {
    Dead { id: id.to_owned(), class: class.to_owned(), attempts: 1 }
}

fn execution(id: &str, attempt: u32, second: u64) -> Execution {
    Execution { id: id.to_owned(), attempt, at_ms: second * 1000 }
}

/// What is found when something is changed.
fn found(change: impl FnOnce(&mut Evidence)) -> String {
    let mut evidence = sound();
    change(&mut evidence);
    check(&evidence, &RULES).findings.join("\n")
}

#[test]
fn sound_evidence_passes() {
    assert_eq!(check(&sound(), &RULES), Verdict::default());
}

#[test]
fn a_lost_message_is_found() {
    let mut evidence = sound();
    evidence.echoes.clear();
    let verdict = check(&evidence, &RULES);
    assert_eq!((verdict.lost, verdict.findings.len()), (1, 1), "{verdict:?}");
    // What was never confirmed may be gone.
    evidence.sent.get_mut("a").unwrap().confirmed = false;
    assert_eq!(check(&evidence, &RULES), Verdict::default());
}

#[test]
fn each_broken_rule_is_found() {
    let strange = found(|evidence| evidence.echoes.push(echo("c")));
    assert!(strange.contains("1 came out and was never published: c"), "{strange}");
    let both = found(|evidence| evidence.dead.push(dead("a", "trap")));
    assert!(both.contains("both handled and dead: a"), "{both}");
    let otherwise = found(|evidence| evidence.dead[0].class = "poison".to_owned());
    assert!(
        otherwise.contains("ended otherwise than its task says: b (dead, class `poison`)"),
        "{otherwise}"
    );
    let renamed = found(|evidence| evidence.echoes.push(Echo { id: "other".to_owned(), ..echo("a") }));
    assert!(renamed.contains("came out under several ids: a"), "{renamed}");
    let left = found(|evidence| evidence.left.extend([("work".to_owned(), 3)]));
    assert_eq!(left, "3 messages are left in queue `work`");
    let attempts = found(|evidence| evidence.executions.push(execution("a", 4, 201)));
    assert!(attempts.contains("more attempts than the policy allows: a"), "{attempts}");
    let attempts = found(|evidence| evidence.dead[0].attempts = 4);
    assert!(attempts.contains("dead after more attempts than the policy allows: b"), "{attempts}");
}

#[test]
fn a_duplicate_needs_a_fault_near() {
    assert_eq!(found(|evidence| evidence.executions.push(execution("a", 1, 203))), "");
    let late = found(|evidence| evidence.executions.push(execution("a", 1, 205)));
    assert!(late.contains("executed again with no fault near: a"), "{late}");
    let often =
        found(|evidence| evidence.executions.extend([execution("a", 1, 201), execution("a", 1, 202)]));
    assert!(often.contains("executed more often than faults explain: a"), "{often}");
}

#[test]
fn what_the_publisher_sent_twice_may_come_out_twice() {
    let twice = |evidence: &mut Evidence| {
        evidence.executions.push(execution("a", 1, 150));
        evidence.echoes.push(echo("a"));
    };
    assert!(found(twice).contains("with no fault near"));
    let sent_twice = found(|evidence| {
        twice(evidence);
        evidence.sent.get_mut("a").unwrap().sends = 2;
    });
    assert_eq!(sent_twice, "");
}

#[test]
fn no_more_duplicates_than_were_in_flight() {
    let mut evidence = sound();
    for id in ["c", "d", "e"] {
        evidence.sent.insert(id.to_owned(), Sent { task: Task::Succeed, sends: 1, confirmed: true });
        evidence.echoes.extend([echo(id), echo(id)]);
        evidence.executions.extend([execution(id, 1, 199), execution(id, 1, 203)]);
    }
    let verdict = check(&evidence, &RULES);
    assert_eq!((verdict.duplicates, verdict.again), (3, 3));
    assert_eq!(verdict.findings, ["3 messages in duplicate, and no more than 2 were in flight at 1 faults"]);
}
