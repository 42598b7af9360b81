//! Tests of whole lines, against tcpdump's output and with mutated frames.

mod link;
mod network;

use super::{Dump, Frame, LineSink, Style, Text, TimestampFormat};
use crate::decode::decode;
use crate::packet::{FrameOptions, Interface, LinkType, Timestamp};
use crate::sink::{Event, Sink};

/// Frames and the expected lines.
struct Case {
    name: &'static str,
    link: LinkType,
    /// Options of tcpdump in addition to `-nn -t`.
    options: &'static [&'static str],
    /// Bytes in hexadecimal, and length on the wire.
    frames: &'static [(&'static str, u32)],
    lines: &'static str,
}

fn style(options: &[&str]) -> Style {
    let mut style = Style {
        timestamp_format: TimestampFormat::None,
        interface_names: [(7, "e\u{1b}0".into())].into(),
        ..Style::default()
    };
    for option in options {
        match *option {
            "-q" => style.quiet = true,
            "-v" => style.verbose = 1,
            "-vv" => style.verbose = 2,
            "-e" => style.link_header = true,
            "-S" => style.absolute_seq = true,
            "-#" => style.packet_numbers = true,
            "-A" => style.dump = Dump::Ascii,
            "-X" => style.dump = Dump::HexAscii,
            other => unreachable!("{other}"),
        }
    }
    style
}

fn octets(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("a digit"))
        .collect()
}

fn print_frames(link: LinkType, style: Style, frames: &[(Vec<u8>, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut text = LineSink::new(&mut out, Text::new(style));
    let interface = Interface::default();
    for (bytes, wire_len) in frames {
        let frame = Frame {
            number: 1,
            time: Timestamp::ABSENT,
            interface: &interface,
            link,
            wire_len: *wire_len,
            bytes,
            options: FrameOptions::default(),
        };
        let _ = text
            .handle(Event::Packet(&decode(&frame)))
            .expect("writing to memory cannot fail");
    }
    text.finish().expect("writing to memory cannot fail");
    out
}

#[test]
fn lines_match_tcpdump() {
    for case in network::CASES.iter().chain(link::CASES) {
        let frames: Vec<_> = case
            .frames
            .iter()
            .map(|(hex, len)| (octets(hex), *len))
            .collect();
        let out = print_frames(case.link, style(case.options), &frames);
        assert_eq!(String::from_utf8_lossy(&out), case.lines, "{}", case.name);
    }
}

#[test]
fn unknown_time_prints_as_0() {
    let style = Style {
        timestamp_format: TimestampFormat::Epoch,
        ..Style::default()
    };
    let out = print_frames(LinkType::RAW, style, &[(vec![0x99], 1)]);
    assert_eq!(String::from_utf8_lossy(&out), "0.000000 unknown ip 9\n");
}

/// Prints every prefix of every test frame, and frames with random octets: no frame causes a panic
/// or prints a control character.
#[test]
fn mutated_frames_print_no_control_characters() {
    let mut seed = 1_u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as usize
    };
    let styles = [&[][..], &["-vv", "-e"], &["-q", "-X"], &["-v", "-A"]];
    for case in network::CASES.iter().chain(link::CASES) {
        for (hex, wire) in case.frames {
            let whole = octets(hex);
            let mut frames: Vec<_> = (0..=whole.len())
                .map(|n| (whole[..n].to_vec(), *wire))
                .collect();
            for _ in 0..200 {
                let mut changed = whole.clone();
                for _ in 0..=random() % 4 {
                    let length = changed.len().max(1);
                    if let Some(octet) = changed.get_mut(random() % length) {
                        *octet = random() as u8;
                    }
                }
                frames.push((changed, *wire));
            }
            for options in styles {
                let out = print_frames(case.link, style(options), &frames);
                let is_harmless = |octet: &u8| matches!(octet, b'\t' | b'\n' | b' '..=b'~');
                assert!(out.iter().all(is_harmless), "{}", case.name);
            }
        }
    }
}

#[test]
fn nested_ip_headers_are_limited() {
    let header = octets("4500001400000000400400007f0000017f000001");
    let mut bytes = header.repeat(13_000);
    let length = bytes.len();
    for (at, header) in bytes.chunks_mut(20).enumerate() {
        let left = (length - at * 20).min(0xffff) as u16;
        header[2..4].copy_from_slice(&left.to_be_bytes());
    }
    let out = print_frames(LinkType::RAW, style(&[]), &[(bytes, length as u32)]);
    assert!(out.ends_with(b"\n") && out.len() < 10_000);
}
