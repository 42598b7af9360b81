//! Memory-mapped files (mmap(2)).

use memmap2::{Advice, Mmap, UncheckedAdvice};
use std::fs::File;
use std::io;

/// Cache lines to prefetch, as offsets in bytes: those of the next packet's headers, and those of a
/// packet further ahead, for which the time until the next packet is too short.
const PREFETCHED_LINES: [usize; 4] = [0, 64, 512, 576];

/// Maps a regular file that is not empty, for sequential reading.
///
/// # Errors
/// The file is empty, or its file system does not support mapping; it can still be read.
#[allow(unsafe_code)]
pub(super) fn map_file(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is private and only read, and every read is inside its length. The compiler
    // cannot rule out that another process writes to the file meanwhile. Bytes that change yield
    // different packets and nothing worse, because every access is bounds-checked. If the
    // file is truncated meanwhile, SIGBUS ends this process, like every program that maps files.
    let map = unsafe { Mmap::map(file) }?;
    // Only advice: a kernel that ignores it reads ahead less.
    let _ = map.advise(Advice::Sequential);
    Ok(map)
}

/// Populates pages of a map, up to its end, before they are read (madvise(2): MADV_POPULATE_READ).
pub(super) fn populate_pages(map: &Mmap, offset: usize, len: usize) {
    let len = len.min(map.len().saturating_sub(offset));
    if len > 0 {
        // An error means that the kernel lacks the advice (before Linux 5.14) or that the file was
        // truncated meanwhile; the reader notices the latter itself.
        let _ = map.advise_range(Advice::PopulateRead, offset, len);
    }
}

/// Releases pages of a map; a later access reads them from the file again.
#[allow(unsafe_code)]
pub(super) fn release_pages(map: &Mmap, offset: usize, len: usize) {
    // SAFETY: the pages belong to a file and were never written to, so releasing them loses
    // nothing.
    let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, len) };
}

/// Loads the next bytes from this offset into the processor's cache; they are read soon. On
/// processors for which stable Rust has no intrinsic, nothing happens.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn prefetch(map: &Mmap, offset: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in PREFETCHED_LINES {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let address = map.as_ptr().wrapping_add(offset + line);
        // SAFETY: a prefetch has no visible effect and does not fault, even at an invalid address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (map, offset);
}
