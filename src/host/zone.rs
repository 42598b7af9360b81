//! The time zone of this machine's clock (tzset(3)).

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

/// What the zone is where `TZ` says nothing.
const LOCAL: &str = "/etc/localtime";

/// The local time zone: that of `TZ`, or the system's; UTC where neither can be read.
///
/// Where that is a file it is read as it is: to learn the zone's name as well, which nobody asks for, jiff looks through all that there are.
pub fn local() -> TimeZone {
    let file = file(std::env::var_os("TZ").as_deref());
    let zone = file.and_then(|file| read(&file));
    zone.unwrap_or_else(TimeZone::system)
}

/// The file that `TZ` names, with or without a colon in front of it; none if it names a zone, or describes one.
fn file(variable: Option<&OsStr>) -> Option<PathBuf> {
    let Some(variable) = variable else {
        return Some(LOCAL.into());
    };
    let path = variable.to_str()?;
    let path = Path::new(path.strip_prefix(':').unwrap_or(path));
    path.is_absolute().then(|| path.to_owned())
}

fn read(file: &Path) -> Option<TimeZone> {
    TimeZone::tzif("", &fs::read(file).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_file() {
        let named = |text: &str| file(Some(OsStr::new(text)));
        assert_eq!(file(None), Some(LOCAL.into()));
        for text in ["/etc/localtime", ":/etc/localtime"] {
            assert_eq!(named(text), Some(LOCAL.into()));
        }
        for text in ["", "UTC", ":UTC", "CET-1CEST", "Europe/Berlin"] {
            assert_eq!(named(text), None, "{text}");
        }
    }

    /// A file says what its name says, summer time included.
    #[test]
    fn a_file_is_the_zone() {
        let file = Path::new("/usr/share/zoneinfo/Europe/Berlin");
        let (zone, named) = (read(file), TimeZone::get("Europe/Berlin"));
        let (zone, named) = (zone.expect("a zone"), named.expect("a zone"));
        for second in (0..4_000_000_000).step_by(40_000_000) {
            let time = jiff::Timestamp::from_second(second).expect("a time");
            assert_eq!(zone.to_offset(time), named.to_offset(time), "{second}");
        }
    }
}
