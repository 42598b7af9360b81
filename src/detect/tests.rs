//! Openings as real programs say them, and what must hold for all of them and for what is none.

mod databases;
mod names;
mod none;
mod queues;
mod web;

use proptest::prelude::*;

use super::{Answer, DETECTORS, Detector, Facts, Opening, Verdict, detect};
use crate::packet::{TCP, UDP};

/// An opening and what it is.
struct Row {
    name: &'static str,
    transport: u8,
    orig: Vec<u8>,
    resp: Vec<u8>,
    /// The service's name, or nothing where it is none that is known.
    service: &'static str,
    facts: &'static str,
}

impl Row {
    fn opening(&self) -> Opening<'_> {
        Opening {
            orig: &self.orig,
            resp: &self.resp,
        }
    }

    fn detector(&self) -> Option<&'static Detector> {
        asked(self.transport).find(|detector| detector.name == self.service)
    }
}

fn row(
    name: &'static str,
    transport: u8,
    orig: impl AsRef<[u8]>,
    resp: impl AsRef<[u8]>,
    service: &'static str,
    facts: &'static str,
) -> Row {
    Row {
        name,
        transport,
        orig: orig.as_ref().to_vec(),
        resp: resp.as_ref().to_vec(),
        service,
        facts,
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    let pairs = digits.chunks_exact(2);
    assert!(pairs.remainder().is_empty(), "{text}");
    pairs
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

fn rows() -> Vec<Row> {
    let all = [
        web::rows(),
        names::rows(),
        databases::rows(),
        queues::rows(),
        none::rows(),
    ];
    all.into_iter().flatten().collect()
}

fn asked(transport: u8) -> impl Iterator<Item = &'static Detector> {
    DETECTORS
        .iter()
        .filter(move |detector| detector.transports.contains(&transport))
}

fn listed(facts: &Facts) -> String {
    let facts: Vec<String> = facts
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    facts.join(" ")
}

/// Pairs of what is special and what is general and true of it, too.
const BOTH: [(&str, &str); 2] = [("websocket", "http"), ("grpc", "http2")];

#[test]
fn rows_are_what_they_are() {
    for row in rows() {
        let opening = row.opening();
        let (is_final, service) = match detect(row.transport, &opening) {
            Answer::Open(service) => (false, service),
            Answer::Final(service) => (true, service),
        };
        let Some(detector) = row.detector() else {
            assert_eq!(service, None, "{}", row.name);
            continue;
        };
        let service = service.unwrap_or_else(|| panic!("{}: nothing", row.name));
        assert_eq!(service.name, row.service, "{}", row.name);
        assert_eq!(listed(&service.facts), row.facts, "{}", row.name);
        let is_done = matches!((detector.detect)(&opening), Verdict::Done(_));
        let may_be_special = asked(row.transport)
            .filter(|special| BOTH.contains(&(special.name, row.service)))
            .any(|special| (special.detect)(&opening) == Verdict::Maybe);
        assert_eq!(is_final, is_done && !may_be_special, "{}", row.name);
    }
}

/// Both sides speak, but not the same: a request is one all the same.
#[test]
fn requests_to_others_than_web_servers_are_requests() {
    let request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    for greeting in [
        &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..],
        b"-ERR unknown\r\n",
        b"ERROR\r\n",
        b"220 ftp\r\n",
    ] {
        let answer = detect(
            TCP,
            &Opening {
                orig: request,
                resp: greeting,
            },
        );
        let Answer::Final(Some(service)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(
            (service.name, &listed(&service.facts)[..]),
            ("http", "method=GET path=/")
        );
    }
}

#[test]
fn every_detector_has_rows() {
    for detector in DETECTORS {
        let rows = rows();
        let own = rows.iter().filter(|row| {
            row.detector()
                .is_some_and(|own| std::ptr::eq(own, detector))
        });
        assert!(own.count() > 2, "{}", detector.name);
    }
}

#[test]
fn nothing_else_says_that_it_is_sure() {
    for row in rows() {
        for detector in asked(row.transport) {
            let is_sure = matches!(
                (detector.detect)(&row.opening()),
                Verdict::Yes(_) | Verdict::Done(_)
            );
            let may_be =
                detector.name == row.service || BOTH.contains(&(row.service, detector.name));
            assert!(!is_sure || may_be, "{}: {}", row.name, detector.name);
        }
    }
}

/// Whatever is known of it already, a row can still become what it is; and what is said to be final stays.
#[test]
fn beginnings_may_become_the_whole() {
    for row in rows() {
        for orig in 0..=row.orig.len() {
            for resp in 0..=row.resp.len() {
                check_beginning(&row, &row.orig[..orig], &row.resp[..resp]);
            }
        }
    }
}

fn check_beginning(row: &Row, orig: &[u8], resp: &[u8]) {
    let opening = Opening { orig, resp };
    let place = || format!("{}: {} and {} bytes", row.name, orig.len(), resp.len());
    let answer = detect(row.transport, &opening);
    let Some(detector) = row.detector() else {
        let is_none = matches!(answer, Answer::Open(None) | Answer::Final(None));
        assert!(is_none, "{}: {answer:?}", place());
        return;
    };
    match (detector.detect)(&opening) {
        Verdict::No => panic!("{}: no", place()),
        Verdict::Done(facts) => assert_eq!(listed(&facts), row.facts, "{}", place()),
        Verdict::Maybe | Verdict::Yes(_) => {}
    }
    if let Answer::Final(service) = answer {
        let name = service.map(|service| service.name);
        assert_eq!(name, Some(row.service), "{}", place());
    }
}

/// Random bytes, always the same: xorshift64*.
struct Random(u64);

impl Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
            chunk.copy_from_slice(&number.to_be_bytes()[..chunk.len()]);
        }
    }
}

#[test]
fn random_bytes_are_nothing() {
    let mut random = Random(20_260_101);
    let (mut orig, mut resp) = ([0; 64], [0; 64]);
    for _ in 0..100_000 {
        random.fill(&mut orig);
        random.fill(&mut resp);
        for transport in [TCP, UDP] {
            for (orig, resp) in [(&orig[..], &resp[..]), (&orig, &[]), (&[], &resp)] {
                let answer = detect(transport, &Opening { orig, resp });
                let is_none = matches!(answer, Answer::Open(None) | Answer::Final(None));
                assert!(is_none, "{answer:?}: {orig:02x?} {resp:02x?}");
            }
        }
    }
}

fn ask_all(orig: &[u8], resp: &[u8]) {
    for detector in DETECTORS {
        let _ = (detector.detect)(&Opening { orig, resp });
        let _ = (detector.detect)(&Opening {
            orig: resp,
            resp: orig,
        });
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_detector_panic(
        orig in prop::collection::vec(any::<u8>(), 0..200),
        resp in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        ask_all(&orig, &resp);
    }

    #[test]
    fn no_change_of_a_row_makes_a_detector_panic(
        at in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        twice in any::<prop::sample::Index>(),
    ) {
        let rows = rows();
        let row = at.get(&rows);
        let mut both = [row.orig.clone(), row.resp.clone()];
        for side in &mut both {
            for (place, byte) in &changes {
                if !side.is_empty() {
                    let place = place.index(side.len());
                    side[place] = *byte;
                }
            }
        }
        let [mut orig, resp] = both;
        ask_all(&orig, &resp);
        ask_all(&orig[..cut.index(orig.len() + 1)], &resp);
        orig.extend_from_within(twice.index(orig.len() + 1)..);
        ask_all(&orig, &resp);
    }
}
