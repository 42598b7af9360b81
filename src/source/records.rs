//! The records of a pcap file: <https://www.tcpdump.org/manpages/pcap-savefile.5.html>, draft-ietf-opsawg-pcap.

use super::found::{Found, LARGEST_PACKET, Located, Order};
use crate::packet::{Frame, Interface, LinkType, Options, Resolution, Timestamp};
use byteorder_slice::{BigEndian, ByteOrder, LittleEndian};
use pcap_file::Endianness;
use pcap_file::pcap::{PcapHeader, PcapTsResolution, RawPcapPacket};

/// How long the file's header is, in bytes.
pub(super) const FILE_HEADER: usize = 24;

/// Reads the records that follow a pcap file's header.
#[derive(Debug, Clone)]
pub(super) struct Records {
    order: Order,
    shape: Shape,
    /// The byte order, where records are laid out as everybody writes them.
    plain: Option<Order>,
    /// Nanoseconds in one unit of a fraction of a second.
    fraction: i64,
    /// What the file's one interface is.
    pub(super) interface: Interface,
}

/// How a record's header is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// As everybody writes it.
    Plain,
    /// Version 2.3: both lengths may have changed places.
    PerhapsSwapped,
    /// Before version 2.3, and 543.0: both lengths have changed places.
    Swapped,
    /// Alexey Kuznetzov's: eight more bytes.
    Kuznetzov,
}

impl Records {
    /// From the header, whose magic number says that it is one.
    ///
    /// ```text
    ///      0       2       4               8              12              16              20              24
    ///     +-------+-------+-------+-------+---------------+---------------+---------------+---------------+
    ///     |  magic number | major | minor |    (0)        |   (0)         |  snap length  |F|  0  |  link |
    ///     +-------+-------+-------+-------+---------------+---------------+---------------+---------------+
    /// ```
    /// `F`, the upper six bits, tell of a frame check sequence.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn new(header: &[u8; FILE_HEADER]) -> Result<Records, String> {
        let (standard, kuznetzov) = standardised(header);
        let (_, header) = PcapHeader::from_slice(&standard).map_err(|e| e.to_string())?;
        let shape = match (header.version_major, header.version_minor) {
            (2, 4) if kuznetzov => Shape::Kuznetzov,
            (2, 4) => Shape::Plain,
            (2, 3) => Shape::PerhapsSwapped,
            (2, 0..=2) | (543, 0) => Shape::Swapped,
            (major, minor) => {
                return Err(format!(
                    "a pcap file of version {major}.{minor}, which nobody reads: versions 2.0 to 2.4 exist; \
                     if the file was damaged on the way, get it again"
                ));
            }
        };
        let link = u32::from(header.datalink);
        if link & 0x03FF_0000 != 0 {
            return Err(format!(
                "the link type field {link:#010x} has reserved bits set: the file's header is damaged, \
                 or a newer format than lcap reads"
            ));
        }
        let (resolution, fraction) = match header.ts_resolution {
            PcapTsResolution::MicroSecond => (Resolution::Micro, 1000),
            PcapTsResolution::NanoSecond => (Resolution::Nano, 1),
        };
        let order = match header.endianness {
            Endianness::Little => Order::Little,
            Endianness::Big => Order::Big,
        };
        Ok(Records {
            order,
            shape,
            plain: (shape == Shape::Plain).then_some(order),
            fraction,
            interface: Interface {
                link: LinkType(link as u16),
                snap_len: header.snaplen,
                resolution,
                ..Interface::default()
            },
        })
    }

    /// What stands at the front of `bytes`.
    #[inline(always)]
    pub(super) fn step(&self, bytes: &[u8]) -> Found {
        if let Some(located) = self.plain(bytes) {
            return Found::Packet(located);
        }
        // Taken apart, so that what the usual way gives need not stand in memory.
        match self.rare(bytes) {
            Found::Packet(located) => Found::Packet(located),
            other => other,
        }
    }

    /// A plain record that is whole, at the front of `bytes`.
    #[inline(always)]
    pub(super) fn plain(&self, bytes: &[u8]) -> Option<Located> {
        match self.plain? {
            Order::Little => self.read_plain::<LittleEndian>(bytes),
            Order::Big => self.read_plain::<BigEndian>(bytes),
        }
    }

    /// The frame that was found in `record`.
    #[inline(always)]
    pub(super) fn frame<'a>(&'a self, number: u64, found: Located, record: &'a [u8]) -> Frame<'a> {
        Frame {
            number,
            time: found.time,
            interface: &self.interface,
            link: self.interface.link,
            wire_len: found.wire_len,
            bytes: &record[found.bytes],
            options: Options::default(),
        }
    }

    /// What the end of the file says that comes before the end of a record.
    pub(super) fn cut(&self, rest: &[u8]) -> String {
        let header = self.shape.header();
        let Some(data) = rest.len().checked_sub(header) else {
            return format!(
                "the file ends inside a packet's header: {header} bytes expected, {} present; \
                 it was cut, perhaps while being written",
                rest.len()
            );
        };
        let announced = match self.order {
            Order::Little => self.fields::<LittleEndian>(rest).captured,
            Order::Big => self.fields::<BigEndian>(rest).captured,
        };
        format!(
            "the file ends inside a packet: {announced} bytes announced, {data} present; \
             it was cut, perhaps while being written"
        )
    }

    #[inline(always)]
    fn read_plain<B: ByteOrder>(&self, bytes: &[u8]) -> Option<Located> {
        let (_, raw) = RawPcapPacket::from_slice::<B>(bytes).ok()?;
        (raw.incl_len <= LARGEST_PACKET).then(|| {
            let fields = Fields {
                seconds: raw.ts_sec,
                fraction: raw.ts_frac,
                captured: raw.incl_len,
                original: raw.orig_len,
            };
            self.packet(fields, Shape::Plain.header())
        })
    }

    /// Everything but a whole plain record.
    #[cold]
    fn rare(&self, bytes: &[u8]) -> Found {
        match self.order {
            Order::Little => self.read_rare::<LittleEndian>(bytes),
            Order::Big => self.read_rare::<BigEndian>(bytes),
        }
    }

    fn read_rare<B: ByteOrder>(&self, bytes: &[u8]) -> Found {
        let header = self.shape.header();
        if bytes.len() < header {
            return Found::More(header);
        }
        let fields = self.fields::<B>(bytes);
        if fields.captured > LARGEST_PACKET {
            return Found::Damage(format!(
                "a packet of {} bytes is announced, and none has more than {LARGEST_PACKET}: \
                 this is no packet header, the file was overwritten or changed on the way; get it again",
                fields.captured
            ));
        }
        let size = header + fields.captured as usize;
        if bytes.len() < size {
            return Found::More(size);
        }
        Found::Packet(self.packet(fields, header))
    }

    /// Reads a record's header, of which `bytes` has at least [`Shape::header`].
    ///
    /// ```text
    ///      0               4               8              12              16              20      22  23  24
    ///     +---------------+---------------+---------------+---------------+---------------+-------+---+---+
    ///     |    seconds    | µs or ns      | captured len  | original len  : interface     : proto :dir:   :
    ///     +---------------+---------------+---------------+---------------+---------------+-------+---+---+
    ///                                                     plain data from here            Kuznetzov's from here
    /// ```
    fn fields<B: ByteOrder>(&self, bytes: &[u8]) -> Fields {
        let mut fields = Fields {
            seconds: B::read_u32(&bytes[0..4]),
            fraction: B::read_u32(&bytes[4..8]),
            captured: B::read_u32(&bytes[8..12]),
            original: B::read_u32(&bytes[12..16]),
        };
        let swapped = match self.shape {
            Shape::Plain | Shape::Kuznetzov => false,
            // More captured than there was means swapped, if either number is one of a packet at all.
            Shape::PerhapsSwapped => (fields.original..=LARGEST_PACKET).contains(&fields.captured),
            Shape::Swapped => true,
        };
        if swapped {
            std::mem::swap(&mut fields.captured, &mut fields.original);
        }
        fields
    }

    #[inline(always)]
    fn packet(&self, fields: Fields, start: usize) -> Located {
        let end = start + fields.captured as usize;
        // The largest sum is 2³² s and 2³² µs, which is half of the range; a fraction above a second carries.
        let time =
            i64::from(fields.seconds) * 1_000_000_000 + i64::from(fields.fraction) * self.fraction;
        Located {
            size: end,
            time: Timestamp(time),
            interface: 0,
            wire_len: fields.original,
            bytes: start..end,
            options: 0..0,
        }
    }
}

/// What a record's header says.
#[derive(Clone, Copy)]
struct Fields {
    seconds: u32,
    fraction: u32,
    captured: u32,
    original: u32,
}

impl Shape {
    /// How long a record's header is, in bytes.
    fn header(self) -> usize {
        match self {
            Shape::Plain | Shape::PerhapsSwapped | Shape::Swapped => 16,
            Shape::Kuznetzov => 24,
        }
    }
}

/// The header with the usual magic number, and whether it had Kuznetzov's, which differs in its records only.
fn standardised(header: &[u8; FILE_HEADER]) -> ([u8; FILE_HEADER], bool) {
    let mut standard = *header;
    let magic: [u8; 4] = match header[..4] {
        [0xA1, 0xB2, 0xCD, 0x34] => [0xA1, 0xB2, 0xC3, 0xD4],
        [0x34, 0xCD, 0xB2, 0xA1] => [0xD4, 0xC3, 0xB2, 0xA1],
        _ => return (standard, false),
    };
    standard[..4].copy_from_slice(&magic);
    (standard, true)
}
