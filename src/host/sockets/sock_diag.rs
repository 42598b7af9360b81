//! Sockets of this thread's network namespace, reported by the kernel (sock_diag(7),
//! linux/inet_diag.h).
//!
//! Queries require no privilege. To find one socket takes less than a microsecond.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use super::socket_info::{SocketInfo, SocketState};
use super::{AF_INET, AF_INET6, decode_ip};
use crate::host::netlink::{NLM_F_DUMP, Netlink, attribute, u16_at, u32_at};
use crate::packet::{Endpoints, TCP, UDP};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// Length of the body of a request (`struct inet_diag_req_v2`), in bytes.
const REQUEST_LEN: usize = 56;
/// A set of all states, one bit each; the number of a state is the number of its bit.
const ALL_STATES: u32 = u32::MAX;
const CLOSED: u32 = 1 << 7;
const LISTENING: u32 = 1 << 10;

/// A connection to the kernel for queries.
#[derive(Debug)]
pub struct SockDiag {
    netlink: Netlink,
}

impl SockDiag {
    /// Opens a connection for the sockets of this thread's network namespace.
    ///
    /// # Errors
    /// The kernel does not support sock_diag(7).
    pub fn open() -> io::Result<SockDiag> {
        let netlink = Netlink::open(Some(rustix::net::netlink::SOCK_DIAG))?;
        Ok(SockDiag { netlink })
    }

    /// Finds the socket with these addresses; if there is none, the socket that receives packets
    /// from `remote` to `local`: a TCP listener, or a UDP socket without a peer. Compare the
    /// addresses to distinguish them. IPv4-mapped addresses are returned as IPv4 addresses.
    ///
    /// # Errors
    /// The kernel reports an error other than "not found", or its reply is not valid.
    pub fn find(
        &self,
        proto: u8,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<SocketInfo>> {
        // A dual-stack socket is found by its IPv4 addresses.
        let (local, remote) = (canonical(local), canonical(remote));
        let request = match proto {
            // For UDP, the kernel expects the addresses of a received packet.
            UDP => encode_request(proto, ALL_STATES, remote, local),
            _ => encode_request(proto, ALL_STATES, local, remote),
        };
        let mut found = None;
        let each = |body: &[u8]| found = parse_socket(proto, body);
        match self.netlink.request(SOCK_DIAG_BY_FAMILY, 0, &request, each) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            reply => reply?,
        }
        let socket = found.ok_or_else(|| {
            let message = "sock_diag: not a description of a socket";
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        Ok(Some(SocketInfo {
            local: canonical(socket.local),
            remote: canonical(socket.remote),
            ..socket
        }))
    }

    /// Finds the TCP socket that accepts connections from the sender of a packet at the packet's
    /// destination.
    pub fn listener_for(&self, endpoints: &Endpoints) -> Option<SocketInfo> {
        // No connection has the port 0.
        let sender = SocketAddr::new(endpoints.src().ip(), 0);
        let found = self
            .find(endpoints.proto(), endpoints.dst(), sender)
            .ok()
            .flatten();
        found.filter(|socket| socket.state == SocketState::Listening)
    }

    /// Returns all sockets that accept connections, or receive datagrams from any sender.
    ///
    /// # Errors
    /// The kernel does not list the sockets.
    pub fn listening(&self) -> io::Result<Vec<SocketInfo>> {
        let mut found = self.list(TCP, LISTENING, (0, 0))?;
        found.extend(self.list(UDP, CLOSED, (0, 0))?);
        found.retain(SocketInfo::is_listener);
        Ok(found)
    }

    /// Returns the sockets in these states that have these ports; the port 0 matches all ports.
    fn list(
        &self,
        proto: u8,
        states: u32,
        (local_port, remote_port): (u16, u16),
    ) -> io::Result<Vec<SocketInfo>> {
        let mut found = Vec::new();
        for ip in [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ] {
            let [local, remote] = [local_port, remote_port].map(|port| SocketAddr::new(ip, port));
            let request = encode_request(proto, states, local, remote);
            let each = |body: &[u8]| found.extend(parse_socket(proto, body));
            let reply = self
                .netlink
                .request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, each);
            // Kernels can be built without IPv6 and without CONFIG_INET_UDP_DIAG.
            let is_optional = ip.is_ipv6() || proto == UDP;
            match reply {
                Err(error) if is_optional && error.kind() == io::ErrorKind::NotFound => {}
                reply => reply?,
            }
        }
        Ok(found)
    }
}

/// Returns all sockets that accept connections, or receive datagrams from any sender.
///
/// # Errors
/// The kernel does not list the sockets.
#[cfg(feature = "cli")]
pub fn listening() -> io::Result<Vec<SocketInfo>> {
    SockDiag::open()?.listening()
}

/// Returns all sockets whose local or remote port is this port, in any state.
///
/// # Errors
/// The kernel does not list the sockets.
#[cfg(feature = "cli")]
pub fn of_port(port: u16) -> io::Result<Vec<SocketInfo>> {
    let sock_diag = SockDiag::open()?;
    let mut found = Vec::new();
    for proto in [TCP, UDP] {
        found.extend(sock_diag.list(proto, ALL_STATES, (port, 0))?);
        let mut others = sock_diag.list(proto, ALL_STATES, (0, port))?;
        others.retain(|socket| socket.local.port() != port);
        found.extend(others);
    }
    Ok(found)
}

/// Returns all TCP sockets whose remote port is this port.
///
/// # Errors
/// The kernel does not list the sockets.
#[cfg(feature = "cli")]
pub fn connected_to(port: u16) -> io::Result<Vec<SocketInfo>> {
    SockDiag::open()?.list(TCP, ALL_STATES, (0, port))
}

// struct inet_diag_req_v2:
//    0  family (u8) | protocol (u8) | extensions (u8) | –
//    4  states
//    8  source port | destination port (u16, network byte order)
//   12  source address | destination address (16 bytes)
//   44  interface | cookie (u64)
fn encode_request(
    proto: u8,
    states: u32,
    source: SocketAddr,
    destination: SocketAddr,
) -> [u8; REQUEST_LEN] {
    let mut bytes = [0; REQUEST_LEN];
    bytes[0] = if source.is_ipv4() { AF_INET } else { AF_INET6 };
    bytes[1] = proto;
    bytes[4..8].copy_from_slice(&states.to_ne_bytes());
    for (end, port_at, ip_at) in [(source, 8, 12), (destination, 10, 28)] {
        bytes[port_at..port_at + 2].copy_from_slice(&end.port().to_be_bytes());
        match end.ip() {
            IpAddr::V4(ip) => bytes[ip_at..ip_at + 4].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) => bytes[ip_at..ip_at + 16].copy_from_slice(&ip.octets()),
        }
    }
    // INET_DIAG_NOCOOKIE: any socket.
    bytes[48..].fill(0xff);
    bytes
}

// struct inet_diag_msg:
//    0  family (u8) | state (u8) | timer (u8) | retransmissions (u8)
//    4  local port | remote port (u16, network byte order)
//    8  local address | remote address (16 bytes)
//   40  interface | cookie (u64)
//   52  expires | receive queue | send queue | uid | inode
//   72  attributes
pub(in crate::host) fn parse_socket(proto: u8, body: &[u8]) -> Option<SocketInfo> {
    const ATTRIBUTES_START: usize = 72;
    const INET_DIAG_SKV6ONLY: u16 = 11;
    let (family, state) = (*body.first()?, *body.get(1)?);
    let end = |port_at: usize, ip_at: usize| {
        let ip = decode_ip(family, *body.get(ip_at..)?.first_chunk()?);
        Some(SocketAddr::new(ip, u16::from_be(u16_at(body, port_at)?)))
    };
    let only_v6 = attribute(body, ATTRIBUTES_START, INET_DIAG_SKV6ONLY);
    Some(SocketInfo {
        proto,
        local: end(4, 8)?,
        remote: end(6, 24)?,
        state: SocketState::from_number(state)?,
        interface: u32_at(body, 40)?,
        expires_in_ms: u32_at(body, 52)?,
        receive_queue: u32_at(body, 56)?,
        send_queue: u32_at(body, 60)?,
        uid: u32_at(body, 64)?,
        inode: u32_at(body, 68)?,
        only_v6: only_v6.is_some_and(|value| value.first() == Some(&1)),
    })
}

/// Returns an IPv4-mapped address as an IPv4 address.
pub(crate) fn canonical(end: SocketAddr) -> SocketAddr {
    SocketAddr::new(end.ip().to_canonical(), end.port())
}

#[cfg(test)]
#[path = "sock_diag/tests.rs"]
mod tests;
