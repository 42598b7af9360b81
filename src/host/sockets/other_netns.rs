//! Listening sockets in other network namespaces, with their processes.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::{holders, proc_net};
use crate::host::network::namespaces::NETNS_DIR;
use crate::privileges::{self, READ_PROCESSES};
use crate::process::Process;

/// A listening socket in another network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetnsListener {
    /// The local address.
    pub local: SocketAddr,
    /// [`TCP`](crate::packet::TCP) or [`UDP`](crate::packet::UDP).
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
pub struct OtherListeners {
    /// The listening sockets.
    pub listeners: Vec<NetnsListener>,
    /// Number of other namespaces.
    pub namespace_count: usize,
    /// Number of processes whose network namespace cannot be read.
    pub hidden_processes: usize,
}

/// Returns the sockets that listen on this port in other namespaces.
pub fn listeners(port: u16) -> OtherListeners {
    privileges::raised(READ_PROCESSES, || search(port))
}

fn search(port: u16) -> OtherListeners {
    let namespaces = proc_net::other_namespaces();
    let mut found = OtherListeners {
        namespace_count: namespaces.by_link.len(),
        hidden_processes: namespaces.hidden_processes,
        ..OtherListeners::default()
    };
    let mut inodes = Vec::new();
    for namespace_pid in namespaces.pids() {
        let sockets = proc_net::listeners(namespace_pid, port);
        if sockets.is_empty() {
            continue;
        }
        let namespace_name = netns_name(namespace_pid);
        inodes.extend(sockets.iter().map(|socket| socket.inode));
        found
            .listeners
            .extend(sockets.iter().map(|socket| NetnsListener {
                local: socket.local,
                proto: socket.proto,
                namespace_pid,
                namespace_name: namespace_name.clone(),
                processes: Vec::new(),
            }));
    }
    if inodes.is_empty() {
        return found;
    }
    let holders = holders::find(&inodes.iter().copied().collect(), None);
    for (listener, inode) in found.listeners.iter_mut().zip(inodes) {
        listener.processes = holders.of(inode).to_vec();
    }
    let listeners = &mut found.listeners;
    listeners.sort_by_key(|socket| (socket.namespace_pid, socket.local));
    found
}

/// Returns the name of the namespace of a process.
fn netns_name(pid: u32) -> Option<String> {
    // The namespace is mounted on a file, so the file has the namespace's inode.
    let inode = |path: &Path| std::fs::metadata(path).map(|meta| meta.ino()).ok();
    let namespace = inode(Path::new(&format!("/proc/{pid}/ns/net")))?;
    let mut entries = std::fs::read_dir(NETNS_DIR).ok()?.flatten();
    let found = entries.find(|entry| inode(&entry.path()) == Some(namespace))?;
    Some(found.file_name().to_string_lossy().into_owned())
}
