//! Blocks of a pcapng file (draft-ietf-opsawg-pcapng), parsed as leniently as libpcap and Wireshark
//! do.

use super::framing::{self, BLOCK_OVERHEAD, BlockHeader};
use super::interface_clock::InterfaceClock;
use super::metadata::Metadata;
use super::parse_step::{FileEndianness, MAX_PACKET_LEN, PacketLocation, ParseStep};
use crate::error::count_noun;
use crate::packet::{Drops, FrameOptions, Interface, LinkType, Timestamp};
use byteorder_slice::{BigEndian, ByteOrder, LittleEndian};
use pcap_file::pcapng::blocks::{
    ENHANCED_PACKET_BLOCK, INTERFACE_DESCRIPTION_BLOCK, INTERFACE_STATISTIC_BLOCK, PACKET_BLOCK,
    SECTION_HEADER_BLOCK, SIMPLE_PACKET_BLOCK,
};

/// Length of a packet block's fields before its data, in bytes.
const PACKET_HEADER_LEN: usize = 20;

/// A parser of blocks, section by section.
#[derive(Debug)]
pub(super) struct PcapngReader {
    /// Byte order of the current section.
    byte_order: FileEndianness,
    /// Interfaces of the current section.
    interfaces: Vec<InterfaceState>,
    /// Index of the current section's first interface in the file.
    section_start: usize,
}

/// An interface of the current section.
#[derive(Debug)]
struct InterfaceState {
    clock: InterfaceClock,
    /// Time of the last statistics, and the number of dropped packets that they contain.
    statistics: Option<(Timestamp, u64)>,
}

impl Default for PcapngReader {
    /// Returns the state before the first section, whose header contains its byte order.
    fn default() -> PcapngReader {
        PcapngReader {
            byte_order: FileEndianness::Little,
            interfaces: Vec::new(),
            section_start: 0,
        }
    }
}

impl PcapngReader {
    /// Parses the block at the front of `bytes`.
    pub(super) fn parse_next(&mut self, bytes: &[u8], metadata: &mut Metadata) -> ParseStep {
        match self.byte_order {
            FileEndianness::Little => self.parse_block_at_front::<LittleEndian>(bytes, metadata),
            FileEndianness::Big => self.parse_block_at_front::<BigEndian>(bytes, metadata),
        }
    }

    /// True if the current section is big-endian.
    #[inline]
    pub(super) fn is_big_endian(&self) -> bool {
        self.byte_order == FileEndianness::Big
    }

    /// Describes a file that ends inside a block; `rest` is the start of that block.
    pub(super) fn truncation_message(&self, rest: &[u8]) -> String {
        let length = match self.byte_order {
            FileEndianness::Little => framing::parse_block_len::<LittleEndian>(rest),
            FileEndianness::Big => framing::parse_block_len::<BigEndian>(rest),
        };
        let (place, expected) = match length {
            Ok((_, length)) => ("a block", (length as usize).next_multiple_of(4)),
            Err(_) => ("a block header", BLOCK_OVERHEAD),
        };
        format!(
            "the file ends inside {place}: {expected} bytes expected, {} present; \
             it was truncated, perhaps while being written",
            rest.len()
        )
    }

    fn parse_block_at_front<B: ByteOrder>(
        &mut self,
        bytes: &[u8],
        metadata: &mut Metadata,
    ) -> ParseStep {
        let block = match framing::parse_block::<B>(bytes) {
            Ok(block) => block,
            Err(step) => return step,
        };
        let body = &bytes[8..block.size - 4];
        match block.block_type {
            ENHANCED_PACKET_BLOCK => self.parse_packet::<B>(&block, body),
            SIMPLE_PACKET_BLOCK => self.parse_simple_packet::<B>(&block, body, metadata),
            PACKET_BLOCK => self.parse_packet::<B>(&block, body),
            SECTION_HEADER_BLOCK => self.parse_section_header(&block, body, metadata),
            INTERFACE_DESCRIPTION_BLOCK => {
                self.parse_interface_description::<B>(&block, body, metadata)
            }
            INTERFACE_STATISTIC_BLOCK
                if self
                    .parse_interface_statistics::<B>(body, metadata)
                    .is_some() =>
            {
                ParseStep::Skip(block.size)
            }
            _ => {
                metadata.skipped_blocks += 1;
                ParseStep::Skip(block.size)
            }
        }
    }

    /// Parses a section header block.
    ///
    /// ```text
    ///      0               4       6       8                              16
    ///     +---------------+-------+-------+-------------------------------+- - -
    ///     | 0x1A2B3C4D    | major | minor | section length                | options
    ///     +---------------+-------+-------+-------------------------------+- - -
    /// ```
    fn parse_section_header(
        &mut self,
        block: &BlockHeader,
        body: &[u8],
        metadata: &Metadata,
    ) -> ParseStep {
        let Some(fixed) = body.first_chunk::<16>() else {
            return too_short(block, "section header", 16);
        };
        let (byte_order, major, minor) = if fixed[..4] == [0x1A, 0x2B, 0x3C, 0x4D] {
            let [major, minor] = [4, 6].map(|at| BigEndian::read_u16(&fixed[at..at + 2]));
            (FileEndianness::Big, major, minor)
        } else {
            let [major, minor] = [4, 6].map(|at| LittleEndian::read_u16(&fixed[at..at + 2]));
            (FileEndianness::Little, major, minor)
        };
        // Some programs write 1.2 by mistake; it is the same as 1.0.
        if !matches!((major, minor), (1, 0 | 2)) {
            return ParseStep::Damage(format!(
                "unsupported pcapng version {major}.{minor}: lcap reads 1.0; \
                 the file is damaged or newer than this lcap"
            ));
        }
        self.byte_order = byte_order;
        self.section_start = metadata.interfaces.len();
        self.interfaces.clear();
        ParseStep::Skip(block.size)
    }

    /// Parses an interface description block. The reserved field and malformed options are ignored.
    ///
    /// ```text
    ///      0       2       4               8
    ///     +-------+-------+---------------+- - -
    ///     | link  | (0)   | snap length   | options
    ///     +-------+-------+---------------+- - -
    /// ```
    fn parse_interface_description<B: ByteOrder>(
        &mut self,
        block: &BlockHeader,
        body: &[u8],
        metadata: &mut Metadata,
    ) -> ParseStep {
        let Some((fixed, options)) = body.split_first_chunk::<8>() else {
            return too_short(block, "interface description", 8);
        };
        let (mut name, mut description) = (None, None);
        let (mut resolution, mut offset) = (None, None);
        let options = FrameOptions {
            bytes: options,
            big_endian: self.is_big_endian(),
        };
        for (code, value) in options.records() {
            match (code, value) {
                (2, _) if name.is_none() => name = string_option(value),
                (3, _) if description.is_none() => description = string_option(value),
                (9, [if_tsresol, ..]) if resolution.is_none() => resolution = Some(*if_tsresol),
                (14, _) if value.len() == 8 && offset.is_none() => {
                    offset = Some(B::read_i64(value));
                }
                _ => {}
            }
        }
        let clock = InterfaceClock::new(
            resolution.unwrap_or(InterfaceClock::DEFAULT_TSRESOL),
            offset.unwrap_or(0),
        );
        metadata.add_interface(Interface {
            id: 0,
            name,
            description,
            link: LinkType(B::read_u16(&fixed[0..2])),
            snap_len: B::read_u32(&fixed[4..8]),
            resolution: clock.resolution,
        });
        self.interfaces.push(InterfaceState {
            clock,
            statistics: None,
        });
        ParseStep::Skip(block.size)
    }

    /// Parses an interface statistics block. The counters include all drops since the start of the
    /// capture; if they are greater than those of the previous block, packets were dropped between
    /// the times of both blocks. Returns `None` if the block is malformed.
    ///
    /// ```text
    ///      0           4           8           12
    ///     +-----------+-----------+-----------+- - -
    ///     | interface | time high | time low  | options
    ///     +-----------+-----------+-----------+- - -
    /// ```
    fn parse_interface_statistics<B: ByteOrder>(
        &mut self,
        body: &[u8],
        metadata: &mut Metadata,
    ) -> Option<()> {
        const ISB_IFDROP: u16 = 5;
        const ISB_OSDROP: u16 = 7;
        let (fixed, options) = body.split_first_chunk::<12>()?;
        let options = FrameOptions {
            bytes: options,
            big_endian: self.is_big_endian(),
        };
        let id = B::read_u32(&fixed[0..4]) as usize;
        let interface = self.interfaces.get_mut(id)?;
        let [high, low] = [4, 8].map(|at| u64::from(B::read_u32(&fixed[at..at + 4])));
        let time = interface.clock.time(high << 32 | low)?;
        let counters = options.records().filter_map(|(code, value)| match code {
            ISB_IFDROP | ISB_OSDROP => value.first_chunk().copied(),
            _ => None,
        });
        let dropped = counters.fold(0_u64, |sum, value| sum.saturating_add(options.u64(value)));
        let previous = interface.statistics.replace((time, dropped));
        let increase = dropped.saturating_sub(previous.map_or(0, |(_, dropped)| dropped));
        metadata.dropped = metadata.dropped.saturating_add(increase);
        // The first block of an interface does not state when the packets were dropped.
        if let Some((since, _)) = previous
            && increase > 0
        {
            metadata.drops = Some(Drops {
                since,
                until: time,
                count: increase,
            });
        }
        Some(())
    }

    /// Parses an enhanced packet block, or an obsolete packet block, which has two fields in place
    /// of the first.
    ///
    /// ```text
    ///     0     2     4           8           12          16          20
    ///     +-----------+-----------+-----------+-----------+-----------+- - - - -+- - -
    ///     | interface | time high | time low  | capt. len | orig. len | data    | options
    ///     +-----+-----+-----------+-----------+-----------+-----------+- - - - -+- - -
    ///     |int. |drops| (obsolete)                                      padded to 4
    ///     +-----+-----+
    /// ```
    fn parse_packet<B: ByteOrder>(&self, block: &BlockHeader, body: &[u8]) -> ParseStep {
        let Some(fixed) = body.first_chunk::<PACKET_HEADER_LEN>() else {
            return too_short(block, "packet", PACKET_HEADER_LEN);
        };
        let id = if block.block_type == PACKET_BLOCK {
            u32::from(B::read_u16(&fixed[0..2]))
        } else {
            B::read_u32(&fixed[0..4])
        };
        let Some(interface) = self.interfaces.get(id as usize) else {
            return self.undescribed_interface(id);
        };
        let high = u64::from(B::read_u32(&fixed[4..8]));
        let low = u64::from(B::read_u32(&fixed[8..12]));
        let captured = B::read_u32(&fixed[12..16]);
        let available = body.len() - PACKET_HEADER_LEN;
        if captured > MAX_PACKET_LEN || captured as usize > available {
            return too_long(captured, available);
        }
        let Some(time) = interface.clock.time(high << 32 | low) else {
            return unsupported_time();
        };
        let start = 8 + PACKET_HEADER_LEN;
        // Bodies are padded to 4 bytes, so the padding is inside the body as well.
        let padded = start + (captured as usize).next_multiple_of(4);
        ParseStep::Packet(PacketLocation {
            size: block.size,
            time,
            interface: self.section_start + id as usize,
            wire_len: B::read_u32(&fixed[16..20]),
            bytes: start..start + captured as usize,
            options: padded..block.size - 4,
        })
    }

    /// Parses a simple packet block, which belongs to the section's first interface and has no
    /// time.
    ///
    /// ```text
    ///      0               4
    ///     +---------------+- - - - -
    ///     | original len  | data, padded to 4
    ///     +---------------+- - - - -
    /// ```
    fn parse_simple_packet<B: ByteOrder>(
        &self,
        block: &BlockHeader,
        body: &[u8],
        metadata: &Metadata,
    ) -> ParseStep {
        let Some((fixed, data)) = body.split_first_chunk::<4>() else {
            return too_short(block, "simple packet", 4);
        };
        let Some(interface) = metadata.interfaces.get(self.section_start) else {
            return self.undescribed_interface(0);
        };
        let original = B::read_u32(fixed);
        let limit = match interface.snap_len {
            0 => original,
            snap_len => original.min(snap_len),
        };
        let captured = data.len().min(limit as usize);
        if captured > MAX_PACKET_LEN as usize {
            return too_long(limit, data.len());
        }
        let start = 12;
        ParseStep::Packet(PacketLocation {
            size: block.size,
            time: Timestamp::ABSENT,
            interface: self.section_start,
            wire_len: original,
            bytes: start..start + captured,
            options: 0..0,
        })
    }

    #[cold]
    fn undescribed_interface(&self, id: u32) -> ParseStep {
        let described = count_noun(self.interfaces.len() as u64, "interface");
        ParseStep::Damage(format!(
            "a packet refers to interface {id}, but the section describes only {described} so far: \
             a block was lost or overwritten; obtain a new copy of the file"
        ))
    }
}

/// Returns the value of a string option; some writers end it with a zero byte.
fn string_option(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

#[cold]
fn unsupported_time() -> ParseStep {
    ParseStep::Damage(
        "a packet time outside the years 1677 to 2262, which lcap supports: the file was changed, \
         or the clock was wrong; correct the times with `editcap -t SECONDS FILE out.pcapng`"
            .to_owned(),
    )
}

#[cold]
fn too_short(block: &BlockHeader, name: &str, needed: usize) -> ParseStep {
    ParseStep::Damage(format!(
        "a {name} block has only {} bytes, but requires at least {}: \
         the file was overwritten or changed in transit; obtain a new copy",
        block.size,
        needed + BLOCK_OVERHEAD
    ))
}

#[cold]
fn too_long(captured: u32, available: usize) -> ParseStep {
    ParseStep::Damage(format!(
        "a captured length of {captured} bytes in a block with {available} bytes of data \
         (the maximum is {MAX_PACKET_LEN}): \
         the file was overwritten or changed in transit; obtain a new copy"
    ))
}
