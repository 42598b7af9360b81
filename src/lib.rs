//! lcap shows, saves and explains the traffic that a machine sends to itself.
//!
//! The command line is in [`cli`]; everything below it is a library. A test can replay a capture
//! and inspect each packet:
//!
//! ```
//! use lcap::packet::Body;
//!
//! let mut requests = 0;
//! lcap::open("fixtures/http.pcap")?.only("8080", "tcp")?.each(|packet| {
//!     if let Body::Tcp { payload, .. } = packet.body {
//!         requests += usize::from(payload.bytes.starts_with(b"GET "));
//!     }
//! })?;
//! assert_eq!(requests, 1);
//! # Ok::<(), lcap::error::Error>(())
//! ```
//!
//! # Overview
//!
//! ```text
//! lo  ──► source ──► decode ──► filter ──► flow ──► sink ──► terminal, file, pipe
//! file    Frame      Packet     yes/no     events    bytes
//!                                detect ────┘   first bytes → protocol
//!         attribution ─── owners of both ends: two processes and the evidence
//! ```
//!
//! Each stage is a folder; [`pipeline`] contains the loop, [`cli`] the command line. A
//! [`Frame`](packet::Frame) is a captured frame, a [`Packet`](packet::Packet) is a decoded frame;
//! both borrow the captured bytes, which are never copied. A [`FlowTable`](flow::FlowTable) turns
//! packets into [`FlowEvent`](flow::FlowEvent)s if a sink [requires](sink::Requirement) them.
//!
//! # Floors
//!
//! A module imports only from floors below it; a test enforces that.
//!
//! | floor | contents |
//! |---|---|
//! | [`cli`] | command line in, exit code out |
//! | [`doctor`] | diagnosis of a port: why it cannot be reached, which process has it |
//! | [`pipeline`] | the loop, its limits, its totals, its outputs |
//! | [`sink`] | events to bytes: one format per file |
//! | [`flow`] | packets to flows and streams; pure: no clock, no I/O |
//! | [`detect`] | opening bytes to protocol: one protocol per file |
//! | [`attribution`] | connections to the processes at both ends, with the evidence for each |
//! | [`host`] | queries to this machine: sockets, processes, interfaces, firewall, namespaces |
//! | [`filter`] | decision for each packet: yes or no |
//! | [`source`] | origins of frames: libpcap on a device, mapped files, pipes |
//! | [`decode`] | frame to packet, by etherparse; cannot fail |
//! | [`process`] | socket ownership as data, and its encoding in pcapng comments; no I/O |
//! | [`packet`] | core data types; [`error`] and [`prefetch`] are at the same level |
//!
//! # Invariants
//!
//! - No clock below [`pipeline`] except the timestamps of [`source`] and the lookups of
//!   [`attribution`]: a file produces the same result as the live capture did.
//! - [`decode::decode`] and [`flow::FlowTable::push`] cannot fail or panic on any bytes.
//! - All state is bounded. Evicted state is reported and counted.
//! - Output bytes never depend on the number of threads or on hash seeds.
//! - No packet is copied, and no memory is allocated for it, on the way to the sinks.
//! - Only the kernel ring can lose packets. Losses are counted in one place and always printed.
//! - Damage to a file ends in an error with the byte offset, after every intact packet.
//! - Control characters from packets and files never reach a terminal.
//!
//! # How to add
//!
//! - a format: a file in `sink` with a [`Sink`](sink::Sink) (for capture files, an
//!   [`Encoder`](sink::Encoder)), and its row in [`FORMATS`](sink::FORMATS);
//! - a detector: a file in `detect`, its row in [`DETECTORS`](detect::DETECTORS), its test cases;
//! - a flow field: a row in [`COLUMNS`](sink::flows::COLUMNS), and one in `src/doc/formats.md`;
//! - a doctor check: a file in `doctor` with a function that evaluates
//!   [`PortFacts`](doctor::PortFacts), and its row in [`CHECKS`](doctor::CHECKS); `host` collects
//!   all facts once;
//! - a `--fail-on` condition: a row in [`CONDITIONS`](flow::CONDITIONS);
//! - a link type: its constant in `packet/link.rs`, its match arm in `decode/link.rs`, its printer
//!   in `sink/text`;
//! - a fixture: a row in `fixtures/CASES`, and `LCAP_BLESS=1 cargo test` for its golden file.
//!
//! [`doc::internals`] explains the design decisions and the rejected designs, with measurements.

pub mod attribution;
pub mod cli;
pub mod decode;
pub mod detect;
pub mod doc;
pub mod doctor;
pub mod error;
pub mod filter;
pub mod flow;
pub mod host;
pub mod packet;
pub mod pipeline;
pub mod process;
pub mod sink;
pub mod source;
pub mod time;

pub use pipeline::{Capture, open};
