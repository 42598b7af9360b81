//! Who has accepted a connection, asked until somebody has; and ends whose begin nobody saw.

use std::collections::BinaryHeap;
use std::iter::repeat;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::allowance::{Allowance, Gathering};
use super::directory::{About, Directory};
use super::finder::{Depth, Finder, Found};
use super::open::Open;
use super::questions::Questions;
use super::{How, Owner, now};
use crate::host::listing::Listed;
use crate::host::processes::Process;
use crate::packet::TCP;

/// The kernel knows of a connection so many nanoseconds after its first packet was sent.
const THROUGH: i64 = 1_000_000;
/// From this look on, it is looked everywhere for who took it over.
const THOROUGH: usize = 4;
/// Once it is known who took it over, it is looked so many times more.
const LOOKS: usize = 1;

/// While nothing is asked, it is looked so often whether the capture is over.
const IDLE: Duration = Duration::from_millis(50);

/// Answers questions until that is over; each a while after it was asked, where it may have an answer by then.
pub(super) fn answer(
    directory: &Arc<Directory>,
    questions: &Questions,
    mut finder: Finder,
    first_after: Duration,
    is_over: impl Fn() -> bool,
) {
    let mut waiting: BinaryHeap<Open> = BinaryHeap::new();
    let mut allowance = Allowance::new(Instant::now());
    let is_told = !first_after.is_zero();
    let mut gathering = Gathering::new(Instant::now());
    loop {
        let next = waiting.peek().map(|open| open.due);
        let patience = next.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
        // Who begins is of interest where somebody may hand a connection on.
        let is_of_interest = next.is_some() && allowance.is_left(Instant::now());
        let births = finder.births().filter(|_| is_of_interest);
        questions.wait(births.map(AsFd::as_fd), patience);
        // Who was not told of them has to ask while they are there, if there is time for it.
        if is_told || !allowance.is_left(Instant::now()) {
            gathering.wait();
        }
        let asked = questions.take();
        if asked.is_empty() && is_over() {
            return;
        }
        let since = match asked.is_empty() {
            true => None,
            false => finder.last_pid(),
        };
        for question in asked {
            allowance.count(Instant::now());
            if question.about == About::Originator {
                let tuple = &question.tuple;
                let found = allowance.spend(|| finder.originator(tuple));
                directory.originator(&question, found.unwrap_or_else(Owner::missed));
                continue;
            }
            waiting.push(Open::new(question, first_after, since.unwrap_or(u32::MAX)));
        }
        loop {
            if finder.births().is_some() {
                allowance.spend(|| look_at_newborn(&mut finder, &mut waiting));
            }
            let due = take_due(&mut waiting);
            if due.is_empty() {
                break;
            }
            let mut due: Vec<Open> = due
                .into_iter()
                .filter(|open| directory.is_pending(&open.question))
                .collect();
            let is_much = allowance.is_much();
            // Where all of them have to be asked about, all that may be gone soon is asked for first.
            allowance.spend(|| {
                let first = due.iter_mut().filter(|open| open.is_first());
                first.for_each(|open| begin(directory, &mut finder, open));
            });
            let sockets = match is_told {
                true => None,
                false => allowance.spend(|| sockets(&mut finder, &due)),
            };
            let sockets = sockets.into_iter().flatten().chain(repeat(None));
            for (mut open, socket) in due.into_iter().zip(sockets) {
                let ask = || ask(directory, &mut finder, &mut open, socket, is_much);
                match allowance.spend(ask) {
                    Some(true) => waiting.push(open),
                    None if open.asked == 0 => directory.is_missed(&open.question),
                    Some(false) | None => directory.is_settled(&open.question),
                }
            }
        }
    }
}

/// Looks at those who have just begun, before they are done, if they are children of somebody who may have handed a connection on: then it is
/// asked at once which.
fn look_at_newborn(finder: &mut Finder, waiting: &mut BinaryHeap<Open>) {
    let is_asked_for = |pid| waiting.iter().any(|open| open.may_have_handed_on(pid));
    let parents = finder.look_at_newborn(is_asked_for);
    if parents.is_empty() {
        return;
    }
    let now = Instant::now();
    let mut all = std::mem::take(waiting).into_vec();
    let is_due = |open: &&mut Open| parents.iter().any(|pid| open.may_have_handed_on(*pid));
    for open in all.iter_mut().filter(is_due) {
        open.due = now;
    }
    *waiting = all.into();
}

/// Those that are due.
fn take_due(waiting: &mut BinaryHeap<Open>) -> Vec<Open> {
    let now = Instant::now();
    let mut due = Vec::new();
    while waiting.peek().is_some_and(|open| open.due <= now) {
        due.extend(waiting.pop());
    }
    due
}

/// The sockets of those that were not accepted when that was asked last. It is noted which children of those who listen have them.
fn sockets(finder: &mut Finder, due: &[Open]) -> Vec<Option<Listed>> {
    let socket = |open: &Open| match open.is_accepted {
        true => None,
        false => finder.socket(&open.question.tuple.reversed()),
    };
    let sockets: Vec<Option<Listed>> = due.iter().map(socket).collect();
    let listening = due.iter().flat_map(|open| &open.listening);
    let listening: Vec<u32> = listening.map(|process| process.pid).collect();
    finder.meet_children(&listening, sockets.iter().flatten());
    sockets
}

/// Looks up who listens, and both ends as they are now of a connection that nobody saw begin.
fn begin(directory: &Directory, finder: &mut Finder, open: &mut Open) {
    let (question, tuple) = (&open.question, &open.question.tuple);
    if question.about == About::Both {
        let owner = finder.originator(tuple);
        directory.originator(question, owner);
        let owner = finder.first_responder(tuple, Depth::First);
        directory.responder_so_far(question, gone_if_nobody(owner));
    }
    let known = directory.known_responder(question).or_else(|| {
        let listening = finder.listening(tuple)?;
        directory.responder_so_far(question, listening.clone());
        Some(Arc::new(listening))
    });
    open.listening = known.map_or_else(Vec::new, |known| known.processes.clone());
}

/// Asks for the responder once more; whether it is of use to ask again.
fn ask(
    directory: &Directory,
    finder: &mut Finder,
    open: &mut Open,
    socket: Option<Listed>,
    is_much: bool,
) -> bool {
    let question = open.question;
    let (question, tuple) = (&question, &question.tuple);
    if let Some(pause) = open.pause.take() {
        let listening = finder.listening(tuple);
        let owner = listening.unwrap_or_else(|| Owner::unknown(How::Gone, None));
        directory.responder_at_least(question, owner);
        open.due = Instant::now() + pause;
        return true;
    }
    if open.is_being_handed_on()
        && let Some(is_of_use) = ask_both(directory, finder, open)
    {
        return is_of_use;
    }
    if let Some(socket) = &socket {
        open.inode = socket.inode;
    }
    let is_known_to_wait = socket.as_ref().is_some_and(|socket| socket.inode == 0);
    if is_known_to_wait && tuple.proto == TCP && !open.listening.is_empty() {
        return open.wait();
    }
    // No process has begun since: nothing was handed on.
    if open.is_accepted && tuple.proto == TCP && finder.last_pid() == Some(open.since) {
        return open.wait();
    }
    let depth = match open.is_accepted {
        true if open.looked < THOROUGH => Depth::Forked(open.since),
        true => Depth::Since(open.since),
        false if is_much => Depth::Likely,
        false => Depth::First,
    };
    match finder.responder(tuple, socket, &open.listening, depth) {
        Found::Owner(mut owner) if !owner.processes.is_empty() => {
            let has = owner.processes.clone();
            owner.processes.retain(|process| {
                // A process that was just forked has all that its parent has, until it becomes another program: who stays counts.
                let parent = has.iter().find(|other| other.pid == process.parent);
                parent.is_none() || has_same(&open.had, process)
            });
            open.had = has;
            open.uid = owner.uid;
            let listens = |process: &Arc<Process>| has_same(&open.listening, process);
            // Who listens may hand it on to a child.
            let may_change = owner.processes.iter().any(listens);
            if !open.is_accepted && !may_change {
                open.until = LOOKS;
            }
            open.is_accepted = true;
            let how = how(open, &owner.processes);
            directory.responder_so_far(question, Owner { how, ..owner });
        }
        // It was closed: what was found before stands.
        Found::Owner(owner) if open.listening.is_empty() => {
            directory.responder_at_least(question, gone_if_nobody(owner));
            return false;
        }
        Found::Owner(_) => return false,
        Found::NotAccepted(_) | Found::NotThere(_) if open.is_accepted => return false,
        Found::NotAccepted(owner) | Found::NotThere(owner) if open.listening.is_empty() => {
            open.listening.clone_from(&owner.processes);
            directory.responder_so_far(question, owner);
        }
        Found::NotAccepted(_) => {}
        // It was there when its first packet had come through, and is closed.
        Found::NotThere(_) if now().0 - question.time.0 > THROUGH => return false,
        Found::NotThere(_) => {}
    }
    open.wait()
}

/// Asks a process and its child, which both had a connection a moment ago, who keeps it; whether it is of use to ask again, if that is known
/// already or will be soon.
fn ask_both(directory: &Directory, finder: &mut Finder, open: &mut Open) -> Option<bool> {
    let has = finder.still(&open.had, open.inode)?;
    let had = open.had.clone();
    let is_child = |one: &Arc<Process>| had.iter().any(|other| other.pid == one.parent);
    // A child may be done with it before its parent has had a turn to close it: then both are, a moment later.
    let is_decided = has.iter().all(is_child);
    if !is_decided && open.wait_for_one() {
        return Some(true);
    }
    let is_over = has.is_empty();
    let mut processes = if is_over { had.clone() } else { has.clone() };
    processes.sort_by_key(|one| !is_child(one));
    let owner = Owner {
        how: how(open, &processes),
        processes,
        ..Owner::unknown(How::Socket, open.uid)
    };
    directory.responder_so_far(&open.question, owner);
    open.had = has;
    Some(!is_over && open.wait())
}

/// What it means that these have a connection: those who listen have accepted it, others were handed it.
fn how(open: &Open, processes: &[Arc<Process>]) -> How {
    let listens = |process: &Arc<Process>| has_same(&open.listening, process);
    match open.question.tuple.proto == TCP && processes.iter().all(listens) {
        true => How::Acceptor,
        false => How::Socket,
    }
}

/// Whether a process is among these.
fn has_same(all: &[Arc<Process>], process: &Process) -> bool {
    all.iter().any(|own| own.is_same(process))
}

/// A connection that goes on has somebody at its end.
fn gone_if_nobody(owner: Owner) -> Owner {
    match owner.how {
        How::Nobody => Owner {
            how: How::Gone,
            ..owner
        },
        _ => owner,
    }
}
