//! Results of parsing the front of a capture file's bytes.
//!
//! A parser borrows nothing: it returns offsets from the front. The bytes can therefore be a map or
//! a buffer, and reading more of them never conflicts with a borrow of an earlier result.

use crate::packet::Timestamp;
use std::ops::Range;

/// Maximum captured length of a packet in bytes, the same as in libpcap (`MAXIMUM_SNAPLEN`) and
/// Wireshark; a header with a larger length is garbage.
pub(super) const MAX_PACKET_LEN: u32 = 262_144;

/// The item at the front of the bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParseStep {
    /// A packet.
    Packet(PacketLocation),
    /// Bytes without a packet, to be skipped: their number.
    Skip(usize),
    /// The header of another capture, to be skipped: its size, or 0 if the next step parses it.
    NewCapture(usize),
    /// An incomplete item, which can be parsed when this many bytes in total are available.
    NeedMore(usize),
    /// Damage, described by this message. No byte after it can be trusted.
    Damage(String),
}

/// Location of a packet's parts, as offsets from the front.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PacketLocation {
    /// Size of the packet's record or block in bytes, with headers and padding.
    pub(super) size: usize,
    /// Capture time.
    pub(super) time: Timestamp,
    /// Index of the packet's interface in the file, from 0.
    pub(super) interface: usize,
    /// Length on the wire in bytes.
    pub(super) wire_len: u32,
    /// Captured bytes.
    pub(super) bytes: Range<usize>,
    /// pcapng options.
    pub(super) options: Range<usize>,
}

/// Byte order of a file, or of a section of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileEndianness {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}
