//! What a table says of itself to who watches over several that follow a part of the flows each.

/// The most that a table came to for some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Flows at once.
    pub flows: u64,
    /// Bytes that they held beside themselves.
    pub held: u64,
}
