//! File descriptors that are closed when a command is executed.
#![allow(unsafe_code)] // No crate wraps fcntl(2) for descriptors of other owners.

use std::io;

/// The first descriptor after standard input, output and error.
const FIRST_NONSTANDARD_DESCRIPTOR: i32 = 3;

/// Closes all descriptors of this process when it executes a command, except standard input, output
/// and error. Libraries, e.g. libpcap, open some without this flag: a command that inherited the
/// socket of a capture could read and send packets without any privilege.
///
/// # Errors
/// /proc is not mounted.
pub fn close_all_on_exec() -> io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let descriptor = name.to_str().and_then(|name| name.parse().ok());
        let Some(descriptor @ FIRST_NONSTANDARD_DESCRIPTOR..) = descriptor else {
            continue;
        };
        // SAFETY: the call changes a flag of the descriptor and accesses no memory. It fails if the
        // descriptor was closed in the meantime.
        let _ = unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}
