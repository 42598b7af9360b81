//! Traffic as the bytes of a capture file (pcap-savefile(5), draft-ietf-opsawg-pcapng).

// Every bench takes what it needs.
#![allow(dead_code)]

use super::traffic::Traffic;

/// A classic capture file with microseconds.
pub(crate) fn pcap(traffic: &Traffic) -> Vec<u8> {
    let mut bytes = words([0xA1B2_C3D4, 2 | 4 << 16, 0, 0]);
    let link = u32::from(traffic.interface.link.0);
    bytes.extend(words([traffic.interface.snap_len, link]));
    for (time, frame) in &traffic.frames {
        let (seconds, nanos) = (time / 1_000_000_000, time % 1_000_000_000);
        let len = frame.len() as u32;
        bytes.extend(words([seconds as u32, nanos as u32 / 1000, len, len]));
        bytes.extend(frame);
    }
    bytes
}

/// A pcapng file with nanoseconds: a section, an interface, an enhanced packet block for each frame.
pub(crate) fn pcapng(traffic: &Traffic) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Version 1.0, of unknown length.
    block(
        &mut bytes,
        0x0A0D_0D0A,
        words([0x1A2B_3C4D, 1, u32::MAX, u32::MAX]),
    );
    let link = u32::from(traffic.interface.link.0);
    // Option 9: the resolution is ten to the power of minus 9.
    let resolution = [9 | 1 << 16, 9, 0];
    let mut interface = words([link, traffic.interface.snap_len]);
    interface.extend(words(resolution));
    block(&mut bytes, 1, interface);
    for (time, frame) in &traffic.frames {
        let (high, low) = ((time >> 32) as u32, *time as u32);
        let len = frame.len() as u32;
        let mut body = words([0, high, low, len, len]);
        body.extend(frame);
        body.resize(body.len().next_multiple_of(4), 0);
        block(&mut bytes, 6, body);
    }
    bytes
}

fn block(bytes: &mut Vec<u8>, kind: u32, body: Vec<u8>) {
    let len = body.len() as u32 + 12;
    bytes.extend(words([kind, len]));
    bytes.extend(body);
    bytes.extend(words([len]));
}

fn words<const N: usize>(words: [u32; N]) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}
