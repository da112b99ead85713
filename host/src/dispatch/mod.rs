//! One delivery, from arrival to settlement.
//!
//! receive -> wait for a place -> check -> call -> decide -> publish -> settle -> record
//!
//! Nothing here names lapin or wasmtime. Whatever happens, a delivery is acked only after what takes its place is
//! confirmed; where the host cannot do its part, it keeps the delivery and tries again, which costs the message no
//! attempt; where the channel fails, it lets go, and the broker hands the message over again. Only a consumer that asks
//! for at-most-once acks first (`once`).

mod finished;
mod once;
mod outgoing;
mod record;
mod subscription;
mod trouble;
mod turn;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::broker::{Delivery, Publication, PublishError, Publisher, Settlement};
use crate::contract::{DeliveryMode, Retry};
use crate::failpoint;
use crate::message::{Message, Properties, headers_json};
use crate::policy::copy::{self, Holder};
use crate::policy::history::Arrival;
use crate::policy::{self, Attempt, Disposition, Outcome, history};
use crate::sandbox::{Call, CallInfo};

use finished::Print;
use outgoing::{dead_letter, now_ms, publication, to_own_queue, to_wait_queue};
use record::record;
use trouble::{Trouble, hold};

pub use finished::{Finished, Recent};
pub use record::Tally;
pub use subscription::Subscription;
pub use trouble::Told;
pub use turn::Turn;
use turn::{Places, places};

/// The life of the channel that a delivery came over.
#[derive(Debug, Clone)]
pub struct Epoch {
    /// Publishes, on a connection of its own.
    pub publisher: Publisher,
    /// It has failed: nothing of it can be settled any more.
    pub failed: CancellationToken,
    /// It is to end: what has not begun is given back.
    pub stop: CancellationToken,
    /// Something that the contract declares is missing.
    pub missing: Arc<Notify>,
    /// What was finished on it last.
    pub recent: Arc<Recent>,
}

/// Why a delivery was let go without settling it.
enum LetGo {
    /// The delivery has to go back: the host is stopping, or could not do its part for so long that others may try.
    Back,
    /// The epoch has failed.
    Stale,
}

/// A delivery whose end is decided, and for which everything is published and confirmed.
struct Done {
    message_id: String,
    attempt: Attempt,
    outcome: Outcome,
    disposition: Disposition,
    settlement: Settlement,
    /// Set where the same message, when it comes again, has nothing left to be done.
    print: Option<Print>,
}

/// Takes one delivery to its end. Its turn was taken when it arrived.
pub async fn dispatch(subscription: &Subscription, epoch: &Epoch, turn: Turn, mut delivery: Delivery) {
    if epoch.failed.is_cancelled() && subscription.delivery == DeliveryMode::AtLeastOnce {
        return; // the broker hands it over again
    }
    let began = Instant::now();
    let arrived_id = delivery.message.properties.message_id.as_deref().unwrap_or_default();
    failpoint::pass("after-delivery", arrived_id).await;
    if subscription.delivery == DeliveryMode::AtMostOnce {
        return Box::pin(once::dispatch(subscription, epoch, turn, delivery, began)).await;
    }
    let print = subscription.finished.print(&delivery.message);
    if let Some(print) = print
        && subscription.finished.knows(print, delivery.redelivered)
    {
        let Holder { consumer, queue, .. } = &subscription.holder;
        tracing::info!(
            consumer,
            queue,
            message_id = arrived_id,
            "was finished before its ack was lost, and is acked again"
        );
        if delivery.settle(Settlement::Ack).is_ok() {
            epoch.recent.add(print);
        }
        return;
    }
    let work = async {
        let arrival = arrival(subscription, delivery.redelivered);
        let places = places(subscription, epoch, turn, &delivery.message, arrival);
        let Places { call, alone: _alone } = places.await?;
        work(subscription, epoch, std::mem::take(&mut delivery.message), arrival, print, call).await
    };
    // Most are done without ever waiting: what may end the wait is looked at when there is one.
    let result = tokio::select! {
        biased;
        result = work => result,
        () = epoch.failed.cancelled() => Err(LetGo::Stale),
    };
    let settled = match &result {
        Ok(done) => delivery.settle(done.settlement),
        Err(LetGo::Back) => delivery.settle(Settlement::Return),
        Err(LetGo::Stale) => return,
    };
    if let Ok(done) = result {
        if let Some(print) = done.print {
            // Kept in any case: a settlement that found its channel gone is an ack that was lost.
            epoch.recent.add(print);
        }
        if settled.is_ok() {
            record(subscription, &done, began.elapsed());
        }
    }
}

async fn work(
    subscription: &Subscription,
    epoch: &Epoch,
    mut message: Message,
    arrival: Arrival,
    print: Option<Print>,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Done, LetGo> {
    let mut trouble = Trouble::new(subscription, epoch);
    let message_id = identify(&mut message);
    let message = &Arc::new(message);
    let attempt = history::attempt(message, arrival, &subscription.retry);
    let poison = history::is_poison(message, arrival, &subscription.retry, subscription.deliveries_max);
    // What is rare is boxed: every delivery pays for the size of what might become of it.
    if subscription.recounts && arrival.redelivered && !poison {
        return Box::pin(recount(subscription, &mut trouble, message, message_id, attempt, arrival)).await;
    }
    if let Some(disposition) = early(subscription, message) {
        return Box::pin(put_off(subscription, &mut trouble, message, message_id, attempt, disposition))
            .await;
    }
    let Call { outcome, outbox } = if poison {
        let outcome = Outcome::Poison { deliveries: history::deliveries(message, arrival) };
        Call { outcome, outbox: Vec::new() }
    } else {
        let before = history::deliveries(message, arrival) > 0;
        call(subscription, &mut trouble, message, before, &message_id, attempt).await?
    };
    drop(permit);
    let Subscription { retry, on_failure, delivery, .. } = subscription;
    let disposition = policy::decide(&outcome, attempt, retry, on_failure, *delivery, fastrand::f64());
    let settlement = match &disposition {
        Disposition::Ack => {
            let publish = |outgoing| publication(subscription, message, &message_id, outgoing);
            if !outbox.is_empty() {
                Box::pin(publish_all(&mut trouble, outbox.into_iter().map(publish).collect())).await?;
            }
            Settlement::Ack
        }
        Disposition::Requeue { after } => {
            Box::pin(hold(epoch, *after)).await?;
            Settlement::Reject
        }
        Disposition::Retry { tier_ms, after } => {
            let copy = copy::for_retry(message, &outcome, attempt, *after, now_ms());
            Box::pin(publish_all(&mut trouble, vec![to_wait_queue(subscription, *tier_ms, copy)])).await?;
            Settlement::Ack
        }
        Disposition::DeadLetter => {
            let letter = dead_letter(subscription, message, &outcome, attempt);
            Box::pin(publish_dead_letter(subscription, &mut trouble, letter)).await?
        }
    };
    let print = print.filter(|_| settlement == Settlement::Ack);
    Ok(Done { message_id, attempt, outcome, disposition, settlement, print })
}

/// The id of the message; one is made where the publisher set none, and kept by copies.
fn identify(message: &mut Message) -> String {
    let given = message.properties.message_id.take().filter(|id| !id.is_empty());
    let id = given.unwrap_or_else(|| Uuid::new_v4().to_string());
    message.properties.message_id = Some(id.clone());
    id
}

/// Where a message has to wait that came back before it was due.
fn early(subscription: &Subscription, message: &Message) -> Option<Disposition> {
    let Retry::TtlBackoff(backoff) = &subscription.retry else { return None };
    let left_ms = history::not_before_ms(message)?.saturating_sub(now_ms());
    (left_ms > 0 && !backoff.tiers_ms().is_empty()).then(|| policy::wait(backoff, 0, left_ms))
}

/// What the broker says of a delivery.
fn arrival(subscription: &Subscription, redelivered: bool) -> Arrival {
    Arrival { queue: subscription.queue_type, redelivered }
}

/// Puts a message that came back at the end of its queue, counted.
async fn recount(
    subscription: &Subscription,
    trouble: &mut Trouble<'_>,
    message: &Message,
    message_id: String,
    attempt: Attempt,
    arrival: Arrival,
) -> Result<Done, LetGo> {
    let copy = copy::for_recount(message, arrival);
    publish_all(trouble, vec![to_own_queue(subscription, copy)]).await?;
    let outcome = Outcome::Failed(policy::Failure::Transient(
        "it came back from a queue that does not count".to_owned(),
    ));
    let disposition = Disposition::Requeue { after: Duration::ZERO };
    Ok(Done { message_id, attempt, outcome, disposition, settlement: Settlement::Ack, print: None })
}

async fn put_off(
    subscription: &Subscription,
    trouble: &mut Trouble<'_>,
    message: &Message,
    message_id: String,
    attempt: Attempt,
    disposition: Disposition,
) -> Result<Done, LetGo> {
    if let Disposition::Retry { tier_ms, after } = &disposition {
        let copy = copy::for_wait(message, *after);
        publish_all(trouble, vec![to_wait_queue(subscription, *tier_ms, copy)]).await?;
    }
    let retry_after = Duration::ZERO;
    let reason = "not due yet".to_owned();
    let outcome = Outcome::Failed(policy::Failure::RateLimited { retry_after, reason });
    // Not to be known again: the copy that waits is the same message, and everything is left to be done with it.
    Ok(Done { message_id, attempt, outcome, disposition, settlement: Settlement::Ack, print: None })
}

/// Checks the message and hands it to the handler; again and again, as long as the fault is the host's.
async fn call(
    subscription: &Subscription,
    trouble: &mut Trouble<'_>,
    message: &Arc<Message>,
    redelivered: bool,
    message_id: &str,
    attempt: Attempt,
) -> Result<Call, LetGo> {
    let plain = match check(subscription, message) {
        Ok(plain) => plain.map(Arc::new),
        Err(reasons) => return Ok(Call { outcome: Outcome::Invalid(reasons), outbox: Vec::new() }),
    };
    let message = plain.as_ref().unwrap_or(message);
    let queue = &subscription.holder.queue;
    loop {
        let info = CallInfo { message_id, queue, attempt, redelivered };
        match subscription.handler.call(message, info).await {
            Ok(call) => return Ok(call),
            Err(fault) => Box::pin(trouble.pause(&fault.to_string())).await?,
        }
    }
}

/// Checks a message; gives it without compression where it came with some. The copy for a retry or a dead letter is
/// always made of the message as it came.
fn check(subscription: &Subscription, message: &Message) -> Result<Option<Message>, Vec<String>> {
    let Properties { content_type, content_encoding, .. } = &message.properties;
    let body = subscription
        .message
        .decode(&message.body, content_encoding.as_deref())
        .map_err(|reason| vec![reason])?;
    subscription.message.check(&body, content_type.as_deref(), || {
        let headers: Vec<_> =
            message.headers.iter().filter(|(name, _)| !history::is_bookkeeping(name)).cloned().collect();
        headers_json(&headers)
    })?;
    Ok(match body {
        Cow::Borrowed(_) => None,
        Cow::Owned(body) => {
            let properties = Properties { content_encoding: None, ..message.properties.clone() };
            let Message { exchange, routing_key, headers, .. } = message;
            let (exchange, routing_key, headers) = (exchange.clone(), routing_key.clone(), headers.clone());
            Some(Message { exchange, routing_key, properties, headers, body })
        }
    })
}

/// Publishes, and does not come back before everything is confirmed. What the broker does not take now is offered
/// again; the delivery stays ours meanwhile.
async fn publish_all(trouble: &mut Trouble<'_>, publications: Vec<Publication>) -> Result<(), LetGo> {
    let mut waiting = publications;
    while !waiting.is_empty() {
        let (refused, why) = trouble.offer(waiting).await?;
        waiting = refused;
        if let Some(why) = why {
            trouble.pause(&why.to_string()).await?;
        }
    }
    Ok(())
}

/// Publishes a dead letter. One that the broker does not take is left to its own dead-lettering, which knows no reasons
/// but keeps the message until there is a queue for it; where the queue has no such, it stays ours and is offered again.
async fn publish_dead_letter(
    subscription: &Subscription,
    trouble: &mut Trouble<'_>,
    letter: Option<Publication>,
) -> Result<Settlement, LetGo> {
    let mut waiting: Vec<Publication> = letter.into_iter().collect();
    while !waiting.is_empty() {
        let (refused, why): (_, Option<PublishError>) = trouble.offer(waiting).await?;
        waiting = refused;
        let Some(why) = why else { continue };
        if subscription.broker_dead_letters && trouble.is_long() {
            let Holder { consumer, queue, .. } = &subscription.holder;
            tracing::error!(
                consumer,
                queue,
                "a dead letter cannot be published and is left to the broker: {why}"
            );
            return Ok(Settlement::DeadLetter);
        }
        trouble.pause(&why.to_string()).await?;
    }
    Ok(Settlement::Ack)
}
