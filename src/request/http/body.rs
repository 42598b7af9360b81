//! Body of a message: its length, and its contents if they are required.

use super::chunked::{ChunkPiece, ChunkedBody};
use super::content::Content;
use super::fields::BodyLength;
use crate::request::Request;
use crate::request::analyzer::Context;

/// A body that has started.
pub(super) struct Body {
    framing: Framing,
    content: Option<Content>,
}

enum Framing {
    /// This number of bytes is left.
    Bytes(u64),
    Chunked(ChunkedBody),
    UntilClose,
}

/// Result of [`Body::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyStep {
    /// The body continues after this number of bytes, at least 1.
    Continue(usize),
    /// The body ends after this number of bytes.
    End(usize),
    /// The bytes are not a body.
    Invalid,
}

impl Body {
    /// Returns a body; `None` if it is empty.
    pub(super) fn new(length: BodyLength, content: Option<Content>) -> Option<Body> {
        let framing = match length {
            BodyLength::Bytes(0) => return None,
            BodyLength::Bytes(len) => Framing::Bytes(len),
            BodyLength::Chunked => Framing::Chunked(ChunkedBody::default()),
            BodyLength::UntilClose => Framing::UntilClose,
        };
        Some(Body { framing, content })
    }

    /// Adds bytes. `request` is that of the message, if it was not already reported.
    pub(super) fn parse(
        &mut self,
        bytes: &[u8],
        mut request: Option<&mut Request>,
        context: &mut Context,
    ) -> BodyStep {
        match &mut self.framing {
            Framing::UntilClose => {
                self.add(bytes, request, context);
                BodyStep::Continue(bytes.len())
            }
            Framing::Bytes(left) => {
                let len = (*left).min(bytes.len() as u64);
                *left -= len;
                let is_end = *left == 0;
                self.add(&bytes[..len as usize], request, context);
                match is_end {
                    true => BodyStep::End(len as usize),
                    false => BodyStep::Continue(bytes.len()),
                }
            }
            Framing::Chunked(_) => {
                let mut used = 0;
                while let Framing::Chunked(chunked) = &mut self.framing
                    && used < bytes.len()
                {
                    match chunked.next(&bytes[used..]) {
                        ChunkPiece::Framing(len) => used += len,
                        ChunkPiece::Data(len) => {
                            let data = &bytes[used..used + len];
                            self.add(data, request.as_deref_mut(), context);
                            used += len;
                        }
                        ChunkPiece::End(len) => return BodyStep::End(used + len),
                        ChunkPiece::Invalid if used == 0 => return BodyStep::Invalid,
                        ChunkPiece::Invalid => break,
                    }
                }
                BodyStep::Continue(used)
            }
        }
    }

    /// Continues after missing bytes; returns false if they can contain the end of the body or of a
    /// chunk.
    pub(super) fn skip(
        &mut self,
        len: u64,
        request: Option<&mut Request>,
        context: &mut Context,
    ) -> bool {
        let is_inside = match &mut self.framing {
            Framing::UntilClose => true,
            Framing::Bytes(left) if len <= *left => {
                *left -= len;
                true
            }
            Framing::Bytes(_) => false,
            Framing::Chunked(chunked) => chunked.skip(len),
        };
        if is_inside && let Some(content) = &mut self.content {
            content.skip(len, request, context);
        }
        is_inside
    }

    /// Returns true if no byte of the body is left.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.framing, Framing::Bytes(0))
    }

    /// Returns true if the body ends with the stream.
    pub(super) fn ends_with_stream(&self) -> bool {
        matches!(self.framing, Framing::UntilClose)
    }

    /// Returns true if no more than this number of bytes is left.
    pub(super) fn is_shorter_than(&self, len: usize) -> bool {
        matches!(self.framing, Framing::Bytes(left) if left < len as u64)
    }

    /// Ends a complete body.
    pub(super) fn complete(mut self, mut request: Option<&mut Request>, context: &mut Context) {
        if let Some(content) = &mut self.content {
            content.complete(request.as_deref_mut(), context);
        }
        self.close(request, context);
    }

    /// Ends a body, complete or not.
    pub(super) fn close(self, request: Option<&mut Request>, context: &mut Context) {
        if let Some(content) = self.content {
            content.close(request, context);
        }
    }

    fn add(&mut self, data: &[u8], request: Option<&mut Request>, context: &mut Context) {
        if let Some(content) = &mut self.content {
            content.push(data, request, context);
        }
    }
}
