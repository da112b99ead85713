//! TLS for the tests: an authority that issues certificates, a port of the broker that speaks TLS with them, and one for
//! its management API (`Https`).

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::broker::{Vhost, management_url};
use super::forwarder::free_port;
use super::node::{ctl, shared_folder, try_ctl};
use super::{SOON, eventually};

/// An authority of the test's own.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key.
pub(crate) struct Certified {
    der: Vec<u8>,
    /// In PEM form.
    pub(crate) cert: String,
    /// In PEM form, PKCS#8.
    pub(crate) key: String,
}

impl Certified {
    /// The certificate as it is without PEM.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("an authority") }
    }

    /// Its certificate, in PEM form.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these hosts.
    pub(crate) fn issue(&self, hosts: &[&str]) -> Certified {
        self.issue_until(hosts, 2099)
    }

    /// A certificate for these hosts that is valid until the beginning of a year.
    pub(crate) fn issue_until(&self, hosts: &[&str], year: i32) -> Certified {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("parameters");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "warren-test");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        self.sign(&params)
    }

    /// A certificate for a client, by the name that is its user.
    pub(crate) fn issue_client(&self, name: &str) -> Certified {
        let mut params = CertificateParams::new([]).expect("parameters");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Certified {
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        Certified { der: cert.der().to_vec(), cert: cert.pem(), key: key.serialize_pem() }
    }
}

/// A port of the broker that speaks TLS; closed when dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    port: u16,
    /// What it reads for each connection.
    files: RefCell<TempDir>,
}

impl Listener {
    /// Opens a port with this certificate. With `clients`, it demands a certificate of that authority. None, with the
    /// reason printed: the broker under test is not one of the project's own, and cannot be told to.
    pub(crate) fn start(server: &Certified, clients: Option<&Authority>) -> Option<Self> {
        let Some(files) = shared_folder() else {
            eprintln!("skipped: the broker under test is not the project's own, and TLS is not set up on it");
            return None;
        };
        let listener = Self { port: free_port(), files: RefCell::new(files) };
        listener.open(server, clients);
        Some(listener)
    }

    /// Closes the port, and opens it again with another certificate, for clients of another authority.
    pub(crate) fn restart(&self, server: &Certified, clients: &Authority) {
        ctl(&["eval", &self.closing()]);
        // Under other names, because the broker remembers for a while what was in a file.
        self.files.replace(shared_folder().expect("the project's own broker"));
        self.open(server, Some(clients));
    }

    fn open(&self, server: &Certified, clients: Option<&Authority>) {
        let file = |name: &str, content: &str| {
            let path = self.files.borrow().path().join(name);
            std::fs::write(&path, content).expect("a new file");
            path.display().to_string()
        };
        let (cert, key) = (file("cert.pem", &server.cert), file("key.pem", &server.key));
        let mut options = format!("{{certfile, \"{cert}\"}}, {{keyfile, \"{key}\"}}");
        if let Some(clients) = clients {
            let trusted = file("clients.pem", &clients.pem());
            options += &format!(
                ", {{cacertfile, \"{trusted}\"}}, {{verify, verify_peer}}, {{fail_if_no_peer_cert, true}}"
            );
        }
        let port = self.port;
        let call =
            format!("rabbit_networking:start_ssl_listener({{\"127.0.0.1\", {port}, inet}}, [{options}], 1).");
        let said = ctl(&["eval", &call]).expect("the project's own broker");
        assert!(said.trim() == "ok", "no TLS port: {said}");
        eventually("the TLS port is open", SOON, || TcpStream::connect(("127.0.0.1", port)).ok());
    }

    fn closing(&self) -> String {
        format!("rabbit_networking:stop_tcp_listener({{{{127,0,0,1}}, {}, inet}}).", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a vhost by this port.
    pub(crate) fn url(&self, host: &str, vhost: &Vhost) -> String {
        vhost.url_by(self.port).replacen("amqp://", "amqps://", 1).replacen("127.0.0.1", host, 1)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A test that has failed has more to say than that this has failed, too.
        drop(try_ctl(&["eval", &self.closing()]));
    }
}

/// A port that speaks HTTPS, demands a client certificate, and hands each request on to the management API.
#[derive(Debug)]
pub(crate) struct Https {
    port: u16,
}

impl Https {
    /// Opens a port with this certificate, for clients of this authority. It stays open as long as the tests run.
    pub(crate) fn start(server: &Certified, clients: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(clients.issuer.der().clone()).expect("an authority");
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).expect("a key");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(vec![CertificateDer::from(server.der.clone())], key)
            .expect("a certificate");
        let config = Arc::new(config);
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let tls = ServerConnection::new(Arc::clone(&config)).expect("a connection");
                // Ends with its one request.
                thread::spawn(move || drop(hand_on(StreamOwned::new(tls, near))));
            }
        });
        Self { port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

fn hand_on(near: StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<()> {
    let address = management_url().rsplit('@').next().expect("an address");
    let mut far = TcpStream::connect(address)?;
    let mut near = BufReader::new(near);
    let mut line = String::new();
    while near.read_line(&mut line)? > 2 {
        far.write_all(line.as_bytes())?;
        line.clear();
    }
    far.write_all(b"connection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    far.read_to_end(&mut answer)?;
    let mut near = near.into_inner();
    near.write_all(&answer)?;
    near.conn.send_close_notify();
    near.flush()
}
