//! Who else has the port.

use super::room::Room;
use rustix::net::{AddressFamily, SocketType, bind, connect, listen, socket, sockopt};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

/// A socket that listens, and lets others listen on the same address.
pub(super) fn sharing(address: SocketAddr) -> OwnedFd {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    sockopt::set_socket_reuseaddr(&socket, true).unwrap();
    sockopt::set_socket_reuseport(&socket, true).unwrap();
    bind(&socket, &address).unwrap();
    listen(&socket, 9).unwrap();
    socket
}

#[test]
fn two_share_an_address() {
    let Some(room) = Room::new() else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], room.port));
    let _sockets = room.inside(|| [sharing(address), sharing(address)]);
    room.doctor(&["62893"]).finds(
        "note",
        "shared",
        &["2 sockets share 127.0.0.1:62893 (SO_REUSEPORT)"],
    );
}

#[test]
fn connections_rest_after_a_server_has_gone() {
    let Some(room) = Room::new() else { return };
    room.inside(|| {
        let server = TcpListener::bind(("127.0.0.1", room.port)).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", room.port)).unwrap();
        // Who closes first rests.
        drop(server.accept().unwrap());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    });
    // Until the client's end has arrived.
    std::thread::sleep(std::time::Duration::from_millis(50));
    room.doctor(&["62893"])
        .is("problem", "nothing-listens", &["somebody did"])
        .finds("note", "time-wait", &["TIME_WAIT", "SO_REUSEADDR"]);
    let server = room.part("127.0.0.1:62893");
    room.doctor(&["62893"])
        .is("healthy", "accepted", &[&server.shown()])
        .finds("note", "time-wait", &[]);
}

#[test]
fn a_client_has_the_port() {
    let Some(room) = Room::new() else { return };
    let _ends = room.inside(|| {
        let server = TcpListener::bind("127.0.0.1:5000").unwrap();
        let client = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&client, &SocketAddr::from(([127, 0, 0, 1], room.port))).unwrap();
        connect(&client, &SocketAddr::from(([127, 0, 0, 1], 5000))).unwrap();
        (server.accept().unwrap(), server, client)
    });
    // What another test has just forked has it too, until it executes something else.
    let own = format!("[{}", std::process::id());
    room.doctor(&["62893"]).is(
        "problem",
        "held-by-client",
        &[
            &own,
            "127.0.0.1:62893 → 127.0.0.1:5000",
            "address already in use",
        ],
    );
}

#[test]
fn bound_and_not_listening() {
    let Some(room) = Room::new() else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], room.port));
    let _socket = room.inside(|| {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &address).unwrap();
        socket
    });
    let said = room.doctor(&["62893"]);
    // Older kernels do not list it.
    let told = said.json["verdict"]["code"].as_str().unwrap();
    assert!(
        ["held-unlistening", "nothing-listens"].contains(&told),
        "{}",
        said.text
    );
}
