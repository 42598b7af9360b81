//! Which processes have which sockets, found in one pass over /proc for all of them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::processes::{self, Held, Process};

/// The processes that have sockets.
#[derive(Debug, Clone, Default)]
pub struct Holders {
    /// By a socket's inode, by number.
    pub by_inode: HashMap<u32, Vec<Arc<Process>>>,
    /// How many processes there are whose descriptors may not be seen.
    pub hidden: usize,
}

impl Holders {
    /// Who has the socket with this inode.
    pub fn of(&self, inode: u32) -> &[Arc<Process>] {
        self.by_inode.get(&inode).map_or(&[], Vec::as_slice)
    }
}

/// The processes that have any of these sockets.
pub fn find(inodes: &HashSet<u32>) -> Holders {
    let mut holders = Holders::default();
    for pid in processes::all().into_iter().rev() {
        let Ok(held) = Held::new(pid) else {
            continue;
        };
        match found(&held, inodes) {
            Ok(own) if own.is_empty() => {}
            Ok(own) => {
                // Who ended in between has nothing any more.
                let Ok(process) = held.describe().map(Arc::new) else {
                    continue;
                };
                for inode in own {
                    let all = holders.by_inode.entry(inode).or_default();
                    all.push(Arc::clone(&process));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => holders.hidden += 1,
            Err(_) => {}
        }
    }
    holders
}

/// Those of the sockets that a process has.
fn found(held: &Held, inodes: &HashSet<u32>) -> io::Result<HashSet<u32>> {
    let mut own = HashSet::new();
    held.each_socket(|_, inode| {
        if inodes.contains(&inode) {
            own.insert(inode);
        }
        ControlFlow::Continue(())
    })?;
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn this_process_has_its_own_sockets() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = listener.local_addr().expect("an address");
        let all = crate::host::listing::listening().expect("a listing");
        let socket = all.iter().find(|socket| socket.local == address);
        let inode = socket.expect("it").inode;
        let holders = find(&HashSet::from([inode]));
        let pids: Vec<u32> = holders.of(inode).iter().map(|own| own.pid).collect();
        assert!(pids.contains(&std::process::id()), "{pids:?}");
        assert_eq!(holders.of(inode + 1), []);
    }
}
