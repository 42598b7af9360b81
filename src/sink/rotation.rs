//! Rotation of capture files: `-C`, `-G`, `-W` and strftime(3) names as in tcpdump(1).
//!
//! Rotation by time uses the timestamps of the packets, so that splitting a capture file creates
//! the same files as a live capture with rotation.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use crate::error::{Error, Result};
use crate::packet::Timestamp;
use crate::time::zone;

/// Conditions for starting the next capture file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotation {
    /// `-C`: size in bytes above which the next file is started.
    pub size: Option<u64>,
    /// `-G`: period in seconds after which the next file is started.
    pub seconds: Option<u32>,
    /// `-W`: number of files. With `size`, the files form a ring that is overwritten; with
    /// `seconds` alone, writing ends after that many files.
    pub files: Option<u32>,
}

/// Generator of the names of rotated files.
#[derive(Debug)]
pub(super) struct RotatedNames {
    pattern: PathBuf,
    rotation: Rotation,
    zone: TimeZone,
    /// Start of the current period, in seconds since 1970; `None` before the first packet with a
    /// timestamp.
    period_start: Option<i64>,
    /// Number of rotations by size in the current period.
    size_index: u32,
    /// Number of rotations by time.
    period_index: u32,
    /// True before the first file.
    is_first: bool,
    /// True if the last check found that the period is over.
    period_over: bool,
}

impl RotatedNames {
    pub(super) fn new(path: &Path, rotation: Rotation, now: Timestamp) -> Result<RotatedNames> {
        let names = RotatedNames {
            pattern: path.to_owned(),
            rotation,
            zone: zone::local(),
            period_start: now.is_present().then(|| now.seconds()),
            size_index: 0,
            period_index: 0,
            is_first: true,
            period_over: false,
        };
        names.current_path(now).map(|_| names)
    }

    /// Returns the directory that contains all files, or `None` without rotation: the part of the
    /// path before its first strftime(3) conversion.
    pub(super) fn directory(&self) -> Option<&Path> {
        let Rotation { size, seconds, .. } = self.rotation;
        if size.is_none() && seconds.is_none() {
            return None;
        }
        let mut parents = self.pattern.ancestors().skip(1);
        parents.find(|path| seconds.is_none() || !path.as_os_str().as_bytes().contains(&b'%'))
    }

    /// Returns true if a packet of this time, after `size` bytes, belongs to the next file.
    #[inline]
    pub(super) fn check_due(&mut self, time: Timestamp, size: u64) -> bool {
        if let Some(seconds) = self.rotation.seconds
            && time.is_present()
        {
            let start = *self.period_start.get_or_insert(time.seconds());
            self.period_over = time.seconds().saturating_sub(start) >= i64::from(seconds);
            if self.period_over {
                return true;
            }
        }
        self.rotation.size.is_some_and(|limit| size > limit)
    }

    /// Returns true if the next file is due and would exceed the limit.
    pub(super) fn is_last(&self) -> bool {
        let files = self.rotation.files.filter(|_| self.rotation.size.is_none());
        self.period_over && files.is_some_and(|files| self.period_index + 1 >= files)
    }

    /// Returns the name of the next file.
    pub(super) fn next_path(&mut self, time: Timestamp) -> Result<PathBuf> {
        if self.period_over {
            self.period_over = false;
            self.period_index += 1;
            self.size_index = 0;
            self.period_start = Some(time.seconds());
        } else if !self.is_first {
            self.size_index += 1;
            if let (Some(files), None) = (self.rotation.files, self.rotation.seconds) {
                self.size_index %= files.max(1);
            }
        }
        self.is_first = false;
        if self.period_start.is_none() && time.is_present() {
            self.period_start = Some(time.seconds());
        }
        self.current_path(time)
    }

    fn current_path(&self, time: Timestamp) -> Result<PathBuf> {
        let mut name = match self.rotation.seconds {
            Some(_) => self.expand_pattern(time)?.into(),
            None => self.pattern.clone().into_os_string(),
        };
        let files = self.rotation.files.filter(|_| self.rotation.size.is_some());
        match files {
            // With leading zeros, so that names sort in order.
            Some(files) => {
                let width = files.saturating_sub(1).max(1).ilog10() as usize + 1;
                name.push(format!("{:0width$}", self.size_index));
            }
            None if self.size_index > 0 => name.push(self.size_index.to_string()),
            None => {}
        }
        Ok(name.into())
    }

    /// Expands the strftime(3) conversions of the pattern.
    fn expand_pattern(&self, time: Timestamp) -> Result<String> {
        let pattern = self.pattern.to_string_lossy();
        let invalid = |what: String| {
            Error::Usage(format!(
                "-w {pattern}: not a valid strftime(3) file name for -G: {what}"
            ))
        };
        // The name contains the start of the period, not the time of the first packet.
        let seconds = self.period_start.unwrap_or(time.seconds());
        let at = jiff::Timestamp::from_second(seconds).map_err(|e| invalid(e.to_string()))?;
        let zoned = at.to_zoned(self.zone.clone());
        jiff::fmt::strtime::format(pattern.as_bytes(), &zoned).map_err(|e| invalid(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::{RotatedNames, Rotation};
    use crate::packet::Timestamp;
    use std::path::Path;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(seconds, 0)
    }

    /// Returns the names of the files. `packets` has the time of each packet, and the size of the
    /// file before that packet is written.
    fn rotated_names(path: &str, rotation: Rotation, packets: &[(i64, u64)]) -> Vec<String> {
        let mut names = RotatedNames::new(Path::new(path), rotation, at(0)).unwrap();
        let mut paths = vec![names.next_path(at(0)).unwrap()];
        for &(time, size) in packets {
            if names.check_due(at(time), size) && !names.is_last() {
                paths.push(names.next_path(at(time)).unwrap());
            }
        }
        paths
            .into_iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn size_rotation_numbers_the_files() {
        let rotation = Rotation {
            size: Some(100),
            ..Rotation::default()
        };
        assert_eq!(
            rotated_names("f", rotation, &[(0, 100), (1, 101), (2, 500)]),
            ["f", "f1", "f2"]
        );
    }

    #[test]
    fn file_ring_has_leading_zeros_and_wraps() {
        let rotation = Rotation {
            size: Some(1),
            files: Some(11),
            ..Rotation::default()
        };
        let names = rotated_names("f", rotation, &[(0, 9); 11]);
        assert_eq!(
            (names[0].as_str(), names[10].as_str(), names[11].as_str()),
            ("f00", "f10", "f00")
        );
    }

    #[test]
    fn time_rotation_expands_names_and_stops_at_the_limit() {
        let rotation = Rotation {
            seconds: Some(10),
            files: Some(2),
            ..Rotation::default()
        };
        assert_eq!(
            rotated_names("f%s", rotation, &[(9, 0), (10, 0), (25, 0)]),
            ["f0", "f10"]
        );
    }

    #[test]
    fn size_numbers_restart_in_each_period() {
        let rotation = Rotation {
            seconds: Some(10),
            size: Some(5),
            files: None,
        };
        let names = rotated_names("f%s-", rotation, &[(1, 6), (2, 6), (11, 0), (12, 6)]);
        assert_eq!(names, ["f0-", "f0-1", "f0-2", "f11-", "f11-1"]);
    }
}
