//! A network between host and broker that can fail: a TCP forwarder whose connections can be cut or frozen.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::broker::Vhost;

/// Forwards a port of this machine to the broker.
#[derive(Debug)]
pub(crate) struct Forwarder {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// Bytes that went towards the broker.
    bytes: AtomicU64,
    connections: AtomicU64,
    links: Mutex<Vec<Arc<Link>>>,
}

/// One forwarded connection.
#[derive(Debug)]
struct Link {
    ends: [TcpStream; 2],
    frozen: AtomicBool,
}

/// A port that nothing listens on, out of the range from which the system gives out ports of its own accord.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = u32::from(NEXT.fetch_add(1, Ordering::Relaxed)) + std::process::id() * 37;
        let port = 10_000 + u16::try_from(offset % 10_000).unwrap_or_default();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Forwarder {
    /// Listens on any free port.
    pub(crate) fn start() -> Self {
        Self::of(TcpListener::bind(("127.0.0.1", 0)).expect("a free port"))
    }

    /// Forwards what comes to this listener.
    pub(crate) fn of(listener: TcpListener) -> Self {
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        let accepting = thread::spawn(move || accept(&listener, &accepting));
        Self { port, shared, accepting: Some(accepting) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Bytes that went towards the broker so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// How many connections there have been so far.
    pub(crate) fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Cuts every connection there is; new ones are forwarded.
    pub(crate) fn cut(&self) {
        for link in self.take_links() {
            link.close();
        }
    }

    /// From now on nothing goes through the connections there are, and neither side is told; new ones are forwarded.
    pub(crate) fn freeze(&self) {
        for link in self.shared.links.lock().expect("a lock").iter() {
            link.frozen.store(true, Ordering::Relaxed);
        }
    }

    /// As `freeze`, but only the connection that was opened last: of a host, the one that consumes.
    pub(crate) fn freeze_last(&self) {
        let links = self.shared.links.lock().expect("a lock");
        links.last().expect("a connection").frozen.store(true, Ordering::Relaxed);
    }

    /// Cuts the connection that was opened last.
    pub(crate) fn cut_last(&self) {
        self.shared.links.lock().expect("a lock").pop().expect("a connection").close();
    }

    fn take_links(&self) -> Vec<Arc<Link>> {
        std::mem::take(&mut *self.shared.links.lock().expect("a lock"))
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port))); // wakes the acceptor
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
        self.cut();
    }
}

impl Link {
    fn close(&self) {
        for end in &self.ends {
            drop(end.shutdown(Shutdown::Both)); // it may be closed already
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for near in listener.incoming() {
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        let (Ok(near), Ok(far)) = (near, TcpStream::connect(Vhost::address())) else { continue };
        let copy = |end: &TcpStream| end.try_clone().expect("a socket");
        let link = Arc::new(Link { ends: [copy(&near), copy(&far)], frozen: AtomicBool::new(false) });
        shared.links.lock().expect("a lock").push(Arc::clone(&link));
        shared.connections.fetch_add(1, Ordering::Relaxed);
        for (from, to, counted) in [(copy(&near), copy(&far), true), (far, near, false)] {
            let (link, shared) = (Arc::clone(&link), Arc::clone(shared));
            // Ends with its connection, which ends with the forwarder.
            thread::spawn(move || {
                forward(from, to, &link, counted.then_some(&shared.bytes));
                link.close();
            });
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, link: &Link, bytes: Option<&AtomicU64>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if link.frozen.load(Ordering::Relaxed) {
            continue;
        }
        if to.write_all(&buffer[..read]).is_err() {
            return;
        }
        if let Some(bytes) = bytes {
            bytes.fetch_add(read as u64, Ordering::Relaxed);
        }
    }
}
