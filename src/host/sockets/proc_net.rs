//! Listening sockets and addresses of other network namespaces.
//!
//! /proc/PID/net shows those of a process's network namespace to all users (proc(5)).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::host::processes;
use crate::packet::{TCP, UDP};

/// Network namespaces other than that of the calling thread.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherNamespaces {
    /// A process in each namespace, by the link `net:[4026531840]`.
    pub by_link: HashMap<PathBuf, u32>,
    /// Number of processes whose network namespace cannot be read.
    pub hidden_processes: usize,
}

/// Maximum number of namespaces that are searched.
const MAX_NAMESPACES: usize = 256;

impl OtherNamespaces {
    /// Returns a process in each namespace.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.by_link.values().copied().take(MAX_NAMESPACES)
    }
}

/// A listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// The local address.
    pub local: SocketAddr,
    /// [`TCP`] or [`UDP`].
    pub proto: u8,
    /// The inode.
    pub inode: u32,
}

/// Returns the network namespaces of all processes, except that of the calling thread.
pub fn other_namespaces() -> OtherNamespaces {
    let mut found = OtherNamespaces::default();
    for pid in processes::all_pids() {
        match std::fs::read_link(format!("/proc/{pid}/ns/net")) {
            // Kernel threads also have this link; their /proc/PID/net is that of the initial
            // namespace.
            Ok(namespace) => _ = found.by_link.insert(namespace, pid),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                found.hidden_processes += 1;
            }
            Err(_) => {}
        }
    }
    if let Ok(own) = std::fs::read_link("/proc/thread-self/ns/net") {
        found.by_link.remove(&own);
    }
    found
}

/// Returns the sockets that listen on a port in the namespace of a process.
pub fn listeners(pid: u32, port: u16) -> Vec<Listener> {
    let files = [("tcp", TCP), ("tcp6", TCP), ("udp", UDP), ("udp6", UDP)];
    let read = |(file, proto)| {
        let text = read_net_file(pid, file);
        parse_listeners(&text, proto, port).collect::<Vec<_>>()
    };
    files.into_iter().flat_map(read).collect()
}

/// True if the namespace of a process has this local address.
pub fn has_address(pid: u32, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => has_ipv4_address(&read_net_file(pid, "fib_trie"), &address.to_string()),
        IpAddr::V6(v6) => {
            let digits: String = v6
                .octets()
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect();
            let text = read_net_file(pid, "if_inet6");
            text.lines().any(|line| line.starts_with(&digits))
        }
    }
}

fn read_net_file(pid: u32, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/net/{file}")).unwrap_or_default()
}

/// Finds a local address in /proc/PID/net/fib_trie: the line `|-- 172.17.0.2`, and below it
/// `/32 host LOCAL`.
pub(in crate::host) fn has_ipv4_address(text: &str, address: &str) -> bool {
    let mut is_below = false;
    text.lines().map(str::trim).any(|line| {
        if let Some(other) = line.strip_prefix("|-- ") {
            is_below = other == address;
        }
        is_below && line == "/32 host LOCAL"
    })
}

/// Parses a file of /proc/PID/net; returns the sockets that listen on a port:
/// `0: 0100007F:F5AD 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4121 …`
pub(in crate::host) fn parse_listeners(
    text: &str,
    proto: u8,
    port: u16,
) -> impl Iterator<Item = Listener> {
    // TCP_LISTEN, or TCP_CLOSE, which is the state of a UDP socket without a peer.
    let state = if proto == TCP { "0A" } else { "07" };
    text.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, local_port) = fields.get(1)?.split_once(':')?;
        let local_port = u16::from_str_radix(local_port, 16).ok()?;
        if local_port != port || *fields.get(3)? != state {
            return None;
        }
        Some(Listener {
            local: SocketAddr::new(parse_ip(address)?, local_port),
            proto,
            inode: fields.get(9)?.parse().ok()?,
        })
    })
}

/// Parses an address in the format that the kernel prints: 32-bit words in this machine's byte
/// order.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let mut octets = Vec::new();
    for at in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        octets.extend_from_slice(&word.to_ne_bytes());
    }
    let octets = &octets[..];
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn listeners_are_parsed_from_proc_net_files() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:F5AD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4121 1 0000 100 0 0 10 0
   1: 0100007F:F5AD 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 4122 1 0000 100 0 0 10 0
   2: 00000000000000000000000001000000:F5AD 0:0 0A 0:0 0:0 0 0 0 4123 1
   3: broken\n";
        let listener = |local: &str, inode| Listener {
            local: local.parse().expect("an address"),
            proto: TCP,
            inode,
        };
        let found: Vec<_> = parse_listeners(text, TCP, 62893).collect();
        let expected = [
            listener("127.0.0.1:62893", 4121),
            listener("[::1]:62893", 4123),
        ];
        assert_eq!(found, expected);
        assert_eq!(parse_listeners(text, TCP, 1).count(), 0);
    }

    #[test]
    fn local_addresses_are_found_in_fib_trie() {
        let text = "Main:
     +-- 172.17.0.0/16 2 0 2
        |-- 172.17.0.0
           /16 link UNICAST
        |-- 172.17.0.2
           /32 host LOCAL
        |-- 172.17.255.255
           /32 link BROADCAST\n";
        assert!(has_ipv4_address(text, "172.17.0.2"));
        for other in ["172.17.0.0", "172.17.255.255", "172.17.0.1", ""] {
            assert!(!has_ipv4_address(text, other), "{other}");
        }
        let pid = std::process::id();
        assert!(has_address(pid, [127, 0, 0, 1].into()));
        assert!(!has_address(pid, [192, 0, 2, 77].into()));
    }
}
