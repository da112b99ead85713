//! One call: an instance, the message in, the outcome out. Whatever the guest does, this returns; only what is our own
//! failure is an error.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::message::Message;
use crate::metrics::Counted;
use crate::policy::{Attempt, Failure, Fault, Outcome};

use super::capabilities::{Uncommitted, Writes};
use super::engine::{Used, weight};
use super::guest_log::Context;
use super::inspect::{self, ComponentError};
use super::instance::{self, Answer, Source, Turn};
use super::lane::{self, Ran};
use super::limits::{Hit, Meter};
use super::outbox::Outgoing;
use super::worlds::{Input, Whole};
use super::{Handler, Ready};

/// What a handler is told beside the message.
#[derive(Debug, Clone)]
pub struct CallInfo<'a> {
    /// The message id, the publisher's or ours.
    pub message_id: &'a str,
    /// The queue that the message came from.
    pub queue: &'a str,
    /// Which attempt this is.
    pub attempt: Attempt,
    /// The broker's hint that the message may have been handed over before.
    pub redelivered: bool,
}

/// What came of a call.
#[derive(Debug)]
pub struct Call {
    /// What the guest did.
    pub outcome: Outcome,
    /// What is to be published if it succeeded; empty otherwise.
    pub outbox: Vec<Outgoing>,
}

/// The host could not ask the guest. Costs the message no attempt.
#[derive(Debug, thiserror::Error)]
#[error("the handler could not be called: {0}")]
pub struct HostFault(pub(super) String);

/// How often a call is made again at once because another has written what it had read.
const CONFLICTS_MAX: u32 = 100;

impl Handler {
    /// Hands a message to an instance: one that was kept, or a fresh one. Waits where no place is free. What it has written
    /// to key-value stores is kept if it succeeds.
    pub async fn call(&self, message: &Arc<Message>, info: CallInfo<'_>) -> Result<Call, HostFault> {
        let (mut conflicts, began) = (0, Instant::now());
        loop {
            let (call, writes) = self.call_once(message, &info).await?;
            if writes.is_empty() {
                return Ok(call);
            }
            match Box::pin(self.ready.granted.keep(writes)).await {
                Ok(()) => return Ok(call),
                // Nothing of the call has had an effect, so it is made again, with what is there now.
                Err(Uncommitted::Conflict { .. })
                    if conflicts < CONFLICTS_MAX && began.elapsed() < self.ready.spec.deadline =>
                {
                    conflicts += 1;
                }
                Err(full @ Uncommitted::Full { .. }) => {
                    let outcome = Outcome::Failed(Failure::Transient(full.to_string()));
                    return Ok(Call { outcome, outbox: Vec::new() });
                }
                Err(error) => return Err(HostFault(error.to_string())),
            }
        }
    }

    async fn call_once(
        &self,
        message: &Arc<Message>,
        info: &CallInfo<'_>,
    ) -> Result<(Call, Writes), HostFault> {
        let ready = &self.ready;
        let source = match ready.pool.take() {
            Some(kept) => Source::Kept(kept),
            None => Source::New(match self.ready.admission.enter_now(self.weight()) {
                Some(place) => place,
                None => Box::pin(self.place()).await?,
            }),
        };
        let message_id: Arc<str> = info.message_id.into();
        let input = ready.input(message, &message_id, info);
        let meter = Arc::new(Meter::new());
        let began = Instant::now();
        let end = began + ready.spec.deadline;
        let context =
            Context { consumer: Arc::clone(&ready.consumer), message_id, attempt: info.attempt.number };
        let turn = Turn { context, meter: Arc::clone(&meter), end };
        let running = Counted::new(&ready.metrics.running);
        let work = instance::answer(Arc::clone(ready), source, input, turn);
        let ran = lane::run(work, Arc::clone(&meter), end.into(), &ready.lanes, &self.usual).await;
        drop(running);
        ready.metrics.seconds.observe(began.elapsed().as_secs_f64());
        // One that is late may have waited for its thread all the time, and says nothing of how long calls compute.
        let busy = meter.busy();
        if busy > lane::HEAVY || !matches!(ran, Ran::Late) {
            if self.usual.learn(busy) {
                ready.metrics.heavy.inc();
            } else {
                ready.lanes.was_light(busy);
            }
        }
        let answer = match ran {
            Ran::Done(answer) => answer,
            // A host fault costs no attempt, whenever it comes.
            Ran::Overdue(answer) if answer.outcome.is_err() => answer,
            Ran::Overdue(_) | Ran::Late => Answer {
                outcome: Ok(Outcome::Faulted(Fault::Deadline(ready.spec.deadline))),
                outbox: Vec::new(),
                writes: Writes::default(),
                instance: None,
                hit: Some(Hit::Deadline),
            },
        };
        self.settle(answer)
    }

    async fn place(&self) -> Result<tokio::sync::OwnedSemaphorePermit, HostFault> {
        let _waiting = Counted::new(&self.ready.metrics.waiting);
        let place = self.ready.admission.enter(self.weight()).await;
        place.ok_or_else(|| HostFault("the host is ending".to_owned()))
    }

    /// How many places an instance takes.
    fn weight(&self) -> u32 {
        self.ready.weight.load(Ordering::Relaxed)
    }

    fn settle(&self, answer: Answer) -> Result<(Call, Writes), HostFault> {
        let Ready { metrics, pool, admission, .. } = &*self.ready;
        if let Some(hit) = answer.hit {
            metrics.limit_hit(hit.key());
        }
        match answer.instance {
            Some(instance) => pool.put(instance, admission),
            None => pool.lost(),
        }
        let outcome = answer.outcome?;
        metrics.called(outcome.class());
        Ok((Call { outcome, outbox: answer.outbox }, answer.writes))
    }

    /// Makes an instance and throws it away: shows before the first message what cannot start, and what each needs.
    pub(super) async fn try_start(&self) -> Result<(), ComponentError> {
        let ready = &self.ready;
        let not_startable = |reason: String| ComponentError::NotStartable { reason };
        let place = ready.admission.enter(1).await;
        let place = place.ok_or_else(|| not_startable("the host is ending".to_owned()))?;
        let meter = Arc::new(Meter::new());
        let end = Instant::now() + ready.spec.deadline;
        let context = Context { consumer: Arc::clone(&ready.consumer), message_id: "".into(), attempt: 0 };
        let turn = Turn { context, meter: Arc::clone(&meter), end };
        let (trial, all) = (Arc::clone(ready), ready.admission.all());
        let before = Used::of(&ready.engine);
        let work = async move {
            let look = || {
                let needs = weight(before.as_ref(), Used::of(&trial.engine));
                trial.weight.store(needs, Ordering::Relaxed);
            };
            instance::try_one(&trial, place, turn, look).await
        };
        match lane::run(work, meter, end.into(), &ready.lanes, &self.usual).await {
            Ran::Overdue(_) | Ran::Late => {
                let late = Outcome::Faulted(Fault::Deadline(ready.spec.deadline));
                return Err(not_startable(late.reason()));
            }
            Ran::Done(Err(outcome)) => return Err(not_startable(outcome.reason())),
            Ran::Done(Ok(typed)) => typed.map_err(|error| inspect::unbound(ready.world.flavour(), &error))?,
        }
        let needs = ready.weight.load(Ordering::Relaxed);
        if needs > all {
            return Err(ComponentError::TooHeavy { needs, all });
        }
        Ok(())
    }
}

impl Ready {
    fn input(&self, message: &Arc<Message>, message_id: &Arc<str>, info: &CallInfo<'_>) -> Input {
        if let Some(carried) = self.world.carried(message) {
            self.told.left_behind(self, &carried);
            return Input::Other(carried);
        }
        Input::Ours(Whole {
            message: Arc::clone(message),
            message_id: Arc::clone(message_id),
            queue: info.queue.to_owned(),
            consumer: Arc::clone(&self.consumer),
            attempt: info.attempt,
            redelivered: info.redelivered,
            deadline_ms: u32::try_from(self.spec.deadline.as_millis()).unwrap_or(u32::MAX),
        })
    }
}
