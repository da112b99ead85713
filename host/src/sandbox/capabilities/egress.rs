//! Connections to granted origins: each name is looked up here, each address is checked here, and the address that was
//! checked is the one that is connected to. So a name that is listed cannot be made to lead to what listens on this
//! machine or in its private network, also not by an answer of a name server that changes between two looks.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::contract::{HttpGrant, private_kind};

/// How long it may take to look a name up and to connect, in all.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many addresses of a name are tried.
const ADDRESSES_MAX: usize = 8;
/// The least time for one address.
const ADDRESS_TIMEOUT_MIN: Duration = Duration::from_secs(2);
/// How many names are looked up at the same time: each look keeps a thread.
const LOOKUPS_MAX: usize = 8;

static LOOKUPS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(LOOKUPS_MAX));

/// Connects to the origins of one handler.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    grants: Arc<[HttpGrant]>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConnection {
    #[error("the contract does not list it")]
    NotGranted,
    #[error("its address {address} is {kind}; if that is meant, say `allowPrivate: true` beside its origin")]
    Private { address: SocketAddr, kind: &'static str },
    #[error("its name cannot be looked up: {0}")]
    Lookup(io::Error),
    #[error("its name has no address")]
    NoAddress,
    #[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout,
    #[error("no connection to {address}: {error}")]
    Connect { address: SocketAddr, error: io::Error },
}

impl Connector {
    pub(super) fn new(grants: Arc<[HttpGrant]>) -> Self {
        Self { grants }
    }

    /// The grant for where a request goes, if there is one.
    pub(super) fn grant_for(&self, uri: &Uri) -> Option<&HttpGrant> {
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return None,
        };
        let authority = uri.authority()?.as_str();
        self.grants.iter().find(|grant| grant.origin.is_for(is_tls, authority))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoConnection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let grant = self.grant_for(&uri).cloned();
        Box::pin(async move {
            let grant = grant.ok_or(NoConnection::NotGranted)?;
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, connect(&grant)).await;
            connected.unwrap_or(Err(NoConnection::Timeout)).map(TokioIo::new)
        })
    }
}

async fn connect(grant: &HttpGrant) -> Result<TcpStream, NoConnection> {
    let found = addresses(grant).await?;
    let allowed = allowed(grant.allow_private, found)?;
    let share = CONNECT_TIMEOUT / u32::try_from(allowed.len()).unwrap_or(u32::MAX);
    let mut failed = NoConnection::NoAddress;
    for address in allowed {
        let connecting = TcpStream::connect(address);
        match tokio::time::timeout(share.max(ADDRESS_TIMEOUT_MIN), connecting).await {
            Ok(Ok(stream)) => {
                // Requests are small, and somebody waits for each.
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            Ok(Err(error)) => failed = NoConnection::Connect { address, error },
            Err(_) => failed = NoConnection::Timeout,
        }
    }
    Err(failed)
}

async fn addresses(grant: &HttpGrant) -> Result<Vec<SocketAddr>, NoConnection> {
    let origin = &grant.origin;
    if let Some(address) = origin.address() {
        return Ok(vec![SocketAddr::new(address, origin.port)]);
    }
    let _permit = LOOKUPS.acquire().await.map_err(|error| NoConnection::Lookup(io::Error::other(error)))?;
    let found = tokio::net::lookup_host((origin.host.as_str(), origin.port)).await;
    Ok(found.map_err(NoConnection::Lookup)?.collect())
}

/// Those of the addresses that may be connected to. A name that has none but private ones is refused.
fn allowed(allow_private: bool, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, NoConnection> {
    let mut refused = None;
    let mut allowed = Vec::new();
    for address in found {
        match private_kind(address.ip()) {
            Some(kind) if !allow_private => refused = Some(NoConnection::Private { address, kind }),
            Some(_) | None if allowed.len() < ADDRESSES_MAX => allowed.push(address),
            Some(_) | None => {}
        }
    }
    if allowed.is_empty() { Err(refused.unwrap_or(NoConnection::NoAddress)) } else { Ok(allowed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Origin;

    fn grant(origin: &str, allow_private: bool) -> HttpGrant {
        HttpGrant { origin: Origin::parse(origin).unwrap(), allow_private }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn a_request_is_granted_by_scheme_host_and_port() {
        let connector = Connector::new(vec![grant("https://api.example.com", false)].into());
        let granted = |uri: &str| connector.grant_for(&uri.parse().unwrap()).is_some();
        assert!(granted("https://api.example.com/path?query"));
        assert!(granted("https://API.example.com:443/"));
        for refused in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://api.example.com./",
            "https://user:password@api.example.com/",
            "https://api.example.com@evil.example/",
            "https://evil.example/api.example.com",
            "/api.example.com",
        ] {
            assert!(!granted(refused), "{refused}");
        }
    }

    #[test]
    fn a_name_that_leads_to_private_addresses_is_not_connected_to() {
        // A listener, so that what is refused is not refused by nobody being there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime().block_on(async {
            for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
                let refused = connect(&grant(&format!("http://{host}:{port}"), false)).await;
                assert!(matches!(refused, Err(NoConnection::Private { .. })), "{host}: {refused:?}");
            }
            for host in ["localhost", "127.0.0.1"] {
                assert!(connect(&grant(&format!("http://{host}:{port}"), true)).await.is_ok(), "{host}");
            }
        });
    }

    #[test]
    fn private_addresses_beside_public_ones_are_left_out() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let found = vec![address("10.0.0.1:443"), address("1.1.1.1:443"), address("[::1]:443")];
        assert_eq!(allowed(false, found.clone()).unwrap(), [address("1.1.1.1:443")]);
        assert_eq!(allowed(true, found.clone()).unwrap(), found);
        assert!(matches!(allowed(false, Vec::new()), Err(NoConnection::NoAddress)));
        assert_eq!(allowed(true, vec![address("1.1.1.1:443"); 100]).unwrap().len(), ADDRESSES_MAX);
    }
}
