//! The loopback interface and the addresses of `localhost`.

use super::sandbox::{LoopbackState, Sandbox};

#[test]
fn doctor_reports_a_loopback_that_is_down() {
    let Some(sandbox) = Sandbox::with_hosts("127.0.0.1 localhost\n", LoopbackState::Down) else {
        return;
    };
    sandbox.run_doctor(&["62893"]).assert_verdict(
        "problem",
        "lo-down",
        &["lo is down", "sudo ip link set lo up"],
    );
}

#[test]
fn doctor_reports_a_broken_hosts_file() {
    let file = "# broken\n127.0.0.1.1 localhost\n";
    let Some(sandbox) = Sandbox::with_hosts(file, LoopbackState::Up) else {
        return;
    };
    let _server = sandbox.start_server("127.0.0.1:62893");
    sandbox.run_doctor(&["62893"]).assert_verdict(
        "problem",
        "hosts-broken",
        &["/etc/hosts:2: 127.0.0.1.1 localhost"],
    );
}

#[test]
fn doctor_reports_localhost_with_a_non_loopback_address() {
    let file = "192.0.2.1 localhost\n";
    let Some(sandbox) = Sandbox::with_hosts(file, LoopbackState::Up) else {
        return;
    };
    let _server = sandbox.start_server("127.0.0.1:62893");
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict(
            "problem",
            "hosts-broken",
            &["maps localhost to 192.0.2.1", "/etc/hosts:1"],
        )
        .assert_finding("problem", "localhost-wrong", &[]);
    sandbox
        .run_doctor(&["127.0.0.1:62893"])
        .assert_finding("ok", "accepted", &[]);
}

#[test]
fn doctor_notes_disabled_ipv6() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    if let Err(reason) = sandbox.run("sysctl -qw net.ipv6.conf.lo.disable_ipv6=1") {
        return crate::live::session::skip(&reason);
    }
    let _server = sandbox.start_server("127.0.0.1:62893");
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict("healthy", "accepted", &[])
        .assert_finding("note", "ipv6-off", &["net.ipv6.conf.lo.disable_ipv6=0"]);
}

#[test]
fn doctor_reports_an_unresolvable_name() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    sandbox
        .run_doctor(&["no-such-host.invalid:62893"])
        .assert_verdict(
            "problem",
            "name-not-resolved",
            &["no-such-host.invalid has no address"],
        );
}
