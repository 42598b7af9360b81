//! Output for root and for an unprivileged user, and invalid arguments.

use super::sandbox::Sandbox;
use crate::command::run;

#[test]
fn doctor_reports_hidden_processes_to_an_unprivileged_user() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let server = sandbox.start_server("127.0.0.1:62893");
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict("healthy", "accepted", &[&server.label()])
        .assert_no_finding("listener-hidden");
    let output = sandbox.run_doctor_unprivileged(&["62893"]);
    output
        .assert_verdict("healthy", "accepted", &["sudo lcap doctor localhost:62893"])
        .assert_finding(
            "unknown",
            "listener-hidden",
            &["uid 0", "of other users cannot be inspected"],
        )
        .assert_finding("note", "other-user", &[])
        .assert_no_finding("dropped");
    assert!(!output.text.contains(&server.label()), "{}", output.text);
}

#[test]
fn doctor_notes_a_privileged_port() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let expected = ["listening on port 81 requires root", "cap_net_bind_service"];
    sandbox
        .run_doctor_unprivileged(&["81"])
        .assert_verdict("problem", "nothing-listens", &[])
        .assert_finding("note", "privileged-port", &expected);
    sandbox
        .run_doctor(&["81"])
        .assert_finding("ok", "privileged-port", &[]);
}

#[test]
fn doctor_checks_lcap_itself() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    sandbox
        .run_doctor(&[])
        .assert_finding("ok", "libpcap", &["Linux"])
        .assert_finding("ok", "sockets", &[]);
    let program = sandbox.lcap_copy();
    let remedy = format!("sudo setcap cap_net_raw=ep {}", program.display());
    sandbox
        .run_doctor_unprivileged(&[])
        .assert_verdict("problem", "may-not-capture", &[&remedy]);
}

#[test]
fn invalid_arguments_are_rejected() {
    for (args, message) in [
        (&["doctor", "localhost"][..], "localhost:3000"),
        (&["doctor", "0"], "1-65535"),
        (&["doctor", "::1:1"], "in brackets"),
        (&["doctor", "--talk"], "PORT"),
        (&["doctor", "1", "--watch", "0"], "0"),
        (&["ports", "--free", "x"], "x"),
        (&["ports", "--free", "--watch"], "cannot be used"),
    ] {
        run(args).assert_rejected(2, &args.join(" "), message);
    }
}
