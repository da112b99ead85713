//! The broker's version, from the first thing that it says to anybody: `connection.start` names it, before any password.
//! lapin reads that and keeps it to itself, so this greets the broker on a connection of its own, and hangs up.

use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt};

use crate::plan::Version;

use super::address::{Endpoint, Trouble};
use super::transport::{self, Stream, Transport};
use super::{Address, ConnectError, Tls, tls};

const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
const GREETING: &[u8] = b"AMQP\x00\x00\x09\x01";
/// Type, channel and size.
const FRAME_HEADER_BYTES: usize = 7;
/// How long the first frame may be, in bytes; RabbitMQ's has about 500.
const FRAME_BYTES_MAX: usize = 64 * 1024;
/// A frame that carries a method, and the method `connection.start` of AMQP 0-9-1.
const METHOD: u8 = 1;
const CONNECTION_START: [u8; 4] = [0, 10, 0, 10];

/// Asks the broker for its version. None: it says none that can be read, or is not RabbitMQ.
pub async fn version(address: &Address) -> Result<Option<Version>, ConnectError> {
    let mut round = address.round();
    while let Some(endpoint) = round.endpoint() {
        match greet(endpoint, address.tls()).await {
            Ok(frame) => {
                round.succeeded();
                return Ok(version_in(&frame).as_deref().and_then(Version::parse));
            }
            Err(trouble) => round.failed(trouble),
        }
    }
    Err(round.into_error())
}

/// What the broker answers to a greeting.
async fn greet(endpoint: &Endpoint, settings: &Tls) -> Result<Vec<u8>, Trouble> {
    let Transport { stream, .. } = transport::open(endpoint, settings).await?;
    let limit = endpoint.timeout(PROBE_TIMEOUT);
    match tokio::time::timeout(limit, first_frame(stream)).await {
        Ok(Ok(frame)) => Ok(frame),
        Ok(Err(error)) => Err(match tls::trouble(&error, settings) {
            Some(trouble) => trouble,
            None => transport::not_amqp(endpoint, settings, error.to_string()).await,
        }),
        Err(_) => Err(Trouble::Absent(format!("no answer within {} ms", limit.as_millis()))),
    }
}

/// The content of the first frame; empty if what answers does not speak AMQP.
async fn first_frame(mut stream: Stream) -> std::io::Result<Vec<u8>> {
    stream.write_all(GREETING).await?;
    stream.flush().await?;
    let mut header = [0; FRAME_HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    let [kind, _, _, size @ ..] = header;
    let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if kind != METHOD || size > FRAME_BYTES_MAX {
        return Ok(Vec::new());
    }
    let mut frame = vec![0; size];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

/// Reads the version of RabbitMQ out of the server properties of a `connection.start`. Other products count otherwise.
fn version_in(frame: &[u8]) -> Option<String> {
    let (mut product, mut version) = (None, None);
    let mut rest = Bytes(frame.strip_prefix(&CONNECTION_START)?);
    rest.take(2)?; // the protocol's major and minor version
    let length = rest.long()?;
    let mut table = Bytes(rest.take(length)?);
    while !table.0.is_empty() {
        let length = table.byte()?;
        let name = table.take(length.into())?;
        let text = table.value()?;
        match name {
            b"product" => product = text,
            b"version" => version = text,
            _ => {}
        }
    }
    let version = version.filter(|_| product == Some(b"RabbitMQ"))?;
    String::from_utf8(version.to_vec()).ok()
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// A length of four bytes.
    fn long(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    }

    /// One value of a table, of any type; gives it if it is a text.
    fn value(&mut self) -> Option<Option<&'a [u8]>> {
        let kind = self.byte()?;
        let size = match kind {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'l' | b'd' | b'T' => 8,
            b'D' => 5,
            b'S' | b'x' | b'A' | b'F' => self.long()?,
            _ => return None,
        };
        let value = self.take(size)?;
        Some((kind == b'S').then_some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(entries: &[u8]) -> Vec<u8> {
        let mut frame = [CONNECTION_START.as_slice(), &[0, 9]].concat();
        frame.extend(u32::try_from(entries.len()).unwrap().to_be_bytes());
        frame.extend(entries);
        frame.extend(b"\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US");
        frame
    }

    #[test]
    fn the_version_is_found_behind_other_properties() {
        let frame = start(b"\x0ccapabilitiesF\x00\x00\x00\x05\x02okt\x01\x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x054.3.6");
        assert_eq!(version_in(&frame).as_deref(), Some("4.3.6"));
    }

    #[test]
    fn what_is_cut_off_or_strange_has_no_version() {
        let whole = start(b"\x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x054.3.6");
        assert!(version_in(&whole).is_some());
        for end in 0..whole.len() - 22 {
            assert_eq!(version_in(&whole[..end]), None, "{end}");
        }
        for entries in
            [b"\x07versiont\x01".as_slice(), b"\x07version?\x01", b"\x07versionS\xff\xff\xff\xff4", b"\xff"]
        {
            assert_eq!(version_in(&start(entries)), None);
        }
        let other = start(b"\x07productS\x00\x00\x00\x07Lavinmq\x07versionS\x00\x00\x00\x052.1.0");
        assert_eq!(version_in(&other), None);
        assert_eq!(version_in(b"HTTP/1.1 400 Bad Request"), None);
    }
}
