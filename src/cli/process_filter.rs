//! Process options: the process filter, the network namespace, and the attribution mode.

use super::args::{CommonArgs, InputArgs, ProcessFilterArgs};
use super::child::ChildCommand;
use super::plan::{self, OutputMode, Plan, SaveTarget, usage_error};
use crate::error::{Error, Result};
use crate::host::network::namespaces::Namespace;
use crate::host::processes::users;
use crate::pipeline::AttributionMode;
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
        runs: Vec::new(),
    })
}

/// Returns the attribution mode of a capture on a device.
///
/// # Errors
/// A process filter on a device other than the loopback.
pub(super) fn attribution_mode(
    args: &CommonArgs,
    is_loopback: bool,
    process_filter: &ProcessFilter,
    output_mode: &OutputMode,
    save: Option<&SaveTarget>,
) -> Result<AttributionMode> {
    let has_comments = save.is_some_and(|save| save.format.has_comments());
    Ok(match output_mode {
        _ if !process_filter.is_empty() && !is_loopback => {
            return usage_error(
                "--pid, --process and --user work only on the loopback device: remove -i",
            );
        }
        _ if !process_filter.is_empty() => AttributionMode::PerPacket,
        // On other devices, one end of each connection is usually on another machine.
        _ if !is_loopback || args.input.no_processes => AttributionMode::Off,
        _ if has_comments => AttributionMode::PerPacket,
        OutputMode::Packets(..) => AttributionMode::PerPacket,
        // Only a conversation shows the processes.
        OutputMode::Streams(report) if report.options.show_processes => AttributionMode::PerPacket,
        OutputMode::Flows(_) => AttributionMode::PerFlow,
        _ => AttributionMode::Off,
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
                format!("no container \"{name}\" found")
            }
            (ErrorKind::NotFound, Namespace::Path(_)) => {
                format!("no network namespace \"{name}\" found; list the names with ip netns")
            }
            (ErrorKind::PermissionDenied, _) => {
                format!("not permitted to enter the network namespace of {name}; try sudo")
            }
            _ => format!("cannot enter the network namespace of {name}: {error}"),
        },
    })
}

impl Plan {
    /// Adds a command to run during the capture, and restricts the capture to the packets of the
    /// command and its descendants.
    ///
    /// # Errors
    /// The input is not the loopback.
    pub(super) fn attach_child(&mut self, command: ChildCommand) -> Result<()> {
        match &self.input {
            plan::InputSource::Device(options) if options.is_loopback => {}
            _ => {
                return usage_error(
                    "lcap run captures live on the loopback device: remove -r or -i",
                );
            }
        }
        // A private loopback carries no packets of other processes.
        if !command.is_private {
            self.processing.process_filter.runs.push(std::process::id());
        }
        self.processing.attribution_mode = AttributionMode::PerPacket;
        self.processing.child = Some(command);
        Ok(())
    }
}
