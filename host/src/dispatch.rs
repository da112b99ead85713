//! One delivery, from arrival to settlement.
//!
//! receive -> wait for a place -> check -> call -> decide -> publish -> settle -> record
//!
//! Nothing here names lapin or wasmtime. Whatever happens, a delivery is acked only after what takes its place is
//! confirmed; where the host cannot do its part, it keeps the delivery and tries again, which costs the message no
//! attempt; where the epoch fails, it lets go, and the broker hands the message over again.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::broker::{Delivery, Publication, Publisher, Settlement};
use crate::contract::{self, DeadLetter, DeliveryMode, OnFailure, QueueType, Retry};
use crate::message::{HeaderValue, Message, Properties, headers_json};
use crate::policy::copy::{self, Holder};
use crate::policy::history::Arrival;
use crate::policy::{self, Attempt, Disposition, Outcome, history};
use crate::sandbox::{Call, CallInfo, Handler, Outgoing};
use crate::topology::wait_queue_name;

/// How long the host waits before it tries again what it could not do itself; doubles each time.
const TROUBLE_PAUSE: Duration = Duration::from_secs(1);
const TROUBLE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Everything that the deliveries of one consumer need.
#[derive(Debug)]
pub struct Subscription {
    /// What comes out of the queue.
    pub message: std::sync::Arc<contract::Message>,
    /// How failures are retried.
    pub retry: Retry,
    /// What becomes of failures, where it is not what their class says.
    pub on_failure: OnFailure,
    /// When a message is acknowledged.
    pub delivery_mode: DeliveryMode,
    /// How often a message may be handed over without being settled.
    pub deliveries_max: u32,
    /// The type of the queue.
    pub queue_type: QueueType,
    /// Where dead letters go; none if the contract says to drop them.
    pub dead_letter: Option<DeadLetter>,
    /// What handles messages.
    pub handler: Handler,
    /// One permit for each call that may run.
    pub permits: Semaphore,
    /// Who we are, for dead letters and logs.
    pub holder: Holder,
    /// Name of the contract, as the `app-id` of what is published.
    pub app_id: String,
    /// What happened so far.
    pub tally: Tally,
}

/// Settled deliveries, by what became of them.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Tally {
    pub handled: AtomicU64,
    pub retried: AtomicU64,
    pub dead_lettered: AtomicU64,
}

/// The connection that a delivery came over.
#[derive(Debug, Clone)]
pub struct Epoch {
    /// Publishes on it.
    pub publisher: Publisher,
    /// It has failed: nothing of it can be settled any more.
    pub failed: CancellationToken,
    /// It is to end: what has not begun is given back.
    pub stop: CancellationToken,
}

/// Why a delivery was let go without settling it.
enum LetGo {
    /// The host is stopping, and this delivery has to go back.
    Stopping,
    /// The epoch has failed.
    Stale,
}

/// Takes one delivery to its end.
pub async fn dispatch(subscription: &Subscription, epoch: &Epoch, mut delivery: Delivery) {
    let began = Instant::now();
    let work = work(subscription, epoch, &mut delivery);
    let result = tokio::select! {
        result = work => result,
        () = epoch.failed.cancelled() => Err(LetGo::Stale),
    };
    let settled = match result {
        Ok(Done { settlement, .. }) => delivery.settle(settlement),
        Err(LetGo::Stopping) => delivery.settle(Settlement::Return),
        Err(LetGo::Stale) => return,
    };
    if let (Ok(()), Ok(done)) = (settled, result) {
        record(subscription, &done, began.elapsed());
    }
}

/// A delivery whose end is decided, and for which everything is published and confirmed.
struct Done {
    message_id: String,
    attempt: Attempt,
    outcome: Outcome,
    disposition: Disposition,
    settlement: Settlement,
}

async fn work(subscription: &Subscription, epoch: &Epoch, delivery: &mut Delivery) -> Result<Done, LetGo> {
    let permit = tokio::select! {
        biased;
        () = epoch.stop.cancelled() => return Err(LetGo::Stopping),
        permit = subscription.permits.acquire() => permit,
    };
    let message_id = identify(&mut delivery.message);
    let attempt = history::attempt(&delivery.message, arrival(subscription, delivery), &subscription.retry);
    if let Some(disposition) = early(subscription, &delivery.message) {
        return put_off(subscription, epoch, &delivery.message, message_id, attempt, disposition).await;
    }
    let Call { outcome, outbox } = call(subscription, epoch, delivery, &message_id, attempt).await?;
    let Subscription { retry, on_failure, delivery_mode, .. } = subscription;
    let disposition = policy::decide(&outcome, attempt, retry, on_failure, *delivery_mode, fastrand::f64());
    let (publications, settlement) = match &disposition {
        Disposition::Ack => {
            let publish = |outgoing| publication(subscription, &delivery.message, &message_id, outgoing);
            (outbox.into_iter().map(publish).collect(), Settlement::Ack)
        }
        Disposition::Requeue { .. } => (Vec::new(), Settlement::Reject),
        Disposition::Retry { tier_ms, after } => {
            let copy = copy::for_retry(&delivery.message, &outcome, attempt, *after, now_ms());
            (vec![to_wait_queue(subscription, *tier_ms, copy)], Settlement::Ack)
        }
        Disposition::DeadLetter => {
            (dead_letter(subscription, &delivery.message, &outcome, attempt), Settlement::Ack)
        }
    };
    drop(permit);
    if let Disposition::Requeue { after } = &disposition {
        hold(epoch, *after).await?;
    }
    publish(subscription, epoch, publications).await?;
    Ok(Done { message_id, attempt, outcome, disposition, settlement })
}

/// Keeps a delivery for a while; ends early when the host stops.
async fn hold(epoch: &Epoch, time: Duration) -> Result<(), LetGo> {
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        () = epoch.stop.cancelled() => Err(LetGo::Stopping),
    }
}

fn arrival(subscription: &Subscription, delivery: &Delivery) -> Arrival {
    Arrival { queue: subscription.queue_type, redelivered: delivery.redelivered }
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

async fn put_off(
    subscription: &Subscription,
    epoch: &Epoch,
    message: &Message,
    message_id: String,
    attempt: Attempt,
    disposition: Disposition,
) -> Result<Done, LetGo> {
    if let Disposition::Retry { tier_ms, after } = &disposition {
        let copy = copy::for_wait(message, *after);
        publish(subscription, epoch, vec![to_wait_queue(subscription, *tier_ms, copy)]).await?;
    }
    let retry_after = Duration::ZERO;
    let reason = "not due yet".to_owned();
    let outcome = Outcome::Failed(policy::Failure::RateLimited { retry_after, reason });
    Ok(Done { message_id, attempt, outcome, disposition, settlement: Settlement::Ack })
}

/// Checks the message and hands it to the handler; again and again, as long as the fault is the host's.
async fn call(
    subscription: &Subscription,
    epoch: &Epoch,
    delivery: &Delivery,
    message_id: &str,
    attempt: Attempt,
) -> Result<Call, LetGo> {
    let message = &delivery.message;
    let arrival = arrival(subscription, delivery);
    if history::is_poison(message, arrival, &subscription.retry, subscription.deliveries_max) {
        let outcome = Outcome::Poison { deliveries: history::deliveries(message, arrival) };
        return Ok(Call { outcome, outbox: Vec::new() });
    }
    let plain = match check(subscription, message) {
        Ok(plain) => plain,
        Err(reasons) => return Ok(Call { outcome: Outcome::Invalid(reasons), outbox: Vec::new() }),
    };
    let message = plain.as_ref().unwrap_or(message);
    let queue = &subscription.holder.queue;
    let mut trouble = Trouble::default();
    loop {
        let info = CallInfo { message_id, queue, attempt, redelivered: delivery.redelivered };
        match subscription.handler.call(message, info).await {
            Ok(call) => return Ok(call),
            Err(fault) => trouble.pause(subscription, epoch, &fault.to_string()).await?,
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
async fn publish(
    subscription: &Subscription,
    epoch: &Epoch,
    publications: Vec<Publication>,
) -> Result<(), LetGo> {
    let mut waiting = publications;
    let mut trouble = Trouble::default();
    while !waiting.is_empty() {
        let mut refused = Vec::new();
        let mut why = String::new();
        let Ok(verdicts) = epoch.publisher.publish(waiting).await else {
            // The connection has failed; the end of the epoch cancels this delivery.
            epoch.failed.cancelled().await;
            return Err(LetGo::Stale);
        };
        for (publication, verdict) in verdicts {
            if let Err(error) = verdict {
                why = error.to_string();
                refused.push(publication);
            }
        }
        waiting = refused;
        if !waiting.is_empty() {
            trouble.pause(subscription, epoch, &why).await?;
        }
    }
    Ok(())
}

/// Something that the host cannot do at the moment.
#[derive(Default)]
struct Trouble {
    pauses: u32,
}

impl Trouble {
    async fn pause(&mut self, subscription: &Subscription, epoch: &Epoch, why: &str) -> Result<(), LetGo> {
        let Holder { consumer, queue, .. } = &subscription.holder;
        let pause = TROUBLE_PAUSE.saturating_mul(1 << self.pauses.min(5)).min(TROUBLE_PAUSE_MAX);
        self.pauses += 1;
        tracing::warn!(
            consumer,
            queue,
            pause_s = pause.as_secs(),
            "the message is kept and tried again: {why}"
        );
        hold(epoch, pause).await
    }
}

/// An outgoing message of the handler, with what the host adds.
fn publication(
    subscription: &Subscription,
    input: &Message,
    input_id: &str,
    outgoing: Outgoing,
) -> Publication {
    let Outgoing { publisher, routing_key, mut properties, headers, body } = outgoing;
    let correlation_id = input.properties.correlation_id.clone().unwrap_or_else(|| input_id.to_owned());
    properties.correlation_id.get_or_insert(correlation_id);
    properties.timestamp.get_or_insert_with(|| now_ms() / 1000);
    properties.app_id.get_or_insert_with(|| subscription.app_id.clone());
    let (body, encoding) = publisher.message.encode(body);
    properties.content_encoding = encoding.map(str::to_owned).or(properties.content_encoding);
    let mut message = Message { properties, headers, body, ..Message::default() };
    message.set_header(history::CAUSATION_ID, HeaderValue::text(input_id));
    for name in ["traceparent", "tracestate"] {
        if let (None, Some(value)) = (message.header(name), input.header(name)) {
            message.set_header(name, value.clone());
        }
    }
    Publication { exchange: publisher.exchange.clone(), routing_key, message }
}

/// By the default exchange, which reaches a queue by its name.
fn to_wait_queue(subscription: &Subscription, tier_ms: u64, message: Message) -> Publication {
    let routing_key = wait_queue_name(&subscription.holder.queue, tier_ms);
    Publication { exchange: String::new(), routing_key, message }
}

fn dead_letter(
    subscription: &Subscription,
    message: &Message,
    outcome: &Outcome,
    attempt: Attempt,
) -> Vec<Publication> {
    // The contract says `onPoison: drop`.
    let Some(DeadLetter { exchange, routing_key }) = &subscription.dead_letter else { return Vec::new() };
    let (_, original_key) = history::origin(message);
    let routing_key = routing_key.clone().unwrap_or_else(|| original_key.to_owned());
    let message = copy::for_dead_letter(message, outcome, attempt, &subscription.holder, now_ms());
    vec![Publication { exchange: exchange.clone(), routing_key, message }]
}

/// One log event for each settled delivery.
fn record(subscription: &Subscription, done: &Done, took: Duration) {
    let Holder { consumer, queue, .. } = &subscription.holder;
    let Done { message_id, attempt, outcome, disposition, .. } = done;
    let (attempt, attempts_max, outcome, reason) =
        (attempt.number, attempt.max, outcome.class(), outcome.reason());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let tally = &subscription.tally;
    match disposition {
        Disposition::Ack => {
            tally.handled.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(consumer, queue, message_id, attempt, duration_ms, "handled");
        }
        Disposition::Requeue { after } | Disposition::Retry { after, .. } => {
            tally.retried.fetch_add(1, Ordering::Relaxed);
            let delay_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(
                consumer,
                queue,
                message_id,
                attempt,
                attempts_max,
                outcome,
                reason,
                delay_ms,
                duration_ms,
                "will be retried"
            );
        }
        Disposition::DeadLetter => {
            tally.dead_lettered.fetch_add(1, Ordering::Relaxed);
            let what = if subscription.dead_letter.is_some() {
                "dead-lettered"
            } else {
                "dropped, as `onPoison` says"
            };
            tracing::warn!(
                consumer,
                queue,
                message_id,
                attempt,
                attempts_max,
                outcome,
                reason,
                duration_ms,
                "{what}"
            );
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
