//! pcap capture files (<https://www.tcpdump.org/manpages/pcap-savefile.5.html>).

use pcap_file::pcap::{PcapHeader, PcapTsResolution};
use pcap_file::{DataLink, Endianness};

use super::capture_file::{CaptureFile, CaptureFileSink, Encoder};
use super::{Format, SinkFactory};
use crate::error::{Error, Result};
use crate::packet::{Interface, LinkType, Packet, Resolution};

/// Snapshot length in bytes if the interface has no limit: the maximum that other readers accept.
const DEFAULT_SNAP_LEN: u32 = 262_144;

/// The entry of pcap in [`FORMATS`](super::FORMATS).
pub(super) const FORMAT: Format = Format {
    name: "pcap",
    extension: "pcap",
    about: "classic capture file with one link type",
    factory: SinkFactory::CaptureFile(|options, stream| {
        Ok(Box::new(CaptureFileSink::create(
            options,
            stream,
            PcapEncoder::new(options.resolution),
        )?))
    }),
};

/// Encoder of pcap files, which have a single interface.
#[derive(Debug, Default)]
pub struct PcapEncoder {
    resolution: Option<Resolution>,
    /// Link type and resolution in the header of the open file.
    file_header: Option<(LinkType, Resolution)>,
}

impl PcapEncoder {
    /// Returns an encoder with this timestamp resolution; `None` selects the resolution of the
    /// first interface.
    pub fn new(resolution: Option<Resolution>) -> PcapEncoder {
        PcapEncoder {
            resolution,
            file_header: None,
        }
    }
}

impl Encoder for PcapEncoder {
    fn start_file(&mut self, interface: &Interface, out: &mut CaptureFile) -> Result<()> {
        let resolution = self.resolution.unwrap_or(interface.resolution);
        self.file_header = Some((interface.link, resolution));
        let header = PcapHeader {
            snaplen: if interface.snap_len == 0 {
                DEFAULT_SNAP_LEN
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
    fn encode_packet(&mut self, packet: &Packet, out: &mut CaptureFile) -> Result<()> {
        let frame = packet.frame;
        let cannot_encode = |what: String| Error::CannotEncode {
            packet: frame.number,
            what,
        };
        let Some((link, resolution)) = self.file_header else {
            return Err(cannot_encode("the file has no header".into()));
        };
        if link != frame.link {
            return Err(cannot_encode(format!(
                "its link type is {}, but the file has link type {}, and a pcap file has only \
                 one link type; write a .pcapng file instead",
                frame.link.0, link.0
            )));
        }
        // A pcap file stores seconds as an unsigned 32-bit number: 1970 to 2106.
        let seconds = u32::try_from(frame.time.seconds()).map_err(|_| {
            cannot_encode(
                "its time is not from 1970 to 2106, the range of pcap files; write a .pcapng file \
                 instead"
                    .into(),
            )
        })?;
        let fraction = match resolution {
            Resolution::Micro => frame.time.subsec_nanos() / 1000,
            Resolution::Nano => frame.time.subsec_nanos(),
        };
        let captured = frame.bytes.len() as u32;
        //  0         4          8          12         16
        //  | seconds | fraction | captured | original | data |
        let header = [seconds, fraction, captured, frame.wire_len];
        out.write_record(header, frame.bytes, &[])
    }
}
