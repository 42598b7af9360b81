//! Any bytes as a frame of any link type: nothing panics, what is read in brief is what decoding gives, and no control character gets out. Build it as `readers` says.
#![no_main]

use lcap::decode::{brief, decode};
use lcap::packet::{Frame, Interface, LinkType, Options, Timestamp};
use lcap::sink::text::{Dump, Style, Text};
use lcap::sink::{Json, Shown, Sink};
use libfuzzer_sys::fuzz_target;

const LINKS: [u16; 8] = [1, 0, 108, 101, 113, 276, 228, 229];

fuzz_target!(|bytes: &[u8]| {
    let [choice, more, bytes @ ..] = bytes else {
        return;
    };
    let link = LinkType(LINKS[usize::from(choice & 7)]);
    let interface = Interface {
        link,
        ..Interface::default()
    };
    let frame = Frame {
        number: 1,
        time: Timestamp(0),
        interface: &interface,
        link,
        wire_len: bytes.len() as u32 + u32::from(*more) * 300,
        bytes,
        options: Options::default(),
    };
    let style = Style {
        verbose: choice >> 3 & 3,
        link: choice & 0x20 != 0,
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
    text.packet(&packet).expect("memory");
    text.packet(&packet).expect("memory");
    text.finish().expect("memory");
    drop(text);
    assert!(
        out.iter()
            .all(|byte| matches!(byte, b'\t' | b'\n' | b' '..=b'~'))
    );
    let mut json = Shown::new(&mut out, Json::default());
    json.packet(&packet).expect("memory");
    json.finish().expect("memory");
});
