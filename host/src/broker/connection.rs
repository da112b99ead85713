//! One connection to the broker: opened with a timeout, named, without lapin's own recovery.
//!
//! Recovery is not left to the library: an ack with a tag of before the recovery would settle another message after it.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::protocol::AMQPErrorKind;
use lapin::types::LongString;
use lapin::{Channel, ConnectionProperties, ErrorKind, Event};

use super::address::{Endpoint, Trouble};
use super::transport::{self, Socket, Transport};
use super::{Address, ConnectError, Error, Tls, reply, tls};

/// How long the broker may take to greet, to check who we are, and to open the vhost.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a connection is looked at that says nothing.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How long closing may take before the connection is just dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// AMQP's ACCESS_REFUSED and NOT_ALLOWED (a vhost that does not exist, or may not be used).
const REFUSED: [u16; 2] = [403, 530];

/// An open connection.
pub struct Connection {
    inner: lapin::Connection,
    socket: Socket,
    address: String,
}

impl Connection {
    /// Opens a connection to the first of the addresses that takes it. `name` is what the management page shows.
    pub async fn open(address: &Address, name: &str) -> Result<Self, ConnectError> {
        Self::open_with_frames(address, name, None).await
    }

    /// The same, where the broker's largest frame is known. lapin then has buffers of that size from the beginning, whose
    /// pages cost nothing until they are used; else it makes larger ones later, and fills them.
    pub async fn open_with_frames(
        address: &Address,
        name: &str,
        frame_max: Option<u32>,
    ) -> Result<Self, ConnectError> {
        let mut round = address.round();
        while let Some(endpoint) = round.endpoint() {
            match Self::open_at(endpoint, address.tls(), name, frame_max).await {
                Ok(connection) => {
                    round.succeeded();
                    return Ok(connection);
                }
                Err(trouble) => round.failed(trouble),
            }
        }
        Err(round.into_error())
    }

    async fn open_at(
        endpoint: &Endpoint,
        tls: &Tls,
        name: &str,
        frame_max: Option<u32>,
    ) -> Result<Self, Trouble> {
        let Transport { stream, socket } = transport::open(endpoint, tls).await?;
        let runtime = lapin::runtime::default_runtime().map_err(|error| Trouble::Unfit(error.to_string()))?;
        let stream = Mutex::new(Some(stream));
        // Asked for once, because lapin does not recover.
        let hand_over = async move |_, _| {
            let stream = stream.lock().ok().and_then(|mut stream| stream.take());
            stream.ok_or_else(|| std::io::Error::other("the stream is used up").into())
        };
        let properties = ConnectionProperties::default().with_connection_name(LongString::from(name));
        let mut uri = endpoint.uri().clone();
        uri.query.frame_max = uri.query.frame_max.or(frame_max);
        let connecting = lapin::Connection::connector(uri, runtime, hand_over, properties);
        let limit = endpoint.timeout(HANDSHAKE_TIMEOUT);
        match tokio::time::timeout(limit, connecting).await {
            Ok(Ok(inner)) => Ok(Self { inner, socket, address: endpoint.to_string() }),
            Ok(Err(error)) => Err(trouble(endpoint, &error, tls).await),
            Err(_) => {
                // lapin would wait on, on a thread of its own.
                socket.shut_down();
                Err(Trouble::Absent(format!("no answer within {} ms", limit.as_millis())))
            }
        }
    }

    /// The address that it goes to, without the password.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Resolves with the reason when the connection is gone.
    pub fn failed(&self) -> impl Future<Output = String> + Send + 'static {
        let mut events = self.inner.events_listener();
        let status = self.inner.status().clone();
        async move {
            loop {
                match tokio::time::timeout(LOOK_AGAIN, events.next()).await {
                    // lapin tells the errors of channels here, too.
                    Ok(Some(Event::Error(error))) if is_of_channel(&error) && status.connected() => {}
                    Ok(Some(Event::Error(error))) => return plain(&error),
                    Ok(Some(Event::ConnectionBlocked(reason))) => {
                        tracing::warn!(reason, "the broker blocks publishing until its alarm is over");
                    }
                    Ok(Some(Event::ConnectionUnblocked)) => tracing::info!("the broker takes messages again"),
                    Ok(Some(_)) => {}
                    Err(_) if status.connected() => {}
                    // Also where it was lost before anybody listened.
                    Ok(None) | Err(_) => return "the connection is closed".to_owned(),
                }
            }
        }
    }

    /// The largest frame that was agreed on, in bytes.
    pub fn frame_max(&self) -> u32 {
        self.inner.configuration().frame_max()
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
        match tokio::time::timeout(CLOSE_TIMEOUT, closing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the connection was already gone"),
            Err(_) => self.socket.shut_down(),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// Why the broker did not take the connection.
async fn trouble(endpoint: &Endpoint, error: &lapin::Error, settings: &Tls) -> Trouble {
    match error.kind() {
        ErrorKind::ProtocolError(said) if REFUSED.contains(&said.get_id()) => {
            Trouble::Refused(said.get_message().to_string())
        }
        ErrorKind::ProtocolError(_) => Trouble::Absent(plain(error)),
        ErrorKind::IOError(io) => match tls::trouble(io, settings) {
            // With TLS 1.3, a broker that does not like our certificate says so only after the handshake.
            Some(trouble) => trouble,
            None => transport::not_amqp(endpoint, settings, plain(error)).await,
        },
        _ => transport::not_amqp(endpoint, settings, plain(error)).await,
    }
}

/// Whether the broker closes a channel for it, and not the connection.
fn is_of_channel(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said) if matches!(said.kind(), AMQPErrorKind::Soft(_)))
}

/// An error as an operator would say it.
fn plain(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::IOError(error) => error.to_string(),
        ErrorKind::ProtocolError(said) => said.get_message().to_string(),
        ErrorKind::ParsingError(_) => "what it says is not AMQP".to_owned(),
        ErrorKind::MissingHeartbeatError => "no heartbeat from the broker".to_owned(),
        _ => error.to_string(),
    }
}
