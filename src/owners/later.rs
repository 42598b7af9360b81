//! Who has accepted a connection, asked until somebody has; and ends whose begin nobody saw.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::iter::{repeat, repeat_n};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::allowance::{Allowance, Gathering};
use super::directory::{Directory, Question};
use super::finder::{Depth, Finder, Found};
use super::{How, Owner, now};
use crate::host::listing::Listed;
use crate::host::processes::Process;
use crate::packet::TCP;

/// How long after the last question the next one follows.
const AGAIN: [Duration; 9] = [
    Duration::ZERO,
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(700),
    Duration::from_millis(2),
    Duration::from_millis(7),
    Duration::from_millis(20),
    Duration::from_millis(70),
    Duration::from_millis(400),
];
/// Where the kernel tells nothing, it is asked so often whether somebody has accepted a connection, who may be done with it soon: so many
/// times, once in so long, before the pauses become longer than that.
const OFTEN: (usize, Duration) = (80, Duration::from_micros(250));
/// The first of the longer pauses.
const SELDOM: usize = 5;
/// A child that takes a connection over mostly does so before it was looked so often, which takes a tenth of a second.
const HANDED_ON: usize = 7;
/// The kernel knows of a connection so many nanoseconds after its first packet was sent.
const THROUGH: i64 = 1_000_000;
/// From this look on, it is looked everywhere for who took it over.
const THOROUGH: usize = 4;
/// Once it is known who took it over, it is looked so many times more.
const LOOKS: usize = 1;

/// While nothing is asked, it is looked so often whether the capture is over.
const IDLE: Duration = Duration::from_millis(50);

/// A connection whose responder may become better known.
struct Open {
    question: Question,
    /// How long after it is known who listens it is asked who has accepted.
    pause: Option<Duration>,
    /// How often it was asked whether anybody has accepted it,
    asked: usize,
    /// how often it was looked whether it was handed on since, and how often that is to be looked at most.
    looked: usize,
    until: usize,
    /// Whether the kernel tells who accepts it.
    is_told: bool,
    /// Who listens.
    listening: Vec<Arc<Process>>,
    /// Who had the connection when that was asked last.
    had: Vec<Arc<Process>>,
    is_accepted: bool,
    /// The number that was given to a process last before the first question.
    since: u32,
    due: Instant,
}

/// The one that is due first is the greatest.
impl Ord for Open {
    fn cmp(&self, other: &Open) -> Ordering {
        other.due.cmp(&self.due)
    }
}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Open) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Open) -> bool {
        self.due == other.due
    }
}

impl Eq for Open {}

/// Answers questions until nobody can ask any more; each a while after it was asked, where it may have an answer by then.
pub(super) fn answer(
    directory: &Arc<Directory>,
    questions: &Receiver<Question>,
    mut finder: Finder,
    first_after: Duration,
    is_over: impl Fn() -> bool,
) {
    let mut waiting: BinaryHeap<Open> = BinaryHeap::new();
    let mut allowance = Allowance::new(Instant::now());
    let is_told = !first_after.is_zero();
    let mut gathering = Gathering::new(Instant::now());
    // Who was not told of them has to ask while they are there, if there is time for it.
    let mut gather = |allowance: &mut Allowance| {
        if is_told || !allowance.is_left(Instant::now()) {
            gathering.wait();
        }
    };
    loop {
        let next = waiting.peek().map(|open| open.due);
        let patience = next.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
        let mut since = None;
        let mut open = |question: Question| Open {
            question,
            pause: question
                .is_begun
                .then_some(first_after)
                .filter(|pause| !pause.is_zero()),
            asked: 0,
            looked: 0,
            until: HANDED_ON,
            is_told,
            listening: Vec::new(),
            had: Vec::new(),
            is_accepted: false,
            since: *since.get_or_insert_with(|| finder.last_pid().unwrap_or(u32::MAX)),
            due: match question.is_begun {
                true => Instant::now(),
                false => Instant::now() + first_after,
            },
        };
        match questions.recv_timeout(patience) {
            Ok(question) => {
                gather(&mut allowance);
                for question in std::iter::once(question).chain(questions.try_iter()) {
                    allowance.count(Instant::now());
                    waiting.push(open(question));
                }
            }
            Err(RecvTimeoutError::Timeout) if is_over() => return,
            Err(RecvTimeoutError::Timeout) => gather(&mut allowance),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        loop {
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

/// Those that are due.
fn take_due(waiting: &mut BinaryHeap<Open>) -> Vec<Open> {
    let now = Instant::now();
    let mut due = Vec::new();
    while waiting.peek().is_some_and(|open| open.due <= now) {
        due.extend(waiting.pop());
    }
    due
}

impl Open {
    /// Whether it is asked about now for the first time.
    fn is_first(&self) -> bool {
        self.asked + self.looked == 0 && self.pause.is_none()
    }
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
    if !question.is_begun {
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
    let question = &open.question;
    let tuple = &question.tuple;
    if let Some(pause) = open.pause.take() {
        let listening = finder.listening(tuple);
        let owner = listening.unwrap_or_else(|| Owner::unknown(How::Gone, None));
        directory.responder_at_least(question, owner);
        open.due = Instant::now() + pause;
        return true;
    }
    let is_known_to_wait = socket.as_ref().is_some_and(|socket| socket.inode == 0);
    if is_known_to_wait && tuple.proto == TCP && !open.listening.is_empty() {
        return wait(open);
    }
    // No process has begun since: nothing was handed on.
    if open.is_accepted && tuple.proto == TCP && finder.last_pid() == Some(open.since) {
        return wait(open);
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
            let listens = |process: &Arc<Process>| has_same(&open.listening, process);
            // Who listens may hand it on to a child.
            let may_change = owner.processes.iter().any(listens);
            if !open.is_accepted && !may_change {
                open.until = LOOKS;
            }
            open.is_accepted = true;
            let how = match tuple.proto == TCP && owner.processes.iter().all(listens) {
                true => How::Acceptor,
                false => How::Socket,
            };
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
    wait(open)
}

/// How long after the last question whether anybody has accepted it the next one follows.
fn again(asked: usize, often: bool) -> Option<Duration> {
    if !often {
        return AGAIN.get(asked).copied();
    }
    let (count, pause) = OFTEN;
    let soon = AGAIN.into_iter().take_while(|after| *after < pause);
    let often = soon.chain(repeat_n(pause, count));
    often.chain(AGAIN.into_iter().skip(SELDOM)).nth(asked)
}

/// Puts the next question off; whether there is to be one.
fn wait(open: &mut Open) -> bool {
    let after = match open.is_accepted {
        true => {
            open.looked += 1;
            let after = AGAIN.get(open.looked);
            after.filter(|_| open.looked <= open.until).copied()
        }
        false => {
            open.asked += 1;
            again(open.asked, !open.is_told)
        }
    };
    let Some(after) = after else {
        return false;
    };
    open.due = Instant::now() + after;
    true
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_told_asks_often_at_first() {
        let pauses = |often| (1..).map_while(move |asked| again(asked, often));
        assert_eq!(pauses(false).collect::<Vec<Duration>>(), AGAIN[1..]);
        let (count, pause) = OFTEN;
        let often: Vec<Duration> = pauses(true).collect();
        assert!(often.is_sorted());
        assert_eq!(often.iter().filter(|own| **own == pause).count(), count);
        assert!(often.ends_with(&AGAIN[SELDOM..]));
    }
}
