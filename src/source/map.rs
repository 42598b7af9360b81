//! Files as memory (mmap(2)).

use memmap2::{Advice, Mmap, UncheckedAdvice};
use std::fs::File;
use std::io;

/// Maps a regular file that is not empty, for reading from its beginning to its end.
///
/// # Errors
/// The file is empty, or its file system cannot map it; it can still be read.
#[allow(unsafe_code)]
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is private and only read, and every read is inside its length. What the compiler cannot know is whether another
    // process writes to the file meanwhile. Bytes that change give other packets, never anything worse: each is checked again on its own.
    // A file that is cut shorter meanwhile ends this process with SIGBUS, as it ends every program that maps files.
    let map = unsafe { Mmap::map(file) }?;
    // Only advice: a kernel that does not take it reads ahead less.
    let _ = map.advise(Advice::Sequential);
    Ok(map)
}

/// Gives pages of a map back: whoever looks there again gets them from the file again.
#[allow(unsafe_code)]
pub(super) fn give_back(map: &Mmap, offset: usize, len: usize) {
    // SAFETY: the pages belong to a file and were never written to, so that giving them back loses nothing.
    let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, len) };
}

/// Asks the processor for the two lines of its cache that the bytes of a map at this place begin in, and does not wait for them. Only advice:
/// it is not given to processors for which Rust has no word for it.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn prefetch(map: &[u8], at: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in [at, at.wrapping_add(64)] {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let line = map.as_ptr().wrapping_add(line);
        // SAFETY: it reads nothing that the program sees, and does not fault wherever it points to.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (map, at);
}
