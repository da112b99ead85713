//! The network between host and broker, with weather: a TCP proxy whose connections can be reset, cut in the middle of a
//! frame, frozen, slowed down, sliced, or refused.
//!
//! Frozen is what a network that drops everything looks like from above TCP: nothing arrives in either direction, the end
//! of a connection neither; what was under way arrives when the network is back, if anybody still waits for it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::frames::Frames;
use crate::runtime;

/// The most read at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// What the network does to a direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing.
    Fair,
    /// Lets nothing through.
    Frozen,
    /// Lets through pieces of so many bytes, each after a pause.
    Sliced {
        /// Size of a piece.
        bytes: usize,
        /// Before each.
        pause: Duration,
    },
    /// Resets the connection in the middle of the next frame.
    CutMidFrame,
    /// Resets the connection.
    Reset,
    /// Slips one frame in between the host's: an ack of what was never delivered, for which the broker closes the channel.
    UnknownAck,
}

/// Whose connections, told apart by the names that the host gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Every connection.
    All,
    /// Those that consume.
    Consuming,
    /// Those that publish.
    Publishing,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Both.
    Both,
    /// From the host to the broker.
    ToBroker,
    /// From the broker to the host.
    ToHost,
}

/// The weather, and where it is so; fair elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Forecast {
    weather: Weather,
    whose: Whose,
    way: Way,
    /// New connections are reset at once.
    closed: bool,
}

const FAIR: Forecast = Forecast { weather: Weather::Fair, whose: Whose::All, way: Way::Both, closed: false };

/// A port of this machine that leads to a broker node.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    forecast: Arc<watch::Sender<Forecast>>,
    links: Arc<Mutex<Vec<JoinHandle<()>>>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on any free port and forwards to `target`, host and port.
    pub(crate) fn start(target: &str) -> Result<Self> {
        let listener =
            runtime().block_on(TcpListener::bind(("127.0.0.1", 0))).context("no port for the proxy")?;
        let address = listener.local_addr()?;
        let forecast = Arc::new(watch::Sender::new(FAIR));
        let links: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
        let accepting = accept(listener, target.to_owned(), Arc::clone(&forecast), Arc::clone(&links));
        Ok(Self { address, forecast, links, accepting: runtime().spawn(accepting) })
    }

    /// Host and port to connect to.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on the weather is this, for connections that are there and for new ones.
    pub(crate) fn set(&self, weather: Weather, whose: Whose, way: Way) {
        self.announce(Forecast { weather, whose, way, ..FAIR });
    }

    /// From now on everything gets through; what was held back first.
    pub(crate) fn clear(&self) {
        self.announce(FAIR);
    }

    /// Whether everything gets through: after `UnknownAck`, once the frame has been slipped in.
    pub(crate) fn is_fair(&self) -> bool {
        *self.forecast.borrow() == FAIR
    }

    /// Resets every connection, and from now on new ones at once.
    pub(crate) fn close(&self) {
        self.announce(Forecast { weather: Weather::Reset, closed: true, ..FAIR });
    }

    fn announce(&self, forecast: Forecast) {
        self.forecast.send_replace(forecast);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        if let Ok(links) = self.links.lock() {
            links.iter().for_each(JoinHandle::abort);
        }
    }
}

async fn accept(
    listener: TcpListener,
    target: String,
    forecast: Arc<watch::Sender<Forecast>>,
    links: Arc<Mutex<Vec<JoinHandle<()>>>>,
) {
    loop {
        let Ok((near, _)) = listener.accept().await else { continue };
        if forecast.borrow().closed {
            reset(&near);
            continue;
        }
        let (target, forecast) = (target.clone(), Arc::clone(&forecast));
        let link = runtime().spawn(async move {
            match TcpStream::connect(&target).await {
                Ok(far) => forward(near, far, forecast).await,
                Err(_) => reset(&near),
            }
        });
        if let Ok(mut links) = links.lock() {
            links.retain(|link| !link.is_finished());
            links.push(link);
        }
    }
}

/// Makes a socket send RST when it is dropped.
fn reset(stream: &TcpStream) {
    // Without it the end is an orderly one, which is a milder fault.
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).ok();
}

/// How one direction of a connection ended.
enum End {
    Orderly,
    Reset,
}

async fn forward(near: TcpStream, far: TcpStream, forecast: Arc<watch::Sender<Forecast>>) {
    // Pieces have to travel as pieces.
    near.set_nodelay(true).ok();
    far.set_nodelay(true).ok();
    let whose = watch::Sender::new(None);
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let pump = |way, frames| {
        let (forecast, changes) = (Arc::clone(&forecast), forecast.subscribe());
        Pump { way, whose: &whose, forecast, changes, frames }
    };
    // A client's first 8 bytes are no frame.
    let (mut up, mut down) = (pump(Way::ToBroker, Frames::after(8)), pump(Way::ToHost, Frames::after(0)));
    let (mut near_in, mut near_out, mut far_in, mut far_out) = (near_in, near_out, far_in, far_out);
    let end = tokio::select! {
        end = up.run(&mut near_in, &mut far_out) => end,
        end = down.run(&mut far_in, &mut near_out) => end,
    };
    if matches!(end, End::Reset) {
        reset(near_in.as_ref());
        reset(far_in.as_ref());
    }
}

/// One direction of one connection.
struct Pump<'a> {
    way: Way,
    whose: &'a watch::Sender<Option<Whose>>,
    forecast: Arc<watch::Sender<Forecast>>,
    changes: watch::Receiver<Forecast>,
    frames: Frames,
}

impl Pump<'_> {
    async fn run(&mut self, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) -> End {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let read = tokio::select! {
                read = from.read(&mut buffer) => read,
                () = self.until_reset() => return End::Reset,
            };
            let Ok(read @ 1..) = read else {
                return self.last(read.is_err()).await;
            };
            self.recognise(&buffer[..read]);
            if let Err(end) = self.pass(&buffer[..read], to).await {
                return end;
            }
        }
    }

    /// The end of a connection does not get through a frozen network either.
    async fn last(&mut self, broken: bool) -> End {
        while self.weather() == Weather::Frozen && self.changes.changed().await.is_ok() {}
        if broken { End::Reset } else { End::Orderly }
    }

    /// Which connection of the host this is; it says so in the first frames.
    fn recognise(&mut self, bytes: &[u8]) {
        if self.way != Way::ToBroker || self.whose.borrow().is_some() {
            return;
        }
        let says = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
        if says(b"warren publishes") {
            self.whose.send_replace(Some(Whose::Publishing));
        } else if says(b"warren consumes") {
            self.whose.send_replace(Some(Whose::Consuming));
        }
    }

    /// The weather for this direction of this connection.
    fn weather(&self) -> Weather {
        let forecast = *self.forecast.borrow();
        let whose = forecast.whose == Whose::All || *self.whose.borrow() == Some(forecast.whose);
        let way = forecast.way == Way::Both || forecast.way == self.way;
        if whose && way { forecast.weather } else { Weather::Fair }
    }

    async fn until_reset(&self) {
        let mut changes = self.changes.clone();
        while self.weather() != Weather::Reset {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Lets bytes through as the weather permits.
    async fn pass(&mut self, bytes: &[u8], to: &mut OwnedWriteHalf) -> Result<(), End> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let size = match self.weather() {
                Weather::Reset => return Err(End::Reset),
                Weather::Frozen => {
                    if self.changes.changed().await.is_err() {
                        return Err(End::Reset);
                    }
                    continue;
                }
                Weather::Fair => rest.len(),
                Weather::Sliced { bytes, pause } => {
                    tokio::time::sleep(pause).await;
                    bytes.clamp(1, rest.len())
                }
                Weather::CutMidFrame => match self.frames.mid_frame(rest) {
                    Some(inside) => {
                        to.write_all(&rest[..inside]).await.ok(); // it is reset anyway
                        return Err(End::Reset);
                    }
                    None => rest.len(),
                },
                Weather::UnknownAck => self.until_slipped(rest, to).await?,
            };
            let (now, later) = rest.split_at(size);
            to.write_all(now).await.map_err(|_| End::Reset)?;
            self.frames.pass(now);
            rest = later;
        }
        Ok(())
    }

    /// Slips a frame in where one of the host's has ended, and makes the weather fair; how many bytes may follow.
    async fn until_slipped(&mut self, rest: &[u8], to: &mut OwnedWriteHalf) -> Result<usize, End> {
        // Between the frames of one message it would be a fault of the whole connection.
        let within_message = matches!(rest, [2 | 3, ..]);
        if self.frames.is_between()
            && !within_message
            && let Some(frame) = self.frames.unknown_ack()
        {
            let first = self.forecast.send_if_modified(|forecast| {
                let first = forecast.weather == Weather::UnknownAck;
                *forecast = FAIR;
                first
            });
            if first {
                to.write_all(&frame).await.map_err(|_| End::Reset)?;
            }
        }
        Ok(self.frames.frame_end(rest).unwrap_or(rest.len()))
    }
}
