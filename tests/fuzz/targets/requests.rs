//! Fuzz target: arbitrary bytes as the streams of one flow. No analyzer panics, the requests and
//! their contents are bounded, and the requests are the same if the streams are divided into
//! smaller segments, unless bytes are missing or invalid.
//!
//! ```text
//!  | is UDP (1), has contents (1), has messages (1), length of small segments - 1 (5) | record | …
//!  record: | side (1), is missing (1), is end (1), pause (1), length (12) | bytes unless missing |
//! ```
#![no_main]

use lcap::internals::decode::decode;
use lcap::internals::flow::{FlowSettings, FlowTable, StreamMode};
use lcap::internals::packet::{Frame, FrameOptions, Interface, LinkType, Timestamp};
use lcap::internals::request::{Request, RequestEvent, RequestSettings, RequestTable};
use libfuzzer_sys::fuzz_target;

const TCP: u8 = 6;
const UDP: u8 = 17;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const FIN: u8 = 0x01;
const BODY_LIMIT: usize = 256;
/// Maximum length of a text in a request, with the mark of a cut.
const MAX_TEXT_LEN: usize = (16 << 10) + 3;
/// Length of the longest segment, which is that of a record.
const RECORD_LEN: usize = 0xfff;

/// Packets of one flow, and the tables that follow them.
struct Conversation {
    transport: u8,
    flows: FlowTable,
    requests: RequestTable,
    found: Vec<Request>,
    now: i64,
    frames: u64,
    /// Next sequence number of each side.
    next: [u32; 2],
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, records)) = bytes.split_first() else {
        return;
    };
    let transport = if choice & 0x80 == 0 { TCP } else { UDP };
    let settings = RequestSettings {
        body_limit: if choice & 0x40 == 0 { 0 } else { BODY_LIMIT },
        has_messages: choice & 0x20 != 0,
        max_pending: 8,
        ..RequestSettings::default()
    };
    let small = usize::from(choice & 0x1f) + 1;
    let (whole, has_missing) = run(transport, settings, records, RECORD_LEN);
    let found = &whole.found;
    assert!(found.len() <= records.len(), "more requests than bytes");
    for request in found {
        assert!(request.target.len() <= MAX_TEXT_LEN, "{request:?}");
        for message in [&request.request, &request.answer] {
            assert!(message.head.len() <= BODY_LIMIT && message.body.len() <= BODY_LIMIT);
        }
    }
    if transport == UDP || has_missing {
        return;
    }
    let (split, _) = run(transport, settings, records, small);
    // Invalid bytes are skipped up to the end of a segment.
    if [&whole, &split].map(|run| run.requests.counts().unanalyzed_bytes > 0) != [true; 2] {
        assert_eq!(timeless(whole.found), timeless(split.found));
    }
});

/// Sends the records in segments of at most this length. Returns true as the second value if bytes
/// are missing.
fn run(
    transport: u8,
    settings: RequestSettings,
    mut records: &[u8],
    segment_len: usize,
) -> (Conversation, bool) {
    let mut conversation = Conversation {
        transport,
        flows: FlowTable::new(FlowSettings {
            stream_mode: StreamMode::Reassemble,
            ..FlowSettings::FLOWS
        }),
        requests: RequestTable::new(settings),
        found: Vec::new(),
        now: 0,
        frames: 0,
        next: [0; 2],
    };
    if transport == TCP {
        conversation.send(0, SYN, &[]);
        conversation.send(1, SYN | ACK, &[]);
        conversation.send(0, ACK, &[]);
    }
    let (mut has_missing, mut is_closed) = (false, [false; 2]);
    while let [high, low, rest @ ..] = records {
        let side = usize::from(high >> 7);
        let len = usize::from(high & 0x0f) << 8 | usize::from(*low);
        conversation.now += if high & 0x10 == 0 { 1 << 20 } else { 1 << 30 };
        // A side sends nothing after its FIN.
        let len = if is_closed[side] { 0 } else { len };
        if high & 0x40 != 0 {
            conversation.next[side] = conversation.next[side].wrapping_add(len as u32);
            has_missing |= len > 0;
            records = rest;
        } else {
            let (bytes, rest) = rest.split_at(rest.len().min(len));
            let segment_len = if transport == TCP {
                segment_len
            } else {
                RECORD_LEN
            };
            for segment in bytes.chunks(segment_len) {
                conversation.send(side, PSH | ACK, segment);
            }
            records = rest;
        }
        if high & 0x20 != 0 && !is_closed[side] {
            is_closed[side] = transport == TCP;
            conversation.send(side, FIN | ACK, &[]);
        }
    }
    conversation.finish();
    (conversation, has_missing)
}

impl Conversation {
    /// Sends a packet of a side.
    fn send(&mut self, side: usize, flags: u8, payload: &[u8]) {
        let [source, destination] = [[40_000_u16, 80], [80, 40_000]][side].map(u16::to_be_bytes);
        let header = match self.transport {
            TCP => {
                let [seq, ack] = [side, 1 - side].map(|side| self.next[side].to_be_bytes());
                [
                    &source[..],
                    &destination,
                    &seq,
                    &ack,
                    &[0x50, flags, 0xff, 0xff, 0, 0, 0, 0],
                ]
                .concat()
            }
            _ => {
                let len = (8 + payload.len() as u16).to_be_bytes();
                [&source[..], &destination, &len, &[0, 0]].concat()
            }
        };
        let len = (20 + header.len() + payload.len()) as u16;
        let [high, low] = len.to_be_bytes();
        let mut packet = vec![0x45, 0, high, low, 0, 0, 0, 0, 64, self.transport, 0, 0];
        packet.extend([127, 0, 0, 1 + side as u8, 127, 0, 0, 2 - side as u8]);
        packet.extend(header);
        packet.extend(payload);
        let length = payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        self.next[side] = self.next[side].wrapping_add(length);
        self.frames += 1;
        let interface = Interface {
            link: LinkType::RAW,
            ..Interface::default()
        };
        let frame = Frame {
            number: self.frames,
            time: Timestamp(self.now),
            interface: &interface,
            link: LinkType::RAW,
            wire_len: packet.len() as u32,
            bytes: &packet,
            options: FrameOptions::default(),
        };
        let (requests, found) = (&mut self.requests, &mut self.found);
        self.flows.push(&decode(&frame), &mut |event| {
            requests.follow(&event, &mut |event| collect(found, &event));
        });
    }

    fn finish(&mut self) {
        let (requests, found) = (&mut self.requests, &mut self.found);
        self.flows.finish(&mut |event| {
            requests.follow(&event, &mut |event| collect(found, &event));
        });
    }
}

fn collect(found: &mut Vec<Request>, event: &RequestEvent) {
    if let RequestEvent::Request(request) = event {
        found.push((*request).clone());
    }
}

/// Returns the requests without what depends on the number and times of packets.
fn timeless(mut requests: Vec<Request>) -> Vec<Request> {
    for request in &mut requests {
        request.time = Timestamp::ABSENT;
        request.request_end = Timestamp::ABSENT;
        request.answer_start = Timestamp::ABSENT;
        request.answer_end = Timestamp::ABSENT;
        request.end = Timestamp::ABSENT;
    }
    requests
}
