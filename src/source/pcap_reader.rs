//! Records of a pcap file: <https://www.tcpdump.org/manpages/pcap-savefile.5.html>,
//! draft-ietf-opsawg-pcap.

use super::parse_step::{FileEndianness, MAX_PACKET_LEN, PacketLocation, ParseStep};
use crate::packet::{Interface, LinkType, Resolution, Timestamp};
use byteorder_slice::{BigEndian, ByteOrder, LittleEndian};
use pcap_file::Endianness;
use pcap_file::pcap::{PcapHeader, PcapTsResolution};

/// Length of the file header in bytes.
pub(super) const FILE_HEADER_LEN: usize = 24;

/// A reader of the records that follow the header of a pcap file.
#[derive(Debug)]
pub(super) struct PcapReader {
    byte_order: FileEndianness,
    layout: RecordLayout,
    /// Nanoseconds per unit of the fraction field.
    nanos_per_fraction: i64,
    /// Index of the capture's only interface in the file.
    pub(super) interface: usize,
}

/// Layout of a record header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecordLayout {
    /// Version 2.4, which every current program writes.
    Plain,
    /// Version 2.3: the two lengths may be swapped.
    MaybeSwapped,
    /// Versions before 2.3, and 543.0: the two lengths are swapped.
    Swapped,
    /// Alexey Kuznetzov's variant: eight more bytes.
    Kuznetzov,
}

impl PcapReader {
    /// Creates a reader from the file header, whose magic number has been checked, for the first
    /// interface of a file. Also returns that interface.
    ///
    /// ```text
    ///     0           4     6     8           12          16          20          24
    ///     +-----------+-----+-----+-----------+-----------+-----------+-----------+
    ///     | magic     |major|minor| (0)       | (0)       | snap len  |F| 0 |link |
    ///     +-----------+-----+-----+-----------+-----------+-----------+-----------+
    /// ```
    /// `F`, the upper six bits, describes the frame check sequence.
    ///
    /// # Errors
    /// A message that describes the fault in the header.
    pub(super) fn new(header: &[u8; FILE_HEADER_LEN]) -> Result<(PcapReader, Interface), String> {
        let (standard, kuznetzov) = normalize_magic(header);
        let (_, header) = PcapHeader::from_slice(&standard).map_err(|e| e.to_string())?;
        let layout = match (header.version_major, header.version_minor) {
            (2, 4) if kuznetzov => RecordLayout::Kuznetzov,
            (2, 4) => RecordLayout::Plain,
            (2, 3) => RecordLayout::MaybeSwapped,
            (2, 0..=2) | (543, 0) => RecordLayout::Swapped,
            (major, minor) => {
                return Err(format!(
                    "unsupported pcap version {major}.{minor}: lcap reads 2.0 to 2.4; \
                     if the file was damaged in transit, obtain a new copy"
                ));
            }
        };
        let link = u32::from(header.datalink);
        if link & 0x03FF_0000 != 0 {
            return Err(format!(
                "the link type field {link:#010x} has reserved bits set: \
                 the file header is damaged, or the format is newer than lcap supports"
            ));
        }
        let (resolution, nanos_per_fraction) = match header.ts_resolution {
            PcapTsResolution::MicroSecond => (Resolution::Micro, 1000),
            PcapTsResolution::NanoSecond => (Resolution::Nano, 1),
        };
        let byte_order = match header.endianness {
            Endianness::Little => FileEndianness::Little,
            Endianness::Big => FileEndianness::Big,
        };
        let interface = Interface {
            link: LinkType(link as u16),
            snap_len: header.snaplen,
            resolution,
            ..Interface::default()
        };
        let reader = PcapReader {
            byte_order,
            layout,
            nanos_per_fraction,
            interface: 0,
        };
        Ok((reader, interface))
    }

    /// Parses the record at the front of `bytes`.
    #[inline]
    pub(super) fn parse_next(&self, bytes: &[u8]) -> ParseStep {
        match self.byte_order {
            FileEndianness::Little => self.parse_next_as::<LittleEndian>(bytes),
            FileEndianness::Big => self.parse_next_as::<BigEndian>(bytes),
        }
    }

    /// Describes a file that ends inside a record; `rest` is the start of that record.
    pub(super) fn truncation_message(&self, rest: &[u8]) -> String {
        let header = self.layout.header_len();
        let Some(data) = rest.len().checked_sub(header) else {
            return format!(
                "the file ends inside a packet header: {header} bytes expected, {} present; \
                 it was truncated, perhaps while being written",
                rest.len()
            );
        };
        let expected = match self.byte_order {
            FileEndianness::Little => self.parse_record_header::<LittleEndian>(rest).captured_len,
            FileEndianness::Big => self.parse_record_header::<BigEndian>(rest).captured_len,
        };
        format!(
            "the file ends inside a packet: {expected} bytes expected, {data} present; \
             it was truncated, perhaps while being written"
        )
    }

    #[inline]
    fn parse_next_as<B: ByteOrder>(&self, bytes: &[u8]) -> ParseStep {
        let header = self.layout.header_len();
        if bytes.len() < header {
            return ParseStep::NeedMore(header);
        }
        let fields = self.parse_record_header::<B>(bytes);
        if fields.captured_len > MAX_PACKET_LEN {
            return ParseStep::Damage(format!(
                "a packet header with a captured length of {} bytes, above the limit of {MAX_PACKET_LEN}: \
                 the file was overwritten or changed in transit; obtain a new copy",
                fields.captured_len
            ));
        }
        let size = header + fields.captured_len as usize;
        if bytes.len() < size {
            return ParseStep::NeedMore(size);
        }
        ParseStep::Packet(self.packet_location(fields, header))
    }

    /// Reads a record header; `bytes` must hold at least [`RecordLayout::header_len`] bytes.
    ///
    /// ```text
    ///     0           4           8           12          16          20    22 23 24
    ///     +-----------+-----------+-----------+-----------+-----------+-----+--+--+
    ///     | seconds   | µs or ns  | capt. len | orig. len : interface :proto: d:  :
    ///     +-----------+-----------+-----------+-----------+-----------+-----+--+--+
    /// ```
    /// The data starts at 16 in plain records and at 24 in Kuznetzov's; `d` is the direction.
    #[inline]
    fn parse_record_header<B: ByteOrder>(&self, bytes: &[u8]) -> RecordHeader {
        let mut fields = RecordHeader {
            seconds: B::read_u32(&bytes[0..4]),
            fraction: B::read_u32(&bytes[4..8]),
            captured_len: B::read_u32(&bytes[8..12]),
            original_len: B::read_u32(&bytes[12..16]),
        };
        let swapped = match self.layout {
            RecordLayout::Plain | RecordLayout::Kuznetzov => false,
            // A captured length above the original length means that they are swapped, provided
            // that it is a possible packet length.
            RecordLayout::MaybeSwapped => {
                (fields.original_len..=MAX_PACKET_LEN).contains(&fields.captured_len)
            }
            RecordLayout::Swapped => true,
        };
        if swapped {
            std::mem::swap(&mut fields.captured_len, &mut fields.original_len);
        }
        fields
    }

    #[inline]
    fn packet_location(&self, fields: RecordHeader, start: usize) -> PacketLocation {
        let end = start + fields.captured_len as usize;
        // The largest sum is 2³² s and 2³² µs, half of the range; a fraction above one second
        // carries.
        let time = i64::from(fields.seconds) * 1_000_000_000
            + i64::from(fields.fraction) * self.nanos_per_fraction;
        PacketLocation {
            size: end,
            time: Timestamp(time),
            interface: self.interface,
            wire_len: fields.original_len,
            bytes: start..end,
            options: 0..0,
        }
    }
}

/// The fields of a record header.
#[derive(Clone, Copy)]
struct RecordHeader {
    seconds: u32,
    fraction: u32,
    captured_len: u32,
    original_len: u32,
}

impl RecordLayout {
    /// Returns the length of a record header in bytes.
    fn header_len(self) -> usize {
        match self {
            RecordLayout::Plain | RecordLayout::MaybeSwapped | RecordLayout::Swapped => 16,
            RecordLayout::Kuznetzov => 24,
        }
    }
}

/// Returns the header with the standard magic number, and true if it was the magic number of
/// Kuznetzov's variant, which differs only in its records.
fn normalize_magic(header: &[u8; FILE_HEADER_LEN]) -> ([u8; FILE_HEADER_LEN], bool) {
    let mut standard = *header;
    let magic: [u8; 4] = match header[..4] {
        [0xA1, 0xB2, 0xCD, 0x34] => [0xA1, 0xB2, 0xC3, 0xD4],
        [0x34, 0xCD, 0xB2, 0xA1] => [0xD4, 0xC3, 0xB2, 0xA1],
        _ => return (standard, false),
    };
    standard[..4].copy_from_slice(&magic);
    (standard, true)
}
