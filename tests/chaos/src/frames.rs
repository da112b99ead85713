//! Where AMQP frames begin and end in a stream of bytes, so that a connection can be cut in the middle of one.

/// Bytes of a frame before its payload: type, channel, size.
const HEADER: usize = 7;
/// The same, with the class and the method that the payload of a method frame begins with.
const METHOD: usize = HEADER + 4;
/// Class and method of basic.consume and basic.publish.
const WORK: [[u8; 4]; 2] = [[0, 60, 0, 20], [0, 60, 0, 40]];

/// A position in a stream of frames: after each come 7 bytes of header, the payload, and one byte that ends it.
#[derive(Debug, Clone)]
pub(crate) struct Frames {
    /// Bytes left of what is being passed and is not a frame's header.
    left: usize,
    /// The beginning of the frame that is being passed: its header, and of its payload what names a method.
    header: Vec<u8>,
    /// The channel that consumes or publishes: the last one that has asked to.
    channel: Option<[u8; 2]>,
}

impl Frames {
    /// A stream that begins with `bytes` bytes that are no frame: the protocol header that a client sends.
    pub(crate) fn after(bytes: usize) -> Self {
        Self { left: bytes, header: Vec::with_capacity(METHOD), channel: None }
    }

    /// These bytes have gone by.
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(*byte);
        }
    }

    /// How many of these bytes, which come next, lead into the middle of a frame; none if no frame has its middle there.
    pub(crate) fn mid_frame(&self, bytes: &[u8]) -> Option<usize> {
        let mut ahead = self.clone();
        for (index, byte) in bytes.iter().enumerate() {
            let was_header = ahead.header.len() == HEADER - 1;
            ahead.step(*byte);
            // A payload of a few bytes has no middle to speak of.
            if was_header && ahead.left > 4 && index + 3 < bytes.len() {
                return Some(index + 3);
            }
        }
        None
    }

    /// How many of these bytes, which come next, lead to the end of a frame; none if no frame ends there.
    pub(crate) fn frame_end(&self, bytes: &[u8]) -> Option<usize> {
        let mut ahead = self.clone();
        (0..bytes.len()).find_map(|index| {
            ahead.step(bytes[index]);
            ahead.is_between().then_some(index + 1)
        })
    }

    /// Whether a frame has ended and the next one has not begun.
    pub(crate) fn is_between(&self) -> bool {
        self.left == 0 && self.header.is_empty()
    }

    /// A frame that acknowledges what was never delivered, on the channel that consumes or publishes. The broker closes
    /// that channel with 406.
    pub(crate) fn unknown_ack(&self) -> Option<Vec<u8>> {
        let channel = self.channel?;
        let tag = u64::from(u32::MAX).to_be_bytes();
        Some([&[1][..], &channel, &13_u32.to_be_bytes(), &[0, 60, 0, 80], &tag, &[0, 0xCE]].concat())
    }

    fn step(&mut self, byte: u8) {
        if self.header.len() < METHOD && (self.left == 0 || self.header.len() >= HEADER) {
            self.header.push(byte);
        }
        if self.left > 0 {
            self.left -= 1;
            if self.header.len() == METHOD {
                self.learn();
            }
            if self.left == 0 {
                self.header.clear();
            }
        } else if let [_, _, _, a, b, c, d] = self.header[..] {
            let size = u32::from_be_bytes([a, b, c, d]);
            self.left = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1);
        }
    }

    fn learn(&mut self) {
        let is_method = self.header[0] == 1;
        if is_method && WORK.iter().any(|method| self.header[HEADER..] == *method) {
            self.channel = Some([self.header[1], self.header[2]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: usize) -> Vec<u8> {
        let size = u32::try_from(payload).unwrap().to_be_bytes();
        [&[1, 0, 0][..], &size, &vec![7; payload], &[0xCE]].concat()
    }

    #[test]
    fn the_middle_of_a_frame_is_behind_its_header() {
        let stream = [b"AMQP\0\0\x09\x01".to_vec(), frame(20), frame(30)].concat();
        assert_eq!(Frames::after(8).mid_frame(&stream), Some(8 + HEADER + 2));
    }

    #[test]
    fn a_frame_that_is_under_way_is_passed_by() {
        let mut frames = Frames::after(0);
        let stream = [frame(20), frame(30)].concat();
        frames.pass(&stream[..10]);
        assert_eq!(frames.mid_frame(&stream[10..]), Some(28 - 10 + HEADER + 2));
        frames.pass(&stream[10..30]);
        assert_eq!(frames.mid_frame(&stream[30..]), Some(HEADER - 2 + 2));
    }

    #[test]
    fn the_channel_that_works_is_learnt_and_can_be_wronged() {
        let mut frames = Frames::after(0);
        let consume = [&[1, 0, 2, 0, 0, 0, 6, 0, 60, 0, 20, 9, 9, 0xCE][..], &frame(0)].concat();
        assert_eq!(frames.frame_end(&consume), Some(14));
        for byte in consume {
            frames.pass(&[byte]);
        }
        let wrong = frames.unknown_ack().unwrap();
        assert_eq!((wrong.len(), &wrong[..7]), (HEADER + 13 + 1, &[1, 0, 2, 0, 0, 0, 13][..]));
        assert_eq!(Frames::after(0).frame_end(&wrong), Some(wrong.len()));
    }

    #[test]
    fn heartbeats_have_no_middle() {
        assert_eq!(Frames::after(0).mid_frame(&[frame(0), frame(0)].concat()), None);
    }
}
