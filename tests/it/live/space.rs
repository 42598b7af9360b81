//! A network of the test's own: a namespace (network_namespaces(7)) in which nobody else says a word.

use super::session::{permitted, skip};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

/// Runs the test on a thread in a namespace where `lo` is up, with all that it starts; skips it where none can be had.
pub(super) fn alone(test: impl FnOnce() + Send) {
    beside(|keeper| inside(keeper, test));
}

/// Runs the test beside such a namespace: it is told the process that keeps it.
pub(super) fn beside(test: impl FnOnce(u32)) {
    if !permitted() {
        return;
    }
    let mut keeper = match keeper() {
        Ok(keeper) => keeper,
        Err(why) => return skip(&format!("no network namespace: {why}")),
    };
    let pid = keeper.id();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(pid)));
    drop(keeper.stdin.take());
    keeper.wait().unwrap();
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// Does something on a thread in the namespace of this process.
pub(crate) fn inside<T: Send>(pid: u32, act: impl FnOnce() -> T + Send) -> T {
    let space = File::open(format!("/proc/{pid}/ns/net")).unwrap();
    let done = std::thread::scope(|scope| {
        let enter = || {
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            act()
        };
        scope.spawn(enter).join()
    });
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A process that keeps a new namespace until its input is closed.
fn keeper() -> Result<Child, String> {
    let mut keeper = Command::new("unshare")
        .args(["-n", "sh", "-c", "ip link set lo up && echo up && exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("unshare: {error}"))?;
    let mut said = String::new();
    let output = keeper.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut said).unwrap();
    if said == "up\n" {
        return Ok(keeper);
    }
    let output = keeper.wait_with_output().unwrap();
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Whether `ip` did this; what it says otherwise.
pub(super) fn ip(words: &str) -> Result<(), String> {
    let output = Command::new("ip")
        .args(words.split(' '))
        .output()
        .map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let why = String::from_utf8_lossy(&output.stderr);
        Err(format!("ip {words}: {}", why.trim_end()))
    }
}
