//! One instance of a component: made, called, and asked what went wrong.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use crate::policy::{Failure, Fault, Outcome};

use super::Ready;
use super::call::HostFault;
use super::capabilities::Writes;
use super::guest_log::Context;
use super::limits::{Hit, Meter};
use super::outbox::Outgoing;
use super::state::State;
use super::worlds::{Bound, Input};

/// An instance with everything that is its own, its place among all calls included.
pub(super) struct Instance {
    store: Store<State>,
    guest: Bound,
    /// How many calls it has had.
    pub(super) calls: u32,
    /// When it was made.
    pub(super) born: Instant,
    /// Its memory after the first call, in bytes.
    grown_from: usize,
    _place: OwnedSemaphorePermit,
}

/// What came of one call of an instance.
pub(super) struct Answer {
    pub(super) outcome: Result<Outcome, HostFault>,
    pub(super) outbox: Vec<Outgoing>,
    /// What it wants kept in key-value stores.
    pub(super) writes: Writes,
    /// The instance, if it is as good as before and there are to be further calls of it.
    pub(super) instance: Option<Instance>,
    /// The limit that ended the call.
    pub(super) hit: Option<Hit>,
}

/// An instance that was kept, or a place for a new one.
pub(super) enum Source {
    Kept(Instance),
    New(OwnedSemaphorePermit),
}

/// What belongs to one call.
pub(super) struct Turn {
    pub(super) context: Context,
    pub(super) meter: Arc<Meter>,
    pub(super) end: Instant,
}

/// Why there is no instance.
enum NotMade {
    /// The guest broke down while it was made.
    Failed(Box<Store<State>>, wasmtime::Error),
    /// The host could not begin.
    Unasked(HostFault),
}

impl Instance {
    /// Makes an instance. It has to be done by the end of `turn`, whose CPU time it uses.
    async fn new(ready: &Ready, turn: Turn, place: OwnedSemaphorePermit) -> Result<Self, NotMade> {
        let mut store = store(ready, turn).map_err(NotMade::Unasked)?;
        ready.metrics.instances.inc();
        match ready.world.instantiate(&mut store).await {
            Ok(guest) => {
                Ok(Self { store, guest, calls: 0, born: Instant::now(), grown_from: 0, _place: place })
            }
            Err(error) => Err(NotMade::Failed(Box::new(store), error)),
        }
    }

    /// How much its memory has grown since its first call, in bytes.
    pub(super) fn grown(&self) -> usize {
        self.store.data().limits.memory_bytes.saturating_sub(self.grown_from)
    }

    async fn call(&mut self, input: Input) -> wasmtime::Result<Result<(), Failure>> {
        let answer = self.guest.call(&mut self.store, input).await;
        self.calls += 1;
        if self.calls == 1 {
            self.grown_from = self.store.data().limits.memory_bytes;
        }
        answer
    }
}

/// Hands a message to an instance.
pub(super) async fn answer(ready: Arc<Ready>, source: Source, input: Input, turn: Turn) -> Answer {
    let mut instance = match source {
        Source::Kept(mut instance) => {
            let store = &mut instance.store;
            store.set_epoch_deadline(1);
            store.data_mut().begin(turn);
            instance
        }
        Source::New(place) => match Instance::new(&ready, turn, place).await {
            Ok(instance) => instance,
            Err(NotMade::Failed(store, error)) => return lost(&ready, *store, &error),
            Err(NotMade::Unasked(fault)) => {
                let (outbox, writes) = Default::default();
                return Answer { outcome: Err(fault), outbox, writes, instance: None, hit: None };
            }
        },
    };
    let answered = instance.call(input).await;
    let outcome = match answered {
        Ok(Ok(())) => Outcome::Handled,
        Ok(Err(failure)) => {
            let failure = told(failure, |text| bounded(&text, |cut| ready.granted.redact(cut)));
            Outcome::Failed(instance.store.data().explained(failure))
        }
        Err(error) => return lost(&ready, instance.store, &error),
    };
    let (outbox, writes) = match (instance.store.data_mut().end(), &outcome) {
        (wanted, Outcome::Handled) => wanted,
        _ => Default::default(),
    };
    // Dropped here if it has served, where it computed: to give back much memory takes long.
    let instance = ready.pool.keeps().then_some(instance);
    Answer { outcome: Ok(outcome), outbox, writes, instance, hit: None }
}

/// Makes an instance and throws it away. The error is what stopped it.
pub(super) async fn try_one(
    ready: &Ready,
    place: OwnedSemaphorePermit,
    turn: Turn,
    look: impl FnOnce() + Send,
) -> Result<Result<(), wasmtime::Error>, Outcome> {
    let faulted = |fault: HostFault| Outcome::Faulted(Fault::Trap(fault.to_string()));
    let mut store = store(ready, turn).map_err(faulted)?;
    let instance = match ready.world.instance_pre().instantiate_async(&mut store).await {
        Ok(instance) => instance,
        Err(error) => {
            let (fault, _) = fault(ready, &mut store, &error);
            return Err(fault.unwrap_or_else(faulted));
        }
    };
    look();
    let typed = ready.world.bind(&mut store, &instance).map(drop);
    drop(place);
    Ok(typed)
}

fn store(ready: &Ready, turn: Turn) -> Result<Store<State>, HostFault> {
    let state = State::new(ready, turn);
    let state = state.map_err(|error| HostFault(format!("a folder cannot be opened: {error:#}")))?;
    let mut store = Store::new(&ready.engine, state);
    store.limiter(|state| &mut state.limits);
    store.set_hostcall_fuel(ready.spec.limits.host_call_bytes);
    store.set_epoch_deadline(1);
    let cpu = ready.spec.limits.cpu;
    store.epoch_deadline_callback(move |mut context| {
        let state = context.data_mut();
        if Instant::now() >= state.end {
            state.limits.hit = Some(Hit::Deadline);
            return Ok(UpdateDeadline::Interrupt);
        }
        if cpu.is_some_and(|cpu| state.meter.busy_with_this() >= cpu) {
            state.limits.hit = Some(Hit::Cpu);
            return Ok(UpdateDeadline::Interrupt);
        }
        // Through tokio's own yield, so that timers and sockets of this runtime get their turn.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    Ok(store)
}

fn lost(ready: &Ready, mut store: Store<State>, error: &wasmtime::Error) -> Answer {
    store.data_mut().log.end();
    let (outcome, hit) = fault(ready, &mut store, error);
    Answer { outcome, outbox: Vec::new(), writes: Writes::default(), instance: None, hit }
}

/// What an error of wasmtime means, and the limit it comes from.
fn fault(
    ready: &Ready,
    store: &mut Store<State>,
    error: &wasmtime::Error,
) -> (Result<Outcome, HostFault>, Option<Hit>) {
    if error.is::<PoolConcurrencyLimitError>() {
        return (Err(HostFault(error.root_cause().to_string())), None);
    }
    let state = store.data();
    let hit = state.limits.hit.or_else(|| known(error));
    let fault = match hit {
        Some(Hit::Memory) => Fault::Memory { limit: ready.spec.memory_bytes_max },
        Some(Hit::Deadline) => Fault::Deadline(ready.spec.deadline),
        Some(Hit::Cpu) => Fault::Cpu(ready.spec.limits.cpu.unwrap_or(ready.spec.deadline)),
        _ => Fault::Trap(trap(state, error, hit)),
    };
    (Ok(Outcome::Faulted(fault)), hit)
}

/// The limit that wasmtime itself has kept.
fn known(error: &wasmtime::Error) -> Option<Hit> {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::StackOverflow => Some(Hit::Stack),
            Trap::Interrupt => Some(Hit::Deadline),
            _ => None,
        };
    }
    if matches!(error.downcast_ref::<ResourceTableError>(), Some(ResourceTableError::Full)) {
        return Some(Hit::Handles);
    }
    let text = error.root_cause().to_string();
    if text.contains("fuel allocated for hostcalls") {
        return Some(Hit::HostCall);
    }
    if text.contains("resource table has no free keys") {
        return Some(Hit::Handles);
    }
    text.contains("instance count too high").then_some(Hit::Instances)
}

fn trap(state: &State, error: &wasmtime::Error, hit: Option<Hit>) -> String {
    let mut text = match hit {
        Some(hit) => format!("it ran into its limit `{}`: {}", hit.key(), error.root_cause()),
        None => error.root_cause().to_string(),
    };
    let stderr = state.log.stderr_text();
    if !stderr.is_empty() {
        text = format!("{text}; stderr: {stderr}");
    }
    for refused in [state.capabilities.refused(), state.outbox.refused.as_deref()].into_iter().flatten() {
        text = format!("{text}; before that, {refused}");
    }
    state.granted.redact(&text).into_owned()
}

/// A failure with another text of the guest's.
fn told(failure: Failure, change: impl Fn(String) -> String) -> Failure {
    match failure {
        Failure::Permanent(text) => Failure::Permanent(change(text)),
        Failure::Transient(text) => Failure::Transient(change(text)),
        Failure::Unauthorized(text) => Failure::Unauthorized(change(text)),
        Failure::RateLimited { retry_after, reason } => {
            Failure::RateLimited { retry_after, reason: change(reason) }
        }
    }
}

/// The longest reason that is kept, in bytes. It goes into the log and the dead letter.
const REASON_BYTES_MAX: usize = 4 * 1024;

/// What a guest says of a failure, at a length that harms nobody, and redacted. Cut first: it may be of any length, and
/// to redact all of it would copy all of it.
fn bounded<'t>(text: &'t str, redact: impl FnOnce(&'t str) -> Cow<'t, str>) -> String {
    let kept = &text[..text.floor_char_boundary(REASON_BYTES_MAX)];
    let mut redacted = redact(kept).into_owned();
    if kept.len() < text.len() {
        redacted.push_str(&format!("… ({} bytes)", text.len()));
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_letters_before_it_is_redacted() {
        let bounded = |text| bounded(text, |cut| Cow::Owned(cut.replace("hunter22", "***")));
        assert_eq!(bounded("short, hunter22"), "short, ***");
        let long = format!("hunter22,{}", "ä".repeat(REASON_BYTES_MAX));
        let kept = (REASON_BYTES_MAX - "hunter22,".len()) / "ä".len();
        assert_eq!(bounded(&long), format!("***,{}… ({} bytes)", "ä".repeat(kept), long.len()));
    }
}
