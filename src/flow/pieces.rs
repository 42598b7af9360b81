//! Pieces of a whole, by where they begin; they do not overlap, because what is there first stays.

use std::collections::BTreeMap;
use std::ops::Add;

/// What there is from `at` on, up to `end` at most: whether a piece is there, and until where that is so.
pub(super) fn stretch<K: Ord + Copy + Add<Output = K>, P>(
    pieces: &BTreeMap<K, P>,
    len: impl Fn(&P) -> K,
    at: K,
    end: K,
) -> (bool, K) {
    let before = pieces.range(..=at).next_back();
    let covered = before.map(|(&start, piece)| start + len(piece));
    if let Some(until) = covered.filter(|&until| at < until) {
        return (true, until.min(end));
    }
    let behind = pieces.range(at..).next();
    (false, behind.map_or(end, |(&start, _)| start.min(end)))
}
