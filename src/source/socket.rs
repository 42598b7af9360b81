//! The two options of a packet socket that libpcap does not set (packet(7), socket(7)); nothing of this exists off Linux.
#![allow(unsafe_code)] // setsockopt(2) with these options is wrapped by no crate that we use.

use std::io;
use std::os::fd::BorrowedFd;

/// Keeps the kernel from queueing the outgoing copy of each packet of a loopback device, which would fill half of the ring only
/// to be thrown away by libpcap. Wants no privilege. Linux 4.20 and later.
pub(super) fn ignore_outgoing(socket: BorrowedFd) -> io::Result<()> {
    set(
        socket,
        libc::SOL_PACKET,
        libc::PACKET_IGNORE_OUTGOING,
        &1_i32,
    )
}

/// Makes the kernel accept no further packet for this socket; what it accepted before stays in the ring.
pub(super) fn accept_no_more(socket: BorrowedFd) -> io::Result<()> {
    /// `BPF_RET | BPF_K`: return a constant, here the number of bytes to keep.
    const RETURN: u16 = 6;
    let mut nothing = libc::sock_filter {
        code: RETURN,
        jt: 0,
        jf: 0,
        k: 0,
    };
    let program = libc::sock_fprog {
        len: 1,
        filter: &raw mut nothing,
    };
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

fn set<T>(socket: BorrowedFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of `value`, which the kernel only reads, and only during the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const *value).cast(),
            length,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
