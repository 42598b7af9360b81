//! Who has accepted a connection, asked until somebody has; and ends whose begin nobody saw.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::allowance::{Allowance, Gathering};
use super::directory::{Directory, Question};
use super::finder::{Depth, Finder, Found};
use super::{How, Owner};
use crate::host::processes::{self, Process};
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
/// A child that takes a connection over mostly does so before this many questions were asked, which is after a tenth of a second.
const HANDED_ON: usize = 7;
/// Once it is known who took it over, it is asked so many times more.
const LOOKS: usize = 1;

/// While nothing is asked, it is looked so often whether the capture is over.
const IDLE: Duration = Duration::from_millis(50);

/// A connection whose responder may become better known.
struct Open {
    question: Question,
    /// How long after it is known who listens it is asked who has accepted.
    pause: Option<Duration>,
    asked: usize,
    /// How often it is to be asked at most.
    until: usize,
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
    let mut gathering = Gathering::new(Instant::now());
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
            until: AGAIN.len() - 1,
            listening: Vec::new(),
            had: Vec::new(),
            is_accepted: false,
            since: *since.get_or_insert_with(|| processes::last_pid().unwrap_or(u32::MAX)),
            due: match question.is_begun {
                true => Instant::now(),
                false => Instant::now() + first_after,
            },
        };
        match questions.recv_timeout(patience) {
            Ok(question) => {
                gathering.wait();
                for question in std::iter::once(question).chain(questions.try_iter()) {
                    allowance.count(Instant::now());
                    waiting.push(open(question));
                }
            }
            Err(RecvTimeoutError::Timeout) if is_over() => return,
            Err(RecvTimeoutError::Timeout) => gathering.wait(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        loop {
            let now = Instant::now();
            if waiting.peek().is_none_or(|open| open.due > now) {
                break;
            }
            let Some(mut open) = waiting.pop() else {
                break;
            };
            if !directory.is_pending(&open.question) {
                continue;
            }
            match allowance.spend(|| ask(directory, &mut finder, &mut open)) {
                Some(true) => waiting.push(open),
                None if open.asked == 0 => directory.is_missed(&open.question),
                Some(false) | None => directory.is_settled(&open.question),
            }
        }
    }
}

/// Looks both ends up, as they are now.
fn begin(directory: &Directory, finder: &mut Finder, question: &Question) {
    let tuple = &question.tuple;
    let owner = finder.originator(tuple.proto, tuple.src, tuple.dst, Depth::First);
    directory.originator(question, owner);
    let owner = finder.first_responder(tuple, Depth::First);
    directory.responder_so_far(question, gone_if_nobody(owner));
}

/// Asks for the responder once more; whether it is of use to ask again.
fn ask(directory: &Directory, finder: &mut Finder, open: &mut Open) -> bool {
    let question = &open.question;
    let tuple = &question.tuple;
    if let Some(pause) = open.pause.take() {
        let listening = finder.listening(tuple);
        let owner = listening.unwrap_or_else(|| Owner::unknown(How::Gone, None));
        directory.responder_at_least(question, owner);
        open.due = Instant::now() + pause;
        return true;
    }
    if open.asked == 0 && !question.is_begun {
        begin(directory, finder, question);
    }
    if open.asked == 0
        && let Some(known) = directory.known_responder(question)
    {
        open.listening.clone_from(&known.processes);
    }
    // No process has begun since: nothing was handed on.
    let nobody_new = || processes::last_pid() == Some(open.since);
    if open.is_accepted && tuple.proto == TCP && nobody_new() {
        return wait(open);
    }
    let depth = match open.is_accepted {
        true => Depth::Since(open.since),
        false => Depth::First,
    };
    match finder.responder(tuple.proto, tuple.dst, tuple.src, &open.listening, depth) {
        Found::Owner(mut owner) if !owner.processes.is_empty() => {
            let has = owner.processes.clone();
            owner.processes.retain(|process| {
                // A process that was just forked has all that its parent has, until it becomes another program: who stays counts.
                let parent = has.iter().find(|other| other.pid == process.parent);
                parent.is_none() || open.had.contains(process)
            });
            open.had = has;
            let listens = |process: &Arc<Process>| open.listening.contains(process);
            // Who listens may hand it on to a child.
            let may_change = owner.processes.iter().any(listens);
            if !open.is_accepted {
                open.until = if may_change {
                    HANDED_ON
                } else {
                    open.asked + LOOKS
                };
            }
            open.is_accepted = true;
            let how = match tuple.proto == TCP && owner.processes.iter().all(listens) {
                true => How::Acceptor,
                false => How::Socket,
            };
            directory.responder_so_far(question, Owner { how, ..owner });
        }
        // It was closed: what was found before stands.
        Found::Owner(_) => return false,
        Found::NotAccepted(_) if open.is_accepted => return false,
        Found::NotAccepted(owner) if open.listening.is_empty() => {
            open.listening.clone_from(&owner.processes);
            directory.responder_so_far(question, owner);
        }
        Found::NotAccepted(_) => {}
    }
    wait(open)
}

/// Puts the next question off; whether there is to be one.
fn wait(open: &mut Open) -> bool {
    open.asked += 1;
    let Some(after) = AGAIN.get(open.asked).filter(|_| open.asked <= open.until) else {
        return false;
    };
    open.due = Instant::now() + *after;
    true
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
