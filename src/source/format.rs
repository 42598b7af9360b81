//! The formats of capture files, behind one face.

use super::blocks::Blocks;
use super::found::{Found, Located};
use super::records::Records;
use crate::packet::{Frame, Options};

/// What a file consists of.
#[derive(Debug, Clone)]
pub(super) enum Format {
    Records(Records),
    Blocks(Blocks),
}

impl Format {
    /// What stands at the front of `bytes`.
    #[inline(always)]
    pub(super) fn step(&mut self, bytes: &[u8]) -> Found {
        match self {
            Format::Records(records) => records.step(bytes),
            // Taken apart: what a call returns stands in memory, and what records say would have to stand there too.
            Format::Blocks(blocks) => match blocks.step(bytes) {
                Found::Packet(located) => Found::Packet(located),
                other => other,
            },
        }
    }

    /// The frame that was found in `record`.
    #[inline(always)]
    pub(super) fn frame<'a>(&'a self, number: u64, found: Located, record: &'a [u8]) -> Frame<'a> {
        let blocks = match self {
            Format::Records(records) => return records.frame(number, found, record),
            Format::Blocks(blocks) => blocks,
        };
        let interface = blocks.interface(found.interface);
        Frame {
            number,
            time: found.time,
            interface,
            link: interface.link,
            wire_len: found.wire_len,
            bytes: &record[found.bytes],
            options: Options {
                bytes: &record[found.options],
                big_endian: blocks.is_big_endian(),
            },
        }
    }

    /// How many blocks without a packet were passed over.
    pub(super) fn skipped_blocks(&self) -> u64 {
        match self {
            Format::Records(_) => 0,
            Format::Blocks(blocks) => blocks.skipped,
        }
    }
}
