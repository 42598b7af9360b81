//! Packets to flows: who talked, how it went, how it ended, and every byte of it in order. Pure: no clock but the packets', no I/O.
//!
//! A flow is what goes between two ends over one protocol. Its originator is who sent the first SYN; where that was not captured,
//! who sent first, unless only the sender's port is a well-known server's (Zeek's `likely_server_ports`). A SYN with another initial
//! sequence number begins a new flow, as in Wireshark.
//!
//! Everything is bounded: the number of flows, what waits in one direction, what waits in all, fragments. What is let go is
//! reported and counted.

mod ages;
mod assembler;
mod community;
mod condition;
mod fragments;
mod half;
mod history;
mod icmp;
mod key;
mod outcome;
mod peaks;
mod pieces;
mod places;
mod recent;
mod record;
mod seen;
mod sequence;
mod servers;
mod speech;
mod table;
mod tcp;
mod tracked;
mod turns;
mod watch;

pub use community::community_id;
pub use condition::{CONDITIONS, Condition};
pub use half::{Analysis, State, Traffic};
pub use history::History;
pub use key::{FlowKey, Side};
pub use outcome::{ConnState, Evidence, Outcome, Verdict};
pub use peaks::Peaks;
pub use recent::Hint;
pub use record::{End, FlowId, FlowRecord, SideRecord};
pub use table::{FlowCounts, FlowTable, LEAP};
pub use turns::ResponseTimes;

use crate::owners::Owners;
use crate::packet::Timestamp;

/// What is done with flows, and what they may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether streams are put together.
    pub streams: Wanted,
    /// The most flows that are followed at once; each takes about 600 bytes. Beyond that the one that was quiet for the longest
    /// time is reported and forgotten.
    pub max_flows: u32,
    /// The most bytes that may wait, because something before them is missing, in one direction of a flow.
    pub max_waiting: u64,
    /// The most bytes that all flows together may hold beside themselves; beyond that nothing waits and nothing is looked at any more.
    pub max_held: u64,
    /// How long a flow is waited for after it ended, in nanoseconds: the last acknowledgement comes then.
    pub linger: i64,
}

/// What is wanted of streams, each more than the one before; what is not wanted is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Nothing.
    No,
    /// Their bytes, with [`What::Data`] for each.
    Yes,
    /// And that what is sent again is compared with what was sent first, with [`What::Mismatch`]: it is kept until it is acknowledged.
    Compared,
}

impl Settings {
    /// Flows without their streams, from a file: what ended stays known for as long as its ports rest (TIME_WAIT, 60 s on Linux).
    pub const FLOWS: Settings = Settings {
        streams: Wanted::No,
        max_flows: 1_000_000,
        max_waiting: 16 << 20,
        max_held: 512 << 20,
        linger: 60_000_000_000,
    };
}

/// Takes what happens to flows.
type Emit<'a> = &'a mut dyn FnMut(FlowEvent);

/// Something that happened to a flow.
#[derive(Debug, Clone, Copy)]
pub struct FlowEvent<'a> {
    /// Which flow.
    pub id: &'a FlowId,
    /// The time of the packet that made it happen.
    pub time: Timestamp,
    /// When it became due, if it happened because nothing came any more. Before what a packet does itself, the table tells what is due by its
    /// time, in the order of these times and then of the flows' numbers.
    pub due: Option<Timestamp>,
    /// What happened.
    pub what: What<'a>,
}

/// What can happen to a flow. Offsets count the bytes of a side's stream from its first, which is 0.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// Its first packet came.
    Opened,
    /// Whose its ends are became known, or better known.
    Named(&'a Owners),
    /// A side said something: the next bytes of its stream, or a datagram.
    Data {
        /// Who.
        side: Side,
        /// Where in the stream.
        offset: u64,
        /// What, as far as it was captured.
        bytes: &'a [u8],
    },
    /// Bytes of a side's stream are not there.
    Gap {
        /// Whose.
        side: Side,
        /// Where in the stream.
        offset: u64,
        /// How many.
        len: u64,
        /// Why.
        cause: Cause,
    },
    /// A side sent bytes again, and they were others; the first ones stand.
    Mismatch {
        /// Who.
        side: Side,
        /// Where in the stream what was sent again begins.
        offset: u64,
        /// How many differ.
        len: u64,
    },
    /// It ended, or is not followed any further.
    Closed(&'a FlowRecord),
}

/// Why bytes are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// They were not captured.
    Lost,
    /// The snap length cut them off.
    Cut,
}
