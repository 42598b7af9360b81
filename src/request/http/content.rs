//! Contents of a body: decoded, passed on as required, and searched for events.

use super::decoder::{DecodedOutput, Decoder, MAX_DECODED_LEN, Undecodable};
use super::events::EventCounter;
use super::fields::HeaderFields;
use crate::flow::Side;
use crate::request::analyzer::Context;
use crate::request::detail::Detail;
use crate::request::message::MessagePart;
use crate::request::{Request, message_of};

/// Contents of one body.
pub(super) struct Content {
    side: Side,
    /// Decoder; `None` if the body is not encoded.
    decoder: Option<Decoder>,
    /// True if the rest of an encoded body is not decoded.
    is_stopped: bool,
    /// Length of the body as sent, without the framing of chunks.
    encoded_len: u64,
    /// Number of decoded bytes that are still required.
    allowed: u64,
    events: Option<EventCounter>,
    /// Memory that is counted for the decoder.
    counted_memory: u64,
}

impl Content {
    /// Returns the contents of a body with these header fields; `None` if they are not required.
    pub(super) fn new(fields: &HeaderFields, side: Side, context: &Context) -> Option<Content> {
        let is_event_stream = side == Side::Resp && fields.is_event_stream();
        if !is_event_stream && !context.needs_contents() {
            return None;
        }
        let decoder = Decoder::new(fields.content_codings, fields.transfer_codings);
        let allowed = match &decoder {
            None => u64::MAX,
            Some(_) if is_event_stream || context.settings.has_messages => MAX_DECODED_LEN,
            Some(_) => context.settings.body_limit as u64,
        };
        Some(Content {
            side,
            decoder,
            is_stopped: false,
            encoded_len: 0,
            allowed,
            events: is_event_stream.then(EventCounter::default),
            counted_memory: 0,
        })
    }

    /// Adds the next bytes of the body.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        request: Option<&mut Request>,
        context: &mut Context,
    ) {
        if self.encoded_len == 0
            && context.settings.has_messages
            && let Some(decoder) = &self.decoder
        {
            context.encoding(self.side, &decoder.encoding());
        }
        self.encoded_len += bytes.len() as u64;
        self.decode(
            request,
            context,
            |decoder, max_memory, output| match decoder {
                Some(decoder) => decoder.push(bytes, max_memory, output),
                None => output(bytes),
            },
        );
    }

    /// Adds missing bytes.
    pub(super) fn skip(&mut self, len: u64, request: Option<&mut Request>, context: &mut Context) {
        self.encoded_len += len;
        match self.decoder {
            Some(_) => self.is_stopped = true,
            None => report_missing(request, self.side, len, context),
        }
    }

    /// Ends a complete body.
    pub(super) fn complete(&mut self, request: Option<&mut Request>, context: &mut Context) {
        if self.encoded_len > 0 {
            self.decode(request, context, |decoder, max_memory, output| {
                decoder.map_or(Ok(()), |decoder| decoder.finish(max_memory, output))
            });
        }
    }

    /// Frees the memory, and adds what the contents show to the request.
    pub(super) fn close(mut self, mut request: Option<&mut Request>, context: &mut Context) {
        context.free(std::mem::take(&mut self.counted_memory));
        if self.is_stopped {
            report_missing(request, self.side, self.encoded_len, context);
        } else if let Some(counter) = &self.events
            && let Some(request) = &mut request
        {
            let events = Detail::Count(counter.events);
            request.details.set("events", events);
        }
    }

    /// Calls `action` with the decoder, the memory that it can use, and the receiver of its output.
    /// The decoding ends if `action` returns an error.
    fn decode(
        &mut self,
        mut request: Option<&mut Request>,
        context: &mut Context,
        action: impl FnOnce(Option<&mut Decoder>, u64, DecodedOutput) -> Result<(), Undecodable>,
    ) {
        if self.is_stopped {
            return;
        }
        let settings = context.settings;
        let max_memory = settings.max_buffered_bytes;
        let max_memory = max_memory.saturating_sub(*context.buffered_bytes);
        let (side, allowed, events) = (self.side, &mut self.allowed, &mut self.events);
        let result = action(self.decoder.as_mut(), max_memory, &mut |bytes| {
            let len = (bytes.len() as u64).min(*allowed);
            *allowed -= len;
            let decoded = &bytes[..len as usize];
            if let Some(events) = events {
                events.push(decoded);
            }
            if settings.needs_contents() {
                report_body(request.as_deref_mut(), side, decoded, context);
            }
            match decoded.len() == bytes.len() {
                true => Ok(()),
                false => Err(Undecodable::Stopped),
            }
        });
        self.is_stopped = result.is_err();
        if result == Err(Undecodable::Damaged)
            && let Some(request) = request
        {
            let body = std::mem::take(&mut message_of(request, side).body);
            context.free(body.len() as u64);
        }
        if self.is_stopped {
            // The decoder remains as a mark that the body is encoded.
            self.decoder = Some(Decoder::default());
        }
        let memory = self.decoder.as_ref().map_or(0, Decoder::memory);
        context.free(self.counted_memory);
        context.allocate(memory);
        self.counted_memory = memory;
    }
}

/// Adds decoded bytes to the request, or emits them if it was already reported.
fn report_body(request: Option<&mut Request>, side: Side, bytes: &[u8], context: &mut Context) {
    match request {
        _ if bytes.is_empty() => {}
        Some(request) => context.body(request, side, bytes),
        None => context.emit_part(side, MessagePart::Body(bytes)),
    }
}

/// Records that bytes are missing, or cannot be decoded.
fn report_missing(request: Option<&mut Request>, side: Side, len: u64, context: &mut Context) {
    match request {
        _ if !context.needs_contents() => {}
        Some(request) => context.missing(request, side, len),
        None => context.emit_part(side, MessagePart::Missing(len)),
    }
}
