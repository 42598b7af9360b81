//! The user as whom packets are processed: root becomes the user who ran sudo(8), where all output
//! files can still be written.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, Stat, fstat};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// Whether root becomes another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserChange {
    /// As [`IfPossible`](Self::IfPossible) if there are output directories; otherwise root remains
    /// root.
    IfNeeded,
    /// Root becomes the user who ran sudo(8), if there is one, and if that user can create files in
    /// all output directories. If only the owner of the directories can, it becomes the owner.
    IfPossible,
}

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserIds {
    /// The user ID.
    pub uid: Uid,
    /// The ID of the group.
    pub gid: Gid,
}

impl UserIds {
    /// Changes the user and the groups of this process, which has one thread.
    pub(super) fn assume(self) -> io::Result<()> {
        let UserIds { uid, gid } = self;
        set_thread_groups(&[gid])?;
        set_thread_res_gid(gid, gid, gid)?;
        Ok(set_thread_res_uid(uid, uid, uid)?)
    }
}

/// Returns the user that this process becomes; `None` if it remains the same.
///
/// # Errors
/// No user can create files in all directories without capabilities.
pub fn choose(directories: &[BorrowedFd], change: UserChange) -> io::Result<Option<UserIds>> {
    let is_needed = change == UserChange::IfPossible || !directories.is_empty();
    if !geteuid().is_root() || !is_needed {
        return Ok(None);
    }
    let stats = directories.iter().map(|directory| Ok(fstat(directory)?));
    let stats: Vec<Stat> = stats.collect::<io::Result<_>>()?;
    choose_by_owners(sudo_user(), &stats)
}

fn choose_by_owners(sudo: Option<UserIds>, stats: &[Stat]) -> io::Result<Option<UserIds>> {
    let root = UserIds {
        uid: Uid::ROOT,
        gid: Gid::ROOT,
    };
    let owner = stats.first().map(|stat| UserIds {
        uid: Uid::from_raw(stat.st_uid),
        gid: Gid::from_raw(stat.st_gid),
    });
    let candidates = [sudo, Some(root), owner].into_iter().flatten();
    let can_write = |ids: &UserIds| stats.iter().all(|stat| can_create_files(*ids, stat));
    match candidates.into_iter().find(can_write) {
        Some(ids) => Ok(Some(ids).filter(|ids| *ids != root)),
        None => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "without them, neither root nor the owner can create further files in the output \
             directories: choose one directory of your own",
        )),
    }
}

/// True if a user without capabilities can create files in a directory (path_resolution(7)).
fn can_create_files(ids: UserIds, directory: &Stat) -> bool {
    let mode = Mode::from_raw_mode(directory.st_mode);
    mode.contains(if directory.st_uid == ids.uid.as_raw() {
        Mode::WUSR | Mode::XUSR
    } else if directory.st_gid == ids.gid.as_raw() {
        Mode::WGRP | Mode::XGRP
    } else {
        Mode::WOTH | Mode::XOTH
    })
}

/// Returns the user who ran sudo(8), if that is not root.
pub fn sudo_user() -> Option<UserIds> {
    let id = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    let uid = id("SUDO_UID").filter(|uid| *uid != 0 && *uid != u32::MAX)?;
    let gid = id("SUDO_GID").filter(|gid| *gid != u32::MAX)?;
    Some(UserIds {
        uid: Uid::from_raw(uid),
        gid: Gid::from_raw(gid),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn user_who_can_create_files_is_chosen() {
        let directory = tempfile::tempdir().expect("a directory");
        let stat = |uid: u32, mode: u32| {
            let permissions = Permissions::from_mode(mode);
            set_permissions(directory.path(), permissions).expect("a mode");
            let mut stat = rustix::fs::stat(directory.path()).expect("a directory");
            (stat.st_uid, stat.st_gid) = (uid, uid);
            stat
        };
        let ids = |id| UserIds {
            uid: Uid::from_raw(id),
            gid: Gid::from_raw(id),
        };
        let sudo = Some(ids(1000));
        for (user, directories, expected) in [
            (None, vec![], Ok(None)),
            (sudo, vec![], Ok(sudo)),
            (sudo, vec![stat(1000, 0o755)], Ok(sudo)),
            (sudo, vec![stat(33, 0o1777)], Ok(sudo)),
            (sudo, vec![stat(0, 0o755)], Ok(None)),
            (None, vec![stat(33, 0o755)], Ok(Some(ids(33)))),
            (sudo, vec![stat(33, 0o755)], Ok(Some(ids(33)))),
            (sudo, vec![stat(33, 0o755), stat(1000, 0o755)], Err(())),
        ] {
            let chosen = choose_by_owners(user, &directories).map_err(drop);
            assert_eq!(chosen, expected, "{user:?}");
        }
    }
}
