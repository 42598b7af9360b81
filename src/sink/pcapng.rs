//! pcapng capture files (draft-ietf-opsawg-pcapng): nanoseconds, multiple interfaces, comments.

use std::time::Duration;

use byteorder_slice::NativeEndian;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgState};
use pcap_file::{DataLink, Endianness};

use super::annotations::Annotations;
use super::capture_file::{CaptureFile, CaptureFileSink, Encoder};
use super::{Format, SinkFactory};
use crate::error::Result;
use crate::packet::{Drops, Frame, FrameOptions, Interface, Packet, Timestamp};

/// Block type of an enhanced packet block.
const ENHANCED_PACKET_BLOCK: u32 = 6;
/// Block type of a simple packet block.
const SIMPLE_PACKET_BLOCK: u32 = 3;

/// The entry of pcapng in [`FORMATS`](super::FORMATS).
pub(super) const FORMAT: Format = Format {
    name: "pcapng",
    extension: "pcapng",
    about: "capture file with nanoseconds, comments and any number of interfaces",
    factory: SinkFactory::CaptureFile(|options, stream| {
        Ok(Box::new(CaptureFileSink::create(
            options,
            stream,
            PcapngEncoder::new(options.annotate),
        )?))
    }),
};

/// Encoder of pcapng files, which have any number of interfaces.
#[derive(Debug, Default)]
pub struct PcapngEncoder {
    /// Interfaces described in the current section, in file order.
    described: Vec<DescribedInterface>,
    /// State that the crate pcap-file keeps for the current section.
    state: PcapNgState,
    scratch: Vec<u8>,
    /// Options that are added to packets without options; `None` if none are added.
    annotations: Option<Annotations>,
    /// Number of packets that the live capture dropped in the current section.
    dropped: u64,
}

/// An interface that is described in the current section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DescribedInterface {
    /// Its [`Interface::id`] in the source.
    id: u32,
    /// Start of its timestamps.
    base: TimeBase,
}

/// Start of the timestamps of an interface, which are unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeBase {
    /// 1970.
    Epoch,
    /// The start of the range of [`Timestamp`], for earlier times: an interface with both kinds of
    /// times is described twice.
    RangeStart,
}

impl TimeBase {
    /// Returns the base for a time.
    #[inline]
    fn of(time: Timestamp) -> TimeBase {
        match time.0 < 0 {
            true => TimeBase::RangeStart,
            false => TimeBase::Epoch,
        }
    }

    /// Returns the seconds to add to each timestamp (`if_tsoffset`).
    fn offset(self) -> i64 {
        match self {
            TimeBase::Epoch => 0,
            TimeBase::RangeStart => Timestamp::MIN.seconds(),
        }
    }

    /// Returns the nanoseconds from the base to a time.
    #[inline]
    fn ticks(self, time: Timestamp) -> u64 {
        // The base is up to one second before the range, so its product wraps around. The
        // difference, which is below 2⁶⁴ ns, wraps back.
        time.0
            .wrapping_sub(self.offset().wrapping_mul(1_000_000_000)) as u64
    }
}

impl Encoder for PcapngEncoder {
    fn start_file(&mut self, interface: &Interface, out: &mut CaptureFile) -> Result<()> {
        self.write_section_header(out)?;
        self.write_interface_description(interface, TimeBase::Epoch, out)
    }

    #[inline]
    fn encode_packet(&mut self, packet: &Packet, out: &mut CaptureFile) -> Result<()> {
        let frame = packet.frame;
        if !frame.time.is_present() {
            // A simple packet block, the only packet block without a timestamp, always belongs to
            // the first interface of its section, so another interface requires a new section.
            let first = self.described.first();
            if first.is_none_or(|first| first.id != frame.interface.id) {
                self.start_file(frame.interface, out)?;
            }
            return write_simple_packet(frame, out);
        }
        let interface = DescribedInterface {
            id: frame.interface.id,
            base: TimeBase::of(frame.time),
        };
        let index = match self.described.iter().position(|found| *found == interface) {
            Some(index) => index,
            None => {
                self.write_interface_description(frame.interface, interface.base, out)?;
                self.described.len() - 1
            }
        };
        self.write_enhanced_packet(packet, index as u32, out)
    }

    /// Writes two interface statistics blocks, between whose times the counter of drops grows.
    fn encode_drops(&mut self, drops: Drops, out: &mut CaptureFile) -> Result<()> {
        let before = self.dropped;
        self.dropped = before.saturating_add(drops.count);
        for (time, dropped) in [(drops.since, before), (drops.until, self.dropped)] {
            let block = InterfaceStatisticsBlock {
                // A live capture has one interface.
                interface_id: 0,
                timestamp: Duration::from_nanos(time.0.max(0) as u64),
                options: vec![InterfaceStatisticsOption::IsbOsDrop(dropped)],
            };
            self.write_block(block, out)?;
        }
        Ok(())
    }
}

impl PcapngEncoder {
    /// Returns an encoder that adds flags and the owners to packets, or copies their options.
    pub fn new(annotate: bool) -> PcapngEncoder {
        PcapngEncoder {
            annotations: annotate.then(Annotations::default),
            ..PcapngEncoder::default()
        }
    }

    /// Writes a section header block; interface IDs restart at 0.
    fn write_section_header(&mut self, out: &mut CaptureFile) -> Result<()> {
        let program = concat!("lcap ", env!("CARGO_PKG_VERSION"));
        let block = SectionHeaderBlock {
            endianness: Endianness::native(),
            options: vec![SectionHeaderOption::UserApplication(program.into())],
            ..SectionHeaderBlock::default()
        };
        self.state = PcapNgState::default();
        self.described.clear();
        self.dropped = 0;
        self.write_block(block, out)
    }

    fn write_interface_description(
        &mut self,
        interface: &Interface,
        base: TimeBase,
        out: &mut CaptureFile,
    ) -> Result<()> {
        let mut options = Vec::new();
        if let Some(name) = &interface.name {
            options.push(InterfaceDescriptionOption::IfName(name.into()));
        }
        if let Some(description) = &interface.description {
            options.push(InterfaceDescriptionOption::IfDescription(
                description.into(),
            ));
        }
        options.push(InterfaceDescriptionOption::IfTsResol(
            InterfaceTsResolution::NANO,
        ));
        if base.offset() != 0 {
            options.push(InterfaceDescriptionOption::IfTsOffset(base.offset()));
        }
        let block = InterfaceDescriptionBlock {
            linktype: DataLink::from(u32::from(interface.link.0)),
            snaplen: interface.snap_len,
            options,
        };
        self.described.push(DescribedInterface {
            id: interface.id,
            base,
        });
        self.write_block(block, out)
    }

    /// Writes any block except packet blocks.
    fn write_block<'a>(
        &mut self,
        block: impl PcapNgBlock<'a>,
        out: &mut CaptureFile,
    ) -> Result<()> {
        let block = block.into_block();
        let result = block.write_to::<NativeEndian, _>(&self.state, out.buffer());
        result.map_err(std::io::Error::other)?;
        self.state.update_from_block(&block);
        Ok(())
    }

    //  0      4       8           12        16       20         24         28
    //  | type | total | interface | ts high | ts low | captured | original | data … | total |
    //
    // The data is followed by padding to a multiple of 4 bytes and by options.
    fn write_enhanced_packet(
        &mut self,
        packet: &Packet,
        interface: u32,
        out: &mut CaptureFile,
    ) -> Result<()> {
        const FIXED_LEN: usize = 28;
        let frame = packet.frame;
        let padding = frame.bytes.len().wrapping_neg() & 3;
        self.scratch.clear();
        self.scratch.resize(padding, 0);
        match &mut self.annotations {
            Some(annotations) => annotations.push_options(packet, &mut self.scratch),
            None => copy_options(frame.options, &mut self.scratch),
        }
        let total = (FIXED_LEN + frame.bytes.len() + self.scratch.len() + 4) as u32;
        self.scratch.extend(total.to_ne_bytes());
        let time = TimeBase::of(frame.time).ticks(frame.time);
        let fields = [
            ENHANCED_PACKET_BLOCK,
            total,
            interface,
            (time >> 32) as u32,
            time as u32,
            frame.bytes.len() as u32,
            frame.wire_len,
        ];
        out.write_record(fields, frame.bytes, &self.scratch)
    }
}

//  0       4       8          12
//  | type  | total | original | data, padding | total |
fn write_simple_packet(frame: &Frame, out: &mut CaptureFile) -> Result<()> {
    const FIXED_LEN: usize = 12;
    let padding = frame.bytes.len().wrapping_neg() & 3;
    let total = (FIXED_LEN + frame.bytes.len() + padding + 4) as u32;
    let mut tail = [0; 8];
    tail[padding..padding + 4].copy_from_slice(&total.to_ne_bytes());
    let header = [SIMPLE_PACKET_BLOCK, total, frame.wire_len];
    out.write_record(header, frame.bytes, &tail[..padding + 4])
}

/// Appends the options of a packet block, with numbers converted to native byte order. Stops at the
/// first truncated option.
fn copy_options(options: FrameOptions, out: &mut Vec<u8>) {
    /// `epb_flags`, `epb_queue` and `epb_processid_threadid`.
    const U32_OPTIONS: [u16; 3] = [2, 6, 8];
    /// `epb_dropcount` and `epb_packetid`.
    const U64_OPTIONS: [u16; 2] = [4, 5];
    /// Custom options, which start with a 32-bit enterprise number.
    const CUSTOM_OPTIONS: [u16; 4] = [2988, 2989, 19372, 19373];
    let is_byte_swapped = options.big_endian != cfg!(target_endian = "big");
    let before = out.len();
    for (code, value) in options.records() {
        let len = value.len();
        out.extend(code.to_ne_bytes());
        out.extend((len as u16).to_ne_bytes());
        let start = out.len();
        out.extend_from_slice(value);
        out.extend(std::iter::repeat_n(0, len.wrapping_neg() & 3));
        let (number_size, numbers_len) = match code {
            _ if U32_OPTIONS.contains(&code) => (4, len),
            _ if U64_OPTIONS.contains(&code) => (8, len),
            _ if CUSTOM_OPTIONS.contains(&code) => (4, len.min(4)),
            _ => (1, 0),
        };
        if is_byte_swapped {
            out[start..start + numbers_len]
                .chunks_exact_mut(number_size)
                .for_each(<[u8]>::reverse);
        }
    }
    if out.len() > before {
        // opt_endofopt.
        out.extend([0; 4]);
    }
}
