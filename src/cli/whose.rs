//! Whose packets are wanted, on whose loopback, and what processes are looked up for.

use super::args::{Basis, Input, Whose};
use super::plan::{self, Plan, Save, Show, usage};
use super::program::Program;
use crate::error::{Error, Result};
use crate::host::namespaces::Namespace;
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
        runs: Vec::new(),
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
        Show::Packets(..) | Show::Conversation(_) => Processes::Packets,
        Show::Flows(_) => Processes::Flows,
        _ => Processes::No,
    })
}

/// Goes to where the device is that is asked for.
pub(super) fn enter(args: &Input) -> Result<()> {
    let named = args
        .netns
        .as_deref()
        .map(|word| (word, Namespace::of(word)));
    let container = args.container.as_deref();
    let container = container.map(|number| (number, Namespace::Container(number.into())));
    let Some((word, namespace)) = named.or(container) else {
        return Ok(());
    };
    namespace.enter().map_err(|error| Error::Device {
        device: format!("the loopback of {word}"),
        what: format!(
            "its network namespace cannot be entered: {error}; `ip netns` tells the names, and to enter one takes root"
        ),
    })
}

impl Plan {
    /// Runs a program beside the capture, which is of the packets of that program and of what it begins.
    ///
    /// # Errors
    /// Nothing is captured.
    pub(super) fn run_beside(&mut self, program: Program) -> Result<()> {
        match &self.input {
            plan::Input::Device(options) if options.is_loopback => {}
            _ => {
                return usage(
                    "run: what a program does is captured on the loopback: leave out -r and -i",
                );
            }
        }
        // Nobody else is on a private loopback.
        if !program.is_private {
            self.work.whose.runs.push(std::process::id());
        }
        self.work.processes = Processes::Packets;
        self.work.program = Some(program);
        Ok(())
    }
}
