//! Two contracts -> every change from the one to the other: whom it breaks, why, and what to do in which order.
//!
//! Pure. The two are sound contracts of one thing at two times; what runs with the old one meets what runs with the new
//! one while they are exchanged, on one broker, with messages of the old one in its queues. In reading order:
//! `publishers`, `rpcs`, `consumers` (with `grants`), `bindings` (who gets what, with `covers`), `exchanges`, `queues`,
//! `messages` (schemas, with `closed`), `version`, `render`.

mod bindings;
mod closed;
mod consumers;
mod covers;
mod exchanges;
mod grants;
mod messages;
mod publishers;
mod queues;
mod render;
mod rpcs;
#[cfg(test)]
mod tests;
mod version;

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::Contract;

/// Every change from one contract to another.
#[derive(Debug)]
pub struct Diff {
    /// Name and version of the old contract.
    pub old: Named,
    /// Name and version of the new one.
    pub new: Named,
    /// The changes, by subject, and for each the worst first.
    pub changes: Vec<Change>,
    /// What is to be said about the new version, if its number does not fit the changes.
    pub version_warning: Option<String>,
}

/// What a contract calls itself.
#[derive(Debug)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its version; empty if it gives none.
    pub version: String,
}

/// How much a change matters, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing runs differently.
    Cosmetic,
    /// Something is different, and nobody has to do anything about it but deploy in order.
    Compatible,
    /// Whether it breaks something cannot be told from the contracts.
    Review,
    /// Somebody stops working, messages are rejected or left lying, or the broker refuses it.
    Breaking,
}

/// One change.
#[derive(Debug, Clone)]
pub struct Change {
    /// How much it matters.
    pub class: Class,
    /// What has changed.
    pub subject: Subject,
    /// What it is: a lower-case fragment that names the thing in back-ticks.
    pub says: String,
    /// Its parts, where there are several.
    pub details: Vec<String>,
    /// Whom it breaks, or may break.
    pub breaks: Option<String>,
    /// Why.
    pub because: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    steps: Vec<(Stage, String)>,
}

/// What has changed. The order is that of the report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the words are those of the contract")]
pub enum Subject {
    Contract,
    Event(String),
    Command(String),
    Publisher(String),
    Rpc(String),
    Consumer(String),
    Message(String),
    Exchange(String),
    Queue(String),
}

/// When something is done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Before anything is deployed: something on the broker has to be moved.
    Migrate,
    /// Deployed first, of what consumes: it takes what old publishers send and what new ones do.
    ConsumersFirst,
    /// Then what publishes.
    Publishers,
    /// Deployed only when old publishers are gone and the queues hold none of their messages.
    ConsumersLast,
    /// When nothing of the old contract runs any more.
    TidyUp,
}

/// Compares two contracts.
pub fn compare(old: &Contract, new: &Contract) -> Diff {
    let both = Both { old, new };
    let mut changes = contract(both);
    changes.extend(publishers::changes(both));
    changes.extend(rpcs::changes(both));
    changes.extend(consumers::changes(both));
    changes.extend(bindings::changes(both));
    changes.extend(messages::changes(both));
    changes.extend(exchanges::changes(both));
    changes.extend(queues::changes(both));
    changes.sort_by(|a, b| (&a.subject, b.class).cmp(&(&b.subject, a.class)));
    let named =
        |contract: &Contract| Named { name: contract.name.clone(), version: contract.version.clone() };
    let version_warning =
        version::warning(&old.version, &new.version, changes.iter().map(|change| change.class).max());
    Diff { old: named(old), new: named(new), changes, version_warning }
}

impl Diff {
    /// The class of the worst change; none if nothing has changed.
    pub fn worst(&self) -> Option<Class> {
        self.changes.iter().map(|change| change.class).max()
    }

    /// How many changes there are of one class.
    pub fn count(&self, class: Class) -> usize {
        self.changes.iter().filter(|change| change.class == class).count()
    }

    /// What to do in which order, and with what.
    pub fn steps(&self) -> BTreeMap<Stage, BTreeSet<&str>> {
        let mut steps: BTreeMap<Stage, BTreeSet<&str>> = BTreeMap::new();
        for (stage, what) in self.changes.iter().flat_map(|change| &change.steps) {
            steps.entry(*stage).or_default().insert(what);
        }
        steps
    }
}

/// The two contracts.
#[derive(Clone, Copy)]
struct Both<'a> {
    old: &'a Contract,
    new: &'a Contract,
}

/// What changed about the contract as a whole.
fn contract(both: Both<'_>) -> Vec<Change> {
    let (old, new) = (both.old, both.new);
    let mut changes = Vec::new();
    if old.name != new.name {
        changes.push(
            Change::new(
                Class::Compatible,
                Subject::Contract,
                format!("it was called `{}`, and is called `{}`", old.name, new.name),
            )
            .hint("alarms and searches that look for the name in dead letters and logs have to follow"),
        );
    }
    if old.memory_bytes_max != new.memory_bytes_max {
        let (before, after) = (old.memory_bytes_max >> 20, new.memory_bytes_max >> 20);
        let says = format!("the host may use {after} MiB for messages, it was {before} MiB");
        changes.push(Change::new(Class::Compatible, Subject::Contract, says));
    }
    if old.concurrency != new.concurrency {
        let says = format!(
            "{} calls may run at the same time over all handlers, it was {}",
            new.calls_max(),
            old.calls_max()
        );
        changes.push(Change::new(Class::Compatible, Subject::Contract, says));
    }
    if old.stack_bytes_max != new.stack_bytes_max {
        let (before, after) = (old.stack_bytes_max >> 10, new.stack_bytes_max >> 10);
        let says = format!("a handler may use {after} KiB of stack, it was {before} KiB");
        let class = if after < before { Class::Review } else { Class::Compatible };
        changes.push(Change::new(class, Subject::Contract, says));
    }
    if old.description != new.description {
        changes.push(Change::new(Class::Cosmetic, Subject::Contract, "other description"));
    }
    changes
}

impl Change {
    fn new(class: Class, subject: Subject, says: impl Into<String>) -> Self {
        Self {
            class,
            subject,
            says: says.into(),
            details: Vec::new(),
            breaks: None,
            because: None,
            hint: None,
            steps: Vec::new(),
        }
    }

    fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    fn breaks(mut self, whom: impl Into<String>) -> Self {
        self.breaks = Some(whom.into());
        self
    }

    fn because(mut self, because: impl Into<String>) -> Self {
        self.because = Some(because.into());
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn step(mut self, stage: Stage, what: impl Into<String>) -> Self {
        self.steps.push((stage, what.into()));
        self
    }
}

/// A change of the one line that says what something is for.
fn summary(subject: Subject, old: Option<&String>, new: Option<&String>) -> Option<Change> {
    (old != new).then(|| Change::new(Class::Cosmetic, subject, "other summary"))
}

/// `a` and `b`; or of many the first, and how many there are.
fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN_MAX: usize = 8;
    let names: Vec<&str> = names.into_iter().collect();
    let mut shown =
        names.iter().take(SHOWN_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN_MAX {
        shown.push_str(&format!(" and {} more", names.len() - SHOWN_MAX));
    }
    shown
}
