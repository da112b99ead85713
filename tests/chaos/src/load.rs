//! The load: a publisher that uses confirms and remembers every id. It lives through broker restarts: it connects again,
//! and publishes again what was not confirmed, under the same id.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::runtime;
use crate::wait::until;

/// How many messages are unconfirmed at most.
const BATCH_MAX: usize = 50;
/// How long the broker may take to confirm them.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_PAUSE: Duration = Duration::from_millis(300);

/// What `Task::RateLimited` asks for, in milliseconds.
pub(crate) const RATE_LIMIT_MS: u64 = 10_000;
/// How long `Task::Slow` takes, in milliseconds.
pub(crate) const SLOW_MS: u64 = 8_000;

/// What a message makes its handler do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Succeed.
    Succeed,
    /// Fail twice, then succeed.
    SucceedLater,
    /// Fail for good.
    Fail,
    /// Fail again and again.
    FailAgain,
    /// Trap.
    Trap,
    /// Succeed with an output that goes where nothing may be bound.
    Stray,
    /// Ask to wait for ten seconds, then succeed.
    RateLimited,
    /// Take longer than the broker allows, and succeed in the end.
    Slow,
    /// Take longer than the broker allows, each time.
    TooSlow,
    /// Bring the host down, each time.
    Poison,
}

impl Task {
    fn payload(self) -> Value {
        match self {
            Self::Succeed | Self::Poison => json!({ "do": "ok" }),
            Self::Stray => json!({ "do": "ok", "publisher": "strayed" }),
            Self::RateLimited => json!({ "do": "rate-limit", "retryAfterMs": RATE_LIMIT_MS, "succeedOn": 2 }),
            Self::Slow | Self::TooSlow => json!({ "do": "ok", "ms": SLOW_MS }),
            Self::SucceedLater => json!({ "do": "transient", "succeedOn": 3 }),
            Self::Fail => json!({ "do": "permanent" }),
            Self::FailAgain => json!({ "do": "transient" }),
            Self::Trap => json!({ "do": "trap" }),
        }
    }

    /// How often a handler is called with it when nothing goes wrong.
    fn executions(self) -> usize {
        match self {
            Self::Succeed | Self::Fail | Self::Stray | Self::Slow | Self::TooSlow | Self::Poison => 1,
            Self::RateLimited => 2,
            Self::SucceedLater | Self::FailAgain | Self::Trap => 3,
        }
    }

    /// The class that its dead letter has; none if it is handled in the end.
    pub(crate) fn class(self) -> Option<&'static str> {
        match self {
            Self::Succeed | Self::SucceedLater | Self::Stray | Self::RateLimited | Self::Slow => None,
            Self::TooSlow | Self::Poison => Some("poison"),
            Self::Fail => Some("permanent"),
            Self::FailAgain => Some("transient"),
            Self::Trap => Some("trap"),
        }
    }
}

/// Mostly success, and some of everything.
pub(crate) const MIXED: &[Task] = &[
    Task::Succeed,
    Task::Succeed,
    Task::Succeed,
    Task::SucceedLater,
    Task::Succeed,
    Task::Fail,
    Task::Succeed,
    Task::FailAgain,
    Task::Succeed,
    Task::Trap,
];

/// What is published.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How many messages.
    pub(crate) messages: usize,
    /// How many a second, at most.
    pub(crate) per_second: usize,
    /// What they do, in turn.
    pub(crate) tasks: &'static [Task],
    /// What single ones do in place of that, by number.
    pub(crate) odd: &'static [(usize, Task)],
    /// How long a handler sleeps with each, in milliseconds, at random.
    pub(crate) ms: Range<u64>,
    /// How long bodies are, in bytes, at random.
    pub(crate) bytes: Range<usize>,
    /// Only the first so many are published until `Load::allow` says otherwise.
    pub(crate) allowed: usize,
}

impl Plan {
    /// So many messages of all kinds, of up to 4 KiB, with handlers that take up to 60 ms; 300 a second, which is somewhat
    /// more than one host with the usual contract can do.
    pub(crate) fn mixed(messages: usize) -> Self {
        let (odd, allowed) = (&[][..], usize::MAX);
        Self { messages, per_second: 300, tasks: MIXED, odd, ms: 0..60, bytes: 0..4096, allowed }
    }

    fn task(&self, number: usize) -> Task {
        let odd = self.odd.iter().find(|(odd, _)| *odd == number);
        odd.map_or(self.tasks[number % self.tasks.len()], |(_, task)| *task)
    }
}

/// What is known of a message that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// What it does.
    pub(crate) task: Task,
    /// How often it was sent and not returned: it may be in the queue as often.
    pub(crate) sends: u32,
    /// The broker has it.
    pub(crate) confirmed: bool,
}

/// Every message published, by id.
pub(crate) type Ledger = BTreeMap<String, Sent>;

/// A publisher at work; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Load {
    ledger: Arc<Mutex<Ledger>>,
    messages: usize,
    executions: usize,
    allowed: watch::Sender<usize>,
    work: JoinHandle<Result<()>>,
}

impl Load {
    /// Starts to publish to any of these URLs, message ids `<name>-<number>`.
    pub(crate) fn start(urls: Vec<String>, name: &str, plan: Plan) -> Self {
        let ledger: Arc<Mutex<Ledger>> = Arc::default();
        let messages = plan.messages;
        let executions = (0..messages).map(|number| plan.task(number).executions()).sum();
        let allowed = watch::Sender::new(plan.allowed);
        let (name, own) = (name.to_owned(), Arc::clone(&ledger));
        let publisher = Publisher { urls, name, plan, ledger: own, allowed: allowed.subscribe() };
        Self { ledger, messages, executions, allowed, work: runtime().spawn(publisher.run()) }
    }

    /// How often handlers are called in all when nothing goes wrong.
    pub(crate) fn executions(&self) -> usize {
        self.executions
    }

    /// From now on only the first `count` messages are published; what is under way is confirmed in any case.
    pub(crate) fn allow(&self, count: usize) {
        self.allowed.send_replace(count);
    }

    /// How many are confirmed.
    pub(crate) fn confirmed(&self) -> usize {
        self.with_ledger(|ledger| ledger.values().filter(|sent| sent.confirmed).count())
    }

    /// Somebody else has published a message once more: there may be as many more copies of it.
    pub(crate) fn sent_again(&self, id: &str) {
        self.with_ledger(|ledger| {
            if let Some(sent) = ledger.get_mut(id) {
                sent.sends += 1;
            }
        });
    }

    /// What was published so far.
    pub(crate) fn ledger(&self) -> Ledger {
        self.with_ledger(|ledger| ledger.clone())
    }

    fn with_ledger<T>(&self, work: impl FnOnce(&mut Ledger) -> T) -> T {
        work(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `count` messages are confirmed.
    pub(crate) fn until_confirmed(&self, count: usize, limit: Duration) -> Result<()> {
        until(&format!("{count} of {} messages are confirmed", self.messages), limit, || {
            let confirmed = self.confirmed();
            if confirmed < count {
                if self.work.is_finished() {
                    bail!("the publisher has ended");
                }
                bail!("{confirmed} are");
            }
            Ok(Some(()))
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// The id of a message of a load.
pub(crate) fn message_id(load: &str, number: usize) -> String {
    format!("{load}-{number:06}")
}

struct Publisher {
    urls: Vec<String>,
    name: String,
    plan: Plan,
    ledger: Arc<Mutex<Ledger>>,
    allowed: watch::Receiver<usize>,
}

impl Publisher {
    async fn run(mut self) -> Result<()> {
        let mut waiting: VecDeque<usize> = (0..self.plan.messages).collect();
        let batch = (self.plan.per_second / 20).clamp(1, BATCH_MAX);
        let mut pace = interval(Duration::from_secs_f64(batch as f64 / self.plan.per_second.max(1) as f64));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for turn in 0.. {
            if waiting.is_empty() {
                return Ok(());
            }
            let connected = timeout(CONNECT_TIMEOUT, connect(&self.urls[turn % self.urls.len()])).await;
            let Ok(Ok((connection, channel))) = connected else {
                sleep(CONNECT_PAUSE).await;
                continue;
            };
            while !waiting.is_empty() {
                pace.tick().await;
                let first = waiting.front().copied().unwrap_or_default();
                let allowed = *self.allowed.wait_for(|allowed| *allowed > first).await?;
                let size = waiting.iter().take(batch).take_while(|number| **number < allowed).count();
                let now: Vec<usize> = waiting.drain(..size).collect();
                let left = self.publish(&channel, &now).await;
                let failed = left.is_err();
                // What was not confirmed is published again; it may be there twice then, and the ledger says so.
                for number in left.unwrap_or(now).into_iter().rev() {
                    if !self.is_confirmed(number) {
                        waiting.push_front(number);
                    }
                }
                if failed {
                    break;
                }
            }
            timeout(CONNECT_TIMEOUT, connection.close(200, "done".into())).await.ok();
        }
        Ok(())
    }

    /// Publishes some messages and waits for all confirms; gives those that the broker did not take.
    async fn publish(&self, channel: &Channel, numbers: &[usize]) -> Result<Vec<usize>> {
        let until = Instant::now() + CONFIRM_TIMEOUT;
        let mut confirms = Vec::with_capacity(numbers.len());
        for number in numbers {
            self.sends(*number);
            let (body, properties) = self.message(*number);
            confirms.push(timeout_at(until, send(channel, &body, properties)).await?);
        }
        let mut acked = Vec::with_capacity(numbers.len());
        let mut returned = Vec::new();
        // Returns are told with any confirm of the batch, so they are read together.
        for confirm in confirms {
            let confirmation = timeout_at(until, confirm).await?;
            acked.push(confirmation.is_ack());
            returned.extend(confirmation.take_message().and_then(|message| {
                message.delivery.properties.message_id().as_ref().map(|id| id.as_str().to_owned())
            }));
        }
        let mut left = Vec::new();
        for (number, acked) in numbers.iter().zip(acked) {
            let id = self.id(*number);
            let routed = !returned.contains(&id);
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = ledger.get_mut(&id).context("a message that was sent is in the ledger")?;
            if acked && routed {
                sent.confirmed = true;
            } else {
                sent.sends -= u32::from(!routed);
                left.push(*number);
            }
        }
        Ok(left)
    }

    fn id(&self, number: usize) -> String {
        message_id(&self.name, number)
    }

    fn is_confirmed(&self, number: usize) -> bool {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.get(&self.id(number)).is_some_and(|sent| sent.confirmed)
    }

    fn sends(&self, number: usize) {
        let task = self.plan.task(number);
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.entry(self.id(number)).or_insert(Sent { task, sends: 0, confirmed: false }).sends += 1;
    }

    fn message(&self, number: usize) -> (Vec<u8>, BasicProperties) {
        let Plan { ms, bytes, .. } = &self.plan;
        let mut payload = self.plan.task(number).payload();
        if payload["ms"].is_null() {
            payload["ms"] = fastrand::u64(ms.clone()).into();
        }
        payload["filling"] = "x".repeat(fastrand::usize(bytes.clone())).into();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let properties = properties.with_content_type("application/json".into());
        (payload.to_string().into_bytes(), properties.with_message_id(self.id(number).as_str().into()))
    }
}

async fn timeout_at<T>(until: Instant, answer: impl Future<Output = lapin::Result<T>>) -> Result<T> {
    tokio::time::timeout_at(until, answer)
        .await
        .map_err(|_| anyhow!("no confirm in time"))?
        .map_err(Into::into)
}

#[expect(clippy::disallowed_methods, reason = "the load's own publisher, which is no part of the host")]
async fn send(
    channel: &Channel,
    body: &[u8],
    properties: BasicProperties,
) -> lapin::Result<lapin::PublisherConfirm> {
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    channel.basic_publish("in".into(), "task".into(), options, body, properties).await
}

async fn connect(url: &str) -> lapin::Result<(Connection, Channel)> {
    let properties = ConnectionProperties::default().with_connection_name("chaos publishes".into());
    let connection = Connection::connect(url, properties).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions { nowait: false }).await?;
    Ok((connection, channel))
}
