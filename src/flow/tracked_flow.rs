//! State of a flow in the table, kept as small as possible.

use super::detection::ServiceDetection;
use super::history::History;
use super::idle_lists::TimeoutClass;
use super::key::{FlowKey, KeyEnd, Side};
use super::outcome::{OutcomeInput, SideSummary, conn_state, outcome};
use super::record::{FlowEndReason, FlowId, FlowRecord, SideRecord};
use super::response_times::ResponseTimer;
use super::side::{EndpointState, TrackedSide};
use crate::packet::{Brief, TCP, TimeDelta, Timestamp};
use crate::process::Owners;

/// A tracked flow.
#[derive(Debug, Default)]
pub(super) struct TrackedFlow {
    pub(super) key: FlowKey,
    pub(super) number: u64,
    /// Frame number of the first packet.
    pub(super) first_frame: u64,
    /// Timestamp of the first packet, in nanoseconds.
    pub(super) first_time: i64,
    /// Timestamp of the last packet that counts for the duration, in nanoseconds.
    pub(super) last_time: i64,
    /// Time of the last packet, by the table's clock.
    pub(super) last_active: i64,
    /// Time at which the flow was closed or reset; until then, the first packet's time.
    pub(super) end_time: i64,
    pub(super) sides: [TrackedSide; 2],
    pub(super) history: History,
    pub(super) handshake: HandshakeTiming,
    pub(super) response_timer: ResponseTimer,
    pub(super) detection: ServiceDetection,
    /// End of the key that is the originator.
    pub(super) orig_end: KeyEnd,
    pub(super) timeout_class: TimeoutClass,
    /// True if the start of the flow was not captured.
    pub(super) is_partial: bool,
    /// True if ICMP reported the responder's port as unreachable.
    pub(super) is_port_unreachable: bool,
}

/// Progress of the measurement of the handshake's duration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum HandshakeTiming {
    /// No SYN so far; or a retransmission, after which the answered segment is ambiguous (Karn's
    /// algorithm).
    #[default]
    Unknown,
    /// The first SYN was captured at this time.
    Syn(i64),
    /// The SYN-ACK was captured; the time is still that of the SYN.
    SynAck(i64),
    /// Handshake duration, in nanoseconds.
    Measured(i64),
}

impl TrackedFlow {
    /// Starts a flow in an unused or [released](Self::release) slot.
    #[inline]
    pub(super) fn start(&mut self, key: FlowKey, orig: KeyEnd, number: u64, time: i64) {
        *self = TrackedFlow {
            key,
            orig_end: orig,
            number,
            first_time: time,
            last_time: time,
            last_active: time,
            end_time: time,
            ..TrackedFlow::default()
        };
    }

    /// Returns the side that sends from this end of the key.
    #[inline]
    pub(super) fn side(&self, end: KeyEnd) -> Side {
        if end == self.orig_end {
            Side::Orig
        } else {
            Side::Resp
        }
    }

    /// Returns a side and the opposite one.
    #[inline]
    pub(super) fn own_and_other(&mut self, side: Side) -> (&mut TrackedSide, &mut TrackedSide) {
        TrackedSide::own_and_other(&mut self.sides, side)
    }

    /// Swaps originator and responder.
    pub(super) fn flip(&mut self) {
        self.orig_end = self.orig_end.other();
        self.sides.swap(0, 1);
        self.history.add_flip();
        self.response_timer.flip();
        self.detection.finish(self.key.proto());
    }

    /// Returns the flow's identity.
    #[inline]
    pub(super) fn id(&self) -> FlowId {
        FlowId {
            number: self.number,
            key: self.key,
            orig_end: self.orig_end,
        }
    }

    /// Counts a packet that a side sent.
    #[inline]
    pub(super) fn count_packet(&mut self, side: Side, brief: &Brief) {
        let traffic = &mut self.sides[side as usize].traffic;
        traffic.pkts += 1;
        traffic.wire_bytes += u64::from(brief.wire_len);
        traffic.ip_bytes += u64::from(brief.ip_len);
        traffic.payload_bytes += u64::from(brief.payload.len);
    }

    /// Returns the number of bytes that the flow buffers, not counting the size of this struct.
    pub(super) fn buffered_bytes(&self) -> u64 {
        let streams = self
            .sides
            .iter()
            .map(|tracked| tracked.assembler.buffered_bytes());
        streams.sum::<u64>() + self.detection.buffered_bytes()
    }

    /// Returns the timeout class for the flow's current state.
    #[inline]
    pub(super) fn current_timeout_class(&self) -> TimeoutClass {
        use EndpointState::{Closed, Inactive, Partial, Reset};
        if self.key.proto() != TCP {
            return TimeoutClass::Datagram;
        }
        match (self.sides[0].state, self.sides[1].state) {
            (Reset, _) | (_, Reset) => TimeoutClass::Ended,
            (Closed, Closed | Inactive) | (Inactive, Closed) => TimeoutClass::Ended,
            // A partial side shows that the connection is already established.
            (Partial, _) | (_, Partial) => TimeoutClass::Open,
            (Inactive, _) | (_, Inactive) => TimeoutClass::Opening,
            _ => TimeoutClass::Open,
        }
    }

    /// Frees the memory of a flow that was reported, and makes the slot unused.
    pub(super) fn release(&mut self) {
        // No packet has the default key, so a cached number of this slot matches no packet.
        self.key = FlowKey::default();
        self.number = 0;
        self.sides.iter_mut().for_each(TrackedSide::release);
        self.detection = ServiceDetection::default();
        self.response_timer = ResponseTimer::default();
    }

    /// Returns the final record of the flow. Data is moved out of the flow.
    pub(super) fn take_record(&mut self, end: FlowEndReason) -> FlowRecord {
        let [orig, resp] = &self.sides;
        let proto = self.key.proto();
        let sides = [
            SideRecord::new(orig, resp, proto),
            SideRecord::new(resp, orig, proto),
        ];
        // Packet timestamps may go backwards.
        let span = |time: i64| TimeDelta(time.saturating_sub(self.first_time).max(0));
        let summarize = |tracked: &TrackedSide, side: &SideRecord| SideSummary {
            state: tracked.state,
            pkts: tracked.traffic.pkts,
            bytes: side.bytes,
            syn_ack_seen: tracked.syn_ack_seen,
        };
        let input = OutcomeInput {
            proto,
            orig: summarize(orig, &sides[0]),
            resp: summarize(resp, &sides[1]),
            history: self.history.letters(),
            ended_after: span(self.end_time),
            duration: span(self.last_time),
            is_port_unreachable: self.is_port_unreachable,
            end_reason: end,
        };
        let state = conn_state(&input);
        let outcome = outcome(&input, state);
        FlowRecord {
            id: self.id(),
            first_time: Timestamp(self.first_time),
            first_frame: self.first_frame,
            duration: span(self.last_time),
            service: self.detection.take_service(proto),
            sides,
            conn_state: state,
            outcome,
            history: std::mem::take(&mut self.history),
            handshake_rtt: match self.handshake {
                HandshakeTiming::Measured(duration) => Some(TimeDelta(duration)),
                _ => None,
            },
            response_times: self.response_timer.summary(),
            owners: Owners {
                orig: orig.owner(),
                resp: resp.owner(),
            },
            end_reason: end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TrackedFlow;

    /// A million flows must stay below 600 MB, including all their allocations. The attributes of
    /// most services are stored inline, which uses less memory than one allocation per flow.
    #[test]
    fn a_tracked_flow_is_at_most_440_bytes() {
        assert!(
            size_of::<TrackedFlow>() <= 440,
            "{}",
            size_of::<TrackedFlow>()
        );
    }
}
