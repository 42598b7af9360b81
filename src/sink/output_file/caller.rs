//! The user on whose behalf files are written.

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fd::OwnedFd;
use rustix::fs::{Stat, Uid, fchown};

use crate::privileges::user::{self, UserIds};

/// The user on whose behalf files are written, determined when the capture starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    effective: Uid,
    /// The other user for whom root works, under sudo(8).
    sudo: Option<UserIds>,
    /// True if created files remain those of root.
    keeps_files: bool,
}

impl Caller {
    pub(super) fn of_process() -> Caller {
        let effective = rustix::process::geteuid();
        Caller {
            effective,
            sudo: user::sudo_user().filter(|_| effective.is_root()),
            keeps_files: false,
        }
    }

    /// Returns the owner of rotated files. While packets are processed, root can neither create
    /// files in a directory of another user nor give files away: either the user who ran sudo(8)
    /// can create files in the directory and creates all of them, or all remain those of root.
    pub(super) fn for_rotation(self, directory: BorrowedFd) -> Caller {
        Caller {
            keeps_files: self
                .sudo
                .is_some_and(|user| !user.can_create_files(directory)),
            ..self
        }
    }

    /// True if this user cannot be an attacker: root, the caller, or the user who ran sudo(8).
    pub(super) fn trusts(&self, uid: u32) -> bool {
        let uid = Uid::from_raw(uid);
        uid.is_root() || uid == self.effective || self.sudo.is_some_and(|user| user.uid == uid)
    }

    /// Returns an error if a link belongs to another user.
    pub(super) fn check_link(&self, name: &OsStr, link: &Stat) -> io::Result<()> {
        if self.trusts(link.st_uid) {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "{} is a symbolic link of user {}: remove it, or choose another path",
            name.display(),
            link.st_uid
        )))
    }

    /// Returns an error if a link is not followed as the last component of a path, where it selects
    /// what is written.
    pub(super) fn check_last_link(&self, name: &OsStr, link: &Stat) -> io::Result<()> {
        if self.sudo.is_none() {
            return self.check_link(name, link);
        }
        Err(io::Error::other(format!(
            "{} is a symbolic link, which lcap does not follow under sudo: remove it, or choose \
             another path",
            name.display()
        )))
    }

    /// Under sudo(8), makes the user who ran it the owner of a new file or directory, which that
    /// user might not be able to read otherwise. Fails without the capability, and on a file system
    /// without owners: then the file remains unchanged.
    pub(super) fn give(&self, created: &OwnedFd) {
        if let Some(user) = self.sudo.filter(|_| !self.keeps_files) {
            let _ = fchown(created, Some(user.uid), Some(user.gid));
        }
    }
}
