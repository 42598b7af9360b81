//! Processes that the kernel has told of, with what else there is to be found out of them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::host::connections::Task;
use crate::host::processes::{Held, Identity, More, Process};

/// Those that were told of.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    /// By number and when they began.
    known: HashMap<(u32, u64), Arc<Process>>,
}

/// So many are remembered.
const KNOWN: usize = 4096;

impl Tasks {
    /// A process that the kernel has told of, if it was looked at before.
    pub(super) fn known(&self, task: &Task) -> Option<Arc<Process>> {
        let known = self.known.get(&(task.pid, task.started))?;
        // It may be another program by now.
        (known.comm == task.name).then(|| Arc::clone(known))
    }

    /// A process that the kernel has told of, with all that is still to be found out.
    pub(super) fn told(&mut self, task: &Task) -> Arc<Process> {
        let described = Held::new(task.pid).and_then(|held| held.describe());
        let process = match described {
            Ok(process) if process.start_time == task.start_time => process,
            _ => self.only_told(task),
        };
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        let process = Arc::new(process);
        let key = (task.pid, task.started);
        self.known.insert(key, Arc::clone(&process));
        process
    }

    /// A process as the kernel has told of it. What decides whether it is wanted is looked at all the same: its environment, or that of its
    /// parent where it is gone.
    pub(super) fn only_told(&self, task: &Task) -> Process {
        let run = match Held::new(task.pid) {
            Ok(held) => held.run_or_parents(task.parent),
            Err(_) => {
                let parent = Held::new(task.parent).ok();
                parent.and_then(|parent| parent.run_or_parents(0))
            }
        };
        let identity = Identity {
            pid: task.pid,
            start_time: task.start_time,
            parent: task.parent,
            comm: task.name.clone(),
            uid: task.uid,
        };
        let more = More {
            name: task.name.clone(),
            run,
            ..More::default()
        };
        Process::new(identity, more)
    }
}
