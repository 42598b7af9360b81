//! Conversations as scripts of segments: frames made of them, and what the flow table tells of those.
//!
//! ```text
//!  time in µs | > from the client, < from the server | flags as tcpdump has them | seq | ack | data and what else
//!  30           >                                      P.                          1     1     hello w=0
//! ```
//!
//! Numbers count from each side's SYN, which is 0. Data is one word, or `*100` for 100 bytes that depend on their place alone, `!100`
//! for others; `w=` is the window, `cut=` how many bytes at the end were not captured, `lost` what is not captured at all.

use lcap::decode::{brief, decode};
use lcap::flow::{
    FlowCounts, FlowEvent, FlowId, FlowRecord, FlowTable, Settings, Side, Wanted, What,
};
use lcap::packet::{Frame, Interface, LinkType, Options, Timestamp};
use std::collections::HashMap;
use std::fmt::Write;
use std::net::SocketAddr;

use super::wire;

/// A frame that was captured.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    /// Nanoseconds.
    pub(crate) time: i64,
    pub(crate) link: LinkType,
    pub(crate) wire_len: u32,
    pub(crate) bytes: Vec<u8>,
}

impl Captured {
    /// As a source would give it.
    pub(crate) fn frame<'a>(&'a self, number: u64, interface: &'a Interface) -> Frame<'a> {
        Frame {
            number,
            time: Timestamp(self.time),
            interface,
            link: self.link,
            wire_len: self.wire_len,
            bytes: &self.bytes,
            options: Options::default(),
        }
    }
}

/// Who speaks, and where their numbers begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peers {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) start: [u32; 2],
}

impl Peers {
    /// A client and a server on this port, over IPv4.
    pub(crate) fn on_port(port: u16) -> Peers {
        Peers {
            client: ([127, 0, 0, 1], 40_000).into(),
            server: ([127, 0, 0, 1], port).into(),
            start: [1_000_000, 7_000_000],
        }
    }

    /// The same over IPv6.
    pub(crate) fn on_port_6(port: u16) -> Peers {
        let localhost = std::net::Ipv6Addr::LOCALHOST;
        Peers {
            client: (localhost, 40_000).into(),
            server: (localhost, port).into(),
            ..Peers::on_port(port)
        }
    }
}

/// No port of a well-known server.
pub(crate) const PORT: u16 = 7000;

/// A handshake that takes 20 µs.
pub(crate) const HANDSHAKE: &str = "
    0  > S  0
    10 < S. 0 1
    20 > .  1 1
";

/// Streams, and everything that there is room for.
pub(crate) const STREAMS: Settings = Settings {
    streams: Wanted::Compared,
    ..Settings::FLOWS
};

/// The frames of a script.
pub(crate) fn frames(script: &str, peers: &Peers) -> Vec<Captured> {
    let lines = script.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| frame(line, peers)).collect()
}

fn frame(line: &str, peers: &Peers) -> Option<Captured> {
    let mut words = line.split_whitespace();
    let mut word = || words.next();
    let time: i64 = word()?.parse().unwrap();
    let side = match word()? {
        ">" => 0,
        "<" => 1,
        other => panic!("{other} in {line}"),
    };
    let flags = wire::flags(word()?);
    let seq: u32 = word()?.parse().unwrap();
    let ack: u32 = match flags & wire::ACK {
        0 => 0,
        _ => peers.start[1 - side].wrapping_add(word()?.parse().unwrap()),
    };
    let (mut window, mut cut, mut data) = (500, 0, Vec::new());
    for word in words {
        if word == "lost" {
            return None;
        } else if let Some(value) = word.strip_prefix("w=") {
            window = value.parse().unwrap();
        } else if let Some(value) = word.strip_prefix("cut=") {
            cut = value.parse().unwrap();
        } else if let Some(len) = word.strip_prefix(['*', '!']) {
            let other = if word.starts_with('!') { 0x80 } else { 0 };
            let len: u32 = len.parse().unwrap();
            data = (seq..seq + len).map(|at| byte(at) ^ other).collect();
        } else {
            data = word.as_bytes().to_vec();
        }
    }
    let ends = [peers.client, peers.server];
    let segment = wire::Segment {
        from: ends[side],
        to: ends[1 - side],
        seq: peers.start[side].wrapping_add(seq),
        ack,
        flags,
        window,
    };
    let mut captured = captured(time * 1000, &wire::tcp(&segment, &data));
    captured.bytes.truncate(captured.bytes.len() - cut);
    Some(captured)
}

/// What `*` has at a place in its stream.
pub(crate) fn byte(at: u32) -> u8 {
    (at % 97) as u8
}

/// An IP packet that was captured on Ethernet.
pub(crate) fn captured(time: i64, packet: &[u8]) -> Captured {
    let bytes = wire::ethernet(packet);
    Captured {
        time,
        link: LinkType::ETHERNET,
        wire_len: bytes.len() as u32,
        bytes,
    }
}

/// What a table told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) opened: Vec<FlowId>,
    /// In the order in which they were reported.
    pub(crate) records: Vec<FlowRecord>,
    /// Data, gaps and mismatches: `1 orig 0 "hello"`, `1 resp 5 lost 3`.
    pub(crate) streams: Vec<String>,
    pub(crate) said: HashMap<(u64, Side), Stream>,
    /// Who spoke when something was first told of a flow's streams.
    speakers: HashMap<u64, FlowId>,
    pub(crate) counts: FlowCounts,
}

/// A side's stream: where it goes on, and what was captured of it.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) next: u64,
    parts: Vec<(u64, Vec<u8>)>,
}

impl Stream {
    /// Nothing comes twice, and nothing before what is in front of it.
    fn goes_on(&mut self, offset: u64, len: u64) {
        assert_eq!(offset, self.next);
        self.next += len;
    }

    /// Every byte of it; none where it was cut off or is missing.
    pub(crate) fn bytes(&self) -> Vec<Option<u8>> {
        let mut all = vec![None; self.next as usize];
        for (offset, bytes) in &self.parts {
            for (n, byte) in bytes.iter().enumerate() {
                all[*offset as usize + n] = Some(*byte);
            }
        }
        all
    }
}

impl Told {
    fn take(&mut self, event: &FlowEvent) {
        let number = event.id.number;
        let mut line = |side: Side, offset: u64, what: String| {
            let name = side.name();
            self.streams
                .push(format!("{number} {name} {offset} {what}"));
        };
        if matches!(event.what, What::Data { .. } | What::Gap { .. }) {
            self.speakers.entry(number).or_insert(*event.id);
        }
        let said = &mut self.said;
        match event.what {
            What::Opened => self.opened.push(*event.id),
            What::Data {
                side,
                offset,
                bytes,
            } => {
                line(
                    side,
                    offset,
                    format!("{:?}", String::from_utf8_lossy(bytes)),
                );
                let stream = said.entry((number, side)).or_default();
                stream.goes_on(offset, bytes.len() as u64);
                stream.parts.push((offset, bytes.to_vec()));
            }
            What::Gap {
                side,
                offset,
                len,
                cause,
            } => {
                let cause = format!("{cause:?}").to_lowercase();
                line(side, offset, format!("{cause} {len}"));
                let stream = said.entry((number, side)).or_default();
                stream.goes_on(offset, len);
            }
            What::Named(_) => {}
            What::Mismatch { side, offset, len } => line(side, offset, format!("other {len}")),
            What::Closed(record) => {
                assert_eq!(*event.id, record.id);
                // Who is whom was settled when the first byte was told.
                let told = self.speakers.remove(&number);
                assert!(told.is_none_or(|id| id == record.id), "{told:?}");
                self.records.push(record.clone());
            }
        }
    }

    /// What the only flow's side said, without what is missing.
    pub(crate) fn said(&self, side: Side) -> Vec<u8> {
        let stream = self.said.get(&(self.only().id.number, side));
        let parts = stream.into_iter().flat_map(|stream| &stream.parts);
        parts.flat_map(|(_, bytes)| bytes).copied().collect()
    }

    /// The one flow that there was.
    pub(crate) fn only(&self) -> &FlowRecord {
        assert_eq!(self.records.len(), 1, "{:?}", ends(self));
        &self.records[0]
    }
}

/// Pushes frames through a table, and checks what holds whatever they are: with and without streams, and however the usual ones are read,
/// the flows are the same, each is opened and closed once.
pub(crate) fn run(frames: &[Captured], settings: Settings) -> Told {
    let told = push(frames, settings);
    let without = Settings {
        streams: Wanted::No,
        ..settings
    };
    let other = push(frames, without);
    assert_eq!(other.streams, [""; 0]);
    for (briefly, wanted) in [
        (push_briefly(frames, settings), &told),
        (push_briefly(frames, without), &other),
    ] {
        assert_eq!(briefly.streams, wanted.streams);
        assert_eq!(all(&briefly), all(wanted));
    }
    assert_eq!(all(&told), all(&other));
    assert_eq!(told.counts, other.counts);
    let mut numbers: Vec<u64> = told.records.iter().map(|flow| flow.id.number).collect();
    numbers.sort_unstable();
    let expected: Vec<u64> = (1..=told.opened.len() as u64).collect();
    assert_eq!(numbers, expected);
    assert_eq!(
        (told.counts.opened, told.counts.open),
        (numbers.len() as u64, 0)
    );
    told
}

/// Pushes frames through a table.
pub(crate) fn push(frames: &[Captured], settings: Settings) -> Told {
    push_by(frames, settings, |table, frame, told| {
        table.push(&decode(frame), &mut |event| told.take(&event));
    })
}

/// The same, the usual ones in brief.
fn push_briefly(frames: &[Captured], settings: Settings) -> Told {
    push_by(frames, settings, |table, frame, told| match brief(frame) {
        Some(brief) => table.push_brief(&brief, &mut |event| told.take(&event)),
        None => table.push(&decode(frame), &mut |event| told.take(&event)),
    })
}

fn push_by(
    frames: &[Captured],
    settings: Settings,
    push: impl Fn(&mut FlowTable, &Frame, &mut Told),
) -> Told {
    let interface = Interface::default();
    let mut told = Told::default();
    let mut table = FlowTable::new(settings);
    for (n, captured) in frames.iter().enumerate() {
        let frame = captured.frame(n as u64 + 1, &interface);
        push(&mut table, &frame, &mut told);
    }
    table.finish(&mut |event| told.take(&event));
    told.counts = table.counts();
    told
}

/// Runs one script between a client and a server on [`PORT`].
pub(crate) fn play(script: &str) -> Told {
    run(&frames(script, &Peers::on_port(PORT)), STREAMS)
}

/// All records, but for what is only known with streams.
pub(crate) fn all(told: &Told) -> Vec<String> {
    let records = told.records.iter().cloned().map(|mut record| {
        for side in &mut record.sides {
            side.analysis.mismatched_bytes = 0;
        }
        format!("{record:?}")
    });
    records.collect()
}

/// How each flow ended: Zeek's state, the history, the verdict and why it was reported.
pub(crate) fn ends(told: &Told) -> Vec<String> {
    let records = told.records.iter().map(|flow| {
        let (state, verdict) = (flow.conn_state.name(), flow.outcome.verdict);
        format!("{state} {} {verdict:?} {:?}", flow.history, flow.end)
    });
    records.collect()
}

/// What is to be remarked on a side, of what is not 0.
pub(crate) fn remarks(flow: &FlowRecord, side: Side) -> String {
    let it = flow.side(side);
    let analysis = it.analysis;
    let mut all = String::new();
    for (count, name) in [
        (u64::from(analysis.retrans_pkts), "retrans"),
        (analysis.retrans_bytes, "bytes"),
        (u64::from(analysis.spurious_pkts), "spurious"),
        (u64::from(analysis.ooo_pkts), "late"),
        (u64::from(analysis.lost_pkts), "behind"),
        (u64::from(analysis.dup_acks), "dup"),
        (u64::from(analysis.zero_windows), "closed"),
        (u64::from(analysis.window_probes), "probe"),
        (u64::from(analysis.keep_alives), "alive"),
        (analysis.mismatched_bytes, "other"),
        (it.missed_bytes, "missed"),
    ] {
        if count > 0 {
            let space = if all.is_empty() { "" } else { " " };
            write!(all, "{space}{name} {count}").unwrap();
        }
    }
    all
}
