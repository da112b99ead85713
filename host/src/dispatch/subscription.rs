//! Everything that the deliveries of one consumer have in common.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::contract::{
    self, Consumer, Contract, DeadLetter, DeliveryMode, OnFailure, Owner, Queue, QueueType, Retry,
};
use crate::policy::copy::Holder;
use crate::policy::history;
use crate::sandbox::Handler;

use super::{Finished, Tally, Told, Turn};

/// Everything that the deliveries of one consumer need.
#[derive(Debug)]
pub struct Subscription {
    /// What comes out of the queue.
    pub message: Arc<contract::Message>,
    /// How failures are retried.
    pub retry: Retry,
    /// What becomes of failures, where it is not what their class says.
    pub on_failure: OnFailure,
    /// Whether messages are acked after they were handled, or before.
    pub delivery: DeliveryMode,
    /// How often a message may be handed over without being settled.
    pub deliveries_max: u32,
    /// The type of the queue.
    pub queue_type: QueueType,
    /// A message that comes back is put at the end of the queue, with the count that the queue does not keep.
    pub recounts: bool,
    /// What is not begun when the host stops goes back with the channel, in the order of the queue.
    pub ordered: bool,
    /// Where dead letters go; none if the contract says to drop them.
    pub dead_letter: Option<DeadLetter>,
    /// The broker dead-letters what is rejected, and keeps it until a dead-letter queue has it.
    pub broker_dead_letters: bool,
    /// What handles messages.
    pub handler: Handler,
    /// How many calls may run at the same time.
    pub permits_max: usize,
    /// One permit for each of them.
    pub permits: Arc<Semaphore>,
    /// One permit for the whole host: messages that may be what kills hosts are tried one at a time.
    pub suspects: Arc<Semaphore>,
    /// What was finished, and may come again.
    pub finished: Finished,
    /// Who we are, for dead letters and logs.
    pub holder: Holder,
    /// Name of the contract, as the `app-id` of what is published.
    pub app_id: String,
    /// What happened so far.
    pub tally: Tally,
    /// What has been told of troubles.
    pub told: Told,
}

impl Subscription {
    /// For a consumer of a contract. `suspects` has one permit for all consumers of the host.
    pub fn new(contract: &Contract, consumer: &Consumer, handler: Handler, suspects: Arc<Semaphore>) -> Self {
        let queue = contract.queue_of(consumer);
        let permits_max = usize::from(consumer.handler.concurrency);
        Self {
            message: Arc::clone(&consumer.message),
            retry: queue.retry.clone(),
            on_failure: consumer.on_failure,
            delivery: consumer.delivery,
            deliveries_max: queue.deliveries_max,
            queue_type: queue.kind,
            recounts: history::may_recount(queue),
            ordered: history::is_ordered(queue) && consumer.delivery == DeliveryMode::AtLeastOnce,
            dead_letter: queue.dead_letter.clone(),
            broker_dead_letters: broker_dead_letters(queue),
            permits_max,
            permits: Arc::new(Semaphore::new(permits_max)),
            suspects,
            finished: Finished::new(consumer.prefetch),
            holder: Holder {
                contract: contract.full_name(),
                consumer: consumer.name.clone(),
                queue: queue.name.clone(),
                component: handler.digest.clone(),
            },
            handler,
            app_id: contract.name.clone(),
            tally: Tally::default(),
            told: Told::default(),
        }
    }

    /// The next place in the row of those who wait for a call.
    pub fn turn(&self) -> Turn {
        Turn::take(&self.permits)
    }

    /// From how many earlier deliveries on nothing is to be handed over with a message when a channel begins.
    pub fn careful_from(&self) -> u64 {
        history::careful_from(&self.retry, self.deliveries_max)
    }
}

/// Whether the broker keeps a rejected message until a dead-letter queue has it.
fn broker_dead_letters(queue: &Queue) -> bool {
    let is = |name: &str, value: &str| queue.arguments.get(name).is_some_and(|is| is == value);
    queue.kind == QueueType::Quorum
        && matches!(queue.owner, Owner::Us)
        && queue.arguments.contains_key("x-dead-letter-exchange")
        && is("x-dead-letter-strategy", "at-least-once")
        && is("x-overflow", "reject-publish")
}
