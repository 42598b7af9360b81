//! Classic capture files (<https://www.tcpdump.org/manpages/pcap-savefile.5.html>).

use pcap_file::pcap::{PcapHeader, PcapTsResolution};
use pcap_file::{DataLink, Endianness};

use super::save::{Encoder, Out, Save};
use super::{Format, Open};
use crate::error::{Error, Result};
use crate::packet::{Interface, LinkType, Packet, Resolution};

/// The most bytes of a packet that other readers accept.
const SNAP_LEN: u32 = 262_144;

/// Classic pcap's row of the formats.
pub(super) const FORMAT: Format = Format {
    name: "pcap",
    extension: "pcap",
    about: "classic capture file, one link type",
    open: Open::Saved(|saving| {
        Ok(Box::new(Save::create(
            saving,
            Pcap::new(saving.resolution),
        )?))
    }),
};

/// Encodes the one interface that a classic file has room for.
#[derive(Debug, Default)]
pub struct Pcap {
    resolution: Option<Resolution>,
    /// What the open file's header says.
    current: Option<(LinkType, Resolution)>,
}

impl Pcap {
    /// Writes time stamps this fine; none given is as fine as the first interface's.
    pub fn new(resolution: Option<Resolution>) -> Pcap {
        Pcap {
            resolution,
            current: None,
        }
    }
}

impl Encoder for Pcap {
    fn begin(&mut self, interface: &Interface, out: &mut Out) -> Result<()> {
        let resolution = self.resolution.unwrap_or(interface.resolution);
        self.current = Some((interface.link, resolution));
        let header = PcapHeader {
            snaplen: if interface.snap_len == 0 {
                SNAP_LEN
            } else {
                interface.snap_len
            },
            datalink: DataLink::from(u32::from(interface.link.0)),
            ts_resolution: match resolution {
                Resolution::Micro => PcapTsResolution::MicroSecond,
                Resolution::Nano => PcapTsResolution::NanoSecond,
            },
            endianness: Endianness::native(),
            ..PcapHeader::default()
        };
        header
            .write_to(out.buffer())
            .map_err(std::io::Error::other)?;
        Ok(())
    }

    #[inline]
    fn packet(&mut self, packet: &Packet, out: &mut Out) -> Result<()> {
        let frame = packet.frame;
        let refused = |what: String| Error::Unwritable {
            packet: frame.number,
            what,
        };
        let Some((link, resolution)) = self.current else {
            return Err(refused("the file has no header".into()));
        };
        if link != frame.link {
            return Err(refused(format!(
                "its link type is {} and the file's is {}; a classic pcap file holds one: write a \
                 .pcapng file",
                frame.link.0, link.0
            )));
        }
        // Seconds are unsigned here: 1970 to 2106.
        let seconds = u32::try_from(frame.time.seconds()).map_err(|_| {
            refused("a classic pcap file holds the years 1970 to 2106: write a .pcapng file".into())
        })?;
        let fraction = match resolution {
            Resolution::Micro => frame.time.nanos() / 1000,
            Resolution::Nano => frame.time.nanos(),
        };
        let captured = frame.bytes.len() as u32;
        //  0         4          8          12         16
        //  | seconds | fraction | captured | original | data |
        let header = [seconds, fraction, captured, frame.wire_len];
        out.write(header, frame.bytes, &[])
    }
}
