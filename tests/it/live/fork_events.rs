//! Fork events of the kernel (process connector).

use std::process::Command;
use std::time::Instant;

use lcap::internals::fork_events::{ForkEvent, ForkEvents};
use rustix::event::{PollFd, PollFlags, poll};

use super::session::{TEST_TIMEOUT, skip};

#[test]
fn forks_are_reported_and_threads_are_not() {
    let mut fork_events = match ForkEvents::listen() {
        Ok(fork_events) => fork_events,
        // Not available in containers.
        Err(error) => return skip(&format!("the process connector is not available: {error}")),
    };
    let thread = std::thread::spawn(|| rustix::thread::gettid().as_raw_nonzero().get());
    let thread = thread.join().unwrap() as u32;
    let mut child = Command::new("true").spawn().unwrap();
    let expected = ForkEvent {
        pid: child.id(),
        parent: std::process::id(),
    };
    let mut events = Vec::new();
    let deadline = Instant::now() + TEST_TIMEOUT;
    while !events.contains(&expected) {
        assert!(Instant::now() < deadline, "{events:?}");
        let mut descriptors = [PollFd::new(&fork_events, PollFlags::IN)];
        let timeout = (deadline - Instant::now()).try_into().unwrap();
        poll(&mut descriptors, Some(&timeout)).unwrap();
        events.extend(std::iter::from_fn(|| fork_events.try_recv()));
    }
    child.wait().unwrap();
    assert!(events.iter().all(|event| event.pid != thread), "{events:?}");
    assert!(!fork_events.take_overflow());
}
