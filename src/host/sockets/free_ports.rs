//! Test for free ports: each port is bound briefly (bind(2)), without listening or sending.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with, sockopt};

/// Binds the port on all addresses, for TCP and UDP, and releases it immediately.
///
/// # Errors
/// The port is in use, or binding it requires a privilege that this process does not have.
pub fn try_bind(port: u16) -> io::Result<()> {
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let protocols = [
        (SocketType::STREAM, ipproto::TCP),
        (SocketType::DGRAM, ipproto::UDP),
    ];
    for (kind, proto) in protocols {
        for (family, address) in [(AddressFamily::INET, v4), (AddressFamily::INET6, v6)] {
            let socket = match socket_with(family, kind, SocketFlags::CLOEXEC, Some(proto)) {
                Ok(socket) => socket,
                // Without IPv6, only IPv4 is tested.
                Err(_) if family == AddressFamily::INET6 => continue,
                Err(error) => return Err(error.into()),
            };
            if family == AddressFamily::INET6 {
                sockopt::set_ipv6_v6only(&socket, true)?;
            }
            match bind(&socket, &address) {
                Err(error) if error == rustix::io::Errno::ADDRNOTAVAIL => {}
                result => result?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn port_in_use_cannot_be_bound() {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let udp = UdpSocket::bind("[::1]:0").or_else(|_| UdpSocket::bind("127.0.0.1:0"));
        let addresses = [tcp.local_addr(), udp.expect("a socket").local_addr()];
        // The UDP socket is closed by now; the TCP socket is still open.
        let port = addresses.map(|address| address.expect("an address").port())[0];
        let error = try_bind(port).expect_err("the port is in use");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
