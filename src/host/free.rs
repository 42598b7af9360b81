//! Whether a port can be had: it is bound for a moment, by sockets that neither listen nor send (bind(2)).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with, sockopt};

/// Whether this process could have the port on every address, for TCP and UDP.
///
/// # Errors
/// The port is in use, or it takes a privilege that this process does not have.
pub fn check(port: u16) -> io::Result<()> {
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    for (kind, proto) in [
        (SocketType::STREAM, ipproto::TCP),
        (SocketType::DGRAM, ipproto::UDP),
    ] {
        for (family, address) in [(AddressFamily::INET, v4), (AddressFamily::INET6, v6)] {
            let socket = match socket_with(family, kind, SocketFlags::CLOEXEC, Some(proto)) {
                Ok(socket) => socket,
                // There is nothing to have where there is no such family.
                Err(_) if family == AddressFamily::INET6 => continue,
                Err(error) => return Err(error.into()),
            };
            if family == AddressFamily::INET6 {
                sockopt::set_ipv6_v6only(&socket, true)?;
            }
            match bind(&socket, &address) {
                Err(error) if error == rustix::io::Errno::ADDRNOTAVAIL => {}
                bound => bound?,
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
    fn what_somebody_has_is_not_free() {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let udp = UdpSocket::bind("[::1]:0").or_else(|_| UdpSocket::bind("127.0.0.1:0"));
        let ends = [tcp.local_addr(), udp.expect("a socket").local_addr()];
        // The second was closed again.
        let port = ends.map(|end| end.expect("an address").port())[0];
        let error = check(port).expect_err("it is in use");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
