//! Capture files made byte by byte, well formed or not (pcap-savefile(5), draft-ietf-opsawg-pcapng), and what lcap reads in them.

use lcap::error::Error;
use lcap::packet::{Interface, LinkType};
use lcap::source::{FileSource, Losses, Next, Source, file};
use std::io::{Read, Write};

/// Byte order of what is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

pub(crate) const ORDERS: [Order; 2] = [Order::Little, Order::Big];

/// A file in the making.
#[derive(Debug, Clone)]
pub(crate) struct Craft {
    pub(crate) bytes: Vec<u8>,
    order: Order,
}

impl Craft {
    /// A pcap file: magic number, version, link type field.
    pub(crate) fn pcap(order: Order, magic: u32, version: (u16, u16), link: u32) -> Craft {
        let mut craft = Craft {
            bytes: Vec::new(),
            order,
        };
        craft.u32(magic).u16(version.0).u16(version.1);
        craft.u32(0).u32(0).u32(65_535).u32(link);
        craft
    }

    /// A plain record; the captured length is the data's.
    pub(crate) fn record(&mut self, time: (u32, u32), original: u32, data: &[u8]) -> &mut Craft {
        self.u32(time.0).u32(time.1);
        self.u32(data.len() as u32).u32(original).raw(data)
    }

    /// A pcapng file, up to its first section header.
    pub(crate) fn pcapng(order: Order) -> Craft {
        let mut craft = Craft {
            bytes: Vec::new(),
            order,
        };
        craft.section(order);
        craft
    }

    /// A section header.
    pub(crate) fn section(&mut self, order: Order) -> &mut Craft {
        self.order = order;
        let mut body = self.body();
        body.u32(0x1A2B_3C4D)
            .u16(1)
            .u16(0)
            .u32(u32::MAX)
            .u32(u32::MAX);
        self.block(0x0A0D_0D0A, &body.bytes)
    }

    /// An interface description with options as (code, value).
    pub(crate) fn interface(
        &mut self,
        link: u16,
        snap_len: u32,
        options: &[(u16, &[u8])],
    ) -> &mut Craft {
        let mut body = self.body();
        body.u16(link).u16(0xBEEF).u32(snap_len).options(options);
        self.block(1, &body.bytes)
    }

    /// An enhanced packet block.
    pub(crate) fn enhanced(
        &mut self,
        interface: u32,
        ticks: u64,
        original: u32,
        data: &[u8],
        options: &[(u16, &[u8])],
    ) -> &mut Craft {
        let mut body = self.body();
        body.u32(interface)
            .u32((ticks >> 32) as u32)
            .u32(ticks as u32)
            .u32(data.len() as u32)
            .u32(original)
            .padded(data)
            .options(options);
        self.block(6, &body.bytes)
    }

    /// Any block.
    pub(crate) fn block(&mut self, kind: u32, body: &[u8]) -> &mut Craft {
        let length = body.len() as u32 + 12;
        self.u32(kind).u32(length).raw(body).u32(length)
    }

    /// Nothing yet, of the same byte order.
    pub(crate) fn body(&self) -> Craft {
        Craft {
            bytes: Vec::new(),
            order: self.order,
        }
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Craft {
        match self.order {
            Order::Little => self.raw(&value.to_le_bytes()),
            Order::Big => self.raw(&value.to_be_bytes()),
        }
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Craft {
        match self.order {
            Order::Little => self.raw(&value.to_le_bytes()),
            Order::Big => self.raw(&value.to_be_bytes()),
        }
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Craft {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(crate) fn padded(&mut self, bytes: &[u8]) -> &mut Craft {
        let padding = bytes.len().next_multiple_of(4) - bytes.len();
        self.raw(bytes).raw(&[0; 3][..padding])
    }

    pub(crate) fn options(&mut self, options: &[(u16, &[u8])]) -> &mut Craft {
        for (code, value) in options {
            self.u16(*code).u16(value.len() as u16).padded(value);
        }
        self
    }
}

/// A frame that outlives its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) number: u64,
    pub(crate) nanos: i64,
    pub(crate) interface: Interface,
    pub(crate) link: LinkType,
    pub(crate) wire_len: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) options: (Vec<u8>, bool),
}

/// All that a file has: its frames, the error that ended them, what was passed over.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) frames: Vec<Seen>,
    pub(crate) error: Option<Error>,
    pub(crate) losses: Losses,
}

impl Whole {
    /// The times, in nanoseconds.
    pub(crate) fn nanos(&self) -> Vec<i64> {
        self.frames.iter().map(|frame| frame.nanos).collect()
    }

    /// The error's words, none if there was no error.
    pub(crate) fn complaint(&self) -> String {
        self.error
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    }
}

/// Reads to the end, and checks that it is one.
pub(crate) fn drain(opened: lcap::error::Result<FileSource>) -> Whole {
    let mut whole = Whole {
        frames: Vec::new(),
        error: None,
        losses: Losses::default(),
    };
    let mut source = match opened {
        Ok(source) => source,
        Err(e) => {
            whole.error = Some(e);
            return whole;
        }
    };
    loop {
        match source.next() {
            Ok(Next::Frame(frame)) => whole.frames.push(Seen {
                number: frame.number,
                nanos: frame.time.0,
                interface: frame.interface.clone(),
                link: frame.link,
                wire_len: frame.wire_len,
                bytes: frame.bytes.to_vec(),
                options: (frame.options.bytes.to_vec(), frame.options.big_endian),
            }),
            Ok(Next::Idle(_)) => {}
            Ok(Next::End) => break,
            Err(e) => {
                assert!(whole.error.is_none(), "a second error: {e}");
                whole.error = Some(e);
            }
        }
    }
    assert!(matches!(source.next(), Ok(Next::End)));
    whole.losses = source.losses();
    whole
}

/// Reads `bytes` as a mapped file.
pub(crate) fn mapped(bytes: &[u8]) -> Whole {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    drain(file::open(file.path()))
}

/// Reads `bytes` as a stream that gives at most `portion` at once.
pub(crate) fn streamed(bytes: &[u8], portion: usize) -> Whole {
    let reader = Portions {
        bytes: bytes.to_vec(),
        at: 0,
        portion,
    };
    drain(file::read("stream", reader))
}

/// A reader that gives a little at once, and says so if it is asked to fill much more than it ever gave.
struct Portions {
    bytes: Vec<u8>,
    at: usize,
    portion: usize,
}

impl Read for Portions {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        assert!(
            buffer.len() <= 2 * self.at + 256 * 1024,
            "a buffer of {} bytes after {}",
            buffer.len(),
            self.at
        );
        let count = self
            .portion
            .min(buffer.len())
            .min(self.bytes.len() - self.at);
        buffer[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
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
