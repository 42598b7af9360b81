//! All sockets of a kind at once: who listens, and who has a port in whatever state (sock_diag(7), `struct inet_diag_msg`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::netlink::{self, Family, half, word};
use crate::packet::{TCP, UDP};

/// A socket of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// [`TCP`] or [`UDP`].
    pub proto: u8,
    /// Its own end, as it was bound: an IPv4 address in IPv6 notation stays one.
    pub local: SocketAddr,
    /// The other end; port 0 where it is connected to none.
    pub remote: SocketAddr,
    /// Where it is in its life.
    pub state: SocketState,
    /// Bytes that wait to be read; of a socket that listens, connections that wait to be accepted.
    pub receive_queue: u32,
    /// Bytes that are not acknowledged; of a socket that listens, how many connections may wait (the backlog of listen(2)).
    pub send_queue: u32,
    /// Whose it is.
    pub uid: u32,
    /// Its inode in sockfs; 0 while no process has it.
    pub inode: u32,
    /// The number of the interface that it is bound to; 0 is all of them.
    pub interface: u32,
    /// Whether an IPv6 socket takes nothing from IPv4 (IPV6_V6ONLY, ipv6(7)).
    pub only_v6: bool,
    /// How long the state lasts yet, in milliseconds, where it ends by itself.
    pub expires: u32,
}

/// The states of tcp(7). A UDP socket that takes from anybody is [`Closed`](SocketState::Closed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "RFC 9293 explains them")]
pub enum SocketState {
    Established,
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
    /// It has a port, and neither listens nor is connected. Linux 6.8 and later tell.
    Bound,
}

/// By the kernel's numbers, from 1.
const STATES: [SocketState; 13] = [
    SocketState::Established,
    SocketState::SynSent,
    SocketState::SynReceived,
    SocketState::FinWait1,
    SocketState::FinWait2,
    SocketState::TimeWait,
    SocketState::Closed,
    SocketState::CloseWait,
    SocketState::LastAck,
    SocketState::Listening,
    SocketState::Closing,
    SocketState::SynReceived,
    SocketState::Bound,
];
const LISTENING: u32 = 1 << 10;
const CLOSED: u32 = 1 << 7;

impl SocketState {
    /// Its name, as netstat(8) has it.
    pub fn name(self) -> &'static str {
        match self {
            SocketState::Established => "ESTABLISHED",
            SocketState::SynSent => "SYN_SENT",
            SocketState::SynReceived => "SYN_RECV",
            SocketState::FinWait1 => "FIN_WAIT1",
            SocketState::FinWait2 => "FIN_WAIT2",
            SocketState::TimeWait => "TIME_WAIT",
            SocketState::Closed => "CLOSE",
            SocketState::CloseWait => "CLOSE_WAIT",
            SocketState::LastAck => "LAST_ACK",
            SocketState::Listening => "LISTEN",
            SocketState::Closing => "CLOSING",
            SocketState::Bound => "BOUND",
        }
    }
}

impl Listed {
    /// One that waits for TCP connections at this address.
    #[cfg(test)]
    pub(crate) fn listening(local: &str) -> Listed {
        Listed {
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
            expires: 0,
        }
    }

    /// Whether it takes what comes from anybody.
    pub fn listens(&self) -> bool {
        match self.proto {
            UDP => self.state == SocketState::Closed && self.local.port() != 0,
            _ => self.state == SocketState::Listening,
        }
    }

    /// Whether it has this end of a connection, and would not just take what comes.
    pub fn is_of(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        let is_same = |own: SocketAddr, asked: SocketAddr| {
            own.port() == asked.port() && own.ip() == asked.ip().to_canonical()
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

    /// Whether what is sent to this address reaches it.
    pub fn takes(&self, address: IpAddr) -> bool {
        let (own, address) = (self.local.ip().to_canonical(), address.to_canonical());
        match own {
            IpAddr::V6(own) if own.is_unspecified() => address.is_ipv6() || !self.only_v6,
            IpAddr::V4(own) if own.is_unspecified() => address.is_ipv4(),
            own => own == address,
        }
    }
}

/// All sockets that listen, TCP and UDP, IPv4 and IPv6.
///
/// # Errors
/// The kernel does not tell.
pub fn listening() -> io::Result<Vec<Listed>> {
    let mut found = Vec::new();
    for (proto, states) in [(TCP, LISTENING), (UDP, CLOSED)] {
        collect(proto, states, (0, 0), &mut found)?;
    }
    found.retain(Listed::listens);
    Ok(found)
}

/// All sockets that have this port, at their own end or at the other, in whatever state.
///
/// # Errors
/// The kernel does not tell.
pub fn of_port(port: u16) -> io::Result<Vec<Listed>> {
    let mut found = Vec::new();
    for proto in [TCP, UDP] {
        collect(proto, u32::MAX, (port, 0), &mut found)?;
        let own = found.len();
        collect(proto, u32::MAX, (0, port), &mut found)?;
        let mut at = 0;
        found.retain(|socket| {
            at += 1;
            at <= own || socket.local.port() != port
        });
    }
    Ok(found)
}

/// All TCP sockets that are connected to this port of somebody.
///
/// # Errors
/// The kernel does not tell.
pub fn connected_to(port: u16) -> io::Result<Vec<Listed>> {
    let mut found = Vec::new();
    collect(TCP, u32::MAX, (0, port), &mut found)?;
    Ok(found)
}

const BY_FAMILY: u16 = 20;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

fn collect(
    proto: u8,
    states: u32,
    (local, remote): (u16, u16),
    found: &mut Vec<Listed>,
) -> io::Result<()> {
    for family in [AF_INET, AF_INET6] {
        //   0        1       2     3   4        8       10      12    28    44   48       56
        //   | family | proto | ext | – | states | sport | dport | src | dst | if | cookie |
        let mut question = [0; 56];
        question[0] = family;
        question[1] = proto;
        question[4..8].copy_from_slice(&states.to_ne_bytes());
        question[8..10].copy_from_slice(&local.to_be_bytes());
        question[10..12].copy_from_slice(&remote.to_be_bytes());
        let asked = netlink::dump(Family::Sockets, BY_FAMILY, &question, |_, body| {
            found.extend(read(proto, body));
        });
        match asked {
            // A kernel without IPv6 has no sockets of it.
            Err(error) if family == AF_INET6 && error.kind() == io::ErrorKind::NotFound => {}
            asked => asked?,
        }
    }
    Ok(())
}

//   0        1       2       3     4       6       8     24    40   44       52        56       60       64    68      72
//   | family | state | timer | –   | sport | dport | src | dst | if | cookie | expires | rqueue | wqueue | uid | inode | attributes
pub(super) fn read(proto: u8, body: &[u8]) -> Option<Listed> {
    const ATTRIBUTES: usize = 72;
    const ONLY_V6: u16 = 11;
    let (family, state) = (*body.first()?, *body.get(1)?);
    let end = |port_at: usize, address_at: usize| {
        let port = u16::from_be(half(body, port_at)?);
        let address: [u8; 16] = *body.get(address_at..)?.first_chunk()?;
        let ip = match (family, address) {
            (AF_INET, [a, b, c, d, ..]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            _ => IpAddr::V6(Ipv6Addr::from(address)),
        };
        Some(SocketAddr::new(ip, port))
    };
    Some(Listed {
        proto,
        local: end(4, 8)?,
        remote: end(6, 24)?,
        state: *STATES.get(usize::from(state).checked_sub(1)?)?,
        interface: word(body, 40)?,
        expires: word(body, 52)?,
        receive_queue: word(body, 56)?,
        send_queue: word(body, 60)?,
        uid: word(body, 64)?,
        inode: word(body, 68)?,
        only_v6: netlink::attributes(body, ATTRIBUTES)
            .any(|(kind, value)| kind == ONLY_V6 && value.first() == Some(&1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    #[test]
    fn who_listens_is_listed_with_its_queue() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let own = listener.local_addr().expect("an address");
        let _waits = TcpStream::connect(own).expect("a connection");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let all = listening().expect("a listing");
        let found = all.iter().find(|socket| socket.local == own).expect("it");
        assert_eq!(
            (found.receive_queue, found.state),
            (1, SocketState::Listening)
        );
        assert!(found.send_queue >= 1 && found.inode != 0);
        let own = udp.local_addr().expect("an address");
        assert!(all.iter().any(|socket| socket.local == own));
    }

    #[test]
    fn a_port_is_held_by_both_ends_of_its_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let own = listener.local_addr().expect("an address");
        let client = TcpStream::connect(own).expect("a connection");
        let (_accepted, _) = listener.accept().expect("it");
        let found = of_port(own.port()).expect("a listing");
        let of = |local| found.iter().filter(|socket| socket.local == local).count();
        assert_eq!(of(own), 2, "{found:?}");
        assert_eq!(of(client.local_addr().expect("an address")), 1);
    }

    #[test]
    fn wildcards_take_what_their_family_takes() {
        let of = |local, only_v6| Listed {
            only_v6,
            ..Listed::listening(local)
        };
        for (local, only_v6, address, takes) in [
            ("0.0.0.0:1", false, "127.0.0.1", true),
            ("0.0.0.0:1", false, "::1", false),
            ("[::]:1", false, "127.0.0.1", true),
            ("[::]:1", true, "127.0.0.1", false),
            ("[::]:1", true, "::1", true),
            ("127.0.0.1:1", false, "127.0.0.2", false),
            ("[::ffff:127.0.0.1]:1", false, "127.0.0.1", true),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(
                of(local, only_v6).takes(address),
                takes,
                "{local} {address}"
            );
        }
    }

    #[test]
    fn answers_may_be_short() {
        for len in 0..100 {
            let _ = read(TCP, &vec![1; len]);
        }
    }
}
