//! Who listens on a port in other network namespaces: /proc/PID/net shows the sockets of the namespace that a process is in (proc(5)), to everybody.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::holders;
use super::processes::{self, Process};
use crate::packet::{TCP, UDP};

/// A socket that listens in another network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its own end.
    pub local: SocketAddr,
    /// [`TCP`] or [`UDP`].
    pub proto: u8,
    /// A process that is in the namespace.
    pub pid: u32,
    /// The namespace's name, where ip-netns(8) gave it one.
    pub name: Option<String>,
    /// The processes that have the socket.
    pub processes: Vec<Arc<Process>>,
}

/// What is known of the other namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Who listens there.
    pub sockets: Vec<Foreign>,
    /// How many other namespaces were looked at.
    pub namespaces: usize,
    /// How many processes there are of which it may not be seen where they are.
    pub hidden: usize,
}

/// No more namespaces are looked at.
const MOST: usize = 256;

/// Who listens on this port in other namespaces.
pub fn listening(port: u16) -> Elsewhere {
    let mut found = Elsewhere::default();
    let own = std::fs::read_link("/proc/thread-self/ns/net").ok();
    let mut spaces = HashMap::new();
    for pid in processes::all() {
        match std::fs::read_link(format!("/proc/{pid}/ns/net")) {
            Ok(space) if Some(&space) == own.as_ref() => {}
            Ok(space) => {
                // A kernel thread's link is there, too, and its files are those of the first namespace.
                spaces.insert(space, pid);
            }
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => found.hidden += 1,
            Err(_) => {}
        }
    }
    found.namespaces = spaces.len();
    let mut inodes = HashSet::new();
    let mut sockets = Vec::new();
    for (space, pid) in spaces.into_iter().take(MOST) {
        let before = sockets.len();
        for (file, proto) in [("tcp", TCP), ("tcp6", TCP), ("udp", UDP), ("udp6", UDP)] {
            let path = format!("/proc/{pid}/net/{file}");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            sockets.extend(lines(&text, proto, port).map(|socket| (socket, proto, pid, None)));
        }
        if sockets.len() > before {
            let name = name(&space.to_string_lossy());
            for socket in &mut sockets[before..] {
                socket.3.clone_from(&name);
            }
        }
    }
    inodes.extend(sockets.iter().map(|((_, inode), ..)| *inode));
    if inodes.is_empty() {
        return found;
    }
    let holders = holders::find(&inodes);
    let foreign = |((local, inode), proto, pid, name)| Foreign {
        local,
        proto,
        pid,
        name,
        processes: holders.of(inode).to_vec(),
    };
    found.sockets = sockets.into_iter().map(foreign).collect();
    found
        .sockets
        .sort_by_key(|socket| (socket.pid, socket.local));
    found
}

/// The name of the namespace whose link reads so: `net:[4026531840]`.
fn name(link: &str) -> Option<String> {
    let number: u64 = link
        .strip_prefix("net:[")?
        .strip_suffix(']')?
        .parse()
        .ok()?;
    let mut entries = std::fs::read_dir("/run/netns").ok()?.flatten();
    let found = entries.find(|entry| {
        // Through the mount on it.
        std::fs::metadata(entry.path()).is_ok_and(|meta| meta.ino() == number)
    })?;
    Some(found.file_name().to_string_lossy().into_owned())
}

/// The sockets that listen on a port, and their inodes:
/// `0: 0100007F:F5AD 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4121 …`
fn lines(text: &str, proto: u8, port: u16) -> impl Iterator<Item = (SocketAddr, u32)> {
    let state = if proto == TCP { "0A" } else { "07" };
    text.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, own) = fields.get(1)?.split_once(':')?;
        let own = u16::from_str_radix(own, 16).ok()?;
        if own != port || *fields.get(3)? != state {
            return None;
        }
        let inode = fields.get(9)?.parse().ok()?;
        Some((SocketAddr::new(ip(address)?, own), inode))
    })
}

/// An address as the kernel prints it: 32-bit words of this machine's byte order.
fn ip(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for at in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    match bytes.len() {
        4 => Some(IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk()?))),
        16 => Some(IpAddr::V6(Ipv6Addr::from(*bytes.first_chunk()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn sockets_in_files() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:F5AD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4121 1 0000 100 0 0 10 0
   1: 0100007F:F5AD 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 4122 1 0000 100 0 0 10 0
   2: 00000000000000000000000001000000:F5AD 0:0 0A 0:0 0:0 0 0 0 4123 1
   3: broken\n";
        let found: Vec<_> = lines(text, TCP, 62893).collect();
        let ends = ["127.0.0.1:62893", "[::1]:62893"].map(|end| end.parse().expect("an end"));
        assert_eq!(found, [(ends[0], 4121), (ends[1], 4123)]);
        assert_eq!(lines(text, TCP, 1).count(), 0);
    }
}
