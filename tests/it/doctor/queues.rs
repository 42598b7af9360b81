//! Servers that do not accept, and those that cannot take any more.

use super::room::Room;
use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
use std::net::{SocketAddr, TcpListener, TcpStream};

#[test]
fn nobody_accepts() {
    let Some(room) = Room::new() else { return };
    let _server = room.inside(|| TcpListener::bind(("127.0.0.1", room.port)).unwrap());
    let own = format!("[{}]", std::process::id());
    room.doctor(&["62893"])
        .is("problem", "never-accepts", &["accepts none of them", &own]);
}

#[test]
fn the_backlog_is_full() {
    let Some(room) = Room::new() else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], room.port));
    let kept = room.inside(|| {
        let server = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_reuseaddr(&server, true).unwrap();
        bind(&server, &address).unwrap();
        // One may wait, beyond the backlog.
        listen(&server, 0).unwrap();
        (server, TcpStream::connect(address).unwrap())
    });
    room.doctor(&["62893"]).is(
        "problem",
        "backlog-full",
        &["within 2 s", "1 connection in a backlog of 0"],
    );
    drop(kept);
}
