//! What a flow has to say when it ends: everything that reports are made of.

use std::net::SocketAddr;

use super::half::{Analysis, Half, State, Traffic};
use super::history::History;
use super::key::{End as KeyEnd, FlowKey, Side};
use super::outcome::{ConnState, Outcome};
use super::turns::ResponseTimes;
use crate::detect::Service;
use crate::owners::Owners;
use crate::packet::{ICMP, ICMPV6, Span, TCP, Timestamp, UDP};

/// Which flow: its number, its ends and its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowId {
    /// In the order of the flows' first packets, from 1.
    pub number: u64,
    pub(super) key: FlowKey,
    /// Which end of the key is the originator.
    pub(super) orig: KeyEnd,
}

/// A flow as a whole.
#[derive(Debug, Clone)]
pub struct FlowRecord {
    /// Which flow.
    pub id: FlowId,
    /// The first packet's time.
    pub first: Timestamp,
    /// The number of its frame, from 1: no other flow has the same.
    pub first_frame: u64,
    /// From the first packet to the last, without what follows when both sides had closed, as Zeek has it.
    pub duration: Span,
    /// What is spoken.
    pub service: Option<Service>,
    /// The originator and the responder, as [`Side`] counts them.
    pub sides: [SideRecord; 2],
    /// How far it came (Zeek's `conn_state`).
    pub conn_state: ConnState,
    /// How it ended, in words.
    pub outcome: Outcome,
    /// What happened, as letters (Zeek's `history`).
    pub history: History,
    /// From the first SYN to the ACK of the SYN-ACK; none where one of them was not seen or was sent again (P. Karn).
    pub handshake_rtt: Option<Span>,
    /// From the originator's last byte to the responder's first, turn by turn.
    pub response_times: Option<ResponseTimes>,
    /// The processes at its ends, where they were looked up.
    pub owners: Owners,
    /// Why it is reported now.
    pub end: End,
}

/// One side of a flow.
#[derive(Debug, Clone, Copy)]
pub struct SideRecord {
    /// Packets and bytes.
    pub traffic: Traffic,
    /// What its TCP segments say beside their data.
    pub analysis: Analysis,
    /// Bytes of its stream by sequence numbers, or of its datagrams (Zeek's `orig_bytes`, `resp_bytes`).
    pub bytes: u64,
    /// Bytes that the other side acknowledged and the capture has not; only of connections that were established.
    pub missed_bytes: u64,
    /// How far it is.
    pub state: State,
}

/// Why a flow is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Both sides closed it or one reset it.
    Closed,
    /// Nothing came for so long that it is not waited for any more.
    Idle,
    /// Its addresses and ports were used for another one.
    Reused,
    /// The capture ended.
    Capture,
    /// There were too many flows; it had been quiet for the longest time.
    Evicted,
}

impl FlowRecord {
    /// One of its sides.
    pub fn side(&self, side: Side) -> &SideRecord {
        match side {
            Side::Orig => &self.sides[0],
            Side::Resp => &self.sides[1],
        }
    }

    /// Bytes that the receivers acknowledged and the capture has not (Zeek's `missed_bytes`).
    pub fn missed_bytes(&self) -> u64 {
        self.both(|side| side.missed_bytes)
    }

    /// Something of both sides, added up.
    pub fn both(&self, of: fn(&SideRecord) -> u64) -> u64 {
        self.sides.iter().map(of).sum()
    }
}

impl FlowId {
    /// The originator; the port of an ICMP message is its type.
    pub fn orig(&self) -> SocketAddr {
        self.key.end(self.orig)
    }

    /// The responder; the port of an ICMP message is the type of its answer, or its code where there is no answer.
    pub fn resp(&self) -> SocketAddr {
        self.key.end(self.orig.other())
    }

    /// IANA's protocol number.
    pub fn proto(&self) -> u8 {
        self.key.proto()
    }

    /// The protocol's name: `tcp`, `udp`, `icmp`.
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
    pub(super) fn new(own: &Half, other: &Half, proto: u8) -> SideRecord {
        let rare = own.rare();
        SideRecord {
            traffic: own.traffic,
            analysis: rare.map_or_else(Analysis::default, |rare| rare.analysis),
            bytes: match proto {
                TCP => own.size(other),
                _ => own.traffic.payload_bytes,
            },
            missed_bytes: rare.map_or(0, |rare| rare.missed_bytes),
            state: own.state,
        }
    }
}
