//! Events, commands and publishers. An event is read by consumers outside of the contract, which have the old one; a
//! command is sent by publishers outside of it, which have the old one.

use super::messages::{Flow, is_equivalent};
use super::{Both, Change, Class, Stage, Subject, summary};
use crate::contract::compat::Roles;
use crate::contract::{Contract, ExchangeType, Owner, Publisher, PublisherKind, Takes};

/// What changed about what can be published.
pub(super) fn changes(both: Both<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    let ours = |contract: &'_ Contract, name: &str| {
        contract.publishers.get(name).filter(|publisher| publisher.owner == Owner::Us).cloned()
    };
    for (name, old) in both.old.publishers.iter().filter(|(_, old)| old.owner == Owner::Us) {
        match ours(both.new, name) {
            Some(new) => changes.extend(changed(both, old, &new)),
            None => changes.push(removed(old)),
        }
    }
    for (name, new) in both.new.publishers.iter().filter(|(_, new)| new.owner == Owner::Us) {
        if ours(both.old, name).is_none() {
            changes.push(Change::new(Class::Compatible, subject(new), "it is new"));
        }
    }
    changes
}

/// What a publisher is in a report.
pub(super) fn subject(publisher: &Publisher) -> Subject {
    let name = publisher.name.clone();
    match publisher.kind {
        PublisherKind::Event => Subject::Event(name),
        PublisherKind::Command => Subject::Command(name),
        PublisherKind::OfEvent(_) | PublisherKind::OfCommand(_) | PublisherKind::Own => {
            Subject::Publisher(name)
        }
    }
}

fn is_command(publisher: &Publisher) -> bool {
    matches!(publisher.kind, PublisherKind::Command | PublisherKind::OfCommand(_))
}

/// The other side, which has the old contract.
fn others(publisher: &Publisher) -> String {
    if is_command(publisher) {
        format!("who sends `{}` and has the old contract", publisher.name)
    } else {
        format!("who consumes `{}` and has the old contract", publisher.name)
    }
}

fn removed(old: &Publisher) -> Change {
    let name = &old.name;
    let change = Change::new(Class::Breaking, subject(old), "it is gone").breaks(others(old));
    if is_command(old) {
        change
            .because("what they send reaches nobody, once its binding is gone from the broker")
            .hint("keep it until nobody sends it any more, or forward it to what takes its place")
    } else {
        change
            .because(format!("nothing publishes `{name}` any more, and they go on waiting for it"))
            .hint("publish it beside what takes its place until nobody listens to it any more")
    }
}

fn changed(both: Both<'_>, old: &Publisher, new: &Publisher) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.kind != new.kind {
        changes.push(
            Change::new(
                Class::Review,
                subject(new),
                format!("it was {}, and is {}", kind(old), kind(new)),
            )
            .breaks(others(old))
            .hint("an event has many consumers, a command has one: do both sides still agree on what it is?"),
        );
    }
    changes.extend(route(both, old, new));
    if !follows(both, old, new, |of, own| of.message.name == own.message.name) {
        changes.extend(message(both, old, new));
    }
    if old.external_consumers != new.external_consumers {
        let says = if new.external_consumers { "says" } else { "no longer says" };
        let says = format!("it {says} that somebody else consumes it");
        changes.push(Change::new(Class::Cosmetic, subject(new), says));
    }
    changes.extend(summary(subject(new), old.summary.as_ref(), new.summary.as_ref()));
    changes
}

fn kind(publisher: &Publisher) -> String {
    match &publisher.kind {
        PublisherKind::Event => "an event".to_owned(),
        PublisherKind::Command => "a command".to_owned(),
        PublisherKind::OfEvent(event) => format!("a publisher of the event `{event}`"),
        PublisherKind::OfCommand(command) => format!("a publisher of the command `{command}`"),
        PublisherKind::Own => "a publisher of its own".to_owned(),
    }
}

/// Whether a publisher of an event or command only has what that one has, before and after: then it is told there.
fn follows(
    both: Both<'_>,
    old: &Publisher,
    new: &Publisher,
    same: impl Fn(&Publisher, &Publisher) -> bool,
) -> bool {
    let as_its_own = |contract: &Contract, own: &Publisher| match &own.kind {
        PublisherKind::OfEvent(of) | PublisherKind::OfCommand(of) => {
            contract.publishers.get(of).is_some_and(|of| same(of, own))
        }
        PublisherKind::Event | PublisherKind::Command | PublisherKind::Own => false,
    };
    old.kind == new.kind && as_its_own(both.old, old) && as_its_own(both.new, new)
}

fn route(both: Both<'_>, old: &Publisher, new: &Publisher) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.exchange != new.exchange && !follows(both, old, new, |of, own| of.exchange == own.exchange) {
        let says =
            format!("it goes to the exchange `{}`, it was `{}`", shown(&new.exchange), shown(&old.exchange));
        changes.push(moved(both, new, says));
    }
    let key = |publisher: &Publisher| publisher.routing_key.clone().or_else(|| publisher.pattern.clone());
    let keyed = |kind| matches!(kind, ExchangeType::Topic | ExchangeType::Direct);
    let matters = keyed(old.exchange_kind) || keyed(new.exchange_kind);
    if key(old) != key(new) && matters && !follows(both, old, new, |of, own| key(of) == key(own)) {
        let (was, is) = (key(old).unwrap_or_default(), key(new).unwrap_or_default());
        if let (Some(before), Some(after)) = (&old.pattern, &new.pattern)
            && super::covers::pattern_covers(after, before)
        {
            let says = format!("its pattern is `{is}`, it was `{was}`: every old key still matches");
            let change = Change::new(Class::Compatible, subject(new), says);
            changes.push(change.hint("deploy its consumer first, so that it is bound with the new pattern"));
        } else {
            let says = format!("its routing key is `{is}`, it was `{was}`");
            changes.push(moved(both, new, says));
        }
    }
    changes
}

fn shown(exchange: &str) -> &str {
    if exchange.is_empty() { "(default)" } else { exchange }
}

fn moved(both: Both<'_>, new: &Publisher, says: String) -> Change {
    let change = Change::new(Class::Breaking, subject(new), says).breaks(others(new));
    let change = if is_command(new) {
        change.because("they send it where, on a fresh broker, nothing is bound for it").hint(
            "deploy its consumer first; take the old binding off the broker when nobody sends the old way",
        )
    } else {
        change
            .because("their queues are bound where it was published before")
            .hint("let them bind to the new place first, and deploy what publishes after them")
    };
    change.step(Stage::ConsumersFirst, takers(both, new)).step(Stage::Publishers, senders(new))
}

/// What takes it, in an order of roll-out.
fn takers(both: Both<'_>, publisher: &Publisher) -> String {
    let command = match &publisher.kind {
        PublisherKind::OfCommand(command) => command,
        _ => &publisher.name,
    };
    let taker = both.new.consumers.values().find(|taker| taker.takes == Takes::Command(command.clone()));
    match taker {
        Some(taker) if is_command(publisher) => format!("`{}`", taker.name),
        _ => format!("what consumes `{}`", publisher.name),
    }
}

fn senders(publisher: &Publisher) -> String {
    format!("what publishes `{}`", publisher.name)
}

fn message(both: Both<'_>, old: &Publisher, new: &Publisher) -> Vec<Change> {
    let mut changes = Vec::new();
    let (before, after) = (&old.message, &new.message);
    if is_command(new) {
        changes.extend(command_message(both, old, new));
    } else {
        let flow = Flow {
            subject: subject(new),
            writer: after,
            reader: before,
            roles: Roles { writer: "a new publisher", reader: "an old consumer" },
            misfit: format!("old consumers reject what is now sent as `{}`", new.name),
            fit: "its messages changed, and old consumers take them".to_owned(),
            breaks: others(new),
            hint: "deploy consumers that take both before what publishes it; or publish it as another event",
            misfit_steps: vec![(Stage::ConsumersFirst, takers(both, new)), (Stage::Publishers, senders(new))],
            fit_steps: Vec::new(),
        };
        changes.extend(flow.change());
    }
    if before.content_encoding != after.content_encoding {
        let word = |message: &crate::contract::Message| match message.content_encoding {
            Some(encoding) => format!("{encoding:?}").to_lowercase(),
            None => "nothing".to_owned(),
        };
        let says = format!("it is compressed with {}, it was {}", word(after), word(before));
        let (class, whom) = if after.content_encoding.is_some() {
            (Class::Review, Some(format!("consumers of `{}` that are not run by Warren", new.name)))
        } else {
            (Class::Compatible, None)
        };
        let change = Change::new(class, subject(new), says).because(
            "consumers that Warren runs take it either way; others have to look at `content-encoding`",
        );
        changes.push(if let Some(whom) = whom { change.breaks(whom) } else { change });
    }
    if before.name != after.name && is_equivalent(before, after) {
        let says = format!("its message is called `{}`, it was `{}`", after.name, before.name);
        changes.push(Change::new(Class::Cosmetic, subject(new), says));
    }
    changes
}

/// Old senders go on sending what the old contract lets through, and new ones may reach an old consumer.
fn command_message(both: Both<'_>, old: &Publisher, new: &Publisher) -> Option<Change> {
    // Another domain takes it, which has its contract from before.
    let foreign = |contract: &Contract| match &new.kind {
        PublisherKind::OfCommand(of) => contract.publishers.get(of).is_some_and(|of| of.owner != Owner::Us),
        _ => false,
    };
    if foreign(both.new) {
        return Flow {
            subject: subject(new),
            writer: &new.message,
            reader: &old.message,
            roles: Roles { writer: "a new sender", reader: "an old consumer" },
            misfit: format!("the other domain rejects what is now sent as `{}`", new.name),
            fit: "its messages changed, and an old consumer takes them".to_owned(),
            breaks: "the other domain's consumer, until it has the new message".to_owned(),
            hint: "let the other domain deploy first",
            misfit_steps: vec![(Stage::Publishers, senders(new))],
            fit_steps: Vec::new(),
        }
        .change();
    }
    Flow {
        subject: subject(new),
        writer: &old.message,
        reader: &new.message,
        roles: Roles { writer: "an old sender", reader: "the new consumer" },
        misfit: format!("the consumer rejects what old senders send as `{}`", new.name),
        fit: "its messages changed, and the consumer takes those of old senders".to_owned(),
        breaks: others(new),
        hint: "take both until every sender has the new contract; or make it another command",
        misfit_steps: vec![(Stage::ConsumersLast, takers(both, new))],
        fit_steps: vec![(Stage::ConsumersFirst, takers(both, new)), (Stage::Publishers, senders(new))],
    }
    .change()
}
