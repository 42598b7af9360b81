//! Service detection of one flow: the first bytes of both sides, collected until the detectors
//! reach a result.

use super::side::Side;
use crate::detect::{DetectionResult, MAX_OPENING_LEN, Opening, Service, detect};

/// Detection state.
#[derive(Debug, Clone, Default)]
pub(super) enum ServiceDetection {
    /// No data so far.
    #[default]
    Empty,
    /// Data from one side only, not passed to the detectors so far: the other side's response
    /// usually follows, and both together are usually sufficient.
    OneSide(Side, Box<[u8]>),
    /// More data, for which the detectors' result is tentative.
    Undecided(Box<OpeningBytes>),
    /// Detection is finished.
    Done(Option<Service>),
}

/// Bytes collected so far, and the tentative result.
#[derive(Debug, Clone, Default)]
pub(super) struct OpeningBytes {
    /// The originator's bytes, followed by the responder's.
    bytes: Vec<u8>,
    /// Number of the originator's bytes.
    orig_len: u16,
    service: Option<Service>,
    /// Number of detector runs.
    attempts: u8,
}

/// Maximum number of detector runs per flow, a limit for peers that send one byte at a time.
const MAX_DETECTION_ATTEMPTS: u8 = 24;

impl ServiceDetection {
    /// Returns the service detected so far; it is final once detection
    /// [is done](Self::is_done).
    pub(super) fn service(&self) -> Option<&Service> {
        match self {
            ServiceDetection::Done(service) => service.as_ref(),
            ServiceDetection::Undecided(collected) => collected.service.as_ref(),
            ServiceDetection::Empty | ServiceDetection::OneSide(..) => None,
        }
    }

    /// Returns true if detection is finished.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        matches!(self, ServiceDetection::Done(_))
    }

    /// Returns the number of bytes kept for the next detector run.
    #[inline]
    pub(super) fn buffered_bytes(&self) -> u64 {
        match self {
            ServiceDetection::OneSide(_, bytes) => bytes.len() as u64,
            ServiceDetection::Undecided(collected) => collected.bytes.len() as u64,
            ServiceDetection::Empty | ServiceDetection::Done(_) => 0,
        }
    }

    /// Adds bytes that a side sent at `offset` in its stream.
    #[inline]
    pub(super) fn feed(&mut self, proto: u8, side: Side, offset: u64, bytes: &[u8]) {
        if self.is_done() || offset >= MAX_OPENING_LEN as u64 || bytes.is_empty() {
            return;
        }
        match self {
            ServiceDetection::Empty if offset == 0 && bytes.len() < MAX_OPENING_LEN => {
                *self = ServiceDetection::OneSide(side, bytes.into());
            }
            // The first segments of both sides are usually sufficient.
            ServiceDetection::OneSide(first, before) if *first != side && offset == 0 => {
                match detect(
                    proto,
                    &opening(side, prefix(bytes, MAX_OPENING_LEN), before),
                ) {
                    DetectionResult::Final(Some(service)) => {
                        *self = ServiceDetection::Done(Some(service));
                    }
                    result => self.feed_second_side(result, proto, side, bytes),
                }
            }
            _ => self.feed_slow(proto, side, offset, bytes),
        }
    }

    /// Continues if the detectors' result for both sides' first segments is not a final service.
    fn feed_second_side(&mut self, result: DetectionResult, proto: u8, side: Side, bytes: &[u8]) {
        if let ServiceDetection::OneSide(first, before) = std::mem::take(self) {
            self.apply_result(
                OpeningBytes::from_side(first, before),
                result,
                proto,
                (side, bytes),
            );
        }
    }

    fn feed_slow(&mut self, proto: u8, side: Side, offset: u64, bytes: &[u8]) {
        let mut collected = match std::mem::take(self) {
            ServiceDetection::Empty => OpeningBytes::default(),
            ServiceDetection::OneSide(first, bytes) => OpeningBytes::from_side(first, bytes),
            ServiceDetection::Undecided(collected) => *collected,
            ServiceDetection::Done(service) => {
                *self = ServiceDetection::Done(service);
                return;
            }
        };
        if collected.attempts == 0 && collected.len(side) > 0 {
            // The other side has not responded.
            match collected.detect(proto) {
                DetectionResult::Final(service) => {
                    *self = ServiceDetection::Done(service);
                    return;
                }
                DetectionResult::Tentative(service) => {
                    collected.service = service;
                    collected.attempts = 1;
                }
            }
        }
        let side_len = collected.len(side);
        if side_len as u64 != offset || collected.attempts == MAX_DETECTION_ATTEMPTS {
            // Bytes before `offset` are missing, or the limit of detector runs is reached.
            *self = ServiceDetection::Done(collected.conclude(proto));
            return;
        }
        if side_len > 0 {
            collected.append(side, bytes);
            let result = collected.detect(proto);
            return self.apply_result(collected, result, proto, (side, &[]));
        }
        let result = detect(
            proto,
            &opening(side, prefix(bytes, MAX_OPENING_LEN), &collected.bytes),
        );
        self.apply_result(collected, result, proto, (side, bytes));
    }

    /// Applies the detectors' result for the collected bytes together with `bytes`, which are kept
    /// only if the result is tentative.
    fn apply_result(
        &mut self,
        mut collected: OpeningBytes,
        result: DetectionResult,
        proto: u8,
        (side, bytes): (Side, &[u8]),
    ) {
        let before = match result.service() {
            // If all bytes together match no detector, those collected before may match alone.
            None => collected.conclude(proto),
            Some(_) => None,
        };
        *self = match result {
            DetectionResult::Final(service) => ServiceDetection::Done(service.or(before)),
            DetectionResult::Tentative(service) => {
                collected.append(side, bytes);
                collected.service = service.or(before);
                collected.attempts += 1;
                ServiceDetection::Undecided(Box::new(collected))
            }
        };
    }

    /// Adds a datagram; only each side's first one counts.
    pub(super) fn feed_datagram(&mut self, proto: u8, side: Side, bytes: &[u8]) {
        let is_first = match self {
            ServiceDetection::Empty => true,
            ServiceDetection::OneSide(first, _) => *first != side,
            ServiceDetection::Undecided(collected) => collected.len(side) == 0,
            ServiceDetection::Done(_) => false,
        };
        if is_first {
            self.feed(proto, side, 0, bytes);
        }
    }

    /// Finishes detection: no more in-order data will be added.
    #[inline]
    pub(super) fn finish(&mut self, proto: u8) {
        if matches!(
            self,
            ServiceDetection::OneSide(..) | ServiceDetection::Undecided(_)
        ) {
            self.conclude(proto);
        }
    }

    #[cold]
    fn conclude(&mut self, proto: u8) {
        *self = match std::mem::take(self) {
            ServiceDetection::OneSide(side, bytes) => {
                ServiceDetection::Done(OpeningBytes::from_side(side, bytes).conclude(proto))
            }
            ServiceDetection::Undecided(mut collected) => {
                ServiceDetection::Done(collected.conclude(proto))
            }
            other => other,
        };
    }
}

impl OpeningBytes {
    /// Starts with one side's first bytes.
    fn from_side(side: Side, bytes: Box<[u8]>) -> OpeningBytes {
        let orig_len = match side {
            Side::Orig => bytes.len() as u16,
            Side::Resp => 0,
        };
        let bytes = bytes.into_vec();
        OpeningBytes {
            bytes,
            orig_len,
            ..OpeningBytes::default()
        }
    }

    /// Returns the service detected from the collected bytes, without waiting for more data.
    fn conclude(&mut self, proto: u8) -> Option<Service> {
        match self.attempts {
            0 if self.bytes.is_empty() => None,
            0 => self.detect(proto).into_service(),
            _ => self.service.take(),
        }
    }

    /// Runs the detectors on the collected bytes.
    fn detect(&self, proto: u8) -> DetectionResult {
        let (orig, resp) = self.bytes.split_at(usize::from(self.orig_len));
        detect(proto, &Opening { orig, resp })
    }

    fn len(&self, side: Side) -> usize {
        match side {
            Side::Orig => usize::from(self.orig_len),
            Side::Resp => self.bytes.len() - usize::from(self.orig_len),
        }
    }

    /// Adds a side's bytes, up to [`MAX_OPENING_LEN`] per side.
    fn append(&mut self, side: Side, bytes: &[u8]) {
        let bytes = prefix(bytes, MAX_OPENING_LEN - self.len(side));
        self.bytes.reserve_exact(bytes.len());
        match side {
            Side::Resp => self.bytes.extend_from_slice(bytes),
            Side::Orig => {
                let end = usize::from(self.orig_len);
                self.bytes.splice(end..end, bytes.iter().copied());
                self.orig_len += bytes.len() as u16;
            }
        }
    }
}

fn opening<'a>(side: Side, own: &'a [u8], other: &'a [u8]) -> Opening<'a> {
    let (orig, resp) = match side {
        Side::Orig => (own, other),
        Side::Resp => (other, own),
    };
    Opening { orig, resp }
}

fn prefix(bytes: &[u8], max_len: usize) -> &[u8] {
    bytes.get(..max_len).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::TCP;

    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

    /// Returns the service detected from these segments.
    fn detected_service(segments: &[(Side, &[u8])]) -> Option<&'static str> {
        let (mut detection, mut lens) = (ServiceDetection::default(), [0; 2]);
        for (side, bytes) in segments {
            detection.feed(TCP, *side, lens[*side as usize], bytes);
            lens[*side as usize] += bytes.len() as u64;
        }
        detection.finish(TCP);
        detection.service().map(|service| service.name)
    }

    #[test]
    fn a_request_without_a_response_is_detected() {
        assert_eq!(detected_service(&[(Side::Orig, PING)]), Some("redis"));
        let (start, rest) = PING.split_at(9);
        let split = [(Side::Orig, start), (Side::Orig, rest)];
        assert_eq!(detected_service(&split), Some("redis"));
        assert_eq!(detected_service(&[]), None);
    }

    #[test]
    fn an_unrecognized_response_does_not_hide_the_request() {
        let unrecognized: &[u8] = b"\x16\x03\x01 what?";
        for response in [b"+PONG\r\n", unrecognized] {
            let segments = [(Side::Orig, PING), (Side::Resp, response)];
            assert_eq!(detected_service(&segments), Some("redis"), "{response:?}");
        }
    }
}
