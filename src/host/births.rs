//! Processes as they begin, as the kernel tells: the process connector (Documentation/driver-api/connector.rst, linux/cn_proc.h).
//!
//! It is told before the process itself does anything. That takes CAP_NET_ADMIN before Linux 6.6, no privilege since then, and the machine's
//! own namespaces of processes, users and networks: in a container's nothing is told.

use std::io;
use std::os::fd::OwnedFd;
use std::os::fd::{AsFd, BorrowedFd};

/// A process that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Birth {
    /// Its number.
    pub pid: u32,
    /// The process that it is a child of.
    pub parent: u32,
}

/// Tells of them.
#[derive(Debug)]
pub struct Births {
    netlink: OwnedFd,
    has_lost: bool,
}

impl Births {
    /// Begins to listen.
    ///
    /// # Errors
    /// The kernel does not tell (it was made without CONFIG_PROC_EVENTS), that is not permitted, or this is a container.
    pub fn listen() -> io::Result<Births> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType};
        use rustix::net::{bind, netlink, socket_with};
        // It would not say that it tells nothing.
        if !is_told_of()? {
            let why = "it tells of this machine's own namespaces only";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        let netlink = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(netlink::CONNECTOR),
        )?;
        let (any_port, group) = (0, message::PROCESSES);
        bind(&netlink, &netlink::SocketAddrNetlink::new(any_port, group))?;
        let births = Births {
            netlink,
            has_lost: false,
        };
        // All events; then only of begins, which a kernel before Linux 6.6 does not take for a wish.
        births.wish(&message::wish(message::LISTEN, None))?;
        births.wish(&message::wish(message::LISTEN, Some(message::FORK)))?;
        Ok(births)
    }

    fn wish(&self, message: &[u8]) -> io::Result<()> {
        use rustix::net::{SendFlags, send};
        send(&self.netlink, message, SendFlags::empty())?;
        Ok(())
    }

    /// The next one that is not taken yet, without waiting for it.
    pub fn take(&mut self) -> Option<Birth> {
        use rustix::io::Errno;
        use rustix::net::{RecvFlags, recv};
        let mut buffer = [0; 256];
        loop {
            match recv(&self.netlink, &mut buffer, RecvFlags::empty()) {
                Ok((len, _)) => {
                    if let Some(birth) = message::birth(&buffer[..len.min(buffer.len())]) {
                        return Some(birth);
                    }
                }
                Err(Errno::NOBUFS) => self.has_lost = true,
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }

    /// Whether there was no room for some since this was asked last.
    pub fn has_lost(&mut self) -> bool {
        std::mem::take(&mut self.has_lost)
    }
}

/// Whether the kernel tells of processes, and tells those that have this thread's namespaces: the first of their kinds, which have fixed
/// numbers (linux/proc_ns.h).
fn is_told_of() -> io::Result<bool> {
    const FIRST: [(&str, &str); 2] = [
        ("/proc/thread-self/ns/pid", "pid:[4026531836]"),
        ("/proc/thread-self/ns/user", "user:[4026531837]"),
    ];
    for (link, first) in FIRST {
        if std::fs::read_link(link)?.as_os_str() != first {
            return Ok(false);
        }
    }
    // Another network namespace has no such file.
    let connectors = std::fs::read_to_string("/proc/thread-self/net/connector");
    Ok(connectors.is_ok_and(|all| all.contains("cn_proc")))
}

/// What can be polled for something to take.
impl AsFd for Births {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}

/// A kernel before Linux 6.6 goes on telling a socket that is closed.
impl Drop for Births {
    fn drop(&mut self) {
        let _ = self.wish(&message::wish(message::IGNORE, None));
    }
}

/// The messages, as linux/netlink.h, linux/connector.h and linux/cn_proc.h lay them out.
mod message {
    use super::super::netlink::word;
    use super::Birth;

    /// What is told of processes, by its number among all that connectors tell, and as a group of listeners.
    pub(super) const PROCESSES: u32 = 1;
    pub(super) const LISTEN: u32 = 1;
    pub(super) const IGNORE: u32 = 2;
    pub(super) const FORK: u32 = 1;
    const NLMSG_DONE: u16 = 3;
    /// Lengths of the headers, in bytes.
    const NETLINK: usize = 16;
    const CONNECTOR: usize = 20;

    //   0     4      6       8     12    16    20    24    28    32    34      36
    //   | len | type | flags | seq | pid | idx | val | seq | ack | len | flags | operation | events
    pub(super) fn wish(operation: u32, events: Option<u32>) -> Vec<u8> {
        let words = [Some(operation), events];
        let body: Vec<u8> = words
            .into_iter()
            .flatten()
            .flat_map(u32::to_ne_bytes)
            .collect();
        let mut bytes = vec![0; NETLINK + CONNECTOR];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(
            0,
            &((NETLINK + CONNECTOR + body.len()) as u32).to_ne_bytes(),
        );
        put(4, &NLMSG_DONE.to_ne_bytes());
        put(16, &PROCESSES.to_ne_bytes());
        put(20, &PROCESSES.to_ne_bytes());
        put(32, &(body.len() as u16).to_ne_bytes());
        bytes.extend(body);
        bytes
    }

    //   36     40    44     52           56             60          64
    //   | what | cpu | time | parent pid | parent group | child pid | child group
    pub(super) fn birth(bytes: &[u8]) -> Option<Birth> {
        let [what, parent, thread, pid] = [36, 56, 60, 64].map(|at| word(bytes, at));
        // A new thread is no process.
        (what? == FORK && thread? == pid?).then_some(Birth {
            pid: pid?,
            parent: parent?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_may_be_anything() {
        for len in 0..100 {
            for fill in [0, 1, 255] {
                let _ = message::birth(&vec![fill; len]);
            }
        }
    }
}
