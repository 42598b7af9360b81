//! Who else has the port, or half of it: what a server that starts now would run into (bind(2), socket(7)).

use super::facts::Facts;
use super::finding::{Check, Finding, counted};
use crate::host::listing::{Listed, State};
use crate::packet::{TCP, UDP};
use std::collections::BTreeMap;

const CHECK: Check = Check("conflict");

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = shared(facts);
    found.extend(client(facts));
    found.extend(bound(facts));
    found.extend(resting(facts));
    found.extend(in_use(facts));
    found
}

/// Several sockets listen on the same address: only SO_REUSEPORT allows that.
fn shared(facts: &Facts) -> Vec<Finding> {
    let mut groups: BTreeMap<_, Vec<&Listed>> = BTreeMap::new();
    for socket in facts.servers().chain(facts.datagrams()) {
        let key = (socket.proto, socket.local, socket.interface);
        groups.entry(key).or_default().push(socket);
    }
    let several = groups.into_iter().filter(|(_, own)| own.len() > 1);
    several
        .map(|((proto, end, _), own)| {
            let count = own.len();
            let lines = own
                .iter()
                .map(|socket| format!("{} has socket {}", facts.owner(socket), socket.inode));
            let (by, what) = match proto {
                UDP => ("SO_REUSEPORT or SO_REUSEADDR", "datagrams"),
                _ => ("SO_REUSEPORT", "connections"),
            };
            let what =
                format!("{count} sockets share {end} ({by}): the kernel spreads {what} over them");
            CHECK.note("shared", what).because_of(lines)
        })
        .collect()
}

/// A connection has the port as its own end, by chance or because somebody asked for it.
fn client(facts: &Facts) -> Option<Finding> {
    let port = facts.target.port;
    let is_server = |socket: &Listed| {
        let mut servers = facts.servers();
        servers.any(|server| server.takes(socket.local.ip()))
    };
    let held = facts.sockets().iter().find(|socket| {
        socket.proto == TCP
            && socket.local.port() == port
            && socket.remote.port() != 0
            && socket.inode != 0
            && !is_server(socket)
    })?;
    let is_of_server = facts.servers().next().is_some();
    let owner = facts.owner(held);
    let state = held.state.name();
    let what = format!(
        "{owner} has port {port} as its own end of a connection: a server that wants it gets \"address already in use\""
    );
    let found = match is_of_server {
        true => CHECK.note("held-by-client", what),
        false => CHECK.problem("held-by-client", what),
    };
    Some(
        found
            .because(format!("{} → {}, {state}", held.local, held.remote))
            .mended_by(format!("sudo ss -K sport = :{port}")),
    )
}

/// It has the port, and does not listen.
fn bound(facts: &Facts) -> Option<Finding> {
    let port = facts.target.port;
    let bound = facts
        .sockets()
        .iter()
        .find(|socket| socket.state == State::Bound && socket.local.port() == port)?;
    let owner = facts.owner(bound);
    let what = format!(
        "{owner} has bound {} and does not listen: who connects is refused, and no other server gets it",
        bound.local
    );
    Some(match facts.servers().next() {
        None => CHECK.problem("held-unlistening", what),
        Some(_) => CHECK.note("held-unlistening", what),
    })
}

/// Connections that ended, and rest at the server's end.
fn resting(facts: &Facts) -> Option<Finding> {
    let port = facts.target.port;
    let resting: Vec<&Listed> = facts
        .sockets()
        .iter()
        .filter(|socket| {
            socket.proto == TCP && socket.local.port() == port && socket.inode == 0 && {
                let state = socket.state;
                matches!(
                    state,
                    State::TimeWait
                        | State::FinWait1
                        | State::FinWait2
                        | State::Closing
                        | State::LastAck
                )
            }
        })
        .collect();
    let longest = resting.iter().map(|socket| socket.expires).max()?;
    let count = counted(resting.len(), "connection");
    let what = format!(
        "{count} of a server on port {port} not over yet (TIME_WAIT and the like): one that starts without SO_REUSEADDR gets \"address already in use\""
    );
    let lines = resting.iter().take(3).map(|socket| {
        let seconds = f64::from(socket.expires) / 1e3;
        let (state, own, other) = (socket.state.name(), socket.local, socket.remote);
        format!("{own} → {other}, {state} for {seconds:.0} s yet")
    });
    let seconds = longest.div_ceil(1000);
    Some(
        CHECK
            .note("time-wait", what)
            .because_of(lines)
            .because("the kernel does not keep whose they were")
            .mended_by(format!("sleep {seconds}")),
    )
}

fn in_use(facts: &Facts) -> Option<Finding> {
    let server = facts.servers().chain(facts.datagrams()).next()?;
    let next = facts.next_free?;
    let (owner, port) = (facts.owner(server), facts.target.port);
    let what = format!(
        "another server that wants port {port} gets \"address already in use\"; the next free one is {next}"
    );
    Some(
        CHECK
            .ok("in-use", what)
            .because(format!("{owner} has {}", server.local)),
    )
}
