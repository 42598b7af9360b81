//! Fuzz target: a pcap-filter expression and an arbitrary frame. Neither panics, also when the
//! filter is split for a live capture.
//!
//! ```text
//!  | link type (8) | ports (8) | number of words (8) | words | frame |
//! ```
#![no_main]

use lcap::internals::decode::decode;
use lcap::internals::filter::{Filter, Ports};
use lcap::internals::packet::{Frame, FrameOptions, Interface, LinkType, Timestamp};
use libfuzzer_sys::fuzz_target;

const LINK_TYPES: [u16; 8] = [1, 0, 108, 101, 113, 276, 228, 229];
/// Words of expressions. No other words occur, because libpcap looks up an unknown word as the name
/// of a host.
const WORDS: [&str; 64] = [
    "and",
    "or",
    "not",
    "(",
    ")",
    "ip",
    "ip6",
    "tcp",
    "udp",
    "icmp",
    "icmp6",
    "arp",
    "host",
    "net",
    "port",
    "portrange",
    "src",
    "dst",
    "127.0.0.1",
    "::1",
    "127.0.0.0/8",
    "80",
    "8080",
    "1-1023",
    "proto",
    "protochain",
    "greater",
    "less",
    "len",
    "0",
    "1",
    "2",
    "6",
    "17",
    "0xff",
    "0xffffffff",
    "[",
    "]",
    ":",
    "+",
    "-",
    "*",
    "/",
    "%",
    "&",
    "|",
    "^",
    "<<",
    ">>",
    "<",
    ">",
    "=",
    "!=",
    ">=",
    "<=",
    "ether",
    "vlan",
    "inbound",
    "broadcast",
    "multicast",
    "fddi",
    "wlan",
    "tcpflags",
    "tcp-syn",
];
const MAX_WORDS: usize = 24;

fuzz_target!(|bytes: &[u8]| {
    let [link, ports, count, rest @ ..] = bytes else {
        return;
    };
    let count = usize::from(*count).min(MAX_WORDS).min(rest.len());
    let (words, bytes) = rest.split_at(count);
    let words = words.iter().map(|word| WORDS[usize::from(word & 63)]);
    let expression = words.collect::<Vec<_>>().join(" ");
    let ports = (ports & 1 == 1).then(|| "80,8000-8999".parse::<Ports>().expect("ports"));
    let link = LinkType(LINK_TYPES[usize::from(link & 7)]);
    let Ok(mut filter) = Filter::new(ports, &expression) else {
        return;
    };
    let interface = Interface {
        link,
        ..Interface::default()
    };
    let frame = Frame {
        number: 1,
        time: Timestamp(0),
        interface: &interface,
        link,
        wire_len: bytes.len() as u32,
        bytes,
        options: FrameOptions::default(),
    };
    let packet = decode(&frame);
    let _ = filter.matches(&packet);
    if let Ok((kernel_expression, mut remaining)) = filter.split_for_kernel(link) {
        let _ = remaining.matches(&packet);
        // libpcap reports an expression that rejects all packets as an error.
        let _ = Filter::new(None, &kernel_expression);
    }
});
