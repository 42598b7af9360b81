//! Sockets that keep another server from binding the port (bind(2), socket(7)).

use super::facts::PortFacts;
use super::finding::{CheckName, Finding, Severity};
use crate::error::count_noun;
use crate::host::sockets::sock_diag::{SocketInfo, SocketState};
use crate::packet::{TCP, UDP};
use std::collections::BTreeMap;

const CHECK: CheckName = CheckName("conflict");

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let mut found = check_shared_address(facts);
    found.extend(check_held_by_client(facts));
    found.extend(check_bound_socket(facts));
    found.extend(check_time_wait(facts));
    found.extend(check_in_use(facts));
    found
}

/// Reports sockets that listen on the same address, which requires SO_REUSEPORT or, for UDP,
/// SO_REUSEADDR.
fn check_shared_address(facts: &PortFacts) -> Vec<Finding> {
    let mut groups: BTreeMap<_, Vec<&SocketInfo>> = BTreeMap::new();
    for socket in facts.port_listeners() {
        let key = (socket.proto, socket.local, socket.interface);
        groups.entry(key).or_default().push(socket);
    }
    let shared = groups.into_iter().filter(|(_, sockets)| sockets.len() > 1);
    shared
        .map(|((proto, endpoint, _), sockets)| {
            let count = sockets.len();
            let lines = sockets.iter().map(|socket| {
                let owner = facts.owner(socket);
                format!("socket {} belongs to {owner}", socket.inode)
            });
            let (option, unit) = match proto {
                UDP => ("SO_REUSEPORT or SO_REUSEADDR", "datagrams"),
                _ => ("SO_REUSEPORT", "connections"),
            };
            let message = format!(
                "{count} sockets share {endpoint} ({option}): the kernel distributes {unit} among \
                 them"
            );
            CHECK.note("shared", message).with_evidence_lines(lines)
        })
        .collect()
}

/// Reports a connection that uses the port as its local port, which the kernel assigned or the
/// client bound.
fn check_held_by_client(facts: &PortFacts) -> Option<Finding> {
    let port = facts.target.port;
    let is_server = |socket: &SocketInfo| {
        let mut servers = facts.tcp_listeners();
        servers.any(|server| server.can_receive_on(socket.local.ip()))
    };
    let held = facts.sockets.iter().find(|socket| {
        socket.proto == TCP
            && socket.local.port() == port
            && socket.remote.port() != 0
            && socket.inode != 0
            && !is_server(socket)
    })?;
    let has_listener = facts.tcp_listeners().next().is_some();
    let owner = facts.owner(held);
    let state = held.state.name();
    let message = format!(
        "{owner} uses port {port} as the local port of a connection: a server that binds the port \
         fails with \"address already in use\""
    );
    let severity = Severity::problem_unless(has_listener);
    Some(
        CHECK
            .finding(severity, "held-by-client", message)
            .with_evidence(format!("{} → {}, {state}", held.local, held.remote))
            .with_remedy(format!("sudo ss -K sport = :{port}")),
    )
}

/// Reports a socket that is bound to the port but does not listen.
fn check_bound_socket(facts: &PortFacts) -> Option<Finding> {
    let port = facts.target.port;
    let mut sockets = facts.sockets.iter();
    let bound =
        sockets.find(|socket| socket.state == SocketState::Bound && socket.local.port() == port)?;
    let owner = facts.owner(bound);
    let message = format!(
        "{owner} has bound {} but does not listen: connections are refused, and no other server \
         can bind this address",
        bound.local
    );
    let severity = Severity::problem_unless(facts.tcp_listeners().next().is_some());
    Some(CHECK.finding(severity, "held-unlistening", message))
}

/// Reports closed connections that still occupy the port.
fn check_time_wait(facts: &PortFacts) -> Option<Finding> {
    let port = facts.target.port;
    const CLOSING_STATES: [SocketState; 5] = [
        SocketState::TimeWait,
        SocketState::FinWait1,
        SocketState::FinWait2,
        SocketState::Closing,
        SocketState::LastAck,
    ];
    let is_closing = |socket: &&SocketInfo| {
        socket.proto == TCP
            && socket.local.port() == port
            && socket.inode == 0
            && CLOSING_STATES.contains(&socket.state)
    };
    let closing: Vec<&SocketInfo> = facts.sockets.iter().filter(is_closing).collect();
    let longest = closing.iter().map(|socket| socket.expires_in_ms).max()?;
    let count = count_noun(closing.len(), "connection");
    let verb = if closing.len() == 1 { "is" } else { "are" };
    let message = format!(
        "{count} on port {port} {verb} still closing (TIME_WAIT and similar states): a server that \
         starts without SO_REUSEADDR fails with \"address already in use\""
    );
    let lines = closing.iter().take(3).map(|socket| {
        let seconds = f64::from(socket.expires_in_ms) / 1e3;
        let (state, local, remote) = (socket.state.name(), socket.local, socket.remote);
        format!("{local} → {remote}, {state}, {seconds:.0} s left")
    });
    let seconds = longest.div_ceil(1000);
    let alternative = facts
        .next_free_port
        .map(|next| format!(" or use port {next}"));
    let alternative = alternative.unwrap_or_default();
    Some(
        CHECK
            .note("time-wait", message)
            .with_evidence_lines(lines)
            .with_evidence("the kernel does not record the process of a connection in these states")
            .with_evidence(format!("now: wait {seconds} s{alternative}"))
            .with_evidence(
                "next time: set SO_REUSEADDR on the server's socket before bind (helps only if the \
                 previous server had also set it)",
            ),
    )
}

fn check_in_use(facts: &PortFacts) -> Option<Finding> {
    let server = facts.port_listeners().next()?;
    let next = facts.next_free_port?;
    let (owner, port) = (facts.owner(server), facts.target.port);
    let message = format!(
        "a second server on port {port} would fail with \"address already in use\"; the next free \
         port is {next}"
    );
    Some(
        CHECK
            .ok("in-use", message)
            .with_evidence(format!("{owner} listens on {}", server.local)),
    )
}
