//! Common interface of the pcap and pcapng readers, for one capture or several appended ones.

use super::appended::{self, Appended};
use super::metadata::Metadata;
use super::parse_step::{PacketLocation, ParseStep};
use super::pcap_reader::{FILE_HEADER_LEN, PcapReader};
use super::pcapng_reader::PcapngReader;
use super::signature::FileKind;
use crate::packet::{Frame, FrameOptions};

/// A reader of the captures in a file.
#[derive(Debug)]
pub(super) struct FormatReader {
    capture: CaptureReader,
    pub(super) metadata: Metadata,
}

/// The reader of the current capture, in the format of that capture.
#[derive(Debug)]
enum CaptureReader {
    Pcap(PcapReader),
    Pcapng(PcapngReader),
}

impl FormatReader {
    /// Creates a reader for a pcap file from the file header, whose magic number has been checked.
    ///
    /// # Errors
    /// A message that describes the fault in the header.
    pub(super) fn pcap(header: &[u8; FILE_HEADER_LEN]) -> Result<FormatReader, String> {
        let (reader, interface) = PcapReader::new(header)?;
        let mut metadata = Metadata::default();
        metadata.add_interface(interface);
        Ok(FormatReader {
            capture: CaptureReader::Pcap(reader),
            metadata,
        })
    }

    /// Creates a reader for a pcapng file, which starts with a section header.
    pub(super) fn pcapng() -> FormatReader {
        FormatReader {
            capture: CaptureReader::Pcapng(PcapngReader::default()),
            metadata: Metadata::default(),
        }
    }

    /// Parses the record or block at the front of `bytes`, or the header of an appended capture.
    #[inline(always)]
    pub(super) fn parse_next(&mut self, bytes: &[u8]) -> ParseStep {
        if appended::has_magic(bytes)
            && let Some(step) = self.start_appended(bytes)
        {
            return step;
        }
        match &mut self.capture {
            CaptureReader::Pcap(records) => records.parse_next(bytes),
            CaptureReader::Pcapng(blocks) => blocks.parse_next(bytes, &mut self.metadata),
        }
    }

    /// Switches to the capture that starts at the front of `bytes`, if one does.
    #[cold]
    fn start_appended(&mut self, bytes: &[u8]) -> Option<ParseStep> {
        match appended::detect(bytes, self.kind())? {
            Appended::Incomplete => Some(ParseStep::NeedMore(FILE_HEADER_LEN)),
            Appended::Pcap(mut reader, interface) => {
                reader.interface = self.metadata.pcap_interface(interface);
                self.capture = CaptureReader::Pcap(reader);
                Some(ParseStep::NewCapture(FILE_HEADER_LEN))
            }
            Appended::PcapNg => {
                self.capture = CaptureReader::Pcapng(PcapngReader::default());
                Some(ParseStep::NewCapture(0))
            }
        }
    }

    fn kind(&self) -> FileKind {
        match self.capture {
            CaptureReader::Pcap(_) => FileKind::Pcap,
            CaptureReader::Pcapng(_) => FileKind::PcapNg,
        }
    }

    /// Describes a file that ends inside a record or block; `rest` is its start.
    pub(super) fn truncation_message(&self, rest: &[u8]) -> String {
        if let Some(Appended::Incomplete) = appended::detect(rest, self.kind()) {
            return format!(
                "the file ends inside the header of another capture: {FILE_HEADER_LEN} bytes \
                 expected, {} present; it was truncated, perhaps while being written",
                rest.len()
            );
        }
        match &self.capture {
            CaptureReader::Pcap(records) => records.truncation_message(rest),
            CaptureReader::Pcapng(blocks) => blocks.truncation_message(rest),
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
        let interface = &self.metadata.interfaces[found.interface];
        Frame {
            number,
            time: found.time,
            interface,
            link: interface.link,
            wire_len: found.wire_len,
            bytes: &record[found.bytes],
            options: match &self.capture {
                CaptureReader::Pcap(_) => FrameOptions::default(),
                CaptureReader::Pcapng(blocks) => FrameOptions {
                    bytes: &record[found.options],
                    big_endian: blocks.is_big_endian(),
                },
            },
        }
    }
}
