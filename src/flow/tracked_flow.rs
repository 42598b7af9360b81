//! State of a flow in the table, kept as small as possible.

use std::sync::Arc;

use super::detection::ServiceDetection;
use super::drops::DropLog;
use super::history::History;
use super::idle_lists::TimeoutClass;
use super::input::FlowPacket;
use super::outcome::FlowEndReason;
use super::outcome::{OutcomeInput, SideSummary, conn_state, outcome};
use super::record::{FlowId, FlowRecord, SideRecord};
use super::response_times::ResponseTimer;
use super::side::Side;
use super::tracked_side::{EndpointState, TrackedSide};
use super::{FlowEvent, FlowEventKind};
use crate::packet::{Endpoints, TCP, TimeDelta, Timestamp, UDP};
use crate::process::{Evidence, Owner, Owners};

/// A tracked flow.
#[derive(Debug)]
pub(super) struct TrackedFlow {
    /// The flow's identity; its number is 0 if the slot is unused.
    pub(super) id: FlowId,
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
    pub(super) timeout_class: TimeoutClass,
    /// True if the start of the flow was not captured.
    pub(super) is_partial: bool,
    /// True if ICMP reported the responder's port as unreachable.
    pub(super) is_port_unreachable: bool,
    /// True if both ends are one socket. All packets are then the originator's.
    pub(super) is_self_connection: bool,
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
    /// Returns a flow whose originator is the source of these endpoints.
    #[inline]
    pub(super) fn new(
        endpoints: Endpoints,
        number: u64,
        first_frame: u64,
        time: i64,
    ) -> TrackedFlow {
        TrackedFlow {
            id: FlowId {
                number,
                first_time: Timestamp(time),
                first_frame,
                endpoints,
            },
            last_time: time,
            last_active: time,
            end_time: time,
            sides: Default::default(),
            history: History::default(),
            handshake: HandshakeTiming::Unknown,
            response_timer: ResponseTimer::default(),
            detection: ServiceDetection::default(),
            timeout_class: TimeoutClass::default(),
            is_partial: false,
            is_port_unreachable: false,
            is_self_connection: endpoints.is_self_connection(),
        }
    }

    /// Returns the side that sent a packet with these endpoints.
    #[inline]
    pub(super) fn side(&self, packet: &Endpoints) -> Side {
        if *packet == self.id.endpoints {
            Side::Orig
        } else {
            Side::Resp
        }
    }

    /// Returns the side that receives what a side sends: the sender itself if both ends are one
    /// socket.
    #[inline]
    pub(super) fn receiver(&self, sender: Side) -> Side {
        match self.is_self_connection {
            true => sender,
            false => sender.other(),
        }
    }

    /// Returns a side and the opposite one.
    #[inline]
    pub(super) fn own_and_other(&mut self, side: Side) -> (&mut TrackedSide, &mut TrackedSide) {
        TrackedSide::own_and_other(&mut self.sides, side)
    }

    /// Swaps originator and responder.
    pub(super) fn flip(&mut self) {
        self.id.endpoints = self.id.endpoints.reversed();
        self.sides.swap(0, 1);
        self.history.add_flip();
        self.response_timer.flip();
        self.detection.finish(self.id.endpoints.proto());
    }

    /// Returns an event of this flow.
    #[inline]
    pub(super) fn event<'a>(
        &'a self,
        time: i64,
        due: Option<Timestamp>,
        kind: FlowEventKind<'a>,
    ) -> FlowEvent<'a> {
        FlowEvent {
            id: &self.id,
            time: Timestamp(time),
            due,
            kind,
        }
    }

    /// Returns the owners of both ends.
    pub(super) fn owners(&self) -> Owners {
        let [orig, resp] = &self.sides;
        Owners {
            orig: orig.owner().cloned(),
            resp: resp.owner().cloned(),
        }
    }

    /// Adopts the owners of a packet that a side sent; returns true if one of them is another one
    /// than before.
    pub(super) fn adopt_owners(&mut self, side: Side, owners: &Owners) -> bool {
        let (own, other) = self.own_and_other(side);
        let sender_changed = own.adopt_owner(owners.orig.as_ref());
        other.adopt_owner(owners.resp.as_ref()) || sender_changed
    }

    /// Records that ICMP reported the responder's port as unreachable. Returns true if this shows
    /// that no process receives the originator's datagrams.
    pub(super) fn mark_port_unreachable(&mut self, time: i64) -> bool {
        self.is_port_unreachable = true;
        let [orig, resp] = &mut self.sides;
        let is_attributed = orig.owner().is_some() || resp.owner().is_some();
        // Firewalls also send this error, for ports with a socket and for TCP.
        let has_socket = resp.owner().is_some_and(|owner| owner.has_socket());
        if self.id.endpoints.proto() != UDP || !is_attributed || has_socket {
            return false;
        }
        let nobody = Owner::without_process(Evidence::Nobody, Timestamp(time));
        resp.adopt_owner(Some(&Arc::new(nobody)))
    }

    /// Counts a packet that a side sent.
    #[inline]
    pub(super) fn count_packet(&mut self, side: Side, packet: &FlowPacket) {
        let traffic = &mut self.sides[side as usize].traffic;
        traffic.pkts += 1;
        traffic.wire_bytes += u64::from(packet.wire_len);
        traffic.ip_bytes += u64::from(packet.ip_len);
        traffic.payload_bytes += u64::from(packet.payload.len);
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
        if self.id.endpoints.proto() != TCP {
            return TimeoutClass::Datagram;
        }
        match (self.sides[0].state, self.sides[1].state) {
            (Reset, _) | (_, Reset) => TimeoutClass::Ended,
            // A FIN that was first captured mid-stream and has no reply is sent again.
            (Closed, Inactive) | (Inactive, Closed) if self.is_partial => TimeoutClass::Opening,
            (Closed, Closed | Inactive) | (Inactive, Closed) => TimeoutClass::Ended,
            // A partial side shows that the connection is already established.
            (Partial, _) | (_, Partial) => TimeoutClass::Open,
            (Inactive, _) | (_, Inactive) => TimeoutClass::Opening,
            _ => TimeoutClass::Open,
        }
    }

    /// Returns the time at which the flow times out if it remains idle; `linger_ns` is the setting
    /// for ended flows.
    pub(super) fn deadline(&self, linger_ns: i64) -> i64 {
        let timeout = self.timeout_class.timeout_ns(linger_ns);
        self.last_active.saturating_add(timeout)
    }

    /// Frees the memory of a flow that was reported, and makes the slot unused.
    pub(super) fn release(&mut self) {
        self.id.number = 0;
        self.sides.iter_mut().for_each(TrackedSide::release);
        self.history = History::default();
        self.detection = ServiceDetection::default();
        self.response_timer = ResponseTimer::default();
    }

    /// Returns the time after which no more packets of the flow are expected, in nanoseconds: that
    /// of the last packet if the flow has ended, or was answered and is not a connection.
    fn complete_at(&self) -> i64 {
        let [is_orig_silent, is_resp_silent] = [0, 1].map(|at| self.sides[at].traffic.pkts == 0);
        let is_complete = match self.id.endpoints.proto() {
            TCP => self.timeout_class == TimeoutClass::Ended,
            UDP if !self.is_self_connection => !is_orig_silent && !is_resp_silent,
            _ => true,
        };
        match is_complete {
            true => self.last_active,
            false => i64::MAX,
        }
    }

    /// Returns the record of the flow as it is now, and of the drops so far.
    pub(super) fn record(&self, end: FlowEndReason, drops: &DropLog) -> FlowRecord {
        let dropped_pkts = drops.count_between(self.id.first_time.0, self.complete_at());
        let [orig, resp] = &self.sides;
        let proto = self.id.endpoints.proto();
        let sides = [
            SideRecord::new(orig, resp, proto),
            SideRecord::new(resp, orig, proto),
        ];
        // Packet timestamps may go backwards.
        let span = |time: i64| TimeDelta(time.saturating_sub(self.id.first_time.0).max(0));
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
            history: self.history.as_bytes(),
            ended_after: span(self.end_time),
            duration: span(self.last_time),
            is_port_unreachable: self.is_port_unreachable,
            is_self_connection: self.is_self_connection,
            dropped_pkts,
            end_reason: end,
        };
        let state = conn_state(&input);
        let outcome = outcome(&input, state);
        FlowRecord {
            id: self.id,
            first_time: self.id.first_time,
            first_frame: self.id.first_frame,
            duration: span(self.last_time),
            service: self.detection.service().cloned(),
            sides,
            conn_state: state,
            outcome,
            history: self.history.clone(),
            handshake_rtt: match self.handshake {
                HandshakeTiming::Measured(duration) => Some(TimeDelta(duration)),
                _ => None,
            },
            response_times: self.response_timer.summary(),
            owners: self.owners(),
            dropped_pkts,
            end_reason: end,
            requests: None,
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
