//! Exchanges: the broker refuses to declare one that is there with other properties.

use serde_json::{Map, Value};

use super::{Both, Change, Class, Stage, Subject};
use crate::contract::{Exchange, ExchangeType, Owner};

/// The only argument that the broker compares when an exchange is declared again.
const ALTERNATE: &str = "alternate-exchange";

/// What changed about exchanges. Those of other domains are told by their own contracts.
pub(super) fn changes(both: Both<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    let is_foreign = |exchange: &Exchange| matches!(exchange.owner, Owner::Domain(_));
    for (name, old) in both.old.exchanges.iter().filter(|(_, old)| !is_foreign(old)) {
        match both.new.exchanges.get(name) {
            Some(new) => changes.extend(changed(old, new)),
            None => changes.push(removed(old)),
        }
    }
    for (name, new) in both.new.exchanges.iter().filter(|(_, new)| !is_foreign(new)) {
        if !both.old.exchanges.contains_key(name) {
            changes.push(added(new));
        }
    }
    changes
}

fn subject(exchange: &Exchange) -> Subject {
    Subject::Exchange(exchange.name.clone())
}

fn added(new: &Exchange) -> Change {
    if new.owner == Owner::Us {
        return Change::new(Class::Compatible, subject(new), "it is new");
    }
    Change::new(Class::Review, subject(new), "it is somebody else's, and has to be there")
        .because("where it is not, the host does not start")
}

fn removed(old: &Exchange) -> Change {
    if old.owner != Owner::Us {
        return Change::new(Class::Cosmetic, subject(old), "nothing here uses it any more");
    }
    Change::new(Class::Breaking, subject(old), "it is no longer declared")
        .breaks("who publishes or binds to it from outside of this contract")
        .because("it stays on the broker that has it, and a fresh one never gets it")
        .hint("delete it when nobody publishes or binds to it any more")
        .step(Stage::TidyUp, format!("the exchange `{}`", old.name))
}

fn changed(old: &Exchange, new: &Exchange) -> Vec<Change> {
    let mut changes = Vec::new();
    match (&old.owner, &new.owner) {
        (Owner::Us, Owner::Us) => changes.extend(redeclared(old, new)),
        (Owner::Us, _) => changes.push(
            Change::new(
                Class::Review,
                subject(new),
                "it is somebody else's now, and no longer declared here",
            )
            .because("where nobody else declares it, the host does not start"),
        ),
        (_, Owner::Us) => changes.push(
            Change::new(Class::Review, subject(new), "it is declared here now")
                .because("the broker refuses that if it is there with other properties")
                .hint("`warren plan` compares it with the broker"),
        ),
        (_, _) if old.kind != new.kind => changes.push(Change::new(
            Class::Review,
            subject(new),
            format!("it is taken for a {} exchange, it was {}", kind(new.kind), kind(old.kind)),
        )),
        (_, _) if known(old) != known(new) => {
            let says = "what is known of it, without being declared, has changed";
            changes.push(Change::new(Class::Cosmetic, subject(new), says));
        }
        (_, _) => {}
    }
    changes
}

fn known(exchange: &Exchange) -> (bool, bool, bool, &Map<String, Value>) {
    (exchange.durable, exchange.auto_delete, exchange.internal, &exchange.arguments)
}

fn redeclared(old: &Exchange, new: &Exchange) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut refused: Vec<String> = Vec::new();
    let mut differs = |what: &str, before: String, after: String| {
        if before != after {
            refused.push(format!("`{what}` is {after}, it was {before}"));
        }
    };
    differs("type", kind(old.kind).to_owned(), kind(new.kind).to_owned());
    differs("durable", old.durable.to_string(), new.durable.to_string());
    differs("autoDelete", old.auto_delete.to_string(), new.auto_delete.to_string());
    differs("internal", old.internal.to_string(), new.internal.to_string());
    let alternate = |exchange: &Exchange| match &exchange.alternate {
        Some(name) => format!("`{name}`"),
        None => "none".to_owned(),
    };
    differs("alternateExchange", alternate(old), alternate(new));
    if !refused.is_empty() {
        let name = &new.name;
        changes.push(
            Change::new(Class::Breaking, subject(new), "it is declared with other properties")
                .details(refused)
                .breaks("every host that declares it: the broker refuses, and it does not start")
                .because(
                    "an exchange cannot be changed, only deleted and made again; its bindings go with it",
                )
                .hint(format!("give it another name, or migrate `{name}`: `warren plan` says how"))
                .step(Stage::Migrate, format!("the exchange `{name}`")),
        );
    }
    let others = |exchange: &Exchange| {
        let mut arguments = exchange.arguments.clone();
        arguments.remove(ALTERNATE);
        arguments
    };
    if others(old) != others(new) {
        changes.push(
            Change::new(Class::Review, subject(new), "it has other arguments")
                .because("the broker does not compare them: where the exchange is there, it stays as it is")
                .hint("delete it and let it be declared again, if it has to have them"),
        );
    }
    changes
}

fn kind(kind: ExchangeType) -> &'static str {
    match kind {
        ExchangeType::Topic => "topic",
        ExchangeType::Direct => "direct",
        ExchangeType::Fanout => "fanout",
        ExchangeType::Headers => "headers",
    }
}
