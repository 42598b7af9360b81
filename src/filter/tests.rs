//! Tests of the filter, including a comparison with libpcap's interpreter and packets that libpcap
//! matches incorrectly.

use super::Filter;
use super::bpf::BpfProgram;
use crate::decode::decode;
use crate::packet::{Frame, FrameOptions, Interface, LinkType, Timestamp};

/// Offsets in the frames of [`segment`].
const IP_OFFSET: usize = 14;
const TCP_OFFSET: usize = IP_OFFSET + 20;

/// An Ethernet frame with an IPv4 TCP segment from 127.0.0.1:`src` to 127.0.0.1:`dst` and 40 bytes
/// of data.
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

/// An Ethernet frame with a TCP segment after an IPv6 hop-by-hop header, the format of BIG TCP.
fn jumbogram(dst: u16) -> Vec<u8> {
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

/// An Ethernet frame with a fragment of an IPv4 UDP datagram to port `dst`. Offsets count units of
/// 8 bytes.
fn fragment(id: u8, offset: u8, more: bool, dst: u16) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    bytes.extend([8, 0, 0x45, 0, 0, 36, 0, id, u8::from(more) << 5, offset]);
    bytes.extend([64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1, 0x9c, 0x40]);
    bytes.extend(dst.to_be_bytes());
    bytes.extend([0, 24, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    bytes
}

/// Calls `act` with the bytes as a frame.
fn with_frame<T>(bytes: &[u8], wire_len: u32, act: impl FnOnce(&Frame) -> T) -> T {
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
        options: FrameOptions::default(),
    })
}

fn matches(filter: &mut Filter, bytes: &[u8], wire_len: u32) -> bool {
    with_frame(bytes, wire_len, |frame| filter.matches(&decode(frame)))
}

#[test]
fn ports_match_either_end_of_tcp_and_udp() {
    let mut filter = Filter::new(Some("80,8000-8100".parse().unwrap()), "").unwrap();
    for (src, dst, expected) in [
        (80, 9, true),
        (9, 8100, true),
        (8000, 1, true),
        (81, 8101, false),
    ] {
        assert_eq!(
            matches(&mut filter, &segment(src, dst), 94),
            expected,
            "{src} to {dst}"
        );
    }
    assert!(
        matches(&mut filter, &jumbogram(8050), 82),
        "after an extension header"
    );
}

#[test]
fn only_frames_that_the_kernel_cannot_decide_are_rechecked() {
    let filter = Filter::new(Some("80".parse().unwrap()), "").unwrap();
    let (kernel, mut remaining) = filter.split_for_kernel(LinkType::ETHERNET).unwrap();
    let kernel = BpfProgram::compile(LinkType::ETHERNET, &kernel).unwrap();
    for (bytes, kernel_accepts, expected) in [
        (segment(80, 9), true, true),
        (segment(81, 9), false, true),
        (jumbogram(80), true, true),
        (jumbogram(81), true, false),
    ] {
        let wire_len = bytes.len() as u32;
        assert_eq!(kernel.matches(&bytes, wire_len), kernel_accepts);
        assert_eq!(matches(&mut remaining, &bytes, wire_len), expected);
        // Cut after the IP header: only the kernel has seen the ports. Cut inside the extension
        // header: the kernel has not seen them.
        let (cut, is_decided) = match bytes[12] {
            8 => (&bytes[..34], true),
            _ => (&bytes[..58], false),
        };
        assert_eq!(matches(&mut remaining, cut, wire_len), is_decided);
    }
}

/// BPF checks neither the version nor lengths, and reads other bytes as ports: those of the IP
/// header if its length is 0.
#[test]
fn malformed_frames_match_as_in_files() {
    let filter = Filter::new(Some("80,16384".parse().unwrap()), "").unwrap();
    let (kernel, remaining) = filter.clone().split_for_kernel(LinkType::ETHERNET).unwrap();
    let kernel = BpfProgram::compile(LinkType::ETHERNET, &kernel).unwrap();
    for (offset, byte, expected) in [
        (IP_OFFSET, 0x40, false),
        (IP_OFFSET, 0x65, false),
        (TCP_OFFSET + 12, 0x10, true),
    ] {
        let mut bytes = segment(80, 9);
        bytes[offset] = byte;
        let wire_len = bytes.len() as u32;
        assert!(kernel.matches(&bytes, wire_len), "{offset}");
        for mut filter in [filter.clone(), remaining.clone()] {
            let is_match = matches(&mut filter, &bytes, wire_len);
            assert_eq!(is_match, expected, "{offset}");
        }
    }
}

/// The kernel passes every fragment on, because a first fragment decides about the later ones.
#[test]
fn later_fragments_match_if_their_own_first_fragment_matches() {
    let filter = Filter::new(Some("80".parse().unwrap()), "").unwrap();
    let (kernel, remaining) = filter.clone().split_for_kernel(LinkType::ETHERNET).unwrap();
    let kernel = BpfProgram::compile(LinkType::ETHERNET, &kernel).unwrap();
    for mut filter in [filter, remaining] {
        for (bytes, expected) in [
            (fragment(7, 2, false, 80), false),
            (fragment(7, 0, true, 80), true),
            (fragment(8, 0, true, 81), false),
            (fragment(7, 2, true, 0), true),
            (fragment(8, 2, false, 80), false),
            (fragment(7, 4, false, 0), true),
            // Another datagram with the same identification.
            (fragment(7, 0, true, 81), false),
            (fragment(7, 2, false, 80), false),
        ] {
            let wire_len = bytes.len() as u32;
            assert!(kernel.matches(&bytes, wire_len));
            assert_eq!(matches(&mut filter, &bytes, wire_len), expected);
        }
    }
}

#[test]
fn len_of_a_truncated_frame_is_its_wire_length() {
    let cut = &segment(1, 2)[..60];
    for (expression, expected) in [
        ("greater 1000", true),
        ("less 1000", false),
        ("len = 1500", true),
        ("tcp", true),
    ] {
        let mut filter = Filter::new(None, expression).unwrap();
        assert_eq!(matches(&mut filter, cut, 1500), expected, "{expression}");
    }
}

#[test]
fn a_load_beyond_the_captured_bytes_rejects_the_frame() {
    let mut filter = Filter::new(None, "tcp[20] = 120").unwrap();
    assert!(matches(&mut filter, &segment(1, 2), 94));
    assert!(!matches(&mut filter, &segment(1, 2)[..54], 94));
}

#[test]
fn direction_qualifiers_are_rejected_with_the_reason() {
    for expression in ["inbound", "outbound", "tcp and not inbound"] {
        let error = BpfProgram::compile(LinkType::ETHERNET, expression)
            .unwrap_err()
            .to_string();
        assert!(error.contains("not possible on loopback"), "{error}");
    }
    // A cooked header records the direction.
    assert!(BpfProgram::compile(LinkType::LINUX_SLL, "inbound").is_ok());
}

#[test]
fn invalid_port_error_explains_the_mistake() {
    for (text, part) in [
        ("http", "-p selects ports"),
        ("-i", "Unlike tcpdump's"),
        ("70000", "1-65535"),
        ("90-80", "90 is greater than 80"),
        ("80,", "not a port number"),
    ] {
        let error = text.parse::<super::Ports>().unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn bpf_agrees_with_libpcap_on_whole_packets() {
    let packets = [
        segment(80, 4000),
        segment(4000, 443),
        jumbogram(80),
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
        let ours = BpfProgram::compile(LinkType::ETHERNET, expression).unwrap();
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
