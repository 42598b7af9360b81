//! Names and turns of rotated capture files: tcpdump(1)'s `-C`, `-G`, `-W` and strftime(3) names.
//!
//! Time is the packets' own, so a file that is read and split is split as it would have been live.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use crate::error::{Error, Result};
use crate::host::zone;
use crate::packet::Timestamp;

/// When the next file is begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotation {
    /// `-C`: when the file is larger than this many bytes.
    pub size: Option<u64>,
    /// `-G`: when this many seconds have passed.
    pub seconds: Option<u32>,
    /// `-W`: with `size`, how many files there are, over and over; with `seconds` alone, after how many to end.
    pub files: Option<u32>,
}

/// Makes the names of files, in turn.
#[derive(Debug)]
pub(super) struct Names {
    pattern: PathBuf,
    rotation: Rotation,
    zone: TimeZone,
    /// Since when the current file's time runs; none until the first packet that has a time.
    since: Option<i64>,
    /// Files begun since the last turn by time.
    by_size: u32,
    /// Turns by time.
    by_time: u32,
    first: bool,
    timed: bool,
}

impl Names {
    pub(super) fn new(path: &Path, rotation: Rotation, now: Timestamp) -> Result<Names> {
        let zone = zone::local();
        let since = now.is_known().then(|| now.seconds());
        let pattern = path.to_owned();
        let names = Names {
            pattern,
            rotation,
            zone,
            since,
            by_size: 0,
            by_time: 0,
            first: true,
            timed: false,
        };
        names.name(now).map(|_| names)
    }

    /// Whether a packet of this time, after `size` bytes, belongs into the next file.
    #[inline]
    pub(super) fn is_due(&mut self, time: Timestamp, size: u64) -> bool {
        if let Some(seconds) = self.rotation.seconds
            && time.is_known()
        {
            let since = *self.since.get_or_insert(time.seconds());
            self.timed = time.seconds().saturating_sub(since) >= i64::from(seconds);
            if self.timed {
                return true;
            }
        }
        self.rotation.size.is_some_and(|limit| size > limit)
    }

    /// Whether there is a last file.
    pub(super) fn may_end(&self) -> bool {
        let rotation = self.rotation;
        rotation.files.is_some() && rotation.seconds.is_some() && rotation.size.is_none()
    }

    /// Whether the file that is due would be one too many.
    pub(super) fn is_last(&self) -> bool {
        let files = self.rotation.files.filter(|_| self.may_end());
        self.timed && files.is_some_and(|files| self.by_time + 1 >= files)
    }

    /// The next file's name.
    pub(super) fn next(&mut self, time: Timestamp) -> Result<PathBuf> {
        if self.timed {
            self.timed = false;
            self.by_time += 1;
            self.by_size = 0;
            self.since = Some(time.seconds());
        } else if !self.first {
            self.by_size += 1;
            if let (Some(files), None) = (self.rotation.files, self.rotation.seconds) {
                self.by_size %= files.max(1);
            }
        }
        self.first = false;
        if self.since.is_none() && time.is_known() {
            self.since = Some(time.seconds());
        }
        self.name(time)
    }

    fn name(&self, time: Timestamp) -> Result<PathBuf> {
        let mut name = match self.rotation.seconds {
            Some(_) => self.expand(time)?.into(),
            None => self.pattern.clone().into_os_string(),
        };
        let files = self.rotation.files.filter(|_| self.rotation.size.is_some());
        match files {
            // Leading zeros, so that names sort.
            Some(files) => {
                let width = files.saturating_sub(1).max(1).ilog10() as usize + 1;
                name.push(format!("{:0width$}", self.by_size));
            }
            None if self.by_size > 0 => name.push(self.by_size.to_string()),
            None => {}
        }
        Ok(name.into())
    }

    /// The pattern with its strftime(3) conversions filled in.
    fn expand(&self, time: Timestamp) -> Result<String> {
        let pattern = self.pattern.to_string_lossy();
        let refused = |what: String| {
            Error::Usage(format!(
                "-w {pattern}: cannot be made a file name with -G: {what}"
            ))
        };
        // A name tells when its time began, not when its first packet came.
        let seconds = self.since.unwrap_or(time.seconds());
        let at = jiff::Timestamp::from_second(seconds).map_err(|e| refused(e.to_string()))?;
        let zoned = at.to_zoned(self.zone.clone());
        jiff::fmt::strtime::format(pattern.as_bytes(), &zoned).map_err(|e| refused(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, Rotation};
    use crate::packet::Timestamp;
    use std::path::Path;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(seconds, 0)
    }

    fn names(path: &str, rotation: Rotation, turns: &[(i64, u64)]) -> Vec<String> {
        let mut names = Names::new(Path::new(path), rotation, at(0)).unwrap();
        let mut made = vec![names.next(at(0)).unwrap()];
        for &(time, size) in turns {
            if names.is_due(at(time), size) && !names.is_last() {
                made.push(names.next(at(time)).unwrap());
            }
        }
        made.into_iter()
            .map(|name| name.display().to_string())
            .collect()
    }

    #[test]
    fn by_size_names_count_on() {
        let rotation = Rotation {
            size: Some(100),
            ..Rotation::default()
        };
        assert_eq!(
            names("f", rotation, &[(0, 100), (1, 101), (2, 500)]),
            ["f", "f1", "f2"]
        );
    }

    #[test]
    fn a_ring_of_files_has_leading_zeros_and_begins_again() {
        let rotation = Rotation {
            size: Some(1),
            files: Some(11),
            ..Rotation::default()
        };
        let made = names("f", rotation, &[(0, 9); 11]);
        assert_eq!(
            (made[0].as_str(), made[10].as_str(), made[11].as_str()),
            ("f00", "f10", "f00")
        );
    }

    #[test]
    fn by_time_names_are_expanded_and_end_with_the_last() {
        let rotation = Rotation {
            seconds: Some(10),
            files: Some(2),
            ..Rotation::default()
        };
        assert_eq!(
            names("f%s", rotation, &[(9, 0), (10, 0), (25, 0)]),
            ["f0", "f10"]
        );
    }

    #[test]
    fn both_count_within_a_time() {
        let rotation = Rotation {
            seconds: Some(10),
            size: Some(5),
            files: None,
        };
        let made = names("f%s-", rotation, &[(1, 6), (2, 6), (11, 0), (12, 6)]);
        assert_eq!(made, ["f0-", "f0-1", "f0-2", "f11-", "f11-1"]);
    }
}
