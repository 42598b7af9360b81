//! Colour by direction, with the "select graphic rendition" sequences of ECMA-48 section 8.3.117.

use std::cmp::Ordering;

use crate::packet::Tuple;

/// Cyan: what the originator sends.
const TO_RESPONDER: &[u8] = b"\x1b[36m";
/// Yellow: what comes back.
const FROM_RESPONDER: &[u8] = b"\x1b[33m";
const PLAIN: &[u8] = b"\x1b[0m";

/// Colours the first line from `start` on; not where there are no ports to tell a direction from.
pub(super) fn paint(out: &mut Vec<u8>, start: usize, tuple: Option<Tuple>, servers: &[u16]) {
    let Some(tuple) = tuple else {
        return;
    };
    let rest = out.get(start..).unwrap_or_default();
    let length = rest.iter().position(|&octet| octet == b'\n');
    let end = start + length.unwrap_or(rest.len());
    out.splice(end..end, PLAIN.iter().copied());
    let colour = if is_to_responder(tuple, servers) {
        TO_RESPONDER
    } else {
        FROM_RESPONDER
    };
    out.splice(start..start, colour.iter().copied());
}

/// The responder has a port that was asked for, or else the lower one; among equal ports, the lower address.
fn is_to_responder(tuple: Tuple, servers: &[u16]) -> bool {
    let (source, destination) = (tuple.src, tuple.dst);
    let asked = |port| servers.contains(&port);
    match (asked(source.port()), asked(destination.port())) {
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
        let tuple = Tuple {
            src: ([127, 0, 0, 1], from).into(),
            dst: ([127, 0, 0, 1], to).into(),
            proto: crate::packet::TCP,
        };
        let mut out = b"before\nline\nmore".to_vec();
        paint(&mut out, 7, Some(tuple), servers);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn by_the_lower_port_or_the_one_asked_for() {
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
