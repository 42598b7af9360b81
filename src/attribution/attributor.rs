//! Attribution during a live capture: connections are reported by BPF, or their SYNs are captured
//! separately and the clients are looked up while they still exist.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::connection_table::ConnectionTable;
use super::cpu_budget::CpuBudget;
use super::lookup_queue::{LookupRequest, LookupTarget};
use super::proc_worker::ProcWorker;
use super::socket_resolver::{SearchScope, SocketResolver};
use super::syn_filter::SynFilter;
use super::{bpf_reader, now, scheduler};
use crate::decode::decode;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::host::processes::fork_events::ForkEvents;
use crate::host::processes::priority::{TimeSlice, raise_priority};
use crate::host::processes::run_root::RunRoot;
use crate::host::sockets::sock_diag::SockDiag;
use crate::host::sockets::socket_events::{NamespaceScope, SocketEvents};
use crate::packet::{Endpoints, Frame, TcpFlags};
use crate::source::live::{DeliveryMode, LiveOptions, LiveSource};
use crate::source::{Source, SourceEvent, Stop};

/// A SYN without an ACK, over IPv4 and IPv6. `tcp[…]` of pcap-filter(7) applies only to IPv4.
const SYN_EXPRESSION: &str = "(tcp[13] & 0x12 == 2 or (ip6[6] == 6 and ip6[53] & 0x12 == 2))";
/// Snapshot length in bytes: enough for all headers of a SYN.
const SNAP_LEN: u32 = 192;
/// Age in nanoseconds beyond which a SYN is not looked up immediately: a short-lived client has
/// exited by then, and other clients connect in the meantime.
const LATE_SYN_NS: i64 = 20_000_000;
/// Number of pending lookups beyond which late SYNs are not looked up.
const MAX_PENDING_FOR_LATE_SYNS: usize = 64;
/// Maximum number of SYNs that are looked up together when they arrive at the same time.
const LOOKUP_BATCH_LEN: usize = 32;
/// Duration of the pause after the CPU budget is exhausted.
const THROTTLE_PAUSE: Duration = Duration::from_millis(50);
/// Delay before a connection is checked, by which time its BPF events have been recorded.
const BPF_REPORT_DELAY: Duration = Duration::from_millis(2);
/// Size of the kernel ring in bytes: a burst of SYNs must fit.
const RING_BYTES: u32 = 4 << 20;

/// Looks up both ends of each new connection until the attributor is dropped.
#[derive(Debug)]
pub struct Attributor {
    table: Arc<ConnectionTable>,
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
    #[cfg_attr(
        not(feature = "cli"),
        allow(dead_code, reason = "the command reports it")
    )]
    method: AttributionMethod,
}

/// BPF programs that are being loaded. Loading takes longer than opening a device, so both are done
/// at the same time.
#[derive(Debug)]
pub struct PendingBpf {
    thread: JoinHandle<io::Result<SocketEvents>>,
    run: Option<RunRoot>,
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
        Ok(PendingBpf { thread, run })
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

impl Attributor {
    /// Starts attribution of the connections that match the filter of a capture (pcap-filter(7); an
    /// empty filter matches everything). On a device other than the loopback there are no lookups:
    /// either end can be in another namespace or on another machine.
    ///
    /// # Errors
    /// The filter is invalid, the device cannot be opened, the kernel cannot be queried for its
    /// sockets, or a thread cannot be created; there are no BPF events, and the device is not the
    /// loopback.
    pub fn start(capture: &LiveOptions, filter: &str, bpf: PendingBpf) -> Result<Attributor> {
        let stop = Stop::new()?;
        let (table, receiver) = ConnectionTable::new()?;
        let run = bpf.run;
        let events = bpf.finish();
        if !capture.is_loopback {
            let events = events.map_err(|error| {
                let what = format!("attribution on this device requires BPF: {error}");
                Error::device(&capture.device, what)
            })?;
            return Ok(Attributor {
                threads: vec![start_bpf_reader(&table, events, filter, None, &stop)?],
                table,
                stop,
                method: AttributionMethod::Bpf,
            });
        }
        let (worker, worker_thread) = ProcWorker::start(stop.clone(), run)?;
        let (method, fork_events, reader_thread) = match events {
            Ok(events) => {
                let listeners = Some(SockDiag::open()?);
                let reader = start_bpf_reader(&table, events, filter, listeners, &stop)?;
                // With BPF events, there is no need to detect forks.
                (AttributionMethod::Bpf, None, reader)
            }
            Err(error) => {
                worker.prefetch_listeners();
                let live = open_syn_capture(capture, filter, stop.clone())?;
                let resolver = SocketResolver::new(worker.clone(), None)?;
                let fork_events = ForkEvents::listen();
                let method = AttributionMethod::Lookup {
                    bpf_error: error.to_string(),
                    fork_events_error: fork_events.as_ref().err().map(ToString::to_string),
                };
                let table = Arc::clone(&table);
                let reader = spawn("syns", move || process_syns(&table, live, resolver))?;
                (method, fork_events.ok(), reader)
            }
        };
        let (initial_delay, time_slice) = match method {
            AttributionMethod::Bpf => (BPF_REPORT_DELAY, TimeSlice::Default),
            AttributionMethod::Lookup { .. } => (Duration::ZERO, TimeSlice::Short),
        };
        let resolver = SocketResolver::new(worker, fork_events)?;
        let (thread_table, thread_stop) = (Arc::clone(&table), stop.clone());
        let scheduler_thread = spawn("scheduler", move || {
            raise_priority(time_slice);
            scheduler::run(&thread_table, &receiver, resolver, initial_delay, || {
                thread_stop.is_requested()
            });
        })?;
        Ok(Attributor {
            table,
            stop,
            threads: vec![reader_thread, scheduler_thread, worker_thread],
            method,
        })
    }

    /// Returns the table of connections and their owners.
    pub fn connection_table(&self) -> &Arc<ConnectionTable> {
        &self.table
    }

    /// Stops attribution and returns the number of connection events that were lost because the BPF
    /// ring was full.
    #[cfg(feature = "cli")]
    pub fn finish(self) -> u64 {
        let table = Arc::clone(&self.table);
        drop(self);
        table.lost_events()
    }

    /// Returns the method of identifying originators.
    #[cfg(feature = "cli")]
    pub fn method(&self) -> &AttributionMethod {
        &self.method
    }
}

/// Starts the thread that records the events of the connections that match the filter.
fn start_bpf_reader(
    table: &Arc<ConnectionTable>,
    events: SocketEvents,
    filter: &str,
    listeners: Option<SockDiag>,
    stop: &Stop,
) -> Result<JoinHandle<()>> {
    let syn_filter = SynFilter::new(Filter::new(None, filter)?);
    let drain_waker = table.open_drain_waker()?;
    let (table, stop) = (Arc::clone(table), stop.clone());
    Ok(spawn("bpf-reader", move || {
        let listeners = listeners.as_ref();
        bpf_reader::run(&table, events, listeners, syn_filter, &drain_waker, &stop);
    })?)
}

fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.into()).spawn(run)
}

/// Opens a capture of the SYNs that match the filter.
fn open_syn_capture(capture: &LiveOptions, filter: &str, stop: Stop) -> Result<LiveSource> {
    let options = LiveOptions {
        snap_len: SNAP_LEN,
        ring_size: RING_BYTES,
        delivery: DeliveryMode::Immediate,
        duration: None,
        tick_interval: None,
        ..capture.clone()
    };
    let mut live = LiveSource::open(options, stop)?;
    live.set_filter(&match filter {
        "" => SYN_EXPRESSION.to_owned(),
        filter => format!("({filter}) and {SYN_EXPRESSION}"),
    })?;
    Ok(live)
}

/// Looks up each new connection whose SYN is captured.
fn process_syns(table: &ConnectionTable, mut live: LiveSource, mut resolver: SocketResolver) {
    raise_priority(TimeSlice::Short);
    let mut budget = CpuBudget::new(Instant::now());
    // Connections that have started and are still to be looked up.
    let mut batch: Vec<LookupRequest> = Vec::new();
    // The main capture reports errors of the device.
    let _ = live.for_each(&mut |event: &SourceEvent<'_>| {
        if let SourceEvent::Frame(frame) = event
            && let Some(request) = new_connection(table, frame)
        {
            budget.record_task(Instant::now());
            let is_late = now().0 - frame.time.0 > LATE_SYN_NS;
            if is_late && table.pending_count() > MAX_PENDING_FOR_LATE_SYNS {
                table.mark_not_looked_up(&request);
            } else if is_late {
                // If the client still exists, it is found by the lookup for connections whose start
                // was not captured.
                table.enqueue_lookup(LookupRequest {
                    target: LookupTarget::Both,
                    ..request
                });
            } else {
                batch.push(request);
            }
        }
        let is_batch_end = !matches!(event, SourceEvent::Frame(_));
        if !batch.is_empty() && (is_batch_end || batch.len() == LOOKUP_BATCH_LEN) {
            let done = budget.spend(|| resolve_batch(table, &mut resolver, &batch));
            if done.is_none() {
                let requests = batch.iter();
                requests.for_each(|request| table.mark_not_looked_up(request));
                // A wake-up for each SYN would cost CPU time beyond the budget. SYNs that arrive
                // during the pause are late.
                std::thread::sleep(THROTTLE_PAUSE);
            }
            batch.clear();
        }
        ControlFlow::Continue(())
    });
}

impl Drop for Attributor {
    fn drop(&mut self) {
        self.stop.request();
        for thread in self.threads.drain(..) {
            // If the thread panicked, the panic has already been printed.
            let _ = thread.join();
        }
    }
}

/// Returns a lookup request for the connection that a SYN starts, unless the connection is already
/// recorded.
fn new_connection(table: &ConnectionTable, frame: &Frame) -> Option<LookupRequest> {
    let packet = decode(frame);
    let (endpoints, tcp) = (packet.endpoints()?, packet.tcp()?);
    let is_new =
        !tcp.flags.contains(TcpFlags::ACK) && table.record_syn(&endpoints, frame.time, tcp.seq);
    is_new.then(|| LookupRequest::new(&endpoints, frame.time, LookupTarget::Responder))
}

/// Looks up the senders of SYNs, and the listeners for their connections.
fn resolve_batch(table: &ConnectionTable, resolver: &mut SocketResolver, batch: &[LookupRequest]) {
    // Another thread looks up the accepting processes, and starts immediately.
    let has_listener = |request: &LookupRequest| {
        let is_listening = resolver.has_listener(&request.endpoints);
        if is_listening {
            table.enqueue_lookup(*request);
        }
        is_listening
    };
    let have_listener: Vec<bool> = batch.iter().map(has_listener).collect();
    // The clients are looked up first, because they can exit first; the servers remain.
    let connections: Vec<Endpoints> = batch.iter().map(|request| request.endpoints).collect();
    let owners = resolver.originators_among_candidates(&connections);
    let results = batch.iter().zip(owners).zip(have_listener);
    for ((request, owner), has_listener) in results {
        // Other clients can exit during a scan of all processes, so it is left to the other thread.
        // A refused client is not looked up again, so the scan for it takes place here.
        match owner {
            Some(owner) => table.set_originator(request, owner),
            None if has_listener => table.enqueue_lookup(LookupRequest {
                target: LookupTarget::Originator,
                ..*request
            }),
            None => table.set_originator(request, resolver.originator(&request.endpoints)),
        }
        if !has_listener {
            let owner = resolver.initial_responder(&request.endpoints, SearchScope::Candidates);
            let is_refused = owner.processes.is_empty();
            table.set_responder(request, owner);
            match is_refused {
                true => table.mark_settled(request),
                false => table.enqueue_lookup(*request),
            }
        }
    }
}
