//! Flow tracking: packets → flows, with the outcome of each and its reassembled byte streams. Pure:
//! the only clock is the packets' timestamps, and there is no I/O.
//!
//! A flow is the traffic between two endpoints over one protocol. Its originator is the sender of
//! the first SYN. If that SYN was not captured, the originator is the sender of the first captured
//! packet or, if only the sender's port is a likely server port (Zeek's `likely_server_ports`), the
//! receiver of that packet. A SYN with a different initial sequence number starts a new flow, as in
//! Wireshark.
//!
//! Memory is bounded by limits on the number of flows, on the bytes buffered per direction and in
//! total, and on IP fragments. Evictions and drops are reported and counted.

mod apply;
mod assembler;
mod clock;
#[cfg(feature = "cli")]
mod community_id;
#[cfg(feature = "cli")]
mod condition;
mod counts;
mod coverage;
mod detection;
mod drops;
mod fallbacks;
mod fragments;
mod history;
mod icmp;
mod idle_lists;
mod input;
mod outcome;
mod record;
mod response_times;
mod sequence;
mod server_ports;
mod side;
mod sightings;
mod stream_events;
mod table;
mod tcp;
mod tracked_flow;
mod tracked_side;
#[cfg(feature = "cli")]
mod uid;

#[cfg(feature = "cli")]
pub use community_id::community_id;
#[cfg(feature = "cli")]
pub use condition::{CONDITIONS, FlowCondition};
pub use counts::FlowCounts;
pub use history::History;
pub use outcome::{
    ConnState, Fallback, FlowEndReason, Outcome, OutcomeEvidence, OutcomeKind, OutcomeWithDrops,
};
pub use record::{FlowId, FlowRecord, FlowRequests, SideRecord};
pub use response_times::ResponseTimes;
pub use side::Side;
pub use table::FlowTable;
#[cfg(test)]
pub(crate) use tcp::tests::segment_counts;
pub use tracked_side::{EndpointState, TcpAnalysis, Traffic};
#[cfg(feature = "cli")]
pub use uid::uid;

use crate::detect::Service;
use crate::packet::Timestamp;
use crate::process::Owners;

/// Settings of flow tracking, including its memory limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowSettings {
    /// Level of stream reassembly.
    pub stream_mode: StreamMode,
    /// Maximum number of flows tracked at the same time; each uses about 600 bytes. If a new flow
    /// would exceed the limit, the least recently active flow is reported and evicted.
    pub max_flows: u32,
    /// Maximum number of out-of-order bytes that one direction of a flow may buffer while earlier
    /// bytes are missing.
    pub max_out_of_order_bytes: u64,
    /// Maximum number of bytes that all flows together may buffer, not counting the flow records.
    /// Above this limit no further bytes are buffered, and service detection decides from the bytes
    /// collected so far.
    pub max_buffered_bytes: u64,
    /// Time in nanoseconds for which an ended flow stays in the table, to receive late packets such
    /// as the last acknowledgement.
    pub linger_ns: i64,
}

/// Level of stream reassembly. Each level includes the previous level; work that the selected level
/// does not require is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamMode {
    /// No reassembly.
    Off,
    /// Streams are reassembled and reported with [`FlowEventKind::Data`].
    Reassemble,
    /// Retransmitted bytes are also compared with the originals and reported with
    /// [`FlowEventKind::Mismatch`]; delivered bytes are kept until they are acknowledged.
    CompareOverlaps,
}

impl FlowSettings {
    /// Flows without streams, for capture files. Ended flows are kept for the duration of TIME_WAIT
    /// (60 s on Linux).
    pub const FLOWS: FlowSettings = FlowSettings {
        stream_mode: StreamMode::Off,
        max_flows: 1_000_000,
        max_out_of_order_bytes: 16 << 20,
        max_buffered_bytes: 512 << 20,
        linger_ns: 60_000_000_000,
    };
}

/// Callback that receives flow events.
type Emit<'a> = &'a mut dyn FnMut(FlowEvent);

/// An event of a flow.
#[derive(Debug, Clone, Copy)]
pub struct FlowEvent<'a> {
    /// Flow identity.
    pub id: &'a FlowId,
    /// Timestamp of the packet that caused the event.
    pub time: Timestamp,
    /// Time at which the event became due, if a timeout caused it. The table emits the events that
    /// are due by a packet's time before the packet's own events, ordered by due time and then by
    /// flow number.
    pub due: Option<Timestamp>,
    /// Event type and data.
    pub kind: FlowEventKind<'a>,
}

/// Types of flow events. Stream offsets are in bytes; the first data byte of a side is at offset 0.
#[derive(Debug, Clone, Copy)]
pub enum FlowEventKind<'a> {
    /// First packet of the flow.
    Opened {
        /// True if the packet is not the start of the connection: a TCP segment without SYN.
        is_late: bool,
    },
    /// The processes at the two ends were identified, or identified more precisely.
    Owners(&'a Owners),
    /// The application protocol was detected.
    Detected(&'a Service),
    /// Data from one side: the next bytes of its stream, or a datagram.
    Data {
        /// Sender.
        side: Side,
        /// Offset in the stream.
        offset: u64,
        /// Captured bytes.
        bytes: &'a [u8],
        /// Timestamp of the packet with these bytes: it is earlier than that of the event if
        /// earlier bytes were missing until then.
        captured: Timestamp,
    },
    /// Bytes of a side's stream are missing.
    Gap {
        /// Sender of the missing bytes.
        side: Side,
        /// Offset in the stream.
        offset: u64,
        /// Number of missing bytes.
        len: u64,
        /// Reason.
        cause: GapCause,
    },
    /// A side's stream has ended: it was closed or reset, and all of its bytes were delivered.
    End {
        /// Side that sends no more data.
        side: Side,
    },
    /// Retransmitted bytes differ from the originals; the originals are kept.
    Mismatch {
        /// Sender.
        side: Side,
        /// Offset of the retransmission in the stream.
        offset: u64,
        /// Number of bytes that differ.
        len: u64,
    },
    /// The flow ended, or was evicted.
    Closed(&'a FlowRecord),
}

/// Reason for missing bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    /// Not captured.
    Lost,
    /// Cut off by the snapshot length.
    Cut,
}
