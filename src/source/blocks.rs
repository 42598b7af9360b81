//! The blocks of a pcapng file (draft-ietf-opsawg-pcapng), read as leniently as libpcap and Wireshark read them.

use super::clock::Clock;
use super::found::{Found, LARGEST_PACKET, Located, Order};
use super::framing::{self, Block, FRAME, OptionRecords};
use crate::packet::{Interface, LinkType, Timestamp};
use byteorder_slice::{BigEndian, ByteOrder, LittleEndian};
use pcap_file::pcapng::blocks::{
    ENHANCED_PACKET_BLOCK, INTERFACE_DESCRIPTION_BLOCK, PACKET_BLOCK, SECTION_HEADER_BLOCK,
    SIMPLE_PACKET_BLOCK,
};

/// What a packet block has before its data.
const PACKET_HEADER: usize = 20;

/// Reads blocks, section by section.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    /// Of the present section.
    order: Order,
    /// Of all sections.
    interfaces: Vec<Described>,
    /// Where the present section's interfaces begin among them.
    section: usize,
    /// How many blocks carried no packet and described none.
    pub(super) skipped: u64,
}

/// An interface and how it counts time.
#[derive(Debug, Clone)]
struct Described {
    interface: Interface,
    clock: Clock,
}

impl Default for Blocks {
    /// Before the first section, whose header says its byte order.
    fn default() -> Blocks {
        Blocks {
            order: Order::Little,
            interfaces: Vec::new(),
            section: 0,
            skipped: 0,
        }
    }
}

impl Blocks {
    /// What stands at the front of `bytes`.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Found {
        match self.order {
            Order::Little => self.read::<LittleEndian>(bytes),
            Order::Big => self.read::<BigEndian>(bytes),
        }
    }

    /// The interface at a position that [`step`](Self::step) gave.
    #[inline]
    pub(super) fn interface(&self, position: usize) -> &Interface {
        &self.interfaces[position].interface
    }

    /// All interfaces so far.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces.iter().map(|described| &described.interface)
    }

    /// Whether the present section's numbers are big-endian.
    #[inline]
    pub(super) fn is_big_endian(&self) -> bool {
        self.order == Order::Big
    }

    /// What the end of the file says that comes before the end of a block.
    pub(super) fn cut(&self, rest: &[u8]) -> String {
        let length = match self.order {
            Order::Little => framing::length::<LittleEndian>(rest),
            Order::Big => framing::length::<BigEndian>(rest),
        };
        let (place, expected) = match length {
            Ok((_, length)) => ("a block", (length as usize).next_multiple_of(4)),
            Err(_) => ("a block's header", FRAME),
        };
        format!(
            "the file ends inside {place}: {expected} bytes expected, {} present; \
             it was cut, perhaps while being written",
            rest.len()
        )
    }

    fn read<B: ByteOrder>(&mut self, bytes: &[u8]) -> Found {
        let block = match framing::block::<B>(bytes) {
            Ok(block) => block,
            Err(found) => return found,
        };
        let body = &bytes[8..block.size - 4];
        match block.kind {
            ENHANCED_PACKET_BLOCK => self.packet::<B>(&block, body),
            SIMPLE_PACKET_BLOCK => self.simple_packet::<B>(&block, body),
            PACKET_BLOCK => self.packet::<B>(&block, body),
            SECTION_HEADER_BLOCK => self.section(&block, body),
            INTERFACE_DESCRIPTION_BLOCK => self.describe::<B>(&block, body),
            _ => {
                self.skipped += 1;
                Found::Skip(block.size)
            }
        }
    }

    /// Section header block.
    ///
    /// ```text
    ///      0               4       6       8                              16
    ///     +---------------+-------+-------+-------------------------------+- - -
    ///     | 0x1A2B3C4D    | major | minor | section length                | options
    ///     +---------------+-------+-------+-------------------------------+- - -
    /// ```
    fn section(&mut self, block: &Block, body: &[u8]) -> Found {
        let Some(fixed) = body.first_chunk::<16>() else {
            return short(block, "section header", 16);
        };
        let (order, major, minor) = if fixed[..4] == [0x1A, 0x2B, 0x3C, 0x4D] {
            let [major, minor] = [4, 6].map(|at| BigEndian::read_u16(&fixed[at..at + 2]));
            (Order::Big, major, minor)
        } else {
            let [major, minor] = [4, 6].map(|at| LittleEndian::read_u16(&fixed[at..at + 2]));
            (Order::Little, major, minor)
        };
        // 1.2 was written by mistake and means 1.0.
        if !matches!((major, minor), (1, 0 | 2)) {
            return Found::Damage(format!(
                "a pcapng section of version {major}.{minor}, and only 1.0 exists: \
                 the file is damaged, or newer than lcap"
            ));
        }
        self.order = order;
        self.section = self.interfaces.len();
        Found::Skip(block.size)
    }

    /// Interface description block. The reserved field and broken options are overlooked.
    ///
    /// ```text
    ///      0       2       4               8
    ///     +-------+-------+---------------+- - -
    ///     | link  | (0)   | snap length   | options
    ///     +-------+-------+---------------+- - -
    /// ```
    fn describe<B: ByteOrder>(&mut self, block: &Block, body: &[u8]) -> Found {
        let Some((fixed, options)) = body.split_first_chunk::<8>() else {
            return short(block, "interface description", 8);
        };
        let (mut name, mut description) = (None, None);
        let (mut resolution, mut offset) = (None, None);
        for (code, value) in OptionRecords::<B>::new(options) {
            match (code, value) {
                (2, _) if name.is_none() => name = text(value),
                (3, _) if description.is_none() => description = text(value),
                (9, [if_tsresol, ..]) if resolution.is_none() => resolution = Some(*if_tsresol),
                (14, _) if value.len() == 8 && offset.is_none() => {
                    offset = Some(B::read_i64(value));
                }
                _ => {}
            }
        }
        let clock = Clock::new(
            resolution.unwrap_or(Clock::MICROSECONDS),
            offset.unwrap_or(0),
        );
        let interface = Interface {
            id: self.interfaces.len() as u32,
            name,
            description,
            link: LinkType(B::read_u16(&fixed[0..2])),
            snap_len: B::read_u32(&fixed[4..8]),
            resolution: clock.resolution,
        };
        self.interfaces.push(Described { interface, clock });
        Found::Skip(block.size)
    }

    /// Enhanced packet block, and the obsolete packet block, which has two numbers in place of the first.
    ///
    /// ```text
    ///      0       2       4               8              12              16              20
    ///     +---------------+---------------+---------------+---------------+---------------+- - - - -+- - -
    ///     | interface     | time (high)   | time (low)    | captured len  | original len  | data    | options
    ///     +-------+-------+---------------+---------------+---------------+---------------+- - - - -+- - -
    ///     | int.  | drops |  (obsolete)                                                     padded to 4
    ///     +-------+-------+
    /// ```
    fn packet<B: ByteOrder>(&self, block: &Block, body: &[u8]) -> Found {
        let Some(fixed) = body.first_chunk::<PACKET_HEADER>() else {
            return short(block, "packet", PACKET_HEADER);
        };
        let id = if block.kind == PACKET_BLOCK {
            u32::from(B::read_u16(&fixed[0..2]))
        } else {
            B::read_u32(&fixed[0..4])
        };
        let Some(described) = self.interfaces[self.section..].get(id as usize) else {
            return self.unknown_interface(id);
        };
        let high = u64::from(B::read_u32(&fixed[4..8]));
        let low = u64::from(B::read_u32(&fixed[8..12]));
        let captured = B::read_u32(&fixed[12..16]);
        let room = body.len() - PACKET_HEADER;
        if captured > LARGEST_PACKET || captured as usize > room {
            return too_long(captured, room);
        }
        let start = 8 + PACKET_HEADER;
        // Bodies are padded to 4, so the padding is there as well.
        let padded = start + (captured as usize).next_multiple_of(4);
        Found::Packet(Located {
            size: block.size,
            time: described.clock.time(high << 32 | low),
            interface: self.section + id as usize,
            wire_len: B::read_u32(&fixed[16..20]),
            bytes: start..start + captured as usize,
            options: padded..block.size - 4,
        })
    }

    /// Simple packet block: of the section's first interface, and no time.
    ///
    /// ```text
    ///      0               4
    ///     +---------------+- - - - -
    ///     | original len  | data, padded to 4
    ///     +---------------+- - - - -
    /// ```
    fn simple_packet<B: ByteOrder>(&self, block: &Block, body: &[u8]) -> Found {
        let Some((fixed, data)) = body.split_first_chunk::<4>() else {
            return short(block, "simple packet", 4);
        };
        let Some(described) = self.interfaces.get(self.section) else {
            return self.unknown_interface(0);
        };
        let original = B::read_u32(fixed);
        let limit = match described.interface.snap_len {
            0 => original,
            snap_len => original.min(snap_len),
        };
        let captured = data.len().min(limit as usize);
        if captured > LARGEST_PACKET as usize {
            return too_long(limit, data.len());
        }
        let start = 12;
        Found::Packet(Located {
            size: block.size,
            time: Timestamp::UNKNOWN,
            interface: self.section,
            wire_len: original,
            bytes: start..start + captured,
            options: 0..0,
        })
    }

    #[cold]
    fn unknown_interface(&self, id: u32) -> Found {
        Found::Damage(format!(
            "a packet of interface {id}, and the section has described {} so far: \
             a block was lost or overwritten; get the file again",
            self.interfaces.len() - self.section
        ))
    }
}

/// A string option; some writers end them with a zero byte.
fn text(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

#[cold]
fn short(block: &Block, name: &str, needed: usize) -> Found {
    Found::Damage(format!(
        "a {name} block has {} bytes, and needs at least {}: \
         the file was overwritten or changed on the way; get it again",
        block.size,
        needed + FRAME
    ))
}

#[cold]
fn too_long(captured: u32, room: usize) -> Found {
    Found::Damage(format!(
        "a packet of {captured} bytes is announced in a block with room for {room}, \
         and none has more than {LARGEST_PACKET}: \
         the file was overwritten or changed on the way; get it again"
    ))
}
