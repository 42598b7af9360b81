//! Whole lines: against tcpdump's, and against bytes that mean nothing.

mod link;
mod network;

use super::{Clock, Dump, Frame, Packet, Shown, Style, Text};
use crate::packet::{Body, Interface, LinkType, Options, Reason, Timestamp};
use crate::sink::Sink;

/// Frames and what is printed for them.
struct Case {
    name: &'static str,
    link: LinkType,
    /// tcpdump's options beside `-nn -t`.
    options: &'static [&'static str],
    /// In hexadecimal, and how long each was on the wire.
    frames: &'static [(&'static str, u32)],
    lines: &'static str,
}

fn style(options: &[&str]) -> Style {
    let mut style = Style {
        clock: Clock::None,
        ..Style::default()
    };
    for option in options {
        match *option {
            "-q" => style.quiet = true,
            "-v" => style.verbose = 1,
            "-vv" => style.verbose = 2,
            "-e" => style.link = true,
            "-S" => style.absolute = true,
            "-#" => style.number = true,
            "-A" => style.dump = Dump::Ascii,
            "-X" => style.dump = Dump::Both,
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

fn printed(link: LinkType, style: Style, frames: &[(Vec<u8>, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut text = Shown::new(&mut out, Text::new(style));
    let interface = Interface::default();
    for (bytes, wire_len) in frames {
        let frame = Frame {
            number: 1,
            time: Timestamp::UNKNOWN,
            interface: &interface,
            link,
            wire_len: *wire_len,
            bytes,
            options: Options::default(),
        };
        let body = Body::Opaque(Reason::CutIp);
        let packet = Packet {
            frame: &frame,
            network: 0,
            fragment: None,
            body,
        };
        text.packet(&packet).expect("memory takes everything");
    }
    text.finish().expect("memory takes everything");
    out
}

#[test]
fn as_tcpdump_prints_them() {
    for case in network::CASES.iter().chain(link::CASES) {
        let frames: Vec<_> = case
            .frames
            .iter()
            .map(|(hex, len)| (octets(hex), *len))
            .collect();
        let out = printed(case.link, style(case.options), &frames);
        assert_eq!(String::from_utf8_lossy(&out), case.lines, "{}", case.name);
    }
}

#[test]
fn an_unknown_time_is_0() {
    let style = Style {
        clock: Clock::Epoch,
        ..Style::default()
    };
    let out = printed(LinkType::RAW, style, &[(vec![0x99], 1)]);
    assert_eq!(String::from_utf8_lossy(&out), "0.000000 unknown ip 9\n");
}

/// Every prefix of every frame above, and each with octets changed: no panic, and nothing that a terminal obeys.
#[test]
fn whatever_the_bytes_are() {
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
                let out = printed(case.link, style(options), &frames);
                let harmless = |octet: &u8| matches!(octet, b'\t' | b'\n' | b' '..=b'~');
                assert!(out.iter().all(harmless), "{}", case.name);
            }
        }
    }
}

#[test]
fn headers_inside_of_headers_end_somewhere() {
    let header = octets("4500001400000000400400007f0000017f000001");
    let mut bytes = header.repeat(13_000);
    let length = bytes.len();
    for (at, header) in bytes.chunks_mut(20).enumerate() {
        let left = (length - at * 20).min(0xffff) as u16;
        header[2..4].copy_from_slice(&left.to_be_bytes());
    }
    let out = printed(LinkType::RAW, style(&[]), &[(bytes, length as u32)]);
    assert!(out.ends_with(b"\n") && out.len() < 10_000);
}
