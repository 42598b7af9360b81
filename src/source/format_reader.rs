//! Common interface of the pcap and pcapng readers.

use super::parse_step::{PacketLocation, ParseStep};
use super::pcap_reader::PcapReader;
use super::pcapng_reader::PcapngReader;
use crate::packet::{Frame, FrameOptions};

/// The reader for a file's format.
#[derive(Debug)]
pub(super) enum FormatReader {
    Pcap(PcapReader),
    Pcapng(PcapngReader),
}

impl FormatReader {
    /// Parses the record or block at the front of `bytes`.
    #[inline(always)]
    pub(super) fn parse_next(&mut self, bytes: &[u8]) -> ParseStep {
        match self {
            FormatReader::Pcap(records) => records.parse_next(bytes),
            FormatReader::Pcapng(blocks) => blocks.parse_next(bytes),
        }
    }

    /// Returns the frame that was found in `record`.
    #[inline(always)]
    pub(super) fn frame<'a>(
        &'a self,
        number: u64,
        found: PacketLocation,
        record: &'a [u8],
    ) -> Frame<'a> {
        let blocks = match self {
            FormatReader::Pcap(records) => return records.frame(number, found, record),
            FormatReader::Pcapng(blocks) => blocks,
        };
        let interface = blocks.interface(found.interface);
        Frame {
            number,
            time: found.time,
            interface,
            link: interface.link,
            wire_len: found.wire_len,
            bytes: &record[found.bytes],
            options: FrameOptions {
                bytes: &record[found.options],
                big_endian: blocks.is_big_endian(),
            },
        }
    }

    /// Returns the number of skipped blocks, which neither carry nor describe packets.
    pub(super) fn skipped_blocks(&self) -> u64 {
        match self {
            FormatReader::Pcap(_) => 0,
            FormatReader::Pcapng(blocks) => blocks.skipped_blocks,
        }
    }
}
