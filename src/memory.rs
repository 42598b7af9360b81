//! Memory that the processor is asked for before it is needed, so that nobody waits for it. Only advice: nothing else depends on it.

/// Asks for the two lines of a cache that the bytes at this place begin in, wherever that is.
#[inline(always)]
pub fn prefetch_at(bytes: &[u8], at: usize) {
    let start = bytes.as_ptr().wrapping_add(at);
    prefetch_line(start);
    prefetch_line(start.wrapping_add(LINE));
}

/// How many bytes [`prefetch_at`] asks for.
pub const PAIR: usize = 2 * LINE;

/// Asks for all lines of a value.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    for at in (0..size_of::<T>()).step_by(LINE) {
        prefetch_line(start.wrapping_add(at));
    }
}

/// A line's length in bytes; where it is another, some are asked for twice or not at all.
const LINE: usize = 64;

/// Not given to processors for which Rust has no word for it.
#[inline(always)]
#[allow(unsafe_code)]
fn prefetch_line(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: it reads nothing that the program sees, and does not fault wherever it points to.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
