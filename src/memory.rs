//! Memory that the processor is asked for before it is needed, so that nobody waits for it. Only advice: nothing else depends on it.

/// Asks for the two lines of a cache that the bytes at this place begin in, wherever that is.
#[inline(always)]
pub fn prefetch_at(bytes: &[u8], at: usize) {
    prefetch_lines::<NOW>(bytes.as_ptr().wrapping_add(at), PAIR);
}

/// How many bytes [`prefetch_at`] asks for.
pub const PAIR: usize = 2 * LINE;

/// Asks for the lines of so many bytes from this place on, wherever that is, which are needed later: they wait in a larger cache.
#[inline(always)]
pub fn prefetch_later(bytes: &[u8], at: usize, len: usize) {
    let start = bytes.as_ptr().wrapping_add(at);
    // Two by two: what is asked for beyond the end belongs to what comes next.
    for at in (0..len).step_by(PAIR) {
        prefetch_lines::<LATER>(start.wrapping_add(at), PAIR);
    }
}

/// Asks for all lines of a value.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    let (start, len) = (std::ptr::from_ref(value).cast::<u8>(), size_of::<T>());
    prefetch_lines::<NOW>(start, len);
    // It hardly ever begins where a line does: it ends in one line more.
    if len > LINE {
        prefetch_line::<NOW>(start.wrapping_add(len - 1));
    }
}

#[inline(always)]
fn prefetch_lines<const INTO: i32>(start: *const u8, len: usize) {
    for at in (0..len).step_by(LINE) {
        prefetch_line::<INTO>(start.wrapping_add(at));
    }
}

/// A line's length in bytes; where it is another, some are asked for twice or not at all.
const LINE: usize = 64;

/// Into which caches, as `_mm_prefetch` has it: all (`_MM_HINT_T0`), or all but the smallest (`_MM_HINT_T1`).
const NOW: i32 = 3;
const LATER: i32 = 2;

/// Not given to processors for which Rust has no word for it.
#[inline(always)]
#[allow(unsafe_code)]
fn prefetch_line<const INTO: i32>(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::_mm_prefetch;
        // SAFETY: it reads nothing that the program sees, and does not fault wherever it points to.
        unsafe { _mm_prefetch::<INTO>(line.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
