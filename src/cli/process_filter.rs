//! Process options: the process filter and the network namespace.

use super::args::{InputArgs, ProcessFilterArgs};
use crate::error::{Error, Result};
use crate::host::network::namespaces::Namespace;
use crate::host::processes::users;
use crate::process::ProcessFilter;
use std::io::ErrorKind;

/// Builds the process filter of `--pid`, `--process` and `--user`.
///
/// # Errors
/// A user that does not exist.
pub(super) fn process_filter(args: &ProcessFilterArgs) -> Result<ProcessFilter> {
    let uid = |user: &String| {
        let unknown = || Error::Usage(format!("--user {user}: no such user"));
        users::uid(user).ok_or_else(unknown)
    };
    Ok(ProcessFilter {
        pids: args.pid.clone(),
        names: args.process.clone(),
        uids: args.user.iter().map(uid).collect::<Result<_>>()?,
    })
}

/// Enters the network namespace of `--netns` or `--container`, if either is given.
///
/// # Errors
/// There is no such namespace or container, or entering it is not permitted.
pub(super) fn enter_namespace(args: &InputArgs) -> Result<()> {
    let (option, name, namespace) = match (&args.netns, &args.container) {
        (Some(name), _) => ("--netns", name, Namespace::parse(name)),
        (None, Some(id)) => ("--container", id, Namespace::Container(id.clone())),
        (None, None) => return Ok(()),
    };
    namespace.enter().map_err(|error| Error::Device {
        device: option.into(),
        what: match (error.kind(), &namespace) {
            (ErrorKind::NotFound, Namespace::Container(_)) => {
                format!("no running container {name:?} found: {error}")
            }
            (ErrorKind::NotFound, Namespace::Path(_)) => {
                format!("no network namespace {name:?} found; list the names with ip netns")
            }
            (ErrorKind::PermissionDenied, _) => {
                format!("not permitted to enter the network namespace of {name:?}; try sudo")
            }
            _ => format!("cannot enter the network namespace of {name:?}: {error}"),
        },
    })
}
