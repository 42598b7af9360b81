//! What it takes long to find out, found out by a thread that may be kept waiting: those who ask who has a socket must not be.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::allowance::Allowance;
use super::{How, Owner};
use crate::host::holders;
use crate::host::listing::{self, Listed};
use crate::host::processes::Process;
use crate::source::Stop;

/// So many errands may wait; a process that waits to be described is held by a descriptor.
const WAITING: usize = 128;
/// Who has spent too much rests for so long.
const REST: Duration = Duration::from_millis(20);
/// Who listens is asked again after this long: another process may have got the socket.
const FRESH: Duration = Duration::from_millis(250);
/// So many listening sockets are remembered.
const LISTENING: usize = 4096;

/// Sends that thread.
#[derive(Debug, Clone)]
pub(super) struct Errands {
    errands: SyncSender<Errand>,
    listeners: Listeners,
}

#[derive(Debug)]
enum Errand {
    /// To describe a process.
    Describe(Arc<Process>),
    /// To find out who listens at these sockets.
    Listeners(Vec<Listed>),
}

/// Who listens, by the socket's inode, and since when that is known.
#[derive(Debug, Clone, Default)]
struct Listeners(Arc<Mutex<HashMap<u32, (Instant, Owner)>>>);

impl Errands {
    /// Begins; the thread ends when that is wanted, or nobody can send it any more.
    ///
    /// # Errors
    /// There are no more threads.
    pub(super) fn start(stop: Stop) -> io::Result<(Errands, JoinHandle<()>)> {
        let (errands, sent) = sync_channel(WAITING);
        let listeners = Listeners::default();
        let own = listeners.clone();
        let run = move || {
            let mut allowance = Allowance::new(Instant::now());
            for errand in sent {
                allowance.count(Instant::now());
                while !allowance.is_left(Instant::now()) && !stop.is_requested() {
                    std::thread::sleep(REST);
                }
                // Who is shown still is described then.
                if stop.is_requested() {
                    break;
                }
                allowance.spend(|| match errand {
                    Errand::Describe(process) => _ = process.more(),
                    Errand::Listeners(sockets) => own.find(sockets),
                });
            }
        };
        let thread = std::thread::Builder::new().name("owners more".into());
        Ok((Errands { errands, listeners }, thread.spawn(run)?))
    }

    /// Has a process described; at once, where too many errands wait.
    pub(super) fn describe(&self, process: &Arc<Process>) {
        let errand = Errand::Describe(Arc::clone(process));
        if self.errands.try_send(errand).is_err() {
            process.more();
        }
    }

    /// Has it found out who listens now, before anybody asks.
    pub(super) fn find_listeners(&self) {
        let all = listing::listening().unwrap_or_default();
        // Where it cannot be sent, each is found when it is asked for.
        let _ = self.errands.try_send(Errand::Listeners(all));
    }

    /// Who listens at a socket, if that is known. It is asked again where that was a while ago.
    pub(super) fn listener(&self, socket: &Listed) -> Option<Owner> {
        let mut listeners = self.listeners.lock();
        let (since, owner) = listeners.get_mut(&socket.inode)?;
        if since.elapsed() > FRESH {
            let errand = Errand::Listeners(vec![socket.clone()]);
            if self.errands.try_send(errand).is_ok() {
                *since = Instant::now();
            }
        }
        Some(owner.clone())
    }

    /// Notes who listens at a socket, or why that is not known.
    pub(super) fn is_listener(&self, inode: u32, owner: &Owner) {
        self.listeners.note(inode, owner.clone());
    }

    /// Whether a process is known to listen.
    pub(super) fn listens(&self, pid: u32) -> bool {
        let listeners = self.listeners.lock();
        let mut all = listeners.values().flat_map(|(_, owner)| &owner.processes);
        all.any(|process| process.pid == pid)
    }
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, (Instant, Owner)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, inode: u32, owner: Owner) {
        let mut all = self.lock();
        if all.len() >= LISTENING {
            all.clear();
        }
        all.insert(inode, (Instant::now(), owner));
    }

    /// Finds out who has these sockets, and forgets those that nobody is seen to have.
    fn find(&self, sockets: Vec<Listed>) {
        let inodes: HashSet<u32> = sockets.iter().map(|socket| socket.inode).collect();
        let holders = holders::find(&inodes);
        for socket in sockets {
            match holders.of(socket.inode) {
                [] => _ = self.lock().remove(&socket.inode),
                processes => {
                    let owner = Owner {
                        processes: processes.to_vec(),
                        ..Owner::unknown(How::Listener, Some(socket.uid))
                    };
                    self.note(socket.inode, owner);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn who_listens_is_known_before_anybody_asks() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = listener.local_addr().expect("an address");
        let own = std::process::id();
        let all = listing::listening().expect("a listing");
        let socket = all.into_iter().find(|socket| socket.local == address);
        let socket = socket.expect("it");
        let (errands, thread) = Errands::start(Stop::new().expect("a pipe")).expect("a thread");
        errands.find_listeners();
        let until = Instant::now() + Duration::from_secs(5);
        while errands.listener(&socket).is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        let known = errands.listener(&socket).expect("it is known");
        assert!(known.processes.iter().any(|process| process.pid == own));
        assert!(errands.listens(own));
        drop(listener);
        // It is asked again after a while, and is forgotten.
        while errands.listener(&socket).is_some() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!errands.listens(own) || errands.listener(&socket).is_none());
        drop(errands);
        thread.join().expect("it ends");
    }
}
