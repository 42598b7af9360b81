//! Detection tests: openings recorded from real programs, openings of unsupported protocols, and
//! invariants of all detectors.

mod databases;
mod infrastructure;
mod message_brokers;
mod unrecognized;
mod web;

use proptest::prelude::*;

use super::{
    DETECTORS, DetectionResult, Detector, DetectorVerdict, Opening, ServiceAttributes, detect,
};
use crate::packet::{TCP, UDP};

/// An opening and the expected service.
struct DetectionCase {
    name: &'static str,
    transport: u8,
    orig: Vec<u8>,
    resp: Vec<u8>,
    /// Expected service name; empty if no service is expected.
    service: &'static str,
    /// Expected attributes as `name=value`, separated by spaces.
    attributes: &'static str,
}

impl DetectionCase {
    fn opening(&self) -> Opening<'_> {
        Opening {
            orig: &self.orig,
            resp: &self.resp,
        }
    }

    fn detector(&self) -> Option<&'static Detector> {
        detectors_for(self.transport).find(|detector| detector.name == self.service)
    }
}

fn case(
    name: &'static str,
    transport: u8,
    orig: impl AsRef<[u8]>,
    resp: impl AsRef<[u8]>,
    service: &'static str,
    attributes: &'static str,
) -> DetectionCase {
    DetectionCase {
        name,
        transport,
        orig: orig.as_ref().to_vec(),
        resp: resp.as_ref().to_vec(),
        service,
        attributes,
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

fn cases() -> Vec<DetectionCase> {
    let groups = [
        web::cases(),
        infrastructure::cases(),
        databases::cases(),
        message_brokers::cases(),
        unrecognized::cases(),
    ];
    groups.into_iter().flatten().collect()
}

fn detectors_for(transport: u8) -> impl Iterator<Item = &'static Detector> {
    DETECTORS
        .iter()
        .filter(move |detector| detector.transports.contains(&transport))
}

fn attribute_list(attributes: &ServiceAttributes) -> String {
    let pairs: Vec<String> = attributes
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(" ")
}

/// Pairs of a specialized protocol and the general one whose detector also accepts it.
const SPECIALIZATIONS: [(&str, &str); 2] = [("websocket", "http"), ("grpc", "http2")];

#[test]
fn every_case_is_detected_as_its_service() {
    for case in cases() {
        let opening = case.opening();
        let (is_final, service) = match detect(case.transport, &opening) {
            DetectionResult::Tentative(service) => (false, service),
            DetectionResult::Final(service) => (true, service),
        };
        let Some(detector) = case.detector() else {
            assert_eq!(service, None, "{}", case.name);
            continue;
        };
        let service = service.unwrap_or_else(|| panic!("{}: no service", case.name));
        assert_eq!(service.name, case.service, "{}", case.name);
        assert_eq!(
            attribute_list(&service.attributes),
            case.attributes,
            "{}",
            case.name
        );
        let is_done = matches!((detector.detect)(&opening), DetectorVerdict::Done(_));
        let mut earlier =
            detectors_for(case.transport).take_while(|other| !std::ptr::eq(*other, detector));
        let may_be_another =
            earlier.any(|earlier| (earlier.detect)(&opening) == DetectorVerdict::Maybe);
        assert_eq!(is_final, is_done && !may_be_another, "{}", case.name);
    }
}

/// If the two sides use different protocols, the request decides.
#[test]
fn http_request_to_a_non_http_server_is_detected_as_http() {
    let request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    for greeting in [
        &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..],
        b"-ERR unknown\r\n",
        b"ERROR\r\n",
        b"220 ftp\r\n",
    ] {
        let result = detect(
            TCP,
            &Opening {
                orig: request,
                resp: greeting,
            },
        );
        let DetectionResult::Final(Some(service)) = result else {
            panic!("{result:?}");
        };
        assert_eq!(
            (service.name, &attribute_list(&service.attributes)[..]),
            ("http", "method=GET path=/")
        );
    }
}

#[test]
fn every_detector_has_cases() {
    for detector in DETECTORS {
        let all_cases = cases();
        let matching = all_cases.iter().filter(|case| {
            case.detector()
                .is_some_and(|candidate| std::ptr::eq(candidate, detector))
        });
        assert!(matching.count() > 2, "{}", detector.name);
    }
}

#[test]
fn no_other_detector_accepts_a_case() {
    for case in cases() {
        for detector in detectors_for(case.transport) {
            let is_detected = matches!(
                (detector.detect)(&case.opening()),
                DetectorVerdict::Yes(_) | DetectorVerdict::Done(_)
            );
            let is_allowed = detector.name == case.service
                || SPECIALIZATIONS.contains(&(case.service, detector.name));
            assert!(
                !is_detected || is_allowed,
                "{}: {}",
                case.name,
                detector.name
            );
        }
    }
}

/// For every pair of prefixes, the detector of the expected service does not reject them, and a
/// final result is the expected service.
#[test]
fn no_prefix_of_a_case_is_rejected() {
    for case in cases() {
        for orig in 0..=case.orig.len() {
            for resp in 0..=case.resp.len() {
                check_prefix(&case, &case.orig[..orig], &case.resp[..resp]);
            }
        }
    }
}

fn check_prefix(case: &DetectionCase, orig: &[u8], resp: &[u8]) {
    let opening = Opening { orig, resp };
    let context = || format!("{}: {} and {} bytes", case.name, orig.len(), resp.len());
    let result = detect(case.transport, &opening);
    let Some(detector) = case.detector() else {
        let is_none = matches!(
            result,
            DetectionResult::Tentative(None) | DetectionResult::Final(None)
        );
        assert!(is_none, "{}: {result:?}", context());
        return;
    };
    match (detector.detect)(&opening) {
        DetectorVerdict::No => panic!("{}: rejected", context()),
        DetectorVerdict::Done(attributes) => {
            assert_eq!(
                attribute_list(&attributes),
                case.attributes,
                "{}",
                context()
            );
        }
        DetectorVerdict::Maybe | DetectorVerdict::Yes(_) => {}
    }
    if let DetectionResult::Final(service) = result {
        let name = service.map(|service| service.name);
        assert_eq!(name, Some(case.service), "{}", context());
    }
}

/// The originator's and the responder's bytes come from different cases, so that many pairs
/// contradict each other.
#[test]
fn more_bytes_never_change_a_final_result() {
    let all_cases = cases();
    let sides = |side: fn(&DetectionCase) -> &[u8]| {
        let of_tcp = all_cases.iter().filter(|case| case.transport == TCP);
        of_tcp.map(side).collect::<Vec<_>>()
    };
    let mut final_results = 0;
    for orig in sides(|case| &case.orig) {
        for resp in sides(|case| &case.resp) {
            let whole = detect(TCP, &Opening { orig, resp }).into_service();
            for orig_len in [0, 1.min(orig.len()), orig.len() / 2, orig.len()] {
                for resp_len in [0, 1.min(resp.len()), resp.len() / 2, resp.len()] {
                    let prefix = Opening {
                        orig: &orig[..orig_len],
                        resp: &resp[..resp_len],
                    };
                    if let DetectionResult::Final(service) = detect(TCP, &prefix) {
                        final_results += 1;
                        assert_eq!(service, whole, "{prefix:?}");
                    }
                }
            }
        }
    }
    assert!(final_results > 1000, "{final_results}");
}

/// More parameters can follow an empty name that is not at the end of the packet.
#[test]
fn a_startup_packet_is_certain_at_its_end() {
    let orig = b"\0\0\0\x1b\0\x03\0\0user\0a\0d\0\0S\0\0\0\x04B\0\0\0";
    for len in 0..=orig.len() {
        let prefix = Opening {
            orig: &orig[..len],
            resp: b"",
        };
        let result = detect(TCP, &prefix);
        assert!(!matches!(result, DetectionResult::Final(Some(_))), "{len}");
    }
}

/// Generator of reproducible random bytes (xorshift64*).
struct Xorshift(u64);

impl Xorshift {
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
fn random_bytes_are_not_detected_as_any_service() {
    let mut random = Xorshift(20_260_101);
    let (mut orig, mut resp) = ([0; 64], [0; 64]);
    for _ in 0..100_000 {
        random.fill(&mut orig);
        random.fill(&mut resp);
        for transport in [TCP, UDP] {
            for (orig, resp) in [(&orig[..], &resp[..]), (&orig, &[]), (&[], &resp)] {
                let result = detect(transport, &Opening { orig, resp });
                let is_none = matches!(
                    result,
                    DetectionResult::Tentative(None) | DetectionResult::Final(None)
                );
                assert!(is_none, "{result:?}: {orig:02x?} {resp:02x?}");
            }
        }
    }
}

fn run_all_detectors(orig: &[u8], resp: &[u8]) {
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
        run_all_detectors(&orig, &resp);
    }

    #[test]
    fn no_mutation_of_a_case_makes_a_detector_panic(
        at in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        repeated_from in any::<prop::sample::Index>(),
    ) {
        let all_cases = cases();
        let case = at.get(&all_cases);
        let mut both = [case.orig.clone(), case.resp.clone()];
        for side in &mut both {
            for (position, byte) in &changes {
                if !side.is_empty() {
                    let position = position.index(side.len());
                    side[position] = *byte;
                }
            }
        }
        let [mut orig, resp] = both;
        run_all_detectors(&orig, &resp);
        run_all_detectors(&orig[..cut.index(orig.len() + 1)], &resp);
        orig.extend_from_within(repeated_from.index(orig.len() + 1)..);
        run_all_detectors(&orig, &resp);
    }
}
