//! The user on whose behalf files are written.

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fd::OwnedFd;
use rustix::fs::{Stat, Uid, fchown};

use crate::privileges::user::{self, UserChange, UserIds};

/// The user on whose behalf files are written, determined when the capture starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    effective: Uid,
    /// The other user for whom root works, under sudo(8).
    sudo: Option<UserIds>,
    /// The owner of created files, if that is another user.
    owner: Option<UserIds>,
}

impl Caller {
    pub(super) fn of_process() -> Caller {
        let effective = rustix::process::geteuid();
        let sudo = user::sudo_user().filter(|_| effective.is_root());
        Caller {
            effective,
            sudo,
            owner: sudo,
        }
    }

    /// Returns the caller who creates rotated files. While packets are processed, files can neither
    /// be given away nor can those of other users be opened again: all belong to the user as whom
    /// packets are processed.
    pub(super) fn for_rotation(self, directory: BorrowedFd) -> Caller {
        // An error is reported when the user is changed.
        let owner = user::choose(&[directory], UserChange::IfPossible).unwrap_or_default();
        Caller { owner, ..self }
    }

    /// True if a file is not one that an attacker has put in the place of an output file.
    pub(super) fn trusts_file_of(&self, uid: u32) -> bool {
        self.trusts(uid) || self.owner.is_some_and(|owner| owner.uid.as_raw() == uid)
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

    /// Makes another user, e.g. the one who ran sudo(8), the owner of a new file or directory,
    /// which that user might not be able to read otherwise. Fails without the capability, and on a
    /// file system without owners: then the file remains unchanged.
    pub(super) fn give(&self, created: &OwnedFd) {
        if let Some(user) = self.owner {
            let _ = fchown(created, Some(user.uid), Some(user.gid));
        }
    }
}
