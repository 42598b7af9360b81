//! `lcap follow`: what was said, byte for byte, on standard output and in files, and nothing that acts on a terminal.

use crate::command::{Ran, fixture, fixtures, lcap, pipe, run};
use crate::craft::{Craft, Order};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A row's words, of which none holds a blank.
fn words(row: &str) -> Ran {
    run(row.split_whitespace())
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (row, message) in [
        ("--raw orig", "not provided:\n  --flow <N>"),
        ("--flow 1 --raw both", "possible values: orig, resp"),
        ("--flow 1 --raw orig --hex", "cannot be used with"),
        ("--flow 0", "0 is not in 1.."),
        ("--hex --output-dir /none/x", "cannot be used with"),
        (
            "--flow 1 --raw resp --output-dir /none/x",
            "cannot be used with",
        ),
        ("-w -", "both want standard output"),
        ("--hex -w -", "both want standard output"),
        ("--flow 1 --raw orig -w -", "both want standard output"),
        ("--format json", "unexpected argument"),
        ("--max-waiting 0", "give a size as 64MiB"),
        ("--max-flows 0", "0 is not in 1.."),
        ("--duration 3", "a file ends by itself"),
        ("-w fixtures/http.pcap", "that is the file being read"),
    ] {
        let ran = words(&format!("follow -r fixtures/http.pcap {row}"));
        ran.refused(2, row, message);
    }
}

#[test]
fn a_flow_that_never_came_is_said() {
    for (row, message) in [
        ("http.pcap --flow 2", "no flow 2 among the 1 that came"),
        ("http.pcap --flow 1 udp", "no flow 1 among the 0 that came"),
        ("http.pcap --flow 2 --raw orig", "no flow 2 among the 1"),
        ("damaged.pcap --flow 7", "no flow 7 among the 2"),
        ("damaged.pcap --flow 7", "damaged at byte"),
    ] {
        words(&format!("follow -r fixtures/{row}")).refused(1, row, message);
    }
    let last = words("follow -r fixtures/redis.pcap --flow 3");
    assert_eq!((last.code, &last.errors[..]), (0, ""));
}

/// Who is who: the flows of a capture as `lcap flows` has them, with the bytes of both sides.
fn streams(capture: &str) -> BTreeMap<String, Vec<u8>> {
    let rows = run(["flows", "-r", capture, "--format", "json"]).text();
    let mut streams = BTreeMap::new();
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let end = |side: &str| {
            let host = row[format!("id.{side}_h")].as_str().unwrap();
            format!("{host}-{}", row[format!("id.{side}_p")])
        };
        let number = row["number"].as_u64().unwrap();
        for side in ["orig", "resp"] {
            let name = format!("{number:06}_{}_{}.{side}", end("orig"), end("resp"));
            let flow = number.to_string();
            let raw = ["follow", "-r", capture, "--flow", &flow, "--raw", side];
            let said = run(raw).out;
            if !said.is_empty() {
                streams.insert(name, said);
            }
        }
    }
    streams
}

/// Names and contents of a directory's files.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let inside = fs::read_dir(directory).unwrap();
    let paths = inside.map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(&path).unwrap())
        })
        .collect()
}

#[test]
fn every_stream_in_a_file_of_its_own() {
    let top = tempfile::tempdir().unwrap();
    for name in fixtures() {
        let capture = fixture(&name);
        let expected = streams(&capture);
        // It need not be there, nor what it is in; a second time it is.
        let directory = top.path().join(&name).join("streams");
        let follow = ["follow", "-r", &capture, "--output-dir"];
        for _ in 0..2 {
            let ran = run(follow.into_iter().chain(directory.to_str()));
            assert_eq!(ran.code, i32::from(name.starts_with("damaged")), "{name}");
            assert_eq!(ran.out.len(), 0, "{name}");
            assert!(contents(&directory) == expected, "{name}");
        }
        // All but what has no data, or none of them captured.
        let silent = name.starts_with("refused") || name.starts_with("cut");
        assert_eq!(expected.is_empty(), silent, "{name}");
    }
}

#[test]
fn one_flow_in_files_while_everything_is_saved() {
    let top = tempfile::tempdir().unwrap();
    let directory = top.path().join("streams");
    let (path, capture) = (directory.to_str().unwrap(), fixture("redis.pcap"));
    let follow = [
        "follow",
        "-r",
        &capture,
        "--flow",
        "2",
        "--output-dir",
        path,
    ];
    let ran = run(follow.into_iter().chain(["-w", "-"]));
    assert_eq!((ran.code, &ran.errors[..]), (0, ""));
    assert!(ran.out == fs::read(&capture).unwrap());
    let expected = [
        ("orig", &b"*2\r\n$3\r\nGET\r\n$8\r\ngreeting\r\n"[..]),
        ("resp", b"$5\r\nhello\r\n"),
    ];
    let name = "000002_127.0.0.1-33764_127.0.0.1-6379";
    let expected = expected.map(|(side, said)| (format!("{name}.{side}"), said.to_vec()));
    assert_eq!(contents(&directory), BTreeMap::from(expected));
}

#[test]
fn a_file_is_no_directory() {
    let top = tempfile::tempdir().unwrap();
    let file = top.path().join("file");
    fs::write(&file, "precious").unwrap();
    let below = file.join("streams");
    for path in [&file, &below] {
        let follow = ["follow", "-r", "fixtures/http.pcap", "--output-dir"];
        let ran = run(follow.into_iter().chain(path.to_str()));
        let message = format!("lcap: cannot create {}: ", path.display());
        assert_eq!((ran.code, ran.out.len()), (1, 0));
        assert!(ran.errors.starts_with(&message), "{}", ran.errors);
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

/// What fixtures/make sends where no protocol is spoken.
fn numbered_lines(len: usize) -> Vec<u8> {
    let lines = (0..len).step_by(16);
    let mut text: String = lines.map(|at| format!("{at:08} lcap..\n")).collect();
    text.truncate(len);
    text.into_bytes()
}

#[test]
fn long_streams_are_whole() {
    // Retransmitted, held up, in segments of 64 KB and more, in fragments.
    for (name, flow, lens) in [
        ("retransmission.pcap", "1", &[3840][..]),
        ("zero-window.pcap", "1", &[20_000]),
        ("big-tcp.pcap.zst", "1", &[400_000]),
        ("large-segment.pcap.zst", "1", &[30_000, 65_483]),
        ("fragments.pcap", "1", &[4000]),
        ("fragments.pcap", "2", &[4000]),
    ] {
        let capture = fixture(name);
        let follow = ["follow", "-r", &capture, "--flow", flow];
        let raw = |side| run(follow.into_iter().chain(["--raw", side]));
        let expected: Vec<u8> = lens.iter().flat_map(|&len| numbered_lines(len)).collect();
        let said = raw("orig");
        assert_eq!((said.code, &said.errors[..]), (0, ""), "{name}");
        assert!(said.out == expected, "{name} {flow}");
        assert_eq!(raw("resp").out, b"", "{name} {flow}");
        // A header, the same, an end.
        let shown = run(follow).text();
        let body = shown.split_once('\n').unwrap().1;
        let text = String::from_utf8(expected).unwrap();
        assert!(body.starts_with(&text), "{name} {flow}");
        let end = &body[text.len()..];
        assert_eq!(end.trim_start().lines().count(), 1, "{name} {flow}: {end}");
    }
}

/// An IPv4 packet over loopback with a header of 20 bytes.
fn ip4(proto: u8, body: &[u8]) -> Vec<u8> {
    let len = (20 + body.len() as u16).to_be_bytes();
    let header = [0x45, 0, len[0], len[1], 0, 0, 0x40, 0, 64, proto, 0, 0];
    [&header[..], &[127, 0, 0, 1], &[127, 0, 0, 1], body].concat()
}

/// A datagram from a client's port to port 7000.
pub(crate) fn datagram(client: u16, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let header = [client, 7000, len, 0].map(u16::to_be_bytes).concat();
    ip4(17, &[&header, payload].concat())
}

/// A connection on which a client says these pieces to port 80, each in a segment; it stays open.
pub(crate) fn connection(client: u16, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let segment = |from_client: bool, seq: u32, ack: u32, flags: u8, payload: &[u8]| {
        let [from, to] = if from_client {
            [client, 80]
        } else {
            [80, client]
        };
        let ports = [from, to].map(u16::to_be_bytes).concat();
        let numbers = [seq, ack].map(u32::to_be_bytes).concat();
        let rest = [0x50, flags, 0xff, 0xff, 0, 0, 0, 0];
        ip4(6, &[&ports, &numbers, &rest[..], payload].concat())
    };
    let mut packets = vec![
        segment(true, 99, 0, 2, b""),
        segment(false, 499, 100, 0x12, b""),
        segment(true, 100, 500, 0x10, b""),
    ];
    let mut seq = 100;
    for piece in pieces {
        packets.push(segment(true, seq, 500, 0x18, piece));
        seq += piece.len() as u32;
    }
    packets
}

/// A capture of raw IP packets, one each millisecond.
pub(crate) fn capture(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut made = Craft::pcap(Order::Little, 0xA1B2_C3D4, (2, 4), 101);
    for (at, packet) in (0_u32..).zip(packets) {
        let time = (1000 + at / 1000, at % 1000 * 1000);
        made.record(time, packet.len() as u32, packet);
    }
    made.bytes
}

/// What makes terminals do something: NUL, BEL, ESC, DEL, and the C1 codes, as one byte and in UTF-8.
const HOSTILE: [&[u8]; 9] = [
    b"one \x1b]0;owned\x1b\\ \x1b[31m two\r\n",
    b"plain \xc2\x9b31m and \xc2\x85 and \x7f\n",
    b"\x9b31m\x9d0;owned\x9c",
    b"lone\rreturn\x08\x0b\x0c",
    b"\x00\x01\x02\x1b[2J",
    b"half of one \xc2",
    b"\x9b31m the other half \x1b",
    b"[31m the other half\n",
    "overlong \u{80}\u{9f} \u{a0} \u{e4}\n".as_bytes(),
];

/// Fails where anything but text is there; returns the text without the colours that were asked for.
pub(crate) fn harmless(text: &str, colours: &[&str]) -> String {
    let plain = colours.iter().fold(text.to_owned(), |text, colour| {
        text.replace(&format!("\x1b[{colour}m"), "")
    });
    let control = plain.find(|c: char| c.is_control() && c != '\n' && c != '\t');
    assert_eq!(control, None, "{text:?}");
    plain
}

#[test]
fn control_characters_of_a_conversation_never_reach_the_terminal() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let mut packets: Vec<Vec<u8>> = HOSTILE.map(|said| datagram(5000, said)).into();
    packets.push(datagram(5001, &every_byte));
    packets.extend((0..=255).map(|octet| datagram(5002, &[b'x', octet, b'x'])));
    packets.extend(connection(5003, &HOSTILE));
    packets.extend(connection(5004, &every_byte.chunks(1).collect::<Vec<_>>()));
    let input = capture(&packets);
    let mut shown = Vec::new();
    for options in ["", "--hex", "--color always", "--color always --hex"] {
        let options = options.split_whitespace();
        let ran = pipe(&input, ["follow", "-r", "-"].into_iter().chain(options));
        assert_eq!((ran.code, &ran.errors[..]), (0, ""));
        shown.push((harmless(&ran.text(), &["0", "2", "33", "36"]), ran.text()));
    }
    let [text, hex, coloured, coloured_hex] = &shown[..] else {
        panic!("{shown:?}");
    };
    for visible in [
        "one .]0;owned.\\ .[31m two\n",
        "plain .31m and . and .\n",
        "\u{e4}",
    ] {
        assert!(text.0.contains(visible), "{visible:?} in {text:?}");
    }
    assert!(!text.1.contains('\x1b') && !hex.1.contains('\x1b'));
    // Colours change nothing else.
    assert!(coloured.1.contains("\x1b[36m") && coloured_hex.1.contains("\x1b[36m"));
    assert_eq!(coloured.0, text.0);
    assert_eq!(coloured_hex.0, hex.0);
    // And raw is raw.
    for (flow, said) in [("2", every_byte), ("4", HOSTILE.concat())] {
        let raw = ["follow", "-r", "-", "--flow", flow, "--raw", "orig"];
        assert_eq!(pipe(&input, raw).out, said);
    }
}

#[test]
fn colour_where_it_is_asked_for() {
    for command in [
        "follow -r fixtures/redis.pcap",
        "flows -r fixtures/refused.pcap",
    ] {
        for (option, no_color, coloured) in [
            ("--color=auto", false, false),
            ("--color=auto", true, false),
            ("--color=never", false, false),
            ("--color=always", false, true),
            ("--color=always", true, true),
            ("--colour=always", false, true),
        ] {
            let mut lcap = lcap();
            if no_color {
                lcap.env("NO_COLOR", "1");
            }
            let output = lcap.args(command.split(' ')).arg(option).output().unwrap();
            assert!(output.status.success());
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(text.contains('\x1b'), coloured, "{command} {option}");
        }
    }
}
