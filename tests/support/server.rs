//! A server that handlers send requests to: it answers by path, and remembers what it was asked.
//!
//! `/moved?URL` redirects, `/echo` answers with the request, `/big/BYTES`, `/heads/BYTES` are large, `/upgrade` switches
//! protocols, `/cut` breaks off, `/never` does not answer; everything else is `ok`.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::tls::Certified;

/// A server; it lives as long as the tests run.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Seen {
    fn remember(&self, request: String) {
        self.requests.lock().expect("no panic").push(request);
    }
}

impl Server {
    /// Serves plain HTTP.
    pub(crate) fn start() -> Self {
        Self::serve(|stream, seen| drop(talk(stream, seen)))
    }

    /// Serves HTTPS with this certificate.
    pub(crate) fn start_tls(certified: &Certified) -> Self {
        let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(certified.der().to_vec())], key)
            .expect("a certificate");
        let config = Arc::new(config);
        Self::serve(move |stream, seen| {
            let tls = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            drop(talk(StreamOwned::new(tls, stream), seen));
        })
    }

    fn serve(each: impl Fn(TcpStream, &Seen) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (seen, each) = (Arc::new(Seen::default()), Arc::new(each));
        let told = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                told.connections.fetch_add(1, Ordering::Relaxed);
                let (each, told) = (Arc::clone(&each), Arc::clone(&told));
                thread::spawn(move || each(stream, &told));
            }
        });
        Self { port, seen }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// What was asked for: method, path and host.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().expect("no panic").clone()
    }
}

fn talk(stream: impl Read + Write, seen: &Seen) -> Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut line) = (String::new(), String::new());
        while stream.read_line(&mut line)? > 2 {
            head += &line;
            line.clear();
        }
        if head.is_empty() {
            return Ok(());
        }
        let header = |name: &str| {
            let found = head.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            });
            found.unwrap_or_default()
        };
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        stream.read_exact(&mut body)?;
        let asked = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
        seen.remember(format!("{asked} {}", header("host")));
        let path = asked.split_once(' ').map_or("", |(_, path)| path);
        answer(stream.get_mut(), path, &head, &body)?;
    }
}

fn answer(stream: &mut impl Write, path: &str, head: &str, body: &[u8]) -> Result<()> {
    let number = |prefix: &str| path.strip_prefix(prefix).and_then(|number| number.parse::<usize>().ok());
    let mut ok = |more: &str, body: &[u8]| {
        write!(stream, "HTTP/1.1 200 OK\r\n{more}content-length: {}\r\n\r\n", body.len())?;
        stream.write_all(body)?;
        stream.flush()
    };
    if let Some(url) = path.strip_prefix("/moved?") {
        write!(stream, "HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n")?;
    } else if path == "/echo" {
        ok("", &[head.as_bytes(), b"\n", body].concat())?;
    } else if let Some(bytes) = number("/big/") {
        ok("", &vec![b'x'; bytes])?;
    } else if let Some(bytes) = number("/heads/") {
        ok(&format!("x-large: {}\r\n", "x".repeat(bytes)), b"ok")?;
    } else if path == "/upgrade" {
        write!(stream, "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")?;
    } else if path == "/cut" {
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this")?;
        stream.flush()?;
        return Err(std::io::ErrorKind::ConnectionAborted.into());
    } else if path == "/never" {
        loop {
            thread::park();
        }
    } else {
        ok("", b"ok")?;
    }
    stream.flush()
}
