//! Cache of the processes in BPF events, with details from /proc.

use std::collections::HashMap;
use std::sync::Arc;

use crate::host::processes::ProcHandle;
use crate::host::proxies;
use crate::host::sockets::socket_events::TaskInfo;
use crate::process::{Process, ProcessDetails, ProcessIdentity};

/// The processes of BPF events.
#[derive(Debug, Default)]
pub(super) struct TaskCache {
    /// The processes by PID, start time in nanoseconds and address of their arguments.
    processes: HashMap<(u32, u64, u64), Arc<Process>>,
}

/// Maximum number of cached processes.
const MAX_CACHED_TASKS: usize = 4096;

impl TaskCache {
    /// Returns the process of an event, if it is cached.
    pub(super) fn cached(&self, task: &TaskInfo) -> Option<Arc<Process>> {
        let cached = self.processes.get(&key(task))?;
        // The process may have changed its name since.
        (cached.comm == task.name).then(|| Arc::clone(cached))
    }

    /// Describes the process of an event, with all details from /proc that are still available and
    /// still those of the same program.
    pub(super) fn describe(&mut self, task: &TaskInfo) -> Arc<Process> {
        let process = read(task).unwrap_or_else(|| self.describe_from_event(task));
        if self.processes.len() >= MAX_CACHED_TASKS {
            self.processes.clear();
        }
        let process = Arc::new(process);
        self.processes.insert(key(task), Arc::clone(&process));
        process
    }

    /// Describes the process of an event without reading its details from /proc.
    pub(super) fn describe_from_event(&self, task: &TaskInfo) -> Process {
        let identity = ProcessIdentity {
            pid: task.pid,
            start_time: task.start_time,
            parent: task.parent,
            comm: task.name.clone(),
            uid: task.uid,
            run: task.run,
        };
        let details = ProcessDetails {
            name: task.name.clone(),
            ..ProcessDetails::default()
        };
        Process::new(identity, details)
    }
}

fn key(task: &TaskInfo) -> (u32, u64, u64) {
    (task.pid, task.start_time_ns, task.arg_start)
}

/// Reads the process of an event from /proc; `None` if it has exited, or executed another program
/// in the meantime, or if this cannot be determined.
fn read(task: &TaskInfo) -> Option<Process> {
    let handle = ProcHandle::new(task.pid).ok()?;
    let identity = handle.identity().ok()?;
    if identity.start_time != task.start_time || identity.comm != task.name {
        return None;
    }
    let details = handle.read_details(&identity);
    // Read last: if the program is the same now, it was the same when the details were read.
    if handle.arg_start()? != task.arg_start {
        return None;
    }
    let run = task.run;
    let details = proxies::with_target(details);
    Some(Process::new(ProcessIdentity { run, ..identity }, details))
}
