//! Page prefetching for memory-mapped capture files, on a separate thread.
//!
//! Pages ahead of the reader are populated while the reader processes earlier ones; otherwise it
//! would spend a fifth of its time on page faults. Pages that the reader has passed are released,
//! so that a file of any size occupies only a few megabytes of memory (madvise(2):
//! MADV_POPULATE_READ, MADV_DONTNEED).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use memmap2::{Advice, Mmap};

use super::map::release_pages;

/// Distance ahead of the reader up to which pages are populated, in bytes.
const POPULATE_DISTANCE: usize = 12 << 20;
/// Bytes populated per call.
const POPULATE_STEP: usize = 2 << 20;
/// Bytes released per call: each release interrupts every processor that reads the map (TLB flush).
const RELEASE_STEP: usize = 8 << 20;
/// Minimum distance between released pages and the reader, in bytes; a released page that is read
/// again costs a page fault.
const RELEASE_DISTANCE: usize = 4 << 20;
/// Minimum file size in bytes: smaller files are read before a thread has started.
const MIN_FILE_SIZE: usize = 8 << 20;
/// Pause between checks while enough pages ahead of the reader are populated.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// A running prefetch thread, which stops when this is dropped.
pub(super) struct PagePrefetcher {
    stopped: Arc<AtomicBool>,
}

impl PagePrefetcher {
    /// Starts the thread, which follows `done`, the reader's position in the map; returns `None`
    /// for files that are too small to benefit.
    pub(super) fn start(map: &Arc<Mmap>, done: &Arc<AtomicU64>) -> Option<PagePrefetcher> {
        if map.len() < MIN_FILE_SIZE {
            return None;
        }
        let stopped = Arc::new(AtomicBool::new(false));
        let (map, done, stop) = (Arc::clone(map), Arc::clone(done), Arc::clone(&stopped));
        let thread = std::thread::Builder::new().name("readahead".into());
        // Without the thread, reading is only slower.
        let started = thread.spawn(move || prefetch_pages(&map, &done, &stop));
        started.ok().map(|_| PagePrefetcher { stopped })
    }
}

impl Drop for PagePrefetcher {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

fn prefetch_pages(map: &Mmap, done: &AtomicU64, stopped: &AtomicBool) {
    let (mut populated, mut released) = (0, 0);
    while !stopped.load(Ordering::Relaxed) {
        let reader = usize::try_from(done.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        populated = populated.max(reader / POPULATE_STEP * POPULATE_STEP);
        let can_release = reader >= released + RELEASE_DISTANCE + RELEASE_STEP;
        if can_release {
            release_pages(map, released, RELEASE_STEP);
            released += RELEASE_STEP;
        }
        if populated < map.len() && populated < reader + POPULATE_DISTANCE {
            let len = POPULATE_STEP.min(map.len() - populated);
            // An error means that the kernel lacks MADV_POPULATE_READ (before Linux 5.14) or that
            // the file was truncated meanwhile; the reader notices the latter itself.
            let _ = map.advise_range(Advice::PopulateRead, populated, len);
            populated += len;
        } else if !can_release {
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}
