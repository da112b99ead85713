//! What the host cannot do at the moment: pauses that grow, and a limit on how long a delivery is kept for it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::broker::{Publication, PublishError};
use crate::policy::copy::Holder;

use super::{Epoch, LetGo, Subscription};

/// How long the host waits before it tries again what it could not do itself; doubles each time.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// So many pauses are long: fifteen seconds.
const LONG: u32 = 4;
/// The longest that a delivery is kept. RabbitMQ closes the channel of one that is not settled within half an hour.
const KEPT_MAX: Duration = Duration::from_secs(20 * 60);

/// How often the same trouble is told.
const TELL_AGAIN: Duration = Duration::from_secs(10);
/// How many troubles are told apart.
const TOLD_MAX: usize = 16;

/// What has been told of the troubles of one consumer: hundreds of messages may have the same.
#[derive(Debug, Default)]
pub struct Told(Mutex<HashMap<String, Instant>>);

impl Told {
    /// Whether this is to be told.
    fn is_news(&self, why: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < TELL_AGAIN);
        let news = told.len() < TOLD_MAX && !told.contains_key(why);
        if news {
            told.insert(why.to_owned(), Instant::now());
        }
        news
    }
}

/// One delivery's troubles.
pub(super) struct Trouble<'a> {
    subscription: &'a Subscription,
    epoch: &'a Epoch,
    pauses: u32,
    since: Instant,
}

impl<'a> Trouble<'a> {
    pub(super) fn new(subscription: &'a Subscription, epoch: &'a Epoch) -> Self {
        Self { subscription, epoch, pauses: 0, since: Instant::now() }
    }

    /// Whether it has gone on for long.
    pub(super) fn is_long(&self) -> bool {
        self.pauses >= LONG
    }

    /// Waits before the next try.
    pub(super) async fn pause(&mut self, why: &str) -> Result<(), LetGo> {
        let Holder { consumer, queue, .. } = &self.subscription.holder;
        let pause = PAUSE.saturating_mul(1 << self.pauses.min(5)).min(PAUSE_MAX);
        self.pauses += 1;
        if self.since.elapsed() + pause > KEPT_MAX {
            tracing::warn!(
                consumer,
                queue,
                "the message was kept for long and goes back to its queue: {why}"
            );
            return Err(LetGo::Back);
        }
        let pause_s = pause.as_secs();
        if self.subscription.told.is_news(why) {
            tracing::warn!(consumer, queue, pause_s, "the message is kept and tried again: {why}");
        } else {
            tracing::debug!(consumer, queue, pause_s, "the message is kept and tried again: {why}");
        }
        hold(self.epoch, pause).await
    }

    /// Publishes once, however long it takes until there is a connection. Gives back what the broker did not take, and
    /// the last reason.
    pub(super) async fn offer(
        &mut self,
        publications: Vec<Publication>,
    ) -> Result<(Vec<Publication>, Option<PublishError>), LetGo> {
        let verdicts = tokio::select! {
            verdicts = self.epoch.publisher.publish(publications) => verdicts,
            () = tokio::time::sleep_until(self.since + KEPT_MAX) => {
                let Holder { consumer, queue, .. } = &self.subscription.holder;
                tracing::warn!(consumer, queue, "nothing could be published for long, the message goes back to its queue");
                return Err(LetGo::Back);
            }
        };
        // Publishing ends only with the host.
        let verdicts = verdicts.map_err(|_| LetGo::Stale)?;
        let mut refused = Vec::new();
        let mut why = None;
        for (publication, verdict) in verdicts {
            if let Err(error) = verdict {
                if matches!(error, PublishError::Returned { .. } | PublishError::Failed { .. }) {
                    self.epoch.missing.notify_one();
                }
                why = Some(error);
                refused.push(publication);
            }
        }
        Ok((refused, why))
    }
}

/// Keeps a delivery for a while; ends early when the host stops.
pub(super) async fn hold(epoch: &Epoch, time: Duration) -> Result<(), LetGo> {
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        () = epoch.stop.cancelled() => Err(LetGo::Back),
    }
}
