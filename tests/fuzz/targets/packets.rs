//! Fuzz target: arbitrary bytes as a frame of any link type. Nothing panics, the header summary
//! agrees with full decoding, and no control character reaches the output. See `readers` for the
//! build command.
#![no_main]

use lcap::decode::{brief, decode};
use lcap::packet::{Frame, FrameOptions, Interface, LinkType, Timestamp};
use lcap::sink::text::{Dump, Style, Text};
use lcap::sink::{Json, Shown, Sink};
use libfuzzer_sys::fuzz_target;

const LINK_TYPES: [u16; 8] = [1, 0, 108, 101, 113, 276, 228, 229];

fuzz_target!(|bytes: &[u8]| {
    let [choice, missing_len, bytes @ ..] = bytes else {
        return;
    };
    let link = LinkType(LINK_TYPES[usize::from(choice & 7)]);
    let interface = Interface {
        link,
        ..Interface::default()
    };
    let frame = Frame {
        number: 1,
        time: Timestamp(0),
        interface: &interface,
        link,
        wire_len: bytes.len() as u32 + u32::from(*missing_len) * 300,
        bytes,
        options: FrameOptions::default(),
    };
    let style = Style {
        verbose: choice >> 3 & 3,
        link_header: choice & 0x20 != 0,
        quiet: choice & 0x40 != 0,
        dump: if choice & 0x80 == 0 {
            Dump::None
        } else {
            Dump::Ascii
        },
        ..Style::default()
    };
    let packet = decode(&frame);
    if let Some(brief) = brief(&frame) {
        let [src, dst] = brief.ports;
        assert_eq!(packet.ports(), Some((src, dst)));
        assert_eq!(packet.ip_len(), brief.ip_len);
    }
    let mut out = Vec::new();
    let mut text = Shown::new(&mut out, Text::new(style));
    text.handle_packet(&packet).expect("memory");
    text.handle_packet(&packet).expect("memory");
    text.finish().expect("memory");
    drop(text);
    assert!(
        out.iter()
            .all(|byte| matches!(byte, b'\t' | b'\n' | b' '..=b'~'))
    );
    let mut json = Shown::new(&mut out, Json::default());
    json.handle_packet(&packet).expect("memory");
    json.finish().expect("memory");
});
