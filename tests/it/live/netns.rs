//! Network namespaces (network_namespaces(7)) for tests: no other process sends packets in them.

use super::session::{can_capture_or_skip, skip};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

/// Runs a test, with all processes that it starts, in a new network namespace where `lo` is up.
/// Skips it if no namespace can be created.
pub(super) fn run_in_new_netns(test: impl FnOnce() + Send) {
    with_new_netns(|keeper| run_in_netns(keeper, test));
}

/// Runs a test outside such a namespace; its argument is the PID of a process in the namespace.
pub(super) fn with_new_netns(test: impl FnOnce(u32)) {
    if !can_capture_or_skip() {
        return;
    }
    let mut keeper = match start_keeper() {
        Ok(keeper) => keeper,
        Err(why) => return skip(&format!("a network namespace cannot be created: {why}")),
    };
    let pid = keeper.id();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(pid)));
    drop(keeper.stdin.take());
    keeper.wait().unwrap();
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// Runs a closure on a thread in the network namespace of a process.
pub(crate) fn run_in_netns<T: Send>(pid: u32, act: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(format!("/proc/{pid}/ns/net")).unwrap();
    let result = std::thread::scope(|scope| {
        let enter = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            act()
        };
        scope.spawn(enter).join()
    });
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Starts a process that keeps a new namespace open until its standard input is closed.
fn start_keeper() -> Result<Child, String> {
    let mut keeper = Command::new("unshare")
        .args(["-n", "sh", "-c", "ip link set lo up && echo up && exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("unshare: {error}"))?;
    let mut line = String::new();
    let output = keeper.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    if line == "up\n" {
        return Ok(keeper);
    }
    let output = keeper.wait_with_output().unwrap();
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs `ip` with these arguments, separated by spaces; returns its error message if it fails.
pub(super) fn run_ip(args: &str) -> Result<(), String> {
    let output = Command::new("ip")
        .args(args.split(' '))
        .output()
        .map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let why = String::from_utf8_lossy(&output.stderr);
        Err(format!("ip {args}: {}", why.trim_end()))
    }
}
