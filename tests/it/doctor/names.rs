//! The loopback itself, and what `localhost` means.

use super::room::{Loopback, Room};

#[test]
fn the_loopback_is_down() {
    let Some(room) = Room::of("127.0.0.1 localhost\n", Loopback::Down) else {
        return;
    };
    room.doctor(&["62893"]).is(
        "problem",
        "lo-down",
        &["lo is down", "sudo ip link set lo up"],
    );
}

#[test]
fn the_hosts_file_is_broken() {
    let file = "# broken\n127.0.0.1.1 localhost\n";
    let Some(room) = Room::of(file, Loopback::Up) else {
        return;
    };
    let _server = room.part("127.0.0.1:62893");
    room.doctor(&["62893"]).is(
        "problem",
        "hosts-broken",
        &["/etc/hosts:2: 127.0.0.1.1 localhost"],
    );
}

#[test]
fn localhost_is_somebody_else() {
    let file = "192.0.2.1 localhost\n";
    let Some(room) = Room::of(file, Loopback::Up) else {
        return;
    };
    let _server = room.part("127.0.0.1:62893");
    room.doctor(&["62893"])
        .is(
            "problem",
            "hosts-broken",
            &["localhost is 192.0.2.1", "/etc/hosts:1"],
        )
        .finds("problem", "localhost-wrong", &[]);
    room.doctor(&["127.0.0.1:62893"])
        .finds("ok", "accepted", &[]);
}

#[test]
fn ipv6_is_off() {
    let Some(room) = Room::new() else { return };
    if let Err(why) = room.run("sysctl -qw net.ipv6.conf.lo.disable_ipv6=1") {
        return crate::live::session::skip(&why);
    }
    let _server = room.part("127.0.0.1:62893");
    room.doctor(&["62893"])
        .is("healthy", "accepted", &[])
        .finds("note", "ipv6-off", &["net.ipv6.conf.lo.disable_ipv6=0"]);
}

#[test]
fn a_name_that_nobody_knows() {
    let Some(room) = Room::new() else { return };
    room.doctor(&["no-such-host.invalid:62893"]).is(
        "problem",
        "name-not-resolved",
        &["no-such-host.invalid has no address"],
    );
}
