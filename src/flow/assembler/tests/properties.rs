//! Any segments in any order, against a model that knows the whole stream.

use super::*;

/// A segment of a stream.
#[derive(Debug, Clone)]
struct Piece {
    at: usize,
    len: usize,
    /// How many of its bytes were captured.
    captured: usize,
    /// What its bytes are changed by: 0 is the stream's own.
    other: u8,
}

impl Piece {
    fn bytes(&self) -> Vec<u8> {
        let all = self.at..self.at + self.captured;
        all.map(|at| byte(at) ^ self.other).collect()
    }
}

/// What the stream has at an offset.
fn byte(at: usize) -> u8 {
    (at * 31 + at / 7) as u8
}

/// A stream split several times, each time otherwise; some of it lost, some cut; in any order.
fn pieces(cuts: bool, others: bool) -> impl Strategy<Value = Vec<Piece>> {
    let one = (1..40_usize, 0..10_u8, any::<u8>(), 0..4_u8);
    let split = prop::collection::vec(one, 1..20);
    let splits = prop::collection::vec(split, 1..4);
    let pieces = splits.prop_map(move |splits| {
        let mut pieces = Vec::new();
        for split in splits {
            let mut at = 0;
            for (len, fate, other, captured) in split {
                let piece = Piece {
                    at,
                    len,
                    captured: match captured {
                        0 if cuts => len / 2,
                        _ => len,
                    },
                    other: if others && fate < 3 { other } else { 0 },
                };
                at += len;
                if fate < 7 {
                    pieces.push(piece);
                }
            }
        }
        pieces
    });
    pieces.prop_shuffle()
}

/// What was told, byte by byte: a byte, or none where it was cut off or is missing; and how many bytes differed.
#[derive(Debug, Default, PartialEq)]
struct Told {
    bytes: Vec<Option<u8>>,
    places: Vec<(bool, u64, u64)>,
    differed: u64,
    /// What was said of each piece, and of each acknowledgement.
    evidence: Vec<Evidence>,
    missing: Vec<(u64, u32)>,
}

impl Told {
    fn take(&mut self, delivery: Delivery) {
        self.places.extend(place(delivery));
        let (offset, bytes, len) = match delivery {
            Delivery::Data { offset, bytes, len } => (offset, bytes, len),
            Delivery::Gap { offset, len } => (offset, &[][..], len),
            Delivery::Mismatch { len, .. } => {
                self.differed += len;
                return;
            }
        };
        assert_eq!(offset, self.bytes.len() as u64, "twice, or too early");
        self.bytes.extend(bytes.iter().copied().map(Some));
        self.bytes.resize((offset + len) as usize, None);
    }

    fn gaps(&self) -> u64 {
        let gaps = self.places.iter().filter(|(is_data, ..)| !is_data);
        gaps.map(|(_, _, len)| len).sum()
    }
}

/// Puts pieces into an assembler; before each one something may be acknowledged.
fn assemble(pieces: &[Piece], acks: &[u64], rules: Rules) -> Result<Told, TestCaseError> {
    let (mut assembler, mut told) = (Assembler::default(), Told::default());
    for (n, piece) in pieces.iter().enumerate() {
        if let Some(&ack) = acks.get(n) {
            told.missing.push(assembler.acknowledged(ack, n as i64));
        }
        let bytes = piece.bytes();
        let payload = Payload {
            bytes: &bytes,
            len: piece.len as u32,
        };
        let mut deliver = |delivery: Delivery| told.take(delivery);
        let at = piece.at as u64;
        let evidence = assembler.insert(at, payload, n as i64, rules, &mut deliver);
        prop_assert_eq!(evidence.old + evidence.new, piece.len as u64);
        told.evidence.push(evidence);
        prop_assert!(assembler.waiting() <= rules.most);
        prop_assert_eq!(assembler.next, told.bytes.len() as u64);
    }
    assembler.finish(rules, &mut |delivery| told.take(delivery));
    prop_assert!(assembler.rest.is_none());
    Ok(told)
}

/// Every byte as the first piece had it that brought it, and how many were others when they came again.
fn first_copies(pieces: &[Piece]) -> (Vec<Option<Option<u8>>>, u64) {
    let (mut first, mut differ) = (Vec::new(), 0);
    for piece in pieces {
        let end = piece.at + piece.len;
        first.resize(first.len().max(end), None);
        let bytes = piece.bytes();
        for (n, before) in first[piece.at..end].iter_mut().enumerate() {
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

    /// Nothing was acknowledged: everything that came is told, once, and what did not come is missing.
    #[test]
    fn the_stream_comes_out(pieces in pieces(false, true)) {
        let (first, differ) = first_copies(&pieces);
        let told = assemble(&pieces, &[], STREAMS)?;
        let bytes: Vec<_> = first.iter().copied().map(Option::flatten).collect();
        prop_assert_eq!(&told.bytes, &bytes);
        let missing = first.iter().filter(|byte| byte.is_none()).count();
        prop_assert_eq!(told.gaps(), missing as u64);
        prop_assert_eq!(told.differed, differ);
        let places = assemble(&pieces, &[], PLACES)?;
        prop_assert_eq!(&places.places, &told.places);
        // The opening is kept although it waits.
        let opening = bytes.len().min(8);
        prop_assert_eq!(&places.bytes[..opening], &bytes[..opening]);
    }

    /// What the snap length cut off is neither told nor missing.
    #[test]
    fn a_cut_stream_comes_out(pieces in pieces(true, false)) {
        let (first, _) = first_copies(&pieces);
        let told = assemble(&pieces, &[], STREAMS)?;
        let bytes: Vec<_> = first.iter().copied().map(Option::flatten).collect();
        prop_assert_eq!(&told.bytes, &bytes);
        let missing = first.iter().filter(|byte| byte.is_none()).count();
        prop_assert_eq!(told.gaps(), missing as u64);
        prop_assert_eq!(told.differed, 0);
    }

    /// Whatever is acknowledged, however little may wait: in order, once, the first copy or nothing.
    #[test]
    fn within_bounds(
        pieces in pieces(true, true),
        acks in prop::collection::vec(0..400_u64, 0..60),
        most in 0..1000_u64,
    ) {
        let (first, _) = first_copies(&pieces);
        let told = assemble(&pieces, &acks, Rules { most, ..STREAMS })?;
        for (at, &byte) in told.bytes.iter().enumerate() {
            let possible = byte.is_none() || pieces.iter().any(|piece| {
                let here = at.checked_sub(piece.at);
                here.and_then(|here| piece.bytes().get(here).copied()) == byte
            });
            prop_assert!(possible, "{byte:?} at {at}");
        }
        let acknowledged = acks.iter().take(pieces.len()).copied().max().unwrap_or(0);
        prop_assert_eq!(told.bytes.len() as u64, acknowledged.max(first.len() as u64));
        let places = assemble(&pieces, &acks, Rules { most, ..PLACES })?;
        prop_assert_eq!(places.places, told.places);
        prop_assert_eq!(places.evidence, told.evidence);
        prop_assert_eq!(places.missing, told.missing);
    }
}
