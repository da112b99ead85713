//! A bounded memory of what was finished and may come again: a message whose ack was lost with its channel.
//!
//! AMQP does not confirm acks. But the broker hands over at most `prefetch` messages that it knows no ack of, so of one
//! channel only the acks of what was finished last can be lost. That is kept, as hashes, and when the channel fails it is
//! what to look out for among the redelivered.
//!
//! A message counts as the same one if id, retries so far, exchange, routing key, headers and body are the same. One
//! that is not flagged as redelivered is another copy, and ends the looking out. A message without an id is never known.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ahash::RandomState;

use crate::message::{HeaderValue, Message};
use crate::policy::history;

/// How long a lost ack is remembered. The broker hands a message over again once it has noticed that the channel is
/// gone, at the latest when heartbeats are missing.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How many channels, lost one after the other, are remembered.
const CHANNELS_MAX: usize = 4;
/// Room for messages that are settled and not remembered yet: each thread may have been put off between the two.
const SETTLING: usize = 16;

/// A message, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Print(u64);

/// What was finished on channels that have failed, of one consumer.
#[derive(Debug)]
pub struct Finished {
    /// Keyed at random, and fast: it reads every message whole.
    hasher: RandomState,
    /// The most that one channel may leave behind.
    prefetch: usize,
    lost: Mutex<HashMap<Print, Instant>>,
}

/// What was finished last on one channel.
#[derive(Debug)]
pub struct Recent {
    max: usize,
    prints: Mutex<VecDeque<Print>>,
}

impl Finished {
    /// For a consumer with this prefetch.
    pub fn new(prefetch: u16) -> Self {
        Self { hasher: RandomState::new(), prefetch: prefetch.into(), lost: Mutex::default() }
    }

    /// For one channel.
    pub fn recent(&self) -> Recent {
        Recent { max: self.recent_max(), prints: Mutex::default() }
    }

    /// How many may have been finished since the one whose ack is lost. Acks that are taken up together leave in the order
    /// of their tags: so a prefetch of others may have been finished after it, and their acks arrived; and in their
    /// place another prefetch was handed over.
    fn recent_max(&self) -> usize {
        2 * self.prefetch + SETTLING
    }

    /// Takes a print of a message as it came; none if it has no id.
    pub fn print(&self, message: &Message) -> Option<Print> {
        let id = message.properties.message_id.as_deref().filter(|id| !id.is_empty())?;
        let mut hasher = self.hasher.build_hasher();
        (id, &message.exchange, &message.routing_key, &message.body).hash(&mut hasher);
        for (name, value) in message.headers.iter().filter(|(name, _)| !history::is_brokers(name)) {
            name.hash(&mut hasher);
            hash(value, &mut hasher);
        }
        Some(Print(hasher.finish()))
    }

    /// Whether this message has been finished before, and only its ack was lost.
    pub fn knows(&self, print: Print, redelivered: bool) -> bool {
        let mut lost = self.lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = lost.remove(&print).is_some_and(|since| since.elapsed() < REMEMBERED);
        known && redelivered
    }

    /// Whether there is anything to look out for.
    pub fn is_empty(&self) -> bool {
        self.lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_empty()
    }

    /// A channel has failed: the acks of what was finished on it last may be lost.
    pub fn lost(&self, recent: &Recent) {
        let mut prints = recent.prints.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut lost = self.lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lost.retain(|_, since| since.elapsed() < REMEMBERED);
        let now = Instant::now();
        lost.extend(prints.drain(..).map(|print| (print, now)));
        let mut channels: Vec<Instant> = lost.values().copied().collect();
        channels.sort_unstable();
        channels.dedup();
        if let Some(&oldest_kept) = channels.iter().rev().nth(CHANNELS_MAX - 1) {
            lost.retain(|_, since| *since >= oldest_kept);
        }
    }
}

impl Recent {
    /// A message has been finished, and its ack is on its way.
    pub fn add(&self, print: Print) {
        let mut prints = self.prints.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if prints.len() == self.max {
            prints.pop_front();
        }
        prints.push_back(print);
    }
}

fn hash(value: &HeaderValue, hasher: &mut impl Hasher) {
    std::mem::discriminant(value).hash(hasher);
    match value {
        HeaderValue::Void => {}
        HeaderValue::Boolean(value) => value.hash(hasher),
        HeaderValue::I8(value) => value.hash(hasher),
        HeaderValue::U8(value) => value.hash(hasher),
        HeaderValue::I16(value) => value.hash(hasher),
        HeaderValue::U16(value) => value.hash(hasher),
        HeaderValue::I32(value) => value.hash(hasher),
        HeaderValue::U32(value) => value.hash(hasher),
        HeaderValue::I64(value) => value.hash(hasher),
        HeaderValue::F32(value) => value.to_bits().hash(hasher),
        HeaderValue::F64(value) => value.to_bits().hash(hasher),
        HeaderValue::Decimal { scale, value } => (scale, value).hash(hasher),
        HeaderValue::ShortText(text) => text.hash(hasher),
        HeaderValue::Text(bytes) | HeaderValue::Bytes(bytes) => bytes.hash(hasher),
        HeaderValue::Timestamp(value) => value.hash(hasher),
        HeaderValue::Array(values) => values.iter().for_each(|value| hash(value, hasher)),
        HeaderValue::Table(entries) => entries.iter().for_each(|(name, value)| {
            name.hash(hasher);
            hash(value, hasher);
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Properties;

    fn message(id: &str, body: &str) -> Message {
        let properties = Properties { message_id: Some(id.to_owned()), ..Properties::default() };
        Message { properties, body: body.into(), ..Message::default() }
    }

    #[test]
    fn a_finished_message_is_known_once_and_only_when_its_channel_has_failed() {
        let finished = Finished::new(10);
        let recent = finished.recent();
        let print = finished.print(&message("a", "1")).unwrap();
        recent.add(print);
        assert!(!finished.knows(print, true));
        finished.lost(&recent);
        assert!(finished.knows(print, true));
        assert!(!finished.knows(print, true));
    }

    #[test]
    fn a_copy_that_was_not_handed_over_before_is_another_message() {
        let finished = Finished::new(10);
        let recent = finished.recent();
        let print = finished.print(&message("a", "1")).unwrap();
        recent.add(print);
        finished.lost(&recent);
        assert!(!finished.knows(print, false));
        assert!(!finished.knows(print, true), "which one was finished cannot be told any more");
    }

    #[test]
    fn what_differs_is_another_message_and_what_the_broker_adds_is_no_difference() {
        let finished = Finished::new(10);
        let same = message("a", "1");
        let mut counted = same.clone();
        counted.set_header("x-delivery-count", HeaderValue::I64(3));
        let mut retried = same.clone();
        retried.set_header(history::RETRY_COUNT, HeaderValue::I32(1));
        assert_eq!(finished.print(&same), finished.print(&counted));
        for other in [message("b", "1"), message("a", "2"), retried] {
            assert_ne!(finished.print(&same), finished.print(&other));
        }
        assert_eq!(finished.print(&message("", "1")), None);
    }

    /// A broker that gets no more acks from some moment on, in the middle of a batch of them.
    #[test]
    fn whatever_was_finished_and_is_not_acked_is_remembered() {
        const PREFETCH: u16 = 100; // far more than SETTLING, which is no part of what is tried here
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let finished = Finished::new(PREFETCH);
            let recent = finished.recent();
            let (mut tags, mut in_hand, mut unacked) = (0.., Vec::new(), Vec::new());
            let mut acks_left = random.usize(0..1_000);
            let mut hands_over = |in_hand: &mut Vec<u64>, unacked: &mut Vec<u64>| {
                while unacked.len() < PREFETCH.into() {
                    let tag = tags.next().expect("there is no last number");
                    in_hand.push(tag);
                    unacked.push(tag);
                }
            };
            hands_over(&mut in_hand, &mut unacked);
            while !in_hand.is_empty() {
                let mut batch = Vec::new();
                for _ in 0..random.usize(1..=in_hand.len()) {
                    let tag = in_hand.swap_remove(random.usize(..in_hand.len()));
                    recent.add(Print(tag));
                    batch.push(tag);
                }
                batch.sort_unstable(); // as `broker/settle` does
                for tag in batch {
                    if acks_left > 0 {
                        acks_left -= 1;
                        unacked.retain(|other| *other != tag);
                        hands_over(&mut in_hand, &mut unacked);
                    }
                }
            }
            finished.lost(&recent);
            assert!(unacked.iter().all(|tag| finished.knows(Print(*tag), true)), "seed {seed}");
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let finished = Finished::new(10);
        for channel in 0..20 {
            let recent = finished.recent();
            for n in 0..50 {
                recent.add(finished.print(&message(&format!("{channel}-{n}"), "")).unwrap());
            }
            finished.lost(&recent);
        }
        assert_eq!(finished.lost.lock().unwrap().len(), CHANNELS_MAX * finished.recent_max());
        let last = finished.print(&message("19-49", "")).unwrap();
        let long_gone = finished.print(&message("19-0", "")).unwrap();
        assert!(finished.knows(last, true) && !finished.knows(long_gone, true));
    }
}
