//! Fuzz target: arbitrary bytes as the opening of a conversation, and a prefix of it. No detector
//! panics, and a service is found only by its own detector.
//!
//! ```text
//!  | is UDP (1), length (15) | prefix lengths (2 × 16) | originator's bytes | responder's bytes |
//! ```
#![no_main]

use lcap::internals::detect::{DETECTORS, DetectorVerdict, Opening, detect};
use libfuzzer_sys::fuzz_target;

const TCP: u8 = 6;
const UDP: u8 = 17;

fuzz_target!(|bytes: &[u8]| {
    let Some((header, bytes)) = bytes.split_first_chunk::<6>() else {
        return;
    };
    let [choice, first, second] =
        [0, 2, 4].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
    let transport = if choice & 0x8000 == 0 { TCP } else { UDP };
    let (orig, resp) = bytes.split_at(usize::from(choice & 0x7fff).min(bytes.len()));
    let prefix = Opening {
        orig: &orig[..usize::from(first).min(orig.len())],
        resp: &resp[..usize::from(second).min(resp.len())],
    };
    for opening in [prefix, Opening { orig, resp }] {
        let result = detect(transport, &opening);
        let mut accepting = DETECTORS.iter().filter(|detector| {
            let verdict = (detector.detect)(&opening);
            let is_accepted = matches!(verdict, DetectorVerdict::Yes(_) | DetectorVerdict::Done(_));
            is_accepted && detector.transports.contains(&transport)
        });
        let first = accepting.next().map(|detector| detector.name);
        assert_eq!(result.service().map(|service| service.name), first);
    }
});
