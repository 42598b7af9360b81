//! Where a pcapng block begins and ends, and where its options do (draft-ietf-opsawg-pcapng, "General Block Structure" and "Options").

use super::found::{Found, Order};
use byteorder_slice::{BigEndian, ByteOrder, LittleEndian};
use pcap_file::pcapng::RawBlock;
use pcap_file::pcapng::blocks::SECTION_HEADER_BLOCK;
use std::marker::PhantomData;
use std::ops::Range;

/// What stands before and after a block's body, together.
pub(super) const FRAME: usize = 12;

/// The most bytes that a block may have, as in libpcap and Wireshark.
const LARGEST_BLOCK: u32 = 16 * 1024 * 1024;

/// A block: its body stands between 8 and `size - 4`.
pub(super) struct Block {
    /// Which type it is of.
    pub(super) kind: u32,
    /// How many bytes it has.
    pub(super) size: usize,
}

/// The block at the front, if all of it is there.
///
/// ```text
///      0               4               8                 length - 4        length
///     +---------------+---------------+- - - - - - - - -+---------------+
///     | type          | length        | body            | length again  |
///     +---------------+---------------+- - - - - - - - -+---------------+
/// ```
pub(super) fn block<B: ByteOrder>(bytes: &[u8]) -> Result<Block, Found> {
    if let Ok((_, raw)) = RawBlock::from_slice::<B>(bytes)
        && raw.initial_len <= LARGEST_BLOCK
    {
        return Ok(Block {
            kind: raw.type_,
            size: raw.initial_len as usize,
        });
    }
    rare_block::<B>(bytes)
}

/// The same for what is not whole, not a block, or has a length that is no multiple of 4, which Wireshark rounds up.
#[cold]
fn rare_block<B: ByteOrder>(bytes: &[u8]) -> Result<Block, Found> {
    let (order, length) = length::<B>(bytes)?;
    if !(FRAME as u32..=LARGEST_BLOCK).contains(&length) {
        return Err(Found::Damage(format!(
            "a block of {length} bytes is announced, and blocks have {FRAME} to {LARGEST_BLOCK}: \
             this is no block, the file was overwritten or changed on the way; get it again"
        )));
    }
    let size = (length as usize).next_multiple_of(4);
    if bytes.len() < size {
        return Err(Found::More(size));
    }
    let trailer: Range<usize> = size - 4..size;
    let again = match order {
        Order::Little => LittleEndian::read_u32(&bytes[trailer]),
        Order::Big => BigEndian::read_u32(&bytes[trailer]),
    };
    if again != length {
        return Err(Found::Damage(format!(
            "a block has {length} bytes by the length before it and {again} by the length after it, \
             which should be the same: the file was overwritten or changed on the way; get it again"
        )));
    }
    // Its first bytes are there, or there would be no length.
    let kind = B::read_u32(&bytes[..4]);
    Ok(Block { kind, size })
}

/// A block's byte order and length, of which a section header says the first itself.
pub(super) fn length<B: ByteOrder>(bytes: &[u8]) -> Result<(Order, u32), Found> {
    let Some(first) = bytes.first_chunk::<FRAME>() else {
        return Err(Found::More(FRAME));
    };
    let length = &first[4..8];
    if first[..4] != SECTION_HEADER_BLOCK.to_be_bytes() {
        let order = if B::read_u16(&[0, 1]) == 1 {
            Order::Big
        } else {
            Order::Little
        };
        return Ok((order, B::read_u32(length)));
    }
    match first[8..] {
        [0x1A, 0x2B, 0x3C, 0x4D] => Ok((Order::Big, BigEndian::read_u32(length))),
        [0x4D, 0x3C, 0x2B, 0x1A] => Ok((Order::Little, LittleEndian::read_u32(length))),
        _ => Err(Found::Damage(
            "a section header without its byte order mark 1a2b3c4d: \
             the file was overwritten or changed on the way; get it again"
                .to_owned(),
        )),
    }
}

/// Option records, until their end or until one is broken.
pub(super) struct OptionRecords<'a, B> {
    rest: &'a [u8],
    order: PhantomData<B>,
}

impl<'a, B> OptionRecords<'a, B> {
    /// The records in a block's options.
    ///
    /// ```text
    ///      0       2       4
    ///     +-------+-------+- - - - -
    ///     | code  | len   | value, padded to 4
    ///     +-------+-------+- - - - -
    /// ```
    pub(super) fn new(options: &'a [u8]) -> OptionRecords<'a, B> {
        OptionRecords {
            rest: options,
            order: PhantomData,
        }
    }
}

impl<'a, B: ByteOrder> Iterator for OptionRecords<'a, B> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.rest.split_first_chunk::<4>()?;
        let code = B::read_u16(&head[0..2]);
        let length = usize::from(B::read_u16(&head[2..4]));
        if code == 0 {
            return None;
        }
        let value = rest.get(..length)?;
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((code, value))
    }
}
