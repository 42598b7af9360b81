//! Scheduling priority and time slice of a thread.
#![allow(unsafe_code)] // No crate that lcap uses wraps sched_setattr(2).

/// The time slice of a thread: its run time before the scheduler switches to another thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSlice {
    /// The kernel's default.
    Default,
    /// 0.1 ms, the shortest time slice. A thread with a short slice runs sooner: Linux 6.12 and
    /// later preempt a thread with a longer slice in favor of it.
    Short,
}

/// Raises the priority of this thread as far as permitted (nice(2)), and sets its time slice. The
/// priority is relative to the other threads of the same scheduling policy; with sched_autogroup
/// (sched(7)), only to those of the same session. A real-time policy (SCHED_FIFO) would block all
/// other threads while this thread runs.
pub fn raise_priority(slice: TimeSlice) {
    const MIN_NICE: i32 = -20;
    // In nanoseconds.
    let sched_runtime = match slice {
        TimeSlice::Default => 0,
        TimeSlice::Short => 100_000,
    };
    // Without CAP_SYS_NICE, only the time slice can be set.
    for nice in [MIN_NICE, 0] {
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
        // SAFETY: the kernel only reads `attributes`, up to the size given in it, and only during
        // the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_sched_setattr,
                this_thread,
                &raw const attributes,
                no_flags,
            )
        };
        if result == 0 {
            return;
        }
    }
}
