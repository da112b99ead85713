//! TLS as the operator sets it up: which certificates to trust, which to show, and what is wrong with either, in words.
//!
//! The files are read for every connection, so that a certificate that was replaced is used without a restart.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ConfigBuilder, InconsistentKeys, InvalidMessage,
    RootCertStore,
};

use super::address::Trouble;

/// How large a file may be, in bytes; the roots of a whole system have 250,000.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// What to trust and what to show when TLS is spoken; by default, to trust what the system trusts and to show nothing.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// PEM file with the certificates to trust in place of the system's.
    ca: Option<PathBuf>,
    /// PEM files with the client certificate, followed by what leads to its issuer, and with its key.
    identity: Option<(PathBuf, PathBuf)>,
}

/// What the files hold.
pub(super) struct Material {
    pub(super) roots: Vec<CertificateDer<'static>>,
    pub(super) identity: Option<Identity>,
}

/// A client certificate.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    pub(super) key_pem: Vec<u8>,
}

/// The cryptography of all TLS that is spoken here.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn builder(roots: RootCertStore) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider());
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots))
}

/// To ask whether TLS is spoken, and for nothing else.
pub(super) fn config_that_trusts_nobody() -> Result<ClientConfig, rustls::Error> {
    Ok(builder(RootCertStore::empty())?.with_no_client_auth())
}

/// Whether an error says that the other side does speak TLS.
pub(super) fn is_answer(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(error, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_)))
}

impl Tls {
    /// Reads the files of these settings once, to see that they will do: `ca` is trusted in place of the system's roots,
    /// `cert` and `key` are shown to a broker that asks. The error names the file, and what to do about it.
    pub fn new(ca: Option<PathBuf>, cert: Option<PathBuf>, key: Option<PathBuf>) -> Result<Self, String> {
        let identity = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => {
                return Err("there is a --tls-cert without its key: give --tls-key as well".to_owned());
            }
            (None, Some(_)) => {
                return Err(
                    "there is a --tls-key without its certificate: give --tls-cert as well".to_owned()
                );
            }
        };
        let tls = Self { ca, identity };
        if !tls.is_default() {
            tls.client()?;
        }
        Ok(tls)
    }

    /// Whether nothing is set.
    pub fn is_default(&self) -> bool {
        self.ca.is_none() && self.identity.is_none()
    }

    /// The configuration for a connection that is made now.
    pub(super) async fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let tls = self.clone();
        let read = tokio::task::spawn_blocking(move || tls.client()).await;
        read.map_err(|panic| panic.to_string())?.map(Arc::new)
    }

    fn client(&self) -> Result<ClientConfig, String> {
        let Material { roots, identity } = self.read()?;
        let mut store = RootCertStore::empty();
        let (trusted, _) = store.add_parsable_certificates(roots);
        if trusted == 0 {
            return Err(match &self.ca {
                Some(ca) => format!("`{}` of --tls-ca holds no certificate that can be read", ca.display()),
                None => "this system trusts nobody: install its package of CA certificates, or give the issuer of the broker's certificate with --tls-ca".to_owned(),
            });
        }
        let builder = builder(store).map_err(|error| error.to_string())?;
        let Some(Identity { chain, key, .. }) = identity else { return Ok(builder.with_no_client_auth()) };
        builder.with_client_auth_cert(chain, key).map_err(|error| self.unfit_identity(&error))
    }

    fn unfit_identity(&self, error: &rustls::Error) -> String {
        let (cert, key) = self.identity_names();
        match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
                "the key in {key} of --tls-key is not that of the first certificate in {cert} of --tls-cert: give the pair, with the client's own certificate before those of its issuers"
            ),
            rustls::Error::InvalidCertificate(error) => {
                format!("the first certificate in {cert} of --tls-cert cannot be used: {}", kind(error))
            }
            _ => format!("the key in {key} of --tls-key cannot be used: {error}"),
        }
    }

    fn identity_names(&self) -> (String, String) {
        let name = |path: &PathBuf| format!("`{}`", path.display());
        self.identity.as_ref().map(|(cert, key)| (name(cert), name(key))).unwrap_or_default()
    }

    /// Reads everything that is set, or what the system trusts.
    pub(super) fn read(&self) -> Result<Material, String> {
        let roots = match &self.ca {
            Some(ca) => certificates("--tls-ca", ca)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let identity = match &self.identity {
            Some((cert, key)) => {
                let chain = certificates("--tls-cert", cert)?;
                let key_pem = read_file("--tls-key", key)?;
                let key = private_key(&key_pem, key)?;
                Some(Identity { chain, key, key_pem })
            }
            None => None,
        };
        Ok(Material { roots, identity })
    }

    /// What the broker does not like, when it says so.
    fn refusal(&self, alert: AlertDescription) -> String {
        let (cert, _) = self.identity_names();
        let why = match alert {
            AlertDescription::ProtocolVersion => return "it speaks neither TLS 1.2 nor 1.3".to_owned(),
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::HandshakeFailure
                if self.identity.is_none() =>
            {
                return "it wants a client certificate: give one with --tls-cert and --tls-key".to_owned();
            }
            AlertDescription::UnknownCA => "it does not trust its issuer",
            AlertDescription::CertificateExpired => "it has expired, or is not valid yet",
            AlertDescription::CertificateRevoked => "it is revoked",
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::AccessDenied => "why is in the broker's log",
            other => {
                return format!("it ended the TLS handshake with `{other:?}`; why is in the broker's log");
            }
        };
        match cert.as_str() {
            "" => format!("it ended the TLS handshake with `{alert:?}`; why is in the broker's log"),
            cert => format!("it does not accept the client certificate in {cert} of --tls-cert: {why}"),
        }
    }

    /// What is wrong with the broker's certificate.
    fn distrust(&self, error: &CertificateError) -> String {
        let ago =
            |from: UnixTime, to: UnixTime| match from.as_secs().saturating_sub(to.as_secs()) / DAY_SECONDS {
                0 => "less than a day".to_owned(),
                days => format!("{days} days"),
            };
        match error {
            CertificateError::UnknownIssuer => match &self.ca {
                Some(ca) => {
                    format!("its certificate is not from an issuer in `{}` of --tls-ca", ca.display())
                }
                None => "its certificate is not from an issuer that this system trusts: give the issuer's certificate with --tls-ca".to_owned(),
            },
            CertificateError::Expired => "its certificate has expired".to_owned(),
            CertificateError::ExpiredContext { time, not_after } => {
                format!("its certificate expired {} ago", ago(*time, *not_after))
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet, or the clock of this machine is slow".to_owned()
            }
            CertificateError::NotValidForName => "its certificate is for another host".to_owned(),
            CertificateError::NotValidForNameContext { expected, presented } => {
                let presented = match presented.as_slice() {
                    [] => "no host (its common name does not count, only `subjectAltName` does)".to_owned(),
                    names => names.iter().map(|name| bare(name)).collect::<Vec<_>>().join(", "),
                };
                format!("its certificate is not for `{}` but for {presented}", expected.to_str())
            }
            other => format!("its certificate is no good: {}", kind(other)),
        }
    }
}

/// What kind of certificate it is that cannot be used at all.
fn kind(error: &CertificateError) -> String {
    let CertificateError::Other(other) = error else { return error.to_string() };
    match other.0.to_string().as_str() {
        "UnsupportedCertVersion" => "it is of X.509 version 1, and has to be of version 3: issue it with an extension, such as `subjectAltName`".to_owned(),
        "CaUsedAsEndEntity" => "it is an authority's own: let the authority issue one with `CA:FALSE`".to_owned(),
        other => other.to_owned(),
    }
}

/// rustls writes a name as `DnsName("a.example")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

/// What an error of a TLS connection means; none if it is none of TLS.
pub(super) fn trouble(error: &io::Error, tls: &Tls) -> Option<Trouble> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(explain(error, tls))
}

/// What an error of TLS means.
pub(super) fn explain(error: &rustls::Error, tls: &Tls) -> Trouble {
    match error {
        rustls::Error::InvalidCertificate(error) => Trouble::Untrusted(tls.distrust(error)),
        rustls::Error::AlertReceived(alert) => Trouble::Refused(tls.refusal(*alert)),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Trouble::Absent(
            "what answers there does not speak TLS: use the port for TLS, which usually is 5671, or amqp://"
                .to_owned(),
        ),
        other => Trouble::Absent(other.to_string()),
    }
}

fn read_file(option: &str, path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("`{}` of {option} cannot be read: {error}", path.display());
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("`{}` of {option} has more than {FILE_BYTES_MAX} bytes", path.display()));
    }
    Ok(bytes)
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read_file(option, path)?;
    let file = path.display();
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let read = read.map_err(|error| format!("`{file}` of {option} is not PEM: {error}"))?;
    if !read.is_empty() {
        return Ok(read);
    }
    Err(match holds(&pem) {
        Holds::Der => format!(
            "`{file}` of {option} is not PEM but DER: convert it with `openssl x509 -inform der -in {file}`"
        ),
        Holds::Key => format!("`{file}` of {option} holds a key and no certificate"),
        Holds::Nothing | Holds::EncryptedKey | Holds::Certificate => {
            format!(
                "`{file}` of {option} holds no certificate: give a PEM file, with `-----BEGIN CERTIFICATE-----` in it"
            )
        }
    })
}

fn private_key(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let file = path.display();
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match (error, holds(pem)) {
        (_, Holds::EncryptedKey) => format!("the key in `{file}` of --tls-key has a passphrase, and cannot be read: write it without one with `openssl pkey -in {file}`"),
        (_, Holds::Der) => format!("`{file}` of --tls-key is not PEM but DER: convert it with `openssl pkey -inform der -in {file}`"),
        (_, Holds::Certificate) => format!("`{file}` of --tls-key holds a certificate and no key"),
        (rustls::pki_types::pem::Error::NoItemsFound, _) => format!("`{file}` of --tls-key holds no key: give a PEM file, with `-----BEGIN PRIVATE KEY-----` in it"),
        (error, _) => format!("`{file}` of --tls-key is not PEM: {error}"),
    })
}

/// What a file seems to hold that is not what it should.
enum Holds {
    Nothing,
    Der,
    EncryptedKey,
    Key,
    Certificate,
}

fn holds(bytes: &[u8]) -> Holds {
    let text = String::from_utf8_lossy(bytes);
    let begins = |what: &str| text.lines().any(|line| line.starts_with("-----BEGIN") && line.contains(what));
    match bytes.first() {
        Some(0x30) => Holds::Der, // a sequence, which certificates and keys are
        _ if begins("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") => {
            Holds::EncryptedKey
        }
        _ if begins("PRIVATE KEY") => Holds::Key,
        _ if begins("CERTIFICATE") => Holds::Certificate,
        _ => Holds::Nothing,
    }
}
