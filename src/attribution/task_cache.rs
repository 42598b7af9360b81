//! Cache of the processes in BPF events, with details from /proc.

use std::collections::HashMap;
use std::sync::Arc;

use crate::host::processes::ProcHandle;
use crate::host::sockets::socket_events::TaskInfo;
use crate::process::{Process, ProcessDetails, ProcessIdentity};

/// The processes of BPF events.
#[derive(Debug, Default)]
pub(super) struct TaskCache {
    /// The processes by PID and start time in nanoseconds.
    processes: HashMap<(u32, u64), Arc<Process>>,
}

/// Maximum number of cached processes.
const MAX_CACHED_TASKS: usize = 4096;

impl TaskCache {
    /// Returns the process of an event, if it is cached.
    pub(super) fn cached(&self, task: &TaskInfo) -> Option<Arc<Process>> {
        let cached = self.processes.get(&(task.pid, task.start_time_ns))?;
        // The process may have executed another program since.
        (cached.comm == task.name).then(|| Arc::clone(cached))
    }

    /// Describes the process of an event, with all details from /proc that are still available.
    pub(super) fn describe(&mut self, task: &TaskInfo) -> Arc<Process> {
        let described = ProcHandle::new(task.pid).and_then(|handle| handle.describe());
        let process = match described {
            Ok(process) if process.start_time == task.start_time => process,
            _ => self.describe_from_event(task),
        };
        if self.processes.len() >= MAX_CACHED_TASKS {
            self.processes.clear();
        }
        let process = Arc::new(process);
        let key = (task.pid, task.start_time_ns);
        self.processes.insert(key, Arc::clone(&process));
        process
    }

    /// Describes the process of an event without reading its details from /proc. Only its run ID is
    /// read, because process filters depend on it: from the environment of the process, or from its
    /// parent's if it has exited.
    pub(super) fn describe_from_event(&self, task: &TaskInfo) -> Process {
        let run_id = match ProcHandle::new(task.pid) {
            Ok(handle) => handle.run_id(task.parent),
            Err(_) => {
                let parent = ProcHandle::new(task.parent).ok();
                parent.and_then(|parent| parent.run_id(0))
            }
        };
        let identity = ProcessIdentity {
            pid: task.pid,
            start_time: task.start_time,
            parent: task.parent,
            comm: task.name.clone(),
            uid: task.uid,
        };
        let details = ProcessDetails {
            name: task.name.clone(),
            run_id,
            ..ProcessDetails::default()
        };
        Process::new(identity, details)
    }
}
