//! Codings of a body, and the decoder of each.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};

/// Maximum number of codings of a body that are decoded.
const MAX_CODINGS: usize = 4;

/// A content or transfer coding (RFC 9110 section 8.4.1, RFC 7932, RFC 8878).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    /// zlib format, or raw DEFLATE as some servers send it.
    Deflate,
    Brotli,
    Zstd,
    /// One that cannot be decoded.
    #[default]
    Other,
}

/// Codings of a body, in the order in which they were applied.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Codings {
    codings: [Coding; MAX_CODINGS],
    len: usize,
}

/// A decoder.
pub(super) enum CodingDecoder {
    Deflate(Box<Decompress>),
    Brotli(Box<Brotli>),
    #[cfg(feature = "zstd")]
    Zstd(ZstdFrame),
}

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// Result of [`CodingDecoder::step`].
#[derive(Debug, Clone, Copy)]
pub(super) struct DecodeStep {
    /// Number of bytes of the input that were consumed.
    pub(super) used: usize,
    /// Number of bytes of output.
    pub(super) produced: usize,
    pub(super) state: DecodeState,
}

/// State of a decoder after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecodeState {
    Continue,
    /// The input is at the end of the encoded data.
    End,
    Failed,
}

/// The beginning of encoded data, which determines the decoder.
pub(super) enum CodingStart {
    Incomplete,
    Invalid,
    /// A decoder can be created, which uses this number of bytes of memory, approximately.
    Memory(u64),
}

/// Window size of DEFLATE, as a power of two.
const DEFLATE_WINDOW_BITS: u8 = 15;
/// Memory of a DEFLATE decoder in bytes.
const DEFLATE_MEMORY: u64 = 64 << 10;
/// Memory of a brotli decoder in addition to its window, in bytes.
const BROTLI_MEMORY: u64 = 256 << 10;
/// Memory of a zstd decoder in addition to its window, in bytes: its tables and two blocks.
#[cfg(feature = "zstd")]
const ZSTD_MEMORY: u64 = 512 << 10;
/// Maximum window size of zstd in HTTP, as a power of two (RFC 9659).
#[cfg(feature = "zstd")]
const MAX_ZSTD_WINDOW_BITS: u32 = 23;

impl Coding {
    /// Returns the coding with this name.
    pub(super) fn named(name: &[u8]) -> Option<Coding> {
        const NAMES: [(&[u8], Coding); 6] = [
            (b"gzip", Coding::Gzip),
            (b"x-gzip", Coding::Gzip),
            (b"deflate", Coding::Deflate),
            (b"br", Coding::Brotli),
            (b"zstd", Coding::Zstd),
            (b"x-zstd", Coding::Zstd),
        ];
        if name.eq_ignore_ascii_case(b"identity") {
            return None;
        }
        let mut names = NAMES.into_iter();
        let found = names.find(|(candidate, _)| name.eq_ignore_ascii_case(candidate));
        Some(found.map_or(Coding::Other, |(_, coding)| coding))
    }

    /// Returns the name of the coding.
    pub(super) fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Other => "unsupported",
        }
    }

    /// Returns true if more data can follow the end of encoded data.
    pub(super) fn has_members(self) -> bool {
        matches!(self, Coding::Gzip | Coding::Zstd)
    }

    /// Returns the memory that a decoder of data with this beginning needs.
    pub(super) fn start(self, start: &[u8]) -> CodingStart {
        match (self, start) {
            (Coding::Other, _) => CodingStart::Invalid,
            (Coding::Gzip, [_, ..]) | (Coding::Deflate, [_, _, ..]) => {
                CodingStart::Memory(DEFLATE_MEMORY)
            }
            (Coding::Brotli, [first, ..]) => {
                CodingStart::Memory(BROTLI_MEMORY + (1 << brotli_window_bits(*first)))
            }
            (Coding::Zstd, _) => zstd_opening(start),
            (Coding::Gzip | Coding::Deflate | Coding::Brotli, _) => CodingStart::Incomplete,
        }
    }

    /// Creates a decoder of data with this beginning; `None` if that is not possible.
    pub(super) fn decoder(self, start: &[u8]) -> Option<CodingDecoder> {
        let deflate = |decompress| Some(CodingDecoder::Deflate(Box::new(decompress)));
        match self {
            Coding::Gzip => deflate(Decompress::new_gzip(DEFLATE_WINDOW_BITS)),
            Coding::Deflate => deflate(Decompress::new(is_zlib(start))),
            Coding::Brotli => {
                let alloc = StandardAlloc::default;
                let state = BrotliState::new_strict(alloc(), alloc(), alloc());
                Some(CodingDecoder::Brotli(Box::new(state)))
            }
            #[cfg(feature = "zstd")]
            Coding::Zstd => ZstdFrame::new().map(CodingDecoder::Zstd),
            #[cfg(not(feature = "zstd"))]
            Coding::Zstd => None,
            Coding::Other => None,
        }
    }
}

impl Codings {
    /// Adds a coding, which was applied after the others.
    pub(super) fn push(&mut self, coding: Option<Coding>) {
        let Some(coding) = coding else {
            return;
        };
        match self.codings.get_mut(self.len) {
            Some(place) => {
                *place = coding;
                self.len += 1;
            }
            // Too many.
            None => self.codings = [Coding::Other; MAX_CODINGS],
        }
    }

    /// Returns the codings, the first one to be decoded first.
    pub(super) fn outermost_first(self) -> impl Iterator<Item = Coding> {
        self.codings.into_iter().take(self.len).rev()
    }
}

impl CodingDecoder {
    /// Decodes a part of the input. Its results for the whole input do not depend on how the input
    /// is divided, except for brotli: see [`BROTLI_INPUT_LEN`](super::decoder::BROTLI_INPUT_LEN).
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> DecodeStep {
        match self {
            CodingDecoder::Deflate(decompress) => {
                let before = (decompress.total_in(), decompress.total_out());
                let result = decompress.decompress(input, output, FlushDecompress::None);
                DecodeStep {
                    used: (decompress.total_in() - before.0) as usize,
                    produced: (decompress.total_out() - before.1) as usize,
                    state: match result {
                        Ok(Status::StreamEnd) => DecodeState::End,
                        Ok(Status::Ok | Status::BufError) => DecodeState::Continue,
                        Err(_) => DecodeState::Failed,
                    },
                }
            }
            CodingDecoder::Brotli(state) => {
                let (mut input_len, mut output_len) = (input.len(), output.len());
                let (mut used, mut produced, mut total) = (0, 0, 0);
                let result = BrotliDecompressStream(
                    &mut input_len,
                    &mut used,
                    input,
                    &mut output_len,
                    &mut produced,
                    output,
                    &mut total,
                    state,
                );
                let state = match result {
                    BrotliResult::ResultSuccess => DecodeState::End,
                    BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {
                        DecodeState::Continue
                    }
                    BrotliResult::ResultFailure => DecodeState::Failed,
                };
                DecodeStep {
                    used,
                    produced,
                    state,
                }
            }
            #[cfg(feature = "zstd")]
            CodingDecoder::Zstd(frame) => frame.step(input, output),
        }
    }
}

/// Returns true if data starts with a zlib header (RFC 1950 section 2.2): raw DEFLATE does not.
fn is_zlib(start: &[u8]) -> bool {
    matches!(start, [cmf, flags, ..]
        if cmf & 0x0f == 8 && u16::from_be_bytes([*cmf, *flags]).is_multiple_of(31))
}

/// Returns the window size of brotli data, as a power of two, from its first byte (RFC 7932
/// section 9.1).
fn brotli_window_bits(first: u8) -> u8 {
    match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, _, _) => 16,
        (_, 0, 0) => 17,
        (_, 0, bits) => 8 + bits,
        (_, bits, _) => 17 + bits,
    }
}

#[cfg(not(feature = "zstd"))]
fn zstd_opening(_start: &[u8]) -> CodingStart {
    CodingStart::Invalid
}

/// Returns the memory for a zstd frame, from its header (RFC 8878 section 3.1).
#[cfg(feature = "zstd")]
fn zstd_opening(start: &[u8]) -> CodingStart {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let Some((magic, rest)) = start.split_first_chunk::<4>() else {
        return CodingStart::Incomplete;
    };
    match magic {
        _ if *magic == MAGIC => {}
        // A skippable frame.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18] => return CodingStart::Memory(ZSTD_MEMORY),
        _ => return CodingStart::Invalid,
    }
    let [descriptor, fields @ ..] = rest else {
        return CodingStart::Incomplete;
    };
    let window = match descriptor & 0x20 {
        0 => fields.first().map(|byte| {
            let base = 1_u64 << (10 + (byte >> 3));
            base + base / 8 * u64::from(byte & 7)
        }),
        // A single segment: the window is the content.
        _ => {
            let id_len = [0, 1, 2, 4][usize::from(descriptor & 3)];
            let size_len = 1 << (descriptor >> 6);
            fields.get(id_len..id_len + size_len).map(|size| {
                let bytes = size.iter().rev();
                let size = bytes.fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
                size.saturating_add(if size_len == 2 { 256 } else { 0 })
            })
        }
    };
    match window {
        None => CodingStart::Incomplete,
        Some(window) if window > 1 << MAX_ZSTD_WINDOW_BITS => CodingStart::Invalid,
        Some(window) => CodingStart::Memory(ZSTD_MEMORY + window),
    }
}

/// Decoder of one zstd frame.
#[cfg(feature = "zstd")]
pub(super) struct ZstdFrame {
    decoder: zstd::stream::raw::Decoder<'static>,
    /// Number of input bytes that the decoder requests next.
    needed: usize,
}

#[cfg(feature = "zstd")]
impl ZstdFrame {
    fn new() -> Option<ZstdFrame> {
        use zstd::stream::raw::{DParameter, Decoder};
        /// Length of the start of a frame: its magic number and one byte.
        const FRAME_START_LEN: usize = 5;
        let mut decoder = Decoder::new().ok()?;
        let window = DParameter::WindowLogMax(MAX_ZSTD_WINDOW_BITS);
        decoder.set_parameter(window).ok()?;
        let needed = FRAME_START_LEN;
        Some(ZstdFrame { decoder, needed })
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> DecodeStep {
        use zstd::stream::raw::{InBuffer, Operation, OutBuffer};
        /// Length of a block header in bytes.
        const BLOCK_HEADER_LEN: usize = 3;
        // The decoder requests a part of the frame together with the block header after it. If it
        // receives only the part, it performs one step per call, so that a call that fails has
        // produced no output.
        let part = match self.needed.checked_sub(BLOCK_HEADER_LEN) {
            Some(part @ 1..) => part,
            _ => self.needed,
        };
        let mut input = InBuffer::around(&input[..input.len().min(part)]);
        let mut output = OutBuffer::around(output);
        let result = self.decoder.run(&mut input, &mut output);
        let state = match &result {
            Ok(0) => DecodeState::End,
            Ok(_) => DecodeState::Continue,
            Err(_) => DecodeState::Failed,
        };
        self.needed = result.unwrap_or(0);
        DecodeStep {
            used: input.pos(),
            produced: output.pos(),
            state,
        }
    }
}
