//! Tests of the short path for segments in order.

use std::cell::Cell;

thread_local! {
    /// Number of segments of this thread that took the short path.
    pub(super) static IN_ORDER_SEGMENTS: Cell<u64> = const { Cell::new(0) };
}
