//! Options of a live capture.

use std::time::Duration;

use crate::packet::LinkType;

/// Device and settings of a live capture.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Device name, or `any`.
    pub device: String,
    /// True for a loopback device, which shows each packet twice; only one copy is captured.
    pub is_loopback: bool,
    /// Maximum number of bytes captured per packet, 1 to [`MAX_SNAP_LEN`].
    pub snap_len: u32,
    /// Size of the kernel's ring in bytes.
    pub ring_size: u32,
    /// Link-layer header type to request, if the device offers several.
    pub link: Option<LinkType>,
    /// Capture duration; `None` for no limit.
    pub duration: Option<Duration>,
    /// Delivery latency.
    pub delivery: DeliveryMode,
    /// Interval at which idle events are repeated while no packets arrive; `None` for no
    /// repetition.
    pub tick_interval: Option<Duration>,
}

/// Size of the kernel's ring by default, in bytes.
const DEFAULT_RING_BYTES: u32 = 64 << 20;

/// Returns the options of a capture of whole packets on the loopback device, without end.
impl Default for LiveOptions {
    fn default() -> LiveOptions {
        LiveOptions {
            device: "lo".to_owned(),
            is_loopback: true,
            snap_len: MAX_SNAP_LEN,
            ring_size: DEFAULT_RING_BYTES,
            link: None,
            duration: None,
            delivery: DeliveryMode::default(),
            tick_interval: None,
        }
    }
}

/// The time within which received packets are delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeliveryMode {
    /// Within 50 ms: for output on a terminal.
    #[default]
    Interactive,
    /// Within 150 ms, in fewer and larger batches: for files.
    Batched,
    /// Immediately, for few and small packets: each packet wakes the reader.
    Immediate,
}

/// Maximum snapshot length in bytes, the same as in tcpdump, Wireshark and libpcap.
pub const MAX_SNAP_LEN: u32 = 262_144;
