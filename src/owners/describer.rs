//! What it takes longer to find out of processes, found out by a thread that may be kept waiting: those who ask who has a socket must not be.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::allowance::Allowance;
use crate::host::processes::Process;

/// So many processes, each of which is held by a descriptor, may wait to be described.
const WAITING: usize = 128;
/// Who has spent too much rests for so long.
const REST: Duration = Duration::from_millis(20);

/// Has processes described.
#[derive(Debug, Clone)]
pub(super) struct Describer(SyncSender<Arc<Process>>);

impl Describer {
    /// Begins; its thread ends when nobody can ask any more.
    ///
    /// # Errors
    /// There are no more threads.
    pub(super) fn start() -> io::Result<(Describer, JoinHandle<()>)> {
        let (describer, processes) = sync_channel::<Arc<Process>>(WAITING);
        let describe = move || {
            let mut allowance = Allowance::new(Instant::now());
            for process in processes {
                allowance.count(Instant::now());
                while allowance.spend(|| _ = process.more()).is_none() {
                    std::thread::sleep(REST);
                }
            }
        };
        let thread = std::thread::Builder::new().name("owners more".into());
        Ok((Describer(describer), thread.spawn(describe)?))
    }

    /// Has a process described; at once, where too many wait for that.
    pub(super) fn describe(&self, process: &Arc<Process>) {
        if self.0.try_send(Arc::clone(process)).is_err() {
            process.more();
        }
    }
}
