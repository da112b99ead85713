//! What a handler may use. Less breaks the handler, if it uses it; more is for somebody to review.

use std::collections::BTreeSet;

use super::{Change, Class, Subject, list};
use crate::contract::{Access, Capabilities, FileGrant};

/// What changed about the publishers that a handler may use.
pub(super) fn publishes(subject: Subject, old: &[String], new: &[String]) -> Vec<Change> {
    let mut changes = Vec::new();
    let lost: Vec<&str> = old.iter().filter(|name| !new.contains(name)).map(String::as_str).collect();
    let gained: Vec<&str> = new.iter().filter(|name| !old.contains(name)).map(String::as_str).collect();
    if !lost.is_empty() {
        let says = format!("it may no longer publish {}", list(lost));
        changes.push(less(subject.clone(), says));
    }
    if !gained.is_empty() {
        let says = format!("it may publish {}", list(gained));
        changes.push(Change::new(Class::Compatible, subject, says));
    }
    changes
}

fn less(subject: Subject, says: String) -> Change {
    Change::new(Class::Breaking, subject, says)
        .breaks("its own handler, if it still uses that")
        .hint("deploy a component that does without it, together with the contract")
}

fn more(subject: Subject, says: String) -> Change {
    Change::new(Class::Review, subject, says)
        .because("it reaches further out of its sandbox than before: somebody should have agreed to that")
}

/// What changed about what a handler may reach.
pub(super) fn capabilities(subject: &Subject, old: &Capabilities, new: &Capabilities) -> Vec<Change> {
    let mut changes = configuration(subject, old, new);
    for (what, before, after) in [
        ("the secret", &old.secrets, &new.secrets),
        ("the origin", &old.http, &new.http),
        ("the key-value store", &old.key_value, &new.key_value),
    ] {
        let (before, after): (BTreeSet<&str>, BTreeSet<&str>) =
            (before.iter().map(String::as_str).collect(), after.iter().map(String::as_str).collect());
        for name in before.difference(&after) {
            changes.push(less(subject.clone(), format!("it no longer reaches {what} `{name}`")));
        }
        for name in after.difference(&before) {
            changes.push(more(subject.clone(), format!("it reaches {what} `{name}`")));
        }
    }
    changes.extend(files(subject, &old.files, &new.files));
    changes
}

fn configuration(subject: &Subject, old: &Capabilities, new: &Capabilities) -> Vec<Change> {
    let mut changes = Vec::new();
    let keys: BTreeSet<&String> = old.config.keys().chain(new.config.keys()).collect();
    for key in keys {
        match (old.config.get(key), new.config.get(key)) {
            (Some(_), None) => {
                changes.push(less(subject.clone(), format!("its configuration has no `{key}` any more")));
            }
            (None, Some(_)) => {
                let says = format!("its configuration has `{key}`");
                changes.push(Change::new(Class::Compatible, subject.clone(), says));
            }
            // The values may be nobody's business who reads a report.
            (Some(before), Some(after)) if before != after => {
                let says = format!("its configuration has another `{key}`");
                changes.push(Change::new(Class::Compatible, subject.clone(), says));
            }
            _ => {}
        }
    }
    changes
}

/// Folders are the same where the handler sees them at the same place.
fn files(subject: &Subject, old: &[FileGrant], new: &[FileGrant]) -> Vec<Change> {
    let mut changes = Vec::new();
    for before in old {
        let at = &before.at;
        let Some(after) = new.iter().find(|after| after.at == *at) else {
            changes.push(less(subject.clone(), format!("it no longer sees a folder at `{at}`")));
            continue;
        };
        if after.path != before.path {
            let says = format!("the folder at `{at}` is `{}`, it was `{}`", after.path, before.path);
            changes.push(more(subject.clone(), says));
        }
        match (before.access, after.access) {
            (Access::ReadWrite, Access::ReadOnly) => {
                changes.push(less(subject.clone(), format!("it may no longer write to `{at}`")));
            }
            (Access::ReadOnly, Access::ReadWrite) => {
                changes.push(more(subject.clone(), format!("it may write to `{at}`")));
            }
            (Access::ReadOnly, Access::ReadOnly) | (Access::ReadWrite, Access::ReadWrite) => {}
        }
    }
    for grant in new.iter().filter(|grant| !old.iter().any(|before| before.at == grant.at)) {
        changes.push(more(subject.clone(), format!("it sees the folder `{}` at `{}`", grant.path, grant.at)));
    }
    changes
}
