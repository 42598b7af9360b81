//! Privileges of the processes of a live capture: the one that decodes packets has none.

use super::netns;
use super::privileges::{as_nobody, install_copy};
use super::session::{LCAP, Session, can_capture_or_skip, skip};
use super::traffic::{ReservedPort, V4};
use crate::sandbox::{ThreadPrivileges, assert_restricted, threads, wait_until_restricted};
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE, as bits.
const LOOKUP_CAPABILITIES: u64 = 1 << 2 | 1 << 19;

/// The capabilities that README.md names, and the larger set of earlier versions.
const CAPTURE: &str = "cap_net_raw=ep";
const BPF: &str = "cap_net_raw,cap_bpf,cap_perfmon,cap_sys_ptrace=ep";
const EARLIER: &str = "cap_net_raw,cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search=ep";

/// Commands that capture, and whether they look up processes.
const COMMANDS: [(&str, bool); 19] = [
    ("-p PORT", true),
    ("-p PORT --no-processes", false),
    ("-p PORT --format json", true),
    ("-p PORT -w DIR/a.pcap", false),
    ("-p PORT -w DIR/a.pcapng", true),
    ("-p PORT -C 1 -W 2 -w DIR/ring", false),
    ("-p PORT --count", false),
    ("flows -p PORT", true),
    ("flows -p PORT --format json -o DIR/flows.json", true),
    ("flows -p PORT --format csv", true),
    ("flows -p PORT --top 3", true),
    ("requests -p PORT", true),
    ("requests -p PORT --format json -o DIR/requests.json", true),
    ("requests -p PORT --body --top 3", true),
    ("follow -p PORT", true),
    ("follow -p PORT --output-dir DIR/streams", false),
    ("run flows -p PORT -- sleep 20", true),
    ("run requests -p PORT -- sleep 20", true),
    ("doctor PORT --watch 20", true),
];

/// Processes that are killed at the end of a test.
struct KilledAtEnd(Child);

impl Drop for KilledAtEnd {
    fn drop(&mut self) {
        // Fails if the process has exited.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns a copy of lcap with these file capabilities; `None`, with a skip message, if there
/// cannot be one.
pub(super) fn install_with(capabilities: &str) -> Option<(TempDir, PathBuf)> {
    if !can_capture_or_skip() {
        return None;
    }
    let (directory, program) = install_copy()?;
    let setcap = Command::new("setcap")
        .arg(capabilities)
        .arg(&program)
        .status();
    let is_set = setcap.is_ok_and(|status| status.success());
    let version = as_nobody(program.to_str().unwrap(), &["--version"]).output();
    if !is_set || !version.is_ok_and(|output| output.status.success()) {
        skip(&format!("{capabilities} cannot be set for a file here"));
        return None;
    }
    Some((directory, program))
}

/// Returns the processes that lcap started to look up processes.
fn lookup_processes(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
    let is_lookup = |pid: &u32| {
        threads(*pid)
            .first()
            .is_some_and(|main| main.name == "lcap-lookups")
    };
    children.filter(is_lookup).collect()
}

/// Asserts what the processes of a capture hold while packets arrive.
fn assert_least_privilege(program: impl Fn(&[&str]) -> Command, commands: &[(&str, bool)]) {
    for (row, has_lookups) in commands {
        let port = ReservedPort::reserve();
        let directory = tempfile::tempdir().unwrap();
        let all_users = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(directory.path(), all_users).unwrap();
        let args = row.replace("PORT", &port.arg());
        let args = args.replace("DIR", directory.path().to_str().unwrap());
        let args: Vec<&str> = args.split(' ').collect();
        let mut command = program(&args);
        command.stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let lcap = KilledAtEnd(command.spawn().unwrap());
        let pid = lcap.0.id();
        wait_until_restricted(pid, row);
        let traffic = port.keep_sending(100, Duration::from_millis(1));
        // The doctor also connects to the port.
        if !row.starts_with("doctor") {
            port.exchange(V4);
        }
        for _ in 0..5 {
            assert_restricted(pid, 0, row);
            let lookups = lookup_processes(pid);
            assert_eq!(lookups.len(), usize::from(*has_lookups), "{row}");
            for lookup in lookups {
                assert_restricted(lookup, LOOKUP_CAPABILITIES, row);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(traffic);
    }
}

#[test]
fn root_holds_nothing_while_packets_are_decoded() {
    if can_capture_or_skip() {
        let program = |args: &[&str]| {
            let mut command = Command::new(LCAP);
            command.args(args);
            command
        };
        assert_least_privilege(program, &COMMANDS);
    }
}

#[test]
fn file_capabilities_are_not_held_while_packets_are_decoded() {
    for (capabilities, commands) in [
        (EARLIER, &COMMANDS[..]),
        (BPF, &COMMANDS[..1]),
        (CAPTURE, &COMMANDS[..1]),
    ] {
        let Some((_directory, program)) = install_with(capabilities) else {
            return;
        };
        let program = |args: &[&str]| as_nobody(program.to_str().unwrap(), args);
        assert_least_privilege(program, commands);
    }
}

#[test]
fn private_loopback_is_decoded_without_privileges() {
    if !can_capture_or_skip() {
        return;
    }
    let unshare = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "true"])
        .status();
    if !unshare.is_ok_and(|status| status.success()) {
        return skip("user namespaces cannot be created here");
    }
    let mut command = Command::new(LCAP);
    command.args(["run", "--private", "flows", "--", "sleep", "20"]);
    let lcap = KilledAtEnd(command.stderr(Stdio::null()).spawn().unwrap());
    wait_until_restricted(lcap.0.id(), "--private");
    assert_restricted(lcap.0.id(), 0, "--private");
    let lookups = lookup_processes(lcap.0.id());
    assert_eq!(lookups.len(), 1);
    assert_restricted(lookups[0], LOOKUP_CAPABILITIES, "--private");
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).unwrap()
}

/// Waits until a process has exited.
#[track_caller]
fn wait_for_end(number: u32) {
    let started = Instant::now();
    while !threads(number).is_empty() {
        assert!(started.elapsed() < super::session::TEST_TIMEOUT);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ctrl-C signals both processes.
#[test]
fn lookups_survive_signals_and_end_with_lcap() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    // Under sudo, the process that decodes packets is not permitted to signal the other one.
    let users = [Signal::INT, Signal::KILL].map(|end| ["0", "12345"].map(|user| (end, user)));
    for (end, user) in users.into_iter().flatten() {
        let mut command = Command::new(LCAP);
        command.args(["flows", "-p", &port.arg()]);
        command.env("SUDO_UID", user).env("SUDO_GID", user);
        let session = Session::spawn(command);
        let lcap = session.pid();
        wait_until_restricted(lcap, "flows");
        let [lookups] = lookup_processes(lcap)[..] else {
            panic!("not one process for lookups");
        };
        for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
            kill_process(pid(lookups), signal).unwrap();
        }
        port.exchange(V4);
        std::thread::sleep(Duration::from_millis(200));
        assert!(!threads(lookups).is_empty(), "the lookups have ended");
        session.signal(end);
        if end == Signal::INT {
            let output = session.wait().output;
            let name = format!("[{}]", std::process::id());
            assert!(output[1].contains(&name), "no names in {output:?}");
        } else {
            drop(session);
        }
        wait_for_end(lookups);
    }
}

/// The command has what the caller has.
#[test]
fn command_keeps_the_privileges_of_the_caller() {
    if !can_capture_or_skip() {
        return;
    }
    let script = "cat /proc/self/status; echo; ls /proc/$$/fd";
    let mut command = Command::new(LCAP);
    command.args(["run", "flows", "--", "sh", "-c", script]);
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (status, descriptors) = stdout.split_once("\n\n").unwrap();
    let own = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let expected = ThreadPrivileges {
        name: "cat".into(),
        ..ThreadPrivileges::parse(&own)
    };
    assert_eq!(ThreadPrivileges::parse(status), expected);
    assert!(descriptors.starts_with("0\n1\n2\n"), "{descriptors}");
    let opened_by_shell = |number: &str| number == "10" || number == "255";
    let mut others = descriptors.lines().skip(3);
    assert!(others.all(opened_by_shell), "{descriptors}");
}

/// Kernels without Landlock or filters are simulated by strace(1).
#[test]
fn missing_restrictions_are_reported() {
    netns::run_in_new_netns(|| {
        if !super::system_calls::has_strace_or_skip() {
            return;
        }
        for (call, report) in [
            ("landlock_create_ruleset", "no capabilities, no Landlock ("),
            ("seccomp", "no seccomp ("),
        ] {
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
            command.args([format!("trace={call}"), "-e".into()]);
            command.arg(format!("inject={call}:error=ENOSYS"));
            command.args([LCAP, "-v", "-c", "3", "udp"]);
            let port = ReservedPort::reserve();
            let session = Session::spawn(command);
            session.errors.wait_for(|line| line.contains(report));
            port.send(0, 3, 100);
            let ended = session.wait();
            assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
            assert_eq!(ended.captured(), 3);
        }
    });
}
