//! Cache of the processes in BPF events.

use std::collections::HashMap;
use std::sync::Arc;

use super::described_processes::DescribedProcesses;
use crate::host::sockets::socket_events::TaskInfo;
use crate::process::{Process, ProcessIdentity};

/// The processes of BPF events.
#[derive(Debug)]
pub(super) struct TaskCache {
    described: Arc<DescribedProcesses>,
    /// The processes by PID, start time in nanoseconds and address of their arguments.
    processes: HashMap<(u32, u64, u64), Arc<Process>>,
}

/// Maximum number of cached processes.
const MAX_CACHED_TASKS: usize = 4096;

impl TaskCache {
    pub(super) fn new(described: Arc<DescribedProcesses>) -> TaskCache {
        TaskCache {
            described,
            processes: HashMap::new(),
        }
    }

    /// Returns the process of an event, if it is cached.
    pub(super) fn cached(&self, task: &TaskInfo) -> Option<Arc<Process>> {
        let cached = self.processes.get(&key(task))?;
        // The process may have changed its name since.
        (cached.comm == task.name).then(|| Arc::clone(cached))
    }

    /// Returns the process of an event, and requests its details.
    pub(super) fn describe(&mut self, task: &TaskInfo) -> Arc<Process> {
        if self.processes.len() >= MAX_CACHED_TASKS {
            self.processes.clear();
        }
        let process = self
            .described
            .describe(identity(task), Some(task.arg_start));
        let process = Arc::new(process);
        self.processes.insert(key(task), Arc::clone(&process));
        process
    }
}

fn key(task: &TaskInfo) -> (u32, u64, u64) {
    (task.pid, task.start_time_ns, task.arg_start)
}

fn identity(task: &TaskInfo) -> ProcessIdentity {
    ProcessIdentity {
        pid: task.pid,
        start_time: task.start_time,
        parent: task.parent,
        comm: task.name.clone(),
        uid: task.uid,
        run: task.run,
    }
}
