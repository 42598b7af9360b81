//! Who begins connections: the kernel tells, or a capture of SYNs alone has it looked up while it is still there to be found.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::allowance::Allowance;
use super::directory::{About, Directory, Question};
use super::errands::Errands;
use super::finder::{Depth, Finder};
use super::syn::Syn;
use super::{later, now, told};
use crate::decode::decode;
use crate::error::Result;
use crate::filter::Filter;
use crate::host::births::Births;
use crate::host::connections::Connections;
use crate::host::priority::{Turn, hurry};
use crate::host::sockets::Sockets;
use crate::packet::{Body, Flags, Frame, Tuple};
use crate::source::live::{Live, Options, Pace};
use crate::source::{Next, Source, Stop};

/// A SYN without an ACK, over IPv4 and IPv6. `tcp[…]` of pcap-filter(7) looks into IPv4 only.
const SYN: &str = "(tcp[13] & 0x12 == 2 or (ip6[6] == 6 and ip6[53] & 0x12 == 2))";
/// Enough for all headers of a SYN.
const SNAP_LEN: u32 = 192;
/// A connection is not looked up at once that began so many nanoseconds ago: whoever ends soon has ended, and others come meanwhile.
const LATE: i64 = 20_000_000;
/// While more than so many are being looked up, who is late is not.
const FLOOD: usize = 64;
/// So many that come at once are looked up together.
const TOGETHER: usize = 32;
/// Who has spent too much rests for so long.
const REST: Duration = Duration::from_millis(50);
/// What the kernel tells of a connection has been noted by then.
const TOLD_BY_THEN: Duration = Duration::from_millis(2);
/// A burst of SYNs must fit, in bytes.
const BUFFER: u32 = 4 << 20;

/// Looks up the ends of connections as they begin; ends when it is dropped.
#[derive(Debug)]
pub struct Watcher {
    directory: Arc<Directory>,
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
    way: Way,
}

/// The kernel is being asked to tell of connections. That takes longer than to open a device, so it is done meanwhile.
#[derive(Debug)]
pub struct Asking(JoinHandle<io::Result<Connections>>);

impl Asking {
    /// Asks, about this thread's network namespace.
    ///
    /// # Errors
    /// There are no more threads.
    pub fn begin() -> io::Result<Asking> {
        let ask = std::thread::Builder::new().name("bpf".into());
        ask.spawn(Connections::open).map(Asking)
    }

    fn answer(self) -> io::Result<Connections> {
        let panicked = |_| Err(io::Error::other("it could not be loaded"));
        self.0.join().unwrap_or_else(panicked)
    }
}

/// How it is found out who begins a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// The kernel tells.
    Told,
    /// Each SYN has it looked up, because the kernel does not tell.
    Looked {
        /// Why it does not tell of connections,
        why: String,
        /// and why it does not tell of processes that begin either, if it does not.
        births: Option<String>,
    },
}

impl Watcher {
    /// Begins to look: at what the filter of the capture beside it would take (pcap-filter(7); empty is everything).
    ///
    /// # Errors
    /// The device cannot be opened, the kernel does not tell of its sockets, or there are no more threads.
    pub fn start(beside: &Options, filter: &str, asking: Asking) -> Result<Watcher> {
        let stop = Stop::new()?;
        let (directory, questions) = Directory::new()?;
        let (errands, runs) = Errands::start(stop.clone())?;
        let (told, over) = (Arc::clone(&directory), stop.clone());
        let named = |name: &str| std::thread::Builder::new().name(name.into());
        let (way, begins, births) = match asking.answer() {
            Ok(connections) => {
                let wanted = Syn::new(Filter::new(None, filter)?);
                let wakes = directory.listen()?;
                let sockets = Sockets::open()?;
                let note = move || told::note(&told, connections, &sockets, wanted, &wakes, &over);
                // There is no need to look at who begins.
                (Way::Told, named("owners").spawn(note)?, None)
            }
            Err(error) => {
                errands.find_listeners();
                let live = syns(beside, filter, stop.clone())?;
                let first = Finder::new(errands.clone(), None)?;
                let look = move || look(&told, live, first);
                let births = Births::listen();
                let way = Way::Looked {
                    why: error.to_string(),
                    births: births.as_ref().err().map(ToString::to_string),
                };
                (way, named("owners").spawn(look)?, births.ok())
            }
        };
        let (first_after, turn) = match way {
            Way::Told => (TOLD_BY_THEN, Turn::Usual),
            Way::Looked { .. } => (Duration::ZERO, Turn::Short),
        };
        let finder = Finder::new(errands, births)?;
        let (asked, over) = (Arc::clone(&directory), stop.clone());
        let later = named("owners later").spawn(move || {
            hurry(turn);
            later::answer(&asked, &questions, finder, first_after, || {
                over.is_requested()
            });
        })?;
        Ok(Watcher {
            directory,
            stop,
            threads: vec![begins, later, runs],
            way,
        })
    }

    /// What it finds.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Ends; how many changes of connections the kernel had no room to tell of.
    pub fn end(self) -> u64 {
        let directory = Arc::clone(&self.directory);
        drop(self);
        directory.untold()
    }

    /// How it does that.
    pub fn way(&self) -> &Way {
        &self.way
    }
}

/// A capture of what the filter takes, of which only SYNs are given.
fn syns(beside: &Options, filter: &str, stop: Stop) -> Result<Live> {
    let options = Options {
        snap_len: SNAP_LEN,
        buffer: BUFFER,
        pace: Pace::Immediate,
        duration: None,
        tick: None,
        ..beside.clone()
    };
    let mut live = Live::open(options, stop)?;
    live.set_filter(&match filter {
        "" => SYN.to_owned(),
        filter => format!("({filter}) and {SYN}"),
    })?;
    Ok(live)
}

/// Looks up each connection that begins.
fn look(directory: &Directory, mut live: Live, mut finder: Finder) {
    hurry(Turn::Short);
    let mut allowance = Allowance::new(Instant::now());
    // Those that have begun and are not looked up yet.
    let mut begun: Vec<Question> = Vec::new();
    // The capture beside it tells what is wrong with the device.
    let _ = live.each(&mut |next: &Next<'_>| {
        if let Next::Frame(frame) = next
            && let Some(question) = begins(directory, frame)
        {
            allowance.count(Instant::now());
            let is_late = now().0 - frame.time.0 > LATE;
            if is_late && directory.pending() > FLOOD {
                directory.is_missed(&question);
            } else if is_late {
                // Whoever is still there is found when it is asked about as if nobody had seen it begin.
                directory.inquire(Question {
                    about: About::Both,
                    ..question
                });
            } else {
                begun.push(question);
            }
        }
        let is_last = !matches!(next, Next::Frame(_));
        if !begun.is_empty() && (is_last || begun.len() == TOGETHER) {
            let spent = allowance.spend(|| begin(directory, &mut finder, &begun));
            if spent.is_none() {
                begun.iter().for_each(|begun| directory.is_missed(begun));
                // To be woken by each costs what is not left. Those that come meanwhile are late.
                std::thread::sleep(REST);
            }
            begun.clear();
        }
        ControlFlow::Continue(())
    });
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

/// A connection that begins, and is not known yet.
fn begins(directory: &Directory, frame: &Frame) -> Option<Question> {
    let Body::Tcp { tuple, tcp, .. } = decode(frame).body else {
        return None;
    };
    let is_new = !tcp.flags.has(Flags::ACK) && directory.begin(&tuple, frame.time, tcp.seq);
    is_new.then_some(Question {
        tuple,
        time: frame.time,
        about: About::Responder,
    })
}

/// Looks up who sent SYNs, and whether anybody listens.
fn begin(directory: &Directory, finder: &mut Finder, begun: &[Question]) {
    // Who accepts them is asked by another thread, which begins with that at once.
    let is_listened_to = |question: &Question| {
        let is_so = finder.is_listened_to(&question.tuple);
        if is_so {
            directory.inquire(*question);
        }
        is_so
    };
    let are_listened_to: Vec<bool> = begun.iter().map(is_listened_to).collect();
    // Who sent them may be gone first; the servers will still be there.
    let tuples: Vec<Tuple> = begun.iter().map(|question| question.tuple).collect();
    let owners = finder.likely_originators(&tuples);
    let known = begun.iter().zip(owners).zip(are_listened_to);
    for ((question, owner), is_listened_to) in known {
        // To ask all that there are takes longer than others are there; who is refused will not be asked about again.
        match owner {
            Some(owner) => directory.originator(question, owner),
            None if is_listened_to => directory.inquire(Question {
                about: About::Originator,
                ..*question
            }),
            None => directory.originator(question, finder.originator(&question.tuple)),
        }
        if !is_listened_to {
            let owner = finder.first_responder(&question.tuple, Depth::Likely);
            let is_refused = owner.processes.is_empty();
            directory.responder(question, owner);
            match is_refused {
                true => directory.is_settled(question),
                false => directory.inquire(*question),
            }
        }
    }
}
