//! Listening processes, and ports without a listening process.

use super::sandbox::Sandbox;
use super::test_server::{self, TestServer};
use crate::printable::assert_printable;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;

#[test]
fn doctor_reports_that_nothing_listens() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let similar = sandbox.start_server("127.0.0.1:62892");
    let output = sandbox.run_doctor(&["127.0.0.1:62893"]);
    output
        .assert_verdict(
            "problem",
            "nothing-listens",
            &["nothing listens on port 62893"],
        )
        .assert_finding(
            "problem",
            "refused",
            &["RST received: packets arrive, no firewall drops them"],
        )
        .assert_listener(&similar, "127.0.0.1:62892");
}

#[test]
fn doctor_reports_a_healthy_server() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let server = sandbox.start_server("127.0.0.1:62893");
    sandbox.run_inside(|| {
        let range = "/proc/sys/net/ipv4/ip_local_port_range";
        std::fs::write(range, "50000 65000").unwrap();
    });
    for target in ["62893", "127.0.0.1:62893", "http://localhost:62893/x"] {
        let output = sandbox.run_doctor(&[target]);
        output
            .assert_verdict("healthy", "accepted", &[&server.label()])
            .assert_finding(
                "ok",
                "listens",
                &["command line of", "working directory of", "since"],
            )
            .assert_finding("ok", "this-machine-only", &[])
            .assert_finding("ok", "stack-answers", &["answered an ICMP echo request"])
            .assert_finding("ok", "in-use", &["the next free port is 62894"])
            .assert_finding("ok", "port-class", &["a dynamic port"])
            .assert_finding("note", "ephemeral-port", &[])
            .assert_no_finding("nothing-listens");
        assert!(output.json["milliseconds"].is_number());
    }
}

#[test]
fn doctor_reports_a_udp_only_port() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let _socket = sandbox.run_inside(|| UdpSocket::bind(("127.0.0.1", sandbox.port)).unwrap());
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict(
            "problem",
            "udp-only",
            &["but no process listens for TCP connections"],
        )
        .assert_finding("ok", "listens", &["UDP"]);
}

#[test]
fn doctor_reports_a_server_in_another_namespace() {
    let (Some(here), Some(there)) = (Sandbox::new(), Sandbox::new()) else {
        return;
    };
    let endpoint = here.substitute_ports("127.0.0.1:62893");
    let server = there.run_inside(|| TestServer::start(test_server::server_command(&endpoint)));
    here.run_doctor(&["62893"])
        .assert_verdict(
            "problem",
            "other-namespace",
            &["sudo nsenter --net=", "lcap doctor 62893"],
        )
        .assert_finding("problem", "nothing-listens", &[])
        .assert_listener(&server, "127.0.0.1:62893");
}

#[test]
fn doctor_notes_a_deleted_program() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("server");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let world_writable = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&program, world_writable).unwrap();
    let server = sandbox.run_inside(|| {
        TestServer::start(test_server::server_command_for(
            &program,
            &sandbox.substitute_ports("127.0.0.1:62893"),
        ))
    });
    let output = sandbox.run_doctor(&["62893"]);
    output.assert_no_finding("deleted-program").assert_finding(
        "note",
        "writable-program",
        &["chmod o-w"],
    );
    std::fs::remove_file(&program).unwrap();
    let output = sandbox.run_doctor(&["62893"]);
    output
        .assert_verdict("healthy", "accepted", &[])
        .assert_finding("note", "deleted-program", &["(deleted)"]);
    output.assert_text(&[&format!("/proc/{}/exe is", server.pid())]);
}

#[test]
fn doctor_reports_a_stopped_server() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let server = sandbox.start_server("127.0.0.1:62893");
    let pid = rustix::process::Pid::from_child(&server.0);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let remedy = format!("kill -CONT {}", server.pid());
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict("problem", "stopped", &[&remedy])
        .assert_finding("problem", "never-accepts", &[]);
}

#[test]
fn doctor_notes_files_that_name_another_port() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join(".env"),
        sandbox.substitute_ports("# a comment\nPORT=62894\n"),
    )
    .unwrap();
    let start = || {
        let mut command = test_server::server_command(&sandbox.substitute_ports("127.0.0.1:62893"));
        command.current_dir(directory.path());
        TestServer::start(command)
    };
    let _server = sandbox.run_inside(start);
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict("healthy", "accepted", &[])
        .assert_finding("note", "other-port-named", &["/.env:2: PORT=62894"]);
    // A diagnosis of the port that the file names also reports the file.
    sandbox
        .run_doctor(&["62894"])
        .assert_verdict(
            "problem",
            "nothing-listens",
            &["127.0.0.1:62893, a similar port number"],
        )
        .assert_finding("note", "named", &["/.env:2: PORT=62894"]);
    std::fs::write(
        directory.path().join("app.toml"),
        sandbox.substitute_ports("port = 62893\n"),
    )
    .unwrap();
    sandbox
        .run_doctor(&["62893"])
        .assert_no_finding("other-port-named")
        .assert_finding("ok", "named", &[]);
}

#[test]
fn unprintable_characters_of_process_names_are_replaced() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let program = directory
        .path()
        .join("=\u{1b}[31m\u{9b}\u{202e}\u{200b}\nok red");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let _server = sandbox.run_inside(|| {
        TestServer::start(test_server::server_command_for(
            &program,
            &sandbox.substitute_ports("127.0.0.1:62893"),
        ))
    });
    let output = sandbox.run_doctor(&["62893"]);
    output.assert_verdict("healthy", "accepted", &["red", r"\nok red"]);
    assert!(!output.text.contains("\nok red"), "{}", output.text);
    assert_printable(&output.text, &[]);
    for (arguments, name) in [
        (
            "doctor 62893 --format json",
            r"=\u001b[31m\u009b\u202e\u200b\u000aok red",
        ),
        ("ports", "%3d%1b%5b31m%c2%9b%e2%80%ae%e2%80%8b%0aok red["),
        (
            "ports --format json",
            r"=\u001b[31m\u009b\u202e\u200b\u000aok red",
        ),
        (
            "ports --format csv",
            ",'=\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}\\nok red,",
        ),
    ] {
        let arguments = sandbox.substitute_ports(arguments);
        let mut command = sandbox.command(crate::live::session::LCAP);
        let output = command.args(arguments.split(' ')).output().unwrap();
        let text = assert_printable(&String::from_utf8(output.stdout).unwrap(), &[]);
        assert!(text.contains(name), "{arguments}: {text}");
    }
}

impl super::sandbox::DoctorOutput {
    /// Asserts that a line of the text reports this process as a listener, and that the text
    /// contains `expected`.
    #[track_caller]
    fn assert_listener(&self, server: &TestServer, expected: &str) {
        self.assert_text(&[expected]);
        let label = server.label();
        let mut lines = self.text.lines();
        let found = lines.any(|line| line.contains(&label) && line.contains("listens on"));
        assert!(found, "{label}: {}", self.text);
    }
}
