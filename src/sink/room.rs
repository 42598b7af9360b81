//! Room on the disk for a file that grows.
//!
//! To write into blocks that a file already has takes ext4 two thirds of the time: otherwise it accounts for every 4 KiB by itself.

use std::fs::File;

/// Takes blocks ahead of what is written (fallocate(2)), and gives back what was not needed. The file's size never tells of them.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// How far the file has blocks, in bytes from its beginning; none where it takes them as it grows.
    until: Option<u64>,
    /// Whether it may have more than it needs.
    is_taken: bool,
}

/// So much is taken at once, in bytes, as much as was written within these limits. A file of some packets is not worth it; whoever is killed
/// leaves no more than that.
const AHEAD: std::ops::RangeInclusive<u64> = 1 << 20..=64 << 20;
/// So much has to be free, in bytes: a disk that is nearly full is left to others.
const FREE: u64 = 1 << 30;

impl Room {
    /// For a new file, written from its beginning.
    pub(super) fn of(file: &File) -> Room {
        Room {
            until: is_worth_it(file).then_some(0),
            is_taken: false,
        }
    }

    /// The file will soon be written up to `end`.
    #[inline]
    pub(super) fn reach(&mut self, file: &File, end: u64) {
        if let Some(start) = self.until.filter(|&until| until < end) {
            self.take(file, start, end);
        }
    }

    #[cold]
    fn take(&mut self, file: &File, start: u64, end: u64) {
        let until = end + end.clamp(*AHEAD.start(), *AHEAD.end());
        // What fails may have taken some.
        self.is_taken = true;
        self.until = take(file, start, until - start).then_some(until);
    }

    /// Nothing more will be written.
    pub(super) fn give_back(&mut self, file: &File) {
        self.until = None;
        if std::mem::take(&mut self.is_taken)
            && let Ok(known) = file.metadata()
        {
            // A size set anew frees what lies behind it. Where that fails, the blocks stay the file's.
            let _ = file.set_len(known.len());
        }
    }
}

/// Takes blocks where there are none; whether it could.
fn take(file: &File, start: u64, size: u64) -> bool {
    use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
    fstatvfs(file).is_ok_and(|system| system.f_bavail.saturating_mul(system.f_frsize) > FREE)
        && fallocate(file, FallocateFlags::KEEP_SIZE, start, size).is_ok()
}

/// Whether its file system was found to gain by it. A tmpfs does not, and btrfs would not compress such a file any more.
fn is_worth_it(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|system| system.f_type == libc::EXT4_SUPER_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn blocks_are_taken_ahead_and_given_back() {
        let mut file = tempfile::tempfile().expect("a file");
        let mut room = Room {
            until: Some(0),
            ..Room::default()
        };
        room.reach(&file, 300_000);
        // Not every file system can, and not every disk has room; some only say so.
        let is_taken = room.until.is_some();
        file.write_all(&[1; 300_000]).expect("there is room");
        let is_known = is_taken && is_worth_it(&file);
        assert!(known(&file).1 > 1_300_000 || !is_known);
        // What is there is not taken again.
        room.reach(&file, 1_000_000);
        assert_eq!(room.until, is_taken.then_some(300_000 + (1 << 20)));
        room.give_back(&file);
        assert!(matches!(known(&file), (300_000, ..400_000)));
    }

    /// How long it is, and how many bytes of the disk it takes.
    fn known(file: &File) -> (u64, u64) {
        file.sync_all().expect("all is on the disk");
        let known = file.metadata().expect("metadata");
        (known.len(), known.blocks() * 512)
    }

    #[test]
    fn what_has_no_blocks_is_asked_once() {
        let null = File::options().write(true).open("/dev/null").expect("it");
        assert!(Room::of(&null).until.is_none());
        let mut room = Room {
            until: Some(0),
            ..Room::default()
        };
        room.reach(&null, 1);
        assert!(room.until.is_none());
    }
}
