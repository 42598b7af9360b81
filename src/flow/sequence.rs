//! TCP sequence numbers as offsets: 32 bits wrap (RFC 9293 section 3.4), 64 do not. Nothing else in lcap does that arithmetic.

/// How far a sequence number is from the initial one: the SYN is 0, the first byte of data 1; below 0 it was sent before.
pub(super) type Offset = i64;

/// The offset of `seq` in a stream that begins at `start`: of all that wrap to it, the one nearest to `near`.
#[inline]
pub(super) fn offset(seq: u32, start: u32, near: Offset) -> Offset {
    near + i64::from(delta(seq, number(near, start)))
}

/// The sequence number at this offset in a stream that begins at `start`.
#[inline]
pub(super) fn number(offset: Offset, start: u32) -> u32 {
    start.wrapping_add(offset as u32)
}

/// How far `seq` is ahead of `other`; negative where it is behind.
#[inline]
pub(super) fn delta(seq: u32, other: u32) -> i32 {
    seq.wrapping_sub(other) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_go_on_where_numbers_wrap() {
        let start = u32::MAX - 10;
        assert_eq!(offset(start, start, 0), 0);
        assert_eq!(offset(start.wrapping_add(1), start, 0), 1);
        assert_eq!(offset(5, start, 1), 16);
        assert_eq!(offset(start.wrapping_sub(7), start, 0), -7);
        // Around and around again.
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
