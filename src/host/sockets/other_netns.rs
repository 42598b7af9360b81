//! Listening sockets in other network namespaces.
//!
//! /proc/PID/net shows the sockets of a process's network namespace to all users (proc(5)).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::holders;
use crate::host::network::interfaces::ip_from_bytes;
use crate::host::network::namespaces::NETNS_DIR;
use crate::host::processes;
use crate::packet::{TCP, UDP};
use crate::process::Process;

/// A listening socket in another network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetnsListener {
    /// The local address.
    pub local: SocketAddr,
    /// [`TCP`] or [`UDP`].
    pub proto: u8,
    /// The PID of a process in the namespace.
    pub namespace_pid: u32,
    /// The name of the namespace, if ip-netns(8) assigned one.
    pub namespace_name: Option<String>,
    /// The processes that have the socket open.
    pub processes: Vec<Arc<Process>>,
}

impl NetnsListener {
    /// Returns the PID of a process that has the socket open, or else of one in its namespace.
    pub fn pid(&self) -> u32 {
        let process = self.processes.first();
        process.map_or(self.namespace_pid, |process| process.pid)
    }
}

/// The result of a search in other namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherNamespaces {
    /// The listening sockets.
    pub listeners: Vec<NetnsListener>,
    /// Number of other namespaces.
    pub namespace_count: usize,
    /// Number of processes whose network namespace cannot be read.
    pub hidden_processes: usize,
}

/// Maximum number of namespaces that are searched.
const MAX_NAMESPACES: usize = 256;

/// Returns the sockets that listen on this port in other namespaces.
pub fn listeners(port: u16) -> OtherNamespaces {
    let mut found = OtherNamespaces::default();
    let mut namespaces = HashMap::new();
    for pid in processes::all_pids() {
        match std::fs::read_link(format!("/proc/{pid}/ns/net")) {
            // Kernel threads also have this link; their /proc/PID/net is that of the initial
            // namespace.
            Ok(namespace) => _ = namespaces.insert(namespace, pid),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                found.hidden_processes += 1;
            }
            Err(_) => {}
        }
    }
    if let Ok(own) = std::fs::read_link("/proc/thread-self/ns/net") {
        namespaces.remove(&own);
    }
    found.namespace_count = namespaces.len();
    let mut inodes = Vec::new();
    for (namespace, pid) in namespaces.into_iter().take(MAX_NAMESPACES) {
        let mut name = None;
        for (file, proto) in [("tcp", TCP), ("tcp6", TCP), ("udp", UDP), ("udp6", UDP)] {
            let path = format!("/proc/{pid}/net/{file}");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            for (local, inode) in parse_listeners(&text, proto, port) {
                let name = name.get_or_insert_with(|| netns_name(&namespace.to_string_lossy()));
                inodes.push(inode);
                found.listeners.push(NetnsListener {
                    local,
                    proto,
                    namespace_pid: pid,
                    namespace_name: name.clone(),
                    processes: Vec::new(),
                });
            }
        }
    }
    if inodes.is_empty() {
        return found;
    }
    let holders = holders::find(&inodes.iter().copied().collect());
    for (listener, inode) in found.listeners.iter_mut().zip(inodes) {
        listener.processes = holders.of(inode).to_vec();
    }
    let listeners = &mut found.listeners;
    listeners.sort_by_key(|socket| (socket.namespace_pid, socket.local));
    found
}

/// Returns the name of the namespace that has this link: `net:[4026531840]`.
fn netns_name(link: &str) -> Option<String> {
    let number = link.strip_prefix("net:[")?.strip_suffix(']')?;
    let number: u64 = number.parse().ok()?;
    let mut entries = std::fs::read_dir(NETNS_DIR).ok()?.flatten();
    let found = entries.find(|entry| {
        // The namespace is mounted on this file, so the file has the namespace's inode.
        std::fs::metadata(entry.path()).is_ok_and(|meta| meta.ino() == number)
    })?;
    Some(found.file_name().to_string_lossy().into_owned())
}

/// Parses a file of /proc/PID/net; returns the sockets that listen on a port, with their inodes:
/// `0: 0100007F:F5AD 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4121 …`
fn parse_listeners(text: &str, proto: u8, port: u16) -> impl Iterator<Item = (SocketAddr, u32)> {
    // TCP_LISTEN, or TCP_CLOSE, which is the state of a UDP socket without a peer.
    let state = if proto == TCP { "0A" } else { "07" };
    text.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, local_port) = fields.get(1)?.split_once(':')?;
        let local_port = u16::from_str_radix(local_port, 16).ok()?;
        if local_port != port || *fields.get(3)? != state {
            return None;
        }
        let inode = fields.get(9)?.parse().ok()?;
        Some((SocketAddr::new(parse_ip(address)?, local_port), inode))
    })
}

/// Parses an address in the format that the kernel prints: 32-bit words in this machine's byte
/// order.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for at in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    ip_from_bytes(&bytes)
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
        let found: Vec<_> = parse_listeners(text, TCP, 62893).collect();
        let addresses =
            ["127.0.0.1:62893", "[::1]:62893"].map(|text| text.parse().expect("an address"));
        assert_eq!(found, [(addresses[0], 4121), (addresses[1], 4123)]);
        assert_eq!(parse_listeners(text, TCP, 1).count(), 0);
    }
}
