//! Flow records: the data of a finished flow, on which all reports are based.

use std::net::SocketAddr;

use super::history::History;
use super::outcome::{ConnState, FlowEndReason, Outcome};
use super::response_times::ResponseTimes;
use super::side::Side;
use super::tracked_side::{EndpointState, TcpAnalysis, TrackedSide, Traffic};
use crate::detect::Service;
use crate::packet::{Endpoints, ICMP, ICMPV6, TCP, TimeDelta, Timestamp, UDP};
use crate::process::Owners;

/// Identity of a flow: its number, its first packet, its endpoints and its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowId {
    /// Number of the flow, from 1, in the order of first packets.
    pub number: u64,
    /// Timestamp of the first packet.
    pub first_time: Timestamp,
    /// Frame number of the first packet, from 1; unique among flows.
    pub first_frame: u64,
    /// Endpoints, directed from the originator to the responder.
    pub endpoints: Endpoints,
}

/// A finished flow.
#[derive(Debug, Clone)]
pub struct FlowRecord {
    /// Flow identity.
    pub id: FlowId,
    /// Timestamp of the first packet.
    pub first_time: Timestamp,
    /// Frame number of the first packet, from 1; unique among flows.
    pub first_frame: u64,
    /// Time from the first packet to the last. Packets after both sides have closed do not count,
    /// as in Zeek.
    pub duration: TimeDelta,
    /// Detected application protocol.
    pub service: Option<Service>,
    /// The originator and the responder, indexed by [`Side`].
    pub sides: [SideRecord; 2],
    /// Zeek's `conn_state`.
    pub conn_state: ConnState,
    /// Outcome as a short phrase, with its evidence.
    pub outcome: Outcome,
    /// Event letters (Zeek's `history`).
    pub history: History,
    /// Time from the first SYN to the ACK of the SYN-ACK; `None` if one of them was not captured or
    /// was retransmitted (Karn's algorithm).
    pub handshake_rtt: Option<TimeDelta>,
    /// Times from the originator's last byte to the responder's first, one for each request.
    pub response_times: Option<ResponseTimes>,
    /// Processes at both ends, if they were looked up.
    pub owners: Owners,
    /// Number of packets, of any flow, that were dropped before they were captured while this flow
    /// existed: some of them may be packets of this flow.
    pub dropped_pkts: u64,
    /// Reason why the flow was reported.
    pub end_reason: FlowEndReason,
    /// Requests on the flow; `None` if they were not counted: that requires their analysis.
    pub requests: Option<Box<FlowRequests>>,
}

/// Requests on a flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowRequests {
    /// Number of requests.
    pub count: u64,
    /// Number of requests that were answered with an error, or were not answered.
    pub errors: u64,
    /// Status of the worst answer that reports an error: the highest number, or the first status
    /// that is not a number.
    pub worst_status: Option<Box<str>>,
}

/// One side of a flow.
#[derive(Debug, Clone, Copy)]
pub struct SideRecord {
    /// Packets and bytes.
    pub traffic: Traffic,
    /// Counters of TCP anomalies.
    pub analysis: TcpAnalysis,
    /// Length of the side's stream in bytes by sequence numbers, or total payload of its datagrams
    /// (Zeek's `orig_bytes`, `resp_bytes`).
    pub bytes: u64,
    /// Bytes that the other side acknowledged but that were not captured; counted only for
    /// connections that were established.
    pub missed_bytes: u64,
    /// TCP state.
    pub state: EndpointState,
}

impl FlowRecord {
    /// Returns the record of one side.
    pub fn side(&self, side: Side) -> &SideRecord {
        match side {
            Side::Orig => &self.sides[0],
            Side::Resp => &self.sides[1],
        }
    }

    /// Returns the number of bytes that the receivers acknowledged but that were not captured
    /// (Zeek's `missed_bytes`). More bytes may be missing if packets were
    /// [dropped](Self::dropped_pkts).
    pub fn missed_bytes(&self) -> u64 {
        self.sum_sides(|side| side.missed_bytes)
    }

    /// Returns the sum of one value over both sides.
    pub fn sum_sides(&self, value: fn(&SideRecord) -> u64) -> u64 {
        self.sides.iter().map(value).sum()
    }
}

impl FlowId {
    /// Returns the originator's endpoint. The port of an ICMP message is its type.
    pub fn orig(&self) -> SocketAddr {
        self.endpoints.src()
    }

    /// Returns the responder's endpoint. The port of an ICMP message is the type of its reply, or
    /// its code if no reply type exists.
    pub fn resp(&self) -> SocketAddr {
        self.endpoints.dst()
    }

    /// Returns the IANA protocol number.
    pub fn proto(&self) -> u8 {
        self.endpoints.proto()
    }

    /// Returns the protocol's name as Zeek writes it: `tcp`, `udp`, `icmp`, or `unknown_transport`.
    pub fn transport(&self) -> &'static str {
        match self.proto() {
            TCP => "tcp",
            UDP => "udp",
            ICMP | ICMPV6 => "icmp",
            _ => "unknown_transport",
        }
    }
}

impl SideRecord {
    pub(super) fn new(own: &TrackedSide, other: &TrackedSide, proto: u8) -> SideRecord {
        let cold = own.cold();
        SideRecord {
            traffic: own.traffic,
            analysis: cold.map_or_else(TcpAnalysis::default, |cold| cold.analysis),
            bytes: match proto {
                TCP => own.stream_len(other),
                _ => own.traffic.payload_bytes,
            },
            missed_bytes: cold.map_or(0, |cold| cold.missed_bytes),
            state: own.state,
        }
    }
}
