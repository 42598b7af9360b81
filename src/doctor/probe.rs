//! Knocking: a connection to the address that is asked for, and an ICMP echo. Nothing else is ever sent.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, connect, getsockname,
    ipproto, recv, sendto, socket_with, sockopt,
};

use super::facts::{Echo, Outcome, Probe};
use crate::host::listing::{self, Listed, State};

/// Who has not answered after this long is silent.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// An echo on this machine takes microseconds.
const ECHO: Duration = Duration::from_millis(500);
/// So long a process has to accept a connection that the kernel took for it.
const ACCEPTING: Duration = Duration::from_secs(1);
/// Who has let others wait before does not get as long.
const HURRIED: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(4);

/// A connection, which stays until this is dropped.
pub(super) struct Knock {
    pub(super) probe: Probe,
    pub(super) stream: Option<OwnedFd>,
}

/// Whether somebody waited at this server before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    Empty,
    Waits,
}

/// Connects, and looks who answers.
pub(super) fn knock(address: SocketAddr, queue: Queue) -> Knock {
    let began = Instant::now();
    let (outcome, stream) = match open(address) {
        Ok(stream) => (Outcome::Accepted, Some(stream)),
        Err(Errno::CONNREFUSED) => (Outcome::Refused, None),
        Err(Errno::TIMEDOUT) => (Outcome::Silent, None),
        Err(error) => (
            Outcome::Unreachable(io::Error::from(error).to_string()),
            None,
        ),
    };
    let took = began.elapsed();
    let patience = match queue {
        Queue::Empty => ACCEPTING,
        Queue::Waits => HURRIED,
    };
    let answers = stream
        .as_ref()
        .and_then(|stream| who_answers(stream, patience));
    Knock {
        probe: Probe {
            address,
            outcome,
            took,
            answers,
            waited: began.elapsed().saturating_sub(took),
            echo: echo(address.ip()),
            said: None,
        },
        stream,
    }
}

fn open(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let stream = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    match connect(&stream, &address) {
        Err(Errno::INPROGRESS) => {}
        connected => return connected.map(|()| stream),
    }
    if !is_ready(&stream, PollFlags::OUT, PATIENCE)? {
        return Err(Errno::TIMEDOUT);
    }
    sockopt::socket_error(&stream)??;
    Ok(stream)
}

/// Whether something happens in time.
pub(super) fn is_ready(
    stream: &OwnedFd,
    what: PollFlags,
    patience: Duration,
) -> Result<bool, Errno> {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
        match poll(&mut [PollFd::new(stream, what)], Some(&left)) {
            Err(Errno::INTR) => {}
            found => return found.map(|count| count > 0),
        }
    }
}

/// The socket at the other end of a connection of this machine, once a process has it or the patience is at its end.
fn who_answers(stream: &OwnedFd, patience: Duration) -> Option<Listed> {
    let own = SocketAddr::try_from(getsockname(stream).ok()?).ok()?;
    let own = SocketAddr::new(own.ip().to_canonical(), own.port());
    let deadline = Instant::now() + patience;
    loop {
        let all = listing::connected_to(own.port()).unwrap_or_default();
        let other = all.into_iter().find(|socket| {
            SocketAddr::new(socket.remote.ip().to_canonical(), socket.remote.port()) == own
        })?;
        // Who waits for data first has nothing to accept yet.
        let waits = other.inode == 0 && other.state == State::Established;
        if !waits || Instant::now() >= deadline {
            return Some(other);
        }
        std::thread::sleep(PAUSE);
    }
}

/// An ICMP echo through a socket that needs no privilege (icmp(7)); the kernel fills in who asks and the checksum.
fn echo(address: IpAddr) -> Echo {
    const REQUEST: u8 = 8;
    const REQUEST_6: u8 = 128;
    let (family, protocol, kind): (_, Protocol, _) = match address {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, REQUEST),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, REQUEST_6),
    };
    let flags = SocketFlags::CLOEXEC;
    let Ok(socket) = socket_with(family, SocketType::DGRAM, flags, Some(protocol)) else {
        return Echo::NotPermitted;
    };
    let began = Instant::now();
    //   0      1      2          4    6          8
    //   | type | code | checksum | id | sequence |
    let request = [kind, 0, 0, 0, 0, 0, 0, 1];
    let to = SocketAddr::new(address, 0);
    if sendto(&socket, &request, SendFlags::empty(), &to).is_err() {
        return Echo::Silent;
    }
    match is_ready(&socket, PollFlags::IN, ECHO) {
        Ok(true) if recv(&socket, &mut [0; 64], RecvFlags::DONTWAIT).is_ok() => {
            Echo::Answered(began.elapsed())
        }
        _ => Echo::Silent,
    }
}
