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
