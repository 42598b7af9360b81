//! Connection attempts to the addresses of the target.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, connect, getsockname, ipproto, socket_with, sockopt,
};

use super::echo;
use super::facts::{ConnectOutcome, ProbeResult};
use super::readiness::wait_until_ready;
use crate::host::sockets::sock_diag::{self, SocketInfo, SocketState, canonical};

/// Timeout of a connection attempt.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Timeout for a process to accept a connection that the kernel has established.
pub(super) const ACCEPT_TIMEOUT: Duration = Duration::from_secs(1);
/// Timeout for a process to accept a connection if other connections were already pending: the
/// server is slow or never accepts.
pub(super) const BUSY_ACCEPT_TIMEOUT: Duration = Duration::from_millis(200);
const ACCEPT_POLL_INTERVAL: Duration = Duration::from_millis(4);

/// A probe whose connection stays open until the value is dropped.
pub(super) struct OpenProbe {
    pub(super) result: ProbeResult,
    pub(super) stream: Option<OwnedFd>,
}

/// Connects to an address, finds the answering socket, and sends an ICMP echo request to the
/// address.
pub(super) fn probe_address(address: SocketAddr, accept_timeout: Duration) -> OpenProbe {
    let start = Instant::now();
    let (outcome, stream) = match connect_with_timeout(address) {
        Ok(stream) => (ConnectOutcome::Accepted, Some(stream)),
        Err(Errno::CONNREFUSED) => (ConnectOutcome::Refused, None),
        Err(Errno::TIMEDOUT) => (ConnectOutcome::TimedOut, None),
        Err(error) => (
            ConnectOutcome::Unreachable(io::Error::from(error).to_string()),
            None,
        ),
    };
    let connect_time = start.elapsed();
    let peer_socket = stream
        .as_ref()
        .and_then(|stream| peer_socket(stream, accept_timeout));
    OpenProbe {
        result: ProbeResult {
            address,
            outcome,
            connect_time,
            peer_socket,
            accept_wait: start.elapsed().saturating_sub(connect_time),
            echo: echo::ping(address.ip()),
            service_reply: None,
        },
        stream,
    }
}

fn connect_with_timeout(address: SocketAddr) -> Result<OwnedFd, Errno> {
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
    if !wait_until_ready(&stream, PollFlags::OUT, CONNECT_TIMEOUT)? {
        return Err(Errno::TIMEDOUT);
    }
    sockopt::socket_error(&stream)??;
    Ok(stream)
}

/// Returns the socket at the other end of a local connection, once a process has accepted the
/// connection or the timeout has expired.
fn peer_socket(stream: &OwnedFd, timeout: Duration) -> Option<SocketInfo> {
    let local = canonical(SocketAddr::try_from(getsockname(stream).ok()?).ok()?);
    let deadline = Instant::now() + timeout;
    loop {
        let connected = sock_diag::connected_to(local.port()).unwrap_or_default();
        let mut connected = connected.into_iter();
        let peer = connected.find(|socket| canonical(socket.remote) == local)?;
        // With TCP_DEFER_ACCEPT the socket is in SYN-RECEIVED, and there is nothing to accept
        // until the client sends data.
        let is_pending = peer.inode == 0 && peer.state == SocketState::Established;
        if !is_pending || Instant::now() >= deadline {
            return Some(peer);
        }
        std::thread::sleep(ACCEPT_POLL_INTERVAL);
    }
}
