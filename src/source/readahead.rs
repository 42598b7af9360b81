//! A thread that goes before the reader of a mapped file, and behind it.
//!
//! Before it, pages are mapped while the reader still works on others, which otherwise spends a fifth of its time on page faults.
//! Behind it, they are given back, so that a file of any size takes a few megabytes (madvise(2): MADV_POPULATE_READ, MADV_DONTNEED).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use memmap2::{Advice, Mmap};

use super::map::give_back;

/// How far pages are mapped before the reader, in bytes.
const AHEAD: usize = 12 << 20;
/// How many are mapped at once, and how many given back: every time, all processors that read the map have to hear of it.
const STEP: usize = 2 << 20;
const GIVEN_BACK: usize = 8 << 20;
/// How far behind the reader they are given back; what it looks at again by then only costs it a fault.
const BEHIND: usize = 4 << 20;
/// Smaller files are read before a thread has begun.
const WORTH_IT: usize = 8 << 20;
/// How long to wait when far enough ahead.
const NAP: Duration = Duration::from_millis(1);

/// Goes with the reader until it is dropped.
pub(super) struct Readahead {
    over: Arc<AtomicBool>,
}

impl Readahead {
    /// Begins to follow `done`, the reader's position in the map; not where that is not worth it.
    pub(super) fn start(map: &Arc<Mmap>, done: &Arc<AtomicU64>) -> Option<Readahead> {
        if map.len() < WORTH_IT {
            return None;
        }
        let over = Arc::new(AtomicBool::new(false));
        let (map, done, ended) = (Arc::clone(map), Arc::clone(done), Arc::clone(&over));
        let thread = std::thread::Builder::new().name("readahead".into());
        // Without the thread it is only slower.
        let started = thread.spawn(move || go(&map, &done, &ended));
        started.ok().map(|_| Readahead { over })
    }
}

impl Drop for Readahead {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn go(map: &Mmap, done: &AtomicU64, over: &AtomicBool) {
    let (mut mapped, mut given_back) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        let reader = usize::try_from(done.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        mapped = mapped.max(reader / STEP * STEP);
        let is_behind = reader >= given_back + BEHIND + GIVEN_BACK;
        if is_behind {
            give_back(map, given_back, GIVEN_BACK);
            given_back += GIVEN_BACK;
        }
        if mapped < map.len() && mapped < reader + AHEAD {
            let len = STEP.min(map.len() - mapped);
            // A kernel that does not know it, or a file that was cut meanwhile: the reader will see.
            let _ = map.advise_range(Advice::PopulateRead, mapped, len);
            mapped += len;
        } else if !is_behind {
            std::thread::sleep(NAP);
        }
    }
}
