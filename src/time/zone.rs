//! The local time zone (tzset(3)).

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jiff::tz::TimeZone;

/// The file that defines the time zone if `TZ` is not set.
const LOCALTIME_FILE: &str = "/etc/localtime";

/// Returns the local time zone: that of `TZ`, or the system's; UTC if neither can be read.
///
/// A zone file is parsed directly: jiff would search all zone files for the zone's name, which lcap
/// does not need.
pub fn local() -> TimeZone {
    static LOCAL: OnceLock<TimeZone> = OnceLock::new();
    let zone = LOCAL.get_or_init(|| {
        let file = tz_file(std::env::var_os("TZ").as_deref());
        let zone = file.and_then(|file| read_tzif(&file));
        zone.unwrap_or_else(TimeZone::system)
    });
    zone.clone()
}

/// Returns the zone file: the absolute path in `TZ`, with or without a leading colon, or
/// /etc/localtime if `TZ` is not set; `None` if `TZ` contains a zone's name or description.
fn tz_file(variable: Option<&OsStr>) -> Option<PathBuf> {
    let Some(variable) = variable else {
        return Some(LOCALTIME_FILE.into());
    };
    let path = variable.to_str()?;
    let path = Path::new(path.strip_prefix(':').unwrap_or(path));
    path.is_absolute().then(|| path.to_owned())
}

fn read_tzif(file: &Path) -> Option<TimeZone> {
    TimeZone::tzif("", &fs::read(file).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tz_file_accepts_only_absolute_paths() {
        let named = |text: &str| tz_file(Some(OsStr::new(text)));
        assert_eq!(tz_file(None), Some(LOCALTIME_FILE.into()));
        for text in ["/etc/localtime", ":/etc/localtime"] {
            assert_eq!(named(text), Some(LOCALTIME_FILE.into()));
        }
        for text in ["", "UTC", ":UTC", "CET-1CEST", "Europe/Berlin"] {
            assert_eq!(named(text), None, "{text}");
        }
    }

    /// The offsets include daylight saving time.
    #[test]
    fn tzif_file_yields_the_offsets_of_its_zone() {
        let file = Path::new("/usr/share/zoneinfo/Europe/Berlin");
        let (zone, named) = (read_tzif(file), TimeZone::get("Europe/Berlin"));
        let (zone, named) = (zone.expect("a zone"), named.expect("a zone"));
        for second in (0..4_000_000_000).step_by(40_000_000) {
            let time = jiff::Timestamp::from_second(second).expect("a time");
            assert_eq!(zone.to_offset(time), named.to_offset(time), "{second}");
        }
    }
}
