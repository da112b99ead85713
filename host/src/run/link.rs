//! One consumer: its channel is opened again whenever it fails, without any other consumer noticing, for as long as the
//! connection lives.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::{Consumption, Feed, Publisher, REPLY_TIMEOUT, Sink};
use crate::contract::DeliveryMode;
use crate::dispatch::Epoch;
use crate::message::Message;
use crate::policy::history::{self, Arrival};

use super::Subscribed;
use super::backoff::Backoff;
use super::declared::Declared;
use super::pump;

/// What a consumer needs beside its subscription.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) subscribed: Arc<Subscribed>,
    pub(super) publisher: Publisher,
    pub(super) declared: Arc<Declared>,
    /// The connection has failed.
    pub(super) failed: CancellationToken,
    pub(super) stop: CancellationToken,
    /// Where handlers run.
    pub(super) wasm: Handle,
    /// What is in flight and belongs to a channel.
    pub(super) deliveries: TaskTracker,
    /// What is in flight and acked already.
    pub(super) detached: TaskTracker,
}

impl Link {
    /// Starts to consume.
    pub(super) async fn start(&self) -> Result<Consumption, crate::broker::Error> {
        let holder = &self.subscribed.subscription.holder;
        let feed = Feed {
            queue: holder.queue.clone(),
            tag: format!("warren.{}", holder.consumer),
            prefetch: self.subscribed.prefetch,
            ordered: self.subscribed.subscription.ordered,
        };
        let subscription = &self.subscribed.subscription;
        let (queue, from) = (subscription.queue_type, subscription.careful_from());
        let is_suspect = move |message: &Message, redelivered| {
            history::deliveries(message, Arrival { queue, redelivered }) >= from
        };
        Consumption::start(&self.declared.connection, feed, Box::new(is_suspect)).await
    }

    /// Serves until it is stopped and everything in flight is finished or given back, or until the connection has failed.
    pub(super) async fn run(self, first: Consumption) {
        let mut backoff = Backoff::new();
        let mut consumption = first;
        loop {
            backoff.works();
            let Some(reason) = self.serve(consumption).await else { return };
            let consumer = &self.subscribed.subscription.holder.consumer;
            tracing::warn!(consumer, reason, "a consumer has lost its channel, opening another");
            let noticed = tokio::time::Instant::now();
            consumption = loop {
                tokio::select! {
                    () = backoff.wait(&self.stop) => {}
                    // The next connection waits for this consumer's end.
                    () = self.failed.cancelled() => {}
                }
                if self.stop.is_cancelled() || self.failed.is_cancelled() {
                    return;
                }
                let trouble = match self.declared.again(noticed).await {
                    Ok(()) => match self.start().await {
                        Ok(consumption) => break consumption,
                        Err(error) => error.to_string(),
                    },
                    Err(error) => error.to_string(),
                };
                if backoff.is_news(&trouble) {
                    tracing::warn!(consumer, "cannot consume: {trouble}; trying again until it works");
                }
            };
            tracing::info!(consumer, "consuming again");
        }
    }

    /// Serves one channel to its end. None if there is nothing more to do, or else why it failed.
    async fn serve(&self, mut consumption: Consumption) -> Option<String> {
        let finished = &self.subscribed.subscription.finished;
        let epoch = Epoch {
            publisher: self.publisher.clone(),
            failed: self.failed.child_token(),
            stop: self.stop.clone(),
            missing: Arc::clone(&self.declared.missing),
            recent: Arc::new(finished.recent()),
        };
        let ended = tokio::select! {
            ended = consumption.run(self.sink(&epoch), self.stop.clone()) => ended.map_err(|error| error.to_string()),
            () = self.failed.cancelled() => Err("the connection has failed".to_owned()),
        };
        if !self.declared.connection.is_open() {
            // Not this channel alone; whoever watches the connection learns it in this moment.
            drop(tokio::time::timeout(REPLY_TIMEOUT, self.failed.cancelled()).await);
        }
        // From here nothing can be settled. Whatever is still running is dropped where it stands.
        epoch.failed.cancel();
        self.deliveries.close();
        self.deliveries.wait().await;
        self.deliveries.reopen();
        finished.lost(&epoch.recent);
        if !self.failed.is_cancelled() {
            consumption.close().await;
        }
        ended.err().filter(|_| !self.failed.is_cancelled())
    }

    fn sink(&self, epoch: &Epoch) -> Sink {
        let in_flight = match self.subscribed.subscription.delivery {
            DeliveryMode::AtLeastOnce => self.deliveries.clone(),
            DeliveryMode::AtMostOnce => self.detached.clone(),
        };
        pump::start(Arc::clone(&self.subscribed), epoch.clone(), in_flight, &self.wasm)
    }
}
