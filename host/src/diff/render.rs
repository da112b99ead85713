//! A diff for people, for review comments, and for programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Change, Class, Diff, Stage, Subject};

impl Diff {
    /// For a terminal, with colours or without.
    pub fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        for (subject, changes) in self.by_subject() {
            out.push_str(&format!("{}\n", subject.title()));
            for change in changes {
                let class = if colour { paint(change.class) } else { change.class.word().to_owned() };
                out.push_str(&format!("  {class}: {}\n", change.says));
                for detail in &change.details {
                    out.push_str(&format!("    - {detail}\n"));
                }
                for (label, text) in change.explained() {
                    out.push_str(&format!("    {label}: {text}\n"));
                }
            }
            out.push('\n');
        }
        let steps = self.steps();
        if !steps.is_empty() {
            out.push_str("order of roll-out\n");
            for (number, (stage, what)) in steps.iter().enumerate() {
                let what: Vec<&str> = what.iter().copied().collect();
                out.push_str(&format!("  {}. {}: {}\n", number + 1, stage.text(), what.join("; ")));
            }
            out.push('\n');
        }
        out.push_str(&self.summary());
        out.push('\n');
        if let Some(warning) = &self.version_warning {
            out.push_str(&format!("warning: {warning}\n"));
        }
        out
    }

    /// As a comment in a review: GitHub's Markdown.
    pub fn to_markdown(&self) -> String {
        let mut out = format!("### Contract: {}\n", self.summary());
        if let Some(warning) = &self.version_warning {
            out.push_str(&format!("\n> [!WARNING]\n> {warning}\n"));
        }
        for (subject, changes) in self.by_subject() {
            out.push_str(&format!("\n#### {}\n\n", subject.title()));
            for change in changes {
                out.push_str(&format!("- **{}**: {}\n", change.class.word(), change.says));
                for detail in &change.details {
                    out.push_str(&format!("  - {detail}\n"));
                }
                for (label, text) in change.explained() {
                    out.push_str(&format!("  - *{label}*: {text}\n"));
                }
            }
        }
        let steps = self.steps();
        if !steps.is_empty() {
            out.push_str("\n#### Order of roll-out\n\n");
            for (stage, what) in steps {
                let what: Vec<&str> = what.into_iter().collect();
                out.push_str(&format!("1. {}: {}\n", stage.text(), what.join("; ")));
            }
        }
        out
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let change = |change: &Change| {
            let (kind, name) = change.subject.parts();
            json!({
                "class": change.class.word(),
                "subject": { "kind": kind, "name": name },
                "message": change.says,
                "details": change.details,
                "breaks": change.breaks,
                "because": change.because,
                "help": change.hint,
            })
        };
        let step = |(stage, what): (Stage, _)| json!({ "stage": stage.word(), "what": what });
        let counts: BTreeMap<&str, usize> =
            Class::ALL.into_iter().map(|class| (class.word(), self.count(class))).collect();
        json!({
            "old": { "contract": self.old.name, "version": self.old.version },
            "new": { "contract": self.new.name, "version": self.new.version },
            "worst": self.worst().map(Class::word),
            "counts": counts,
            "versionWarning": self.version_warning,
            "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
            "rollOut": self.steps().into_iter().map(step).collect::<Vec<_>>(),
        })
    }

    fn summary(&self) -> String {
        let version = |version: &str| if version.is_empty() { String::new() } else { format!(" {version}") };
        let (old, new) = (&self.old, &self.new);
        let versions =
            format!("{}{} -> {}{}", old.name, version(&old.version), new.name, version(&new.version));
        let counts: Vec<String> = Class::ALL
            .into_iter()
            .rev()
            .map(|class| (self.count(class), class))
            .filter(|(count, _)| *count > 0)
            .map(|(count, class)| format!("{count} {}", class.counted()))
            .collect();
        let counts = if counts.is_empty() { "no change".to_owned() } else { counts.join(", ") };
        format!("{versions}: {counts}")
    }

    fn by_subject(&self) -> Vec<(&Subject, Vec<&Change>)> {
        let mut groups: Vec<(&Subject, Vec<&Change>)> = Vec::new();
        for change in &self.changes {
            match groups.last_mut() {
                Some((subject, changes)) if **subject == change.subject => changes.push(change),
                _ => groups.push((&change.subject, vec![change])),
            }
        }
        groups
    }
}

impl Change {
    fn explained(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let breaks = if self.class == Class::Breaking { "breaks" } else { "may break" };
        [(breaks, &self.breaks), ("because", &self.because), ("help", &self.hint)]
            .into_iter()
            .filter_map(|(label, text)| Some((label, text.as_deref()?)))
    }
}

impl Class {
    const ALL: [Self; 4] = [Self::Cosmetic, Self::Compatible, Self::Review, Self::Breaking];

    /// The word for it in every format.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cosmetic => "cosmetic",
            Self::Compatible => "compatible",
            Self::Review => "review",
            Self::Breaking => "breaking",
        }
    }

    fn counted(self) -> &'static str {
        match self {
            Self::Review => "to review",
            Self::Cosmetic | Self::Compatible | Self::Breaking => self.word(),
        }
    }
}

fn paint(class: Class) -> String {
    let colour = match class {
        Class::Cosmetic => "2",
        Class::Compatible => "32",
        Class::Review => "33",
        Class::Breaking => "1;31",
    };
    format!("\u{1b}[{colour}m{}\u{1b}[0m", class.word())
}

impl Subject {
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Contract => ("contract", ""),
            Self::Event(name) => ("event", name),
            Self::Command(name) => ("command", name),
            Self::Publisher(name) => ("publisher", name),
            Self::Rpc(name) => ("rpc", name),
            Self::Consumer(name) => ("consumer", name),
            Self::Message(name) => ("message", name),
            Self::Exchange(name) => ("exchange", name),
            Self::Queue(name) => ("queue", name),
        }
    }

    fn title(&self) -> String {
        match self.parts() {
            (kind, "") => format!("the {kind}"),
            (kind, name) => format!("{kind} `{name}`"),
        }
    }
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Self::Migrate => "migrate",
            Self::ConsumersFirst => "consumers",
            Self::Publishers => "publishers",
            Self::ConsumersLast => "consumers-last",
            Self::TidyUp => "tidy-up",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Migrate => "migrate",
            Self::ConsumersFirst => "deploy",
            Self::Publishers => "then deploy",
            Self::ConsumersLast => "deploy when nobody sends the old way any more, and queues are empty",
            Self::TidyUp => "delete when nothing of the old contract runs any more",
        }
    }
}
