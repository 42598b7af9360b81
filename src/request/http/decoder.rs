//! Decoder of a body with one or more codings, within bounds of time and memory.

use super::coding::{Coding, CodingDecoder, CodingStart, Codings, DecodeState};

/// Maximum number of bytes that each coding of a message is decoded to: a limit of time.
pub(super) const MAX_DECODED_LEN: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// Number of bytes that are passed to brotli together: its output before an error depends on that
/// number, and must not depend on segments. Up to this number of bytes wait for the next ones.
pub(super) const BROTLI_INPUT_LEN: usize = 64;

/// Length of the buffer for the output of each coding, in bytes.
const OUTPUT_LEN: usize = 16 << 10;

/// A decoder of all codings of a body.
#[derive(Default)]
pub(super) struct Decoder(Vec<Stage>);

/// Reason why the rest of a body is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undecodable {
    /// The data is invalid.
    Damaged,
    /// The data is incomplete, its coding is not supported, or a limit is reached.
    Stopped,
}

/// Receiver of decoded bytes; an error ends the decoding.
pub(super) type DecodedOutput<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Undecodable>;

/// Decoder of one coding.
struct Stage {
    coding: Coding,
    decoder: Option<CodingDecoder>,
    /// Memory that the decoder uses, in bytes.
    memory: u64,
    /// Bytes that wait for more bytes.
    held: Vec<u8>,
    output: Vec<u8>,
    produced: u64,
    /// True after the end of data that nothing can follow.
    is_at_end: bool,
}

impl Decoder {
    /// Returns a decoder; `None` if there are no codings.
    pub(super) fn new(content: Codings, transfer: Codings) -> Option<Decoder> {
        let codings = transfer.outermost_first().chain(content.outermost_first());
        let stages: Vec<Stage> = codings.map(Stage::new).collect();
        (!stages.is_empty()).then_some(Decoder(stages))
    }

    /// Decodes the next bytes, with up to `max_memory` bytes of memory.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        max_memory: u64,
        output: DecodedOutput,
    ) -> Result<(), Undecodable> {
        push(&mut self.0, bytes, max_memory, output)
    }

    /// Decodes the bytes that waited for more. Returns an error if the body is incomplete.
    pub(super) fn finish(
        &mut self,
        max_memory: u64,
        output: DecodedOutput,
    ) -> Result<(), Undecodable> {
        finish(&mut self.0, max_memory, output)
    }

    /// Returns the names of the codings in the order in which they were applied: `gzip, br`.
    pub(super) fn encoding(&self) -> String {
        let names = self.0.iter().rev().map(|stage| stage.coding.name());
        names.collect::<Vec<_>>().join(", ")
    }

    /// Returns the number of bytes of memory in use, approximately.
    pub(super) fn memory(&self) -> u64 {
        let memory = |stage: &Stage| stage.memory + OUTPUT_LEN as u64;
        self.0.iter().map(memory).sum()
    }
}

/// Decodes bytes with the first stage, and its output with the others.
fn push(
    stages: &mut [Stage],
    bytes: &[u8],
    max_memory: u64,
    output: DecodedOutput,
) -> Result<(), Undecodable> {
    match stages.split_first_mut() {
        Some((stage, rest)) => stage.push(bytes, max_memory, &mut |bytes| {
            push(rest, bytes, max_memory, output)
        }),
        None => output(bytes),
    }
}

fn finish(stages: &mut [Stage], max_memory: u64, output: DecodedOutput) -> Result<(), Undecodable> {
    let Some((stage, rest)) = stages.split_first_mut() else {
        return Ok(());
    };
    stage.finish(&mut |bytes| push(rest, bytes, max_memory, output))?;
    finish(rest, max_memory, output)
}

impl Stage {
    fn new(coding: Coding) -> Stage {
        Stage {
            coding,
            decoder: None,
            memory: 0,
            held: Vec::new(),
            output: Vec::new(),
            produced: 0,
            is_at_end: false,
        }
    }

    fn push(
        &mut self,
        mut bytes: &[u8],
        max_memory: u64,
        output: DecodedOutput,
    ) -> Result<(), Undecodable> {
        while !bytes.is_empty() {
            if self.is_at_end {
                return Err(Undecodable::Stopped);
            }
            if self.decoder.is_none() {
                let (first, rest) = bytes.split_at(1);
                bytes = rest;
                self.held.extend_from_slice(first);
                self.open(max_memory)?;
                if self.decoder.is_some() && self.coding != Coding::Brotli {
                    self.decode_held(output)?;
                }
            } else if self.coding == Coding::Brotli {
                let len = bytes.len().min(BROTLI_INPUT_LEN - self.held.len());
                let (first, rest) = bytes.split_at(len);
                bytes = rest;
                self.held.extend_from_slice(first);
                if self.held.len() == BROTLI_INPUT_LEN {
                    self.decode_held(output)?;
                }
            } else {
                bytes = self.decode(bytes, output)?;
            }
        }
        Ok(())
    }

    /// Creates the decoder if the held bytes are enough.
    fn open(&mut self, max_memory: u64) -> Result<(), Undecodable> {
        match self.coding.start(&self.held) {
            CodingStart::Incomplete => Ok(()),
            CodingStart::Memory(memory) if memory + OUTPUT_LEN as u64 <= max_memory => {
                self.decoder = self.coding.decoder(&self.held);
                self.memory = memory;
                self.output.resize(OUTPUT_LEN, 0);
                self.decoder
                    .as_ref()
                    .map(|_| ())
                    .ok_or(Undecodable::Stopped)
            }
            CodingStart::Memory(_) | CodingStart::Invalid => Err(Undecodable::Stopped),
        }
    }

    /// Decodes the held bytes.
    fn decode_held(&mut self, output: DecodedOutput) -> Result<(), Undecodable> {
        let held = std::mem::take(&mut self.held);
        let rest = self.decode(&held, output)?;
        match rest.is_empty() {
            true => Ok(()),
            false => Err(Undecodable::Stopped),
        }
    }

    /// Decodes bytes; returns the bytes after the end of the encoded data.
    fn decode<'a>(
        &mut self,
        mut bytes: &'a [u8],
        output: DecodedOutput,
    ) -> Result<&'a [u8], Undecodable> {
        while let Some(decoder) = &mut self.decoder {
            let step = decoder.step(bytes, &mut self.output);
            bytes = &bytes[step.used..];
            if step.produced > 0 {
                let left = MAX_DECODED_LEN - self.produced;
                let len = left.min(step.produced as u64);
                self.produced += len;
                output(&self.output[..len as usize])?;
                if len < step.produced as u64 {
                    return Err(Undecodable::Stopped);
                }
            }
            match step.state {
                DecodeState::Failed => return Err(Undecodable::Damaged),
                DecodeState::End => {
                    self.decoder = None;
                    self.is_at_end = !self.coding.has_members();
                }
                DecodeState::Continue if step.used > 0 || step.produced > 0 => {
                    let may_have_more = step.produced == self.output.len();
                    if bytes.is_empty() && !may_have_more {
                        break;
                    }
                }
                DecodeState::Continue if bytes.is_empty() => break,
                DecodeState::Continue => return Err(Undecodable::Damaged),
            }
        }
        Ok(bytes)
    }

    fn finish(&mut self, output: DecodedOutput) -> Result<(), Undecodable> {
        if self.decoder.is_some() && !self.held.is_empty() {
            self.decode_held(output)?;
        }
        match self.decoder.is_none() && self.held.is_empty() {
            true => Ok(()),
            false => Err(Undecodable::Stopped),
        }
    }
}
