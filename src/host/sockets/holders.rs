//! Processes that have certain sockets open, found in one pass over /proc.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::host::processes::run_root::RunRoot;
use crate::host::processes::{self, ProcHandle};
use crate::privileges::{self, READ_PROCESSES};
use crate::process::Process;

/// The PID of the first process of a PID namespace.
const INIT_PID: u32 = 1;

/// The processes that have certain sockets open.
#[derive(Debug, Clone, Default)]
pub struct Holders {
    /// Processes by the socket's inode, in ascending order of PID.
    pub by_inode: HashMap<u32, Vec<Arc<Process>>>,
    /// Number of processes whose descriptors cannot be read; at least 1 if some are not listed.
    pub hidden_processes: usize,
}

impl Holders {
    /// Returns the processes that have the socket with this inode open.
    pub fn of(&self, inode: u32) -> &[Arc<Process>] {
        self.by_inode.get(&inode).map_or(&[], Vec::as_slice)
    }
}

/// Finds the processes that have any of the sockets with these inodes open, and their relation to
/// the command of `lcap run`, if there is one.
pub fn find(inodes: &HashSet<u32>, run: Option<RunRoot>) -> Holders {
    privileges::raised(READ_PROCESSES, || search(inodes, run))
}

fn search(inodes: &HashSet<u32>, run: Option<RunRoot>) -> Holders {
    let mut holders = Holders {
        // Under hidepid (proc(5)), processes that cannot be read are not even listed.
        hidden_processes: usize::from(!processes::is_visible(INIT_PID)),
        ..Holders::default()
    };
    for pid in processes::all_pids().into_iter().rev() {
        let Ok(handle) = ProcHandle::new(pid) else {
            continue;
        };
        let mut matching = HashSet::new();
        let scanned = handle.for_each_socket(|_, inode| {
            matching.extend(inodes.get(&inode));
            ControlFlow::Continue(())
        });
        match scanned {
            // If this fails, the process exited in the meantime.
            Ok(()) if !matching.is_empty() => {
                let identity = handle.identity_in_run(run);
                let process = identity.map(|identity| Arc::new(handle.describe(identity)));
                for inode in matching {
                    let processes = holders.by_inode.entry(inode).or_default();
                    processes.extend(process.as_ref().ok().cloned());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                holders.hidden_processes += 1;
            }
            _ => {}
        }
    }
    holders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::sockets::sock_diag::SockDiag;
    use std::net::TcpListener;

    #[test]
    fn own_listener_is_found_in_this_process() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = listener.local_addr().expect("an address");
        let sock_diag = SockDiag::open().expect("a connection");
        let sockets = sock_diag.listening().expect("a listing");
        let socket = sockets.iter().find(|socket| socket.local == address);
        let inode = socket.expect("the listener").inode;
        let holders = find(&HashSet::from([inode]), None);
        let pids: Vec<u32> = holders
            .of(inode)
            .iter()
            .map(|process| process.pid)
            .collect();
        assert!(pids.contains(&std::process::id()), "{pids:?}");
        assert_eq!(holders.of(inode + 1), []);
    }
}
