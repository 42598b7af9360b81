//! Attribution during a live capture: connections are reported by BPF, or their SYNs are captured
//! separately and the clients are looked up while they still exist.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::bpf_reader::{self, EventRecorder};
use super::connection_table::ConnectionTable;
use super::link::{Receiver, Sender};
use super::lookup_process::LookupProcess;
use super::messages::{Answer, ConnectionOrigin, Request};
use super::syn_filter::SynFilter;
use super::{lookup_answers, spawn, syn_capture};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::host::processes::run_root::RunRoot;
use crate::host::sockets::sock_diag::SockDiag;
use crate::host::sockets::socket_events::{NamespaceScope, SocketEvents};
use crate::source::Stop;
use crate::source::live::{LiveOptions, LiveSource};

/// Looks up both ends of each new connection until the attributor is dropped.
#[derive(Debug)]
pub struct Attributor {
    table: Arc<ConnectionTable>,
    stop: Stop,
    reader: Option<JoinHandle<()>>,
    answers: Option<JoinHandle<()>>,
    lookups: Option<LookupProcess>,
}

/// BPF programs that are being loaded. Loading takes longer than opening a device, so both are done
/// at the same time.
#[derive(Debug)]
pub struct PendingBpf {
    thread: JoinHandle<io::Result<SocketEvents>>,
}

impl PendingBpf {
    /// Starts to load the programs, for a capture on the loopback device of this thread's network
    /// namespace or on another device, and for the command of `lcap run`, if there is one.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(is_loopback: bool, run: Option<RunRoot>) -> io::Result<PendingBpf> {
        let scope = match is_loopback {
            true => NamespaceScope::Own,
            false => NamespaceScope::All,
        };
        let thread = spawn("bpf", move || SocketEvents::open(scope, run))?;
        Ok(PendingBpf { thread })
    }

    fn finish(self) -> io::Result<SocketEvents> {
        let message = "the thread that loads the BPF programs panicked";
        let loaded = self.thread.join();
        loaded.unwrap_or_else(|_| Err(io::Error::other(message)))
    }
}

/// Method of identifying the originators of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributionMethod {
    /// By BPF events.
    Bpf,
    /// By a lookup for each SYN, because there are no BPF events.
    Lookup {
        /// The reason why there are no BPF events.
        bpf_error: String,
        /// The reason why there are no fork events; `None` if there are fork events.
        fork_events_error: Option<String>,
    },
}

/// Attribution whose descriptors are open, before its threads are started.
pub struct OpenAttribution {
    filter: String,
    origin: Origin,
    lookups: LookupProcess,
    table: Arc<ConnectionTable>,
    answers: Receiver<Request, Answer>,
    stop: Stop,
    #[cfg_attr(
        not(feature = "cli"),
        allow(dead_code, reason = "the command reports it")
    )]
    method: AttributionMethod,
}

/// The origin of new connections.
enum Origin {
    /// BPF events, and queries for the listeners on the loopback device.
    Events(SocketEvents, Option<SockDiag>),
    /// A capture of SYNs.
    Syns(LiveSource),
}

impl OpenAttribution {
    /// Opens attribution of the connections that match the filter of a capture (pcap-filter(7); an
    /// empty filter matches everything). On a device other than the loopback there are no lookups:
    /// either end can be in another namespace or on another machine.
    ///
    /// # Errors
    /// The filter is invalid, the device cannot be opened, or the kernel cannot be queried for its
    /// sockets; there are no BPF events, and the device is not the loopback.
    pub fn open(
        capture: &LiveOptions,
        filter: &str,
        bpf: PendingBpf,
        lookups: LookupProcess,
    ) -> Result<OpenAttribution> {
        let stop = Stop::new()?;
        let (requests, mut answers) = Sender::new(lookups.socket.try_clone()?)?;
        let table = ConnectionTable::new(Arc::clone(&requests));
        let events = bpf.finish();
        let (origin, method) = match events {
            Ok(events) if capture.is_loopback => {
                start_lookups(&requests, &mut answers, ConnectionOrigin::Bpf)?;
                let listeners = Some(SockDiag::open()?);
                (Origin::Events(events, listeners), AttributionMethod::Bpf)
            }
            Ok(events) => (Origin::Events(events, None), AttributionMethod::Bpf),
            Err(error) if !capture.is_loopback => {
                let what = format!("attribution on this device requires BPF: {error}");
                return Err(Error::device(&capture.device, what));
            }
            Err(error) => {
                let fork_events_error =
                    start_lookups(&requests, &mut answers, ConnectionOrigin::Syns)?;
                let live = syn_capture::open(capture, filter, stop.clone())?;
                let method = AttributionMethod::Lookup {
                    bpf_error: error.to_string(),
                    fork_events_error,
                };
                (Origin::Syns(live), method)
            }
        };
        Ok(OpenAttribution {
            filter: filter.to_owned(),
            origin,
            lookups,
            table,
            answers,
            stop,
            method,
        })
    }

    /// Returns the method of identifying originators.
    #[cfg(feature = "cli")]
    pub fn method(&self) -> &AttributionMethod {
        &self.method
    }

    /// Returns the PID of the process that looks up processes, if there is one.
    #[cfg(feature = "cli")]
    pub fn lookup_pid(&self) -> Option<u32> {
        self.lookups.pid()
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// A thread cannot be created.
    pub fn start(self) -> Result<Attributor> {
        let (table, stop) = (self.table, self.stop);
        let reader = match self.origin {
            Origin::Events(events, listeners) => {
                let own_pid = self.lookups.reader_pid();
                start_bpf_reader(&table, events, &self.filter, listeners, own_pid, &stop)?
            }
            Origin::Syns(live) => {
                let table = Arc::clone(&table);
                spawn("syns", move || syn_capture::run(&table, live))?
            }
        };
        let (answers, thread_table) = (self.answers, Arc::clone(&table));
        let answers = spawn("lookup-answers", move || {
            lookup_answers::run(&thread_table, answers);
        })?;
        Ok(Attributor {
            table,
            stop,
            reader: Some(reader),
            answers: Some(answers),
            lookups: Some(self.lookups),
        })
    }
}

/// Starts the lookups, and returns the reason why there are no fork events, if they are needed.
fn start_lookups(
    requests: &Sender<Request>,
    answers: &mut Receiver<Request, Answer>,
    origin: ConnectionOrigin,
) -> Result<Option<String>> {
    requests.send(&Request::Start(origin));
    let mut started = None;
    while started.is_none() {
        answers.receive(|answer| match answer {
            Answer::Started(fork_events_error) => started = Some(Ok(fork_events_error)),
            Answer::Failed(error) => started = Some(Err(io::Error::other(error))),
            _ => {}
        })?;
    }
    Ok(started.transpose()?.flatten())
}

impl Attributor {
    /// Returns the table of connections and their owners.
    pub fn connection_table(&self) -> &Arc<ConnectionTable> {
        &self.table
    }

    /// Stops attribution and returns the number of connection events that were lost because the BPF
    /// ring was full, and the error that ended the lookups too early, if any.
    #[cfg(feature = "cli")]
    pub fn finish(self) -> (u64, Option<String>) {
        let table = Arc::clone(&self.table);
        let lookup_error = table.lookup_error();
        drop(self);
        (table.lost_events(), lookup_error)
    }
}

/// Starts the thread that records the events of the connections that match the filter.
fn start_bpf_reader(
    table: &Arc<ConnectionTable>,
    events: SocketEvents,
    filter: &str,
    listeners: Option<SockDiag>,
    own_pid: u32,
    stop: &Stop,
) -> Result<JoinHandle<()>> {
    let syn_filter = SynFilter::new(Filter::new(None, filter)?);
    let drain_waker = table.open_drain_waker()?;
    let (table, stop) = (Arc::clone(table), stop.clone());
    Ok(spawn("bpf-reader", move || {
        let listeners = listeners.as_ref();
        let recorder = EventRecorder::new(&table, listeners, own_pid);
        bpf_reader::run(recorder, events, syn_filter, &drain_waker, &stop);
    })?)
}

impl Drop for Attributor {
    fn drop(&mut self) {
        self.stop.request();
        // If a thread panicked, the panic has already been printed.
        let _ = self.reader.take().map(JoinHandle::join);
        self.table.requests.close();
        let _ = self.answers.take().map(JoinHandle::join);
        if let Some(lookups) = self.lookups.take() {
            lookups.wait();
        }
    }
}
