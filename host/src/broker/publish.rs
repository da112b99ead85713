//! Publishing: persistent, mandatory, confirmed. One task owns the channel and works in batches.
//!
//! A message is published when the broker has confirmed it and has not returned it. The broker confirms what it cannot
//! route, too, after returning it; and lapin hands a return out with whichever confirm comes next. So the results of a
//! batch are read only once every confirm of it is in: then every return of it is, too, and is matched by message id.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, PublisherConfirm};
use tokio::sync::{mpsc, oneshot};

use crate::message::Message;

use super::amqp::{properties_of, short};
use super::{CONFIRM_TIMEOUT, Connection, Error, reply};

/// Messages waiting for the task; publishers wait when it is full.
const QUEUE_MAX: usize = 1024;
/// The most messages of one batch.
const BATCH_MAX: usize = 256;
/// The most bytes of one batch, unless its first message alone is larger.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

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

/// Why the broker did not take a message. It is not published.
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
}

/// The connection failed before the broker had answered for every message; any of them may have been published.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection failed before the broker confirmed")]
pub struct Unconfirmed;

/// A message with what the broker said to it.
pub type Verdict = (Publication, Result<(), PublishError>);

type Job = (Publication, oneshot::Sender<Verdict>);

/// Hands messages to the publishing task of one epoch.
#[derive(Clone)]
pub struct Publisher {
    jobs: mpsc::Sender<Job>,
}

impl Publisher {
    /// Opens a confirm channel. The returned future is the publishing task: it ends when all publishers are gone, and
    /// with an error when the channel has failed.
    pub async fn open(
        connection: &Connection,
    ) -> Result<(Self, impl Future<Output = Result<(), Error>> + Send + use<>), Error> {
        let channel = connection.channel().await?;
        reply("confirm.select", channel.confirm_select(ConfirmSelectOptions { nowait: false })).await?;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        Ok((Self { jobs }, run(channel, queue)))
    }

    /// Publishes, waits until the broker has confirmed or refused every message, and gives each back with its verdict.
    pub async fn publish(&self, publications: Vec<Publication>) -> Result<Vec<Verdict>, Unconfirmed> {
        let mut answers = Vec::with_capacity(publications.len());
        for publication in publications {
            let (answer, receiver) = oneshot::channel();
            self.jobs.send((publication, answer)).await.map_err(|_| Unconfirmed)?;
            answers.push(receiver);
        }
        let mut verdicts = Vec::with_capacity(answers.len());
        for answer in answers {
            verdicts.push(answer.await.map_err(|_| Unconfirmed)?);
        }
        Ok(verdicts)
    }
}

async fn run(channel: Channel, mut queue: mpsc::Receiver<Job>) -> Result<(), Error> {
    let mut waiting: VecDeque<Job> = VecDeque::new();
    let mut fresh = Vec::with_capacity(BATCH_MAX);
    loop {
        if waiting.is_empty() && queue.recv_many(&mut fresh, BATCH_MAX).await == 0 {
            return Ok(());
        }
        waiting.extend(fresh.drain(..));
        // When this fails, the askers of this and all waiting messages learn it from their dropped answers.
        publish_batch(&channel, next_batch(&mut waiting)).await?;
    }
}

/// Takes the messages of the next batch: no two of one id, because a return is matched by id.
fn next_batch(waiting: &mut VecDeque<Job>) -> Vec<Job> {
    let mut ids = HashSet::new();
    let mut bytes = 0;
    let mut batch = Vec::new();
    while let Some((publication, _)) = waiting.front() {
        bytes += publication.message.body.len();
        let full = batch.len() == BATCH_MAX || (bytes > BATCH_BYTES_MAX && !batch.is_empty());
        if full || !ids.insert(id(publication).to_owned()) {
            break;
        }
        batch.extend(waiting.pop_front());
    }
    batch
}

fn id(publication: &Publication) -> &str {
    publication.message.properties.message_id.as_deref().unwrap_or_default()
}

async fn publish_batch(channel: &Channel, batch: Vec<Job>) -> Result<(), Error> {
    let confirmed = tokio::time::timeout(CONFIRM_TIMEOUT, confirm_all(channel, &batch)).await;
    let confirmations = confirmed.map_err(|_| Error::Timeout("publisher confirm"))??;
    let mut returned: HashMap<String, String> = HashMap::new();
    let mut acked = Vec::with_capacity(batch.len());
    for confirmation in confirmations {
        acked.push(confirmation.is_ack());
        if let Some(message) = confirmation.take_message() {
            let id = message.delivery.properties.message_id().as_ref().map(|id| id.as_str().to_owned());
            returned.insert(id.unwrap_or_default(), message.reply_text.as_str().to_owned());
        }
    }
    let known: HashSet<&str> = batch.iter().map(|(publication, _)| id(publication)).collect();
    if let Some(strange) = returned.keys().find(|id| !known.contains(id.as_str())) {
        // Then it is not known which message of the batch it was, and none of them may count as published.
        return Err(Error::StrangeReturn(strange.clone()));
    }
    for ((publication, answer), acked) in batch.into_iter().zip(acked) {
        let reason = returned.remove(id(&publication));
        let verdict = verdict(&publication, acked, reason);
        // Whoever asked may have been cancelled; then nobody wants to know.
        drop(answer.send((publication, verdict)));
    }
    Ok(())
}

fn verdict(publication: &Publication, acked: bool, returned: Option<String>) -> Result<(), PublishError> {
    let (exchange, routing_key) = (publication.exchange.clone(), publication.routing_key.clone());
    match (returned, acked) {
        (Some(reason), _) => Err(PublishError::Returned { exchange, routing_key, reason }),
        (None, false) => Err(PublishError::Refused { exchange, routing_key }),
        (None, true) => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that publishes")]
async fn confirm_all(channel: &Channel, batch: &[Job]) -> lapin::Result<Vec<Confirmation>> {
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let mut confirms: Vec<PublisherConfirm> = Vec::with_capacity(batch.len());
    for (publication, _) in batch {
        let Publication { exchange, routing_key, message } = publication;
        let properties = properties_of(message);
        let publish =
            channel.basic_publish(short(exchange), short(routing_key), options, &message.body, properties);
        confirms.push(publish.await?);
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
