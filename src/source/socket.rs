//! Packet socket options that libpcap does not set (packet(7), socket(7)).
#![allow(unsafe_code)] // No dependency wraps setsockopt(2) for these options.

use std::io;
use std::os::fd::BorrowedFd;

/// Keeps the kernel from queueing the outgoing copy of each packet of a loopback device, which
/// would fill half of the ring only to be discarded by libpcap. Requires no privilege. Linux 4.20
/// and later.
pub(super) fn ignore_outgoing(socket: BorrowedFd) -> io::Result<()> {
    set_socket_option(
        socket,
        libc::SOL_PACKET,
        libc::PACKET_IGNORE_OUTGOING,
        &1_i32,
    )
}

/// Makes the kernel note the time of each packet when it is queued for reception. Otherwise, and
/// for TCP segments, which carry another time in its place, the kernel notes the time at which the
/// packet is copied to this socket, a little later.
pub(super) fn enable_timestamps(socket: BorrowedFd) -> io::Result<()> {
    set_socket_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1_i32)
}

/// Makes the kernel accept no more packets for this socket; packets accepted before stay in the
/// ring.
pub(super) fn attach_drop_all_filter(socket: BorrowedFd) -> io::Result<()> {
    /// `BPF_RET | BPF_K`: return a constant, here the number of bytes to keep.
    const BPF_RET_K: u16 = 6;
    let mut reject_all = libc::sock_filter {
        code: BPF_RET_K,
        jt: 0,
        jf: 0,
        k: 0,
    };
    let program = libc::sock_fprog {
        len: 1,
        filter: &raw mut reject_all,
    };
    set_socket_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

fn set_socket_option<T>(socket: BorrowedFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of `value`, which the kernel only reads, and
    // only during the call.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const *value).cast(),
            length,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
