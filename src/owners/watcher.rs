//! A capture of SYNs alone: who begins a connection is looked up while it is still there to be found.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::allowance::Allowance;
use super::directory::{Directory, Question};
use super::finder::Finder;
use super::later;
use super::now;
use crate::decode::decode;
use crate::error::Result;
use crate::packet::{Body, Flags, Frame, TCP};
use crate::source::live::{Live, Options, Pace};
use crate::source::{Next, Source, Stop};

/// A SYN without an ACK, over IPv4 and IPv6. `tcp[…]` of pcap-filter(7) looks into IPv4 only.
const SYN: &str = "(tcp[13] & 0x12 == 2 or (ip6[6] == 6 and ip6[53] & 0x12 == 2))";
/// Enough for all headers of a SYN.
const SNAP_LEN: u32 = 192;
/// A connection is not looked up at once that began so many nanoseconds ago: whoever ends soon has ended, and others come meanwhile.
const LATE: i64 = 20_000_000;
/// Who has spent too much rests for so long.
const REST: Duration = Duration::from_millis(50);
/// A burst of SYNs must fit, in bytes.
const BUFFER: u32 = 4 << 20;

/// Looks up the ends of connections as they begin; ends when it is dropped.
#[derive(Debug)]
pub struct Watcher {
    directory: Arc<Directory>,
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
}

impl Watcher {
    /// Begins to look: at what the filter of the capture beside it would take (pcap-filter(7); empty is everything).
    ///
    /// # Errors
    /// The device cannot be opened, the kernel does not tell of its sockets, or there are no more threads.
    pub fn start(beside: &Options, filter: &str) -> Result<Watcher> {
        let stop = Stop::new()?;
        let options = Options {
            snap_len: SNAP_LEN,
            buffer: BUFFER,
            pace: Pace::Immediate,
            duration: None,
            tick: None,
            ..beside.clone()
        };
        let mut live = Live::open(options, stop.clone())?;
        live.set_filter(&match filter {
            "" => SYN.to_owned(),
            filter => format!("({filter}) and {SYN}"),
        })?;
        let (directory, questions) = Directory::new();
        let (mut first, second) = (Finder::new()?, Finder::new()?);
        let thread = |name: &str| std::thread::Builder::new().name(name.into());
        let (told, asked) = (Arc::clone(&directory), Arc::clone(&directory));
        let over = stop.clone();
        let threads = vec![
            thread("owners").spawn(move || {
                hurry();
                let mut allowance = Allowance::new(Instant::now());
                // The capture beside it tells what is wrong with the device.
                let _ = live.each(|next| {
                    if let Next::Frame(frame) = next {
                        let Some(question) = begins(&told, frame) else {
                            return ControlFlow::Continue(());
                        };
                        let is_late = now().0 - frame.time.0 > LATE;
                        if is_late {
                            // Whoever is still there is found when it is asked about as if nobody had seen it begin.
                            told.inquire(Question {
                                is_begun: false,
                                ..question
                            });
                        } else if allowance
                            .spend(|| begin(&told, &mut first, &question))
                            .is_none()
                        {
                            told.is_missed(&question);
                            // To be woken by each costs what is not left. Those that come meanwhile are late.
                            std::thread::sleep(REST);
                        }
                    }
                    ControlFlow::Continue(())
                });
            })?,
            thread("owners later").spawn(move || {
                hurry();
                later::answer(&asked, &questions, second, || over.is_requested());
            })?,
        ];
        Ok(Watcher {
            directory,
            stop,
            threads,
        })
    }

    /// What it finds.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.request();
        for thread in self.threads.drain(..) {
            // What it panicked about was told.
            let _ = thread.join();
        }
    }
}

/// Puts this thread before others, where that is permitted: who is looked for may not be there for long.
fn hurry() {
    use rustix::process::{Pid, setpriority_process};
    const BEFORE_ALL: i32 = -20;
    let thread: Pid = rustix::thread::gettid();
    // Without the right to it some clients are gone before they are found, and are said to be.
    let _ = setpriority_process(Some(thread), BEFORE_ALL);
}

/// A connection that begins, and is not known yet.
fn begins(directory: &Directory, frame: &Frame) -> Option<Question> {
    let Body::Tcp { tuple, tcp, .. } = decode(frame).body else {
        return None;
    };
    let is_new = !tcp.flags.has(Flags::ACK) && directory.begin(&tuple, frame.time, Some(tcp.seq));
    is_new.then_some(Question {
        tuple,
        time: frame.time,
        is_begun: true,
    })
}

/// Looks up who sent a SYN, and who listens.
fn begin(directory: &Directory, finder: &mut Finder, question: &Question) {
    let tuple = &question.tuple;
    // First: the server will still be there.
    let owner = finder.originator(TCP, tuple.src, tuple.dst);
    directory.originator(question, owner);
    let owner = finder.first_responder(tuple);
    let is_refused = owner.processes.is_empty();
    directory.responder(question, owner);
    if is_refused {
        directory.is_settled(question);
    } else {
        directory.inquire(*question);
    }
}
