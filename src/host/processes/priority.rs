//! Scheduling priority and time slice of a thread.
#![allow(unsafe_code)] // No crate that lcap uses wraps sched_setattr(2).

use std::io;

/// The time slice of a thread: its run time before the scheduler switches to another thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSlice {
    /// The kernel's default.
    Default,
    /// 0.1 ms, the shortest time slice. A thread with a short slice runs sooner: Linux 6.12 and
    /// later preempt a thread with a longer slice in favor of it.
    Short,
}

/// The priority that a thread had before it was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsualPriority {
    nice: i32,
}

const MIN_NICE: i32 = -20;

impl UsualPriority {
    /// Raises the priority of this thread, and thus of the threads that it starts, before it gives
    /// up CAP_SYS_NICE.
    pub fn before_raise() -> UsualPriority {
        let nice = rustix::process::getpriority_process(None).unwrap_or(0);
        raise_priority(TimeSlice::Default);
        UsualPriority { nice }
    }

    /// Restores the priority for this thread.
    pub fn restore(self) {
        // Fails if the priority was not raised, and then it is unchanged.
        let _ = set_attributes(self.nice, TimeSlice::Default);
    }
}

/// Raises the priority of this thread as far as permitted (nice(2)), and sets its time slice. The
/// priority is relative to the other threads of the same scheduling policy; with sched_autogroup
/// (sched(7)), only to those of the same session. A real-time policy (SCHED_FIFO) would block all
/// other threads while this thread runs.
pub fn raise_priority(slice: TimeSlice) {
    let current = rustix::process::getpriority_process(None).unwrap_or(0);
    // Without CAP_SYS_NICE, only the time slice can be set.
    let _ = set_attributes(MIN_NICE, slice).or_else(|_| set_attributes(current, slice));
}

fn set_attributes(nice: i32, slice: TimeSlice) -> io::Result<()> {
    // In nanoseconds.
    let sched_runtime = match slice {
        TimeSlice::Default => 0,
        TimeSlice::Short => 100_000,
    };
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: nice,
        sched_priority: 0,
        sched_runtime,
        sched_deadline: 0,
        sched_period: 0,
    };
    let (this_thread, no_flags) = (0, 0);
    // SAFETY: the kernel only reads `attributes`, up to the size given in it, and only during the
    // call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_setattr,
            this_thread,
            &raw const attributes,
            no_flags,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
