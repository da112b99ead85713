//! Where the broker is: one address, or several that serve the same vhost, and which of them is next.
//!
//! It remembers which one worked, so that the connections of one epoch go to the same node, and where to go on when that
//! one has failed. Whether to connect at all, and when again, is left to others.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri, SASLMechanism};

use super::Tls;

const HEARTBEAT_SECONDS: u16 = 10;
/// How many addresses there may be.
const ENDPOINTS_MAX: usize = 32;
/// How long the URL may let a step of connecting take, in milliseconds.
const TIMEOUT_MS_MAX: u64 = 300_000;
const SCHEMES: [&str; 2] = ["amqp://", "amqps://"];
const COMMA: &str = "a comma separates addresses, amqp://user:password@a:5672/vhost,amqp://user:password@b:5672/vhost, or hosts that share the rest, amqp://user:password@a:5672,b:5672/vhost; within a user, a password or a vhost it is written %2C";
const AT: &str = "there is an `@` behind the host: in a user or a password, `/` is written %2F, `?` is %3F, `#` is %23 and `@` is %40; in a vhost, `@` is %40";

/// Where the broker is: one address or several, which lead to the same vhost. Its text form hides passwords.
#[derive(Clone)]
pub struct Address {
    endpoints: Arc<[Endpoint]>,
    tls: Arc<Tls>,
    /// The endpoint to try first, counted round and round; all clones share it.
    next: Arc<AtomicUsize>,
}

/// One host and port, with the rest of its URL. Its text form hides the password.
#[derive(Clone)]
pub(super) struct Endpoint {
    uri: AMQPUri,
}

/// Why an endpoint could not be used.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is not there, or did not answer as a broker does.
    Absent(String),
    /// It is there and does not want us.
    Refused(String),
    /// It is there, and cannot show that it is the broker.
    Untrusted(String),
    /// We are not fit to connect, such as for a certificate of ours that cannot be read.
    Unfit(String),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The broker is there and does not want us, or we must not trust it. Of several, every one that is there.
    #[error("{said}")]
    Refused {
        /// Each address with its reason.
        said: String,
    },
    /// The broker is not there, or did not answer. Of several, none is there and would take us.
    #[error("{said}")]
    Unreachable {
        /// Each address with its reason.
        said: String,
    },
}

impl Address {
    /// Reads an AMQP URI such as `amqp://user:password@host:5672/vhost`, or several with commas. What is wrong is said
    /// without anything that may be a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut endpoints = Vec::new();
        for url in split(text) {
            endpoints.extend(parse_url(url.trim())?);
        }
        if endpoints.len() > ENDPOINTS_MAX {
            return Err(format!("it has {} addresses, and may have {ENDPOINTS_MAX}", endpoints.len()));
        }
        let vhost = |endpoint: &Endpoint| endpoint.uri.vhost.clone();
        let first = endpoints.first().map(vhost);
        if let Some(other) = endpoints.iter().map(vhost).find(|other| Some(other) != first.as_ref()) {
            let first = first.unwrap_or_default();
            return Err(format!(
                "its addresses name different vhosts, `{first}` and `{other}`: failing over from one to the other would leave messages behind"
            ));
        }
        // Hosts that start together do not all go to the same node.
        let next = Arc::new(AtomicUsize::new(fastrand::usize(..endpoints.len().max(1))));
        Ok(Self { endpoints: endpoints.into(), tls: Arc::default(), next })
    }

    /// With other settings for TLS.
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Arc::new(tls);
        self
    }

    /// Whether TLS is spoken with any of the addresses.
    pub fn is_tls(&self) -> bool {
        self.endpoints.iter().any(Endpoint::is_tls)
    }

    /// The vhost.
    pub fn vhost(&self) -> &str {
        self.endpoints.first().map_or("", |endpoint| &endpoint.uri.vhost)
    }

    /// The next connection is to another address than this one, if there is another: it failed, even though it can be
    /// connected to. Said by each connection to it, it counts once.
    pub fn fail_over(&self, failed: &str) {
        let next = self.next.load(Ordering::Relaxed);
        let endpoint = self.endpoints.get(next % self.endpoints.len().max(1));
        if endpoint.is_some_and(|endpoint| endpoint.to_string() == failed) {
            // If another has been faster, it has said the same.
            self.next.compare_exchange(next, next + 1, Ordering::Relaxed, Ordering::Relaxed).ok();
        }
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// `user:password`, of the first address.
    pub(super) fn credentials(&self) -> String {
        let userinfo = self.endpoints.first().map(|endpoint| &endpoint.uri.authority.userinfo);
        userinfo.map_or_else(String::new, |info| format!("{}:{}", info.username, info.password))
    }

    /// Every endpoint once, beginning with the one that worked last.
    pub(super) fn round(&self) -> Round<'_> {
        Round { address: self, first: self.next.load(Ordering::Relaxed), tried: 0, failures: Vec::new() }
    }
}

/// The endpoints, one after the other, until one works.
pub(super) struct Round<'a> {
    address: &'a Address,
    first: usize,
    tried: usize,
    failures: Vec<(usize, Trouble)>,
}

impl<'a> Round<'a> {
    /// The endpoint to try now; none if all were tried.
    pub(super) fn endpoint(&self) -> Option<&'a Endpoint> {
        let endpoints = &self.address.endpoints;
        (self.tried < endpoints.len()).then(|| &endpoints[self.index()])
    }

    /// The endpoint works: the next round begins with it.
    pub(super) fn succeeded(self) {
        self.address.next.store(self.index(), Ordering::Relaxed);
    }

    /// The endpoint does not work.
    pub(super) fn failed(&mut self, trouble: Trouble) {
        self.failures.push((self.index(), trouble));
        self.tried += 1;
    }

    fn index(&self) -> usize {
        (self.first + self.tried) % self.address.endpoints.len()
    }

    /// What became of all the endpoints, in the order in which they are given: two rounds that end alike say the same.
    pub(super) fn into_error(mut self) -> ConnectError {
        self.failures.sort_by_key(|(index, _)| *index);
        let absent = |trouble: &Trouble| matches!(trouble, Trouble::Absent(_) | Trouble::Unfit(_));
        let all_absent = self.failures.iter().all(|(_, trouble)| absent(trouble));
        let each = self.failures.iter().map(|(index, trouble)| trouble.of(&self.address.endpoints[*index]));
        let each = each.collect::<Vec<_>>().join("; ");
        let said = match self.failures.len() {
            1 => each,
            count => format!("none of the {count} addresses of the broker works: {each}"),
        };
        if all_absent { ConnectError::Unreachable { said } } else { ConnectError::Refused { said } }
    }
}

impl Trouble {
    /// Why, without where.
    pub(super) fn reason(&self) -> &str {
        let (Self::Absent(reason) | Self::Refused(reason) | Self::Untrusted(reason) | Self::Unfit(reason)) =
            self;
        reason
    }

    fn of(&self, endpoint: &Endpoint) -> String {
        match self {
            Self::Absent(reason) => format!("no broker at {endpoint}: {reason}"),
            Self::Refused(reason) => format!("the broker at {endpoint} refused: {reason}"),
            Self::Untrusted(reason) => format!("the broker at {endpoint} is not to be trusted: {reason}"),
            Self::Unfit(reason) => format!("cannot connect to {endpoint}: {reason}"),
        }
    }
}

impl Endpoint {
    fn parse(scheme: &str, user: &str, host: &str, rest: &str) -> Result<Self, String> {
        // lapin takes an IPv6 address for no host at all, and goes to localhost.
        let (ip, port) = match host.strip_prefix('[').map(|ip| ip.split_once(']')) {
            Some(Some((ip, port))) if Ipv6Addr::from_str(ip).is_ok() => (Some(ip), port),
            Some(_) => return Err(format!("`{host}` is not an IPv6 address in brackets")),
            None => (None, host),
        };
        let host = if ip.is_some() { format!("localhost{port}") } else { host.to_owned() };
        let mut uri = AMQPUri::from_str(&format!("{scheme}://{user}{host}{rest}"))?;
        if let Some(ip) = ip {
            ip.clone_into(&mut uri.authority.host);
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        if uri.query.connection_timeout.is_some_and(|ms| ms == 0 || ms > TIMEOUT_MS_MAX) {
            return Err(format!("`connection_timeout` is between 1 and {TIMEOUT_MS_MAX}, in milliseconds"));
        }
        Ok(Self { uri })
    }

    pub(super) fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    pub(super) fn is_tls(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }

    pub(super) fn host(&self) -> &str {
        &self.uri.authority.host
    }

    pub(super) fn port(&self) -> u16 {
        self.uri.authority.port
    }

    /// How long one step of connecting may take: what the URL says in `connection_timeout`, or else `usual`.
    pub(super) fn timeout(&self, usual: Duration) -> Duration {
        self.uri.query.connection_timeout.map_or(usual, Duration::from_millis)
    }
}

/// The URLs of a text: a comma before a scheme separates them.
fn split(text: &str) -> Vec<&str> {
    let starts_url = |rest: &str| SCHEMES.iter().any(|scheme| rest.trim_start().starts_with(scheme));
    let commas = text.match_indices(',').map(|(at, _)| at).filter(|at| starts_url(&text[at + 1..]));
    let mut urls = Vec::new();
    let mut start = 0;
    for comma in commas {
        urls.push(&text[start..comma]);
        start = comma + 1;
    }
    urls.push(&text[start..]);
    urls
}

/// The endpoints of one URL, of which there are as many as hosts.
fn parse_url(url: &str) -> Result<Vec<Endpoint>, String> {
    let (scheme, rest) = url.split_once("://").ok_or("it has no `://`")?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    if rest.contains('@') {
        return Err(AT.to_owned());
    }
    let several = hosts.contains(',');
    if user.contains(',')
        || rest.contains(',')
        || (several && hosts.split(',').any(|host| host.trim().is_empty()))
    {
        return Err(COMMA.to_owned());
    }
    hosts.split(',').map(|host| Endpoint::parse(scheme, user, host.trim(), rest)).collect()
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { scheme, authority, vhost, query } = &self.uri;
        write!(f, "{scheme}://")?;
        // Who comes with a certificate is not asked for a name.
        if query.auth_mechanism != Some(SASLMechanism::External) {
            write!(f, "{}@", authority.userinfo.username)?;
        }
        let (host, port) = (&authority.host, authority.port);
        if host.contains(':') {
            write!(f, "[{host}]")?
        } else {
            write!(f, "{host}")?
        }
        write!(f, ":{port}/{}", vhost.replace('/', "%2f"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{endpoint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
