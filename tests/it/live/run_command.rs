//! `lcap run`: capture of a command's loopback traffic, and its exit code.

use std::process::Command;

use super::session::{LCAP, TEST_TIMEOUT, can_capture_or_skip, skip};
use super::traffic::{RefusedPort, ReservedPort, V4};
use std::time::{Duration, Instant};

/// Runs `lcap run` with these arguments; returns its exit code, standard output and standard error.
pub(super) fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let started = Instant::now();
    let output = Command::new(LCAP).arg("run").args(args).output().unwrap();
    assert!(started.elapsed() < TEST_TIMEOUT);
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), out, err)
}

/// Returns true if bash is installed; otherwise prints a skip message.
pub(super) fn has_bash_or_skip() -> bool {
    let is_installed = Command::new("bash").args(["-c", "exit 0"]).status().is_ok();
    if !is_installed {
        skip("bash is not installed, and other shells have no /dev/tcp");
    }
    is_installed
}

#[test]
fn run_exits_with_the_commands_code() {
    if !can_capture_or_skip() {
        return;
    }
    for (command, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)] {
        let (exit_code, output, errors) = run(&["--", "sh", "-c", command]);
        assert_eq!(exit_code, Some(code), "{command}: {errors}");
        assert_eq!(output, "");
    }
    let (exit_code, _, errors) = run(&["flows", "--", "no-such-program"]);
    assert_eq!(exit_code, Some(127), "{errors}");
    assert!(errors.contains("cannot run no-such-program"), "{errors}");
}

#[test]
fn run_requires_a_command_after_two_hyphens() {
    for args in [
        &["flows"][..],
        &["--"],
        &["flows", "--"],
        &["-r", "fixtures/http.pcap", "--", "true"],
        &["completions", "bash", "--", "true"],
    ] {
        let (exit_code, _, errors) = run(args);
        assert_eq!(exit_code, Some(2), "{args:?}: {errors}");
    }
}

#[test]
fn conditions_have_an_exit_code_of_their_own() {
    if !can_capture_or_skip() || !has_bash_or_skip() {
        return;
    }
    let port = RefusedPort::reserve();
    for (code, expected) in [(0, 3), (7, 7)] {
        let script = format!("{}; exit {code}", port.connect_script());
        let options = ["flows", "-p", &port.arg(), "--fail-on", "refused"];
        let (exit_code, _, errors) = run(&[&options[..], &["--", "bash", "-c", &script]].concat());
        assert_eq!(exit_code, Some(expected), "{errors}");
        assert!(errors.contains("--fail-on: 1 of 1 flow failed"), "{errors}");
    }
    // A failure of lcap itself.
    let (exit_code, _, errors) = run(&["-w", "/no-such-directory/a.pcap", "--", "true"]);
    assert_eq!(exit_code, Some(1), "{errors}");
}

/// Another process sends packets at the same time.
#[test]
fn run_shows_only_the_commands_traffic() {
    if !can_capture_or_skip() || !has_bash_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let listener = std::net::TcpListener::bind((V4, 0)).unwrap();
    let number = listener.local_addr().unwrap().port();
    let other_traffic = port.keep_sending(100, Duration::from_millis(1));
    let client_script = format!("exec 3<>/dev/tcp/127.0.0.1/{number}; echo hello >&3; sleep 0.2");
    // The connection is opened by a grandchild of lcap.
    let script = format!("sleep 0.2; bash -c '{client_script}'; echo done; exit 3");
    let ports = format!("{},{number}", port.number);
    let options = ["flows", "--format", "json", "-p", &ports];
    let (code, output, errors) = run(&[&options[..], &["--", "bash", "-c", &script]].concat());
    drop(other_traffic);
    assert_eq!(code, Some(3), "{errors}");
    assert_eq!(output, "done\n");
    let rows: Vec<&str> = errors
        .lines()
        .filter(|line| line.starts_with('{'))
        .collect();
    assert_eq!(rows.len(), 1, "{errors}");
    let row: serde_json::Value = serde_json::from_str(rows[0]).unwrap();
    assert_eq!(row["id.resp_p"], number, "{errors}");
    // The shell executes its last command without forking.
    let name = row["orig_process"]["name"].as_str().unwrap();
    assert!(["bash", "sleep"].contains(&name), "{name}");
}

#[test]
fn private_loopback_does_not_reach_the_hosts_servers() {
    let unshare = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "true"])
        .status();
    if !unshare.is_ok_and(|status| status.success()) {
        return skip("user namespaces cannot be created here");
    }
    let listener = std::net::TcpListener::bind((V4, 0)).unwrap();
    let number = listener.local_addr().unwrap().port();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{number} || exit 5");
    let (code, _, errors) = run(&["--private", "flows", "--", "bash", "-c", &script]);
    assert_eq!(code, Some(5), "{errors}");
    assert!(
        errors.contains("refused: nothing was listening"),
        "{errors}"
    );
}
