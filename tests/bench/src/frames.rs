//! The two things in a stream of AMQP frames that tell how long a message was in hand: its delivery, and its ack.

/// Bytes of a frame before its payload: type, channel, size.
const HEADER: usize = 7;
/// The type of a frame that is a method.
const METHOD: u8 = 1;
/// Class and method of basic.deliver and basic.ack.
const DELIVER: [u8; 4] = [0, 60, 0, 60];
const ACK: [u8; 4] = [0, 60, 0, 80];

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A message was handed over on a channel, with this tag.
    Deliver { channel: u16, tag: u64 },
    /// It was acked, perhaps with all before it.
    Ack { channel: u16, tag: u64, multiple: bool },
}

/// A position in a stream of frames: after each header come its payload and one byte that ends it.
#[derive(Debug)]
pub(crate) struct Frames {
    /// Bytes left of what is passed by.
    left: usize,
    header: Vec<u8>,
    /// The payload, of methods.
    payload: Vec<u8>,
}

impl Frames {
    /// A stream that begins with `bytes` bytes that are no frame: the protocol header that a client sends.
    pub(crate) fn after(bytes: usize) -> Self {
        Self { left: bytes, header: Vec::with_capacity(HEADER), payload: Vec::new() }
    }

    /// These bytes go by; what is seen in them.
    pub(crate) fn pass(&mut self, mut bytes: &[u8], mut see: impl FnMut(Seen)) {
        while !bytes.is_empty() {
            if self.left == 0 {
                let (now, later) = bytes.split_at(bytes.len().min(HEADER - self.header.len()));
                self.header.extend_from_slice(now);
                bytes = later;
                if let [_, _, _, a, b, c, d] = self.header[..] {
                    self.left = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX) + 1;
                }
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.left));
            if self.header.first() == Some(&METHOD) {
                self.payload.extend_from_slice(now);
            }
            self.left -= now.len();
            bytes = later;
            if self.left == 0 {
                self.read().into_iter().for_each(&mut see);
                self.header.clear();
                self.payload.clear();
            }
        }
    }

    /// What the frame that has ended says.
    fn read(&self) -> Option<Seen> {
        let channel = u16::from_be_bytes([*self.header.get(1)?, *self.header.get(2)?]);
        let (method, arguments) = self.payload.split_at_checked(4)?;
        let tag = |at: usize| Some(u64::from_be_bytes(arguments.get(at..at + 8)?.try_into().ok()?));
        if method == DELIVER {
            // Behind the consumer's name.
            let tag = tag(1 + usize::from(*arguments.first()?))?;
            return Some(Seen::Deliver { channel, tag });
        }
        if method == ACK {
            return Some(Seen::Ack { channel, tag: tag(0)?, multiple: arguments.get(8)? & 1 == 1 });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 0, 3][..], &size, payload, &[0xCE]].concat()
    }

    #[test]
    fn deliveries_and_acks_are_seen_however_the_stream_is_cut() {
        let deliver = [&DELIVER[..], &[2, b'c', b't'], &7_u64.to_be_bytes(), &[0, 0, 0]].concat();
        let ack = [&ACK[..], &7_u64.to_be_bytes(), &[1]].concat();
        let stream = [
            b"AMQP\0\0\x09\x01".to_vec(),
            frame(1, &deliver),
            frame(2, &[9; 20]),
            frame(8, &[]),
            frame(1, &ack),
        ]
        .concat();
        for size in 1..stream.len() {
            let (mut frames, mut seen) = (Frames::after(8), Vec::new());
            stream.chunks(size).for_each(|piece| frames.pass(piece, |it| seen.push(it)));
            let ack = Seen::Ack { channel: 3, tag: 7, multiple: true };
            assert_eq!(seen, [Seen::Deliver { channel: 3, tag: 7 }, ack], "in pieces of {size}");
        }
    }
}
