//! Boundaries of pcapng blocks (draft-ietf-opsawg-pcapng, "General Block Structure").

use super::parse_step::{FileEndianness, ParseStep};
use byteorder_slice::{BigEndian, ByteOrder, LittleEndian};
use pcap_file::pcapng::blocks::SECTION_HEADER_BLOCK;
use std::ops::Range;

/// Length of the fields before and after a block's body, together, in bytes.
pub(super) const BLOCK_OVERHEAD: usize = 12;

/// Maximum length of a block in bytes, the same as in libpcap and Wireshark.
const MAX_BLOCK_LEN: u32 = 16 * 1024 * 1024;

/// The header of a block, whose body is at offsets 8 to `size - 4`.
pub(super) struct BlockHeader {
    /// Block type code.
    pub(super) block_type: u32,
    /// Size of the whole block in bytes, with padding.
    pub(super) size: usize,
}

/// Parses the block at the front, if it is complete.
///
/// ```text
///      0               4               8                 length - 4        length
///     +---------------+---------------+- - - - - - - - -+---------------+
///     | type          | length        | body            | length again  |
///     +---------------+---------------+- - - - - - - - -+---------------+
/// ```
/// A length that is not a multiple of 4 is rounded up, as in Wireshark.
pub(super) fn parse_block<B: ByteOrder>(bytes: &[u8]) -> Result<BlockHeader, ParseStep> {
    let (byte_order, length) = parse_block_len::<B>(bytes)?;
    if !(BLOCK_OVERHEAD as u32..=MAX_BLOCK_LEN).contains(&length) {
        return Err(ParseStep::Damage(format!(
            "a block length of {length} bytes, outside the range {BLOCK_OVERHEAD} to {MAX_BLOCK_LEN}: \
             the file was overwritten or changed in transit; obtain a new copy"
        )));
    }
    let size = (length as usize).next_multiple_of(4);
    if bytes.len() < size {
        return Err(ParseStep::NeedMore(size));
    }
    let trailer: Range<usize> = size - 4..size;
    let trailing = match byte_order {
        FileEndianness::Little => LittleEndian::read_u32(&bytes[trailer]),
        FileEndianness::Big => BigEndian::read_u32(&bytes[trailer]),
    };
    if trailing != length {
        return Err(ParseStep::Damage(format!(
            "the two lengths of a block differ, {length} before its body and {trailing} after it: \
             the file was overwritten or changed in transit; obtain a new copy"
        )));
    }
    // The first 4 bytes exist, because the length after them was read.
    let block_type = B::read_u32(&bytes[..4]);
    Ok(BlockHeader { block_type, size })
}

/// Returns a block's byte order and length; a section header contains its own byte order.
pub(super) fn parse_block_len<B: ByteOrder>(
    bytes: &[u8],
) -> Result<(FileEndianness, u32), ParseStep> {
    let Some(first) = bytes.first_chunk::<BLOCK_OVERHEAD>() else {
        return Err(ParseStep::NeedMore(BLOCK_OVERHEAD));
    };
    let length = &first[4..8];
    if first[..4] != SECTION_HEADER_BLOCK.to_be_bytes() {
        let byte_order = if B::read_u16(&[0, 1]) == 1 {
            FileEndianness::Big
        } else {
            FileEndianness::Little
        };
        return Ok((byte_order, B::read_u32(length)));
    }
    match first[8..] {
        [0x1A, 0x2B, 0x3C, 0x4D] => Ok((FileEndianness::Big, BigEndian::read_u32(length))),
        [0x4D, 0x3C, 0x2B, 0x1A] => Ok((FileEndianness::Little, LittleEndian::read_u32(length))),
        _ => Err(ParseStep::Damage(
            "a section header without the byte-order magic 1a2b3c4d: \
             the file was overwritten or changed in transit; obtain a new copy"
                .to_owned(),
        )),
    }
}
