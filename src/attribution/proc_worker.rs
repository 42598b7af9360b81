//! Background thread for slow reads from /proc, which must not delay the threads that look up
//! sockets.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::cpu_budget::CpuBudget;
use super::link::Sender;
use super::messages::Answer;
use super::spawn;
use crate::host::processes::ProcHandle;
use crate::host::processes::priority::UsualPriority;
use crate::host::processes::run_root::RunRoot;
use crate::host::proxies;
use crate::host::sockets::holders;
use crate::host::sockets::sock_diag::{SockDiag, SocketInfo};
use crate::process::{Evidence, Owner, Process, ProcessDetails, ProcessIdentity};
use crate::source::Stop;

/// Maximum number of queued tasks; each process that is queued for description keeps a file
/// descriptor open.
const MAX_QUEUED_TASKS: usize = 128;
/// Duration of the pause after the CPU budget is exhausted.
const THROTTLE_PAUSE: Duration = Duration::from_millis(20);
/// Age after which a listener is looked up again: another process may have received the socket.
const LISTENER_CACHE_TTL: Duration = Duration::from_millis(250);
/// Maximum number of cached listening sockets.
const MAX_CACHED_LISTENERS: usize = 4096;

/// Maximum number of processes whose details can still be requested.
const MAX_DESCRIBED_PROCESSES: usize = 4096;

/// Handle to the worker thread.
#[derive(Debug, Clone)]
pub(super) struct ProcWorker {
    tasks: SyncSender<ProcTask>,
    answers: Arc<Sender<Answer>>,
    listeners: ListenerCache,
    described: FoundProcesses,
    /// The ancestor of the processes of the command that `lcap run` runs.
    pub(super) run: Option<RunRoot>,
}

#[derive(Debug)]
enum ProcTask {
    /// Read the details of a process.
    Describe(Arc<Process>),
    /// Answer a request for the details of a process.
    Answer(u64, Arc<Process>),
    /// Find the processes that have these listening sockets.
    FindListeners(Vec<SocketInfo>),
}

/// Processes that were found, whose details are read or can still be read, by PID.
type FoundProcesses = Arc<Mutex<HashMap<u32, Arc<Process>>>>;

/// Owners of listening sockets by inode, and the time of each lookup.
#[derive(Debug, Clone, Default)]
struct ListenerCache(Arc<Mutex<HashMap<u32, (Instant, Owner)>>>);

impl ProcWorker {
    /// Starts the thread, which ends on request, or when the last handle is dropped.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub(super) fn start(
        answers: &Arc<Sender<Answer>>,
        stop: Stop,
        run: Option<RunRoot>,
        priority: UsualPriority,
    ) -> io::Result<(ProcWorker, JoinHandle<()>)> {
        let (tasks, queue) = sync_channel(MAX_QUEUED_TASKS);
        let listeners = ListenerCache::default();
        let (thread_listeners, thread_answers) = (listeners.clone(), Arc::clone(answers));
        let work = move || {
            priority.restore();
            let mut budget = CpuBudget::new(Instant::now());
            for task in queue {
                budget.record_task(Instant::now());
                while !budget.replenish(Instant::now()) && !stop.is_requested() {
                    std::thread::sleep(THROTTLE_PAUSE);
                }
                // The remaining tasks are dropped: a process that is shown later is described then.
                if stop.is_requested() {
                    break;
                }
                budget.spend(|| match task {
                    ProcTask::Describe(process) => _ = process.details(),
                    ProcTask::Answer(number, process) => answer(&thread_answers, number, &process),
                    ProcTask::FindListeners(sockets) => thread_listeners.refresh(sockets, run),
                });
            }
        };
        let worker = ProcWorker {
            tasks,
            answers: Arc::clone(answers),
            listeners,
            described: FoundProcesses::default(),
            run,
        };
        Ok((worker, spawn("proc worker", work)?))
    }

    /// Answers a request for the details of a process, immediately if the budget permits.
    pub(super) fn answer(
        &self,
        number: u64,
        identity: ProcessIdentity,
        arg_start: Option<u64>,
        budget: &mut CpuBudget,
    ) {
        let described = self.lock_described().get(&identity.pid).cloned();
        let described = described.filter(|process| process.identity() == identity);
        // Another thread is reading, or has read, the details of a described process.
        let is_described = described.is_some();
        let process = described.unwrap_or_else(|| {
            let read = move |identity: ProcessIdentity| {
                let details = read_details(&identity, arg_start);
                details.unwrap_or_else(|| identity.short_details())
            };
            Arc::new(Process::with_lazy_details(identity, read))
        });
        if !is_described
            && budget
                .spend(|| answer(&self.answers, number, &process))
                .is_some()
        {
            return;
        }
        let task = ProcTask::Answer(number, Arc::clone(&process));
        if self.tasks.try_send(task).is_err() {
            answer(&self.answers, number, &process);
        }
    }

    /// Queues the description of a process; describes it immediately if the queue is full.
    pub(super) fn describe(&self, process: &Arc<Process>) {
        let mut described = self.lock_described();
        if described.len() >= MAX_DESCRIBED_PROCESSES {
            described.clear();
        }
        described.insert(process.pid, Arc::clone(process));
        drop(described);
        let task = ProcTask::Describe(Arc::clone(process));
        if self.tasks.try_send(task).is_err() {
            process.details();
        }
    }

    /// Queues a lookup of all current listeners, before they are needed.
    pub(super) fn prefetch_listeners(&self, sock_diag: &SockDiag) {
        let sockets = sock_diag.listening().unwrap_or_default();
        // If the queue is full, each listener is looked up when it is needed.
        let _ = self.tasks.try_send(ProcTask::FindListeners(sockets));
    }

    /// Returns the cached owner of a listening socket. Queues another lookup if the entry is old.
    pub(super) fn listener(&self, socket: &SocketInfo) -> Option<Owner> {
        let mut listeners = self.listeners.lock();
        let (updated_at, owner) = listeners.get_mut(&socket.inode)?;
        if updated_at.elapsed() > LISTENER_CACHE_TTL {
            let task = ProcTask::FindListeners(vec![socket.clone()]);
            if self.tasks.try_send(task).is_ok() {
                *updated_at = Instant::now();
            }
        }
        Some(owner.clone())
    }

    /// Caches the owner of a listening socket, or the reason why it is unknown.
    pub(super) fn cache_listener(&self, inode: u32, owner: &Owner) {
        self.listeners.insert(inode, owner.clone());
    }

    /// True if a process has a cached listening socket.
    pub(super) fn is_listening(&self, pid: u32) -> bool {
        let listeners = self.listeners.lock();
        let mut processes = listeners.values().flat_map(|(_, owner)| &owner.processes);
        processes.any(|process| process.pid == pid)
    }

    fn lock_described(&self) -> MutexGuard<'_, HashMap<u32, Arc<Process>>> {
        self.described
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the details of a process, after reading them if necessary.
fn answer(answers: &Sender<Answer>, number: u64, process: &Process) {
    let details = process.details().clone();
    answers.send(&Answer::Details { number, details });
}

/// Reads the details of a process; `None` if it has exited, or executed another program, or if this
/// cannot be determined.
fn read_details(identity: &ProcessIdentity, arg_start: Option<u64>) -> Option<ProcessDetails> {
    let handle = ProcHandle::new(identity.pid).ok()?;
    let current = handle.identity().ok()?;
    if current.start_time != identity.start_time || current.comm != identity.comm {
        return None;
    }
    let details = handle.read_details(&current);
    // Read last: if the program is the same now, it was the same when the details were read.
    if arg_start.is_some() && handle.arg_start() != arg_start {
        return None;
    }
    Some(proxies::with_target(details))
}

impl ListenerCache {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, (Instant, Owner)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, inode: u32, owner: Owner) {
        let mut entries = self.lock();
        if entries.len() >= MAX_CACHED_LISTENERS {
            entries.clear();
        }
        entries.insert(inode, (Instant::now(), owner));
    }

    /// Looks up the owners of these sockets, and removes those without a visible process from the
    /// cache.
    fn refresh(&self, sockets: Vec<SocketInfo>, run: Option<RunRoot>) {
        let inodes: HashSet<u32> = sockets.iter().map(|socket| socket.inode).collect();
        let holders = holders::find(&inodes, run);
        for socket in sockets {
            match holders.of(socket.inode) {
                [] => _ = self.lock().remove(&socket.inode),
                processes => {
                    let owner = Owner {
                        processes: processes.to_vec(),
                        ..Owner::unknown(Evidence::Listener, Some(socket.uid))
                    };
                    self.insert(socket.inode, owner);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::link;
    use std::net::TcpListener;

    #[test]
    fn listener_is_prefetched_and_dropped_after_close() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = listener.local_addr().expect("an address");
        let own_pid = std::process::id();
        let sock_diag = SockDiag::open().expect("a connection");
        let sockets = sock_diag.listening().expect("a listing");
        let socket = sockets.into_iter().find(|socket| socket.local == address);
        let socket = socket.expect("the listening socket");
        let (_, far) = link::pair().expect("sockets");
        let (answers, _) = Sender::new::<()>(far).expect("a waker");
        let started = ProcWorker::start(
            &answers,
            Stop::new().expect("a pipe"),
            None,
            UsualPriority::before_raise(),
        );
        let (worker, thread) = started.expect("a thread");
        worker.prefetch_listeners(&sock_diag);
        let deadline = Instant::now() + Duration::from_secs(5);
        while worker.listener(&socket).is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        let owner = worker.listener(&socket).expect("a cached owner");
        assert!(owner.processes.iter().any(|process| process.pid == own_pid));
        assert!(worker.is_listening(own_pid));
        drop(listener);
        // After a while, the listener is looked up again and removed.
        while worker.listener(&socket).is_some() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!worker.is_listening(own_pid) || worker.listener(&socket).is_none());
        drop(worker);
        thread.join().expect("a normal end");
    }
}
