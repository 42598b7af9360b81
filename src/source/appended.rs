//! Captures appended to another one in the same file, e.g. by `cat` or `tcpdump -w - >> FILE`.

use super::pcap_reader::{FILE_HEADER_LEN, PcapReader};
use super::signature::{self, FileKind};
use crate::packet::Interface;

/// Maximum number of offsets that [`AppendedCaptures`] lists.
const MAX_OFFSETS: usize = 8;

/// The captures of a file after the first one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppendedCaptures {
    /// Number of captures.
    pub count: u64,
    /// Offsets of the first of them, in bytes from the start of the (decompressed) file.
    pub offsets: Vec<u64>,
}

impl AppendedCaptures {
    /// Adds a capture that starts at this offset.
    pub(super) fn add(&mut self, offset: u64) {
        self.count += 1;
        if self.offsets.len() < MAX_OFFSETS {
            self.offsets.push(offset);
        }
    }
}

/// The header of an appended capture.
#[derive(Debug)]
pub(super) enum Appended {
    /// A pcap file header: the reader of its records, and its interface.
    Pcap(PcapReader, Interface),
    /// A pcapng section header after a pcap file.
    PcapNg,
    /// The start of a pcap file header, which requires more bytes to be decided.
    Incomplete,
}

/// True if `bytes` starts with the magic number of a capture file. At the boundary of a record or
/// a block, few others have this value.
#[inline(always)]
pub(super) fn has_magic(bytes: &[u8]) -> bool {
    signature::capture_kind(bytes).is_some()
}

/// Detects the header of a capture at the boundary of a record or a block of the `current` format.
///
/// A magic number alone can be the seconds of a packet's time or the type of a block. A header is
/// one that no record or block can be as well:
///
/// ```text
///     0           4           8           12          16          20          24
///     +-----------+-----------+-----------+-----------+-----------+-----------+
///     | magic     | version   | time zone | (0)       | snap len  | link      |   pcap
///     +-----------+-----------+-----------+-----------+-----------+-----------+
///     | 0A0D0D0A  | length    | 1A2B3C4D  | version   | section length        |   pcapng
///     +-----------+-----------+-----------+-----------+-----------+-----------+
///     | seconds   | fraction  | capt. len | orig. len | data                      record
///     +-----------+-----------+-----------+-----------+- - -
/// ```
/// No packet has an original length of 0, or the captured length 1A2B3C4D.
pub(super) fn detect(bytes: &[u8], current: FileKind) -> Option<Appended> {
    match signature::capture_kind(bytes)? {
        FileKind::PcapNg if current == FileKind::Pcap => {
            let byte_order_magic = bytes.get(8..12)?;
            let is_section_header =
                matches!(byte_order_magic, b"\x1A\x2B\x3C\x4D" | b"\x4D\x3C\x2B\x1A");
            is_section_header.then_some(Appended::PcapNg)
        }
        FileKind::Pcap => detect_pcap(bytes),
        // A further section of a pcapng file is no other capture.
        FileKind::PcapNg | FileKind::Compressed(_) => None,
    }
}

fn detect_pcap(bytes: &[u8]) -> Option<Appended> {
    /// Maximum difference of a time zone from UTC, in seconds; current programs write 0.
    const MAX_ZONE: u32 = 24 * 3600;
    let is_big_endian = bytes.first() == Some(&0xA1);
    let field = |at: usize| {
        let field = *bytes.get(at..)?.first_chunk()?;
        Some(match is_big_endian {
            true => u32::from_be_bytes(field),
            false => u32::from_le_bytes(field),
        })
    };
    let version = if is_big_endian {
        [0, 2, 0, 4]
    } else {
        [2, 0, 4, 0]
    };
    let is_header = bytes.get(4..8).is_none_or(|found| found == version)
        && field(8).is_none_or(|zone| (zone as i32).unsigned_abs() <= MAX_ZONE)
        && field(12).is_none_or(|accuracy| accuracy == 0);
    if !is_header {
        return None;
    }
    let Some(header) = bytes.first_chunk::<FILE_HEADER_LEN>() else {
        return Some(Appended::Incomplete);
    };
    let (reader, interface) = PcapReader::new(header).ok()?;
    Some(Appended::Pcap(reader, interface))
}
