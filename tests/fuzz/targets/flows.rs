//! Any bytes as frames one after the other: flows do not panic, begin and end once, and no byte of a stream comes twice or too
//! early; and they are the same whichever way segments are taken. Build it as `readers` says.
//!
//! ```text
//!  | time step (8) | bytes cut off (8) | length (8) | frame | … the next
//! ```
#![no_main]

use lcap::decode::decode;
use lcap::flow::{FlowEvent, FlowId, FlowTable, Settings, Side, Wanted, What};
use lcap::packet::{Frame, Interface, LinkType, Options, Timestamp};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

/// Small bounds are reached by small inputs.
const SETTINGS: Settings = Settings {
    max_flows: 4,
    max_waiting: 4096,
    ..Settings::FLOWS
};

/// What has been told of a flow.
#[derive(Default)]
struct Told {
    /// Where each side's stream goes on.
    next: [u64; 2],
    /// Who spoke when the first of that was told.
    id: Option<FlowId>,
    /// Its record, but for what is only known where streams are compared.
    closed: Option<String>,
}

fuzz_target!(|bytes: &[u8]| {
    let compared = follow(bytes, Wanted::Compared);
    for streams in [Wanted::Yes, Wanted::No] {
        assert_eq!(follow(bytes, streams), compared, "{streams:?}");
    }
});

/// The records of the flows, by their numbers.
fn follow(bytes: &[u8], streams: Wanted) -> BTreeMap<u64, Option<String>> {
    let interface = Interface {
        link: LinkType::RAW,
        ..Interface::default()
    };
    let mut told: BTreeMap<u64, Told> = BTreeMap::new();
    let mut table = FlowTable::new(Settings {
        streams,
        ..SETTINGS
    });
    let (mut rest, mut number, mut now) = (bytes, 0, 0_i64);
    while let [step, cut, len, after @ ..] = rest {
        let (frame, after) = after.split_at(after.len().min(usize::from(*len)));
        rest = after;
        number += 1;
        let frame = Frame {
            number,
            time: time(&mut now, *step),
            interface: &interface,
            link: LinkType::RAW,
            wire_len: frame.len() as u32 + u32::from(*cut),
            bytes: frame,
            options: Options::default(),
        };
        table.push(&decode(&frame), &mut |event| tell(&mut told, &event));
        let counts = table.counts();
        assert!(counts.open <= 4);
        let open = told.values().filter(|flow| flow.closed.is_none()).count();
        assert_eq!(
            (counts.opened, counts.open),
            (told.len() as u64, open as u64)
        );
    }
    table.finish(&mut |event| tell(&mut told, &event));
    assert!(told.values().all(|flow| flow.closed.is_some()));
    assert_eq!(table.counts().open, 0);
    told.into_iter()
        .map(|(number, flow)| (number, flow.closed))
        .collect()
}

/// Time goes on by a power of two of nanoseconds, or back; or is not known.
fn time(now: &mut i64, step: u8) -> Timestamp {
    if step == u8::MAX {
        return Timestamp::UNKNOWN;
    }
    let by = 1_i64 << (step & 0x3f).min(62);
    *now = match step & 0x40 {
        0 => now.saturating_add(by),
        _ => now.saturating_sub(by),
    };
    Timestamp(*now)
}

fn tell(told: &mut BTreeMap<u64, Told>, event: &FlowEvent) {
    let number = event.id.number;
    if matches!(event.what, What::Opened) {
        let before = told.insert(number, Told::default());
        assert!(before.is_none(), "opened twice");
        return;
    }
    let flow = told.get_mut(&number).expect("opened");
    assert!(flow.closed.is_none(), "after its end");
    match event.what {
        What::Opened | What::Named(_) => {}
        What::Data {
            side,
            offset,
            bytes,
        } => goes_on(flow, *event.id, side, offset, bytes.len() as u64),
        What::Gap {
            side, offset, len, ..
        } => {
            assert!(len > 0, "an empty gap");
            goes_on(flow, *event.id, side, offset, len);
        }
        What::Mismatch { len, .. } => assert!(len > 0, "nothing differs"),
        What::Closed(record) => {
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

/// Data and gaps follow each other without anything between them.
fn goes_on(flow: &mut Told, id: FlowId, side: Side, offset: u64, len: u64) {
    flow.id.get_or_insert(id);
    let next = &mut flow.next[side as usize];
    assert_eq!(offset, *next, "{}", side.name());
    *next += len;
}
