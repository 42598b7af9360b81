//! The kernel's own answer to whose a socket is: sock_diag(7), for TCP and UDP.
//!
//! A question for one connection takes less than a microsecond and no privilege; the answer has the inode that /proc/PID/fd knows.

use std::io;
use std::net::SocketAddr;

use super::listing::{Listed, SocketState};
use crate::packet::Tuple;

/// A way to ask the kernel.
#[derive(Debug)]
pub struct Sockets {
    netlink: std::os::fd::OwnedFd,
}

impl Sockets {
    /// Opens a netlink socket in this thread's network namespace; it tells of that one's sockets only.
    ///
    /// # Errors
    /// The kernel has no sock_diag(7).
    pub fn open() -> io::Result<Sockets> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink, socket_with, sockopt};
        let netlink = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        // An answer is there at once; a kernel that gives none must not stop anybody.
        let patience = Some(std::time::Duration::from_millis(100));
        sockopt::set_socket_timeout(&netlink, sockopt::Timeout::Recv, patience)?;
        Ok(Sockets { netlink })
    }

    /// The socket that has these ends, or else the one that would take what comes: the listener, or a UDP socket that takes from anybody.
    /// Compare its ends to know which; an IPv4 address in IPv6 notation is an IPv4 address in them.
    ///
    /// # Errors
    /// The kernel did not answer, or has no support for this protocol.
    pub fn find(
        &self,
        proto: u8,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<Listed>> {
        use rustix::net::{RecvFlags, SendFlags, recv, send};
        send(
            &self.netlink,
            &message::question(proto, local, remote),
            SendFlags::empty(),
        )?;
        let mut buffer = [0; 1024];
        let (len, _) = recv(&self.netlink, &mut buffer, RecvFlags::empty())?;
        message::answer(proto, &buffer[..len])
    }
}

impl Sockets {
    /// Who waits for connections from this packet's sender where it goes to.
    pub fn listening(&self, tuple: &Tuple) -> Option<Listed> {
        // An end that is nobody's.
        let nobody = SocketAddr::new(tuple.src.ip(), 0);
        let found = self.find(tuple.proto, tuple.dst, nobody).ok().flatten();
        found.filter(|socket| socket.state == SocketState::Listening)
    }
}

/// The messages, as linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h lay them out.
mod message {
    use super::super::listing::{self, Listed};
    use super::super::netlink::{half, word};
    use crate::packet::UDP;
    use std::io;
    use std::net::{IpAddr, SocketAddr};

    const AF_INET: u8 = 2;
    const AF_INET6: u8 = 10;
    const BY_FAMILY: u16 = 20;
    const NLMSG_ERROR: u16 = 2;
    const REQUEST: u16 = 1;
    const ENOENT: i32 = -2;
    /// Lengths of the netlink header and of what follows it in a question, in bytes.
    const HEADER: usize = 16;
    const BODY: usize = 56;

    //   0      4       6      8     12     16      17      18    20       24      26      28    44    60     64       72
    //   | len  | type  | flags| seq | pid  | family| proto | –   | states | sport | dport | src | dst | if   | cookie |
    pub(super) fn question(
        proto: u8,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> [u8; HEADER + BODY] {
        // A socket for both families is found by its IPv4 ends.
        let (local, remote) = (canonical(local), canonical(remote));
        // The kernel looks UDP sockets up as if for a packet that comes from the first end.
        let (first, second) = match proto {
            UDP => (remote, local),
            _ => (local, remote),
        };
        let mut bytes = [0; HEADER + BODY];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &((HEADER + BODY) as u32).to_ne_bytes());
        put(4, &BY_FAMILY.to_ne_bytes());
        put(6, &REQUEST.to_ne_bytes());
        put(
            16,
            &[if local.is_ipv4() { AF_INET } else { AF_INET6 }, proto],
        );
        put(20, &u32::MAX.to_ne_bytes());
        for (end, port_at, address_at) in [(first, 24, 28), (second, 26, 44)] {
            put(port_at, &end.port().to_be_bytes());
            match end.ip() {
                IpAddr::V4(address) => put(address_at, &address.octets()),
                IpAddr::V6(address) => put(address_at, &address.octets()),
            }
        }
        // No cookie: whichever it is.
        put(64, &[0xff; 8]);
        bytes
    }

    pub(super) fn answer(proto: u8, bytes: &[u8]) -> io::Result<Option<Listed>> {
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "sock_diag: a short answer");
        if half(bytes, 4).ok_or_else(broken)? == NLMSG_ERROR {
            return match word(bytes, HEADER).ok_or_else(broken)? as i32 {
                ENOENT => Ok(None),
                error => Err(io::Error::from_raw_os_error(error.saturating_neg())),
            };
        }
        let body = bytes.get(HEADER..).ok_or_else(broken)?;
        let found = listing::read(proto, body).ok_or_else(broken)?;
        Ok(Some(Listed {
            local: canonical(found.local),
            remote: canonical(found.remote),
            ..found
        }))
    }

    /// An IPv4 address in IPv6 notation is an IPv4 address.
    fn canonical(end: SocketAddr) -> SocketAddr {
        SocketAddr::new(end.ip().to_canonical(), end.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::listing::SocketState;
    use crate::packet::{TCP, UDP};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsRawFd;

    fn inode(fd: &impl AsRawFd) -> u32 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        let text = link.expect("a link").to_string_lossy().into_owned();
        let digits = text.trim_start_matches("socket:[").trim_end_matches(']');
        digits.parse().expect("an inode")
    }

    #[test]
    fn both_ends_of_a_connection_are_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                continue;
            };
            let server = listener.local_addr().expect("an address");
            let client = TcpStream::connect(server).expect("a connection");
            let own = client.local_addr().expect("an address");
            let sockets = Sockets::open().expect("sock_diag");
            let found = |local, remote| {
                let found = sockets.find(TCP, local, remote).expect("an answer");
                found.expect("a socket")
            };
            let connected = found(own, server);
            assert_eq!((connected.local, connected.remote), (own, server));
            assert_eq!(connected.inode, inode(&client));
            // Nobody has accepted it.
            assert_eq!(found(server, own).inode, 0);
            let (accepted, _) = listener.accept().expect("it");
            assert_eq!(found(server, own).inode, inode(&accepted));
            // Whom a connection from elsewhere would reach.
            let other = SocketAddr::new(own.ip(), 1);
            let listens = found(server, other);
            assert_eq!(listens.state, SocketState::Listening);
            assert_eq!(listens.inode, inode(&listener));
            drop(listener);
            let nothing = sockets.find(TCP, server, other).expect("an answer");
            assert_eq!(nothing, None);
        }
    }

    #[test]
    fn udp_sockets_are_found_connected_or_not() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let ends = [&client, &server].map(|end| end.local_addr().expect("an address"));
        client.connect(ends[1]).expect("it");
        let sockets = Sockets::open().expect("sock_diag");
        for (socket, local, remote) in [(&client, ends[0], ends[1]), (&server, ends[1], ends[0])] {
            let found = sockets.find(UDP, local, remote).expect("an answer");
            let found = found.expect("a socket");
            assert_eq!(
                (found.inode, found.local.port()),
                (inode(socket), local.port())
            );
        }
    }

    #[test]
    fn answers_may_be_anything() {
        for len in 0..100 {
            for fill in [0, 2, 10, 255] {
                let _ = message::answer(TCP, &vec![fill; len]);
            }
        }
    }
}
