//! All listening sockets, with their processes and reachability.

use std::collections::HashMap;
use std::fmt;
use std::io;

use super::PortClass;
use crate::host::network::interfaces::{self, HostInterface, network};
use crate::host::processes::users;
use crate::host::services::names::Services;
use crate::host::sockets::holders::{self, Holders};
use crate::host::sockets::sock_diag::{self, SocketInfo};
use crate::process::{Evidence, Owner};

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListeningPort {
    /// The socket, as listed by the kernel.
    pub socket: SocketInfo,
    /// The processes that have the socket open.
    pub owner: Owner,
    /// The name of the user who created the socket, or the user ID.
    pub user: String,
    /// The class of the port number.
    pub class: PortClass,
    /// The service name in /etc/services.
    pub service: Option<String>,
    /// The machines and networks from which packets can reach the socket.
    pub reachability: Reachability,
}

/// All listening sockets.
#[derive(Debug, Clone, Default)]
pub struct ListeningPorts {
    /// The sockets, sorted by port.
    pub ports: Vec<ListeningPort>,
    /// Number of processes whose sockets this user is not permitted to see.
    pub hidden_processes: usize,
}

/// The machines and networks from which packets can reach a socket, derived from its address. A
/// firewall can still block these packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reachability {
    /// This machine only.
    ThisMachine,
    /// These networks, e.g. `eth0 192.0.2.0/24`, and all networks that are routed through them;
    /// empty if no matching interface is up.
    Networks(Vec<String>),
}

impl fmt::Display for Reachability {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Reachability::ThisMachine => f.write_str("this machine"),
            Reachability::Networks(networks) if networks.is_empty() => {
                f.write_str("any network (none is up)")
            }
            Reachability::Networks(networks) => f.write_str(&networks.join(", ")),
        }
    }
}

/// Lists all listening sockets of this network namespace, TCP and UDP.
///
/// # Errors
/// The kernel does not list its sockets or its interfaces.
pub fn listening_ports() -> io::Result<ListeningPorts> {
    let sockets = sock_diag::listening()?;
    let interfaces = interfaces::all()?;
    let services = Services::read();
    let inodes = sockets.iter().map(|socket| socket.inode).collect();
    let holders = holders::find(&inodes, None);
    let mut user_names = HashMap::new();
    let mut ports: Vec<ListeningPort> = sockets
        .into_iter()
        .map(|socket| ListeningPort {
            owner: owner(&socket, &holders),
            user: user_names
                .entry(socket.uid)
                .or_insert_with_key(|uid| users::name(*uid).unwrap_or_else(|| uid.to_string()))
                .clone(),
            class: PortClass::of(socket.local.port()),
            service: services
                .name(socket.proto, socket.local.port())
                .map(str::to_owned),
            reachability: reachability(&socket, &interfaces),
            socket,
        })
        .collect();
    ports.sort_by_key(|ListeningPort { socket, .. }| {
        let SocketInfo { local, proto, .. } = socket;
        (local.port(), *proto, local.ip(), socket.inode)
    });
    Ok(ListeningPorts {
        ports,
        hidden_processes: holders.hidden_processes,
    })
}

/// Returns the processes that have a socket open.
pub(super) fn owner(socket: &SocketInfo, holders: &Holders) -> Owner {
    let processes = holders.of(socket.inode).to_vec();
    let evidence = match processes.is_empty() {
        false => Evidence::Holds,
        true if holders.hidden_processes > 0 => Evidence::NotPermitted,
        true => Evidence::Gone,
    };
    Owner {
        processes,
        ..Owner::unknown(evidence, Some(socket.uid))
    }
}

/// Derives the reachability of a socket from its address and the interfaces that are up.
pub fn reachability(socket: &SocketInfo, interfaces: &[HostInterface]) -> Reachability {
    let local = socket.local.ip().to_canonical();
    let bound = interfaces
        .iter()
        .find(|interface| interface.index == socket.interface);
    if local.is_loopback() || bound.is_some_and(|interface| interface.is_loopback) {
        return Reachability::ThisMachine;
    }
    let is_candidate = |interface: &&HostInterface| {
        interface.is_up
            && !interface.is_loopback
            && (socket.interface == 0 || interface.index == socket.interface)
    };
    let mut networks = Vec::new();
    for interface in interfaces.iter().filter(is_candidate) {
        let reached = interface.addresses.iter().filter(|(address, _)| {
            // A multicast group is received on every interface.
            socket.can_receive_on(*address)
                || local.is_multicast() && local.is_ipv4() == address.is_ipv4()
        });
        networks.extend(reached.map(|&address| format!("{} {}", interface.name, network(address))));
    }
    Reachability::Networks(networks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reachability_follows_address_and_interfaces() {
        let interface = |index, name: &str, is_up, addresses: &[(&str, u8)]| HostInterface {
            index,
            name: name.into(),
            is_up,
            is_loopback: index == 1,
            addresses: addresses
                .iter()
                .map(|(address, bits)| (address.parse().expect("an address"), *bits))
                .collect(),
        };
        let interfaces = [
            interface(1, "lo", true, &[("127.0.0.1", 8), ("::1", 128)]),
            interface(2, "eth0", true, &[("192.0.2.7", 24), ("2001:db8::7", 64)]),
            interface(3, "down", false, &[("198.51.100.1", 24)]),
        ];
        for (local, bound, text) in [
            ("127.0.0.1:1", 0, "this machine"),
            ("127.9.9.9:1", 0, "this machine"),
            ("[::1]:1", 0, "this machine"),
            ("0.0.0.0:1", 0, "eth0 192.0.2.0/24"),
            ("0.0.0.0:1", 1, "this machine"),
            ("0.0.0.0:1", 3, "any network (none is up)"),
            ("[::]:1", 0, "eth0 192.0.2.0/24, eth0 2001:db8::/64"),
            ("192.0.2.7:1", 0, "eth0 192.0.2.0/24"),
            ("198.51.100.1:1", 0, "any network (none is up)"),
            ("224.0.0.251:1", 0, "eth0 192.0.2.0/24"),
        ] {
            let socket = SocketInfo {
                interface: bound,
                ..SocketInfo::listening(local)
            };
            assert_eq!(
                reachability(&socket, &interfaces).to_string(),
                text,
                "{local}"
            );
        }
    }
}
