//! Fuzz target: arbitrary bytes as a sequence of frames. The flow table does not panic, each flow
//! is opened and closed once, no byte of a stream is delivered twice or early, and the records are
//! the same in every stream mode.
//!
//! ```text
//!  | time step (8) | bytes cut off (8) | length (8) | frame | … next frame
//! ```
#![no_main]

use lcap::internals::decode::decode;
use lcap::internals::flow::{
    FlowEvent, FlowEventKind, FlowId, FlowSettings, FlowTable, Side, StreamMode,
};
use lcap::internals::packet::{Frame, FrameOptions, Interface, LinkType, Timestamp};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

/// Small limits, so that small inputs reach them.
const SETTINGS: FlowSettings = FlowSettings {
    max_flows: 4,
    max_out_of_order_bytes: 4096,
    ..FlowSettings::FLOWS
};

/// The events received for one flow.
#[derive(Default)]
struct ObservedFlow {
    /// Expected offset of each side's next event.
    next_offset: [u64; 2],
    /// Identity of the flow at its first data or gap.
    id: Option<FlowId>,
    /// Its record, without the counter that only `CompareOverlaps` fills.
    closed: Option<String>,
}

fuzz_target!(|bytes: &[u8]| {
    let expected = follow_flows(bytes, StreamMode::CompareOverlaps);
    for mode in [StreamMode::Reassemble, StreamMode::Off] {
        assert_eq!(follow_flows(bytes, mode), expected, "{mode:?}");
    }
});

/// Returns the records of the flows, by flow number.
fn follow_flows(bytes: &[u8], stream_mode: StreamMode) -> BTreeMap<u64, Option<String>> {
    let interface = Interface {
        link: LinkType::RAW,
        ..Interface::default()
    };
    let mut flows: BTreeMap<u64, ObservedFlow> = BTreeMap::new();
    let mut table = FlowTable::new(FlowSettings {
        stream_mode,
        ..SETTINGS
    });
    let (mut rest, mut number, mut now) = (bytes, 0, 0_i64);
    while let [step, cut, len, after @ ..] = rest {
        let (frame, after) = after.split_at(after.len().min(usize::from(*len)));
        rest = after;
        number += 1;
        let frame = Frame {
            number,
            time: step_time(&mut now, *step),
            interface: &interface,
            link: LinkType::RAW,
            wire_len: frame.len() as u32 + u32::from(*cut),
            bytes: frame,
            options: FrameOptions::default(),
        };
        table.push(&decode(&frame), &mut |event| observe(&mut flows, &event));
        let counts = table.counts();
        assert!(counts.open <= 4);
        let open = flows.values().filter(|flow| flow.closed.is_none()).count();
        assert_eq!(
            (counts.opened, counts.open),
            (flows.len() as u64, open as u64)
        );
    }
    table.finish(&mut |event| observe(&mut flows, &event));
    assert!(flows.values().all(|flow| flow.closed.is_some()));
    assert_eq!(table.counts().open, 0);
    flows
        .into_iter()
        .map(|(number, flow)| (number, flow.closed))
        .collect()
}

/// Moves the time forward or back by a power of two in nanoseconds, or returns an absent time.
fn step_time(now: &mut i64, step: u8) -> Timestamp {
    if step == u8::MAX {
        return Timestamp::ABSENT;
    }
    let by = 1_i64 << (step & 0x3f).min(62);
    *now = match step & 0x40 {
        0 => now.saturating_add(by),
        _ => now.saturating_sub(by),
    };
    Timestamp(*now)
}

fn observe(flows: &mut BTreeMap<u64, ObservedFlow>, event: &FlowEvent) {
    let number = event.id.number;
    if matches!(event.kind, FlowEventKind::Opened { .. }) {
        let previous = flows.insert(number, ObservedFlow::default());
        assert!(previous.is_none(), "opened twice");
        return;
    }
    let flow = flows.get_mut(&number).expect("opened");
    assert!(flow.closed.is_none(), "event after the end");
    match event.kind {
        FlowEventKind::Opened { .. }
        | FlowEventKind::Owners(_)
        | FlowEventKind::Detected(_)
        | FlowEventKind::End { .. } => {}
        FlowEventKind::Data {
            side,
            offset,
            bytes,
            ..
        } => assert_contiguous(flow, *event.id, side, offset, bytes.len() as u64),
        FlowEventKind::Gap {
            side, offset, len, ..
        } => {
            assert!(len > 0, "an empty gap");
            assert_contiguous(flow, *event.id, side, offset, len);
        }
        FlowEventKind::Mismatch { len, .. } => assert!(len > 0, "an empty mismatch"),
        FlowEventKind::Closed(record) => {
            assert_eq!(record.id, *event.id);
            assert_eq!(flow.id.unwrap_or(record.id), record.id);
            let mut record = record.clone();
            for side in &mut record.sides {
                side.analysis.mismatched_bytes = 0;
            }
            flow.closed = Some(format!("{record:?}"));
        }
    }
}

/// Asserts that data and gaps follow each other without a hole or an overlap.
fn assert_contiguous(flow: &mut ObservedFlow, id: FlowId, side: Side, offset: u64, len: u64) {
    flow.id.get_or_insert(id);
    let next = &mut flow.next_offset[side as usize];
    assert_eq!(offset, *next, "{}", side.name());
    *next += len;
}
