//! Network namespaces (network_namespaces(7)), each with its own loopback interface and sockets.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::thread::{CapabilitySet, LinkNameSpaceType, move_into_link_name_space};

use crate::host::processes::{self, ProcHandle};
use crate::host::services::containers;
use crate::privileges;

/// The directory of the namespaces that `ip netns add NAME` creates (ip-netns(8)).
pub(in crate::host) const NETNS_DIR: &str = "/run/netns";

/// A network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespace {
    /// The path of the namespace's file: from ip-netns(8), from a process in the namespace
    /// (/proc/PID/ns/net), or any other.
    Path(PathBuf),
    /// The namespace of a container, given by its name or the first digits of its ID.
    Container(String),
}

impl Namespace {
    /// Parses an argument: a path if it contains a slash, a PID if it is a number, else a name.
    pub fn parse(argument: &str) -> Namespace {
        Namespace::Path(match argument {
            path if path.contains('/') => path.into(),
            pid if pid.parse::<u32>().is_ok() => format!("/proc/{pid}/ns/net").into(),
            name => PathBuf::from(NETNS_DIR).join(name),
        })
    }

    /// Moves this thread, and all threads that it starts later, into the namespace.
    ///
    /// # Errors
    /// There is no such namespace, or this process is not permitted to enter it: this requires
    /// CAP_SYS_ADMIN.
    pub fn enter(&self) -> io::Result<()> {
        let path = match self {
            Namespace::Path(path) => path.clone(),
            Namespace::Container(name_or_id) => {
                let pid = find_container_pid(name_or_id)
                    .map_err(|what| io::Error::new(io::ErrorKind::NotFound, what))?;
                format!("/proc/{pid}/ns/net").into()
            }
        };
        let namespace = File::open(path)?;
        let (namespace, kind) = (namespace.as_fd(), LinkNameSpaceType::Network);
        privileges::raised(CapabilitySet::SYS_ADMIN, || {
            move_into_link_name_space(namespace, Some(kind))
        })?;
        Ok(())
    }
}

/// Returns the lowest PID in a container, given by its name or the first digits of its ID.
///
/// # Errors
/// A message with the results of all queries.
fn find_container_pid(name_or_id: &str) -> Result<u32, String> {
    if name_or_id.is_empty() {
        return Err("the name is empty".to_owned());
    }
    match containers::find_id(name_or_id) {
        Ok(id) => container_pid(&id)
            .ok_or_else(|| format!("its ID is {id}, but it has no process on this machine")),
        Err(results) => container_pid(name_or_id)
            .ok_or_else(|| format!("no process has this container ID; {}", results.join("; "))),
    }
}

/// Returns the lowest PID in a container, given by the first digits of its ID.
fn container_pid(id: &str) -> Option<u32> {
    let is_in = |pid: &u32| {
        let container = ProcHandle::new(*pid).and_then(|process| process.container_id());
        container.is_ok_and(|container| container.is_some_and(|full| full.starts_with(id)))
    };
    processes::all_pids().into_iter().rev().find(is_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argument_is_a_name_a_pid_or_a_path() {
        for (argument, path) in [
            ("blue", "/run/netns/blue"),
            ("4121", "/proc/4121/ns/net"),
            ("/run/docker/netns/x", "/run/docker/netns/x"),
            ("./x", "./x"),
        ] {
            assert_eq!(Namespace::parse(argument), Namespace::Path(path.into()));
        }
    }

    #[test]
    fn entering_a_missing_namespace_fails() {
        for namespace in [
            Namespace::parse("no-such-namespace"),
            Namespace::parse("4194305"),
            Namespace::Container("0123456789abcdef".into()),
            Namespace::Container(String::new()),
        ] {
            let error = namespace.enter().expect_err("no namespace");
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }
}
