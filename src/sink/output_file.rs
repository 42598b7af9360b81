//! Output files: the only place where files and directories are created or opened for writing.
//!
//! Other users can put links and files where lcap is about to write, e.g. in /tmp, and lcap often
//! runs as root on behalf of another user. Therefore paths are opened component by component, links
//! are checked before they are followed, and only what lcap created changes its owner.

mod caller;
mod walk;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, ftruncate, openat, statat, unlinkat,
};
use rustix::io::Errno;

use crate::error::{Error, Result, WriteFailure};
use caller::Caller;
use walk::{DIRECTORY_FLAGS, MAX_LINKS, Target, read_link, walk};

/// A directory that was opened once, in which output files are created. Its path is not resolved
/// again, so another user cannot redirect later files.
#[derive(Debug)]
pub struct OutputDirectory {
    path: PathBuf,
    directory: OwnedFd,
    caller: Caller,
}

/// An output file, whose old contents are discarded when it is first written: without a valid
/// input, they remain. Write errors contain its name.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    file: File,
    /// True if the file has old contents, which are discarded.
    has_old_contents: bool,
}

/// Mode of created files: they contain payload and command lines of all users.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Opens an output file, or the inherited descriptor that is meant by `-`, /dev/stdout,
/// /dev/stderr, /dev/fd/N or /proc/self/fd/N. If a file exists, it keeps its owner and mode.
///
/// # Errors
/// The file cannot be created, or is not safe to write.
pub fn create_output_file(path: &Path) -> Result<OutputFile> {
    let text = path.to_str().unwrap_or_default();
    let number = ["/dev/fd/", "/proc/self/fd/"]
        .iter()
        .find_map(|start| text.strip_prefix(start))
        .filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let opened = match (text, number) {
        ("-" | "/dev/stdout", _) | (_, Some("1")) => duplicate(io::stdout().as_fd()),
        ("/dev/stderr", _) | (_, Some("2")) => duplicate(io::stderr().as_fd()),
        (_, Some(_)) => File::options().write(true).truncate(true).open(path),
        _ => open_parent(path.parent()).and_then(|directory| directory.open_or_create(path)),
    };
    let file = opened.map_err(Error::file("cannot create", path))?;
    // Output to an inherited descriptor is appended.
    let is_inherited = text == "-" || text.starts_with("/dev/std") || number.is_some();
    Ok(OutputFile {
        has_old_contents: !is_inherited && is_regular(&file),
        file,
        path: path.into(),
    })
}

impl OutputFile {
    /// Returns the file.
    pub fn as_file(&self) -> &File {
        &self.file
    }

    /// Returns the file, after its old contents are discarded.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn begin(&mut self) -> io::Result<&mut File> {
        if std::mem::take(&mut self.has_old_contents) {
            ftruncate(&self.file, 0)?;
        }
        Ok(&mut self.file)
    }
}

fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

impl From<OutputFile> for File {
    fn from(output: OutputFile) -> File {
        output.file
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.begin().and_then(|file| file.write(bytes));
        written.map_err(|cause| match cause.kind() {
            io::ErrorKind::Interrupted => cause,
            kind => {
                let output = self.path.display().to_string();
                io::Error::new(kind, WriteFailure { output, cause })
            }
        })
    }

    /// Also discards the old contents if nothing was written.
    fn flush(&mut self) -> io::Result<()> {
        self.begin()?.flush()
    }
}

impl OutputDirectory {
    /// Opens the directory of rotated files.
    ///
    /// # Errors
    /// The directory does not exist, or a link in its path belongs to another user.
    pub fn open(path: &Path) -> Result<OutputDirectory> {
        let opened = open_parent(Some(path)).map_err(Error::file("cannot open", path))?;
        Ok(OutputDirectory {
            caller: opened.caller.for_rotation(opened.directory.as_fd()),
            ..opened
        })
    }

    /// Opens a directory for files that are replaced, and creates it if it does not exist.
    ///
    /// # Errors
    /// The directory cannot be created, or belongs to another user, who can replace files in it.
    pub fn create(path: &Path) -> Result<OutputDirectory> {
        let caller = Caller::of_process();
        let directory = walk(&caller, CWD, path, Target::OutputDirectory);
        let directory = directory.map_err(Error::file("cannot create", path))?;
        check_directory(&caller, &directory).map_err(Error::file("cannot use", path))?;
        Ok(OutputDirectory {
            path: path.into(),
            directory,
            caller,
        })
    }

    /// Returns the path with which the directory was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file of the directory, given by its path. If the file exists, it keeps its owner and
    /// mode. Links are not followed: files elsewhere cannot be opened while packets are processed.
    ///
    /// # Errors
    /// The file cannot be created, or is not safe to write.
    pub fn open_file(&self, path: &Path) -> Result<OutputFile> {
        let name = path.file_name().ok_or(Errno::ISDIR.into());
        let opened = name.and_then(|name| {
            let opened = create_or_open(&self.caller, &self.directory, name)?;
            opened.map_err(|_link| not_replaceable("a symbolic link"))
        });
        let file = opened.map_err(Error::file("cannot create", path))?;
        Ok(OutputFile {
            has_old_contents: is_regular(&file),
            file,
            path: path.into(),
        })
    }

    /// Creates a file with this name. If the file exists, it is replaced, never opened.
    ///
    /// # Errors
    /// The file cannot be created, or the name is that of something else, e.g. a link.
    pub fn replace_file(&self, name: &str) -> Result<File> {
        let created = create_file(&self.caller, &self.directory, name.as_ref());
        let created = created.or_else(|errno| match errno {
            Errno::EXIST => {
                let stat = statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                check_replaceable(&stat)?;
                unlinkat(&self.directory, name, AtFlags::empty())?;
                Ok(create_file(&self.caller, &self.directory, name.as_ref())?)
            }
            errno => Err(errno.into()),
        });
        created.map_err(Error::file("cannot create", self.path.join(name)))
    }

    /// Opens a file that [`replace_file`](Self::replace_file) has created, to append to it.
    ///
    /// # Errors
    /// The file cannot be opened, or something that is not safe to write has replaced it.
    pub fn append_to_file(&self, name: &str) -> Result<File> {
        open_existing(&self.caller, &self.directory, name.as_ref(), OFlags::APPEND)
            .map_err(Error::file("cannot open", self.path.join(name)))
    }

    fn open_or_create(&self, path: &Path) -> io::Result<File> {
        if path.as_os_str().as_bytes().ends_with(b"/") {
            return Err(Errno::ISDIR.into());
        }
        let mut directory = openat(&self.directory, ".", DIRECTORY_FLAGS, Mode::empty())?;
        let mut path = path.strip_prefix(&self.path).unwrap_or(path).to_owned();
        for _ in 0..MAX_LINKS {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(Errno::ISDIR.into());
            };
            directory = walk(&self.caller, directory.as_fd(), parent, Target::Parent)?;
            match create_or_open(&self.caller, &directory, name)? {
                Ok(file) => return Ok(file),
                Err(link) => self.caller.check_last_link(name, &link)?,
            }
            path = read_link(&directory, name)?;
        }
        Err(Errno::LOOP.into())
    }
}

impl AsFd for OutputDirectory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

fn duplicate(descriptor: BorrowedFd) -> io::Result<File> {
    descriptor.try_clone_to_owned().map(File::from)
}

/// Opens the directory of a file.
fn open_parent(path: Option<&Path>) -> io::Result<OutputDirectory> {
    let (path, caller) = (path.unwrap_or(Path::new("")), Caller::of_process());
    Ok(OutputDirectory {
        directory: walk(&caller, CWD, path, Target::Parent)?,
        path: path.into(),
        caller,
    })
}

/// Creates a file, or opens it if it exists. The inner error is a link, which is not followed.
fn create_or_open(
    caller: &Caller,
    directory: &OwnedFd,
    name: &OsStr,
) -> io::Result<Result<File, Stat>> {
    match create_file(caller, directory, name) {
        Err(Errno::EXIST) => {}
        created => return Ok(Ok(created?)),
    }
    let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => Ok(Err(stat)),
        _ => open_existing(caller, directory, name, OFlags::empty()).map(Ok),
    }
}

/// Creates a file; fails if the name exists, even as a link.
fn create_file(caller: &Caller, directory: &OwnedFd, name: &OsStr) -> rustix::io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, FILE_MODE)?;
    caller.give(&file);
    Ok(file.into())
}

/// Opens an existing file. It is checked before, because opening a FIFO has an effect, and after,
/// because it can be replaced in between.
fn open_existing(
    caller: &Caller,
    directory: &OwnedFd,
    name: &OsStr,
    flags: OFlags,
) -> io::Result<File> {
    let parent = fstat(directory)?;
    let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    check_existing(caller, &parent, &stat)?;
    let mut flags = flags | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Fifo {
        // Fails with ENXIO while the FIFO has no reader, instead of waiting for one.
        flags |= OFlags::NONBLOCK;
    }
    let file = openat(directory, name, flags, Mode::empty())?;
    check_existing(caller, &parent, &fstat(&file)?)?;
    Ok(file.into())
}

/// Returns an error if a file can be one that another user has put in its place. Devices are
/// accepted: only root can create them.
fn check_existing(caller: &Caller, parent: &Stat, stat: &Stat) -> io::Result<()> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Directory {
        return Err(Errno::ISDIR.into());
    }
    if kind == FileType::RegularFile && stat.st_nlink > 1 {
        return Err(io::Error::other(
            "the file has other names (hard links), whose contents would be overwritten: remove \
             it, or choose another name",
        ));
    }
    let is_device = matches!(kind, FileType::CharacterDevice | FileType::BlockDevice);
    let others_can_write = Mode::from_raw_mode(parent.st_mode).intersects(Mode::WGRP | Mode::WOTH);
    let is_private = caller.trusts(parent.st_uid) && !others_can_write;
    if is_device || is_private || caller.trusts_file_of(stat.st_uid) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "it belongs to user {}, in a directory where other users can create files: choose another \
         name",
        stat.st_uid
    )))
}

/// Returns an error if something is not replaced.
fn check_replaceable(stat: &Stat) -> io::Result<()> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Symlink => "a symbolic link",
        _ => "not a regular file",
    };
    Err(not_replaceable(kind))
}

fn not_replaceable(kind: &str) -> io::Error {
    io::Error::other(format!(
        "it exists and is {kind}: remove it, or choose another directory"
    ))
}

/// Returns an error if a directory belongs to another user.
fn check_directory(caller: &Caller, directory: &OwnedFd) -> io::Result<()> {
    let owner = fstat(directory)?.st_uid;
    if caller.trusts(owner) {
        return Ok(());
    }
    let link = first_link(directory).map_or(String::new(), |name| {
        format!(", e.g. with the link {}", name.display())
    });
    Err(io::Error::other(format!(
        "it belongs to user {owner}, who can redirect files in it{link}: choose a directory of \
         your own, e.g. a new one"
    )))
}

/// Returns the name of a link in a directory, if there is one.
fn first_link(directory: &OwnedFd) -> Option<OsString> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = openat(directory, ".", flags, Mode::empty()).ok()?;
    let mut entries = Dir::new(readable).ok()?.flatten();
    let link = entries.find(|entry| entry.file_type() == FileType::Symlink)?;
    Some(OsString::from_vec(link.file_name().to_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Replacements of a file that lcap has created, before it appends to the file.
    #[test]
    fn replaced_files_are_not_appended_to() {
        let top = tempfile::tempdir().unwrap();
        let [victim, file] = ["victim", "file"].map(|name| top.path().join(name));
        let directory = OutputDirectory::create(top.path()).unwrap();
        let replacements: [(&str, &dyn Fn() -> io::Result<()>); 3] = [
            ("os error 40", &|| symlink(&victim, &file)),
            ("hard links", &|| std::fs::hard_link(&victim, &file)),
            ("os error 2", &|| Ok(())),
        ];
        for (message, replace) in replacements {
            std::fs::write(&victim, "precious").unwrap();
            let mut created = directory.replace_file("file").unwrap();
            created.write_all(b"one").unwrap();
            let mut appended = directory.append_to_file("file").unwrap();
            appended.write_all(b"two").unwrap();
            assert_eq!(std::fs::read(&file).unwrap(), b"onetwo");
            std::fs::remove_file(&file).unwrap();
            replace().unwrap();
            let error = directory.append_to_file("file").unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
            assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
            let _ = std::fs::remove_file(&file);
        }
    }
}
