//! Coverage queries for maps of non-overlapping ranges, keyed by start offset.

use std::collections::BTreeMap;
use std::ops::Add;

/// Returns true if `at` is covered, and the offset at which the covered or uncovered section that
/// contains `at` ends, limited to `end`.
pub(super) fn covered_until<K: Ord + Copy + Add<Output = K>, P>(
    ranges: &BTreeMap<K, P>,
    len: impl Fn(&P) -> K,
    at: K,
    end: K,
) -> (bool, K) {
    let before = ranges.range(..=at).next_back();
    let covered = before.map(|(&start, range)| start + len(range));
    if let Some(until) = covered.filter(|&until| at < until) {
        return (true, until.min(end));
    }
    let next = ranges.range(at..).next();
    (false, next.map_or(end, |(&start, _)| start.min(end)))
}
