//! Scripts of TCP segments, the frames built from them, and a log of the flow table's events.
//!
//! ```text
//!  time in µs | > from the client | tcpdump's flags | seq | ack | data and options
//!             | < from the server |                 |     |     |
//!  30           >                   P.                1     1     hello w=0
//! ```
//!
//! Sequence and acknowledgement numbers are relative to each side's SYN, which is 0; a segment
//! without the ACK flag has no ack column. Data is text without spaces, `*100` for 100 bytes of a
//! pattern that depends only on their sequence numbers, or `!100` for 100 bytes that differ from
//! that pattern. Options: `w=N` is the window, `cut=N` the number of bytes at the end that were cut
//! off by the snapshot length, and `lost` marks a segment that was not captured.

use lcap::internals::decode::decode;
use lcap::internals::detect::Service;
use lcap::internals::flow::{
    FlowCounts, FlowEvent, FlowEventKind, FlowId, FlowRecord, FlowSettings, FlowTable, Side,
    StreamMode,
};
use lcap::internals::packet::{Frame, FrameOptions, Interface, LinkType, Timestamp};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::net::SocketAddr;

use super::wire;

/// A captured frame that owns its bytes.
#[derive(Debug, Clone)]
pub(crate) struct CapturedFrame {
    /// Timestamp in nanoseconds.
    pub(crate) time: i64,
    pub(crate) link: LinkType,
    pub(crate) wire_len: u32,
    pub(crate) bytes: Vec<u8>,
}

impl CapturedFrame {
    /// Returns the frame as a source would return it.
    pub(crate) fn frame<'a>(&'a self, number: u64, interface: &'a Interface) -> Frame<'a> {
        Frame {
            number,
            time: Timestamp(self.time),
            interface,
            link: self.link,
            wire_len: self.wire_len,
            bytes: &self.bytes,
            options: FrameOptions::default(),
        }
    }
}

/// Endpoints of a connection, and their initial sequence numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peers {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    /// The initial sequence numbers of the client and of the server.
    pub(crate) isns: [u32; 2],
}

impl Peers {
    /// Returns a client, and a server on this port, over IPv4.
    pub(crate) fn on_port(port: u16) -> Peers {
        Peers {
            client: ([127, 0, 0, 1], 40_000).into(),
            server: ([127, 0, 0, 1], port).into(),
            isns: [1_000_000, 7_000_000],
        }
    }

    /// Returns a client, and a server on this port, over IPv6.
    pub(crate) fn on_port_v6(port: u16) -> Peers {
        let localhost = std::net::Ipv6Addr::LOCALHOST;
        Peers {
            client: (localhost, 40_000).into(),
            server: (localhost, port).into(),
            ..Peers::on_port(port)
        }
    }
}

/// A port that is not in Zeek's `likely_server_ports`.
pub(crate) const PORT: u16 = 7000;

/// Script of a handshake that takes 20 µs.
pub(crate) const HANDSHAKE: &str = "
    0  > S  0
    10 < S. 0 1
    20 > .  1 1
";

/// Settings that reassemble streams and compare overlapping data, with the default limits.
pub(crate) const STREAMS: FlowSettings = FlowSettings {
    stream_mode: StreamMode::CompareOverlaps,
    ..FlowSettings::FLOWS
};

/// Returns the captured frames of a script.
pub(crate) fn script_frames(script: &str, peers: &Peers) -> Vec<CapturedFrame> {
    let lines = script.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| parse_line(line, peers)).collect()
}

fn parse_line(line: &str, peers: &Peers) -> Option<CapturedFrame> {
    let mut fields = line.split_whitespace();
    let mut next_field = || fields.next();
    let time: i64 = next_field()?.parse().unwrap();
    let side = match next_field()? {
        ">" => 0,
        "<" => 1,
        other => panic!("invalid direction {other} in {line}"),
    };
    let flags = wire::flags(next_field()?);
    let seq: u32 = next_field()?.parse().unwrap();
    let ack: u32 = match flags & wire::ACK {
        0 => 0,
        _ => peers.isns[1 - side].wrapping_add(next_field()?.parse().unwrap()),
    };
    let (mut window, mut cut, mut data) = (500, 0, Vec::new());
    for field in fields {
        if field == "lost" {
            return None;
        } else if let Some(value) = field.strip_prefix("w=") {
            window = value.parse().unwrap();
        } else if let Some(value) = field.strip_prefix("cut=") {
            cut = value.parse().unwrap();
        } else if let Some(len) = field.strip_prefix(['*', '!']) {
            let mask = if field.starts_with('!') { 0x80 } else { 0 };
            let len: u32 = len.parse().unwrap();
            data = (seq..seq + len).map(|at| pattern_byte(at) ^ mask).collect();
        } else {
            data = field.as_bytes().to_vec();
        }
    }
    let ends = [peers.client, peers.server];
    let segment = wire::Segment {
        from: ends[side],
        to: ends[1 - side],
        seq: peers.isns[side].wrapping_add(seq),
        ack,
        flags,
        window,
    };
    let mut captured = captured_frame(time * 1000, &wire::tcp(&segment, &data));
    captured.bytes.truncate(captured.bytes.len() - cut);
    Some(captured)
}

/// Returns the byte of the `*` pattern at a relative sequence number.
pub(crate) fn pattern_byte(at: u32) -> u8 {
    (at % 97) as u8
}

/// Returns an IP packet as a captured Ethernet frame; `time` is in nanoseconds.
pub(crate) fn captured_frame(time: i64, packet: &[u8]) -> CapturedFrame {
    let bytes = wire::ethernet(packet);
    CapturedFrame {
        time,
        link: LinkType::ETHERNET,
        wire_len: bytes.len() as u32,
        bytes,
    }
}

/// Record of a flow table's events.
#[derive(Debug, Default)]
pub(crate) struct FlowLog {
    pub(crate) opened: Vec<FlowId>,
    /// Closed flows, in the order in which they were reported.
    pub(crate) records: Vec<FlowRecord>,
    /// Data, gaps and mismatches: `1 orig 0 "hello"`, `1 resp 5 lost 3`, `1 orig 0 mismatch 2`.
    pub(crate) stream_events: Vec<String>,
    /// Streams by flow number and side.
    pub(crate) contents: HashMap<(u64, Side), RecordedStream>,
    /// Detected services of the open flows.
    detected: HashMap<u64, Service>,
    /// Identity of each open flow at its first stream event.
    ids_at_first_data: HashMap<u64, FlowId>,
    /// Flow numbers and sides of the streams that have ended.
    pub(crate) ended: HashSet<(u64, Side)>,
    pub(crate) counts: FlowCounts,
}

/// One side's stream: its next offset, and the captured parts with their offsets.
#[derive(Debug, Default)]
pub(crate) struct RecordedStream {
    pub(crate) next: u64,
    parts: Vec<(u64, Vec<u8>)>,
}

impl RecordedStream {
    /// Advances the stream; asserts that events neither overlap nor leave gaps.
    fn advance(&mut self, offset: u64, len: u64) {
        assert_eq!(offset, self.next);
        self.next += len;
    }

    /// Returns every byte of the stream; `None` for bytes that were lost or cut off.
    pub(crate) fn bytes(&self) -> Vec<Option<u8>> {
        let mut stream = vec![None; self.next as usize];
        for (offset, bytes) in &self.parts {
            for (n, byte) in bytes.iter().enumerate() {
                stream[*offset as usize + n] = Some(*byte);
            }
        }
        stream
    }
}

impl FlowLog {
    fn push(&mut self, event: &FlowEvent) {
        let number = event.id.number;
        let mut add_line = |side: Side, offset: u64, detail: String| {
            let name = side.name();
            self.stream_events
                .push(format!("{number} {name} {offset} {detail}"));
        };
        if matches!(
            event.kind,
            FlowEventKind::Data { .. } | FlowEventKind::Gap { .. }
        ) {
            self.ids_at_first_data.entry(number).or_insert(*event.id);
        }
        let contents = &mut self.contents;
        match event.kind {
            FlowEventKind::Opened { .. } => self.opened.push(*event.id),
            FlowEventKind::Data {
                side,
                offset,
                bytes,
                ..
            } => {
                add_line(
                    side,
                    offset,
                    format!("{:?}", String::from_utf8_lossy(bytes)),
                );
                let stream = contents.entry((number, side)).or_default();
                stream.advance(offset, bytes.len() as u64);
                stream.parts.push((offset, bytes.to_vec()));
            }
            FlowEventKind::Gap {
                side,
                offset,
                len,
                cause,
            } => {
                let cause = format!("{cause:?}").to_lowercase();
                add_line(side, offset, format!("{cause} {len}"));
                let stream = contents.entry((number, side)).or_default();
                stream.advance(offset, len);
            }
            FlowEventKind::End { side } => {
                assert!(self.ended.insert((number, side)), "ended twice");
            }
            FlowEventKind::Owners(_) => {}
            FlowEventKind::Detected(service) => {
                let before = self.detected.insert(number, service.clone());
                assert_eq!(before, None, "detected twice");
            }
            FlowEventKind::Mismatch { side, offset, len } => {
                add_line(side, offset, format!("mismatch {len}"));
            }
            FlowEventKind::Closed(record) => {
                assert_eq!(*event.id, record.id);
                assert_eq!(self.detected.remove(&number), record.service);
                // The originator was decided before the first stream event.
                let early_id = self.ids_at_first_data.remove(&number);
                assert!(early_id.is_none_or(|id| id == record.id), "{early_id:?}");
                self.records.push(record.clone());
            }
        }
    }

    /// Returns the captured bytes that one side of the only flow sent.
    pub(crate) fn payload(&self, side: Side) -> Vec<u8> {
        let stream = self.contents.get(&(self.only_flow().id.number, side));
        let parts = stream.into_iter().flat_map(|stream| &stream.parts);
        parts.flat_map(|(_, bytes)| bytes).copied().collect()
    }

    /// Returns the only flow; asserts that there is exactly one.
    pub(crate) fn only_flow(&self) -> &FlowRecord {
        assert_eq!(self.records.len(), 1, "{:?}", outcomes(self));
        &self.records[0]
    }
}

/// Pushes frames through a table, and checks invariants that hold for any input: the flows are the
/// same with and without streams; each flow is opened and closed once, and its service is reported
/// once before.
pub(crate) fn run_checked(frames: &[CapturedFrame], settings: FlowSettings) -> FlowLog {
    let log = push(frames, settings);
    let no_streams = FlowSettings {
        stream_mode: StreamMode::Off,
        ..settings
    };
    let no_streams_log = push(frames, no_streams);
    assert_eq!(no_streams_log.stream_events, [""; 0]);
    assert_eq!(
        comparable_records(&log),
        comparable_records(&no_streams_log)
    );
    assert_eq!(log.counts, no_streams_log.counts);
    assert!(log.detected.is_empty(), "detected after the end");
    let mut numbers: Vec<u64> = log.records.iter().map(|flow| flow.id.number).collect();
    numbers.sort_unstable();
    let expected: Vec<u64> = (1..=log.opened.len() as u64).collect();
    assert_eq!(numbers, expected);
    assert_eq!(
        (log.counts.opened, log.counts.open),
        (numbers.len() as u64, 0)
    );
    log
}

/// Pushes frames through a table.
pub(crate) fn push(frames: &[CapturedFrame], settings: FlowSettings) -> FlowLog {
    let interface = Interface::default();
    let mut log = FlowLog::default();
    let mut table = FlowTable::new(settings);
    for (n, captured) in frames.iter().enumerate() {
        let frame = captured.frame(n as u64 + 1, &interface);
        table.push(&decode(&frame), &mut |event| log.push(&event));
    }
    table.finish(&mut |event| log.push(&event));
    log.counts = table.counts();
    log
}

/// Runs a script between a client and a server on [`PORT`].
pub(crate) fn run_script(script: &str) -> FlowLog {
    run_checked(&script_frames(script, &Peers::on_port(PORT)), STREAMS)
}

/// Returns all records as text, without the values that only reassembled streams provide.
pub(crate) fn comparable_records(log: &FlowLog) -> Vec<String> {
    let records = log.records.iter().cloned().map(|mut record| {
        for side in &mut record.sides {
            side.analysis.mismatched_bytes = 0;
        }
        format!("{record:?}")
    });
    records.collect()
}

/// Returns each flow's Zeek state, history, outcome and end reason.
pub(crate) fn outcomes(log: &FlowLog) -> Vec<String> {
    let records = log.records.iter().map(|flow| {
        let (state, outcome) = (flow.conn_state.name(), flow.outcome.kind);
        format!("{state} {} {outcome:?} {:?}", flow.history, flow.end_reason)
    });
    records.collect()
}

/// Returns the nonzero analysis counters of one side: `retrans 1 bytes 100`.
pub(crate) fn describe_analysis(flow: &FlowRecord, side: Side) -> String {
    let side = flow.side(side);
    let analysis = side.analysis;
    let mut counters = String::new();
    for (count, name) in [
        (u64::from(analysis.retrans_pkts), "retrans"),
        (analysis.retrans_bytes, "bytes"),
        (u64::from(analysis.spurious_pkts), "spurious"),
        (u64::from(analysis.ooo_pkts), "ooo"),
        (u64::from(analysis.lost_pkts), "lost"),
        (u64::from(analysis.dup_acks), "dup_ack"),
        (u64::from(analysis.zero_windows), "zero_window"),
        (u64::from(analysis.window_probes), "probe"),
        (u64::from(analysis.keep_alives), "keep_alive"),
        (analysis.mismatched_bytes, "mismatched"),
        (side.missed_bytes, "missed"),
    ] {
        if count > 0 {
            let space = if counters.is_empty() { "" } else { " " };
            write!(counters, "{space}{name} {count}").unwrap();
        }
    }
    counters
}
