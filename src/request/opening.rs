//! Beginning of a connection, kept until its protocol is detected.

use super::RequestSettings;
use super::analyzer::AnalyzerEntry;
use super::registry::{OTHER, analyzer_of};
use crate::detect::{self, DetectionResult, MAX_OPENING_LEN};
use crate::flow::Side;
use crate::packet::Timestamp;

/// Number of detector runs after which each further one requires a quarter more bytes: peers can
/// send one byte at a time.
const MAX_FREQUENT_ATTEMPTS: u32 = 24;

/// Number of turns, of both sides together, after which the protocol is decided.
const MAX_OPENING_TURNS: u32 = 16;

/// Bytes of both sides, and the segments in which they arrived.
#[derive(Debug, Default)]
pub(super) struct BufferedOpening {
    bytes: [Vec<u8>; 2],
    segments: Vec<Segment>,
    attempts: u32,
    /// Number of times that the sender changed.
    changes: u32,
    /// Number of bytes of both sides below which the detectors do not run.
    required: usize,
    /// True if the first byte can be a TCP keep-alive probe (RFC 9293 section 3.8.4): one byte that
    /// was sent before the capture, with arbitrary contents.
    can_have_probe: bool,
}

/// Bytes that detection can still receive.
///
/// The protocol must not depend on how the streams are divided into segments. Final results do not
/// change with more bytes. A tentative one is therefore accepted only at the end of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remaining {
    /// More bytes of the current turn.
    Turn,
    /// Further turns.
    NextTurns,
    /// None.
    Nothing,
}

/// A segment of an opening.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) side: Side,
    pub(super) time: Timestamp,
    pub(super) len: usize,
}

impl BufferedOpening {
    /// Returns the opening of a connection whose start was not captured.
    pub(super) fn late() -> BufferedOpening {
        BufferedOpening {
            can_have_probe: true,
            ..BufferedOpening::default()
        }
    }

    pub(super) fn push(&mut self, side: Side, bytes: &[u8], time: Timestamp) {
        self.bytes[side as usize].extend_from_slice(bytes);
        let len = bytes.len();
        self.changes += u32::from(self.is_turn_of_other(side));
        self.segments.push(Segment { side, time, len });
    }

    /// Returns the number of bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.iter().map(Vec::len).sum()
    }

    /// Returns the time of the last segment if the protocol is detected without more bytes: the
    /// responder sent it, or the contents of messages are awaited.
    pub(super) fn quiet_since(&self, settings: &RequestSettings) -> Option<Timestamp> {
        let last = self.segments.last()?;
        (last.side == Side::Resp || settings.has_messages).then_some(last.time)
    }

    /// Returns true if only the originator has sent bytes, the first of them at this time or
    /// earlier.
    pub(super) fn is_unanswered_since(&self, time: Timestamp) -> bool {
        let first = self.segments.first();
        self.bytes[Side::Resp as usize].is_empty() && first.is_some_and(|first| first.time <= time)
    }

    /// Returns true if the last bytes are those of the other side.
    pub(super) fn is_turn_of_other(&self, side: Side) -> bool {
        self.segments.last().is_some_and(|last| last.side != side)
    }

    /// Returns the analyzer, or `None` if more bytes are required.
    pub(super) fn analyzer(
        &mut self,
        transport: u8,
        remaining: Remaining,
    ) -> Option<&'static AnalyzerEntry> {
        let is_last = self
            .bytes
            .iter()
            .any(|bytes| bytes.len() >= MAX_OPENING_LEN)
            || remaining == Remaining::Nothing
            || (remaining == Remaining::NextTurns && self.changes + 1 >= MAX_OPENING_TURNS);
        if remaining == Remaining::Turn && self.len() < self.required && !is_last {
            return None;
        }
        self.attempts += 1;
        if self.attempts >= MAX_FREQUENT_ATTEMPTS {
            self.required = self.len() + self.len() / 4 + 1;
        }
        let mut result = detect_protocol(transport, &self.bytes, [0; 2]);
        if result.service().is_none()
            && let Some(without_probe) = self.remove_keep_alive_probe(transport)
        {
            result = without_probe;
        }
        let has_both = self.bytes.iter().all(|bytes| !bytes.is_empty());
        let is_accepted = match &result {
            DetectionResult::Final(_) => true,
            DetectionResult::Tentative(Some(_)) => has_both && remaining == Remaining::NextTurns,
            DetectionResult::Tentative(None) => false,
        };
        if !is_accepted && !is_last {
            return None;
        }
        let service = result.into_service();
        Some(service.map_or(&OTHER, |service| {
            analyzer_of(service.name).unwrap_or(&OPAQUE)
        }))
    }

    /// Removes the first byte if a protocol is detected without it, and returns the detected one.
    fn remove_keep_alive_probe(&mut self, transport: u8) -> Option<DetectionResult> {
        let [Segment { side, len: 1, .. }, _, ..] = self.segments[..] else {
            return None;
        };
        if !self.can_have_probe {
            return None;
        }
        let skipped = Side::BOTH.map(|of| usize::from(of == side));
        let result = detect_protocol(transport, &self.bytes, skipped);
        result.service()?;
        self.bytes[side as usize].remove(0);
        self.segments.remove(0);
        Some(result)
    }

    /// Calls `action` with each segment and its bytes, in order.
    pub(super) fn for_each_segment(self, mut action: impl FnMut(Segment, &[u8])) {
        let mut offsets = [0; 2];
        for segment in self.segments {
            let start = offsets[segment.side as usize];
            let end = start + segment.len;
            offsets[segment.side as usize] = end;
            action(segment, &self.bytes[segment.side as usize][start..end]);
        }
    }
}

/// Runs the detectors on the bytes of both sides without the first ones. They receive the same
/// bytes for any split.
fn detect_protocol(transport: u8, bytes: &[Vec<u8>; 2], skipped: [usize; 2]) -> DetectionResult {
    let [orig, resp] = [0, 1].map(|at| {
        let rest = bytes[at].get(skipped[at]..).unwrap_or_default();
        rest.get(..MAX_OPENING_LEN).unwrap_or(rest)
    });
    detect::detect(transport, &detect::Opening { orig, resp })
}

/// The analyzer of detected protocols that have no analyzer of their own: they are not detected
/// again later in the connection.
pub(super) const OPAQUE: AnalyzerEntry = AnalyzerEntry {
    services: &["other"],
    ..OTHER
};
