//! Servers on IPv4 and IPv6, on specific addresses and on the wildcard address.

use super::sandbox::{DUAL_STACK_HOSTS, LoopbackState, Sandbox};
use std::net::SocketAddr;

#[test]
fn doctor_reports_an_ipv4_only_server_when_localhost_is_ipv6_first() {
    let Some(sandbox) = Sandbox::with_hosts(DUAL_STACK_HOSTS, LoopbackState::Up) else {
        return;
    };
    let server = sandbox.start_server("127.0.0.1:62893");
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict(
            "problem",
            "only-ipv4",
            &["localhost resolves to ::1 first", &server.label()],
        )
        .assert_finding("ok", "accepted", &["127.0.0.1:62893"])
        .assert_finding("note", "refused", &["[::1]:62893 refused"]);
    // The server accepts connections to the address itself.
    sandbox
        .run_doctor(&["127.0.0.1:62893"])
        .assert_verdict("healthy", "accepted", &[])
        .assert_finding("note", "only-ipv4", &[]);
}

#[test]
fn doctor_reports_an_ipv6_only_server() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let _server = sandbox.start_server("[::1]:62893");
    sandbox.run_doctor(&["62893"]).assert_verdict(
        "problem",
        "only-ipv6",
        &[
            "localhost resolves to 127.0.0.1 first",
            "clients can connect to [::1]:62893 instead",
        ],
    );
    sandbox
        .run_doctor(&["[::1]:62893"])
        .assert_verdict("healthy", "accepted", &[]);
    sandbox.run_doctor(&["127.0.0.1:62893"]).assert_verdict(
        "problem",
        "only-ipv6",
        &["127.0.0.1 is an IPv4 address"],
    );
}

#[test]
fn doctor_reports_two_servers_for_one_name() {
    let Some(sandbox) = Sandbox::with_hosts(DUAL_STACK_HOSTS, LoopbackState::Up) else {
        return;
    };
    let (first, second) = (
        sandbox.start_server("127.0.0.1:62893"),
        sandbox.start_server("[::1]:62893"),
    );
    let expected = [
        "two servers share the name localhost",
        &first.label(),
        &second.label(),
        "localhost resolves to ::1 first",
    ];
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict("problem", "two-servers", &expected);
    sandbox
        .run_doctor(&["127.0.0.1:62893"])
        .assert_finding("note", "two-servers", &[]);
}

#[test]
fn doctor_notes_a_wildcard_and_a_specific_server() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    // Linux permits both servers if they set SO_REUSEPORT and belong to the same user.
    let (wildcard, specific) = (
        sandbox.start_server("+0.0.0.0:62893"),
        sandbox.start_server("+127.0.0.1:62893"),
    );
    sandbox
        .run_doctor(&["127.0.0.1:62893"])
        .assert_verdict("healthy", "accepted", &[])
        .assert_finding(
            "note",
            "wildcard-and-specific",
            &[&specific.label(), &wildcard.label()],
        );
}

#[test]
fn doctor_notes_an_exposed_server() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    if !sandbox.add_network() {
        return;
    }
    let server = sandbox.start_server("0.0.0.0:62893");
    let output = sandbox.run_doctor(&["62893"]);
    output
        .assert_verdict("healthy", "accepted", &[])
        .assert_finding("note", "exposed", &[&server.label(), "eth9 192.0.2.0/24"]);
    sandbox.run_doctor(&["192.0.2.7:62893"]).assert_verdict(
        "healthy",
        "accepted",
        &["an address of this machine, on eth9"],
    );
    drop(server);
    let _server = sandbox.start_server("192.0.2.7:62893");
    sandbox.run_doctor(&["127.0.0.1:62893"]).assert_verdict(
        "problem",
        "other-address",
        &["listens on 192.0.2.7:62893 only"],
    );
}

/// The socket is bound to the wildcard address and accepts IPv6 only.
#[test]
fn doctor_reports_a_socket_with_ipv6_v6only() {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let _socket = sandbox.run_inside(|| {
        let socket = socket(AddressFamily::INET6, SocketType::STREAM, None).unwrap();
        sockopt::set_ipv6_v6only(&socket, true).unwrap();
        bind(&socket, &SocketAddr::from(([0_u16; 8], sandbox.port))).unwrap();
        listen(&socket, 9).unwrap();
        socket
    });
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict("problem", "only-ipv6", &["IPV6_V6ONLY"]);
}
