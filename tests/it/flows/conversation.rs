//! Conversations of two peers with segments split, repeated, late and lost: what is told is what was said.

use lcap::flow::Side;
use proptest::prelude::*;

use super::script::{Captured, HANDSHAKE, PORT, Peers, STREAMS, Stream, byte, frames, run};

/// One segment, how often it was captured, and how much later than it was sent, in segments; then perhaps what acknowledges it.
#[derive(Debug, Clone)]
struct Sent {
    side: Side,
    len: u32,
    copies: Vec<usize>,
    /// How far before its own begin it begins again.
    again: u32,
    acknowledged: bool,
}

/// A hole that was acknowledged is given up behind 16 segments: this is less.
const LATEST: usize = 5;

fn segments() -> impl Strategy<Value = Vec<Sent>> {
    let side = prop_oneof![Just(Side::Orig), Just(Side::Resp)];
    let copies = prop_oneof![
        6 => Just(vec![0]),
        1 => Just(vec![]),
        3 => prop::collection::vec(0..=LATEST, 1..=2),
    ];
    let again = prop_oneof![4 => Just(0), 1 => 0..300_u32];
    let one = (side, 1..300_u32, copies, again, any::<bool>());
    let one = one.prop_map(|(side, len, copies, again, acknowledged)| Sent {
        side,
        len,
        copies,
        again,
        acknowledged,
    });
    prop::collection::vec(one, 1..60)
}

/// What was captured, and for each side's bytes whether they were.
fn conversation(sent: &[Sent], peers: &Peers) -> (Vec<Captured>, [Vec<Option<u8>>; 2]) {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut streams: [Vec<Option<u8>>; 2] = Default::default();
    let mark = |side: Side| ["> ", "< "][side as usize];
    for (n, segment) in sent.iter().enumerate() {
        let Sent { side, len, .. } = *segment;
        let end = streams[side as usize].len() as u32 + len;
        streams[side as usize].resize(end as usize, None);
        let from = (end - len).saturating_sub(segment.again);
        let other = streams[side.other() as usize].len() + 1;
        for late in &segment.copies {
            let data = format!("{}P. {} {other} *{}", mark(side), from + 1, end - from);
            lines.push((n + late, data));
            for at in from..end {
                streams[side as usize][at as usize] = Some(byte(at + 1));
            }
        }
        if segment.acknowledged {
            let ack = format!("{}. {other} {}", mark(side.other()), end + 1);
            lines.push((n, ack));
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    for side in Side::BOTH {
        let [own, other] = [side, side.other()].map(|side| streams[side as usize].len() + 1);
        lines.push((usize::MAX, format!("{}. {own} {other}", mark(side))));
    }
    let script: Vec<String> = (100..)
        .zip(&lines)
        .map(|(time, (_, line))| format!("{time} {line}"))
        .collect();
    let script = format!("{HANDSHAKE}{}", script.join("\n"));
    (frames(&script, peers), streams)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_said_is_told(sent in segments(), start in any::<[u32; 2]>(), six in any::<bool>()) {
        let peers = if six { Peers::on_port_6(PORT) } else { Peers::on_port(PORT) };
        let peers = Peers { start, ..peers };
        let (captured, streams) = conversation(&sent, &peers);
        let told = run(&captured, STREAMS);
        let flow = told.only();
        prop_assert_eq!((flow.id.orig(), flow.id.resp()), (peers.client, peers.server));
        for side in Side::BOTH {
            let said = &streams[side as usize];
            let found = told.said.get(&(1, side)).map(Stream::bytes);
            prop_assert_eq!(&found.unwrap_or_default(), said, "{}", side.name());
            let record = flow.side(side);
            prop_assert_eq!(record.bytes, said.len() as u64);
            let missing = said.iter().filter(|byte| byte.is_none()).count() as u64;
            // What came after it was acknowledged counts, too.
            prop_assert!(record.missed_bytes >= missing);
            prop_assert_eq!(record.analysis.mismatched_bytes, 0);
            // Every byte that was captured is new once, and repeated otherwise; one alone may be a keep-alive's.
            let counted = said.len() as u64 - missing + record.analysis.retrans_bytes;
            let alive = u64::from(record.analysis.keep_alives);
            let payload = record.traffic.payload_bytes;
            prop_assert!((counted..=counted + alive).contains(&payload), "{counted} of {payload}");
        }
    }

    /// However much of it is kept, nothing is told twice and nothing is told that was not said.
    #[test]
    fn with_little_room(sent in segments(), max_waiting in 0..2000_u64) {
        let peers = Peers::on_port(PORT);
        let (captured, streams) = conversation(&sent, &peers);
        let settings = lcap::flow::Settings { max_waiting, ..STREAMS };
        let told = run(&captured, settings);
        for ((_, side), found) in &told.said {
            let (found, said) = (found.bytes(), &streams[*side as usize]);
            prop_assert_eq!(found.len(), said.len());
            let is_right = |(found, said): (&Option<u8>, &Option<u8>)| found.is_none() || found == said;
            prop_assert!(found.iter().zip(said).all(is_right));
        }
    }
}
