//! Publishing: persistent, mandatory, confirmed. What is to be published waits here while there is no connection.
//!
//! A message is published when the broker has confirmed it and has not returned it. The broker confirms what it cannot
//! route, too, after returning it; and lapin hands a return out with whichever confirm comes next. So the results of a
//! batch are read only once every confirm of it is in: then every return of it is, too, and is matched by message id.
//!
//! A batch that fails, because one of its messages made the broker close the channel or because a queue does not
//! confirm, is taken apart: each of its messages goes over a channel of its own (`solo`), so that one cannot hold up or
//! spoil the others for long. A batch whose connection is lost is published again on the next one; that can be the end of
//! a batch over which the channel was closed, too, because lapin may send the rest of it on the closed channel.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, PublisherConfirm};
use tokio::sync::{mpsc, oneshot};

use crate::failpoint;
use crate::message::Message;

use super::amqp::{properties_of, short};
use super::solo::Solo;
use super::{CONFIRM_TIMEOUT, Connection, Error, reply};

/// Messages waiting for the task; publishers wait when it is full.
const QUEUE_MAX: usize = 1024;
/// The most messages of one batch.
const BATCH_MAX: usize = 256;
/// The most bytes of one batch, unless its first message alone is larger.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long messages to an exchange go alone after one of them made the broker close its channel.
const TROUBLED: Duration = Duration::from_secs(60);
/// How old a channel may be on which a queue refuses: RabbitMQ 3.10 tells a channel that a queue is full, and when the limit
/// is then taken away or raised, does not tell it that there is room again.
const REFUSED_MAX: Duration = Duration::from_secs(10);
/// How often the patience with the broker is looked at.
const TICK: Duration = Duration::from_millis(500);

/// A message on its way to an exchange. It must have a message id.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The exchange; empty for the default exchange.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// Body, properties and headers; where it came from does not matter.
    pub message: Message,
}

/// Why the broker did not take a message. It is not published, as far as is known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// No queue takes it.
    #[error("no queue takes what is published to exchange `{exchange}` with key `{routing_key}`: {reason}")]
    Returned {
        /// The exchange.
        exchange: String,
        /// The routing key.
        routing_key: String,
        /// What the broker said.
        reason: String,
    },
    /// A queue did not take it: it is full, or its broker node is in trouble.
    #[error("a queue behind exchange `{exchange}` with key `{routing_key}` refused the message")]
    Refused {
        /// The exchange.
        exchange: String,
        /// The routing key.
        routing_key: String,
    },
    /// The broker closed the channel over it, or did not confirm it in time.
    #[error("publishing to exchange `{exchange}` with key `{routing_key}` failed: {reason}")]
    Failed {
        /// The exchange.
        exchange: String,
        /// The routing key.
        routing_key: String,
        /// What happened.
        reason: String,
    },
}

/// The host has stopped publishing before the broker had answered for every message; any of them may be published.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("publishing ended before the broker confirmed")]
pub struct Unconfirmed;

/// A message with what the broker said to it.
pub type Verdict = (Publication, Result<(), PublishError>);

/// A publication that somebody waits for.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) publication: Publication,
    answer: oneshot::Sender<Verdict>,
    /// Connections that were lost while it was on its way.
    pub(super) losses: u8,
}

impl Job {
    pub(super) fn answer(self, verdict: Result<(), PublishError>) {
        // Whoever asked may have been cancelled; then nobody wants to know.
        drop(self.answer.send((self.publication, verdict)));
    }

    /// Nobody waits for it any more, and it has not been sent.
    pub(super) fn is_pointless(&self) -> bool {
        self.answer.is_closed()
    }
}

/// Hands messages to the publishing task.
#[derive(Clone)]
pub struct Publisher {
    jobs: mpsc::Sender<Job>,
}

impl Publisher {
    /// A publisher, and what does its work while there is a connection.
    pub fn new() -> (Self, Publishing) {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (alone, solo) = Solo::new();
        let lane =
            Lane { queue, waiting: VecDeque::new(), sent: Vec::new(), alone, troubled: HashMap::new() };
        (Self { jobs }, Publishing { lane, solo })
    }

    /// Publishes, waits until the broker has confirmed or refused every message, and gives each back with its verdict.
    /// Waits for as long as there is no connection: the caller has a limit of its own.
    pub async fn publish(&self, publications: Vec<Publication>) -> Result<Vec<Verdict>, Unconfirmed> {
        let mut answers = Vec::with_capacity(publications.len());
        for publication in publications {
            let (answer, receiver) = oneshot::channel();
            let job = Job { publication, answer, losses: 0 };
            self.jobs.send(job).await.map_err(|_| Unconfirmed)?;
            answers.push(receiver);
        }
        let mut verdicts = Vec::with_capacity(answers.len());
        for answer in answers {
            verdicts.push(answer.await.map_err(|_| Unconfirmed)?);
        }
        Ok(verdicts)
    }
}

/// The publishing task's own: what waits, what is on its way.
#[derive(Debug)]
pub struct Publishing {
    lane: Lane,
    solo: Solo,
}

impl Publishing {
    /// Whether all publishers are gone.
    pub fn is_done(&self) -> bool {
        self.lane.queue.is_closed()
    }

    /// Publishes over a connection until all publishers are gone; an error means that the connection is of no more use.
    /// It may be dropped at any time: what was on its way is published again by the next call.
    pub async fn serve(&mut self, connection: &Connection) -> Result<(), Error> {
        let Self { lane, solo } = self;
        lane.recall();
        solo.recall();
        let troubled = tokio::sync::mpsc::unbounded_channel();
        tokio::select! {
            done = lane.run(connection, troubled.1) => done,
            failed = solo.run(connection, troubled.0) => failed,
        }
    }
}

/// The fast way: batches over one channel.
#[derive(Debug)]
struct Lane {
    queue: mpsc::Receiver<Job>,
    waiting: VecDeque<Job>,
    /// The batch that is on its way.
    sent: Vec<Job>,
    /// What goes alone.
    alone: mpsc::UnboundedSender<Job>,
    /// Exchanges over which the broker closed a channel, and when.
    troubled: HashMap<String, Instant>,
}

impl Lane {
    /// What was on its way when the connection was lost. Twice is suspicious.
    fn recall(&mut self) {
        for mut job in self.sent.drain(..).rev() {
            job.losses += 1;
            if job.losses > 1 {
                drop(self.alone.send(job)); // the other end is in the same struct as this one
            } else {
                self.waiting.push_front(job);
            }
        }
    }

    async fn run(
        &mut self,
        connection: &Connection,
        mut troubled: mpsc::UnboundedReceiver<String>,
    ) -> Result<(), Error> {
        let mut channel = confirming(connection).await?;
        let mut opened = Instant::now();
        let mut fresh = Vec::with_capacity(BATCH_MAX);
        loop {
            if self.waiting.is_empty() && self.queue.recv_many(&mut fresh, BATCH_MAX).await == 0 {
                return Ok(());
            }
            self.waiting.extend(fresh.drain(..));
            while let Ok(exchange) = troubled.try_recv() {
                self.troubled.insert(exchange, Instant::now());
            }
            self.troubled.retain(|_, since| since.elapsed() < TROUBLED);
            self.next_batch();
            if self.sent.is_empty() {
                continue;
            }
            match publish_batch(connection, &channel, &self.sent).await {
                Ok(verdicts) => {
                    let refused =
                        verdicts.iter().any(|verdict| matches!(verdict, Err(PublishError::Refused { .. })));
                    for (job, verdict) in self.sent.drain(..).zip(verdicts) {
                        job.answer(verdict);
                    }
                    if refused && opened.elapsed() > REFUSED_MAX {
                        super::close(&channel).await;
                        channel = confirming(connection).await?;
                        opened = Instant::now();
                    }
                }
                Err(error) if !connection.is_open() => return Err(error),
                Err(error) => {
                    tracing::debug!(messages = self.sent.len(), %error, "a batch failed, its messages go alone");
                    for job in self.sent.drain(..) {
                        drop(self.alone.send(job)); // the other end is in the same struct as this one
                    }
                    super::close(&channel).await;
                    channel = confirming(connection).await?;
                    opened = Instant::now();
                }
            }
        }
    }

    /// Takes the messages of the next batch: no two of one id, because a return is matched by id.
    fn next_batch(&mut self) {
        let mut ids = HashSet::new();
        let mut bytes = 0;
        while let Some(job) = self.waiting.front() {
            bytes += job.publication.message.body.len();
            let full = self.sent.len() == BATCH_MAX || (bytes > BATCH_BYTES_MAX && !self.sent.is_empty());
            if full || ids.contains(id(&job.publication)) {
                break;
            }
            ids.insert(id(&job.publication).to_owned());
            let Some(job) = self.waiting.pop_front() else { break };
            if job.is_pointless() {
                continue;
            }
            if self.troubled.contains_key(&job.publication.exchange) {
                drop(self.alone.send(job)); // the other end is in the same struct as this one
            } else {
                self.sent.push(job);
            }
        }
    }
}

pub(super) fn id(publication: &Publication) -> &str {
    publication.message.properties.message_id.as_deref().unwrap_or_default()
}

/// Opens a channel on which the broker confirms.
pub(super) async fn confirming(connection: &Connection) -> Result<Channel, Error> {
    let channel = connection.channel().await?;
    reply("confirm.select", channel.confirm_select(ConfirmSelectOptions { nowait: false })).await?;
    Ok(channel)
}

/// Publishes messages of different ids, and says of each what the broker said. An error means that it said nothing: any
/// of them may be published.
async fn publish_batch(
    connection: &Connection,
    channel: &Channel,
    batch: &[Job],
) -> Result<Vec<Result<(), PublishError>>, Error> {
    let publications: Vec<&Publication> = batch.iter().map(|job| &job.publication).collect();
    publish(connection, channel, &publications).await
}

/// As `publish_batch`.
pub(super) async fn publish(
    connection: &Connection,
    channel: &Channel,
    batch: &[&Publication],
) -> Result<Vec<Result<(), PublishError>>, Error> {
    let confirmations = tokio::select! {
        confirmed = confirm_all(channel, batch) => confirmed?,
        () = out_of_patience(connection) => return Err(Error::Timeout("publisher confirm")),
    };
    for publication in batch {
        failpoint::pass("after-confirm", id(publication)).await;
    }
    let mut returned: HashMap<String, String> = HashMap::new();
    let mut acked = Vec::with_capacity(batch.len());
    for confirmation in confirmations {
        acked.push(confirmation.is_ack());
        if let Some(message) = confirmation.take_message() {
            let id = message.delivery.properties.message_id().as_ref().map(|id| id.as_str().to_owned());
            returned.insert(id.unwrap_or_default(), message.reply_text.as_str().to_owned());
        }
    }
    let known: HashSet<&str> = batch.iter().map(|publication| id(publication)).collect();
    if let Some(strange) = returned.keys().find(|id| !known.contains(id.as_str())) {
        // Then it is not known which message of the batch it was, and none of them may count as published.
        return Err(Error::StrangeReturn(strange.clone()));
    }
    let verdicts = batch.iter().zip(acked);
    Ok(verdicts
        .map(|(publication, acked)| verdict(publication, acked, returned.remove(id(publication))))
        .collect())
}

/// Resolves when the broker has had its time to confirm. While it blocks us, because it is short of memory or disk, its
/// time does not run.
async fn out_of_patience(connection: &Connection) {
    let mut left = CONFIRM_TIMEOUT;
    while !left.is_zero() {
        tokio::time::sleep(TICK).await;
        if !connection.is_blocked() {
            left = left.saturating_sub(TICK);
        }
    }
}

fn verdict(publication: &Publication, acked: bool, returned: Option<String>) -> Result<(), PublishError> {
    if returned.is_none() && acked {
        return Ok(());
    }
    let (exchange, routing_key) = (publication.exchange.clone(), publication.routing_key.clone());
    Err(match returned {
        Some(reason) => PublishError::Returned { exchange, routing_key, reason },
        None => PublishError::Refused { exchange, routing_key },
    })
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that publishes")]
async fn confirm_all(channel: &Channel, batch: &[&Publication]) -> lapin::Result<Vec<Confirmation>> {
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let mut confirms: Vec<PublisherConfirm> = Vec::with_capacity(batch.len());
    for publication in batch {
        let Publication { exchange, routing_key, message } = publication;
        let properties = properties_of(message);
        let publish =
            channel.basic_publish(short(exchange), short(routing_key), options, &message.body, properties);
        confirms.push(publish.await?);
        failpoint::pass("after-publish", id(publication)).await;
    }
    let mut confirmations = Vec::with_capacity(batch.len());
    for confirm in confirms {
        confirmations.push(confirm.await?);
    }
    Ok(confirmations)
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}
