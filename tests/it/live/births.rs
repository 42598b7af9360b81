//! What the kernel tells of processes that begin.

use std::process::Command;
use std::time::Instant;

use lcap::host::births::{Birth, Births};
use rustix::event::{PollFd, PollFlags, poll};

use super::session::{PATIENCE, skip};

#[test]
fn children_are_told_of_and_threads_are_not() {
    let mut births = match Births::listen() {
        Ok(births) => births,
        // In a container nothing is told.
        Err(error) => return skip(&format!("the process connector: {error}")),
    };
    let thread = std::thread::spawn(|| rustix::thread::gettid().as_raw_nonzero().get());
    let thread = thread.join().unwrap() as u32;
    let mut child = Command::new("true").spawn().unwrap();
    let expected = Birth {
        pid: child.id(),
        parent: std::process::id(),
    };
    let mut told = Vec::new();
    let until = Instant::now() + PATIENCE;
    while !told.contains(&expected) {
        assert!(Instant::now() < until, "{told:?}");
        let mut all = [PollFd::new(&births, PollFlags::IN)];
        let limit = (until - Instant::now()).try_into().unwrap();
        poll(&mut all, Some(&limit)).unwrap();
        told.extend(std::iter::from_fn(|| births.take()));
    }
    child.wait().unwrap();
    assert!(told.iter().all(|birth| birth.pid != thread), "{told:?}");
    assert!(!births.has_lost());
}
