//! lcap shows, saves and explains the traffic that a machine sends to itself.
//!
//! It is a command, and a library for tests: [`open`] reads a capture file, `live` captures on a
//! device, and both return a [`Capture`] with packets, flows, streams and requests:
//!
//! ```
//! let mut requests = 0;
//! lcap::open("fixtures/http.pcap")?.port(8080).packets(|packet| {
//!     requests += usize::from(packet.payload().bytes.starts_with(b"GET "));
//! })?;
//! assert_eq!(requests, 1);
//! let flows = lcap::open("fixtures/http.pcap")?.flows()?;
//! assert_eq!(flows[0].side(lcap::Side::Orig).bytes, 78);
//! assert_eq!(flows[0].outcome.kind, lcap::OutcomeKind::Normal);
//! let streams = lcap::open("fixtures/http.pcap")?.streams()?;
//! assert!(streams[0].resp.starts_with(b"HTTP/1.0 200 OK\r\n"));
//! let requests = lcap::open("fixtures/http.pcap")?.requests()?;
//! assert_eq!(requests[0].outcome, lcap::RequestOutcome::Ok);
//! assert!(requests[0].duration() < Some(lcap::TimeDelta(5_000_000)));
//! # Ok::<(), lcap::Error>(())
//! ```
//!
//! # Features
//!
//! | feature | contents |
//! |---|---|
//! | `cli` | the command, its output formats and `lcap doctor`; includes `live` |
//! | `live` | `live`, [`Capture::filter`](Capture), attribution to processes; requires libpcap |
//! | `zstd` | capture files compressed with zstd |
//! | `internals` | the modules, for this project's own tests; no stable interface |
//!
//! The first three are the default; the command is built with all of them. A test that only reads
//! files needs none: `lcap = { version = "0.1", default-features = false }`.
//!
//! # Overview
//!
//! ```text
//! lo  ──► source ──► decode ──► filter ──► flow ──► request ──► sink ──► terminal, file, pipe
//! file    Frame      Packet     yes/no     events   answers     bytes
//!                                detect ────┘   first bytes → protocol
//!         attribution ─── owners of both ends: two processes and the evidence
//! ```
//!
//! Each stage is a folder in `src`; `pipeline` contains the loop, `cli` the command line. A
//! [`Frame`] is a captured frame, a [`Packet`] is a decoded frame; both borrow the captured bytes,
//! which are never copied. A `FlowTable` turns packets into [`FlowEvent`]s if a sink requires them,
//! and a `RequestTable` turns these into [`Request`]s.
//!
//! # Floors
//!
//! A module imports only from floors below it; a test enforces that.
//!
//! | floor | contents |
//! |---|---|
//! | `cli` | command line in, exit code out |
//! | `doctor` | diagnosis of a port: why it cannot be reached, which process has it |
//! | `pipeline` | the loop, its limits, its totals, its outputs; the library's [`Capture`] |
//! | `sink` | events to bytes: one format per file |
//! | `event` | events of the loop, and the trait of their consumers |
//! | `request` | streams to requests with their answers: one protocol per file |
//! | `flow` | packets to flows and streams; pure: no clock, no I/O |
//! | `detect` | opening bytes to protocol: one protocol per file |
//! | `attribution` | connections to the processes at both ends, with the evidence for each |
//! | `filter` | decision for each packet: yes or no |
//! | `source` | origins of frames: libpcap on a device, files, pipes |
//! | `host` | queries to this machine: sockets, processes, interfaces, firewall, namespaces |
//! | `privileges` | capabilities while they are needed, and the sandbox of the decoding process |
//! | `decode` | frame to packet, by etherparse; cannot fail |
//! | `packet` | core data types: frame, headers, endpoints, owners |
//! | `process` | socket ownership as data, and its encoding in pcapng comments; no I/O |
//! | `time` | timestamps and the local time zone |
//! | `error` | errors: operation, object, cause, remedy |
//! | `printable` | the decision which characters are printed as they are |
//!
//! # Invariants
//!
//! - No clock below `pipeline` except the timestamps of `source` and the lookups of `attribution`:
//!   a file produces the same result as the live capture did.
//! - `decode` and `FlowTable::push` cannot fail or panic on any bytes.
//! - All state is bounded. Evicted state is reported and counted.
//! - Output bytes never depend on hash seeds.
//! - No packet is copied, and no memory is allocated for it, on the way to the sinks.
//! - Only the kernel ring can lose packets. Losses are counted in one place and always printed.
//! - No privilege is held while packets are read: [`doc::internals`] lists what each process can
//!   do.
//! - Damage to a file ends in an error with the byte offset, after every intact packet.
//! - Characters from outside that steer a terminal or mislead a reader (control and format
//!   characters of Unicode) are replaced in every output; `printable` alone decides which they are.
//!
//! # How to add
//!
//! A format, a detector, an analyzer of requests, a field, a doctor check, a `--fail-on` condition
//! and a link type are each one file or one row of a table: [`doc::internals`] lists the places. It
//! also explains the design decisions and the rejected designs, with measurements.

#[cfg(feature = "live")]
mod attribution;
#[cfg(feature = "cli")]
mod cli;
mod decode;
mod detect;
pub mod doc;
#[cfg(feature = "cli")]
mod doctor;
mod error;
mod event;
mod filter;
mod flow;
#[cfg(feature = "live")]
mod host;
mod packet;
mod pipeline;
mod printable;
#[cfg(feature = "live")]
mod privileges;
mod process;
mod request;
#[cfg(feature = "cli")]
mod sink;
mod source;
mod time;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub use cli::{main, out_of_memory::Allocator};
pub use detect::{Service, ServiceAttributes};
pub use error::{Error, Result};
pub use flow::{
    ConnState, EndpointState, Fallback, FlowCounts, FlowEndReason, FlowEvent, FlowEventKind,
    FlowId, FlowRecord, FlowRequests, FlowSettings, GapCause, History, Outcome, OutcomeEvidence,
    OutcomeKind, OutcomeWithDrops, ResponseTimes, Side, SideRecord, StreamMode, TcpAnalysis,
    Traffic,
};
pub use packet::{
    DecodeProblem, Endpoints, Fragment, Frame, FrameOptions, Interface, LinkType, Packet,
    PacketKind, Payload, Resolution, Tcp, TcpFlags, TcpOption, TcpOptions,
};
#[cfg(feature = "live")]
pub use pipeline::live;
pub use pipeline::{Capture, Counts, FlowStreams, open, read};
pub use process::{Evidence, Owner, Owners, Process, ProcessDetails, ProxyListener, ProxyTarget};
pub use request::{
    Detail, Details, Message, RepeatDetector, RepeatedRequests, Request, RequestCounts,
    RequestGroup, RequestGroups, RequestOutcome, RequestSettings,
};
pub use source::Losses;
#[cfg(feature = "live")]
pub use source::Stop;
#[cfg(feature = "live")]
pub use source::live::{DeliveryMode, LiveOptions, MAX_SNAP_LEN};
pub use time::durations::DurationSummary;
pub use time::{TimeDelta, Timestamp};

/// Modules for this project's own tests and benchmarks; no stable interface.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals {
    #[cfg(feature = "cli")]
    pub use crate::host::parsers;
    #[cfg(feature = "live")]
    pub use crate::host::processes::fork_events;

    macro_rules! public_modules {
        ($($name:ident)*) => {$(
            pub mod $name {
                pub use crate::$name::*;
            }
        )*};
    }
    public_modules!(decode detect error filter flow packet pipeline process request source time);
    #[cfg(feature = "cli")]
    public_modules!(sink);
}
