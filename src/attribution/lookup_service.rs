//! The side that looks up processes: it receives requests, reads /proc, and sends answers. It
//! receives no packet and no BPF event.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::cpu_budget::CpuBudget;
use super::link::Sender;
use super::lookup_queue::{LookupQueue, LookupRequest};
use super::lookup_results::LookupResults;
use super::messages::{Answer, ConnectionOrigin, Request};
use super::proc_worker::ProcWorker;
use super::socket_resolver::SocketResolver;
use super::syn_lookup::SynLookup;
use super::{scheduler, spawn};
use crate::host::processes::fork_events::ForkEvents;
use crate::host::processes::priority::{TimeSlice, UsualPriority, raise_priority};
use crate::host::processes::run_root::RunRoot;
use crate::host::sockets::sock_diag::SockDiag;
use crate::source::Stop;

/// Delay before a connection is checked, by which time its BPF events have been recorded.
const BPF_REPORT_DELAY: Duration = Duration::from_millis(2);

/// The descriptors of the service, which are opened before it gives up privileges.
pub(super) struct LookupService {
    socket: OwnedFd,
    /// One for the SYNs, and one for all other lookups.
    sock_diags: [SockDiag; 2],
    fork_events: io::Result<ForkEvents>,
    run: Option<RunRoot>,
    /// The priority of the threads whose work can wait.
    usual_priority: UsualPriority,
}

impl LookupService {
    /// Opens the descriptors; `socket` receives the requests.
    ///
    /// # Errors
    /// The kernel cannot be queried for its sockets.
    pub(super) fn open(socket: OwnedFd, run: Option<RunRoot>) -> io::Result<LookupService> {
        Ok(LookupService {
            socket,
            sock_diags: [SockDiag::open()?, SockDiag::open()?],
            fork_events: ForkEvents::listen(),
            run,
            usual_priority: UsualPriority::before_raise(),
        })
    }

    /// Answers requests until the connection ends.
    ///
    /// # Errors
    /// A thread cannot be created, or a request is not valid.
    pub(super) fn run(self) -> io::Result<()> {
        let (answers, mut requests) = Sender::<Answer>::new::<Request>(self.socket)?;
        let stop = Stop::new().map_err(io::Error::other)?;
        let (worker, worker_thread) =
            ProcWorker::start(&answers, stop.clone(), self.run, self.usual_priority)?;
        let mut service = RunningService {
            answers,
            worker,
            stop,
            described: CpuBudget::new(Instant::now()),
            unused: Some((self.sock_diags, self.fork_events)),
            lookups: None,
        };
        let ended = loop {
            let mut failed = None;
            let each = |request| failed = service.handle(request).err().or(failed.take());
            if let Some(error) = requests.receive(each).err().or(failed) {
                break error;
            }
        };
        service.stop.request();
        if let Some(lookups) = service.lookups {
            // If the thread panicked, the panic has already been printed.
            let _ = lookups.scheduler.join();
        }
        drop(service.worker);
        let _ = worker_thread.join();
        match ended.kind() {
            io::ErrorKind::UnexpectedEof => Ok(()),
            _ => Err(ended),
        }
    }
}

/// The state of the thread that receives requests.
struct RunningService {
    answers: Arc<Sender<Answer>>,
    worker: ProcWorker,
    stop: Stop,
    described: CpuBudget,
    /// Descriptors that the lookups will use.
    unused: Option<([SockDiag; 2], io::Result<ForkEvents>)>,
    lookups: Option<Lookups>,
}

/// Lookups of connections, once they have started.
struct Lookups {
    results: Arc<LookupResults>,
    syns: Option<SynLookup>,
    scheduler: JoinHandle<()>,
}

impl RunningService {
    fn handle(&mut self, request: Request) -> io::Result<()> {
        match (request, &mut self.lookups) {
            (Request::Start(origin), None) => self.lookups = Some(self.start(origin)?),
            (Request::LookUp(request), Some(lookups)) => lookups.look_up(request),
            (Request::LookUpSyns(batch), Some(lookups)) => {
                if let Some(syns) = &mut lookups.syns {
                    syns.look_up(batch);
                }
            }
            (Request::Complete(request), Some(lookups)) => lookups.results.complete(&request),
            (
                Request::Describe {
                    number,
                    process,
                    arg_start,
                },
                _,
            ) => self
                .worker
                .answer(number, process, arg_start, &mut self.described),
            // On a device other than the loopback there are no lookups.
            (Request::LookUp(request), None) => {
                self.answers.send(&Answer::NotLookedUp(request));
            }
            (Request::Start(_), Some(_))
            | (Request::LookUpSyns(_) | Request::Complete(_), None) => {}
        }
        Ok(())
    }

    fn start(&mut self, origin: ConnectionOrigin) -> io::Result<Lookups> {
        let again = || io::Error::other("the lookups have already started");
        let ([own, syns], fork_events) = self.unused.take().ok_or_else(again)?;
        let queue = LookupQueue::new()?;
        let results = Arc::new(LookupResults::new(Arc::clone(&self.answers), &queue));
        let (fork_events, syns, missing) = match origin {
            // With BPF events, there is no need to detect forks.
            ConnectionOrigin::Bpf => (None, None, None),
            ConnectionOrigin::Syns => {
                raise_priority(TimeSlice::Short);
                self.worker.prefetch_listeners(&syns);
                let resolver = SocketResolver::new(syns, self.worker.clone(), None);
                let lookup = SynLookup::new(resolver, Arc::clone(&results));
                let missing = fork_events.as_ref().err().map(ToString::to_string);
                (fork_events.ok(), Some(lookup), missing)
            }
        };
        let (initial_delay, time_slice) = match origin {
            ConnectionOrigin::Bpf => (BPF_REPORT_DELAY, TimeSlice::Default),
            ConnectionOrigin::Syns => (Duration::ZERO, TimeSlice::Short),
        };
        let resolver = SocketResolver::new(own, self.worker.clone(), fork_events);
        let (thread_results, thread_stop) = (Arc::clone(&results), self.stop.clone());
        let scheduler = spawn("scheduler", move || {
            raise_priority(time_slice);
            let is_over = || thread_stop.is_requested();
            scheduler::run(&thread_results, &queue, resolver, initial_delay, is_over);
        })?;
        self.answers.send(&Answer::Started(missing));
        Ok(Lookups {
            results,
            syns,
            scheduler,
        })
    }
}

impl Lookups {
    fn look_up(&self, request: LookupRequest) {
        if self.results.add(&request) {
            self.results.enqueue(request);
        }
        self.results.flush();
    }
}
