//! Fork events of the kernel's process connector (Documentation/driver-api/connector.rst,
//! linux/cn_proc.h).
//!
//! The kernel sends an event before the new process runs. Before Linux 6.6, receiving events
//! requires CAP_NET_ADMIN; since then, it requires no privilege. The receiver must be in the
//! initial PID, user and network namespaces: no events arrive in the namespaces of a container.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::netlink::{CONNECTOR, SocketAddrNetlink};
use rustix::thread::CapabilitySet;

use super::{INITIAL_PID_NAMESPACE_INODE, INITIAL_USER_NAMESPACE_INODE, namespace_inode};
use crate::host::netlink::{NLMSG_DONE, Netlink, encode, messages, u32_at};
use crate::privileges;

/// The ID of the process connector, and of its multicast group.
const CN_IDX_PROC: u32 = 1;
const CN_VAL_PROC: u32 = 1;
const PROC_CN_MCAST_LISTEN: u32 = 1;
/// Unsubscribes.
const PROC_CN_MCAST_IGNORE: u32 = 2;
const PROC_EVENT_FORK: u32 = 1;

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
    netlink: Netlink,
    has_overflowed: bool,
}

impl ForkEvents {
    /// Subscribes to fork events.
    ///
    /// # Errors
    /// The kernel was built without CONFIG_PROC_EVENTS, this process is not permitted to subscribe,
    /// or it runs in a container.
    pub fn listen() -> io::Result<ForkEvents> {
        // In other namespaces the subscription succeeds, but no events arrive.
        if !can_receive_events()? {
            let message = "fork events are available only in the initial namespaces";
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        let netlink = Netlink::open(Some(CONNECTOR))?;
        let (any_port, group) = (0, CN_IDX_PROC);
        let address = SocketAddrNetlink::new(any_port, group);
        privileges::raised(CapabilitySet::NET_ADMIN, || {
            rustix::net::bind(&netlink, &address)
        })?;
        let events = ForkEvents {
            netlink,
            has_overflowed: false,
        };
        // Subscribes to all events, then only to fork events. Kernels before Linux 6.6 ignore the
        // restriction.
        for kind in [None, Some(PROC_EVENT_FORK)] {
            let message = encode_control(PROC_CN_MCAST_LISTEN, kind);
            events.netlink.send(&message)?;
        }
        Ok(events)
    }

    /// Returns the next pending event, without waiting.
    pub fn try_recv(&mut self) -> Option<ForkEvent> {
        use rustix::io::Errno;
        use rustix::net::{RecvFlags, recv};
        let mut buffer = [0; 256];
        loop {
            match recv(&self.netlink, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((len, _)) => {
                    let mut messages = messages(&buffer[..len]).flatten();
                    if let Some(event) = messages.find_map(|message| parse_fork(message.body)) {
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

/// True if this thread is in the initial namespaces, and the kernel provides the process connector.
fn can_receive_events() -> io::Result<bool> {
    if namespace_inode("pid")? != INITIAL_PID_NAMESPACE_INODE
        || namespace_inode("user")? != INITIAL_USER_NAMESPACE_INODE
    {
        return Ok(false);
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
        let message = encode_control(PROC_CN_MCAST_IGNORE, None);
        let _ = self.netlink.send(&message);
    }
}

//   0    4    8     12    16       18      20
//   | ID | ID | seq | ack | length | flags | operation | kind
/// Encodes a message to the process connector: `struct cn_msg`, the operation, and the kind of the
/// events.
fn encode_control(operation: u32, kind: Option<u32>) -> Vec<u8> {
    let fields = [Some(operation), kind].into_iter().flatten();
    let data: Vec<u8> = fields.flat_map(u32::to_ne_bytes).collect();
    let header = [CN_IDX_PROC, CN_VAL_PROC, 0, 0].map(u32::to_ne_bytes);
    let lengths = [data.len() as u16, 0].map(u16::to_ne_bytes);
    let body = [header.as_flattened(), lengths.as_flattened(), &data].concat();
    encode(NLMSG_DONE, 0, &body)
}

//   0        20     24    28     36           40             44          48
//   | cn_msg | kind | cpu | time | parent PID | parent group | child PID | child group
pub(in crate::host) fn parse_fork(body: &[u8]) -> Option<ForkEvent> {
    let [kind, parent, thread, pid] = [20, 40, 44, 48].map(|at| u32_at(body, at));
    // For a new thread, the child PID differs from the thread group.
    (kind? == PROC_EVENT_FORK && thread? == pid?).then_some(ForkEvent {
        pid: pid?,
        parent: parent?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::netlink::datagrams;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn forks_are_parsed_and_threads_are_not(
            mut body in datagrams(),
            kind in 0..3_u32,
            thread in 0..3_u32,
        ) {
            for (at, field) in [(20, kind), (44, thread)] {
                if let Some(bytes) = body.get_mut(at..at + 4) {
                    bytes.copy_from_slice(&field.to_ne_bytes());
                }
            }
            let is_fork = kind == PROC_EVENT_FORK && u32_at(&body, 48) == Some(thread);
            let expected = is_fork.then(|| ForkEvent {
                pid: thread,
                parent: u32_at(&body, 40).expect("a parent"),
            });
            prop_assert_eq!(parse_fork(&body), expected);
        }
    }
}
