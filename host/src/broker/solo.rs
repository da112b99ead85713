//! The slow way to publish: each message over a channel of its own, a few at a time. For messages that were in a batch
//! that failed: the one over which the broker closes its channel takes no other with it, and one that is not confirmed
//! holds up no other.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::publish::{Job, Publication, PublishError, confirming, publish};
use super::{Connection, Error};

/// The most messages that are on their way alone at the same time.
const SOLO_MAX: usize = 8;
/// A message with which so many connections were lost is given back to whoever wants it published.
const LOSSES_MAX: u8 = 4;

/// Messages that go alone.
#[derive(Debug)]
pub(super) struct Solo {
    queue: mpsc::UnboundedReceiver<Job>,
    /// Put back for the next connection.
    waiting: Vec<Job>,
    /// Those that are on their way, by a number.
    sent: HashMap<u64, Job>,
    next: u64,
}

impl Solo {
    /// Those who hand messages over wait for each, so that the queue is bounded by the deliveries in flight.
    pub(super) fn new() -> (mpsc::UnboundedSender<Job>, Self) {
        let (alone, queue) = mpsc::unbounded_channel();
        (alone, Self { queue, waiting: Vec::new(), sent: HashMap::new(), next: 0 })
    }

    /// What was on its way when the connection was lost. One that the broker closes the connection over must not do so
    /// for ever.
    pub(super) fn recall(&mut self) {
        for (_, mut job) in self.sent.drain() {
            job.losses += 1;
            if job.losses > LOSSES_MAX {
                let failed = failed(&job.publication, "connections were lost over it".to_owned());
                job.answer(Err(failed));
            } else {
                self.waiting.push(job);
            }
        }
    }

    /// Publishes until the connection is of no more use. Names exchanges over which the broker closed a channel.
    pub(super) async fn run(
        &mut self,
        connection: &Connection,
        troubled: mpsc::UnboundedSender<String>,
    ) -> Result<(), Error> {
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < SOLO_MAX
                && let Some(job) = self.waiting.pop()
            {
                if !job.is_pointless() {
                    let (number, publication) = (self.next, job.publication.clone());
                    self.next += 1;
                    self.sent.insert(number, job);
                    running.push(async move { (number, alone(connection, &publication).await) });
                }
            }
            let room = SOLO_MAX - running.len();
            tokio::select! {
                Some((number, done)) = running.next() => {
                    let verdict = match done {
                        Ok(verdict) => verdict,
                        Err(error) if !connection.is_open() => return Err(error),
                        Err(error) => {
                            let Some(job) = self.sent.get(&number) else { continue };
                            drop(troubled.send(job.publication.exchange.clone())); // its reader may have ended first
                            Err(failed(&job.publication, error.to_string()))
                        }
                    };
                    if let Some(job) = self.sent.remove(&number) {
                        job.answer(verdict);
                    }
                }
                Some(job) = self.queue.recv(), if room > 0 => self.waiting.push(job),
                else => std::future::pending().await,
            }
        }
    }
}

async fn alone(
    connection: &Connection,
    publication: &Publication,
) -> Result<Result<(), PublishError>, Error> {
    let channel = confirming(connection).await?;
    let published = publish(connection, &channel, &[publication]).await;
    super::close(&channel).await;
    let verdict = published?.pop();
    Ok(verdict.unwrap_or_else(|| Err(failed(publication, "the broker said nothing".to_owned()))))
}

fn failed(publication: &Publication, reason: String) -> PublishError {
    let (exchange, routing_key) = (publication.exchange.clone(), publication.routing_key.clone());
    PublishError::Failed { exchange, routing_key, reason }
}
