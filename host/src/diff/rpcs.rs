//! Requests that are answered: callers have the old contract.

use super::messages::Flow;
use super::{Both, Change, Class, Stage, Subject, summary};
use crate::contract::Rpc;
use crate::contract::compat::Roles;

/// What changed about rpcs.
pub(super) fn changes(both: Both<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    let subject = |name: &str| Subject::Rpc(name.to_owned());
    for (name, old) in &both.old.rpcs {
        match both.new.rpcs.get(name) {
            Some(new) => changes.extend(changed(old, new)),
            None => changes.push(
                Change::new(Class::Breaking, subject(name), "it is gone")
                    .breaks(callers(old))
                    .because("nobody answers them any more")
                    .hint("answer it until nobody calls any more"),
            ),
        }
    }
    for name in both.new.rpcs.keys().filter(|name| !both.old.rpcs.contains_key(*name)) {
        changes.push(Change::new(Class::Compatible, subject(name), "it is new"));
    }
    changes
}

fn callers(rpc: &Rpc) -> String {
    format!("who calls `{}` and has the old contract", rpc.name)
}

fn changed(old: &Rpc, new: &Rpc) -> Vec<Change> {
    let subject = || Subject::Rpc(new.name.clone());
    let first = || (Stage::ConsumersFirst, format!("what answers `{}`", new.name));
    let mut changes = Vec::new();
    if old.queue != new.queue {
        let says = format!("its requests go to the queue `{}`, it was `{}`", new.queue, old.queue);
        changes.push(
            Change::new(Class::Breaking, subject(), says)
                .breaks(callers(new))
                .because("they go on sending their requests to the old queue")
                .hint("answer the old queue, too, until nobody calls by it"),
        );
    }
    let request = Flow {
        subject: subject(),
        writer: &old.request,
        reader: &new.request,
        roles: Roles { writer: "an old caller", reader: "who answers" },
        misfit: "requests of old callers are rejected".to_owned(),
        fit: "requests changed, and those of old callers are taken".to_owned(),
        breaks: callers(new),
        hint: "take both until every caller has the new contract",
        misfit_steps: vec![(Stage::ConsumersLast, format!("what answers `{}`", new.name))],
        fit_steps: vec![first()],
    };
    changes.extend(request.change());
    let response = |what: String, old: &crate::contract::Message, new_message: &crate::contract::Message| {
        Flow {
            subject: subject(),
            writer: new_message,
            reader: old,
            roles: Roles { writer: "who answers", reader: "an old caller" },
            misfit: format!("old callers reject {what}"),
            fit: format!("{what} changed, and old callers take it"),
            breaks: callers(new),
            hint: "let callers take both before it is answered that way",
            misfit_steps: vec![(Stage::ConsumersLast, format!("what answers `{}`", new.name))],
            fit_steps: Vec::new(),
        }
        .change()
    };
    changes.extend(response("the answer".to_owned(), &old.response, &new.response));
    for (code, message) in &new.errors {
        match old.errors.get(code) {
            Some(before) => changes.extend(response(format!("the error `{code}`"), before, message)),
            None => changes.push(
                Change::new(Class::Review, subject(), format!("it may answer with the error `{code}`"))
                    .breaks(callers(new))
                    .because("what they do with an error that they do not know is not in the contract"),
            ),
        }
    }
    for code in old.errors.keys().filter(|code| !new.errors.contains_key(*code)) {
        let says = format!("it no longer answers with the error `{code}`");
        changes.push(Change::new(Class::Compatible, subject(), says));
    }
    changes.extend(timeout(old, new, first));
    changes.extend(summary(subject(), old.summary.as_ref(), new.summary.as_ref()));
    changes
}

fn timeout(old: &Rpc, new: &Rpc, first: impl Fn() -> (Stage, String)) -> Option<Change> {
    let (before, after) = (old.timeout.as_millis(), new.timeout.as_millis());
    let says = format!("a request may take {after} ms, it was {before} ms");
    let change = |class| Change::new(class, Subject::Rpc(new.name.clone()), &says);
    if after < before {
        let change = change(Class::Review).breaks(callers(new));
        return Some(change.because("they wait longer than their requests live, and get no answer"));
    }
    let (stage, what) = first();
    (after > before).then(|| change(Class::Compatible).step(stage, what))
}
