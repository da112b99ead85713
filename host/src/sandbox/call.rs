//! One call: a fresh instance, the message in, the outcome out. Whatever the guest does, this returns; only what is
//! our own failure is an error.

use std::time::{Duration, Instant};

use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use crate::message::{HeaderValue, Message, decimal};
use crate::policy::{Attempt, Failure, Fault, Outcome, history};

use super::Handler;
use super::inspect::{self, ComponentError};
use super::outbox::Outgoing;
use super::state::{Context, State};
use super::wit::HandlerIndices;
use super::wit::warren::handler::types;

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
#[error("the handler could not be started: {0}")]
pub struct HostFault(String);

impl Handler {
    /// Hands a message to a fresh instance.
    pub async fn call(&self, message: &Message, info: CallInfo<'_>) -> Result<Call, HostFault> {
        let context = Context {
            consumer: self.consumer.clone(),
            message_id: info.message_id.to_owned(),
            attempt: info.attempt.number,
        };
        let mut store = self.store(context);
        let input = self.input(message, &info);
        let started = Instant::now();
        let run = async {
            let handler = self.pre.instantiate_async(&mut store).await?;
            handler.warren_handler_consumer().call_handle(&mut store, &input).await
        };
        // The epoch stops a guest that computes; this stops one that waits in a host call.
        let returned = tokio::time::timeout(self.deadline, run).await;
        let outcome = match returned {
            _ if started.elapsed() >= self.deadline => Outcome::Faulted(Fault::Deadline(self.deadline)),
            Err(_) => Outcome::Faulted(Fault::Deadline(self.deadline)),
            Ok(Ok(Ok(()))) => Outcome::Handled,
            Ok(Ok(Err(failure))) => Outcome::Failed(own(failure)),
            Ok(Err(error)) => self.fault(store.data(), &error)?,
        };
        let outbox = match outcome {
            Outcome::Handled => std::mem::take(&mut store.data_mut().outbox.messages),
            _ => Vec::new(),
        };
        Ok(Call { outcome, outbox })
    }

    /// Makes an instance and throws it away: shows before the first message what cannot start.
    pub async fn try_start(&self) -> Result<(), ComponentError> {
        let context = Context { consumer: self.consumer.clone(), message_id: String::new(), attempt: 0 };
        let mut store = self.store(context);
        let not_startable = |reason: String| ComponentError::NotStartable { reason };
        let starting = self.pre.instance_pre().instantiate_async(&mut store);
        let instance = match tokio::time::timeout(self.deadline, starting).await {
            Ok(Ok(instance)) => instance,
            Ok(Err(error)) => {
                let reason = match self.fault(store.data(), &error) {
                    Ok(outcome) => outcome.reason(),
                    Err(fault) => fault.to_string(),
                };
                return Err(not_startable(reason));
            }
            Err(_) => return Err(not_startable(Outcome::Faulted(Fault::Deadline(self.deadline)).reason())),
        };
        let indices = HandlerIndices::new(self.pre.instance_pre());
        let typed = indices.and_then(|indices| indices.load(&mut store, &instance));
        typed.map(|_| ()).map_err(|error| inspect::wrong_type("x", &error))
    }

    fn store(&self, context: Context) -> Store<State> {
        let state = State::new(self.grants.clone(), context, self.memory_bytes_max);
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
        let ends = Instant::now() + self.deadline;
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| {
            if Instant::now() >= ends {
                return Ok(UpdateDeadline::Interrupt);
            }
            // Through tokio's own yield, so that timers and sockets of this runtime get their turn.
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store
    }

    fn fault(&self, state: &State, error: &wasmtime::Error) -> Result<Outcome, HostFault> {
        if state.limits.memory_exceeded {
            return Ok(Outcome::Faulted(Fault::Memory { limit: self.memory_bytes_max }));
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return Err(HostFault(error.root_cause().to_string()));
        }
        if let Some(Trap::Interrupt) = error.downcast_ref::<Trap>() {
            return Ok(Outcome::Faulted(Fault::Deadline(self.deadline)));
        }
        let mut text = error.root_cause().to_string();
        let stderr = state.stderr.text();
        if !stderr.is_empty() {
            text = format!("{text}; stderr: {stderr}");
        }
        if let Some(refused) = &state.outbox.refused {
            text = format!("{text}; before that, {refused}");
        }
        Ok(Outcome::Faulted(Fault::Trap(text)))
    }

    fn input(&self, message: &Message, info: &CallInfo<'_>) -> types::Message {
        let (exchange, routing_key) = history::origin(message);
        let properties = &message.properties;
        let headers = message.headers.iter().filter(|(name, _)| !history::is_bookkeeping(name));
        let causation_id = message.header(history::CAUSATION_ID).and_then(|value| value.as_text());
        types::Message {
            body: message.body.clone(),
            content_type: properties.content_type.clone(),
            headers: headers.map(|(name, value)| (name.clone(), header(value))).collect(),
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            queue: info.queue.to_owned(),
            consumer: self.consumer.to_string(),
            message_id: info.message_id.to_owned(),
            correlation_id: properties.correlation_id.clone(),
            causation_id: causation_id.map(str::to_owned),
            reply_to: properties.reply_to.clone(),
            message_type: properties.message_type.clone(),
            app_id: properties.app_id.clone(),
            priority: properties.priority,
            timestamp: properties.timestamp,
            attempt: info.attempt.number,
            max_attempts: info.attempt.max,
            redelivered: info.redelivered,
            deadline_ms: u32::try_from(self.deadline.as_millis()).unwrap_or(u32::MAX),
        }
    }
}

/// The most bytes that the guest may have the host allocate in one host call.
const HOSTCALL_BYTES_MAX: usize = 128 * 1024 * 1024;

pub(super) fn own(failure: types::Failure) -> Failure {
    match failure {
        types::Failure::Permanent(text) => Failure::Permanent(text),
        types::Failure::Transient(text) => Failure::Transient(text),
        types::Failure::Unauthorized(text) => Failure::Unauthorized(text),
        types::Failure::RateLimited(limit) => Failure::RateLimited {
            retry_after: Duration::from_millis(limit.retry_after_ms.into()),
            reason: limit.reason,
        },
    }
}

fn header(value: &HeaderValue) -> types::HeaderValue {
    match value {
        HeaderValue::Void => types::HeaderValue::Void,
        HeaderValue::Boolean(value) => types::HeaderValue::Boolean(*value),
        HeaderValue::F32(value) => types::HeaderValue::Float((*value).into()),
        HeaderValue::F64(value) => types::HeaderValue::Float(*value),
        HeaderValue::Decimal { scale, value } => types::HeaderValue::Float(decimal(*scale, *value)),
        HeaderValue::ShortText(text) => types::HeaderValue::Text(text.clone()),
        HeaderValue::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => types::HeaderValue::Text(text.to_owned()),
            Err(_) => types::HeaderValue::Bytes(bytes.clone()),
        },
        HeaderValue::Bytes(bytes) => types::HeaderValue::Bytes(bytes.clone()),
        HeaderValue::Timestamp(seconds) => types::HeaderValue::Timestamp(*seconds),
        HeaderValue::Array(_) | HeaderValue::Table(_) => {
            types::HeaderValue::Nested(value.to_json().to_string())
        }
        HeaderValue::I8(_)
        | HeaderValue::U8(_)
        | HeaderValue::I16(_)
        | HeaderValue::U16(_)
        | HeaderValue::I32(_)
        | HeaderValue::U32(_)
        | HeaderValue::I64(_) => types::HeaderValue::Integer(value.as_integer().unwrap_or_default()),
    }
}
