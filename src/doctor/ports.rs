//! Every socket that listens: whose it is, and who can reach it.

use std::collections::HashMap;
use std::fmt;
use std::io;

use super::Class;
use crate::host::addresses::{self, Interface, network};
use crate::host::holders::{self, Holders};
use crate::host::listing::{self, Listed};
use crate::host::services::Services;
use crate::host::users;
use crate::owners::{How, Owner};

/// A socket that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// What the kernel says of it.
    pub socket: Listed,
    /// The processes that have it.
    pub owner: Owner,
    /// The name of the user whose it is, or the number.
    pub user: String,
    /// Which kind of port it is.
    pub class: Class,
    /// IANA's name of the service.
    pub service: Option<String>,
    /// Who can reach it.
    pub reach: Reach,
}

/// All of them, by port.
#[derive(Debug, Clone, Default)]
pub struct Ports {
    /// The sockets.
    pub all: Vec<Port>,
    /// How many processes there are whose sockets may not be seen.
    pub hidden: usize,
}

/// Who can reach a socket, as far as its address tells; a firewall may forbid more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Who is on this machine.
    ThisMachine,
    /// Who is in these networks, and all that are routed through them; none are up if there are none.
    Networks(Vec<String>),
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Reach::ThisMachine => f.write_str("this machine"),
            Reach::Networks(networks) if networks.is_empty() => {
                f.write_str("any network (none is up)")
            }
            Reach::Networks(networks) => f.write_str(&networks.join(", ")),
        }
    }
}

/// Lists them.
///
/// # Errors
/// The kernel does not tell.
pub fn ports() -> io::Result<Ports> {
    let sockets = listing::listening()?;
    let interfaces = addresses::all()?;
    let services = Services::read();
    let inodes = sockets.iter().map(|socket| socket.inode).collect();
    let holders = holders::find(&inodes);
    let mut names = HashMap::new();
    let mut all: Vec<Port> = sockets
        .into_iter()
        .map(|socket| Port {
            owner: owner(&socket, &holders),
            user: names
                .entry(socket.uid)
                .or_insert_with_key(|uid| users::name(*uid).unwrap_or_else(|| uid.to_string()))
                .clone(),
            class: Class::of(socket.local.port()),
            service: services
                .name(socket.proto, socket.local.port())
                .map(str::to_owned),
            reach: reach(&socket, &interfaces),
            socket,
        })
        .collect();
    all.sort_by_key(|Port { socket, .. }| {
        let Listed { local, proto, .. } = socket;
        (local.port(), *proto, local.ip(), socket.inode)
    });
    Ok(Ports {
        all,
        hidden: holders.hidden,
    })
}

/// The processes that have a socket.
pub(super) fn owner(socket: &Listed, holders: &Holders) -> Owner {
    let processes = holders.of(socket.inode).to_vec();
    let how = match processes.is_empty() {
        false => How::Socket,
        true if holders.hidden > 0 => How::NotPermitted,
        true => How::Gone,
    };
    Owner {
        processes,
        ..Owner::unknown(how, Some(socket.uid))
    }
}

/// Who can reach a socket, by its address and the interfaces that are up.
pub fn reach(socket: &Listed, interfaces: &[Interface]) -> Reach {
    let own = socket.local.ip().to_canonical();
    let bound = interfaces
        .iter()
        .find(|interface| interface.index == socket.interface);
    if own.is_loopback() || bound.is_some_and(|interface| interface.is_loopback) {
        return Reach::ThisMachine;
    }
    let is_open = |interface: &&Interface| {
        interface.is_up
            && !interface.is_loopback
            && (socket.interface == 0 || interface.index == socket.interface)
    };
    let mut networks = Vec::new();
    for interface in interfaces.iter().filter(is_open) {
        let reached = interface.addresses.iter().filter(|(address, _)| {
            // Who takes what is sent to a group takes it from everywhere.
            socket.takes(*address) || own.is_multicast() && own.is_ipv4() == address.is_ipv4()
        });
        networks.extend(reached.map(|&address| format!("{} {}", interface.name, network(address))));
    }
    Reach::Networks(networks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_reach_whom() {
        let interface = |index, name: &str, is_up, addresses: &[(&str, u8)]| Interface {
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
            let socket = Listed {
                interface: bound,
                ..Listed::listening(local)
            };
            assert_eq!(reach(&socket, &interfaces).to_string(), text, "{local}");
        }
    }
}
