//! TCP sequence numbers as 64-bit offsets. Sequence numbers wrap at 32 bits (RFC 9293 section 3.4),
//! and this module contains all of lcap's arithmetic on them.

/// Distance of a sequence number from the initial one: the SYN is 0, the first byte of data is 1,
/// and negative offsets precede the SYN.
pub(super) type SeqOffset = i64;

/// Returns the offset of `seq` in a stream that starts at `start`: the candidate nearest to `near`.
#[inline]
pub(super) fn offset(seq: u32, start: u32, near: SeqOffset) -> SeqOffset {
    near + i64::from(delta(seq, seq_at(near, start)))
}

/// Returns the sequence number at this offset in a stream that starts at `start`.
#[inline]
pub(super) fn seq_at(offset: SeqOffset, start: u32) -> u32 {
    start.wrapping_add(offset as u32)
}

/// Returns the distance by which `seq` is ahead of `other`; negative if `seq` precedes `other`.
#[inline]
pub(super) fn delta(seq: u32, other: u32) -> i32 {
    seq.wrapping_sub(other) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_continue_where_sequence_numbers_wrap() {
        let start = u32::MAX - 10;
        assert_eq!(offset(start, start, 0), 0);
        assert_eq!(offset(start.wrapping_add(1), start, 0), 1);
        assert_eq!(offset(5, start, 1), 16);
        assert_eq!(offset(start.wrapping_sub(7), start, 0), -7);
        // Several times around the 32-bit space.
        let mut near = 1;
        for _ in 0..10 {
            let next = near + 0x4000_0000;
            let seq = start.wrapping_add(next as u32);
            assert_eq!(offset(seq, start, near), next);
            near = next;
        }
        assert!(near > i64::from(u32::MAX) * 2);
    }
}
