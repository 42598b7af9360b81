//! Network namespaces (network_namespaces(7)): each has its own loopback and its own sockets.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::containers;

/// Where `ip netns add NAME` keeps namespaces (ip-netns(8)).
const NAMED: &str = "/run/netns";

/// Which network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespace {
    /// One that is named by ip-netns(8), by a process in it, or by a path.
    At(PathBuf),
    /// That of a container, by its name or the first digits of its number.
    Container(String),
}

impl Namespace {
    /// What a word means: a path has a slash in it, a process is a number, all else is a name.
    pub fn of(word: &str) -> Namespace {
        Namespace::At(match word {
            path if path.contains('/') => path.into(),
            pid if pid.parse::<u32>().is_ok() => format!("/proc/{pid}/ns/net").into(),
            name => PathBuf::from(NAMED).join(name),
        })
    }

    /// Has this thread, and those that it starts from now on, be in it.
    ///
    /// # Errors
    /// There is no such namespace, or it may not be entered: that takes CAP_SYS_ADMIN.
    pub fn enter(&self) -> io::Result<()> {
        let path = match self {
            Namespace::At(path) => path.clone(),
            Namespace::Container(word) => {
                let number = containers::number_of(word).unwrap_or_else(|| word.clone());
                let pid = process_in(&number).ok_or(io::ErrorKind::NotFound)?;
                format!("/proc/{pid}/ns/net").into()
            }
        };
        join(&File::open(path)?)
    }
}

/// The first process that is in a container.
fn process_in(number: &str) -> Option<u32> {
    let is_in = |pid: &u32| {
        let container = super::processes::Held::new(*pid).and_then(|held| held.container());
        container.is_ok_and(|container| container.is_some_and(|whole| whole.starts_with(number)))
    };
    super::processes::all().into_iter().rev().find(is_in)
}

fn join(namespace: &File) -> io::Result<()> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    use std::os::fd::AsFd;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

/// Has the loopback of this thread's network namespace carry packets (rtnetlink(7), `RTM_NEWLINK`).
///
/// # Errors
/// This process may not change the namespace: that takes CAP_NET_ADMIN in it.
pub fn bring_up_loopback() -> io::Result<()> {
    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
    };
    const NEW_LINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 5;
    /// A loopback is the first interface of its namespace.
    const LOOPBACK: u32 = 1;
    const UP: u32 = 1;
    //   0     4      6       8     12    16       18     20      24      28      32
    //   | len | type | flags | seq | pid | family | type | index | flags | change|
    let mut request = [0; 32];
    request[0..4].copy_from_slice(&32_u32.to_ne_bytes());
    request[4..6].copy_from_slice(&NEW_LINK.to_ne_bytes());
    request[6..8].copy_from_slice(&REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    for (at, word) in [(20, LOOPBACK), (24, UP), (28, UP)] {
        request[at..at + 4].copy_from_slice(&u32::to_ne_bytes(word));
    }
    // None is NETLINK_ROUTE.
    let (kind, flags) = (SocketType::DGRAM, SocketFlags::CLOEXEC);
    let socket = socket_with(AddressFamily::NETLINK, kind, flags, None)?;
    send(&socket, &request, SendFlags::empty())?;
    let mut answer = [0; 256];
    let (len, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    // An acknowledgement is an error with the number 0.
    match answer[..len].get(16..20).and_then(<[u8]>::first_chunk) {
        Some(number) if i32::from_ne_bytes(*number) == 0 => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(-i32::from_ne_bytes(*number))),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_names_numbers_or_paths() {
        for (word, path) in [
            ("blue", "/run/netns/blue"),
            ("4121", "/proc/4121/ns/net"),
            ("/run/docker/netns/x", "/run/docker/netns/x"),
            ("./x", "./x"),
        ] {
            assert_eq!(Namespace::of(word), Namespace::At(path.into()));
        }
    }

    #[test]
    fn what_is_not_there_is_not_entered() {
        for namespace in [
            Namespace::of("no-such-namespace"),
            Namespace::of("4194305"),
            Namespace::Container("0123456789abcdef".into()),
        ] {
            let error = namespace.enter().expect_err("nothing");
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }
}
