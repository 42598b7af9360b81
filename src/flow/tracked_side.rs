//! Per-side state of a flow: traffic counters, stream position and TCP state (Zeek's
//! `TCP_Endpoint`).

use std::sync::Arc;

use super::assembler::Assembler;
use super::sequence::SeqOffset;
use super::side::Side;
use crate::process::Owner;

/// TCP state of one side, as Zeek defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndpointState {
    /// No packet from this side was captured.
    #[default]
    Inactive,
    /// A SYN was sent.
    SynSent,
    /// A SYN-ACK was sent, and no SYN was captured before it.
    SynAckSent,
    /// Packets were sent in a connection whose start was not captured.
    Partial,
    /// Established.
    Established,
    /// A FIN was sent.
    Closed,
    /// A RST was sent.
    Reset,
}

/// Packets and bytes that one side sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets; the fragments of a datagram count as one.
    pub pkts: u64,
    /// Length of the frames on the wire, in bytes.
    pub wire_bytes: u64,
    /// Length of the IP packets according to their headers, in bytes.
    pub ip_bytes: u64,
    /// Payload bytes, including retransmissions.
    pub payload_bytes: u64,
}

/// TCP analysis counters of one side, with Wireshark's names. Segments are classified by sequence
/// numbers, not by timing (Wireshark User's Guide, "TCP Analysis"; tcptrace, rexmit.c).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpAnalysis {
    /// Segments that repeat data, a SYN or a FIN.
    pub retrans_pkts: u32,
    /// Bytes of data that were retransmitted.
    pub retrans_bytes: u64,
    /// Retransmitted bytes that differ from the originals; counted only while streams are
    /// reassembled and compared.
    pub mismatched_bytes: u64,
    /// Retransmissions of data that the other side had acknowledged.
    pub spurious_pkts: u32,
    /// Out-of-order segments: only new bytes, captured after later segments.
    pub ooo_pkts: u32,
    /// Segments after a gap.
    pub lost_pkts: u32,
    /// Acknowledgements that repeat the last one while data is outstanding (RFC 5681 section 2).
    pub dup_acks: u32,
    /// Segments with a zero window and without SYN, FIN or RST.
    pub zero_windows: u32,
    /// One-byte probes of a zero window.
    pub window_probes: u32,
    /// Keep-alives: segments of 0 or 1 byte just before the expected offset.
    pub keep_alives: u32,
    /// Packets that were captured before, on another interface; nothing else counts them.
    pub duplicate_pkts: u32,
}

/// Rarely used state, allocated on first use.
#[derive(Debug, Clone, Default)]
pub(super) struct ColdState {
    /// Owner of this end, if it is identified.
    pub(super) owner: Option<Arc<Owner>>,
    pub(super) analysis: TcpAnalysis,
    /// Bytes that the other side acknowledged but that were not captured.
    pub(super) missed_bytes: u64,
    /// Event counters of the history letters T, W and G.
    pub(super) history_retransmissions: u32,
    pub(super) history_zero_windows: u32,
    pub(super) history_gaps: u32,
    /// Offset of the side's last window probe; 0 if it sent none.
    pub(super) probe_offset: SeqOffset,
}

/// One side of a flow.
#[derive(Debug, Clone, Default)]
pub(super) struct TrackedSide {
    pub(super) traffic: Traffic,
    /// Initial sequence number: that of the SYN, else one less than the first captured number.
    pub(super) isn: u32,
    /// Offset after the last octet that this side sent.
    pub(super) snd_nxt: SeqOffset,
    /// Offset that the other side acknowledged.
    pub(super) acked: SeqOffset,
    /// Offset after this side's FIN.
    pub(super) fin_end: SeqOffset,
    pub(super) assembler: Assembler,
    cold: Option<Box<ColdState>>,
    /// Offsets of the last segments with SYN, FIN and RST; another segment at the same offset is a
    /// retransmission.
    pub(super) last_syn_offset: u32,
    pub(super) last_fin_offset: u32,
    pub(super) last_rst_offset: u32,
    /// Window field of this side's last segment, unscaled.
    pub(super) window: u16,
    pub(super) state: EndpointState,
    pub(super) previous_state: EndpointState,
    /// True if a SYN without ACK from this side was captured.
    pub(super) syn_seen: bool,
    /// True if a SYN-ACK from this side was captured.
    pub(super) syn_ack_seen: bool,
    /// True if a FIN from this side was captured.
    pub(super) fin_seen: bool,
    /// True if this side has closed, and all its data was delivered or acknowledged.
    pub(super) is_drained: bool,
}

impl TrackedSide {
    /// Returns a side and the opposite one.
    #[inline]
    pub(super) fn own_and_other(
        sides: &mut [TrackedSide; 2],
        side: Side,
    ) -> (&mut TrackedSide, &mut TrackedSide) {
        let [orig, resp] = sides;
        match side {
            Side::Orig => (orig, resp),
            Side::Resp => (resp, orig),
        }
    }

    /// Returns the rarely used state, if it was allocated.
    pub(super) fn cold(&self) -> Option<&ColdState> {
        self.cold.as_deref()
    }

    /// Returns the owner of this end, if it is identified.
    pub(super) fn owner(&self) -> Option<&Arc<Owner>> {
        self.cold.as_deref()?.owner.as_ref()
    }

    /// Adopts the owner of this end if there is one, and returns true if it is another one than
    /// before.
    pub(super) fn adopt_owner(&mut self, owner: Option<&Arc<Owner>>) -> bool {
        let Some(owner) = owner else { return false };
        let adopted = match self.owner() {
            None => Arc::clone(owner),
            Some(current) if Arc::ptr_eq(current, owner) || current.includes(owner) => {
                return false;
            }
            Some(current) if !current.evidence.is_certain() => Arc::clone(owner),
            Some(_) if !owner.evidence.is_certain() => return false,
            // Several processes use the socket in turns.
            Some(current) => Arc::new(owner.followed_by(current)),
        };
        self.cold_mut().owner = Some(adopted);
        true
    }

    /// Returns the rarely used state, allocated if needed.
    pub(super) fn cold_mut(&mut self) -> &mut ColdState {
        self.cold.get_or_insert_default()
    }

    /// Frees the rarely used state. The stream must be finished.
    pub(super) fn release(&mut self) {
        self.cold = None;
    }

    /// Enters a state, and records the previous one.
    pub(super) fn enter(&mut self, state: EndpointState) {
        if state != self.state {
            self.previous_state = self.state;
            self.state = state;
        }
    }

    /// Starts the stream at this initial sequence number.
    pub(super) fn start_stream(&mut self, isn: u32) {
        self.isn = isn;
        self.snd_nxt = 0;
        self.acked = 0;
    }

    /// Returns true if this side is established, or was established before it closed.
    pub(super) fn is_established_or_closed(&self) -> bool {
        self.state == EndpointState::Established
            || (self.state == EndpointState::Closed
                && self.previous_state == EndpointState::Established)
    }

    /// Returns true if this side sent data that was neither delivered nor acknowledged.
    pub(super) fn has_undelivered(&self) -> bool {
        let settled = self.assembler.settled_offset() as SeqOffset + 1;
        self.snd_nxt > settled + 1
    }

    /// Returns the length of the stream in bytes, by sequence numbers (Zeek's `size`): bytes that
    /// were not captured count, retransmissions do not.
    pub(super) fn stream_len(&self, other: &TrackedSide) -> u64 {
        let gave_up =
            self.previous_state == EndpointState::SynSent && self.state == EndpointState::Reset;
        if gave_up && other.state == EndpointState::Inactive && self.acked > 1 {
            // A half-open connection was detected and reset: the acknowledged numbers belong to
            // another connection.
            return 0;
        }
        let end = self.snd_nxt.max(self.acked).max(0) as u64;
        end.saturating_sub(1)
            .saturating_sub(u64::from(self.fin_seen))
    }
}
