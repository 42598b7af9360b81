//! Builder of well-formed and malformed capture files (pcap-savefile(5), draft-ietf-opsawg-pcapng),
//! and functions that read them with lcap.

use lcap::internals::error::Error;
use lcap::internals::packet::{Interface, LinkType};
use lcap::internals::source::{FileSource, Losses, Source, SourceEvent, file};
use std::io::{Read, Write};

/// Byte order of a capture file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

pub(crate) const BYTE_ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

/// A capture file under construction.
#[derive(Debug, Clone)]
pub(crate) struct CaptureBuilder {
    pub(crate) bytes: Vec<u8>,
    byte_order: ByteOrder,
}

impl CaptureBuilder {
    /// Starts a pcap file with this magic number, version and link type field.
    pub(crate) fn pcap(
        order: ByteOrder,
        magic: u32,
        version: (u16, u16),
        link: u32,
    ) -> CaptureBuilder {
        let mut builder = CaptureBuilder {
            bytes: Vec::new(),
            byte_order: order,
        };
        builder.u32(magic).u16(version.0).u16(version.1);
        builder.u32(0).u32(0).u32(65_535).u32(link);
        builder
    }

    /// Appends a pcap record whose captured length is the length of `data`.
    pub(crate) fn record(
        &mut self,
        time: (u32, u32),
        original: u32,
        data: &[u8],
    ) -> &mut CaptureBuilder {
        self.u32(time.0).u32(time.1);
        self.u32(data.len() as u32).u32(original).raw(data)
    }

    /// Starts a pcapng file with a section header.
    pub(crate) fn pcapng(order: ByteOrder) -> CaptureBuilder {
        let mut builder = CaptureBuilder {
            bytes: Vec::new(),
            byte_order: order,
        };
        builder.section(order);
        builder
    }

    /// Appends a section header block.
    pub(crate) fn section(&mut self, order: ByteOrder) -> &mut CaptureBuilder {
        self.byte_order = order;
        let mut body = self.empty_body();
        body.u32(0x1A2B_3C4D)
            .u16(1)
            .u16(0)
            .u32(u32::MAX)
            .u32(u32::MAX);
        self.block(0x0A0D_0D0A, &body.bytes)
    }

    /// Appends an interface description block with options as (code, value).
    pub(crate) fn interface(
        &mut self,
        link: u16,
        snap_len: u32,
        options: &[(u16, &[u8])],
    ) -> &mut CaptureBuilder {
        let mut body = self.empty_body();
        body.u16(link).u16(0xBEEF).u32(snap_len).options(options);
        self.block(1, &body.bytes)
    }

    /// Appends an enhanced packet block.
    pub(crate) fn enhanced_packet(
        &mut self,
        interface: u32,
        ticks: u64,
        original: u32,
        data: &[u8],
        options: &[(u16, &[u8])],
    ) -> &mut CaptureBuilder {
        let mut body = self.empty_body();
        body.u32(interface)
            .u32((ticks >> 32) as u32)
            .u32(ticks as u32)
            .u32(data.len() as u32)
            .u32(original)
            .padded(data)
            .options(options);
        self.block(6, &body.bytes)
    }

    /// Appends a block of any type.
    pub(crate) fn block(&mut self, kind: u32, body: &[u8]) -> &mut CaptureBuilder {
        let length = body.len() as u32 + 12;
        self.u32(kind).u32(length).raw(body).u32(length)
    }

    /// Returns an empty builder of the same byte order, for the body of a block.
    pub(crate) fn empty_body(&self) -> CaptureBuilder {
        CaptureBuilder {
            bytes: Vec::new(),
            byte_order: self.byte_order,
        }
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut CaptureBuilder {
        match self.byte_order {
            ByteOrder::Little => self.raw(&value.to_le_bytes()),
            ByteOrder::Big => self.raw(&value.to_be_bytes()),
        }
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut CaptureBuilder {
        match self.byte_order {
            ByteOrder::Little => self.raw(&value.to_le_bytes()),
            ByteOrder::Big => self.raw(&value.to_be_bytes()),
        }
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut CaptureBuilder {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(crate) fn padded(&mut self, bytes: &[u8]) -> &mut CaptureBuilder {
        let padding = bytes.len().next_multiple_of(4) - bytes.len();
        self.raw(bytes).raw(&[0; 3][..padding])
    }

    pub(crate) fn options(&mut self, options: &[(u16, &[u8])]) -> &mut CaptureBuilder {
        for (code, value) in options {
            self.u16(*code).u16(value.len() as u16).padded(value);
        }
        self
    }
}

/// An owned copy of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnedFrame {
    pub(crate) number: u64,
    pub(crate) nanos: i64,
    pub(crate) interface: Interface,
    pub(crate) link: LinkType,
    pub(crate) wire_len: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) options: (Vec<u8>, bool),
}

/// Contents of a capture file: frames, the error at the end, and losses.
#[derive(Debug)]
pub(crate) struct CaptureContents {
    pub(crate) frames: Vec<OwnedFrame>,
    pub(crate) error: Option<Error>,
    pub(crate) losses: Losses,
}

impl CaptureContents {
    /// Returns the times of the frames, in nanoseconds since the epoch.
    pub(crate) fn nanos(&self) -> Vec<i64> {
        self.frames.iter().map(|frame| frame.nanos).collect()
    }

    /// Returns the text of the error; empty if no error occurred.
    pub(crate) fn error_text(&self) -> String {
        self.error
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    }
}

/// Reads to the end, and asserts that the source then only returns `End`.
pub(crate) fn read_all(opened: lcap::internals::error::Result<FileSource>) -> CaptureContents {
    let mut contents = CaptureContents {
        frames: Vec::new(),
        error: None,
        losses: Losses::default(),
    };
    let mut source = match opened {
        Ok(source) => source,
        Err(e) => {
            contents.error = Some(e);
            return contents;
        }
    };
    loop {
        match source.next() {
            Ok(SourceEvent::Frame(frame)) => contents.frames.push(OwnedFrame {
                number: frame.number,
                nanos: frame.time.0,
                interface: frame.interface.clone(),
                link: frame.link,
                wire_len: frame.wire_len,
                bytes: frame.bytes.to_vec(),
                options: (frame.options.bytes.to_vec(), frame.options.big_endian),
            }),
            Ok(SourceEvent::Idle(_) | SourceEvent::Dropped(_)) => {}
            Ok(SourceEvent::End) => break,
            Err(e) => {
                assert!(contents.error.is_none(), "a second error: {e}");
                contents.error = Some(e);
            }
        }
    }
    assert!(matches!(source.next(), Ok(SourceEvent::End)));
    contents.losses = source.losses();
    contents
}

/// Reads `bytes` as a file.
pub(crate) fn read_stored(bytes: &[u8]) -> CaptureContents {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    read_all(file::open(file.path()))
}

/// Reads `bytes` as a stream that returns at most `chunk_size` bytes per read.
pub(crate) fn read_streamed(bytes: &[u8], chunk_size: usize) -> CaptureContents {
    let reader = LimitedReader {
        bytes: bytes.to_vec(),
        position: 0,
        chunk_size,
    };
    read_all(file::read("stream", reader))
}

/// Reader that returns small chunks, and panics if a buffer is much larger than all bytes read so
/// far: memory must not be allocated for lengths that a file merely announces.
struct LimitedReader {
    bytes: Vec<u8>,
    position: usize,
    chunk_size: usize,
}

impl Read for LimitedReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        assert!(
            buffer.len() <= 2 * self.position + 256 * 1024,
            "a buffer of {} bytes after {} bytes were read",
            buffer.len(),
            self.position
        );
        let count = self
            .chunk_size
            .min(buffer.len())
            .min(self.bytes.len() - self.position);
        buffer[..count].copy_from_slice(&self.bytes[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}

/// Returns a capture of UDP datagrams, each with this number of bytes and from a different port.
pub(crate) fn udp_datagrams(count: u16, payload_len: u16) -> Vec<u8> {
    const RAW: u32 = 101;
    let (udp_len, ip_len) = (8 + payload_len, 28 + payload_len);
    let mut capture = CaptureBuilder::pcap(ByteOrder::Little, 0xA1B2_C3D4, (2, 4), RAW);
    for number in 0..count {
        let mut packet = vec![0x45, 0];
        packet.extend(ip_len.to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        packet.extend((20_000 + number).to_be_bytes());
        packet.extend([0, 9]);
        packet.extend(udp_len.to_be_bytes());
        packet.extend([0, 0]);
        packet.resize(usize::from(ip_len), b'x');
        capture.record((1, u32::from(number)), u32::from(ip_len), &packet);
    }
    capture.bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
