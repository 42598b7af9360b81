//! What a capture on a device is asked for.

use std::time::Duration;

use crate::packet::LinkType;

/// What to capture, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The device's name, or `any`.
    pub device: String,
    /// Whether the device is a loopback, where each packet would be queued twice.
    pub is_loopback: bool,
    /// The most bytes to keep of each packet, 1 to [`MAX_SNAP_LEN`].
    pub snap_len: u32,
    /// Size of the kernel's ring in bytes.
    pub buffer: u32,
    /// How frames shall begin, where the device offers a choice.
    pub link: Option<LinkType>,
    /// End after this long.
    pub duration: Option<Duration>,
    /// How soon packets are wanted.
    pub pace: Pace,
    /// In a silence, how often to say what time it is; none is never.
    pub tick: Option<Duration>,
}

/// How soon packets that have come must be given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// Within 50 ms: somebody watches.
    #[default]
    Prompt,
    /// Within 150 ms, in fewer and larger runs: they go into a file.
    Leisurely,
    /// At once, for few and small packets: each wakes who waits for it.
    Immediate,
}

/// tcpdump's and Wireshark's largest snap length, and libpcap's.
pub const MAX_SNAP_LEN: u32 = 262_144;
