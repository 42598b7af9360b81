//! Resolution of the path of a directory, component by component, so that each link is checked.
//! openat2(2) can refuse all links, e.g. /var/run, but not only those of other users.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, fstat, mkdirat, openat, readlinkat};
use rustix::io::Errno;

use super::caller::Caller;

const DIRECTORY_MODE: Mode = Mode::RWXU;
/// Flags to open a directory, or the link in its place. `PATH` does not require the permission to
/// read it.
pub(super) const DIRECTORY_FLAGS: OFlags =
    OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Number of links in a path above which they are considered circular, as in path_resolution(7).
pub(super) const MAX_LINKS: usize = 40;

/// Purpose of the path of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Directory of a file.
    Parent,
    /// Directory that the user named, which is created if it does not exist.
    OutputDirectory,
}

/// Opens a directory component by component, so that each link is checked.
pub(super) fn walk(
    caller: &Caller,
    start: BorrowedFd,
    path: &Path,
    target: Target,
) -> io::Result<OwnedFd> {
    let mut directory = openat(start, ".", DIRECTORY_FLAGS, Mode::empty())?;
    let mut pending = reversed_components(path);
    let mut links = 0;
    while let Some(name) = pending.pop() {
        let next = match openat(&directory, &name, DIRECTORY_FLAGS, Mode::empty()) {
            Err(Errno::NOENT) if target == Target::OutputDirectory => {
                create_directory(caller, &directory, &name)?
            }
            opened => opened?,
        };
        let stat = fstat(&next)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            directory = next;
            continue;
        }
        if links == MAX_LINKS {
            return Err(Errno::LOOP.into());
        }
        links += 1;
        match target == Target::OutputDirectory && pending.is_empty() {
            true => caller.check_last_link(&name, &stat)?,
            false => caller.check_link(&name, &stat)?,
        }
        pending.extend(reversed_components(&read_link(&next, OsStr::new(""))?));
    }
    match FileType::from_raw_mode(fstat(&directory)?.st_mode) {
        FileType::Directory => Ok(directory),
        _ => Err(Errno::NOTDIR.into()),
    }
}

fn reversed_components(path: &Path) -> Vec<OsString> {
    let components = path.components().rev();
    let components = components.filter(|component| *component != Component::CurDir);
    components
        .map(|component| component.as_os_str().into())
        .collect()
}

/// Returns the target of a link in a directory; an empty name is an open link.
pub(super) fn read_link(directory: &OwnedFd, name: &OsStr) -> io::Result<PathBuf> {
    let target = readlinkat(directory, name, Vec::new())?;
    Ok(OsString::from_vec(target.into_bytes()).into())
}

fn create_directory(
    caller: &Caller,
    directory: &OwnedFd,
    name: &OsStr,
) -> rustix::io::Result<OwnedFd> {
    mkdirat(directory, name, DIRECTORY_MODE)?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let created = openat(directory, name, flags, Mode::empty())?;
    caller.give(&created);
    Ok(created)
}
