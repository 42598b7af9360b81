//! What a reader of a capture file finds at the front of the bytes that it is shown.
//!
//! A reader borrows nothing: it says where things stand, counted from the front. So the bytes may be a map or a buffer, and asking for
//! more of them never fights with what was already found.

use crate::packet::Timestamp;
use std::ops::Range;

/// The most bytes that a packet may have, as in libpcap (`MAXIMUM_SNAPLEN`) and Wireshark; what claims more is garbage.
pub(super) const LARGEST_PACKET: u32 = 262_144;

/// What stands at the front.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A packet.
    Packet(Located),
    /// So many bytes that carry no packet.
    Skip(usize),
    /// Nothing can be said before there are so many bytes in all.
    More(usize),
    /// What is wrong there. No byte after it can be trusted.
    Damage(String),
}

/// Where a packet's parts stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// How many bytes its record or block has, with headers and padding.
    pub(super) size: usize,
    /// When it was captured.
    pub(super) time: Timestamp,
    /// Which of the file's interfaces it came from, from 0.
    pub(super) interface: usize,
    /// Its length on the wire.
    pub(super) wire_len: u32,
    /// Its captured bytes.
    pub(super) bytes: Range<usize>,
    /// Its pcapng options.
    pub(super) options: Range<usize>,
}

/// Byte order of a file, or of a section of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}
