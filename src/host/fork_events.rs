//! Fork events of the kernel's process connector (Documentation/driver-api/connector.rst,
//! linux/cn_proc.h).
//!
//! The kernel sends an event before the new process runs. Before Linux 6.6, receiving events
//! requires CAP_NET_ADMIN; since then, it requires no privilege. The receiver must be in the
//! initial PID, user and network namespaces: no events arrive in the namespaces of a container.

use std::io;
use std::os::fd::OwnedFd;
use std::os::fd::{AsFd, BorrowedFd};

/// The creation of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForkEvent {
    /// The PID.
    pub pid: u32,
    /// The PID of the parent process.
    pub parent: u32,
}

/// A netlink socket that receives fork events.
#[derive(Debug)]
pub struct ForkEvents {
    netlink: OwnedFd,
    has_overflowed: bool,
}

impl ForkEvents {
    /// Subscribes to fork events.
    ///
    /// # Errors
    /// The kernel was built without CONFIG_PROC_EVENTS, this process is not permitted to subscribe,
    /// or it runs in a container.
    pub fn listen() -> io::Result<ForkEvents> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType};
        use rustix::net::{bind, netlink, socket_with};
        // In other namespaces the subscription succeeds, but no events arrive.
        if !can_receive_events()? {
            let message = "fork events are available only in the initial namespaces";
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        let netlink = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(netlink::CONNECTOR),
        )?;
        let (any_port, group) = (0, message::CN_IDX_PROC);
        bind(&netlink, &netlink::SocketAddrNetlink::new(any_port, group))?;
        let events = ForkEvents {
            netlink,
            has_overflowed: false,
        };
        // Subscribes to all events, then only to fork events. Kernels before Linux 6.6 ignore the
        // restriction.
        events.send(&message::control_message(
            message::PROC_CN_MCAST_LISTEN,
            None,
        ))?;
        events.send(&message::control_message(
            message::PROC_CN_MCAST_LISTEN,
            Some(message::PROC_EVENT_FORK),
        ))?;
        Ok(events)
    }

    fn send(&self, message: &[u8]) -> io::Result<()> {
        use rustix::net::{SendFlags, send};
        send(&self.netlink, message, SendFlags::empty())?;
        Ok(())
    }

    /// Returns the next pending event, without waiting.
    pub fn try_recv(&mut self) -> Option<ForkEvent> {
        use rustix::io::Errno;
        use rustix::net::{RecvFlags, recv};
        let mut buffer = [0; 256];
        loop {
            match recv(&self.netlink, &mut buffer, RecvFlags::empty()) {
                Ok((len, _)) => {
                    if let Some(event) = message::parse_fork(&buffer[..len.min(buffer.len())]) {
                        return Some(event);
                    }
                }
                Err(Errno::NOBUFS) => self.has_overflowed = true,
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }

    /// Returns true if events were lost since the last call because the receive buffer was full.
    pub fn take_overflow(&mut self) -> bool {
        std::mem::take(&mut self.has_overflowed)
    }
}

/// True if this thread is in the initial namespaces, whose inodes are fixed (linux/proc_ns.h), and
/// the kernel provides the process connector.
fn can_receive_events() -> io::Result<bool> {
    const INITIAL_NAMESPACES: [(&str, &str); 2] = [
        ("/proc/thread-self/ns/pid", "pid:[4026531836]"),
        ("/proc/thread-self/ns/user", "user:[4026531837]"),
    ];
    for (link, initial) in INITIAL_NAMESPACES {
        if std::fs::read_link(link)?.as_os_str() != initial {
            return Ok(false);
        }
    }
    // The file exists only in the initial network namespace.
    let connectors = std::fs::read_to_string("/proc/thread-self/net/connector");
    Ok(connectors.is_ok_and(|text| text.contains("cn_proc")))
}

/// The descriptor is readable while an event is pending.
impl AsFd for ForkEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}

/// Unsubscribes: kernels before Linux 6.6 keep sending events to a closed socket.
impl Drop for ForkEvents {
    fn drop(&mut self) {
        let _ = self.send(&message::control_message(
            message::PROC_CN_MCAST_IGNORE,
            None,
        ));
    }
}

/// Messages in the layout of linux/netlink.h, linux/connector.h and linux/cn_proc.h.
mod message {
    use super::super::netlink::word;
    use super::ForkEvent;

    /// The ID of the process connector, and of its multicast group.
    pub(super) const CN_IDX_PROC: u32 = 1;
    pub(super) const PROC_CN_MCAST_LISTEN: u32 = 1;
    pub(super) const PROC_CN_MCAST_IGNORE: u32 = 2;
    pub(super) const PROC_EVENT_FORK: u32 = 1;
    const NLMSG_DONE: u16 = 3;
    /// Lengths of the headers, in bytes.
    const NETLINK_HEADER_LEN: usize = 16;
    const CONNECTOR_HEADER_LEN: usize = 20;

    //   0     4      6       8     12    16    20    24    28    32    34      36
    //   | len | type | flags | seq | pid | idx | val | seq | ack | len | flags | operation | events
    pub(super) fn control_message(operation: u32, events: Option<u32>) -> Vec<u8> {
        let fields = [Some(operation), events];
        let body: Vec<u8> = fields
            .into_iter()
            .flatten()
            .flat_map(u32::to_ne_bytes)
            .collect();
        let mut bytes = vec![0; NETLINK_HEADER_LEN + CONNECTOR_HEADER_LEN];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(
            0,
            &((NETLINK_HEADER_LEN + CONNECTOR_HEADER_LEN + body.len()) as u32).to_ne_bytes(),
        );
        put(4, &NLMSG_DONE.to_ne_bytes());
        put(16, &CN_IDX_PROC.to_ne_bytes());
        put(20, &CN_IDX_PROC.to_ne_bytes());
        put(32, &(body.len() as u16).to_ne_bytes());
        bytes.extend(body);
        bytes
    }

    //   36     40    44     52           56             60          64
    //   | what | cpu | time | parent pid | parent group | child pid | child group
    pub(super) fn parse_fork(bytes: &[u8]) -> Option<ForkEvent> {
        let [kind, parent, thread, pid] = [36, 56, 60, 64].map(|at| word(bytes, at));
        // For a new thread, the child PID differs from the thread group.
        (kind? == PROC_EVENT_FORK && thread? == pid?).then_some(ForkEvent {
            pid: pid?,
            parent: parent?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing_arbitrary_messages_does_not_panic() {
        for len in 0..100 {
            for fill in [0, 1, 255] {
                let _ = message::parse_fork(&vec![fill; len]);
            }
        }
    }
}
