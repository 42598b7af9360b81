//! The process or thread in which lookups run. A process of their own alone keeps the privileges
//! that lookups need.

use std::io;
#[cfg(feature = "cli")]
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use super::link;
use super::lookup_service::LookupService;
use super::messages::Answer;
use super::spawn;
#[cfg(feature = "cli")]
use crate::host::processes::fork;
use crate::host::processes::run_root::RunRoot;
#[cfg(feature = "cli")]
use crate::privileges;

/// A running lookup service.
#[derive(Debug)]
pub struct LookupProcess {
    pub(super) socket: OwnedFd,
    runner: Runner,
    run: Option<RunRoot>,
}

#[derive(Debug)]
enum Runner {
    #[cfg(feature = "cli")]
    Process(rustix::process::Pid),
    Thread(JoinHandle<()>),
}

impl LookupProcess {
    /// Starts the service in a child process, which ends with this process. No other thread may
    /// have been started before.
    ///
    /// # Errors
    /// The limit on processes or file descriptors is reached.
    #[cfg(feature = "cli")]
    pub fn fork(run: Option<RunRoot>) -> io::Result<LookupProcess> {
        let (socket, service_socket) = link::pair()?;
        let child = fork::fork_child(c"lcap-lookups", socket.as_fd(), || {
            serve(&service_socket, run, privileges::sandbox::enter_lookups)
        })?;
        Ok(LookupProcess {
            socket,
            runner: Runner::Process(child),
            run,
        })
    }

    /// Starts the service in a thread of this process.
    ///
    /// # Errors
    /// The limit on threads or file descriptors is reached.
    pub fn start_thread(run: Option<RunRoot>) -> io::Result<LookupProcess> {
        let (socket, service_socket) = link::pair()?;
        let thread = spawn("lookups", move || {
            // An error is also sent as an answer.
            let _ = serve(&service_socket, run, || Ok(()));
        })?;
        Ok(LookupProcess {
            socket,
            runner: Runner::Thread(thread),
            run,
        })
    }

    /// Returns the ancestor of the processes of the command of `lcap run`, if there is one.
    pub fn run(&self) -> Option<RunRoot> {
        self.run
    }

    /// Returns the PID of the child process.
    #[cfg(feature = "cli")]
    pub fn pid(&self) -> Option<u32> {
        match &self.runner {
            Runner::Process(pid) => Some(pid.as_raw_nonzero().get().cast_unsigned()),
            Runner::Thread(_) => None,
        }
    }

    /// Returns the PID of the process that reads /proc.
    pub(super) fn reader_pid(&self) -> u32 {
        match &self.runner {
            #[cfg(feature = "cli")]
            Runner::Process(pid) => pid.as_raw_nonzero().get().cast_unsigned(),
            Runner::Thread(_) => std::process::id(),
        }
    }

    /// Waits until the service has ended, which it does when its socket is closed.
    pub(super) fn wait(self) {
        drop(self.socket);
        match self.runner {
            #[cfg(feature = "cli")]
            Runner::Process(pid) => {
                use rustix::process::{WaitOptions, waitpid};
                // Fails if the thread that waits for the command of `lcap run` was faster.
                let _ = waitpid(Some(pid), WaitOptions::empty());
            }
            // If the thread panicked, the panic has already been printed.
            Runner::Thread(thread) => _ = thread.join(),
        }
    }
}

/// Opens what the service needs, gives up everything else, and answers requests until the socket is
/// closed. An error is also sent as an answer.
fn serve(
    socket: &OwnedFd,
    run: Option<RunRoot>,
    restrict: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let failed = |error: io::Error| {
        let answers = link::Sender::<Answer>::new::<()>(socket.try_clone()?)?.0;
        answers.send(&Answer::Failed(error.to_string()));
        Err(error)
    };
    let service = match LookupService::open(socket.try_clone()?, run) {
        Ok(service) => service,
        Err(error) => return failed(error),
    };
    match restrict().and_then(|()| service.run()) {
        Err(error) => failed(error),
        Ok(()) => Ok(()),
    }
}
