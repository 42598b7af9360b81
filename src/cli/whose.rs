//! Whose packets are wanted, and what processes are looked up for.

use super::args::{Basis, Whose};
use super::plan::{Save, Show, usage};
use crate::error::{Error, Result};
use crate::host::users;
use crate::owners::Wanted;

/// What processes are looked up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Processes {
    /// They are not.
    No,
    /// For flows, when they end.
    Flows,
    /// For every packet, in the comments that a pcapng file has of it.
    Packets,
}

/// The users, processes and names that are wanted.
pub(super) fn whose(args: &Whose) -> Result<Wanted> {
    let uid = |user: &String| {
        let unknown = || Error::Usage(format!("--user {user}: there is no such user"));
        users::uid(user).ok_or_else(unknown)
    };
    Ok(Wanted {
        pids: args.pid.clone(),
        names: args.process.clone(),
        uids: args.user.iter().map(uid).collect::<Result<_>>()?,
    })
}

/// What processes are of use for, in a capture on a device.
pub(super) fn processes(
    args: &Basis,
    is_loopback: bool,
    whose: &Wanted,
    show: &Show,
    save: Option<&Save>,
) -> Result<Processes> {
    let is_told = save.is_some_and(|save| save.format.has_comments());
    Ok(match show {
        _ if !whose.is_everything() && !is_loopback => {
            return usage("--pid, --process and --user: processes are known on the loopback only");
        }
        _ if !whose.is_everything() => Processes::Packets,
        // Elsewhere the other end is not on this machine.
        _ if !is_loopback || args.input.no_processes => Processes::No,
        _ if is_told => Processes::Packets,
        Show::Packets(..) => Processes::Packets,
        Show::Flows(_) => Processes::Flows,
        _ => Processes::No,
    })
}
