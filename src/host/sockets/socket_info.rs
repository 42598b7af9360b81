//! Properties of a socket, as sock_diag(7) reports them.

#[cfg(feature = "cli")]
use std::net::IpAddr;
use std::net::SocketAddr;

use crate::packet::{TCP, UDP};

/// A TCP or UDP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketInfo {
    /// [`TCP`] or [`UDP`].
    pub proto: u8,
    /// The local address.
    pub local: SocketAddr,
    /// The address of the peer; the port is 0 if the socket has no peer.
    pub remote: SocketAddr,
    /// The state.
    pub state: SocketState,
    /// The number of received bytes that were not read; of a listening socket, the number of
    /// connections that were not accepted.
    pub receive_queue: u32,
    /// The number of bytes that were not acknowledged; of a listening socket, the backlog of
    /// listen(2).
    pub send_queue: u32,
    /// The user ID of the owner.
    pub uid: u32,
    /// The inode in sockfs, which /proc/PID/fd also contains; 0 if no process has the socket open.
    pub inode: u32,
    /// The index of the interface that the socket is bound to; 0 if it is not bound to one.
    pub interface: u32,
    /// True if an IPv6 socket does not receive IPv4 packets (IPV6_V6ONLY, ipv6(7)).
    pub only_v6: bool,
    /// Time until the state ends, in milliseconds; 0 if it has no timer.
    pub expires_in_ms: u32,
}

/// A state of tcp(7), numbered as in the kernel (net/tcp_states.h). A UDP socket without a peer is
/// [`Closed`](SocketState::Closed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketState {
    Established = 1,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    Closed,
    CloseWait,
    LastAck,
    Listening,
    Closing,
    /// The socket has a port, but neither listens nor is connected: reported since Linux 6.8.
    Bound = 13,
}

/// The states and the names that netstat(8) prints.
const STATE_NAMES: [(SocketState, &str); 12] = [
    (SocketState::Established, "ESTABLISHED"),
    (SocketState::SynSent, "SYN_SENT"),
    (SocketState::SynReceived, "SYN_RECV"),
    (SocketState::FinWait1, "FIN_WAIT1"),
    (SocketState::FinWait2, "FIN_WAIT2"),
    (SocketState::TimeWait, "TIME_WAIT"),
    (SocketState::Closed, "CLOSE"),
    (SocketState::CloseWait, "CLOSE_WAIT"),
    (SocketState::LastAck, "LAST_ACK"),
    (SocketState::Listening, "LISTEN"),
    (SocketState::Closing, "CLOSING"),
    (SocketState::Bound, "BOUND"),
];

impl SocketState {
    /// Returns the state with this number in the kernel (net/tcp_states.h).
    pub(super) fn from_number(number: u8) -> Option<SocketState> {
        // TCP_NEW_SYN_RECV, 12, is a SYN_RECV without a full socket.
        let number = if number == 12 { 3 } else { number };
        let mut states = STATE_NAMES.iter().map(|(state, _)| *state);
        states.find(|state| *state as u8 == number)
    }

    /// Returns the name that netstat(8) prints.
    #[cfg(feature = "cli")]
    pub fn name(self) -> &'static str {
        let mut names = STATE_NAMES.iter();
        let found = names.find(|(state, _)| *state == self);
        found.map_or("", |(_, name)| name)
    }
}

impl SocketInfo {
    /// Returns a TCP socket that listens on this address.
    #[cfg(test)]
    pub(crate) fn listening(local: &str) -> SocketInfo {
        SocketInfo {
            proto: TCP,
            local: local.parse().expect("an address"),
            remote: "0.0.0.0:0".parse().expect("an address"),
            state: SocketState::Listening,
            receive_queue: 0,
            send_queue: 0,
            uid: 0,
            inode: 1,
            interface: 0,
            only_v6: false,
            expires_in_ms: 0,
        }
    }

    /// True if the socket accepts connections, or receives datagrams from any sender.
    pub fn is_listener(&self) -> bool {
        match self.proto {
            UDP => self.state == SocketState::Closed && self.local.port() != 0,
            _ => self.state == SocketState::Listening,
        }
    }

    /// True if the socket is this end of the connection between `local` and `remote`. For UDP, an
    /// address that the socket is not bound to matches any address.
    pub fn has_addresses(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        let is_same = |own: SocketAddr, expected: SocketAddr| {
            own.port() == expected.port() && own.ip() == expected.ip().to_canonical()
        };
        if self.proto == TCP {
            return self.state != SocketState::Listening
                && is_same(self.local, local)
                && is_same(self.remote, remote);
        }
        let is_local = is_same(self.local, local)
            || self.local.ip().is_unspecified() && self.local.port() == local.port();
        is_local && (self.remote.port() == 0 || is_same(self.remote, remote))
    }

    /// True if the socket receives packets that are sent to this address.
    #[cfg(feature = "cli")]
    pub fn can_receive_on(&self, address: IpAddr) -> bool {
        let (own, address) = (self.local.ip().to_canonical(), address.to_canonical());
        match own {
            IpAddr::V6(own) if own.is_unspecified() => address.is_ipv6() || !self.only_v6,
            IpAddr::V4(own) if own.is_unspecified() => address.is_ipv4(),
            own => own == address,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcard_addresses_receive_the_packets_of_their_family() {
        for (local, only_v6, address, expected) in [
            ("0.0.0.0:1", false, "127.0.0.1", true),
            ("0.0.0.0:1", false, "::1", false),
            ("[::]:1", false, "127.0.0.1", true),
            ("[::]:1", true, "127.0.0.1", false),
            ("[::]:1", true, "::1", true),
            ("127.0.0.1:1", false, "127.0.0.2", false),
            ("[::ffff:127.0.0.1]:1", false, "127.0.0.1", true),
        ] {
            let socket = SocketInfo {
                only_v6,
                ..SocketInfo::listening(local)
            };
            let address = address.parse().expect("an address");
            assert_eq!(
                socket.can_receive_on(address),
                expected,
                "{local} {address}"
            );
        }
    }
}
