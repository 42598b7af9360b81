//! Processes of the command of `lcap run`: all of its descendants, however they are started.

use serde_json::Value;

use super::privileges::{as_nobody, install_capturing_copy};
use super::run_command::{has_bash_or_skip, run};
use super::session::{can_capture_or_skip, skip};
use super::traffic::RefusedPort;

/// Runs a script of bash with `lcap run`; returns the flows of the port, which are none if lcap
/// cannot use BPF.
fn flows_with_bpf(port: &RefusedPort, script: &str) -> Option<Vec<Value>> {
    let options = ["flows", "--format", "json", "-p", &port.arg()];
    let (code, _, errors) = run(&[&options[..], &["--", "bash", "-c", script]].concat());
    assert_eq!(code, Some(0), "{errors}");
    if !errors.contains("processes by BPF") {
        skip("lcap cannot use BPF here; it requires CAP_BPF and CAP_PERFMON");
        return None;
    }
    assert!(!errors.contains("process unknown"), "{errors}");
    let rows = errors.lines().filter(|line| line.starts_with('{'));
    Some(rows.map(|row| serde_json::from_str(row).unwrap()).collect())
}

#[test]
fn all_short_clients_are_shown() {
    if !can_capture_or_skip() || !has_bash_or_skip() {
        return;
    }
    let port = RefusedPort::reserve();
    let script = format!(
        "for i in {{1..30}}; do {}; done; exit 0",
        port.connect_script()
    );
    let Some(flows) = flows_with_bpf(&port, &script) else {
        return;
    };
    assert_eq!(flows.len(), 30);
    for flow in &flows {
        assert_eq!(flow["orig_process"]["how"], "opened", "{flow}");
    }
}

/// The environment is empty, the session is another one, or the parent has exited.
#[test]
fn descendants_are_shown_however_they_are_started() {
    if !can_capture_or_skip() || !has_bash_or_skip() {
        return;
    }
    for start in [
        "env -i",
        "setsid",
        "exec env -i",
        // A daemon: the parent exits first. The command waits for the end of the daemon's output.
        "cat < <(setsid -f",
        "sh -c 'exec \"$@\"' sh env -i setsid sh -c 'exec \"$@\"' sh",
    ] {
        let port = RefusedPort::reserve();
        let client = format!("bash -c 'sleep 0.1; {}; exit 0'", port.connect_script());
        let end = if start.contains("<(") { ")" } else { "" };
        let script = format!("{start} {client}{end}");
        let Some(flows) = flows_with_bpf(&port, &script) else {
            return;
        };
        assert_eq!(flows.len(), 1, "{script}");
    }
}

#[test]
fn connections_of_other_processes_are_left_out() {
    if !can_capture_or_skip() || !has_bash_or_skip() {
        return;
    }
    let port = RefusedPort::reserve();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                let address = ("127.0.0.1", port.number);
                assert!(std::net::TcpStream::connect(address).is_err());
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        });
        let script = format!("sleep 0.2; {}; sleep 0.2; exit 0", port.connect_script());
        let flows = flows_with_bpf(&port, &script);
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Some(flows) = flows {
            assert_eq!(flows.len(), 1, "{flows:?}");
            assert_eq!(flows[0]["orig_process"]["name"], "bash");
        }
    });
}

/// Without BPF, a client that exits at once cannot be identified.
#[test]
fn unknown_connections_are_reported_and_fail_the_run() {
    let Some((_directory, program)) = install_capturing_copy() else {
        return;
    };
    if !has_bash_or_skip() {
        return;
    }
    let port = RefusedPort::reserve();
    let script = format!(
        "for i in {{1..20}}; do {}; done; exit 0",
        port.connect_script()
    );
    let options = ["run", "flows", "-p", &port.arg(), "--fail-on", "refused"];
    let args = [&options[..], &["--", "bash", "-c", &script]].concat();
    let output = as_nobody(program.to_str().unwrap(), &args)
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("processes by lookup"), "{errors}");
    assert!(errors.contains("40 packets captured"), "{errors}");
    assert!(
        errors.contains("--fail-on: 20 of 20 flows failed"),
        "{errors}"
    );
    let is_unknown = |line: &str| line.contains(": process unknown (without BPF");
    assert!(errors.lines().any(is_unknown), "{errors}");
}
