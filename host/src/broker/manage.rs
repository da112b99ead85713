//! The broker through its management API: everything in a vhost, at a glance, without a change to it.
//!
//! Blocking; for commands, not for the host. Every answer has a time and a size that it may take.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use ureq::http::Uri;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

use crate::contract::Destination;
use crate::plan::observed::{Binding, ExchangeShape, Observed, Policy, Queue, QueueShape, Seen, Sight};
use crate::plan::{Version, encoded};

use super::tls::{self, Identity, Material};
use super::{Address, Tls};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one answer may take in all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How large one answer may be, in bytes; a queue needs about 500.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a queue is, by itself and now; with statistics, all of it would be some seconds old.
const QUEUES: &str = "disable_stats=true&enable_queue_totals=true&columns=name,type,durable,exclusive,auto_delete,arguments,messages";
/// What is known of a queue only with its statistics.
const STATISTICS: &str = "columns=name,consumers,policy,operator_policy,effective_policy_definition";

/// The management API of a broker, for one vhost.
pub struct Management {
    agent: ureq::Agent,
    /// With scheme, authority and path, without user and password, and without a slash at the end.
    base: String,
    /// `Authorization` header.
    authorization: String,
    vhost: String,
    /// To say what is wrong with it.
    tls: Tls,
}

/// Why the management API could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// It is not there, or did not answer as it should.
    #[error("the management API at {url} does not answer: {reason}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It is there and does not want us.
    #[error("the management API at {url} refused: {status} for `{path}`")]
    Refused {
        /// Where it is.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        path: String,
    },
    /// The URL is none, or not one for this.
    #[error("it is not a URL such as http://host:15672")]
    NotAUrl,
    /// A file for TLS cannot be used.
    #[error("{0}")]
    Tls(String),
}

impl Management {
    /// The management API at `url` (`http[s]://[user:password@]host[:port][/path]`), for the vhost of `address`, with its
    /// user, password and settings for TLS where the URL has none. Does not connect.
    pub fn at(url: &str, address: &Address) -> Result<Self, ManagementError> {
        let (scheme, rest) = url.split_once("://").ok_or(ManagementError::NotAUrl)?;
        let (authority, path) =
            rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
        let (credentials, host) = match authority.rsplit_once('@') {
            Some((credentials, host)) => (decoded(credentials), host),
            None => (address.credentials(), authority),
        };
        let base = format!("{scheme}://{host}/{path}");
        let uri: Uri = base.parse().map_err(|_| ManagementError::NotAUrl)?;
        let fits = matches!(scheme, "http" | "https") && uri.query().is_none();
        if !fits || uri.host().is_none() || host.is_empty() {
            return Err(ManagementError::NotAUrl);
        }
        Ok(Self {
            agent: if scheme == "https" { https_agent(address.tls())? } else { config().build().into() },
            base: base.trim_end_matches('/').to_owned(),
            authorization: format!("Basic {}", BASE64_STANDARD.encode(credentials)),
            vhost: address.vhost().to_owned(),
            tls: address.tls().clone(),
        })
    }

    /// Everything in the vhost.
    pub fn observe(&self) -> Result<Observed, ManagementError> {
        let mut observed = Observed::nothing(Sight::Management);
        observed.version = self.version()?;
        for exchange in
            self.list::<ExchangeRow>("exchanges", "columns=name,type,durable,auto_delete,internal,arguments")?
        {
            let ExchangeRow { name, kind, durable, auto_delete, internal, arguments } = exchange;
            let shape = ExchangeShape { kind, durable, auto_delete, internal, arguments };
            observed.exchanges.insert(name, Seen::Whole(shape));
        }
        for queue in self.list::<QueueRow>("queues", QUEUES)? {
            let QueueRow { name, kind, durable, exclusive, auto_delete, arguments, messages } = queue;
            let exclusive = exclusive.unwrap_or(false); // null for queues that never are
            let shape = Seen::Whole(QueueShape { kind, durable, exclusive, auto_delete, arguments });
            observed.queues.insert(name, Queue { shape, messages, consumers: None, policy: None });
        }
        for row in self.list::<StatisticsRow>("queues", STATISTICS)? {
            if let Some(queue) = observed.queues.get_mut(&row.name) {
                queue.consumers = row.consumers;
                queue.policy = row.policy();
            }
        }
        let bindings = self.list::<BindingRow>("bindings", "")?;
        let named = bindings.into_iter().filter(|binding| !binding.source.is_empty());
        observed.bindings = Some(named.map(BindingRow::into).collect());
        Ok(observed)
    }

    /// The broker's version.
    pub fn version(&self) -> Result<Option<Version>, ManagementError> {
        let overview: Overview = self.get("/api/overview?columns=rabbitmq_version")?;
        Ok(overview.rabbitmq_version.as_deref().and_then(Version::parse))
    }

    /// How many messages a queue holds, those that wait to be dead-lettered among them. It can be some seconds old. None
    /// if there is no such queue, or the broker does not say.
    pub fn messages(&self, queue: &str) -> Result<Option<u64>, ManagementError> {
        let queues = self.list::<QueueRow>("queues", QUEUES)?;
        Ok(queues.into_iter().find(|row| row.name == queue).and_then(|row| row.messages))
    }

    fn list<T: DeserializeOwned>(&self, what: &str, query: &str) -> Result<Vec<T>, ManagementError> {
        self.get(&format!("/api/{what}/{}?{query}", encoded(&self.vhost)))
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ManagementError> {
        let unreachable = |reason: String| ManagementError::Unreachable { url: self.base.clone(), reason };
        let request = self.agent.get(format!("{}{path}", self.base));
        let answer = request.header("authorization", &self.authorization).call();
        let mut answer = answer.map_err(|error| unreachable(self.reason(&error)))?;
        let status = answer.status().as_u16();
        if status != 200 {
            let path = path.split('?').next().unwrap_or_default().to_owned();
            return Err(ManagementError::Refused { url: self.base.clone(), status, path });
        }
        let mut body = Vec::new();
        let mut reader = answer.body_mut().as_reader().take(ANSWER_BYTES_MAX + 1);
        reader.read_to_end(&mut body).map_err(|error| unreachable(error.to_string()))?;
        if body.len() as u64 > ANSWER_BYTES_MAX {
            return Err(unreachable(format!("its answer has more than {ANSWER_BYTES_MAX} bytes")));
        }
        serde_json::from_slice(&body)
            .map_err(|error| unreachable(format!("its answer is not what RabbitMQ says: {error}")))
    }

    fn reason(&self, error: &ureq::Error) -> String {
        let trouble = match error {
            ureq::Error::Rustls(error) => Some(tls::explain(error, &self.tls)),
            ureq::Error::Io(error) => tls::trouble(error, &self.tls),
            _ => None,
        };
        trouble.map_or_else(|| error.to_string(), |trouble| trouble.reason().to_owned())
    }
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Management")
            .field("base", &self.base)
            .field("vhost", &self.vhost)
            .finish_non_exhaustive()
    }
}

type Config = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

fn config() -> Config {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0) // the header with the password goes nowhere else
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(ANSWER_TIMEOUT))
}

/// Trusts and shows what the AMQP connections do.
fn https_agent(settings: &Tls) -> Result<ureq::Agent, ManagementError> {
    let Material { roots, identity } = settings.read().map_err(ManagementError::Tls)?;
    let owned = |der: &rustls::pki_types::CertificateDer<'_>| Certificate::from_der(der).to_owned();
    let mut client = None;
    if let Some(Identity { chain, key_pem, .. }) = identity {
        let key = PrivateKey::from_pem(&key_pem).map_err(|error| ManagementError::Tls(error.to_string()))?;
        let chain: Vec<_> = chain.iter().map(owned).collect();
        client = Some(ClientCert::new_with_certs(&chain, key));
    }
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(tls::provider())
        .root_certs(RootCerts::from(roots.iter().map(owned)))
        .client_cert(client);
    Ok(config().tls_config(tls.build()).build().into())
}

#[derive(Deserialize)]
struct Overview {
    rabbitmq_version: Option<String>,
}

#[derive(Deserialize)]
struct ExchangeRow {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    #[serde(default)]
    arguments: Map<String, Value>,
}

#[derive(Deserialize)]
struct QueueRow {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    durable: bool,
    exclusive: Option<bool>,
    auto_delete: bool,
    #[serde(default)]
    arguments: Map<String, Value>,
    messages: Option<u64>,
}

#[derive(Deserialize)]
struct StatisticsRow {
    name: String,
    consumers: Option<u64>,
    policy: Option<String>,
    operator_policy: Option<String>,
    effective_policy_definition: Option<Value>,
}

#[derive(Deserialize)]
struct BindingRow {
    source: String,
    destination: String,
    destination_type: String,
    routing_key: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}

impl StatisticsRow {
    fn policy(self) -> Option<Policy> {
        let policy = self.policy.filter(|name| !name.is_empty()).map(|name| format!("the policy `{name}`"));
        let operator = self
            .operator_policy
            .filter(|name| !name.is_empty())
            .map(|name| format!("the operator policy `{name}`"));
        let name = policy.into_iter().chain(operator).collect::<Vec<_>>().join(" or ");
        match self.effective_policy_definition {
            // An empty one is an array to some versions.
            Some(Value::Object(definition)) if !definition.is_empty() => Some(Policy { name, definition }),
            _ => None,
        }
    }
}

impl From<BindingRow> for Binding {
    fn from(row: BindingRow) -> Self {
        let BindingRow { source, destination, destination_type, routing_key, arguments } = row;
        let destination = match destination_type.as_str() {
            "exchange" => Destination::Exchange(destination),
            _ => Destination::Queue(destination),
        };
        Self { exchange: source, destination, routing_key, arguments }
    }
}

/// `%41` -> `A`, in the user and password of a URL.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_as_a_url_writes_them() {
        assert_eq!(decoded("us%40er:p%2Fw%"), "us@er:p/w%");
    }

    #[test]
    fn the_password_is_not_shown() {
        let address = Address::parse("amqp://user:secret@host/vhost").unwrap();
        for url in ["http://host:15672", "https://other:secret@host:15671/prefix/"] {
            let management = Management::at(url, &address).unwrap();
            assert!(!format!("{management:?}").contains("secret"), "{management:?}");
            assert!(!management.base.contains('@') && !management.base.ends_with('/'));
        }
        for url in ["host:15672", "ftp://host", "http://", "http://host/?a=b", "http://a b"] {
            assert!(matches!(Management::at(url, &address), Err(ManagementError::NotAUrl)), "{url}");
        }
    }
}
