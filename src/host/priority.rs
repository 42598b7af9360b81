//! How soon a thread gets a processor.
#![allow(unsafe_code)] // sched_setattr(2) is wrapped by no crate that we use.

/// How long a thread has a processor for, once it has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// As long as others.
    Usual,
    /// A tenth of a millisecond, the shortest that there is. Short turns come sooner: Linux 6.12 and later interrupt whoever has a longer one.
    Short,
}

/// Puts this thread before others that share the processors by turns (nice(2)), as far as that is permitted. With sched_autogroup (sched(7))
/// those are others of its session. In real time (SCHED_FIFO) nobody else would have a turn while it works.
pub fn hurry(turn: Turn) {
    const BEFORE_ALL: i32 = -20;
    // Nanoseconds.
    let sched_runtime = match turn {
        Turn::Usual => 0,
        Turn::Short => 100_000,
    };
    // Without the right to it (CAP_SYS_NICE) the turns may be short all the same.
    for nice in [BEFORE_ALL, 0] {
        let wanted = libc::sched_attr {
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
        // SAFETY: the kernel only reads `wanted`, of which it is told the size, and only during the call.
        let done = unsafe {
            libc::syscall(
                libc::SYS_sched_setattr,
                this_thread,
                &raw const wanted,
                no_flags,
            )
        };
        if done == 0 {
            return;
        }
    }
}
