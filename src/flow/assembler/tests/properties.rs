//! Property tests: random segments in random order, against a model of the whole stream.

use super::*;

/// A segment of a stream.
#[derive(Debug, Clone)]
struct TestSegment {
    offset: usize,
    len: usize,
    /// Number of captured bytes.
    captured: usize,
    /// Value with which the stream's bytes are XORed; 0 leaves them unchanged.
    xor: u8,
}

impl TestSegment {
    fn bytes(&self) -> Vec<u8> {
        let all = self.offset..self.offset + self.captured;
        all.map(|at| stream_byte(at) ^ self.xor).collect()
    }
}

/// Returns the stream's byte at an offset.
fn stream_byte(at: usize) -> u8 {
    (at * 31 + at / 7) as u8
}

/// Strategy for the segments of a stream, in random order: the stream is split several times, each
/// time differently, and some segments are lost and some are cut.
fn segment_strategy(cuts: bool, mismatches: bool) -> impl Strategy<Value = Vec<TestSegment>> {
    let segment = (1..40_usize, 0..10_u8, any::<u8>(), 0..4_u8);
    let split = prop::collection::vec(segment, 1..20);
    let splits = prop::collection::vec(split, 1..4);
    let segments = splits.prop_map(move |splits| {
        let mut segments = Vec::new();
        for split in splits {
            let mut at = 0;
            for (len, fate, xor, captured) in split {
                let segment = TestSegment {
                    offset: at,
                    len,
                    captured: match captured {
                        0 if cuts => len / 2,
                        _ => len,
                    },
                    xor: if mismatches && fate < 3 { xor } else { 0 },
                };
                at += len;
                if fate < 7 {
                    segments.push(segment);
                }
            }
        }
        segments
    });
    segments.prop_shuffle()
}

/// All deliveries and results of an assembler.
#[derive(Debug, Default, PartialEq)]
struct DeliveryLog {
    /// Delivered bytes; `None` for a byte that was cut off or is missing.
    bytes: Vec<Option<u8>>,
    positions: Vec<(bool, u64, u64)>,
    /// Number of retransmitted bytes that differed.
    mismatched: u64,
    /// Result for each segment.
    summaries: Vec<InsertSummary>,
    /// Result for each acknowledgement.
    missing: Vec<(u64, u32)>,
}

impl DeliveryLog {
    fn push(&mut self, delivery: Delivery) {
        self.positions.extend(position(delivery));
        let (offset, bytes, len) = match delivery {
            Delivery::Data {
                offset, bytes, len, ..
            } => (offset, bytes, len),
            Delivery::Gap { offset, len } => (offset, &[][..], len),
            Delivery::Mismatch { len, .. } => {
                self.mismatched += len;
                return;
            }
        };
        assert_eq!(
            offset,
            self.bytes.len() as u64,
            "delivered twice, or too early"
        );
        self.bytes.extend(bytes.iter().copied().map(Some));
        self.bytes.resize((offset + len) as usize, None);
    }

    fn gap_bytes(&self) -> u64 {
        let gaps = self.positions.iter().filter(|(is_data, ..)| !is_data);
        gaps.map(|(_, _, len)| len).sum()
    }
}

/// Inserts segments into an assembler; an acknowledgement may precede each segment.
fn assemble(
    segments: &[TestSegment],
    acks: &[u64],
    options: ReassemblyOptions,
) -> Result<DeliveryLog, TestCaseError> {
    let (mut assembler, mut log) = (Assembler::default(), DeliveryLog::default());
    for (n, segment) in segments.iter().enumerate() {
        if let Some(&ack) = acks.get(n) {
            log.missing.push(assembler.acknowledge(ack, n as i64));
        }
        let bytes = segment.bytes();
        let payload = Payload {
            bytes: &bytes,
            len: segment.len as u32,
        };
        let mut deliver = |delivery: Delivery| log.push(delivery);
        let at = segment.offset as u64;
        let summary = assembler.insert(at, payload, n as i64, options, &mut deliver);
        prop_assert_eq!(summary.old_bytes + summary.new_bytes, segment.len as u64);
        log.summaries.push(summary);
        prop_assert!(assembler.out_of_order_bytes() <= options.max_out_of_order_bytes);
        prop_assert_eq!(assembler.next, log.bytes.len() as u64);
    }
    assembler.finish(options, &mut |delivery| log.push(delivery));
    prop_assert!(assembler.buffers.is_none());
    Ok(log)
}

/// Returns each byte as first captured, and the number of bytes that differed when they were
/// retransmitted.
fn first_copies(segments: &[TestSegment]) -> (Vec<Option<Option<u8>>>, u64) {
    let (mut first, mut differ) = (Vec::new(), 0);
    for segment in segments {
        let end = segment.offset + segment.len;
        first.resize(first.len().max(end), None);
        let bytes = segment.bytes();
        for (n, before) in first[segment.offset..end].iter_mut().enumerate() {
            let before: &mut Option<Option<u8>> = before;
            let here = bytes.get(n).copied();
            if let (Some(Some(before)), Some(here)) = (*before, here) {
                differ += u64::from(before != here);
            }
            before.get_or_insert(here);
        }
    }
    (first, differ)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Without acknowledgements, every captured byte is delivered once, and all others are in gaps.
    #[test]
    fn an_unacknowledged_stream_is_delivered_once(segments in segment_strategy(false, true)) {
        let (first, differ) = first_copies(&segments);
        let log = assemble(&segments, &[], KEEP_ALL)?;
        let bytes: Vec<_> = first.iter().copied().map(Option::flatten).collect();
        prop_assert_eq!(&log.bytes, &bytes);
        let missing = first.iter().filter(|byte| byte.is_none()).count();
        prop_assert_eq!(log.gap_bytes(), missing as u64);
        prop_assert_eq!(log.mismatched, differ);
        let positions_only = assemble(&segments, &[], KEEP_OPENING)?;
        prop_assert_eq!(&positions_only.positions, &log.positions);
        // The opening is kept even if it is out of order.
        let opening = bytes.len().min(8);
        prop_assert_eq!(&positions_only.bytes[..opening], &bytes[..opening]);
    }

    /// Bytes cut off by the snapshot length are neither delivered nor counted as missing.
    #[test]
    fn a_truncated_stream_is_delivered_once(segments in segment_strategy(true, false)) {
        let (first, _) = first_copies(&segments);
        let log = assemble(&segments, &[], KEEP_ALL)?;
        let bytes: Vec<_> = first.iter().copied().map(Option::flatten).collect();
        prop_assert_eq!(&log.bytes, &bytes);
        let missing = first.iter().filter(|byte| byte.is_none()).count();
        prop_assert_eq!(log.gap_bytes(), missing as u64);
        prop_assert_eq!(log.mismatched, 0);
    }

    /// With any acknowledgements and any limit, each byte is delivered once, in order, as captured.
    #[test]
    fn delivery_respects_acks_and_the_out_of_order_limit(
        segments in segment_strategy(true, true),
        acks in prop::collection::vec(0..400_u64, 0..60),
        max_out_of_order_bytes in 0..1000_u64,
    ) {
        let (first, _) = first_copies(&segments);
        let log = assemble(&segments, &acks, ReassemblyOptions { max_out_of_order_bytes, ..KEEP_ALL })?;
        for (at, &byte) in log.bytes.iter().enumerate() {
            let possible = byte.is_none() || segments.iter().any(|segment| {
                let here = at.checked_sub(segment.offset);
                here.and_then(|here| segment.bytes().get(here).copied()) == byte
            });
            prop_assert!(possible, "{byte:?} at {at}");
        }
        let acknowledged = acks.iter().take(segments.len()).copied().max().unwrap_or(0);
        prop_assert_eq!(log.bytes.len() as u64, acknowledged.max(first.len() as u64));
        let positions_only = assemble(&segments, &acks, ReassemblyOptions { max_out_of_order_bytes, ..KEEP_OPENING })?;
        prop_assert_eq!(positions_only.positions, log.positions);
        prop_assert_eq!(positions_only.summaries, log.summaries);
        prop_assert_eq!(positions_only.missing, log.missing);
    }
}
