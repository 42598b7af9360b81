//! Detection of a capture device that disappears (netdevice(7)).
//!
//! The kernel reports to a packet socket that its device is going down, but not that the device is
//! removed a moment later. libpcap checks only in between, while the device is still present, and
//! would then wait forever.

use std::os::fd::BorrowedFd;

/// The device that was opened; a later device with the same name counts as a different device.
pub(super) struct DeviceMonitor {
    /// Interface index; `None` for devices that cannot disappear: loopback and `any`.
    index: Option<u32>,
}

impl DeviceMonitor {
    /// The monitor of a device that cannot disappear.
    pub(super) const PERMANENT: DeviceMonitor = DeviceMonitor { index: None };

    pub(super) fn new(device: &str, socket: BorrowedFd) -> DeviceMonitor {
        DeviceMonitor {
            index: rustix::net::netdevice::name_to_index(socket, device).ok(),
        }
    }

    /// True if the device can disappear, so that it has to be checked.
    pub(super) fn can_disappear(&self) -> bool {
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
