//! One connection to the broker: opened with a timeout, named, without lapin's own recovery.
//!
//! Recovery is not left to the library: an ack with a tag of before the recovery would settle another message after it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::types::LongString;
use lapin::uri::AMQPUri;
use lapin::{Channel, ConnectionProperties, ErrorKind, Event};

use super::{Error, reply};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long closing may take before the connection is just dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
const HEARTBEAT_SECONDS: u16 = 10;
/// AMQP's ACCESS_REFUSED and NOT_ALLOWED (a vhost that does not exist, or may not be used).
const REFUSED: [u16; 2] = [403, 530];

/// Where the broker is. Its text form hides the password.
#[derive(Clone)]
pub struct Address {
    uri: AMQPUri,
}

impl Address {
    /// Reads an AMQP URI such as `amqp://user:password@host:5672/vhost`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut uri = AMQPUri::from_str(text)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Ok(Self { uri })
    }

    /// The vhost.
    pub fn vhost(&self) -> &str {
        &self.uri.vhost
    }

    pub(super) fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    /// `user:password`.
    pub(super) fn credentials(&self) -> String {
        let userinfo = &self.uri.authority.userinfo;
        format!("{}:{}", userinfo.username, userinfo.password)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.uri.scheme {
            lapin::uri::AMQPScheme::AMQP => "amqp",
            lapin::uri::AMQPScheme::AMQPS => "amqps",
        };
        let authority = &self.uri.authority;
        let (user, host, port) = (&authority.userinfo.username, &authority.host, authority.port);
        let vhost = self.uri.vhost.replace('/', "%2f");
        write!(f, "{scheme}://{user}@{host}:{port}/{vhost}")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The broker is there and does not want us.
    #[error("the broker at {address} refused: {reason}")]
    Refused {
        /// Where the broker is.
        address: String,
        /// What it said.
        reason: String,
    },
    /// The broker is not there, or did not answer.
    #[error("no broker at {address}: {reason}")]
    Unreachable {
        /// Where the broker should be.
        address: String,
        /// What happened.
        reason: String,
    },
}

/// An open connection.
pub struct Connection {
    inner: lapin::Connection,
}

impl Connection {
    /// Opens a connection. `name` is what the management page shows.
    pub async fn open(address: &Address, name: &str) -> Result<Self, ConnectError> {
        let properties = ConnectionProperties::default().with_connection_name(LongString::from(name));
        let connecting = lapin::Connection::connect_uri(address.uri.clone(), properties);
        let unreachable = |reason: String| ConnectError::Unreachable { address: address.to_string(), reason };
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(inner)) => Ok(Self { inner }),
            Ok(Err(error)) => match error.kind() {
                ErrorKind::ProtocolError(said) if REFUSED.contains(&said.get_id()) => {
                    Err(ConnectError::Refused {
                        address: address.to_string(),
                        reason: said.get_message().to_string(),
                    })
                }
                _ => Err(unreachable(plain(&error))),
            },
            Err(_) => Err(unreachable(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    /// Resolves with the reason when the connection is gone.
    pub fn failed(&self) -> impl Future<Output = String> + Send + 'static {
        let mut events = self.inner.events_listener();
        async move {
            loop {
                match events.next().await {
                    Some(Event::Error(error)) => return plain(&error),
                    Some(Event::ConnectionBlocked(reason)) => {
                        tracing::warn!(reason, "the broker blocks publishing until its alarm is over");
                    }
                    Some(Event::ConnectionUnblocked) => tracing::info!("the broker takes messages again"),
                    Some(_) => {}
                    None => return "the connection is closed".to_owned(),
                }
            }
        }
    }

    /// Whether it is open, as far as is known: a broker that has fallen silent is missed only by its heartbeats.
    pub fn is_open(&self) -> bool {
        self.inner.status().connected()
    }

    /// Whether the broker has told us to publish nothing, because it is short of memory or disk.
    pub(super) fn is_blocked(&self) -> bool {
        self.inner.status().blocked()
    }

    pub(super) async fn channel(&self) -> Result<Channel, Error> {
        reply("channel.open", self.inner.create_channel()).await
    }

    /// Closes the connection; what was not settled on it goes back to its queues.
    pub async fn close(self) {
        let closing = self.inner.close(200, "bye".into());
        if let Ok(Err(error)) = tokio::time::timeout(CLOSE_TIMEOUT, closing).await {
            tracing::debug!(%error, "the connection was already gone");
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// An error as an operator would say it.
fn plain(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::IOError(error) => error.to_string(),
        ErrorKind::ProtocolError(said) => said.get_message().to_string(),
        ErrorKind::MissingHeartbeatError => "no heartbeat from the broker".to_owned(),
        _ => error.to_string(),
    }
}
