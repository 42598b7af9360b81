//! Servers that do not accept connections, and servers whose backlog is full.

use super::sandbox::Sandbox;
use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
use std::net::{SocketAddr, TcpListener, TcpStream};

#[test]
fn doctor_reports_a_server_that_never_accepts() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let _server = sandbox.run_inside(|| TcpListener::bind(("127.0.0.1", sandbox.port)).unwrap());
    let label = format!("[{}]", std::process::id());
    sandbox.run_doctor(&["62893"]).assert_verdict(
        "problem",
        "never-accepts",
        &["accepts none of them", &label],
    );
}

#[test]
fn doctor_reports_a_full_backlog() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let address = SocketAddr::from(([127, 0, 0, 1], sandbox.port));
    let sockets = sandbox.run_inside(|| {
        let server = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_reuseaddr(&server, true).unwrap();
        bind(&server, &address).unwrap();
        // The kernel queues one connection more than the backlog.
        listen(&server, 0).unwrap();
        (server, TcpStream::connect(address).unwrap())
    });
    sandbox.run_doctor(&["62893"]).assert_verdict(
        "problem",
        "backlog-full",
        &["within 2 s", "1 connection in a backlog of 0"],
    );
    drop(sockets);
}
