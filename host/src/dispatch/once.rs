//! At most once: the delivery is acked before its message is given to the handler, so that no crash makes it come again.
//!
//! What comes again all the same, because an ack was lost or a host was stopped with the message in its hands, may have
//! been handled; it is dead-lettered without being given to the handler.

use std::time::Instant;

use crate::broker::{Delivery, Settlement};
use crate::policy::copy::Holder;
use crate::policy::{Disposition, Outcome, history};

use super::outgoing::dead_letter;
use super::record::record;
use super::trouble::Trouble;
use super::{Done, Epoch, LetGo, Subscription, Turn, arrival, identify, publish_dead_letter, work};

pub(super) async fn dispatch(
    subscription: &Subscription,
    epoch: &Epoch,
    turn: Turn,
    delivery: Delivery,
    began: Instant,
) {
    if delivery.redelivered {
        return not_again(subscription, epoch, delivery, began).await;
    }
    // Also when the host is stopping: given back, the message would be flagged as one that may have been handled.
    let permit = tokio::select! {
        permit = turn.come() => permit,
        () = epoch.failed.cancelled() => return,
    };
    let Ok(mut message) = delivery.ack_on_receipt() else { return };
    // From here on the message is only here. The end of its channel means nothing to it any more.
    let message_id = identify(&mut message);
    match work(subscription, epoch, message, arrival(subscription, false), None, permit).await {
        Ok(done) => record(subscription, &done, began.elapsed()),
        Err(LetGo::Back | LetGo::Stale) => {
            let Holder { consumer, queue, .. } = &subscription.holder;
            tracing::error!(
                consumer,
                queue,
                message_id,
                "lost: acked on receipt, and what came of it could not be published"
            );
        }
    }
}

/// It may have been handled: it is not acked before its dead letter is confirmed, as any other.
async fn not_again(subscription: &Subscription, epoch: &Epoch, mut delivery: Delivery, began: Instant) {
    let message_id = identify(&mut delivery.message);
    let attempt = history::attempt(&delivery.message, arrival(subscription, true), &subscription.retry);
    let outcome = Outcome::Redelivered;
    let letter = dead_letter(subscription, &delivery.message, &outcome, attempt);
    let mut trouble = Trouble::new(subscription, epoch);
    let published = tokio::select! {
        published = publish_dead_letter(subscription, &mut trouble, letter) => published,
        () = epoch.failed.cancelled() => Err(LetGo::Stale),
    };
    let settlement = match published {
        Ok(settlement) => settlement,
        Err(LetGo::Back) => Settlement::Return,
        Err(LetGo::Stale) => return,
    };
    let settled = delivery.settle(settlement);
    if settled.is_ok() && settlement != Settlement::Return {
        let disposition = Disposition::DeadLetter;
        record(
            subscription,
            &Done { message_id, attempt, outcome, disposition, settlement, print: None },
            began.elapsed(),
        );
    }
}
