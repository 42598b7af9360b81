//! Property tests of reassembled streams: with split, retransmitted, out-of-order and lost
//! segments, the delivered bytes are the bytes that were sent.

use lcap::internals::flow::Side;
use proptest::prelude::*;

use super::script::{
    CapturedFrame, HANDSHAKE, PORT, Peers, RecordedStream, STREAMS, pattern_byte, run_checked,
    script_frames,
};

/// One segment, its captured copies, and possibly an acknowledgement.
#[derive(Debug, Clone)]
struct SentSegment {
    side: Side,
    len: u32,
    /// Delay of each captured copy, in segments sent meanwhile.
    copies: Vec<usize>,
    /// Number of earlier bytes that the segment retransmits before its new bytes.
    overlap: u32,
    is_acknowledged: bool,
}

/// Maximum delay of a copy: less than the 16 later segments after which an acknowledged gap is
/// declared lost.
const MAX_DELAY_SEGMENTS: usize = 5;

fn sent_segments() -> impl Strategy<Value = Vec<SentSegment>> {
    let side = prop_oneof![Just(Side::Orig), Just(Side::Resp)];
    let copies = prop_oneof![
        6 => Just(vec![0]),
        1 => Just(vec![]),
        3 => prop::collection::vec(0..=MAX_DELAY_SEGMENTS, 1..=2),
    ];
    let overlap = prop_oneof![4 => Just(0), 1 => 0..300_u32];
    let fields = (side, 1..300_u32, copies, overlap, any::<bool>());
    let segment = fields.prop_map(
        |(side, len, copies, overlap, is_acknowledged)| SentSegment {
            side,
            len,
            copies,
            overlap,
            is_acknowledged,
        },
    );
    prop::collection::vec(segment, 1..60)
}

/// Returns the captured frames, and each side's stream: `None` for bytes that were not captured.
fn conversation(
    segments: &[SentSegment],
    peers: &Peers,
) -> (Vec<CapturedFrame>, [Vec<Option<u8>>; 2]) {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut streams: [Vec<Option<u8>>; 2] = Default::default();
    let direction = |side: Side| ["> ", "< "][side as usize];
    for (n, segment) in segments.iter().enumerate() {
        let SentSegment { side, len, .. } = *segment;
        let end = streams[side as usize].len() as u32 + len;
        streams[side as usize].resize(end as usize, None);
        let start = (end - len).saturating_sub(segment.overlap);
        let ack = streams[side.other() as usize].len() + 1;
        for delay in &segment.copies {
            let data = format!("{}P. {} {ack} *{}", direction(side), start + 1, end - start);
            lines.push((n + delay, data));
            for at in start..end {
                streams[side as usize][at as usize] = Some(pattern_byte(at + 1));
            }
        }
        if segment.is_acknowledged {
            let reply = format!("{}. {ack} {}", direction(side.other()), end + 1);
            lines.push((n, reply));
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    for side in Side::BOTH {
        let [seq, ack] = [side, side.other()].map(|side| streams[side as usize].len() + 1);
        lines.push((usize::MAX, format!("{}. {seq} {ack}", direction(side))));
    }
    let script: Vec<String> = (100..)
        .zip(&lines)
        .map(|(time, (_, line))| format!("{time} {line}"))
        .collect();
    let script = format!("{HANDSHAKE}{}", script.join("\n"));
    (script_frames(&script, peers), streams)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn streams_are_delivered_as_they_were_sent(
        segments in sent_segments(),
        isns in any::<[u32; 2]>(),
        is_ipv6 in any::<bool>(),
    ) {
        let peers = if is_ipv6 { Peers::on_port_v6(PORT) } else { Peers::on_port(PORT) };
        let peers = Peers { isns, ..peers };
        let (captured, streams) = conversation(&segments, &peers);
        let log = run_checked(&captured, STREAMS);
        let flow = log.only_flow();
        prop_assert_eq!((flow.id.orig(), flow.id.resp()), (peers.client, peers.server));
        for side in Side::BOTH {
            let sent = &streams[side as usize];
            let delivered = log.contents.get(&(1, side)).map(RecordedStream::bytes);
            prop_assert_eq!(&delivered.unwrap_or_default(), sent, "{}", side.name());
            let record = flow.side(side);
            prop_assert_eq!(record.bytes, sent.len() as u64);
            let missing = sent.iter().filter(|byte| byte.is_none()).count() as u64;
            // Bytes captured after their acknowledgement also count as missed.
            prop_assert!(record.missed_bytes >= missing);
            prop_assert_eq!(record.analysis.mismatched_bytes, 0);
            // Each captured byte is new or retransmitted; a single byte may belong to a keep-alive.
            let counted = sent.len() as u64 - missing + record.analysis.retrans_bytes;
            let keep_alives = u64::from(record.analysis.keep_alives);
            let payload = record.traffic.payload_bytes;
            prop_assert!(
                (counted..=counted + keep_alives).contains(&payload),
                "{counted} counted of {payload} payload bytes"
            );
        }
    }

    /// With any buffer limit, no byte is delivered twice, and each delivered byte was sent.
    #[test]
    fn a_small_buffer_never_delivers_wrong_bytes(
        segments in sent_segments(),
        max_out_of_order_bytes in 0..2000_u64,
    ) {
        let peers = Peers::on_port(PORT);
        let (captured, streams) = conversation(&segments, &peers);
        let settings = lcap::internals::flow::FlowSettings { max_out_of_order_bytes, ..STREAMS };
        let log = run_checked(&captured, settings);
        for ((_, side), stream) in &log.contents {
            let (delivered, sent) = (stream.bytes(), &streams[*side as usize]);
            prop_assert_eq!(delivered.len(), sent.len());
            for (delivered, sent) in delivered.iter().zip(sent) {
                prop_assert!(delivered.is_none() || delivered == sent);
            }
        }
    }
}
