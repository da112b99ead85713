//! The room that talks AMQP, and the only one that names lapin: connect, declare, consume, publish, settle.
//!
//! It decides nothing. There are two connections, one to consume and one to publish, because a broker that is short of
//! memory stops reading from connections that publish. A delivery belongs to the channel it came over, whose life is an
//! epoch: once that has failed, the delivery can no longer be settled, and the broker hands it over again.
//! Every await on the broker has a timeout, and a timeout never leads to an ack.

mod address;
mod amqp;
mod change;
mod connection;
mod consume;
mod declare;
mod manage;
mod observe;
mod probe;
mod publish;
mod settle;
mod solo;
mod tls;
mod transport;

use std::time::Duration;

pub use address::{Address, ConnectError};
pub use change::{Outcome, SETTLING, change};
pub use connection::Connection;
pub use consume::{Consumption, Delivery, Feed, Sink, Suspicion};
pub use declare::{DeclareError, declare};
pub use manage::{Management, ManagementError};
pub use observe::{counts, observe};
pub use probe::version;
pub use publish::{Publication, PublishError, Publisher, Publishing, Unconfirmed, Verdict};
pub use settle::{Settlement, StaleEpoch};
pub use tls::Tls;

/// How long the broker may take for one answer.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the broker may take to confirm what was published. A quorum queue that has to elect a leader needs seconds.
pub const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// Why an exchange with the broker failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker did not answer in time.
    #[error("the broker did not answer `{0}` in time")]
    Timeout(&'static str),
    /// The broker cancelled the consumer: its queue was deleted, or lost its leader.
    #[error("the broker cancelled the consumer")]
    Cancelled,
    /// The broker returned a message that was not published.
    #[error("the broker returned a message `{0}` that was not among the published ones")]
    StrangeReturn(String),
    /// The broker or the connection said no.
    #[error(transparent)]
    Amqp(#[from] lapin::Error),
}

/// Awaits an answer of the broker, for at most `REPLY_TIMEOUT`.
async fn reply<T>(what: &'static str, answer: impl Future<Output = lapin::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(REPLY_TIMEOUT, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::Timeout(what)),
    }
}

/// Closes a channel, or gives up on it.
async fn close(channel: &lapin::Channel) {
    let closing = reply("channel.close", channel.close(200, "done".into()));
    if let Err(error) = closing.await {
        tracing::debug!(%error, "the channel was already gone");
    }
}
