//! Builders of synthetic facts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::doctor::facts::{ConnectOutcome, EchoOutcome, PortFacts, ProbeResult, ServerProcess};
use crate::host::network::firewall::Firewall;
use crate::host::network::interfaces::HostInterface;
use crate::host::processes::ProcessInspection;
use crate::host::sockets::sock_diag::{SocketInfo, SocketState};
use crate::packet::TCP;
use crate::process::{Process, ProcessDetails, ProcessIdentity, RunMembership};

pub(super) fn socket_address(text: &str) -> SocketAddr {
    text.parse().expect("a socket address")
}

/// Facts of an idle machine with a loopback and one network interface.
pub(super) fn facts(target: &str) -> PortFacts {
    let mut facts = PortFacts::new(target.parse().expect("a target"));
    let ip = |text: &str| text.parse().expect("an address");
    let addresses = match facts.target.address() {
        Some(address) => vec![address],
        None => vec![ip("127.0.0.1")],
    };
    facts.resolved.addresses = addresses;
    facts.localhost.addresses = vec![ip("127.0.0.1")];
    facts.interfaces = vec![
        HostInterface {
            index: 1,
            name: "lo".into(),
            is_up: true,
            is_loopback: true,
            addresses: vec![(ip("127.0.0.1"), 8), (ip("::1"), 128)],
        },
        HostInterface {
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

/// A TCP socket with this local address and inode.
pub(super) fn socket(state: SocketState, local: &str, inode: u32) -> SocketInfo {
    SocketInfo {
        proto: TCP,
        local: socket_address(local),
        remote: socket_address("0.0.0.0:0"),
        state,
        receive_queue: 0,
        send_queue: 128,
        uid: 1000,
        inode,
        interface: 0,
        only_v6: false,
        expires_in_ms: 0,
    }
}

pub(super) fn process(pid: u32) -> Arc<Process> {
    let identity = ProcessIdentity {
        pid,
        start_time: 1,
        parent: 1,
        comm: "server".into(),
        uid: 1000,
        run: RunMembership::default(),
    };
    Arc::new(Process::new(
        identity,
        ProcessDetails {
            name: "server".into(),
            exe: Some("/usr/bin/server".into()),
            command_line: vec!["server".into()],
            ..ProcessDetails::default()
        },
    ))
}

impl PortFacts {
    /// Adds a socket and, unless its inode is 0, a process that has the socket open. The PID of the
    /// process equals the inode.
    pub(super) fn with_socket(mut self, socket: SocketInfo) -> PortFacts {
        let pid = socket.inode;
        if pid != 0 {
            let process = process(pid);
            self.holders
                .by_inode
                .insert(pid, vec![Arc::clone(&process)]);
            let server = ServerProcess {
                process,
                details: ProcessInspection::default(),
                user: "me".into(),
                started_at: None,
                parent: None,
            };
            self.server_processes.insert(pid, server);
        }
        self.sockets.push(socket);
        self
    }

    /// Adds a probe result for the next resolved address.
    pub(super) fn with_probe(
        mut self,
        outcome: ConnectOutcome,
        peer_socket: Option<SocketInfo>,
    ) -> PortFacts {
        let address = self.resolved.addresses[self.probes.len()];
        self.probes.push(ProbeResult {
            address: SocketAddr::new(address, self.target.port),
            outcome,
            connect_time: Duration::from_micros(100),
            peer_socket,
            accept_wait: Duration::ZERO,
            echo: EchoOutcome::NotPermitted,
            service_reply: None,
        });
        self
    }

    /// Applies a change to the facts.
    pub(super) fn with_change(mut self, change: impl FnOnce(&mut PortFacts)) -> PortFacts {
        change(&mut self);
        self
    }
}

pub(super) fn listening_socket(local: &str, inode: u32) -> SocketInfo {
    socket(SocketState::Listening, local, inode)
}

pub(super) fn refused_facts(target: &str) -> PortFacts {
    facts(target).with_probe(ConnectOutcome::Refused, None)
}

pub(super) fn accepted_facts(target: &str, local: &str) -> PortFacts {
    let peer = socket(SocketState::Established, local, 7);
    facts(target)
        .with_socket(listening_socket(local, 7))
        .with_probe(ConnectOutcome::Accepted, Some(peer))
}
