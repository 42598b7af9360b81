//! Drops: packets that were lost before they were captured.

use super::Timestamp;

/// Packets that were dropped in a period of the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drops {
    /// Start of the period.
    pub since: Timestamp,
    /// End of the period.
    pub until: Timestamp,
    /// Number of packets.
    pub count: u64,
}
