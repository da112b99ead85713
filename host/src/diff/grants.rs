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
    let secrets = |of: &Capabilities| of.secrets.iter().map(|secret| secret.name.clone()).collect();
    let origins = |of: &Capabilities| of.http.iter().map(|grant| grant.origin.to_string()).collect();
    let stores = |of: &Capabilities| of.key_value.iter().map(|store| store.name.clone()).collect();
    changes.extend(reached(subject, "the secret", &secrets(old), &secrets(new)));
    changes.extend(reached(subject, "the origin", &origins(old), &origins(new)));
    changes.extend(reached(subject, "the key-value store", &stores(old), &stores(new)));
    changes.extend(secret_places(subject, old, new));
    changes.extend(private_origins(subject, old, new));
    changes.extend(store_sizes(subject, old, new));
    changes.extend(files(subject, &old.files, &new.files));
    changes
}

fn reached(subject: &Subject, what: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) -> Vec<Change> {
    let lost = old.difference(new).map(|name| format!("it no longer reaches {what} `{name}`"));
    let gained = new.difference(old).map(|name| format!("it reaches {what} `{name}`"));
    let lost = lost.map(|says| less(subject.clone(), says));
    lost.chain(gained.map(|says| more(subject.clone(), says))).collect()
}

/// Where the value of a secret comes from concerns who deploys, and not the handler.
fn secret_places(subject: &Subject, old: &Capabilities, new: &Capabilities) -> Vec<Change> {
    let place = |file: Option<&str>| match file {
        Some(file) => format!("the file `{file}`"),
        None => "an environment variable".to_owned(),
    };
    let mut changes = Vec::new();
    for after in &new.secrets {
        let Some(before) = old.secrets.iter().find(|before| before.name == after.name) else { continue };
        if before.file != after.file {
            let (was, is) = (place(before.file.as_deref()), place(after.file.as_deref()));
            let says = format!("the secret `{}` comes from {is}, it came from {was}", after.name);
            changes.push(
                Change::new(Class::Review, subject.clone(), says)
                    .because("the host does not start where the secret is not at its new place"),
            );
        }
    }
    changes
}

fn private_origins(subject: &Subject, old: &Capabilities, new: &Capabilities) -> Vec<Change> {
    let mut changes = Vec::new();
    for after in &new.http {
        let Some(before) = old.http.iter().find(|before| before.origin == after.origin) else { continue };
        let origin = &after.origin;
        match (before.allow_private, after.allow_private) {
            (false, true) => {
                let says = format!("it reaches the origin `{origin}` also at private addresses");
                changes.push(more(subject.clone(), says));
            }
            (true, false) => {
                let says = format!("it no longer reaches the origin `{origin}` at private addresses");
                changes.push(less(subject.clone(), says));
            }
            (true, true) | (false, false) => {}
        }
    }
    changes
}

fn store_sizes(subject: &Subject, old: &Capabilities, new: &Capabilities) -> Vec<Change> {
    const MIB: u64 = 1024 * 1024;
    let mut changes = Vec::new();
    for after in &new.key_value {
        let Some(before) = old.key_value.iter().find(|before| before.name == after.name) else { continue };
        let (was, is) = (before.bytes_max / MIB, after.bytes_max / MIB);
        let says = format!("the key-value store `{}` may take {is} MiB, it was {was}", after.name);
        if is < was {
            changes.push(less(subject.clone(), says));
        } else if is > was {
            changes.push(Change::new(Class::Compatible, subject.clone(), says));
        }
    }
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
