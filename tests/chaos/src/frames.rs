//! Where AMQP frames begin and end in a stream of bytes, so that a connection can be cut in the middle of one.

/// Bytes of a frame before its payload: type, channel, size.
const HEADER: usize = 7;

/// A position in a stream of frames: after each come 7 bytes of header, the payload, and one byte that ends it.
#[derive(Debug)]
pub(crate) struct Frames {
    /// Bytes left of what is being passed and is not a frame's header.
    left: usize,
    /// What is known of the next frame's header.
    header: Vec<u8>,
}

impl Frames {
    /// A stream that begins with `bytes` bytes that are no frame: the protocol header that a client sends.
    pub(crate) fn after(bytes: usize) -> Self {
        Self { left: bytes, header: Vec::with_capacity(HEADER) }
    }

    /// These bytes have gone by.
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(*byte);
        }
    }

    /// How many of these bytes, which come next, lead into the middle of a frame; none if no frame has its middle there.
    pub(crate) fn mid_frame(&self, bytes: &[u8]) -> Option<usize> {
        let mut ahead = Self { left: self.left, header: self.header.clone() };
        for (index, byte) in bytes.iter().enumerate() {
            let was_header = ahead.header.len() == HEADER - 1 && ahead.left == 0;
            ahead.step(*byte);
            // A payload of a few bytes has no middle to speak of.
            if was_header && ahead.left > 4 && index + 3 < bytes.len() {
                return Some(index + 3);
            }
        }
        None
    }

    fn step(&mut self, byte: u8) {
        if self.left > 0 {
            self.left -= 1;
            return;
        }
        self.header.push(byte);
        if self.header.len() == HEADER {
            let size = [self.header[3], self.header[4], self.header[5], self.header[6]];
            self.left = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX).saturating_add(1);
            self.header.clear();
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
    fn heartbeats_have_no_middle() {
        assert_eq!(Frames::after(0).mid_frame(&[frame(0), frame(0)].concat()), None);
    }
}
