//! Captured frames, and the interfaces on which they were captured.

use super::{LinkType, Timestamp};

/// Interface on which frames were captured: a live device, or one described by a capture file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Index among the interfaces of the source, from 0; numbering continues across the sections of
    /// a pcapng file.
    pub id: u32,
    /// Device name (`lo`), if available.
    pub name: Option<String>,
    /// Device description, if available.
    pub description: Option<String>,
    /// Link type of its frames.
    pub link: LinkType,
    /// Snapshot length: maximum number of bytes captured per frame; 0 if unlimited.
    pub snap_len: u32,
    /// Resolution of its timestamps.
    pub resolution: Resolution,
}

/// Timestamp resolution of an interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Resolution {
    /// 10⁻⁶ s or coarser.
    #[default]
    Micro,
    /// Finer than 10⁻⁶ s; lcap stores 10⁻⁹ s.
    Nano,
}

/// One captured frame, not decoded.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Position in the capture, from 1; frames that a filter rejects are counted too.
    pub number: u64,
    /// Capture time.
    pub time: Timestamp,
    /// Interface on which the frame was captured.
    pub interface: &'a Interface,
    /// Link type, which determines the header that `bytes` begins with.
    pub link: LinkType,
    /// Length on the wire in bytes, link header included.
    pub wire_len: u32,
    /// Captured bytes.
    pub bytes: &'a [u8],
    /// Options that a pcapng file records for the frame.
    pub options: FrameOptions<'a>,
}

/// Options of a pcapng packet block (comments, flags, …), unparsed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameOptions<'a> {
    /// Option records (code, length, value, padding), not necessarily complete.
    pub bytes: &'a [u8],
    /// True if the codes and lengths are big-endian.
    pub big_endian: bool,
}

/// Code of the option `opt_comment` (draft-ietf-opsawg-pcapng section 3.5).
pub(crate) const OPT_COMMENT: u16 = 1;
/// Code of the option `epb_dropcount` (draft-ietf-opsawg-pcapng section 4.3).
const EPB_DROPCOUNT: u16 = 4;

impl<'a> FrameOptions<'a> {
    /// Returns the comments that are valid UTF-8.
    pub fn comments(self) -> impl Iterator<Item = &'a str> {
        let comments = self.records().filter(|(code, _)| *code == OPT_COMMENT);
        comments.filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// Returns the number of packets that were dropped between the previous packet and this one, as
    /// far as the file states it.
    pub fn dropped_pkts(self) -> u64 {
        let count = self
            .records()
            .find(|(code, _)| *code == EPB_DROPCOUNT)
            .and_then(|(_, value)| value.first_chunk());
        count.map_or(0, |count| self.u64(*count))
    }

    /// Returns the number that an option contains.
    pub(crate) fn u64(self, value: [u8; 8]) -> u64 {
        match self.big_endian {
            true => u64::from_be_bytes(value),
            false => u64::from_le_bytes(value),
        }
    }

    /// Returns the code and value of each option, up to the end-of-options record or the first
    /// record that is incomplete (padding to four bytes included).
    pub fn records(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let number = match self.big_endian {
            true => u16::from_be_bytes,
            false => u16::from_le_bytes,
        };
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let [c0, c1, l0, l1, value @ ..] = rest else {
                return None;
            };
            let (code, len) = (number([*c0, *c1]), usize::from(number([*l0, *l1])));
            rest = value.get(len.next_multiple_of(4)..).filter(|_| code != 0)?;
            Some((code, &value[..len]))
        })
    }
}

impl Frame<'_> {
    /// Returns the length on the wire, capped at 2 GiB as in Wireshark: a larger value is corrupt.
    #[inline]
    pub fn plausible_len(&self) -> u32 {
        self.wire_len.min(i32::MAX as u32)
    }

    /// True if the link header shows on which interface the packet was captured
    /// (LINKTYPE_LINUX_SLL2).
    #[inline]
    pub(crate) fn is_of_any_interface(&self) -> bool {
        self.link == LinkType::LINUX_SLL2
    }

    /// Returns a number that distinguishes the interfaces of a capture: the index in the link
    /// header, if it has one, or the position of the interface in the file.
    #[inline]
    pub(crate) fn interface_index(&self) -> u32 {
        match self.bytes.get(4..8) {
            Some(&[a, b, c, d]) if self.is_of_any_interface() => u32::from_be_bytes([a, b, c, d]),
            _ => self.interface.id,
        }
    }
}
