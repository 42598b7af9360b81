//! Threads that go before others, because what they look at may not be there for long.
#![allow(unsafe_code)] // sched_setscheduler(2) is wrapped by no crate that we use.

use rustix::process::{Pid, setpriority_process};

/// Has this thread run as soon as there is something to do, where that is permitted (`CAP_SYS_NICE`): in real time (`SCHED_FIFO`, the
/// lowest of its priorities), else before all others of its session. What it does has to be short.
pub fn at_once() {
    if !in_real_time() {
        soon();
    }
}

/// Has this thread go before others, where that is permitted. With sched_autogroup, those are others of its session only.
pub fn soon() {
    const BEFORE_ALL: i32 = -20;
    let thread: Pid = rustix::thread::gettid();
    let _ = setpriority_process(Some(thread), BEFORE_ALL);
}

fn in_real_time() -> bool {
    let lowest = libc::sched_param { sched_priority: 1 };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the kernel only reads `lowest`, and only during the call; 0 is the thread that calls.
    unsafe { libc::sched_setscheduler(0, policy, &raw const lowest) == 0 }
}
