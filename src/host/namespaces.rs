//! Network namespaces (network_namespaces(7)): each has its own loopback and its own sockets.

use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Where `ip netns add NAME` keeps namespaces (ip-netns(8)).
const NAMED: &str = "/run/netns";

/// Which network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespace {
    /// One that is named by ip-netns(8), by a process in it, or by a path.
    At(PathBuf),
    /// That of a container, by the first digits of its number.
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
            Namespace::Container(number) => {
                let pid = process_in(number).ok_or(io::ErrorKind::NotFound)?;
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

#[cfg(target_os = "linux")]
fn join(namespace: &File) -> io::Result<()> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    use std::os::fd::AsFd;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn join(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
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
