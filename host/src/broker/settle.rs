//! The only place that settles: one task for each consuming channel, which owns the order of its acks.
//!
//! Tags that are finished in one unbroken row from the lowest open one are acked together (`multiple`); a tag is never
//! covered by an ack of another while it is open.

use std::collections::BTreeSet;

use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Error, reply};

/// The most settlements taken up at once.
const BATCH_MAX: usize = 256;

/// How a delivery ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// It is done, or something that takes its place is confirmed.
    Ack,
    /// It was tried; the broker hands it over again, and counts.
    Reject,
    /// It was not tried, or through no fault of its own in vain; the broker hands it over again. From RabbitMQ 4.3
    /// this does not count.
    Return,
    /// The broker is to dead-letter it, as the queue's own arguments say.
    DeadLetter,
}

/// The connection that a delivery came over is gone; the broker hands the message over again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection that the delivery came over is gone")]
pub struct StaleEpoch;

/// The right to settle one delivery, once, on the channel it came over.
#[derive(Debug)]
pub(super) struct Token {
    tag: u64,
    settlements: mpsc::UnboundedSender<(u64, Settlement)>,
}

impl Token {
    pub(super) fn new(tag: u64, settlements: &mpsc::UnboundedSender<(u64, Settlement)>) -> Self {
        Self { tag, settlements: settlements.clone() }
    }

    /// Settles. Ok means that the settlement is on its way, not that the broker has it: AMQP does not confirm acks, and
    /// one that is lost with its connection makes the broker hand the message over again.
    pub(super) fn settle(self, settlement: Settlement) -> Result<(), StaleEpoch> {
        self.settlements.send((self.tag, settlement)).map_err(|_| StaleEpoch)
    }
}

impl Drop for Token {
    /// A panic of ours must not keep the message, and its place in the prefetch, until the connection ends. It goes back
    /// counted, so that one that makes us panic each time ends as poison.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.settlements.send((self.tag, Settlement::Reject)).ok(); // else the epoch is over anyway
        }
    }
}

/// Sends settlements to the broker in the order of their tags until every token is gone; the queue between is bounded
/// by the prefetch. What is returned once `keep` is cancelled is kept, and goes back with the channel.
pub(super) async fn run(
    channel: Channel,
    mut settlements: mpsc::UnboundedReceiver<(u64, Settlement)>,
    keep: CancellationToken,
) -> Result<(), Error> {
    let mut window = Window::default();
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while settlements.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let kept = keep.is_cancelled();
        batch.retain(|(_, settlement)| !kept || *settlement != Settlement::Return);
        for step in window.take(batch.drain(..)) {
            crate::failpoint::pass("before-ack-flush", "").await;
            send(&channel, step).await?;
        }
    }
    Ok(())
}

async fn send(channel: &Channel, step: Step) -> Result<(), Error> {
    match step {
        Step::AckUpTo(tag) => {
            reply("basic.ack", channel.basic_ack(tag, BasicAckOptions { multiple: true })).await
        }
        Step::Ack(tag) => {
            reply("basic.ack", channel.basic_ack(tag, BasicAckOptions { multiple: false })).await
        }
        Step::Reject(tag) => {
            reply("basic.reject", channel.basic_reject(tag, BasicRejectOptions { requeue: true })).await
        }
        Step::DeadLetter(tag) => {
            reply("basic.reject", channel.basic_reject(tag, BasicRejectOptions { requeue: false })).await
        }
        Step::Return(tag) => {
            let options = BasicNackOptions { multiple: false, requeue: true };
            reply("basic.nack", channel.basic_nack(tag, options)).await
        }
    }
}

/// One frame to the broker.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Acks this tag and every open one below it.
    AckUpTo(u64),
    Ack(u64),
    Reject(u64),
    Return(u64),
    DeadLetter(u64),
}

/// Which tags of a channel are settled. Tags start at 1 and grow by 1.
#[derive(Debug, Default)]
struct Window {
    /// Every tag up to this one is settled.
    settled_up_to: u64,
    /// Settled tags above it.
    beyond: BTreeSet<u64>,
}

impl Window {
    fn take(&mut self, batch: impl Iterator<Item = (u64, Settlement)>) -> Vec<Step> {
        let mut acks: Vec<u64> = Vec::new();
        let mut steps: Vec<Step> = Vec::new();
        for (tag, settlement) in batch {
            self.beyond.insert(tag);
            match settlement {
                Settlement::Ack => acks.push(tag),
                Settlement::Reject => steps.push(Step::Reject(tag)),
                Settlement::Return => steps.push(Step::Return(tag)),
                Settlement::DeadLetter => steps.push(Step::DeadLetter(tag)),
            }
        }
        while self.beyond.remove(&(self.settled_up_to + 1)) {
            self.settled_up_to += 1;
        }
        acks.sort_unstable();
        let in_row = acks.partition_point(|tag| *tag <= self.settled_up_to);
        let (row, rest) = acks.split_at(in_row);
        // Rejects and returns go first, so that an ack of a whole row finds only acked tags left in it.
        match row {
            [] => {}
            [tag] => steps.push(Step::Ack(*tag)),
            [.., last] => steps.push(Step::AckUpTo(*last)),
        }
        steps.extend(rest.iter().map(|tag| Step::Ack(*tag)));
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::Settlement::{Ack, DeadLetter, Reject, Return};
    use super::*;

    fn steps(batches: &[&[(u64, Settlement)]]) -> Vec<Vec<Step>> {
        let mut window = Window::default();
        batches.iter().map(|batch| window.take(batch.iter().copied())).collect()
    }

    #[test]
    fn a_row_is_acked_at_once() {
        assert_eq!(steps(&[&[(2, Ack), (1, Ack), (3, Ack)]]), [[Step::AckUpTo(3)]]);
    }

    #[test]
    fn an_open_tag_is_never_covered() {
        assert_eq!(
            steps(&[&[(2, Ack), (3, Ack)], &[(1, Ack)], &[(4, Ack), (5, Ack)]]),
            [vec![Step::Ack(2), Step::Ack(3)], vec![Step::Ack(1)], vec![Step::AckUpTo(5)]]
        );
    }

    #[test]
    fn rejected_tags_leave_before_the_row_is_acked() {
        assert_eq!(
            steps(&[&[(1, Ack), (2, Reject), (3, Ack), (4, Return), (5, DeadLetter)]]),
            [[Step::Reject(2), Step::Return(4), Step::DeadLetter(5), Step::AckUpTo(3)]]
        );
    }

    #[test]
    fn nothing_is_settled_twice_in_any_order() {
        // Every order of settling tags acks each exactly once, and never one that is open.
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut tags: Vec<u64> = (1..=40).collect();
            random.shuffle(&mut tags);
            let mut window = Window::default();
            let mut open: BTreeSet<u64> = (1..=40).collect();
            let mut finished = BTreeSet::new();
            while !tags.is_empty() {
                let batch: Vec<u64> = tags.drain(..random.usize(1..=tags.len().min(7))).collect();
                finished.extend(batch.iter().copied());
                let settlements = batch.iter().map(|tag| (*tag, if tag % 5 == 0 { Return } else { Ack }));
                for step in window.take(settlements) {
                    match step {
                        Step::AckUpTo(last) => {
                            let covered: Vec<u64> = open.range(..=last).copied().collect();
                            assert!(
                                covered.contains(&last) && covered.iter().all(|tag| finished.contains(tag))
                            );
                            covered.iter().for_each(|tag| assert!(open.remove(tag)));
                        }
                        Step::Ack(tag) | Step::Reject(tag) | Step::Return(tag) | Step::DeadLetter(tag) => {
                            assert!(open.remove(&tag));
                        }
                    }
                }
            }
            assert!(open.is_empty());
        }
    }
}
