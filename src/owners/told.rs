//! Who has the ends of connections, as the kernel tells it while they begin and end.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::allowance::Allowance;
use super::directory::{Directory, Question};
use super::finder::Finder;
use super::syn::Syn;
use super::watcher::hurry;
use super::{How, Owner, now};
use crate::host::connections::{Change, Connections, What};
use crate::packet::{TCP, Timestamp, Tuple};
use crate::source::Stop;

/// Notes what the kernel tells, until somebody wants to stop.
pub(super) fn note(
    directory: &Arc<Directory>,
    mut connections: Connections,
    mut finder: Finder,
    mut wanted: Syn,
    stop: &Stop,
) {
    hurry();
    let mut allowance = Allowance::new(Instant::now());
    while !stop.is_requested() {
        let ends = stop.fd();
        let mut both = [
            PollFd::from_borrowed_fd(connections.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(ends.as_fd(), PollFlags::IN),
        ];
        let _ = poll(&mut both, None);
        let since_boot = now().0 - monotonic();
        while let Some(change) = connections.take() {
            let mut note = Note {
                directory,
                finder: &mut finder,
                allowance: &mut allowance,
                time: Timestamp(change.time.as_nanos() as i64 + since_boot),
            };
            match change.what {
                What::LetGo => note.let_go(&change),
                What::Answered | What::Ended if wanted.is_taken(&asked(&change)) => {
                    note.begun(&change);
                }
                What::Answered | What::Ended => {}
            }
        }
    }
    directory.is_untold(connections.lost());
}

/// Who asked whom, where it was asked for.
fn asked(change: &Change) -> Tuple {
    Tuple {
        src: change.local,
        dst: change.remote,
        proto: TCP,
    }
}

fn monotonic() -> i64 {
    use rustix::time::{ClockId, clock_gettime};
    let now = Duration::try_from(clock_gettime(ClockId::Monotonic));
    now.map_or(0, |now| now.as_nanos() as i64)
}

struct Note<'a> {
    directory: &'a Arc<Directory>,
    finder: &'a mut Finder,
    allowance: &'a mut Allowance,
    time: Timestamp,
}

impl Note<'_> {
    /// A connection that has an answer, or will never have one.
    fn begun(&mut self, change: &Change) {
        let question = Question {
            tuple: asked(change),
            time: self.time,
            is_begun: true,
        };
        let client = self.owner(change);
        self.directory.is_told_of(&question, client);
        let listening = self.finder.listening(&question.tuple);
        let is_refused = change.what == What::Ended;
        let server = match listening {
            Some(owner) => owner,
            None if is_refused => Owner::unknown(How::Nobody, None),
            None => Owner::unknown(How::Gone, None),
        };
        self.directory.responder(&question, server);
        if is_refused {
            self.directory.is_settled(&question);
        } else {
            // Who accepts is seen when it lets go. A connection that goes on is looked at before that.
            self.directory.inquire(question);
        }
    }

    /// A socket that its last process let go of.
    fn let_go(&mut self, change: &Change) {
        let client_side = asked(change);
        for (tuple, is_responder) in [(client_side.reversed(), true), (client_side, false)] {
            let Some((question, owners)) = self.directory.last(&tuple) else {
                continue;
            };
            let known = if is_responder {
                owners.resp
            } else {
                owners.orig
            };
            let found = self.owner(change);
            let pid = change.task.pid;
            let is = |how| known.as_ref().is_some_and(|known| known.how == how);
            let has = |known: &Arc<Owner>| known.processes.iter().any(|one| one.pid == pid);
            let is_known = known.as_ref().is_some_and(has);
            let owner = match &known {
                // It listens, and now it is known that it accepted too.
                Some(known) if is_known && known.how == How::Listener => Some(Owner {
                    how: How::Acceptor,
                    processes: found.processes,
                    ..Owner::clone(known)
                }),
                _ if is_known => None,
                // Who accepted has handed it on, or both had it.
                Some(known) if is_responder && (is(How::Acceptor) || is(How::Socket)) => {
                    let mut processes = known.processes.clone();
                    processes.extend(found.processes);
                    processes.sort_unstable_by_key(|process| process.pid);
                    Some(Owner {
                        processes,
                        how: How::Socket,
                        ..Owner::clone(known)
                    })
                }
                // Who asked for it is known better than who ended it.
                Some(_) if is(How::Acceptor) || is(How::Socket) => None,
                _ => Some(found),
            };
            if let Some(owner) = owner {
                match is_responder {
                    true => self.directory.responder(&question, owner),
                    false => self.directory.originator(&question, owner),
                }
            }
            if is_responder {
                self.directory.is_settled(&question);
            }
            return;
        }
    }

    fn owner(&mut self, change: &Change) -> Owner {
        let task = &change.task;
        let looked = self.allowance.spend(|| self.finder.told(task));
        let process = looked.unwrap_or_else(|| self.finder.only_told(task));
        Owner {
            processes: vec![process],
            ..Owner::unknown(How::Socket, Some(task.uid))
        }
    }
}
