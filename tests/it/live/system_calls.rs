//! System calls of complete runs, recorded by strace(1): all are in the lists of the product.

use super::netns::{run_in_new_netns, run_ip};
use super::session::{LCAP, can_capture_or_skip, skip};
use super::traffic::{ReservedPort, V4};
use crate::command::{ROOT, fixture_path};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Returns true if strace is installed and can trace; otherwise prints a skip message.
pub(super) fn has_strace_or_skip() -> bool {
    let traced = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let can_trace = traced.as_ref().is_ok_and(|output| output.status.success());
    if !can_trace {
        skip(&format!("strace cannot be used: {traced:?}"));
    }
    can_trace
}

/// A process that calls seccomp(2) for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Role {
    Decode,
    LookUp,
}

/// The permitted calls of each role, parsed from the source of the product.
struct Permitted(HashMap<Role, HashSet<String>>);

impl Permitted {
    fn from_source() -> Permitted {
        let source = fs::read_to_string(Path::new(ROOT).join("src/privileges/system_calls.rs"));
        let source = source.unwrap();
        let list = |name: &str| -> HashSet<String> {
            let (_, rest) = source.split_once(&format!("const {name}: ")).unwrap();
            let (list, _) = rest.split_once("\n];").unwrap();
            let names = list.split("libc::SYS_").skip(1);
            let is_in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let name = |text: &str| text.split(|c| !is_in_name(c)).next().unwrap().to_owned();
            names.map(name).collect()
        };
        let common = &list("COMMON") | &list("READ_FILES");
        let decode = &(&common | &list("DECODE")) | &list("DECODE_IF");
        let look_up = &(&common | &list("LOOK_UP")) | &list("LOOK_UP_IF");
        assert!(decode.contains("unlinkat") && look_up.contains("pidfd_open"));
        Permitted([(Role::Decode, decode), (Role::LookUp, look_up)].into())
    }

    fn contains(&self, role: Role, call: &str) -> bool {
        let name = call.split('(').next().unwrap();
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"];
        let is_permitted_use = match name {
            "bpf" => call.starts_with("bpf(BPF_MAP_LOOKUP_ELEM"),
            "open" | "openat" if role == Role::LookUp => {
                !writes.iter().any(|flag| call.contains(flag))
            }
            _ => true,
        };
        self.0[&role].contains(name) && is_permitted_use
    }
}

/// Lines of strace: the thread, and its call, or the end of a call that was interrupted.
fn lines(trace: &str) -> impl Iterator<Item = (u32, &str)> {
    trace.lines().filter_map(|line| {
        let (thread, call) = line.split_once(' ')?;
        Some((thread.parse().ok()?, call.trim_start()))
    })
}

/// Returns the process of each thread, as far as it is the thread of another one.
fn processes_of_threads(trace: &str) -> HashMap<u32, u32> {
    let mut pending: HashMap<u32, &str> = HashMap::new();
    let mut processes = HashMap::new();
    for (thread, call) in lines(trace) {
        if call.starts_with("clone") {
            pending.insert(thread, call);
        } else if !call.starts_with("<... clone") {
            continue;
        }
        let created = call
            .rsplit_once(" = ")
            .and_then(|(_, id)| id.parse::<u32>().ok());
        let is_thread = pending
            .get(&thread)
            .is_some_and(|call| call.contains("CLONE_THREAD"));
        if let Some(created) = created.filter(|_| is_thread) {
            processes.insert(created, thread);
        }
    }
    processes
}

/// Returns the calls after the call of seccomp(2) in each process, by role.
fn restricted_calls(trace: &str) -> BTreeSet<(Role, &str)> {
    let parents = processes_of_threads(trace);
    let process_of = |mut thread: u32| {
        while let Some(parent) = parents.get(&thread) {
            thread = *parent;
        }
        thread
    };
    let mut lookups = HashSet::new();
    let mut restricted = HashSet::new();
    let mut calls = BTreeSet::new();
    for (thread, call) in lines(trace) {
        let process = process_of(thread);
        if call.starts_with("prctl(PR_SET_NAME, \"lcap-lookups\"") {
            lookups.insert(process);
        }
        let is_start = call
            .chars()
            .next()
            .is_some_and(|first| first.is_ascii_lowercase());
        if is_start && restricted.contains(&process) {
            let role = match lookups.contains(&process) {
                true => Role::LookUp,
                false => Role::Decode,
            };
            calls.insert((role, call));
        }
        let is_filter = call.starts_with("seccomp(SECCOMP_SET_MODE_FILTER");
        if (is_filter || call.starts_with("<... seccomp resumed")) && call.ends_with(" = 0") {
            restricted.insert(process);
        }
    }
    calls
}

/// Asserts that these roles called only what is permitted.
#[track_caller]
fn assert_permitted(trace: &Path, roles: &[Role], row: &str) {
    let trace = fs::read_to_string(trace).unwrap();
    let calls = restricted_calls(&trace);
    let found: BTreeSet<Role> = calls.iter().map(|(role, _)| *role).collect();
    assert_eq!(found, roles.iter().copied().collect(), "{row}");
    let permitted = Permitted::from_source();
    let denied = calls
        .iter()
        .filter(|(role, call)| !permitted.contains(*role, call));
    let denied: Vec<_> = denied.take(10).collect();
    assert!(denied.is_empty(), "{row}: {denied:#?}");
}

/// Starts a command under strace.
fn spawn_traced(trace: &Path, command: &[&str]) -> Child {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(trace).args(command);
    strace.stdin(Stdio::null()).stdout(Stdio::null());
    strace.stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until lcap, which strace executes, is restricted; returns its PID.
#[track_caller]
fn wait_for_lcap(strace: &Child, row: &str) -> Pid {
    let started = Instant::now();
    let children = format!("/proc/{0}/task/{0}/children", strace.id());
    let is_restricted = |pid: &u32| {
        let threads = crate::sandbox::threads(*pid);
        threads.first().is_some_and(|main| main.has_seccomp_filter)
    };
    loop {
        let pids = fs::read_to_string(&children).unwrap();
        let mut pids = pids
            .split_whitespace()
            .map(|pid| pid.parse::<u32>().unwrap());
        if let Some(pid) = pids.find(is_restricted) {
            return Pid::from_raw(pid.cast_signed()).unwrap();
        }
        assert!(started.elapsed() < super::session::TEST_TIMEOUT, "{row}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

const DECODE: &[Role] = &[Role::Decode];
const BOTH: &[Role] = &[Role::Decode, Role::LookUp];

/// Captures that end after a time, or on a signal that follows others.
#[test]
fn live_captures_make_no_denied_calls() {
    if !can_capture_or_skip() || !has_strace_or_skip() {
        return;
    }
    let under_sudo = "env SUDO_UID=12345 SUDO_GID=12345 LCAP";
    let without_bpf = "setpriv --bounding-set=-bpf,-sys_admin,-perfmon LCAP";
    let directory = tempfile::tempdir().unwrap();
    let signals = [Signal::USR1, Signal::USR2, Signal::INT];
    for (command, roles, signals) in [
        ("LCAP -p PORT --duration 1s", BOTH, &[][..]),
        ("LCAP -p PORT", BOTH, &signals),
        ("LCAP -p PORT --count", DECODE, &signals),
        (
            "LCAP -p PORT -w DIR/a.pcap --print --no-processes",
            DECODE,
            &signals,
        ),
        ("LCAP -p PORT -w DIR/a.pcapng", BOTH, &signals),
        ("LCAP -p PORT -C 1 -W 2 -w DIR/ring", DECODE, &signals),
        (
            "LCAP -p PORT -G 1 -w DIR/%s.pcapng --duration 2s",
            BOTH,
            &[],
        ),
        ("LCAP flows -p PORT", BOTH, &signals),
        (
            "LCAP flows -p PORT --format json -o DIR/flows",
            BOTH,
            &signals,
        ),
        ("LCAP flows -p PORT --format csv --top 3", BOTH, &signals),
        ("LCAP requests -p PORT", BOTH, &signals),
        (
            "LCAP requests -p PORT --body --format json -o DIR/requests",
            BOTH,
            &signals,
        ),
        ("LCAP requests -p PORT --top 3 --format csv", BOTH, &signals),
        ("LCAP follow -p PORT", BOTH, &signals),
        (
            "LCAP follow -p PORT --output-dir DIR/streams",
            DECODE,
            &signals,
        ),
        (
            "LCAP follow -p PORT --output-dir DIR/streams",
            DECODE,
            &signals,
        ),
        (
            &format!("{under_sudo} follow -p PORT --output-dir DIR/s2"),
            DECODE,
            &signals,
        ),
        ("LCAP doctor PORT --watch 1", BOTH, &[]),
        ("LCAP run flows -p PORT -- sleep 1", BOTH, &[]),
        ("LCAP run requests -p PORT -- sleep 1", BOTH, &[]),
        ("LCAP run flows -p PORT -- sleep 60", BOTH, &[Signal::TERM]),
        (&format!("{without_bpf} flows -p PORT"), BOTH, &signals),
        (
            &format!("{without_bpf} -p PORT -w DIR/b.pcapng"),
            BOTH,
            &signals,
        ),
    ] {
        let port = ReservedPort::reserve();
        let trace = directory.path().join("trace");
        let arguments = command.replace("LCAP", LCAP).replace("PORT", &port.arg());
        let arguments = arguments.replace("DIR", directory.path().to_str().unwrap());
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let mut strace = spawn_traced(&trace, &arguments);
        let lcap = wait_for_lcap(&strace, command);
        let traffic = port.keep_sending(50_000, Duration::from_millis(2));
        for signal in signals {
            for _ in 0..3 {
                port.exchange(V4);
            }
            std::thread::sleep(Duration::from_millis(300));
            kill_process(lcap, *signal).unwrap();
        }
        strace.wait().unwrap();
        drop(traffic);
        assert_permitted(&trace, roles, command);
    }
}

/// The status line, colours and the width of the terminal.
#[test]
fn output_to_a_terminal_makes_no_denied_calls() {
    if !can_capture_or_skip() || !has_strace_or_skip() {
        return;
    }
    if Command::new("script").arg("--version").output().is_err() {
        return skip("script is not installed");
    }
    let directory = tempfile::tempdir().unwrap();
    let port = ReservedPort::reserve();
    for (args, roles) in [
        ("-p PORT", BOTH),
        ("-p PORT -w DIR/a.pcap", DECODE),
        ("flows -p PORT", BOTH),
        ("requests -p PORT", BOTH),
    ] {
        let trace = directory.path().join("trace");
        let args = args.replace("PORT", &port.arg());
        let args = args.replace("DIR", directory.path().to_str().unwrap());
        let line = format!("{LCAP} {args} --duration 2s");
        let traffic = port.keep_sending(100, Duration::from_millis(5));
        let command = ["script", "-qec", &line, "/dev/null"];
        spawn_traced(&trace, &command).wait().unwrap();
        drop(traffic);
        assert_permitted(&trace, roles, &args);
    }
}

#[test]
fn removal_of_the_device_makes_no_denied_calls() {
    run_in_new_netns(|| {
        if !has_strace_or_skip() {
            return;
        }
        let setup = run_ip("link add near type veth peer name far")
            .and_then(|()| run_ip("link set near up"))
            .and_then(|()| run_ip("link set far up"));
        if let Err(why) = setup {
            return skip(&why);
        }
        let directory = tempfile::tempdir().unwrap();
        let trace = directory.path().join("trace");
        let mut strace = spawn_traced(&trace, &[LCAP, "-i", "near"]);
        wait_for_lcap(&strace, "near");
        run_ip("link set near down").unwrap();
        std::thread::sleep(Duration::from_millis(100));
        run_ip("link delete near").unwrap();
        assert_eq!(strace.wait().unwrap().code(), Some(1));
        assert_permitted(&trace, BOTH, "near");
    });
}

#[test]
fn reading_of_files_makes_no_denied_calls() {
    if !has_strace_or_skip() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let compressed = directory.path().join("http.pcap.gz");
    let gzip = Command::new("gzip")
        .args(["-c", &fixture_path("http.pcap")])
        .output();
    fs::write(&compressed, gzip.unwrap().stdout).unwrap();
    for args in [
        "-r FILE -X",
        "-r DIR/http.pcap.gz --format json",
        "-r FILE --count",
        "-r FILE -w DIR/a.pcapng",
        "-r FILE -G 1 -w DIR/%s.pcap",
        "flows -r FILE --format csv -o DIR/flows",
        "flows -r FILE --top 1",
        "requests -r FILE --format csv -o DIR/requests",
        "requests -r FILE --top 1 --body",
        "follow -r FILE",
        "follow -r FILE --format json",
        "follow -r FILE --output-dir DIR/streams",
        // The files exist.
        "follow -r FILE --output-dir DIR/streams",
    ] {
        let trace = directory.path().join("trace");
        let arguments = args.replace("FILE", &fixture_path("http.pcap"));
        let arguments = arguments.replace("DIR", directory.path().to_str().unwrap());
        let command: Vec<&str> = [LCAP].into_iter().chain(arguments.split(' ')).collect();
        let ended = spawn_traced(&trace, &command).wait().unwrap();
        assert!(ended.success(), "{args}");
        assert_permitted(&trace, DECODE, args);
    }
}
