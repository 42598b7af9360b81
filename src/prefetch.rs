//! Prefetch hints for memory that is needed soon. They affect only speed, never results.

/// Prefetches the first [`LINE_PAIR_BYTES`] bytes at an offset, which may be out of bounds.
#[inline(always)]
pub fn prefetch_at(bytes: &[u8], at: usize) {
    prefetch_lines::<HINT_T0>(bytes.as_ptr().wrapping_add(at), LINE_PAIR_BYTES);
}

/// Number of bytes that [`prefetch_at`] covers: two cache lines.
pub const LINE_PAIR_BYTES: usize = 2 * CACHE_LINE_BYTES;

/// Prefetches `len` bytes from an offset, which may be out of bounds, into the larger caches only:
/// for data that is needed later.
#[inline(always)]
pub fn prefetch_later(bytes: &[u8], at: usize, len: usize) {
    let start = bytes.as_ptr().wrapping_add(at);
    // Rounded up to pairs of lines: bytes beyond the end are usually needed by the next call.
    for at in (0..len).step_by(LINE_PAIR_BYTES) {
        prefetch_lines::<HINT_T1>(start.wrapping_add(at), LINE_PAIR_BYTES);
    }
}

/// Prefetches all cache lines of a value.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    let (start, len) = (std::ptr::from_ref(value).cast::<u8>(), size_of::<T>());
    prefetch_lines::<HINT_T0>(start, len);
    // A value is rarely aligned to a line, so it usually ends in one more line.
    if len > CACHE_LINE_BYTES {
        prefetch_line::<HINT_T0>(start.wrapping_add(len - 1));
    }
}

#[inline(always)]
fn prefetch_lines<const HINT: i32>(start: *const u8, len: usize) {
    for at in (0..len).step_by(CACHE_LINE_BYTES) {
        prefetch_line::<HINT>(start.wrapping_add(at));
    }
}

/// Size of a cache line in bytes. On processors with other sizes, some lines are prefetched twice
/// or skipped.
const CACHE_LINE_BYTES: usize = 64;

/// Cache levels of `_mm_prefetch`: all (`_MM_HINT_T0`), or all but the smallest (`_MM_HINT_T1`).
const HINT_T0: i32 = 3;
const HINT_T1: i32 = 2;

/// Prefetches one line; does nothing on processors for which stable Rust has no intrinsic.
#[inline(always)]
#[allow(unsafe_code)]
fn prefetch_line<const HINT: i32>(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::_mm_prefetch;
        // SAFETY: a prefetch has no visible effect and does not fault, even at an invalid address.
        unsafe { _mm_prefetch::<HINT>(line.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
