//! High-water marks of one flow table.

/// Highest values that a table reached since they were last read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Number of flows in the table at the same time.
    pub flows: u64,
    /// Number of bytes buffered by all flows, not counting the flow records.
    pub buffered_bytes: u64,
}
