//! lcap shows, saves and explains the traffic that a machine sends to itself.
//!
//! The command is in [`cli`]; everything below it is a library. Tests can replay a capture and look at every packet:
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
//!
//! for flow in lcap::open("fixtures/http.pcap")?.flows()? {
//!     assert_eq!(flow.outcome.to_string(), "closed normally");
//!     assert_eq!(flow.service.map(|service| service.facts.to_string()).as_deref(), Some("GET / 200"));
//! }
//! # Ok::<(), lcap::error::Error>(())
//! ```
//!
//! # The picture
//!
//! ```text
//! lo  ──► source ──► decode ──► filter ──► flow ──► sink ──► terminal, file, pipe
//! file    Frame      Packet     yes/no     events    bytes
//!                                 detect ────┘   first bytes → what is spoken
//! ```
//!
//! One folder per arrow; [`pipeline`] holds the one loop, [`cli`] holds the words. A [`Frame`](packet::Frame) is what was
//! captured, a [`Packet`](packet::Packet) is the same frame understood as far as lcap reads, and a [`Brief`](packet::Brief) as far as flows
//! need it; they borrow, and are never copied. A
//! [`FlowTable`](flow::FlowTable) makes [`FlowEvent`](flow::FlowEvent)s of packets where a sink needs them ([`Needs`](sink::Needs)).
//!
//! # The floors
//!
//! A module uses only what is below it; a test enforces that.
//!
//! | floor | what it is |
//! |---|---|
//! | [`cli`] | words in, exit code out |
//! | [`doctor`] | why a port cannot be reached, who has it, who else can |
//! | [`pipeline`] | the loop, its limits, its totals, its outputs |
//! | [`sink`] | events become bytes: one format per file |
//! | [`flow`] | packets to flows and streams; pure: no clock, no I/O |
//! | [`owners`] | ends of connections to the processes that have them, and how sure that is |
//! | [`host`] | what this machine knows about itself |
//! | [`detect`] | opening bytes to what is spoken: one protocol per file |
//! | [`filter`] | packet to yes or no |
//! | [`decode`] | frame to packet; etherparse behind one door; cannot fail |
//! | [`source`] | where frames come from: libpcap on a device, mapped files, pipes |
//! | [`packet`] | the nouns; [`error`], and [`memory`] that is asked for in time, stand beside it |
//!
//! # What always holds
//!
//! - No clock below [`pipeline`] except what [`source`] stamps, and what [`owners`] looks up beside a live capture: a file gives what
//!   the live capture gave.
//! - [`decode::decode`] and [`flow::FlowTable::push`] cannot fail or panic, whatever the bytes.
//! - Everything that is remembered is bounded, and what is let go is reported and counted.
//! - No byte that comes out depends on the number of threads or on the seeds of hashes.
//! - No packet is copied or allocated for on its way to the sinks: it stays in the kernel's ring or in the file's map.
//! - Only the kernel's ring can lose packets. Losses are counted in one place and always printed.
//! - Damage to a file ends in an error with its byte offset, after every good packet was delivered.
//! - Nothing from a packet or a file reaches a terminal as a control character.
//!
//! # Why there is no capture thread
//!
//! The first design had a thread that copied packets out of the ring for the loop. Measured, it cost half as much CPU again per
//! packet: every packet moved from one processor's cache to another's. The ring is itself the queue: it takes packets while the
//! loop prints or writes, holds far more than any hand-off between threads, and counts what it loses. See [`source::live`].
//!
//! For the same reason a source gives frames instead of being asked for the next one ([`Source::each`](source::Source::each)): libpcap shows
//! the ring's memory only while it calls, so an answer to a question would be a copy. That copy took a fifth of the time that large segments need.
//!
//! # Why most packets are never whole
//!
//! Nearly all packets of loopback are TCP segments and UDP datagrams with nothing unusual in their headers. Where no sink wants whole packets,
//! counts, filters and flows read those in [`Brief`](packet::Brief), straight from their bytes and in the form in which flows are looked up;
//! what is unusual is decoded. To make a [`Packet`](packet::Packet) of each and then a key of that took a third of all instructions. A test holds
//! every brief against what decoding gives. Lines as tcpdump writes them are made of frames by printers that read headers themselves, as
//! tcpdump's do: they have more to say of what is broken than a packet can hold.
//!
//! A brief is never written to memory on the way that most packets take: no call there gets a reference to it, and those that hardly any packet
//! makes get a copy of which the compiler cannot see that it is one ([`apart`](packet::Brief::apart)). Otherwise it gives them the original,
//! which then has to stand there for every packet.
//!
//! # How files are shared by threads
//!
//! A mapped file is read by several threads, where that saves time, and no byte that comes out depends on how many there are. One thread
//! finds where the next few thousand frames are; then each makes what is to be made of those in its [`Lane`](packet::Lane)s, and the
//! thread that called puts it in order. A connection is in one lane, so all that is remembered of it is in one place and needs no lock.
//! The first design had every thread walk over the whole file, and the second passed on all that was known of each frame: what one
//! processor writes and another reads cost more than to find it again. So only places in the file are handed on, and finished lines. A third,
//! in which a thread took a stretch through all steps and had the one table in its turn, was slower than one thread alone: the table's flows
//! went from cache to cache.
//!
//! Who finds frames waits for memory at each of them: where one begins is known from the one before. To find some between any two that a
//! thread works on, so that it need not wait, took as much longer as the waiting had. What can be known before is asked for before
//! ([`memory`]): records ahead, and the flows that had the ends of a SYN.
//!
//! What has to be bounded for all flows together cannot be bounded by each thread: near such a bound the file is read again by one.
//!
//! # How ends get their names
//!
//! A client may be gone before any packet of it is seen, so the kernel is asked to tell: by BPF programs at the tracepoint where TCP
//! connections change their state, and at the one where a process has read ([`host::connections`]). The plan was to look at the end of
//! accept(2) as well; a tracepoint of one system call slows down all of them. Who reads from a connection has it; who accepted one and does
//! not read is looked up where it goes on, and told by whoever lets go of it where not.
//!
//! Where the kernel does not tell, what will be gone first is asked first, for all connections that wait: their sockets, then which of the
//! processes that have just begun has them, guessing the descriptor, then who those are, and only then what there is to be known of them.
//! The first design finished one connection after the other, and asked each process for all that it has: a question to /proc takes
//! microseconds, and a client that only asks something is there for some hundred. What may have to wait for a process to have a turn, its
//! arguments and its environment, is read by a thread that nobody waits for, and who listens is known to it before anybody comes.
//!
//! A server's child may accept a connection from its parent, answer and end between two questions. So the kernel is asked to tell of
//! processes that begin ([`host::births`]), which is before they do anything, and their sockets are looked at then. Parent and child both
//! have the connection for a moment: which of them keeps it is asked until one has closed it, and where both are done before that was
//! seen, both are named.
//!
//! # How flows end
//!
//! A flow ends where TCP says so, and then lingers: a second live, so that its line comes soon, and 60 s in files, where late packets
//! find it. That is the one setting in which both differ ([`Settings::linger`](flow::Settings)). What a receiver acknowledged and the capture
//! has not is counted at once, as Zeek does, but a stream waits a little longer before it gives it up: captures of several processors or
//! devices may have an acknowledgement before its data.
//!
//! # How to add
//!
//! - a format: a file in `sink` with a [`Sink`](sink::Sink) (for capture files, an [`Encoder`](sink::Encoder)) and its row, which
//!   [`FORMATS`](sink::FORMATS) then lists;
//! - a detector: a file in `detect` with its row, in [`DETECTORS`](detect::DETECTORS), and rows in its tests;
//! - a field of flows: a row in [`COLUMNS`](sink::flows::COLUMNS), and one in the README;
//! - a check of the doctor: a file in `doctor` with a function of the [`Facts`](doctor::Facts), and its row in [`CHECKS`](doctor::CHECKS); what it
//!   needs to know is asked in `host` and gathered once;
//! - something to fail on: a row in [`CONDITIONS`](flow::CONDITIONS);
//! - a link type: its constant in `packet/link.rs`, its arm in `decode/link.rs`, its printer in `sink/text`;
//! - a fixture: a row in `fixtures/CASES`, and `LCAP_BLESS=1 cargo test` for its golden file.

pub mod cli;
pub mod decode;
pub mod detect;
pub mod doctor;
pub mod error;
pub mod filter;
pub mod flow;
pub mod host;
pub mod memory;
pub mod owners;
pub mod packet;
pub mod pipeline;
pub mod sink;
pub mod source;

pub use pipeline::{Capture, open};
