//! The way to one broker before any AMQP is spoken: its name looked up, a TCP connection to one of its IP addresses, TLS.
//!
//! lapin could do this by itself, but knows no timeouts here, and always trusts the roots of the system. So it is handed
//! a stream that is open.

use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use async_compat::{Compat, CompatExt};
use futures_util::AsyncReadExt;
use lapin::tcp::{AsyncTcpStream, RustlsConnector};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::address::{Endpoint, Trouble};
use super::tls::{self, Tls};

/// How long a name may take to be looked up, and then each of its IP addresses to take the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take to agree on TLS.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a broker may take to say that it does not like our certificate.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// How many IP addresses of one name are tried.
const IPS_MAX: usize = 8;

pub(super) type Stream = AsyncTcpStream<Compat<TcpStream>>;

/// An open stream to a broker, and a hold on its socket for when whoever reads from it has to be stopped.
pub(super) struct Transport {
    pub(super) stream: Stream,
    pub(super) socket: Socket,
}

/// A socket that can be shut down while somebody else owns the stream.
pub(super) struct Socket(std::net::TcpStream);

impl Socket {
    /// Ends the connection at once. The thread of lapin's that waits for it sees that, and ends, too.
    pub(super) fn shut_down(&self) {
        drop(self.0.shutdown(Shutdown::Both)); // an error says that it is already down
    }
}

/// Opens a stream to a broker.
pub(super) async fn open(endpoint: &Endpoint, tls: &Tls) -> Result<Transport, Trouble> {
    let tcp = connect(endpoint).await.map_err(Trouble::Absent)?;
    let socket = tcp.as_fd().try_clone_to_owned();
    let socket = Socket(socket.map_err(|error| Trouble::Unfit(error.to_string()))?.into());
    let stream = AsyncTcpStream::Plain(tcp.compat());
    let stream = if endpoint.is_tls() { encrypt(endpoint, tls, stream).await? } else { stream };
    Ok(Transport { stream, socket })
}

async fn connect(endpoint: &Endpoint) -> Result<TcpStream, String> {
    connect_any(&look_up(endpoint).await?, endpoint.timeout(CONNECT_TIMEOUT)).await
}

/// A name can have several IP addresses, `localhost` one of each kind; the broker may listen on any.
async fn connect_any(ips: &[SocketAddr], limit: Duration) -> Result<TcpStream, String> {
    let mut reasons = Vec::new();
    for ip in ips {
        let reason = match timeout(limit, TcpStream::connect(ip)).await {
            Ok(Ok(stream)) => {
                // Acks are small, and must not wait for one another.
                stream.set_nodelay(true).map_err(|error| error.to_string())?;
                return Ok(stream);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no connection within {} ms", limit.as_millis()),
        };
        reasons.push((ip.ip(), reason));
    }
    Err(match reasons.as_slice() {
        [(_, reason)] => reason.clone(),
        all => all.iter().map(|(ip, reason)| format!("{ip}: {reason}")).collect::<Vec<_>>().join(", "),
    })
}

async fn look_up(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, String> {
    let (host, limit) = (endpoint.host(), endpoint.timeout(CONNECT_TIMEOUT));
    let found = match timeout(limit, lookup_host((host, endpoint.port()))).await {
        Ok(Ok(found)) => found.take(IPS_MAX).collect(),
        Ok(Err(error)) => return Err(format!("`{host}` cannot be looked up: {error}")),
        Err(_) => return Err(format!("`{host}` was not looked up within {} ms", limit.as_millis())),
    };
    if Vec::is_empty(&found) { Err(format!("`{host}` has no IP address")) } else { Ok(found) }
}

async fn encrypt(endpoint: &Endpoint, tls: &Tls, stream: Stream) -> Result<Stream, Trouble> {
    let config = tls.config().await.map_err(Trouble::Unfit)?;
    let connector = RustlsConnector::from(config);
    let limit = endpoint.timeout(TLS_TIMEOUT);
    match timeout(limit, stream.into_rustls(&connector, endpoint.host())).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => {
            Err(tls::trouble(&error, tls).unwrap_or_else(|| Trouble::Absent(error.to_string())))
        }
        Err(_) => Err(Trouble::Absent(format!("no TLS within {} ms", limit.as_millis()))),
    }
}

/// What is the matter with a broker that hung up at our greeting, or answered something that is not AMQP. If TLS is the
/// reason it says so before it hangs up, but our greeting crosses that, and what it said is often lost; so it is asked
/// again, without a greeting.
pub(super) async fn not_amqp(endpoint: &Endpoint, tls: &Tls, reason: String) -> Trouble {
    if endpoint.is_tls() {
        return late_refusal(endpoint, tls).await.unwrap_or(Trouble::Absent(reason));
    }
    let speaks_tls =
        "what answers there speaks TLS: use amqps://, or the port without TLS, which usually is 5672";
    Trouble::Absent(if speaks_tls_at(endpoint).await { speaks_tls.to_owned() } else { reason })
}

/// With TLS 1.3, a broker that does not like our certificate says so only when we take the handshake to be over.
async fn late_refusal(endpoint: &Endpoint, tls: &Tls) -> Option<Trouble> {
    let mut stream = match open(endpoint, tls).await {
        Ok(Transport { stream, .. }) => stream,
        Err(trouble @ (Trouble::Refused(_) | Trouble::Untrusted(_))) => return Some(trouble),
        Err(Trouble::Absent(_) | Trouble::Unfit(_)) => return None,
    };
    match timeout(REFUSAL_TIMEOUT, stream.read(&mut [0])).await {
        Ok(Err(error)) => tls::trouble(&error, tls),
        Ok(Ok(_)) | Err(_) => None,
    }
}

async fn speaks_tls_at(endpoint: &Endpoint) -> bool {
    let (Ok(tcp), Ok(config)) = (connect(endpoint).await, tls::config_that_trusts_nobody()) else {
        return false;
    };
    let (connector, plain) = (RustlsConnector::from(config), Stream::Plain(tcp.compat()));
    match timeout(endpoint.timeout(TLS_TIMEOUT), plain.into_rustls(&connector, endpoint.host())).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => tls::is_answer(&error),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_ip_address_of_a_name_is_tried() {
        // Closed again at once.
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap();
        let limit = Duration::from_secs(5);
        let stream = connect_any(&[dead, alive], limit).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
        let error = connect_any(&[dead, dead], limit).await.unwrap_err();
        assert_eq!(error.matches("127.0.0.1: Connection refused").count(), 2, "{error}");
    }
}
