//! pcapng files (draft-ietf-opsawg-pcapng): nanoseconds, many interfaces, comments.

use byteorder_slice::NativeEndian;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgState};
use pcap_file::{DataLink, Endianness};

use super::save::{Encoder, Out, Save};
use super::{Format, Open};
use crate::error::Result;
use crate::packet::{Frame, Interface, Options, Packet};

/// Block type of an enhanced packet block.
const ENHANCED: u32 = 6;
/// Block type of a simple packet block.
const SIMPLE: u32 = 3;

/// pcapng's row of the formats.
pub(super) const FORMAT: Format = Format {
    name: "pcapng",
    extension: "pcapng",
    about: "capture file with nanoseconds, comments and any number of interfaces",
    open: Open::Saved(|saving| Ok(Box::new(Save::create(saving, Pcapng::default())?))),
};

/// Encodes packets of any number of interfaces.
#[derive(Debug, Default)]
pub struct Pcapng {
    /// The interfaces described in the section so far: the source's number of each, in the file's order.
    described: Vec<u32>,
    /// What pcap-file keeps of the section.
    state: PcapNgState,
    scratch: Vec<u8>,
}

impl Encoder for Pcapng {
    fn begin(&mut self, interface: &Interface, out: &mut Out) -> Result<()> {
        self.section(out)?;
        self.describe(interface, out)
    }

    #[inline]
    fn packet(&mut self, packet: &Packet, out: &mut Out) -> Result<()> {
        let frame = packet.frame;
        let known = self
            .described
            .iter()
            .position(|&id| id == frame.interface.id);
        if !frame.time.is_known() {
            // A block without a time stamp always belongs to its section's first interface.
            if known != Some(0) {
                self.begin(frame.interface, out)?;
            }
            return simple(frame, out);
        }
        let at = match known {
            Some(at) => at,
            None => {
                self.describe(frame.interface, out)?;
                self.described.len() - 1
            }
        };
        self.enhanced(frame, at as u32, out)
    }
}

impl Pcapng {
    /// Writes a section header; interfaces are counted anew.
    fn section(&mut self, out: &mut Out) -> Result<()> {
        let program = concat!("lcap ", env!("CARGO_PKG_VERSION"));
        let block = SectionHeaderBlock {
            endianness: Endianness::native(),
            options: vec![SectionHeaderOption::UserApplication(program.into())],
            ..SectionHeaderBlock::default()
        };
        self.state = PcapNgState::default();
        self.described.clear();
        self.block(block, out)
    }

    fn describe(&mut self, interface: &Interface, out: &mut Out) -> Result<()> {
        use InterfaceDescriptionOption as Option;
        let mut options = Vec::new();
        if let Some(name) = &interface.name {
            options.push(Option::IfName(name.into()));
        }
        if let Some(description) = &interface.description {
            options.push(Option::IfDescription(description.into()));
        }
        options.push(Option::IfTsResol(InterfaceTsResolution::NANO));
        let block = InterfaceDescriptionBlock {
            linktype: DataLink::from(u32::from(interface.link.0)),
            snaplen: interface.snap_len,
            options,
        };
        self.described.push(interface.id);
        self.block(block, out)
    }

    /// Writes a block that is not a packet's.
    fn block<'a>(&mut self, block: impl PcapNgBlock<'a>, out: &mut Out) -> Result<()> {
        let block = block.into_block();
        let written = block.write_to::<NativeEndian, _>(&self.state, out.buffer());
        written.map_err(std::io::Error::other)?;
        self.state.update_from_block(&block);
        Ok(())
    }

    //  0       4       8           12        16        20        24         28
    //  | type  | total | interface | ts high | ts low  | captured | original | data, padding, options | total |
    fn enhanced(&mut self, frame: &Frame, interface: u32, out: &mut Out) -> Result<()> {
        const FIXED: usize = 28;
        let padding = frame.bytes.len().wrapping_neg() & 3;
        self.scratch.clear();
        self.scratch.resize(padding, 0);
        copy_options(frame.options, &mut self.scratch);
        let total = (FIXED + frame.bytes.len() + self.scratch.len() + 4) as u32;
        self.scratch.extend(total.to_ne_bytes());
        let time = frame.time.0 as u64;
        let fields = [
            ENHANCED,
            total,
            interface,
            (time >> 32) as u32,
            time as u32,
            frame.bytes.len() as u32,
            frame.wire_len,
        ];
        out.write(fields, frame.bytes, &self.scratch)
    }
}

//  0       4       8          12
//  | type  | total | original | data, padding | total |
fn simple(frame: &Frame, out: &mut Out) -> Result<()> {
    const FIXED: usize = 12;
    let padding = frame.bytes.len().wrapping_neg() & 3;
    let total = (FIXED + frame.bytes.len() + padding + 4) as u32;
    let mut tail = [0; 8];
    tail[padding..padding + 4].copy_from_slice(&total.to_ne_bytes());
    let header = [SIMPLE, total, frame.wire_len];
    out.write(header, frame.bytes, &tail[..padding + 4])
}

/// Appends the options of a packet block, numbers turned into this machine's byte order; stops where they are not whole.
fn copy_options(options: Options, out: &mut Vec<u8>) {
    /// Options whose values are numbers: flags, drop count, packet id, queue, process and thread.
    const WORDS: [u16; 3] = [2, 6, 8];
    const LONG_WORDS: [u16; 2] = [4, 5];
    /// Custom options begin with an enterprise number.
    const CUSTOM: [u16; 4] = [2988, 2989, 19372, 19373];
    let foreign = options.big_endian != cfg!(target_endian = "big");
    let before = out.len();
    for (code, value) in options.records() {
        let len = value.len();
        out.extend(code.to_ne_bytes());
        out.extend((len as u16).to_ne_bytes());
        let start = out.len();
        out.extend_from_slice(value);
        out.extend(std::iter::repeat_n(0, len.wrapping_neg() & 3));
        let (size, numbers) = match code {
            _ if WORDS.contains(&code) => (4, len),
            _ if LONG_WORDS.contains(&code) => (8, len),
            _ if CUSTOM.contains(&code) => (4, len.min(4)),
            _ => (1, 0),
        };
        if foreign {
            out[start..start + numbers]
                .chunks_exact_mut(size)
                .for_each(<[u8]>::reverse);
        }
    }
    if out.len() > before {
        // End of options.
        out.extend([0; 4]);
    }
}
