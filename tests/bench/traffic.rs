//! Synthetic loopback traffic: frames as on `lo`, with the TCP options that Linux sends; checksums
//! are 0.

// Each benchmark uses only part of this module.
#![allow(dead_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lcap::internals::decode::decode;
use lcap::internals::packet::{Frame, FrameOptions, Interface, LinkType, Packet, Timestamp};

pub(crate) const REQUEST: &[u8] =
    b"GET /items/42 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\n\r\n";
pub(crate) const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
    Content-Length: 46\r\n\r\n{\"id\":42,\"name\":\"an item\",\"tags\":[\"a\",\"b\",\"c\"]}";
/// DNS query for the address of localhost.
const QUERY: &[u8] =
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09localhost\x00\x00\x01\x00\x01";

/// Time of the first frame, and interval between frames, in nanoseconds.
const FIRST_FRAME_NS: i64 = 1_700_000_000_000_000_000;
const FRAME_INTERVAL_NS: i64 = 10_000;

const FIN: u8 = 1;
const SYN: u8 = 2;
const PSH: u8 = 8;
const ACK: u8 = 16;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Frames of one interface, in chronological order.
pub(crate) struct SyntheticTraffic {
    pub(crate) interface: Interface,
    /// Time in nanoseconds and bytes of each frame.
    pub(crate) frames: Vec<(i64, Vec<u8>)>,
}

/// Side of a connection that sends a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// A TCP connection, with the next sequence number of each side.
pub(crate) struct SyntheticConnection {
    endpoints: [SocketAddr; 2],
    next_seq: [u32; 2],
}

impl SyntheticTraffic {
    /// Returns traffic without frames.
    pub(crate) fn new(link: LinkType) -> SyntheticTraffic {
        SyntheticTraffic {
            interface: Interface {
                name: Some("lo".into()),
                link,
                snap_len: 262_144,
                ..Interface::default()
            },
            frames: Vec::new(),
        }
    }

    /// Adds a frame with an IP packet, one interval after the previous frame.
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
        let time = FIRST_FRAME_NS + self.frames.len() as i64 * FRAME_INTERVAL_NS;
        self.frames.push((time, frame));
    }

    /// Returns the frames as a source delivers them.
    pub(crate) fn frames(&self) -> Vec<Frame<'_>> {
        let numbered_frames = self.frames.iter().zip(1..);
        numbered_frames
            .map(|((time, bytes), number)| Frame {
                number,
                time: Timestamp(*time),
                interface: &self.interface,
                link: self.interface.link,
                wire_len: bytes.len() as u32,
                bytes,
                options: FrameOptions::default(),
            })
            .collect()
    }
}

/// Decodes frames.
pub(crate) fn packets<'a>(frames: &'a [Frame<'a>]) -> Vec<Packet<'a>> {
    frames.iter().map(decode).collect()
}

/// Returns `count` packets, a mix like that on a developer's machine: 100 long-lived connections,
/// short-lived connections, and DNS queries.
pub(crate) fn mixed(count: usize) -> SyntheticTraffic {
    let mut traffic = SyntheticTraffic::new(LinkType::ETHERNET);
    let mut long_connections: Vec<SyntheticConnection> =
        (0..100).map(SyntheticConnection::v4).collect();
    for connection in &mut long_connections {
        connection.open(&mut traffic);
    }
    let mut turn = 0;
    while traffic.frames.len() < count {
        long_connections[turn as usize % 100].exchange(&mut traffic);
        if turn % 10 == 0 {
            SyntheticConnection::v6(turn).complete(&mut traffic);
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

impl SyntheticConnection {
    /// Returns the connection of client `number` over IPv4.
    pub(crate) fn v4(number: u32) -> SyntheticConnection {
        SyntheticConnection::between(client(number), server(8080))
    }

    /// Returns the connection of client `number`, which is below 60,000, over IPv6.
    pub(crate) fn v6(number: u32) -> SyntheticConnection {
        let localhost = IpAddr::V6(Ipv6Addr::LOCALHOST);
        let client = SocketAddr::new(localhost, client(number).port());
        SyntheticConnection::between(client, SocketAddr::new(localhost, 8080))
    }

    fn between(client: SocketAddr, server: SocketAddr) -> SyntheticConnection {
        // Distributed over the whole range, like random initial sequence numbers.
        let initial_seq = u32::from(client.port()).wrapping_mul(0x9E37_79B9);
        SyntheticConnection {
            endpoints: [client, server],
            next_seq: [initial_seq, !initial_seq],
        }
    }

    /// Adds the handshake: SYN, SYN-ACK, ACK.
    pub(crate) fn open(&mut self, traffic: &mut SyntheticTraffic) {
        self.send(traffic, Sender::Client, SYN, b"");
        self.send(traffic, Sender::Server, SYN | ACK, b"");
        self.send(traffic, Sender::Client, ACK, b"");
    }

    /// Adds a segment with data.
    pub(crate) fn send_data(&mut self, traffic: &mut SyntheticTraffic, side: Sender, data: &[u8]) {
        self.send(traffic, side, PSH | ACK, data);
    }

    /// Adds a segment without data that acknowledges everything received.
    pub(crate) fn acknowledge(&mut self, traffic: &mut SyntheticTraffic, side: Sender) {
        self.send(traffic, side, ACK, b"");
    }

    /// Adds a request and its response, without separate acknowledgements.
    pub(crate) fn exchange(&mut self, traffic: &mut SyntheticTraffic) {
        self.send_data(traffic, Sender::Client, REQUEST);
        self.send_data(traffic, Sender::Server, RESPONSE);
    }

    /// Adds a whole connection with one request, from SYN to the last acknowledgement: ten packets.
    pub(crate) fn complete(&mut self, traffic: &mut SyntheticTraffic) {
        self.open(traffic);
        self.send_data(traffic, Sender::Client, REQUEST);
        self.acknowledge(traffic, Sender::Server);
        self.send_data(traffic, Sender::Server, RESPONSE);
        self.acknowledge(traffic, Sender::Client);
        self.send(traffic, Sender::Client, FIN | ACK, b"");
        self.send(traffic, Sender::Server, FIN | ACK, b"");
        self.acknowledge(traffic, Sender::Client);
    }

    fn send(&mut self, traffic: &mut SyntheticTraffic, side: Sender, flags: u8, data: &[u8]) {
        let (own, other) = (side as usize, 1 - side as usize);
        let mut segment = ports(self.endpoints[own], self.endpoints[other]);
        segment.extend(self.next_seq[own].to_be_bytes());
        let has_ack = flags & ACK != 0;
        let ack = if has_ack { self.next_seq[other] } else { 0 };
        segment.extend(ack.to_be_bytes());
        let is_syn = flags & SYN != 0;
        // TCP timestamps of Linux have a resolution of 1 ms, the duration of 100 frames.
        let timestamp = (traffic.frames.len() / 100) as u32;
        let mut options = Vec::with_capacity(20);
        if is_syn {
            // MSS 65495, SACK permitted, timestamps; window scale 7 follows below.
            options.extend([2, 4, 0xff, 0xd7, 4, 2, 8, 10]);
        } else {
            options.extend([1, 1, 8, 10]);
        }
        options.extend(timestamp.to_be_bytes());
        options.extend((if has_ack { timestamp } else { 0 }).to_be_bytes());
        if is_syn {
            options.extend([1, 3, 3, 7]);
        }
        let data_offset = (20 + options.len() as u8) / 4;
        segment.extend([data_offset << 4, flags, 0x02, 0x00, 0, 0, 0, 0]);
        segment.extend(options);
        segment.extend(data);
        let seq_len = data.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        self.next_seq[own] = self.next_seq[own].wrapping_add(seq_len);
        traffic.push(&ip(
            self.endpoints[own],
            self.endpoints[other],
            TCP,
            &segment,
        ));
    }
}

/// Returns the address and port of client `number`: 60,000 clients per address.
fn client(number: u32) -> SocketAddr {
    let address = Ipv4Addr::new(127, 0, 0, 1 + (number / 60_000) as u8);
    SocketAddr::new(IpAddr::V4(address), 5000 + (number % 60_000) as u16)
}

fn server(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Returns an IP packet with a UDP datagram from client `number`.
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
