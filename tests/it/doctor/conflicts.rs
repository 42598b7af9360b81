//! Sockets that occupy the port.

use super::sandbox::Sandbox;
use rustix::net::{AddressFamily, SocketType, bind, connect, listen, socket, sockopt};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

/// Returns a listening socket with SO_REUSEPORT.
pub(super) fn reuseport_listener(address: SocketAddr) -> OwnedFd {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    sockopt::set_socket_reuseaddr(&socket, true).unwrap();
    sockopt::set_socket_reuseport(&socket, true).unwrap();
    bind(&socket, &address).unwrap();
    listen(&socket, 9).unwrap();
    socket
}

#[test]
fn doctor_notes_a_shared_address() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let address = SocketAddr::from(([127, 0, 0, 1], sandbox.port));
    let _sockets =
        sandbox.run_inside(|| [reuseport_listener(address), reuseport_listener(address)]);
    sandbox.run_doctor(&["62893"]).assert_finding(
        "note",
        "shared",
        &["2 sockets share 127.0.0.1:62893 (SO_REUSEPORT)"],
    );
}

#[test]
fn doctor_notes_time_wait_after_the_server_has_exited() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    sandbox.run_inside(|| {
        let server = TcpListener::bind(("127.0.0.1", sandbox.port)).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", sandbox.port)).unwrap();
        // The side that closes first enters TIME_WAIT.
        drop(server.accept().unwrap());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    });
    // Waits until the FIN of the client has arrived.
    std::thread::sleep(std::time::Duration::from_millis(50));
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict(
            "problem",
            "nothing-listens",
            &["the port was used recently"],
        )
        .assert_finding(
            "note",
            "time-wait",
            &["TIME_WAIT, ", " s left", "or use port 6289", "SO_REUSEADDR"],
        );
    let server = sandbox.start_server("127.0.0.1:62893");
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict("healthy", "accepted", &[&server.label()])
        .assert_finding("note", "time-wait", &[]);
}

#[test]
fn doctor_reports_a_port_held_by_a_client() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let _ends = sandbox.run_inside(|| {
        let server = TcpListener::bind("127.0.0.1:5000").unwrap();
        let client = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&client, &SocketAddr::from(([127, 0, 0, 1], sandbox.port))).unwrap();
        connect(&client, &SocketAddr::from(([127, 0, 0, 1], 5000))).unwrap();
        (server.accept().unwrap(), server, client)
    });
    // A process that another test has forked also has the socket open, until it calls execve(2).
    let label_prefix = format!("[{}", std::process::id());
    sandbox.run_doctor(&["62893"]).assert_verdict(
        "problem",
        "held-by-client",
        &[
            &label_prefix,
            "127.0.0.1:62893 → 127.0.0.1:5000",
            "address already in use",
        ],
    );
}

#[test]
fn doctor_reports_a_bound_socket_that_does_not_listen() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let address = SocketAddr::from(([127, 0, 0, 1], sandbox.port));
    let _socket = sandbox.run_inside(|| {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &address).unwrap();
        socket
    });
    let output = sandbox.run_doctor(&["62893"]);
    // Older kernels do not list bound sockets.
    let code = output.json["verdict"]["code"].as_str().unwrap();
    assert!(
        ["held-unlistening", "nothing-listens"].contains(&code),
        "{}",
        output.text
    );
}
