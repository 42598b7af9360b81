//! Whether the device that is captured on is still there (netdevice(7)).
//!
//! The kernel tells a packet socket that its device goes down, once, and nothing when the device is gone a moment later. libpcap
//! asks for it in between, finds it still there, and would wait for ever.

use std::os::fd::BorrowedFd;

/// A device as it was when it was opened; another one of the same name is not it.
pub(super) struct Presence {
    /// None where devices do not go away: a loopback, or all of them together.
    index: Option<u32>,
}

impl Presence {
    /// A device that cannot go away.
    pub(super) const ALWAYS: Presence = Presence { index: None };

    pub(super) fn of(device: &str, socket: BorrowedFd) -> Presence {
        Presence {
            index: rustix::net::netdevice::name_to_index(socket, device).ok(),
        }
    }

    /// Whether it may be gone one day, so that somebody has to look.
    pub(super) fn is_doubtful(&self) -> bool {
        self.index.is_some()
    }

    pub(super) fn is_gone(&self, socket: BorrowedFd) -> bool {
        use rustix::io::Errno;
        use rustix::net::netdevice::index_to_name;
        let gone = |index| {
            matches!(
                index_to_name(socket, index),
                Err(Errno::NODEV | Errno::NXIO)
            )
        };
        self.index.is_some_and(gone)
    }
}
