//! Loopback traffic made byte by byte: frames as `lo` has them, with the options that Linux sends; checksums are 0.

// Every bench takes what it needs.
#![allow(dead_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lcap::decode::decode;
use lcap::packet::{Frame, Interface, LinkType, Options, Packet, Timestamp};

pub(crate) const REQUEST: &[u8] =
    b"GET /items/42 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\n\r\n";
pub(crate) const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
    Content-Length: 46\r\n\r\n{\"id\":42,\"name\":\"an item\",\"tags\":[\"a\",\"b\",\"c\"]}";
/// DNS: the address of localhost.
const QUERY: &[u8] =
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09localhost\x00\x00\x01\x00\x01";

/// The first packet's time, and what is between two, in nanoseconds.
const BEGIN: i64 = 1_700_000_000_000_000_000;
const TICK: i64 = 10_000;

const FIN: u8 = 1;
const SYN: u8 = 2;
const PSH: u8 = 8;
const ACK: u8 = 16;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Frames, one after the other.
pub(crate) struct Traffic {
    pub(crate) interface: Interface,
    /// When each came, in nanoseconds, and its bytes.
    pub(crate) frames: Vec<(i64, Vec<u8>)>,
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// A TCP connection, and how far its two streams have come.
pub(crate) struct Connection {
    ends: [SocketAddr; 2],
    next: [u32; 2],
}

impl Traffic {
    /// Nothing yet.
    pub(crate) fn new(link: LinkType) -> Traffic {
        Traffic {
            interface: Interface {
                name: Some("lo".into()),
                link,
                snap_len: 262_144,
                ..Interface::default()
            },
            frames: Vec::new(),
        }
    }

    /// Takes an IP packet a tick after the one before.
    pub(crate) fn push(&mut self, ip: &[u8]) {
        let is_ip4 = ip[0] >> 4 == 4;
        let protocol = if is_ip4 { [0x08, 0x00] } else { [0x86, 0xdd] };
        let mut frame = Vec::with_capacity(20 + ip.len());
        if self.interface.link == LinkType::LINUX_SLL2 {
            //  | protocol | reserved | interface | ARPHRD_LOOPBACK | type | length | address (8) |
            frame.extend(protocol);
            frame.extend([0, 0, 0, 0, 0, 1, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0]);
        } else {
            frame.extend([0; 12]);
            frame.extend(protocol);
        }
        frame.extend(ip);
        let time = BEGIN + self.frames.len() as i64 * TICK;
        self.frames.push((time, frame));
    }

    /// The frames as a source gives them.
    pub(crate) fn frames(&self) -> Vec<Frame<'_>> {
        let numbered = self.frames.iter().zip(1..);
        numbered
            .map(|((time, bytes), number)| Frame {
                number,
                time: Timestamp(*time),
                interface: &self.interface,
                link: self.interface.link,
                wire_len: bytes.len() as u32,
                bytes,
                options: Options::default(),
            })
            .collect()
    }
}

/// The packets in frames.
pub(crate) fn packets<'a>(frames: &'a [Frame<'a>]) -> Vec<Packet<'a>> {
    frames.iter().map(decode).collect()
}

/// This many packets as a developer's machine has them: a hundred connections that go on, short ones, and names asked for.
pub(crate) fn mixed(count: usize) -> Traffic {
    let mut traffic = Traffic::new(LinkType::ETHERNET);
    let mut long: Vec<Connection> = (0..100).map(Connection::v4).collect();
    for connection in &mut long {
        connection.open(&mut traffic);
    }
    let mut turn = 0;
    while traffic.frames.len() < count {
        long[turn as usize % 100].turn(&mut traffic);
        if turn % 10 == 0 {
            Connection::v6(turn).whole(&mut traffic);
        }
        if turn % 10 == 5 {
            traffic.push(&udp(client(turn), server(53), QUERY));
            traffic.push(&udp(server(53), client(turn), QUERY));
        }
        turn += 1;
    }
    traffic.frames.truncate(count);
    traffic
}

impl Connection {
    /// The connection of a client with this number, over IPv4.
    pub(crate) fn v4(number: u32) -> Connection {
        Connection::between(client(number), server(8080))
    }

    /// The connection of a client with this number, below 60 000, over IPv6.
    pub(crate) fn v6(number: u32) -> Connection {
        let localhost = IpAddr::V6(Ipv6Addr::LOCALHOST);
        let client = SocketAddr::new(localhost, client(number).port());
        Connection::between(client, SocketAddr::new(localhost, 8080))
    }

    fn between(client: SocketAddr, server: SocketAddr) -> Connection {
        // Spread over all numbers, as they are chosen.
        let start = u32::from(client.port()).wrapping_mul(0x9E37_79B9);
        Connection {
            ends: [client, server],
            next: [start, !start],
        }
    }

    /// SYN, SYN-ACK, ACK.
    pub(crate) fn open(&mut self, traffic: &mut Traffic) {
        self.send(traffic, Side::Client, SYN, b"");
        self.send(traffic, Side::Server, SYN | ACK, b"");
        self.send(traffic, Side::Client, ACK, b"");
    }

    /// A segment with data.
    pub(crate) fn say(&mut self, traffic: &mut Traffic, side: Side, data: &[u8]) {
        self.send(traffic, side, PSH | ACK, data);
    }

    /// A segment that only acknowledges what came.
    pub(crate) fn acknowledge(&mut self, traffic: &mut Traffic, side: Side) {
        self.send(traffic, side, ACK, b"");
    }

    /// A request and its response, which acknowledge each other.
    pub(crate) fn turn(&mut self, traffic: &mut Traffic) {
        self.say(traffic, Side::Client, REQUEST);
        self.say(traffic, Side::Server, RESPONSE);
    }

    /// A connection for one request, from its SYN to its last acknowledgement: ten packets.
    pub(crate) fn whole(&mut self, traffic: &mut Traffic) {
        self.open(traffic);
        self.say(traffic, Side::Client, REQUEST);
        self.acknowledge(traffic, Side::Server);
        self.say(traffic, Side::Server, RESPONSE);
        self.acknowledge(traffic, Side::Client);
        self.send(traffic, Side::Client, FIN | ACK, b"");
        self.send(traffic, Side::Server, FIN | ACK, b"");
        self.acknowledge(traffic, Side::Client);
    }

    fn send(&mut self, traffic: &mut Traffic, side: Side, flags: u8, data: &[u8]) {
        let (own, other) = (side as usize, 1 - side as usize);
        let mut segment = ports(self.ends[own], self.ends[other]);
        segment.extend(self.next[own].to_be_bytes());
        let has_ack = flags & ACK != 0;
        let ack = if has_ack { self.next[other] } else { 0 };
        segment.extend(ack.to_be_bytes());
        let is_syn = flags & SYN != 0;
        // Milliseconds, as Linux counts them here.
        let clock = (traffic.frames.len() / 100) as u32;
        let mut options = Vec::with_capacity(20);
        if is_syn {
            // Maximum segment size 65495, selective acknowledgements, time stamps, window scale 7.
            options.extend([2, 4, 0xff, 0xd7, 4, 2, 8, 10]);
        } else {
            options.extend([1, 1, 8, 10]);
        }
        options.extend(clock.to_be_bytes());
        options.extend((if has_ack { clock } else { 0 }).to_be_bytes());
        if is_syn {
            options.extend([1, 3, 3, 7]);
        }
        let words = (20 + options.len() as u8) / 4;
        segment.extend([words << 4, flags, 0x02, 0x00, 0, 0, 0, 0]);
        segment.extend(options);
        segment.extend(data);
        let octets = data.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        self.next[own] = self.next[own].wrapping_add(octets);
        traffic.push(&ip(self.ends[own], self.ends[other], TCP, &segment));
    }
}

/// Where a client with this number sends from: 60 000 of each address.
fn client(number: u32) -> SocketAddr {
    let address = Ipv4Addr::new(127, 0, 0, 1 + (number / 60_000) as u8);
    SocketAddr::new(IpAddr::V4(address), 5000 + (number % 60_000) as u16)
}

fn server(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// An IP packet with a UDP datagram of a client with this number.
pub(crate) fn datagram(number: u32, data: &[u8]) -> Vec<u8> {
    udp(client(number), server(9999), data)
}

fn udp(from: SocketAddr, to: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut bytes = ports(from, to);
    bytes.extend((data.len() as u16 + 8).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(data);
    ip(from, to, UDP, &bytes)
}

fn ip(from: SocketAddr, to: SocketAddr, proto: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40 + contents.len());
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            bytes.extend([0x45, 0]);
            bytes.extend((contents.len() as u16 + 20).to_be_bytes());
            bytes.extend([0, 0, 0x40, 0, 64, proto, 0, 0]);
            bytes.extend(from.octets());
            bytes.extend(to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend((contents.len() as u16).to_be_bytes());
            bytes.extend([proto, 64]);
            bytes.extend(from.octets());
            bytes.extend(to.octets());
        }
        mixed => unreachable!("{mixed:?}"),
    }
    bytes.extend(contents);
    bytes
}

fn ports(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let [from, to] = [from, to].map(|end| end.port().to_be_bytes());
    [from, to].concat()
}
