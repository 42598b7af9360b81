//! Tests of the queries, with sockets of this process and with arbitrary replies.

use super::*;
use crate::host::netlink::datagrams;
use proptest::prelude::*;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

fn inode(fd: &impl AsRawFd) -> u32 {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let text = link.expect("a link").to_string_lossy().into_owned();
    let digits = text.trim_start_matches("socket:[").trim_end_matches(']');
    digits.parse().expect("an inode")
}

#[test]
fn listeners_are_listed_with_their_queues() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let own = listener.local_addr().expect("an address");
    let _client = TcpStream::connect(own).expect("a connection");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let all = SockDiag::open().and_then(|sockets| sockets.listening());
    let all = all.expect("a listing");
    let found = all.iter().find(|socket| socket.local == own);
    let found = found.expect("the listener");
    assert_eq!(
        (found.receive_queue, found.state),
        (1, SocketState::Listening)
    );
    assert_eq!(found.inode, inode(&listener));
    assert!(found.send_queue >= 1);
    let own = udp.local_addr().expect("an address");
    assert!(all.iter().any(|socket| socket.local == own));
}

#[test]
fn sockets_of_a_port_include_both_ends_of_its_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let own = listener.local_addr().expect("an address");
    let client = TcpStream::connect(own).expect("a connection");
    let (_accepted, _) = listener.accept().expect("a connection");
    let found = of_port(own.port()).expect("a listing");
    // A TIME_WAIT socket of an earlier test, which has no inode, can have the same port.
    let open = || found.iter().filter(|socket| socket.inode != 0);
    let count = |local| open().filter(|socket| socket.local == local).count();
    assert_eq!(count(own), 2, "{found:?}");
    let client = client.local_addr().expect("an address");
    assert_eq!(count(client), 1);
    let connected = connected_to(own.port()).expect("a listing");
    let open = connected.iter().filter(|socket| socket.inode != 0);
    let locals: Vec<_> = open.map(|socket| socket.local).collect();
    assert_eq!(locals, [client]);
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
        let sock_diag = SockDiag::open().expect("sock_diag");
        let find = |local, remote| {
            let found = sock_diag.find(TCP, local, remote).expect("a reply");
            found.expect("a socket")
        };
        let connected = find(own, server);
        assert_eq!((connected.local, connected.remote), (own, server));
        assert_eq!(connected.inode, inode(&client));
        // The connection was not accepted so far.
        assert_eq!(find(server, own).inode, 0);
        let (accepted, _) = listener.accept().expect("a connection");
        assert_eq!(find(server, own).inode, inode(&accepted));
        let unused = SocketAddr::new(own.ip(), 1);
        let found = find(server, unused);
        assert_eq!(found.state, SocketState::Listening);
        assert_eq!(found.inode, inode(&listener));
        drop(listener);
        let found = sock_diag.find(TCP, server, unused).expect("a reply");
        assert_eq!(found, None);
    }
}

#[test]
fn udp_sockets_are_found_with_and_without_a_peer() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let ends = [&client, &server].map(|end| end.local_addr().expect("an address"));
    client.connect(ends[1]).expect("a peer");
    let sock_diag = SockDiag::open().expect("sock_diag");
    for (socket, local, remote) in [(&client, ends[0], ends[1]), (&server, ends[1], ends[0])] {
        let found = sock_diag.find(UDP, local, remote).expect("a reply");
        let found = found.expect("a socket");
        assert_eq!((found.inode, found.local), (inode(socket), local));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn socket_is_parsed_if_its_fields_are_complete(body in datagrams()) {
        let socket = parse_socket(TCP, &body);
        let is_complete = body.len() >= 72 && (1..=13).contains(&body[1]);
        prop_assert_eq!(socket.is_some(), is_complete);
        if let Some(socket) = socket {
            prop_assert_eq!(&socket.inode.to_ne_bytes()[..], &body[68..72]);
            prop_assert_eq!(&socket.remote.port().to_be_bytes()[..], &body[6..8]);
        }
    }
}
