//! Synthetic traffic as capture files (pcap-savefile(5), draft-ietf-opsawg-pcapng).

// Each benchmark uses only part of this module.
#![allow(dead_code)]

use super::traffic::SyntheticTraffic;

/// Returns a pcap file with microsecond timestamps.
pub(crate) fn pcap(traffic: &SyntheticTraffic) -> Vec<u8> {
    let mut bytes = u32s_to_le_bytes([0xA1B2_C3D4, 2 | 4 << 16, 0, 0]);
    let link = u32::from(traffic.interface.link.0);
    bytes.extend(u32s_to_le_bytes([traffic.interface.snap_len, link]));
    for (time, frame) in &traffic.frames {
        let (seconds, nanos) = (time / 1_000_000_000, time % 1_000_000_000);
        let len = frame.len() as u32;
        bytes.extend(u32s_to_le_bytes([
            seconds as u32,
            nanos as u32 / 1000,
            len,
            len,
        ]));
        bytes.extend(frame);
    }
    bytes
}

/// Returns a pcapng file with nanosecond timestamps: a section, an interface, and an enhanced
/// packet block for each frame.
pub(crate) fn pcapng(traffic: &SyntheticTraffic) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Section header: version 1.0, section length unspecified.
    block(
        &mut bytes,
        0x0A0D_0D0A,
        u32s_to_le_bytes([0x1A2B_3C4D, 1, u32::MAX, u32::MAX]),
    );
    let link = u32::from(traffic.interface.link.0);
    // Option 9 (if_tsresol): 10^-9 seconds.
    let resolution = [9 | 1 << 16, 9, 0];
    let mut interface = u32s_to_le_bytes([link, traffic.interface.snap_len]);
    interface.extend(u32s_to_le_bytes(resolution));
    block(&mut bytes, 1, interface);
    for (time, frame) in &traffic.frames {
        let (high, low) = ((time >> 32) as u32, *time as u32);
        let len = frame.len() as u32;
        let mut body = u32s_to_le_bytes([0, high, low, len, len]);
        body.extend(frame);
        body.resize(body.len().next_multiple_of(4), 0);
        block(&mut bytes, 6, body);
    }
    bytes
}

fn block(bytes: &mut Vec<u8>, kind: u32, body: Vec<u8>) {
    let len = body.len() as u32 + 12;
    bytes.extend(u32s_to_le_bytes([kind, len]));
    bytes.extend(body);
    bytes.extend(u32s_to_le_bytes([len]));
}

fn u32s_to_le_bytes<const N: usize>(values: [u32; N]) -> Vec<u8> {
    values.into_iter().flat_map(u32::to_le_bytes).collect()
}
