//! Between a side and the broker: a TCP proxy that lets everything through and takes the time from each delivery to its
//! ack.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::frames::{Frames, Seen};

/// The most read at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// What went by.
#[derive(Debug, Default)]
struct Watch {
    /// Messages in hand, by connection, channel and tag: since when.
    open: BTreeMap<(u64, u16, u64), Instant>,
    /// When each was acked, and how long it was in hand.
    acked: Vec<(Instant, Duration)>,
}

/// A port that leads to the broker.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    watch: Arc<Mutex<Watch>>,
    /// Ended when this is dropped.
    _accepting: JoinSet<()>,
}

impl Proxy {
    /// Listens on any free port and forwards to `target`, host and port.
    pub(crate) async fn start(target: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port for the proxy")?;
        let (address, watch) = (listener.local_addr()?, Arc::<Mutex<Watch>>::default());
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, target.to_owned(), Arc::clone(&watch)));
        Ok(Self { address, watch, _accepting: accepting })
    }

    /// An AMQP URL through this proxy.
    pub(crate) fn url(&self, url: &str, target: &str) -> String {
        url.replace(target, &self.address.to_string())
    }

    /// When the first message was acked.
    pub(crate) fn first_ack(&self) -> Option<Instant> {
        lock(&self.watch).acked.first().map(|(at, _)| *at)
    }

    /// How long each message was in hand that was acked between two times.
    pub(crate) fn latencies(&self, from: Instant, to: Instant) -> Vec<Duration> {
        let watch = lock(&self.watch);
        watch.acked.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, latency)| *latency).collect()
    }
}

fn lock(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, target: String, watch: Arc<Mutex<Watch>>) {
    let mut links = JoinSet::new();
    for connection in 0.. {
        let Ok((near, _)) = listener.accept().await else { return };
        let (target, watch) = (target.clone(), Arc::clone(&watch));
        links.spawn(async move {
            if let Ok(far) = TcpStream::connect(&target).await {
                forward(connection, near, far, &watch).await;
            }
        });
    }
}

async fn forward(connection: u64, near: TcpStream, far: TcpStream, watch: &Mutex<Watch>) {
    near.set_nodelay(true).ok();
    far.set_nodelay(true).ok();
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    // A client's first 8 bytes are no frame.
    let up = pump(connection, Frames::after(8), near_in, far_out, watch);
    let down = pump(connection, Frames::after(0), far_in, near_out, watch);
    tokio::join!(up, down);
}

async fn pump(
    connection: u64,
    mut frames: Frames,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    watch: &Mutex<Watch>,
) {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        {
            let (mut watch, now) = (lock(watch), Instant::now());
            frames.pass(&buffer[..read], |seen| watch.see(connection, seen, now));
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

impl Watch {
    fn see(&mut self, connection: u64, seen: Seen, now: Instant) {
        match seen {
            Seen::Deliver { channel, tag } => {
                self.open.insert((connection, channel, tag), now);
            }
            Seen::Ack { channel, tag, multiple } => {
                let first = if multiple { 0 } else { tag };
                let range = (connection, channel, first)..=(connection, channel, tag);
                let done: Vec<_> = self.open.range(range).map(|(key, since)| (*key, *since)).collect();
                for (key, since) in done {
                    self.open.remove(&key);
                    self.acked.push((now, now - since));
                }
            }
        }
    }
}
