//! Facts that are made up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::doctor::facts::{Echo, Facts, Outcome, Probe, Server};
use crate::host::addresses::Interface;
use crate::host::firewall::Firewall;
use crate::host::listing::{Listed, State};
use crate::host::processes::{Details, Identity, More, Process};
use crate::packet::TCP;

pub(super) fn end(text: &str) -> SocketAddr {
    text.parse().expect("an end")
}

/// A machine with a loopback on which nothing happens.
pub(super) fn facts(target: &str) -> Facts {
    let mut facts = Facts::of(target.parse().expect("a target"));
    let ip = |text: &str| text.parse().expect("an address");
    let addresses = match facts.target.address() {
        Some(address) => vec![address],
        None => vec![ip("127.0.0.1")],
    };
    facts.resolved.addresses = addresses;
    facts.localhost.addresses = vec![ip("127.0.0.1")];
    facts.interfaces = vec![
        Interface {
            index: 1,
            name: "lo".into(),
            is_up: true,
            is_loopback: true,
            addresses: vec![(ip("127.0.0.1"), 8), (ip("::1"), 128)],
        },
        Interface {
            index: 2,
            name: "eth0".into(),
            is_up: true,
            is_loopback: false,
            addresses: vec![(ip("192.0.2.7"), 24)],
        },
    ];
    facts.firewall = Firewall::Chains(Vec::new());
    facts
}

/// A socket with this inode at this end.
pub(super) fn socket(state: State, local: &str, inode: u32) -> Listed {
    Listed {
        proto: TCP,
        local: end(local),
        remote: end("0.0.0.0:0"),
        state,
        receive_queue: 0,
        send_queue: 128,
        uid: 1000,
        inode,
        interface: 0,
        only_v6: false,
        expires: 0,
    }
}

pub(super) fn process(pid: u32) -> Arc<Process> {
    let identity = Identity {
        pid,
        start_time: 1,
        parent: 1,
        comm: "server".into(),
        uid: 1000,
    };
    Arc::new(Process::new(
        identity,
        More {
            name: "server".into(),
            exe: Some("/usr/bin/server".into()),
            command_line: vec!["server".into()],
            ..More::default()
        },
    ))
}

impl Facts {
    /// With a socket that a process has; the inode is the process's number.
    pub(super) fn with(mut self, socket: Listed) -> Facts {
        let pid = socket.inode;
        if pid != 0 {
            let process = process(pid);
            self.holders
                .by_inode
                .insert(pid, vec![Arc::clone(&process)]);
            let server = Server {
                process,
                details: Details::default(),
                user: "me".into(),
                since: None,
                parent: None,
            };
            self.servers.insert(pid, server);
        }
        if let Ok(sockets) = &mut self.sockets {
            sockets.push(socket);
        }
        self
    }

    /// With what came of knocking at the first address.
    pub(super) fn knocked(mut self, outcome: Outcome, answers: Option<Listed>) -> Facts {
        let address = self.resolved.addresses[self.probes.len()];
        self.probes.push(Probe {
            address: SocketAddr::new(address, self.target.port),
            outcome,
            took: Duration::from_micros(100),
            answers,
            waited: Duration::ZERO,
            echo: Echo::NotPermitted,
            said: None,
        });
        self
    }

    /// With something else.
    pub(super) fn but(mut self, change: impl FnOnce(&mut Facts)) -> Facts {
        change(&mut self);
        self
    }
}

pub(super) fn listens(local: &str, inode: u32) -> Listed {
    socket(State::Listening, local, inode)
}

pub(super) fn refused(target: &str) -> Facts {
    facts(target).knocked(Outcome::Refused, None)
}

pub(super) fn accepted(target: &str, local: &str) -> Facts {
    let own = socket(State::Established, local, 7);
    facts(target)
        .with(listens(local, 7))
        .knocked(Outcome::Accepted, Some(own))
}
