//! The filter, held against libpcap's own interpreter and against packets that it gets wrong.

use super::Filter;
use super::bpf::Program;
use crate::decode::{brief, decode};
use crate::packet::{Frame, Interface, LinkType, Options, Packet, Timestamp};

/// An Ethernet frame with an IPv4 TCP segment from 127.0.0.1:`src` to 127.0.0.1:`dst` and 40 bytes of data.
fn segment(src: u16, dst: u16) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    bytes.extend([
        8, 0, 0x45, 0, 0, 80, 0, 1, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1,
    ]);
    bytes.extend(src.to_be_bytes());
    bytes.extend(dst.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 2, 0, 0, 0, 0, 0]);
    bytes.extend([b'x'; 40]);
    bytes
}

/// An IPv6 segment behind a hop-by-hop header, as BIG TCP sends them.
fn jumbo(dst: u16) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 0, 64]);
    bytes.extend([0; 31]);
    bytes.push(1);
    bytes.extend([6, 0, 0xc2, 4, 0, 0, 0, 28]);
    bytes.extend([0x80, 0]);
    bytes.extend(dst.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 2, 0, 0, 0, 0, 0]);
    bytes
}

/// Does something with the bytes as a frame.
fn framed<T>(bytes: &[u8], wire_len: u32, act: impl FnOnce(&Frame) -> T) -> T {
    let interface = Interface {
        link: LinkType::ETHERNET,
        ..Interface::default()
    };
    act(&Frame {
        number: 1,
        time: Timestamp(0),
        interface: &interface,
        link: interface.link,
        wire_len,
        bytes,
        options: Options::default(),
    })
}

fn matches(filter: &mut Filter, bytes: &[u8], wire_len: u32) -> bool {
    framed(bytes, wire_len, |frame| filter.matches(&decode(frame)))
}

#[test]
fn ports_match_either_end_of_tcp_and_udp() {
    let mut filter = Filter::new(Some("80,8000-8100".parse().unwrap()), "").unwrap();
    for (src, dst, wanted) in [
        (80, 9, true),
        (9, 8100, true),
        (8000, 1, true),
        (81, 8101, false),
    ] {
        assert_eq!(
            matches(&mut filter, &segment(src, dst), 94),
            wanted,
            "{src} to {dst}"
        );
    }
    assert!(
        matches(&mut filter, &jumbo(8050), 82),
        "behind an extension header"
    );
}

#[test]
fn behind_the_kernel_only_what_it_cannot_decide_is_read() {
    let filter = Filter::new(Some("80".parse().unwrap()), "").unwrap();
    let (kernel, mut rest) = filter.into_kernel(LinkType::ETHERNET).unwrap();
    let kernel = Program::compile(LinkType::ETHERNET, &kernel).unwrap();
    assert!(!rest.reads_packets());
    for (bytes, kernel_accepts, wanted) in [
        (segment(80, 9), true, true),
        (segment(81, 9), false, true),
        (jumbo(80), true, true),
        (jumbo(81), true, false),
    ] {
        let wire_len = bytes.len() as u32;
        assert_eq!(kernel.matches(&bytes, wire_len), kernel_accepts);
        let not_read = framed(&bytes, wire_len, |frame| {
            rest.matches(&Packet::not_read(frame))
        });
        assert_eq!(not_read, wanted);
        assert_eq!(matches(&mut rest, &bytes, wire_len), wanted);
        // What is usual is nothing that the kernel could not be sure of.
        let is_usual = framed(&bytes, wire_len, |frame| brief(frame).is_some());
        let unsure = rest.unsure.as_ref().unwrap();
        assert!(!is_usual || !unsure.matches(&bytes, wire_len));
    }
}

#[test]
fn length_is_that_on_the_wire_even_when_cut() {
    let cut = &segment(1, 2)[..60];
    for (expression, wanted) in [
        ("greater 1000", true),
        ("less 1000", false),
        ("len = 1500", true),
        ("tcp", true),
    ] {
        let mut filter = Filter::new(None, expression).unwrap();
        assert_eq!(matches(&mut filter, cut, 1500), wanted, "{expression}");
    }
}

#[test]
fn a_load_beyond_the_captured_bytes_rejects() {
    let mut filter = Filter::new(None, "tcp[20] = 120").unwrap();
    assert!(matches(&mut filter, &segment(1, 2), 94));
    assert!(!matches(&mut filter, &segment(1, 2)[..54], 94));
}

#[test]
fn directions_are_refused_with_the_reason() {
    for expression in ["inbound", "outbound", "tcp and not inbound"] {
        let error = Program::compile(LinkType::ETHERNET, expression)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no answer on loopback"), "{error}");
    }
    // A cooked header says it itself.
    assert!(Program::compile(LinkType::LINUX_SLL, "inbound").is_ok());
}

#[test]
fn what_is_no_port_is_explained() {
    for (text, part) in [
        ("http", "-p takes a port"),
        ("-i", "promiscuous"),
        ("70000", "0 to 65535"),
        ("90-80", "ends before"),
        ("80,", "no port"),
    ] {
        let error = text.parse::<super::Ports>().unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn agrees_with_libpcap_on_whole_packets() {
    let packets = [
        segment(80, 4000),
        segment(4000, 443),
        jumbo(80),
        vec![0; 14],
        vec![0xff; 60],
    ];
    let expressions = [
        "tcp",
        "udp",
        "port 80",
        "src port 80",
        "dst port 443 or dst port 80",
        "ip6",
        "greater 80",
        "host 127.0.0.1 and not port 443",
        "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-ack",
        "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x78787878",
        "ip[2:2] * 2 = 160",
        "ether[0] % 3 = 0",
        "portrange 70-90",
        "not ip",
        "ip[8] - 4 > 50",
        "len / 2 = 47",
        "net 127.0.0.0/8",
    ];
    for expression in expressions {
        let ours = Program::compile(LinkType::ETHERNET, expression).unwrap();
        let theirs = pcap::Capture::dead(pcap::Linktype(1)).unwrap();
        let theirs = theirs.compile(expression, true).unwrap();
        for packet in &packets {
            assert_eq!(
                ours.matches(packet, packet.len() as u32),
                theirs.filter(packet),
                "{expression}"
            );
        }
    }
}
