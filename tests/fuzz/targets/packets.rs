//! Fuzz target: arbitrary bytes as a frame of any link type. Nothing panics, what is read of the
//! headers is inside the frame, and no control character reaches the output. Run it with
//! `tests/fuzz/run`.
#![no_main]

use lcap::internals::decode::decode;
use lcap::internals::packet::{Frame, FrameOptions, Interface, LinkType, Timestamp};
use lcap::internals::sink::text::{Dump, Style, Text};
use lcap::internals::sink::{Event, Json, LineSink, Sink};
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
    let payload = packet.payload();
    assert!(payload.bytes.len() <= payload.len as usize);
    assert_eq!(packet.has_ports(), packet.ports().is_some());
    assert_eq!(packet.has_ports(), packet.endpoints().is_some());
    assert_eq!(packet.ip_proto().is_some(), packet.addresses().is_some());
    let mut out = Vec::new();
    let mut text = LineSink::new(&mut out, Text::new(style));
    let _ = text.handle(Event::Packet(&packet)).expect("memory");
    let _ = text.handle(Event::Packet(&packet)).expect("memory");
    text.finish().expect("memory");
    drop(text);
    assert!(
        out.iter()
            .all(|byte| matches!(byte, b'\t' | b'\n' | b' '..=b'~'))
    );
    let mut json = LineSink::new(&mut out, Json::default());
    let _ = json.handle(Event::Packet(&packet)).expect("memory");
    json.finish().expect("memory");
});
