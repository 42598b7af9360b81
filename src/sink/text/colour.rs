//! Colours for the two directions, as "select graphic rendition" sequences (ECMA-48 section
//! 8.3.117).

use std::cmp::Ordering;

use crate::packet::Endpoints;

/// Cyan: from originator to responder.
const TO_RESPONDER_COLOUR: &[u8] = b"\x1b[36m";
/// Yellow: from responder to originator.
const FROM_RESPONDER_COLOUR: &[u8] = b"\x1b[33m";
const RESET_COLOUR: &[u8] = b"\x1b[0m";

/// Colours the first line from `start` on, by direction; does nothing if the packet has no ports,
/// because the ports determine the direction.
pub(super) fn paint(
    out: &mut Vec<u8>,
    start: usize,
    endpoints: Option<Endpoints>,
    servers: &[u16],
) {
    let Some(endpoints) = endpoints else {
        return;
    };
    let rest = out.get(start..).unwrap_or_default();
    let length = rest.iter().position(|&octet| octet == b'\n');
    let end = start + length.unwrap_or(rest.len());
    out.splice(end..end, RESET_COLOUR.iter().copied());
    let colour = if is_to_responder(&endpoints, servers) {
        TO_RESPONDER_COLOUR
    } else {
        FROM_RESPONDER_COLOUR
    };
    out.splice(start..start, colour.iter().copied());
}

/// True if the packet is sent to the responder. The responder is the only side with a port given
/// with `-p`, otherwise the side with the lower port; if the ports are equal, the side with the
/// lower address.
fn is_to_responder(endpoints: &Endpoints, servers: &[u16]) -> bool {
    let (source, destination) = (endpoints.src(), endpoints.dst());
    let is_requested = |port| servers.contains(&port);
    match (
        is_requested(source.port()),
        is_requested(destination.port()),
    ) {
        (true, false) => return false,
        (false, true) => return true,
        _ => {}
    }
    match destination.port().cmp(&source.port()) {
        Ordering::Equal => destination.ip() <= source.ip(),
        order => order == Ordering::Less,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(from: u16, to: u16, servers: &[u16]) -> String {
        let [src, dst] = [from, to].map(|port| ([127, 0, 0, 1], port).into());
        let endpoints = Endpoints::new(src, dst, crate::packet::TCP);
        let mut out = b"before\nline\nmore".to_vec();
        paint(&mut out, 7, Some(endpoints), servers);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn responder_is_the_requested_or_lower_port() {
        let (to, from) = (
            "before\n\x1b[36mline\x1b[0m\nmore",
            "before\n\x1b[33mline\x1b[0m\nmore",
        );
        assert_eq!(painted(40000, 80, &[]), to);
        assert_eq!(painted(80, 40000, &[]), from);
        assert_eq!(painted(80, 40000, &[40000]), to);
        assert_eq!(painted(40000, 80, &[40000, 80]), to);
        assert_eq!(painted(80, 80, &[]), to);
        let mut out = b"line".to_vec();
        paint(&mut out, 0, None, &[]);
        assert_eq!(out, b"line");
    }
}
