//! Proxies that forward the connections of a port to a container.

use std::collections::HashSet;
use std::net::SocketAddr;

use crate::host::sockets::holders;
use crate::host::sockets::proc_net::{self, Listener};
use crate::packet::{TCP, UDP};
use crate::process::{ProcessDetails, ProxyListener, ProxyTarget};

/// The program that Docker starts for each published port.
const DOCKER_PROXY: &str = "docker-proxy";

/// Adds the target to the details of a proxy: the process that listens at the address in its
/// command line. Other details are returned as they are.
pub fn with_target(details: ProcessDetails) -> ProcessDetails {
    let target = target_address(&details).map(|(address, proto)| ProxyTarget {
        address,
        listener: find_listener(address, proto),
    });
    ProcessDetails {
        forwards_to: target.map(Box::new),
        ..details
    }
}

/// Parses `docker-proxy -proto tcp … -container-ip 172.17.0.2 -container-port 80`.
fn target_address(details: &ProcessDetails) -> Option<(SocketAddr, u8)> {
    if details.name != DOCKER_PROXY {
        return None;
    }
    let option = |name| option(&details.command_line, name);
    let proto = match option("proto")?.as_str() {
        "tcp" => TCP,
        "udp" => UDP,
        _ => return None,
    };
    let ip = option("container-ip")?.parse().ok()?;
    let port = option("container-port")?.parse().ok()?;
    Some((SocketAddr::new(ip, port), proto))
}

/// Returns the value of an option in the command line of a proxy: `80` in `-container-port 80`.
pub fn option<'a>(command_line: &'a [String], name: &str) -> Option<&'a String> {
    let mut arguments = command_line.iter();
    arguments.find(|argument| argument.trim_start_matches('-') == name)?;
    arguments.next()
}

/// Returns the process that listens at an address in another network namespace.
fn find_listener(address: SocketAddr, proto: u8) -> Option<ProxyListener> {
    let (ip, port) = (address.ip(), address.port());
    let is_target = |listener: &Listener| {
        let local = listener.local.ip();
        listener.proto == proto && (local == ip || local.is_unspecified())
    };
    let mut found: Option<(u32, Vec<u32>)> = None;
    for pid in proc_net::other_namespaces().pids() {
        let listeners = proc_net::listeners(pid, port).into_iter();
        let inodes: Vec<u32> = listeners
            .filter(is_target)
            .map(|listener| listener.inode)
            .collect();
        if inodes.is_empty() || !proc_net::has_address(pid, ip) {
            continue;
        }
        if found.replace((pid, inodes)).is_some() {
            return None;
        }
    }
    let (_, inodes) = found?;
    let holders = holders::find(&HashSet::from_iter(inodes), None);
    let mut processes = holders.by_inode.into_values().flatten();
    // The first one is the oldest: further workers share its socket.
    let process = processes.next()?;
    let details = process.details();
    Some(ProxyListener {
        pid: process.pid,
        name: details.name.clone(),
        container: details.container.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_parsed_from_the_command_line() {
        let details = |name: &str, command_line: &str| ProcessDetails {
            name: name.into(),
            command_line: command_line.split(' ').map(str::to_owned).collect(),
            ..ProcessDetails::default()
        };
        let arguments = "/usr/bin/docker-proxy -proto tcp -host-ip ::1 -host-port 8080 \
                         -container-ip 172.17.0.2 -container-port 80";
        let expected = ("172.17.0.2:80".parse().expect("an address"), TCP);
        assert_eq!(
            target_address(&details(DOCKER_PROXY, arguments)),
            Some(expected)
        );
        assert_eq!(target_address(&details("curl", arguments)), None);
        for arguments in [
            "docker-proxy",
            "docker-proxy -proto sctp -container-ip 172.17.0.2 -container-port 80",
            "docker-proxy -proto tcp -container-ip 172.17.0 -container-port 80",
            "docker-proxy -proto tcp -container-ip 172.17.0.2 -container-port",
        ] {
            assert_eq!(target_address(&details(DOCKER_PROXY, arguments)), None);
        }
    }
}
