//! Privileges of the process that decodes a file: none, whatever is read and written.

use crate::command::{fixture_path, lcap};
use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Timeout of every wait, long enough for a busy machine.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The privileges of one thread (proc_pid_status(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThreadPrivileges {
    pub(crate) name: String,
    /// The real, effective, saved and file-system user.
    pub(crate) uids: Vec<u32>,
    /// The permitted and the effective capabilities, as bits.
    pub(crate) capabilities: u64,
    pub(crate) has_no_new_privs: bool,
    pub(crate) has_seccomp_filter: bool,
}

impl ThreadPrivileges {
    /// Parses the contents of a file /proc/PID/status.
    pub(crate) fn parse(status: &str) -> ThreadPrivileges {
        let field = |name: &str| {
            let mut lines = status.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
            value.unwrap_or_else(|| panic!("no {name} in {status}"))
        };
        let bits = |name| u64::from_str_radix(field(name), 16).unwrap();
        let uids = field("Uid").split('\t').map(|uid| uid.parse().unwrap());
        ThreadPrivileges {
            name: field("Name").to_owned(),
            uids: uids.collect(),
            capabilities: bits("CapPrm") | bits("CapEff"),
            has_no_new_privs: field("NoNewPrivs") == "1",
            has_seccomp_filter: field("Seccomp") == "2",
        }
    }
}

/// Returns the privileges of all threads of a process; none if it has exited.
pub(crate) fn threads(pid: u32) -> Vec<ThreadPrivileges> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    // A thread can end before its file is read.
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
        .map(|status| ThreadPrivileges::parse(&status))
        .collect()
}

/// Waits until the main thread of a process, whatever program it executes, has a filter.
#[track_caller]
pub(crate) fn wait_until_restricted(pid: u32, row: &str) {
    let started = Instant::now();
    let is_restricted = || {
        let threads = threads(pid);
        let is_lcap = |thread: &ThreadPrivileges| thread.name.starts_with("lcap");
        threads.first().filter(|thread| is_lcap(thread))?;
        Some(threads[0].has_seccomp_filter)
    };
    while is_restricted() != Some(true) {
        let threads = threads(pid);
        assert!(started.elapsed() < TEST_TIMEOUT, "{row}: {threads:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asserts that all threads of a process are restricted, and have none but these capabilities.
#[track_caller]
pub(crate) fn assert_restricted(pid: u32, capabilities: u64, row: &str) {
    let threads = threads(pid);
    assert!(!threads.is_empty(), "{row}: process {pid} has exited");
    for thread in threads {
        let excess = thread.capabilities & !capabilities;
        assert_eq!(excess, 0, "{row}: {thread:?}");
        assert!(thread.has_no_new_privs, "{row}: {thread:?}");
        assert!(thread.has_seccomp_filter, "{row}: {thread:?}");
    }
}

/// Starts lcap with standard input from a pipe that contains these bytes and remains open.
fn read_from_open_pipe(input: &[u8], command: &mut Command) -> Child {
    let command = command.stdin(Stdio::piped());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(input).unwrap();
    child
}

#[test]
fn process_that_decodes_a_file_holds_no_privilege() {
    let plain = fs::read(fixture_path("http.pcap")).unwrap();
    let compressed = |program: &str| {
        let mut command = Command::new(program);
        let output = command.args(["-c", &fixture_path("http.pcap")]).output();
        output.ok().map(|output| output.stdout)
    };
    let inputs = [Some(plain), compressed("gzip"), compressed("zstd")];
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().to_str().unwrap();
    for args in [
        "-r -",
        "-r - -X",
        "-r - --count",
        "-r - --format json",
        "-r - -w DIR/a.pcap",
        "-r - -w DIR/a.pcapng --print",
        "-r - -C 1 -W 2 -w DIR/ring",
        "flows -r -",
        "flows -r - --format json -o DIR/flows.json",
        "flows -r - --format csv",
        "flows -r - --top 3",
        "requests -r -",
        "requests -r - --format json --body -o DIR/requests.json",
        "requests -r - --format csv --errors",
        "requests -r - --top 3",
        "follow -r -",
        "follow -r - --format json",
        "follow -r - --output-dir DIR/streams",
    ] {
        let args: Vec<String> = args
            .split(' ')
            .map(|arg| arg.replace("DIR", directory))
            .collect();
        for input in inputs.iter().flatten() {
            let row = format!("{args:?}, input {:02x?}", &input[..4]);
            let child = read_from_open_pipe(input, lcap().args(&args));
            wait_until_restricted(child.id(), &row);
            assert_restricted(child.id(), 0, &row);
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{row}: {stderr}");
        }
    }
}
