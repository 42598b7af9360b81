//! Frames copied out of memory that the kernel wants back.

use crate::packet::{Frame, Interface, Options, Timestamp};

/// A run of frames, given away one by one.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    frames: Vec<Held>,
    /// Index of the next frame to give.
    at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    time: Timestamp,
    start: usize,
    wire_len: u32,
    len: u32,
}

impl Batch {
    /// Copies a frame in: the one copy that a live packet costs.
    #[inline]
    pub(super) fn push(&mut self, time: Timestamp, wire_len: u32, bytes: &[u8]) {
        let (start, len) = (self.bytes.len(), bytes.len() as u32);
        self.bytes.extend_from_slice(bytes);
        self.frames.push(Held {
            time,
            start,
            wire_len,
            len,
        });
    }

    /// The next frame, with the number it has in the capture.
    #[inline]
    pub(super) fn take<'a>(
        &'a mut self,
        number: u64,
        interface: &'a Interface,
    ) -> Option<Frame<'a>> {
        let held = *self.frames.get(self.at)?;
        self.at += 1;
        Some(Frame {
            number,
            time: held.time,
            interface,
            link: interface.link,
            wire_len: held.wire_len,
            bytes: self.bytes.get(held.start..held.start + held.len as usize)?,
            options: Options::default(),
        })
    }

    /// Whether every frame was given.
    #[inline]
    pub(super) fn is_used_up(&self) -> bool {
        self.at == self.frames.len()
    }

    /// How many bytes its frames have.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes a frame has on average, at least 1.
    pub(super) fn mean(&self) -> usize {
        (self.bytes.len() / self.frames.len().max(1)).max(1)
    }

    /// Forgets the frames and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.at = 0;
    }
}
