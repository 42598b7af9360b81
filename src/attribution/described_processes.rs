//! Processes in BPF events and in the results of lookups. Their details are requested when a
//! process is first seen, because it can exit soon, and arrive while its packets are processed.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::link::Sender;
use super::messages::Request;
use crate::process::{Process, ProcessDetails, ProcessIdentity};

/// Processes by identity, and the descriptions that were requested and have not arrived.
#[derive(Debug)]
pub(super) struct DescribedProcesses {
    requests: Arc<Sender<Request>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_identity: HashMap<ProcessIdentity, Arc<Process>>,
    awaited: HashMap<u64, Arc<Description>>,
    last_number: u64,
    /// True once no descriptions can arrive any more.
    is_closed: bool,
}

/// The details of a process, once they have arrived.
#[derive(Debug, Default)]
struct Description {
    /// `None` before the arrival; the details are `None` if they cannot be read.
    details: Mutex<Option<Option<ProcessDetails>>>,
    arrived: Condvar,
}

/// Maximum number of processes that are kept; beyond it, all are requested again when they occur.
const MAX_PROCESSES: usize = 4096;
/// Maximum time to wait for the details of a process. Without them, it has its short name.
const DESCRIPTION_TIMEOUT: Duration = Duration::from_millis(100);

impl DescribedProcesses {
    pub(super) fn new(requests: Arc<Sender<Request>>) -> DescribedProcesses {
        DescribedProcesses {
            requests,
            state: Mutex::default(),
        }
    }

    /// Returns the process with this identity, found by a lookup.
    pub(super) fn process(&self, identity: ProcessIdentity) -> Arc<Process> {
        if let Some(process) = self.lock().by_identity.get(&identity) {
            return Arc::clone(process);
        }
        let process = Arc::new(self.describe(identity.clone(), None));
        let mut state = self.lock();
        if state.by_identity.len() >= MAX_PROCESSES {
            state.by_identity.clear();
        }
        state.by_identity.insert(identity, Arc::clone(&process));
        process
    }

    /// Requests the details of a process, and returns the process. The address of its arguments
    /// identifies the program that it executes; `None` if it was not reported.
    pub(super) fn describe(&self, identity: ProcessIdentity, arg_start: Option<u64>) -> Process {
        let description = Arc::new(Description::default());
        let number = {
            let mut state = self.lock();
            state.last_number += 1;
            let number = state.last_number;
            state.awaited.insert(number, Arc::clone(&description));
            number
        };
        let is_sent = self.requests.send(&Request::Describe {
            number,
            process: identity.clone(),
            arg_start,
        });
        if !is_sent || self.lock().is_closed {
            self.set_details(number, None);
        }
        Process::with_lazy_details(identity, move |identity| {
            description
                .wait()
                .unwrap_or_else(|| identity.short_details())
        })
    }

    /// Sets the details in the answer to a request.
    pub(super) fn set_details(&self, number: u64, details: Option<ProcessDetails>) {
        let awaited = self.lock().awaited.remove(&number);
        if let Some(description) = awaited {
            description.set(details);
        }
    }

    /// Marks all descriptions that have not arrived as not available.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        for (_, description) in state.awaited.drain() {
            description.set(None);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Description {
    fn set(&self, details: Option<ProcessDetails>) {
        *self.lock() = Some(details);
        self.arrived.notify_all();
    }

    /// Waits for the details, or until the timeout.
    fn wait(&self) -> Option<ProcessDetails> {
        let waited = self
            .arrived
            .wait_timeout_while(self.lock(), DESCRIPTION_TIMEOUT, |details| {
                details.is_none()
            });
        let (mut details, _) = waited.unwrap_or_else(PoisonError::into_inner);
        details.take().flatten()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Option<ProcessDetails>>> {
        self.details.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::link;

    fn identity(pid: u32) -> ProcessIdentity {
        ProcessIdentity {
            pid,
            comm: "curl".into(),
            ..ProcessIdentity::default()
        }
    }

    #[test]
    fn details_arrive_once_and_missing_ones_leave_the_short_name() {
        let (near, far) = link::pair().expect("sockets");
        let (requests, _near) = Sender::new::<u64>(near).expect("a waker");
        let (_answers, mut far) = Sender::<u64>::new::<Request>(far).expect("a waker");
        let processes = DescribedProcesses::new(requests);
        let [first, second, third] = [1, 2, 3].map(|pid| processes.process(identity(pid)));
        assert!(Arc::ptr_eq(&first, &processes.process(identity(1))));
        let mut numbers = Vec::new();
        let each = |request| match request {
            Request::Describe {
                number, process, ..
            } => numbers.push((number, process.pid)),
            other => panic!("{other:?}"),
        };
        far.receive(each).expect("requests");
        assert_eq!(numbers, [(1, 1), (2, 2), (3, 3)]);
        let details = ProcessDetails {
            name: "curl-with-a-long-name".into(),
            ..ProcessDetails::default()
        };
        processes.set_details(1, Some(details));
        processes.set_details(2, None);
        processes.set_details(9, None);
        processes.close();
        let last = processes.process(identity(4));
        let names = [&first, &second, &third, &last].map(|process| process.name().to_owned());
        assert_eq!(names, ["curl-with-a-long-name", "curl", "curl", "curl"]);
    }
}
