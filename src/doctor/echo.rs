//! ICMP echo requests (RFC 792, RFC 4443) over a ping socket or, with CAP_NET_RAW, a raw socket.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recv, sendto,
    socket_with,
};

use super::facts::EchoOutcome;
use super::readiness::wait_until_ready;

/// Timeout for the reply. A reply from this machine arrives within microseconds.
const ECHO_TIMEOUT: Duration = Duration::from_millis(500);

/// Socket parameters of ICMP, the type of a request and the type of a reply.
type IcmpVersion = (AddressFamily, Protocol, u8, u8);

const ICMP_V4: IcmpVersion = (AddressFamily::INET, ipproto::ICMP, 8, 0);
const ICMP_V6: IcmpVersion = (AddressFamily::INET6, ipproto::ICMPV6, 128, 129);

/// Sends an ICMP echo request to an address and waits for the reply.
pub(super) fn ping(address: IpAddr) -> EchoOutcome {
    /// Distinguishes concurrent requests of this process.
    static NEXT_SEQUENCE: AtomicU16 = AtomicU16::new(1);

    let version = match address {
        IpAddr::V4(_) => ICMP_V4,
        IpAddr::V6(_) => ICMP_V6,
    };
    let open = |kind| {
        let (family, protocol, ..) = version;
        socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol)).map(|socket| (socket, kind))
    };
    // net.ipv4.ping_group_range restricts ping sockets even for root (icmp(7)). Root can open a raw
    // socket instead (raw(7)).
    let opened = open(SocketType::DGRAM).or_else(|_| open(SocketType::RAW));
    let Ok((socket, kind)) = opened else {
        return EchoOutcome::NotPermitted;
    };
    let id = std::process::id() as u16;
    let request = echo_request(version, id, NEXT_SEQUENCE.fetch_add(1, Relaxed));
    let start = Instant::now();
    let destination = SocketAddr::new(address, 0);
    if sendto(&socket, &request, SendFlags::empty(), &destination).is_err() {
        return EchoOutcome::NoReply;
    }
    loop {
        let left = ECHO_TIMEOUT.saturating_sub(start.elapsed());
        if wait_until_ready(&socket, PollFlags::IN, left) != Ok(true) {
            return EchoOutcome::NoReply;
        }
        let mut buffer = [0; 128];
        let Ok((len, _)) = recv(&socket, &mut buffer, RecvFlags::DONTWAIT) else {
            return EchoOutcome::NoReply;
        };
        // A ping socket receives only replies to requests sent on the same socket; a raw socket
        // receives every ICMP message of this network namespace, including the request itself on
        // the loopback.
        if kind == SocketType::DGRAM || is_reply(version, &request, &buffer[..len]) {
            return EchoOutcome::Replied(start.elapsed());
        }
    }
}

/// Builds an echo request without data:
///
/// ```text
/// 0      1      2          4    6          8
/// | type | code | checksum | id | sequence |
/// ```
///
/// For a ping socket, the kernel fills in the identifier and the checksum; for a raw ICMPv6 socket,
/// only the checksum (RFC 3542, 3.1).
fn echo_request((_, _, kind, _): IcmpVersion, id: u16, sequence: u16) -> [u8; 8] {
    let kind = u16::from(kind) << 8;
    // RFC 1071: the complement of the ones' complement sum. Adding the carries can produce one more
    // carry.
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    let sum = u32::from(kind) + u32::from(id) + u32::from(sequence);
    let checksum = !(fold(fold(sum)) as u16);
    let fields = [kind, checksum, id, sequence].map(u64::from);
    let request = fields
        .into_iter()
        .fold(0, |request, field| request << 16 | field);
    request.to_be_bytes()
}

/// True if a message from a raw socket is the reply to this request. IPv4 raw sockets return the
/// IP header before the ICMP message (raw(7)); IPv6 raw sockets do not (RFC 3542, 3).
fn is_reply((family, _, _, kind): IcmpVersion, request: &[u8; 8], received: &[u8]) -> bool {
    let header_len = match received {
        [first, ..] if family == AddressFamily::INET => usize::from(first & 0x0f) * 4,
        _ => 0,
    };
    received.get(header_len..).is_some_and(|message| {
        message.first() == Some(&kind) && message.get(4..8) == Some(&request[4..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echo_request_has_a_valid_checksum() {
        for (id, sequence) in [(0x1234, 1), (0, 0), (0xffff, 0xffff), (0xf800, 0xffff)] {
            let request = echo_request(ICMP_V4, id, sequence);
            let values = request
                .chunks(2)
                .map(|pair| u32::from_be_bytes([0, 0, pair[0], pair[1]]));
            let sum: u32 = values.sum();
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "{request:x?}");
        }
    }

    #[test]
    fn raw_socket_reply_is_matched_after_the_ip_header() {
        let request = echo_request(ICMP_V4, 7, 9);
        let reply = |kind: u8, id: u8| [kind, 0, 0, 0, 0, id, 0, 9];
        let v4 = |header_units: u8, message: [u8; 8]| {
            let mut packet = vec![0; usize::from(header_units) * 4];
            packet[0] = 0x40 | header_units;
            packet.extend(message);
            packet
        };
        for (packet, expected) in [
            (v4(5, reply(0, 7)), true),
            (v4(6, reply(0, 7)), true),
            (v4(5, reply(8, 7)), false),
            (v4(5, reply(0, 8)), false),
            (vec![0x45; 10], false),
            (vec![], false),
        ] {
            assert_eq!(is_reply(ICMP_V4, &request, &packet), expected, "{packet:?}");
        }
        assert!(is_reply(ICMP_V6, &request, &reply(129, 7)));
        assert!(!is_reply(ICMP_V6, &request, &reply(128, 7)));
    }
}
