//! Consumers: what they take, what they take it with, and the limits they run under. New ones find, in their queues,
//! messages that were sent under the old contract.

use super::messages::Flow;
use super::{Both, Change, Class, Stage, Subject, grants, summary};
use crate::contract::compat::Roles;
use crate::contract::{
    Consumer, Contract, DeliveryMode, FailureAction, HandlerSpec, Isolation, Message, OnFailure,
    SignatureSpec, Takes,
};

/// What changed about consumers.
pub(super) fn changes(both: Both<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, old) in &both.old.consumers {
        match both.new.consumers.get(name) {
            Some(new) => changes.extend(changed(both, old, new)),
            None => changes.push(removed(both, old)),
        }
    }
    for (name, new) in both.new.consumers.iter().filter(|(name, _)| !both.old.consumers.contains_key(*name)) {
        let says = format!("it is new, takes `{}` from `{}`", new.message.name, new.queue);
        let change = Change::new(Class::Compatible, subject(new), says);
        changes.push(change.step(Stage::ConsumersFirst, format!("`{name}`")));
    }
    changes
}

fn subject(consumer: &Consumer) -> Subject {
    Subject::Consumer(consumer.name.clone())
}

fn removed(both: Both<'_>, old: &Consumer) -> Change {
    let successor = both.new.consumers.values().find(|consumer| consumer.queue == old.queue);
    if let Some(successor) = successor {
        let says = format!("it is gone, `{}` takes what comes into `{}`", successor.name, old.queue);
        return Change::new(Class::Review, subject(old), says)
            .breaks(format!("who relies on what `{}` did", old.name))
            .because("whether the two do the same is not in the contract");
    }
    Change::new(Class::Breaking, subject(old), "it is gone")
        .breaks(format!("who sends what it took: nobody takes it from `{}`, where it piles up", old.queue))
        .because("the queue stays on the broker, bound as it is, until somebody unbinds it")
        .hint("stop what publishes to it first, let it run empty, then unbind and delete the queue")
        .step(Stage::ConsumersLast, format!("what does without `{}`", old.name))
        .step(Stage::TidyUp, format!("the queue `{}`, once it is unbound and empty", old.queue))
}

fn changed(both: Both<'_>, old: &Consumer, new: &Consumer) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.queue != new.queue {
        changes.push(
            Change::new(
                Class::Breaking,
                subject(new),
                format!("it takes from the queue `{}`, it was `{}`", new.queue, old.queue),
            )
            .breaks(format!("who sent what is still in `{}`: nobody takes it from there", old.queue))
            .because("the old queue stays on the broker, bound as it is, and goes on filling")
            .hint("keep a consumer on the old queue until it is unbound and empty")
            .step(Stage::TidyUp, format!("the queue `{}`, once it is unbound and empty", old.queue)),
        );
    }
    if old.takes != new.takes {
        changes.push(
            Change::new(
                Class::Breaking,
                subject(new),
                format!("it takes {}, it was {}", taken(new), taken(old)),
            )
            .breaks(format!("who relies on `{}` for what it took before", new.name))
            .hint("make it another consumer, with a queue of its own"),
        );
    } else {
        changes.extend(message(both, old, new));
    }
    changes.extend(handler(subject(new), &old.handler, &new.handler));
    changes.extend(grants::publishes(subject(new), &old.publishes, &new.publishes));
    changes.extend(grants::capabilities(&subject(new), &old.capabilities, &new.capabilities));
    changes.extend(on_failure(subject(new), &old.on_failure, &new.on_failure));
    changes.extend(delivery(subject(new), old.delivery, new.delivery));
    if old.prefetch != new.prefetch {
        let says = format!("`prefetch` is {}, it was {}", new.prefetch, old.prefetch);
        changes.push(Change::new(Class::Compatible, subject(new), says));
    }
    changes.extend(summary(subject(new), old.summary.as_ref(), new.summary.as_ref()));
    changes
}

fn taken(consumer: &Consumer) -> String {
    match &consumer.takes {
        Takes::Event(name) => format!("the event `{name}`"),
        Takes::Command(name) => format!("the command `{name}`"),
        Takes::Rpc(name) => format!("the requests of `{name}`"),
        Takes::Message => format!("the message `{}`", consumer.message.name),
    }
}

/// What old publishers wrote has to suit the new consumer. What commands and rpcs bring is told there, unless the
/// consumer has a view of its own.
fn message(both: Both<'_>, old: &Consumer, new: &Consumer) -> Option<Change> {
    fn source<'c>(contract: &'c Contract, consumer: &'c Consumer) -> Option<&'c Message> {
        match &consumer.takes {
            Takes::Event(name) | Takes::Command(name) => {
                contract.publishers.get(name).map(|publisher| &*publisher.message)
            }
            Takes::Rpc(_) | Takes::Message => None,
        }
    }
    let own_view = |contract: &Contract, consumer: &Consumer| {
        source(contract, consumer).is_some_and(|message| message.name != consumer.message.name)
    };
    let told_elsewhere = match &new.takes {
        Takes::Rpc(_) => true,
        Takes::Command(_) => !own_view(both.old, old) && !own_view(both.new, new),
        Takes::Event(_) | Takes::Message => false,
    };
    if told_elsewhere {
        return None;
    }
    Flow {
        subject: subject(new),
        writer: source(both.old, old).unwrap_or(&old.message),
        reader: &new.message,
        roles: Roles { writer: "an old publisher", reader: "the new consumer" },
        misfit: "it rejects messages of old publishers".to_owned(),
        fit: "its messages changed, and it takes those of old publishers".to_owned(),
        breaks: format!(
            "old publishers: what they send, and what waits in `{}`, is dead-lettered without being handled",
            new.queue
        ),
        hint: "take both until old publishers are gone and the queue holds nothing of theirs",
        misfit_steps: vec![(Stage::ConsumersLast, format!("`{}`", new.name))],
        fit_steps: Vec::new(),
    }
    .change()
    .filter(|change| {
        change.class > Class::Compatible || source(both.old, old).is_none() || own_view(both.new, new)
    })
}

fn handler(subject: Subject, old: &HandlerSpec, new: &HandlerSpec) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |change: Change| changes.push(change);
    let new_change = |class, says: String| Change::new(class, subject.clone(), says);
    if old.component != new.component {
        let same = new.sha256.is_some() && old.sha256 == new.sha256;
        let says = format!("its component is `{}`, it was `{}`", new.component, old.component);
        add(new_change(if same { Class::Cosmetic } else { Class::Compatible }, says));
    }
    match (&old.sha256, &new.sha256) {
        (Some(before), Some(after)) if before != after => {
            add(new_change(Class::Compatible, "its component has another content (`sha256`)".to_owned()));
        }
        (Some(_), None) => {
            add(new_change(Class::Review, "its component is no longer pinned by `sha256`".to_owned())
                .because("any file at that path is run"))
        }
        (None, Some(_)) => {
            add(new_change(Class::Compatible, "its component is pinned by `sha256`".to_owned()))
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    changes.extend(signature(&subject, old.signature.as_ref(), new.signature.as_ref()));
    let mut add = |change: Change| changes.push(change);
    match (old.isolation, new.isolation) {
        (Isolation::Fresh, Isolation::Reuse) => {
            add(new_change(Class::Review, "an instance handles many messages, it was one".to_owned())
                .because("what the component keeps from one message, the next one finds"))
        }
        (Isolation::Reuse, Isolation::Fresh) => {
            add(new_change(Class::Compatible, "an instance handles one message, it was many".to_owned())
                .because("nothing is kept from one message to the next, and a call costs more"))
        }
        (Isolation::Fresh, Isolation::Fresh) | (Isolation::Reuse, Isolation::Reuse) => {}
    }
    let (before, after) = (old.deadline.as_millis(), new.deadline.as_millis());
    if before != after {
        let says = format!("a call may take {after} ms, it was {before} ms");
        add(tighter(
            &subject,
            says,
            after < before,
            "calls that take longer are cut off, tried again and dead-lettered",
        ));
    }
    let (before, after) = (old.memory_bytes_max >> 20, new.memory_bytes_max >> 20);
    if before != after {
        let says = format!("an instance may use {after} MiB, it was {before} MiB");
        add(tighter(
            &subject,
            says,
            after < before,
            "calls that need more fail, are tried again and dead-lettered",
        ));
    }
    changes.extend(limits(&subject, old, new));
    changes.extend(concurrency(&subject, old, new));
    changes
}

fn limits(subject: &Subject, old: &HandlerSpec, new: &HandlerSpec) -> Vec<Change> {
    let cpu = |handler: &HandlerSpec| {
        let limit = handler.limits.cpu.unwrap_or(handler.deadline);
        ("cpuMs", u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
    };
    let mut before = vec![cpu(old)];
    before.extend(old.limits.numbers());
    let mut after = vec![cpu(new)];
    after.extend(new.limits.numbers());
    let said = |handler: &HandlerSpec| handler.limits.cpu.is_some();
    let mut changes: Vec<Change> = before
        .into_iter()
        .zip(after)
        .filter(|((key, before), (_, after))| before != after && (*key != "cpuMs" || said(old) || said(new)))
        .map(|((key, before), (_, after))| {
            let says = format!("its limit `{key}` is {after}, it was {before}");
            tighter(subject, says, after < before, "calls that need more fail, or lose what is beyond it")
        })
        .collect();
    if old.reuse != new.reuse {
        let says = "instances are replaced after other numbers of calls, time or growth".to_owned();
        changes.push(Change::new(Class::Cosmetic, subject.clone(), says));
    }
    changes
}

fn concurrency(subject: &Subject, old: &HandlerSpec, new: &HandlerSpec) -> Option<Change> {
    let new_change = |class, says: String| Change::new(class, subject.clone(), says);
    (old.concurrency != new.concurrency).then(|| {
        let says = format!("`concurrency` is {}, it was {}", new.concurrency, old.concurrency);
        if old.concurrency == 1 {
            new_change(Class::Review, says)
                .because("messages are no longer handled one after the other, in the order of the queue")
        } else if new.concurrency < old.concurrency {
            new_change(Class::Compatible, says).because("less is handled at a time: the queue may grow")
        } else {
            new_change(Class::Compatible, says)
        }
    })
}

fn signature(subject: &Subject, old: Option<&SignatureSpec>, new: Option<&SignatureSpec>) -> Option<Change> {
    let change = |class, says: &str| Change::new(class, subject.clone(), says.to_owned());
    Some(match (old, new) {
        (Some(old), Some(new)) if old.public_key != new.public_key => {
            change(Class::Review, "its component has to be signed with another key")
                .because("a component signed with the old key is refused")
        }
        (Some(old), Some(new)) if old.file != new.file => {
            change(Class::Cosmetic, "the signature of its component is in another file")
        }
        (Some(_), None) => change(Class::Review, "its component need not be signed any more")
            .because("a component of anybody is run"),
        (None, Some(_)) => change(Class::Compatible, "its component has to be signed")
            .because("one that is not signed with that key is refused"),
        (Some(_), Some(_)) | (None, None) => return None,
    })
}

fn delivery(subject: Subject, old: DeliveryMode, new: DeliveryMode) -> Option<Change> {
    let says = format!("`delivery` is `{}`, it was `{}`", new.word(), old.word());
    match (old, new) {
        (DeliveryMode::AtLeastOnce, DeliveryMode::AtMostOnce) => Some(
            Change::new(Class::Breaking, subject, says)
                .breaks("who sends what it takes and counts on it: a message may be lost, and failures are not retried")
                .because("a message is acknowledged before it is handled; what the host has in hand when it dies is gone")
                .hint("right only for what may be lost and must not be done twice; else leave it out"),
        ),
        (DeliveryMode::AtMostOnce, DeliveryMode::AtLeastOnce) => Some(
            Change::new(Class::Review, subject, says)
                .breaks("its own handler, if it relies on never seeing a message twice")
                .because("a message is acknowledged after it was handled, and handled again if that is in doubt")
                .hint("make the handler's effects the same when they happen twice"),
        ),
        (DeliveryMode::AtLeastOnce, DeliveryMode::AtLeastOnce)
        | (DeliveryMode::AtMostOnce, DeliveryMode::AtMostOnce) => None,
    }
}

fn tighter(subject: &Subject, says: String, is_tighter: bool, because: &str) -> Change {
    if is_tighter {
        Change::new(Class::Review, subject.clone(), says)
            .breaks("its own handler, if it needs what it had")
            .because(because)
            .hint("look at how long calls take, and how much memory they use, before deploying it")
    } else {
        Change::new(Class::Compatible, subject.clone(), says)
    }
}

fn on_failure(subject: Subject, old: &OnFailure, new: &OnFailure) -> Option<Change> {
    let classes = [
        ("transient", old.transient, new.transient),
        ("rateLimited", old.rate_limited, new.rate_limited),
        ("permanent", old.permanent, new.permanent),
        ("unauthorized", old.unauthorized, new.unauthorized),
        ("trap", old.trap, new.trap),
        ("deadline", old.deadline, new.deadline),
        ("memory", old.memory, new.memory),
    ];
    let word = |action: Option<FailureAction>| match action {
        None => "as its class says",
        Some(FailureAction::Retry) => "`retry`",
        Some(FailureAction::DeadLetter) => "`dead-letter`",
    };
    let details: Vec<String> = classes
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(class, before, after)| format!("`{class}`: {}, it was {}", word(after), word(before)))
        .collect();
    (!details.is_empty())
        .then(|| Change::new(Class::Compatible, subject, "failures are treated differently").details(details))
}
