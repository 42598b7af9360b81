//! Counters of a flow table, for progress displays and reports.

/// Counters of a flow table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlowCounts {
    /// Flows that started.
    pub opened: u64,
    /// Flows that are in the table now.
    pub open: u64,
    /// Flows that were evicted before their end because the table was full.
    pub evicted: u64,
    /// Fragmented datagrams that were dropped incomplete: a fragment was missing or was cut by the
    /// snapshot length.
    pub incomplete: u64,
    /// Packets with a truncated or invalid transport header; they belong to no flow.
    pub unreadable: u64,
}
