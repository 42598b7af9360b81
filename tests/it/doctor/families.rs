//! IPv4 and IPv6 behind one name, and who else can reach what listens on all addresses.

use super::room::{BOTH, Loopback, Room};
use std::net::SocketAddr;

#[test]
fn only_ipv4_while_localhost_is_ipv6_first() {
    let Some(room) = Room::of(BOTH, Loopback::Up) else {
        return;
    };
    let server = room.part("127.0.0.1:62893");
    room.doctor(&["62893"])
        .is(
            "problem",
            "only-ipv4",
            &["localhost is ::1 first", &server.shown()],
        )
        .finds("ok", "accepted", &["127.0.0.1:62893"])
        .finds("note", "refused", &["[::1]:62893 refuses"]);
    // Who asks for the address is served.
    room.doctor(&["127.0.0.1:62893"])
        .is("healthy", "accepted", &[])
        .finds("note", "only-ipv4", &[]);
}

#[test]
fn only_ipv6() {
    let Some(room) = Room::new() else { return };
    let _server = room.part("[::1]:62893");
    room.doctor(&["62893"]).is(
        "problem",
        "only-ipv6",
        &[
            "localhost is 127.0.0.1 first",
            "clients may ask for [::1]:62893",
        ],
    );
    room.doctor(&["[::1]:62893"]).is("healthy", "accepted", &[]);
    room.doctor(&["127.0.0.1:62893"])
        .is("problem", "only-ipv6", &["127.0.0.1 is IPv4"]);
}

#[test]
fn two_servers_behind_one_name() {
    let Some(room) = Room::of(BOTH, Loopback::Up) else {
        return;
    };
    let (first, second) = (room.part("127.0.0.1:62893"), room.part("[::1]:62893"));
    let words = [
        "two servers behind one name",
        &first.shown(),
        &second.shown(),
        "localhost is ::1 first",
    ];
    room.doctor(&["62893"]).is("problem", "two-servers", &words);
    room.doctor(&["127.0.0.1:62893"])
        .finds("note", "two-servers", &[]);
}

#[test]
fn one_for_all_addresses_and_one_for_one() {
    let Some(room) = Room::new() else { return };
    // With SO_REUSEPORT, and of one user, Linux lets both listen.
    let (all, one) = (room.part("+0.0.0.0:62893"), room.part("+127.0.0.1:62893"));
    room.doctor(&["127.0.0.1:62893"])
        .is("healthy", "accepted", &[])
        .finds(
            "note",
            "wildcard-and-specific",
            &[&one.shown(), &all.shown()],
        );
}

#[test]
fn everybody_may_come() {
    let Some(room) = Room::new() else { return };
    if !room.has_network() {
        return;
    }
    let server = room.part("0.0.0.0:62893");
    let said = room.doctor(&["62893"]);
    said.is("healthy", "accepted", &[]).finds(
        "note",
        "exposed",
        &[&server.shown(), "eth9 192.0.2.0/24"],
    );
    room.doctor(&["192.0.2.7:62893"])
        .is("healthy", "accepted", &["this machine's own, on eth9"]);
    drop(server);
    let _server = room.part("192.0.2.7:62893");
    room.doctor(&["127.0.0.1:62893"]).is(
        "problem",
        "other-address",
        &["listens on 192.0.2.7:62893 only"],
    );
}

/// For all addresses of IPv6, and only of that.
#[test]
fn only_v6_is_told() {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
    let Some(room) = Room::new() else { return };
    let _socket = room.inside(|| {
        let socket = socket(AddressFamily::INET6, SocketType::STREAM, None).unwrap();
        sockopt::set_ipv6_v6only(&socket, true).unwrap();
        bind(&socket, &SocketAddr::from(([0_u16; 8], room.port))).unwrap();
        listen(&socket, 9).unwrap();
        socket
    });
    room.doctor(&["62893"])
        .is("problem", "only-ipv6", &["IPV6_V6ONLY"]);
}
