//! Network namespaces (network_namespaces(7)), each with its own loopback interface and sockets.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::containers;

/// The directory of the namespaces that `ip netns add NAME` creates (ip-netns(8)).
const NETNS_DIR: &str = "/run/netns";

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
                let id = containers::id_of(name_or_id).unwrap_or_else(|| name_or_id.clone());
                let pid = container_pid(&id).ok_or_else(|| {
                    let message = "no running container has this name or ID";
                    io::Error::new(io::ErrorKind::NotFound, message)
                })?;
                format!("/proc/{pid}/ns/net").into()
            }
        };
        join(&File::open(path)?)
    }
}

/// Returns the lowest PID in a container, given by the first digits of its ID.
fn container_pid(id: &str) -> Option<u32> {
    let is_in = |pid: &u32| {
        let container =
            super::processes::ProcHandle::new(*pid).and_then(|process| process.container_id());
        container.is_ok_and(|container| container.is_some_and(|full| full.starts_with(id)))
    };
    super::processes::all_pids().into_iter().rev().find(is_in)
}

fn join(namespace: &File) -> io::Result<()> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    use std::os::fd::AsFd;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

/// Brings up the loopback interface of this thread's network namespace (rtnetlink(7),
/// `RTM_NEWLINK`).
///
/// # Errors
/// This process is not permitted to change the namespace: this requires CAP_NET_ADMIN inside it.
pub fn bring_up_loopback() -> io::Result<()> {
    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
    };
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST_ACK: u16 = 5;
    /// The loopback interface is the first interface of every network namespace.
    const LOOPBACK_INDEX: u32 = 1;
    const IFF_UP: u32 = 1;
    //   0     4      6       8     12    16       18     20      24      28      32
    //   | len | type | flags | seq | pid | family | type | index | flags | change|
    let mut request = [0; 32];
    request[0..4].copy_from_slice(&32_u32.to_ne_bytes());
    request[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
    request[6..8].copy_from_slice(&NLM_F_REQUEST_ACK.to_ne_bytes());
    for (at, word) in [(20, LOOPBACK_INDEX), (24, IFF_UP), (28, IFF_UP)] {
        request[at..at + 4].copy_from_slice(&u32::to_ne_bytes(word));
    }
    // The default netlink protocol is NETLINK_ROUTE.
    let (kind, flags) = (SocketType::DGRAM, SocketFlags::CLOEXEC);
    let socket = socket_with(AddressFamily::NETLINK, kind, flags, None)?;
    send(&socket, &request, SendFlags::empty())?;
    let mut reply = [0; 256];
    let (len, _) = recv(&socket, &mut reply, RecvFlags::empty())?;
    // An acknowledgement is an error message with the error number 0.
    match reply[..len].get(16..20).and_then(<[u8]>::first_chunk) {
        Some(number) if i32::from_ne_bytes(*number) == 0 => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(-i32::from_ne_bytes(*number))),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
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
        ] {
            let error = namespace.enter().expect_err("no namespace");
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }
}
