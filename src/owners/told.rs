//! Who has the ends of connections, as the kernel tells it.

use std::io::PipeReader;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::allowance::{Allowance, Gathering};
use super::directory::{Asked, Directory};
use super::entries::Had;
use super::syn::Syn;
use super::tasks::Tasks;
use super::{How, Owner, now};
use crate::host::connections::{Change, Connections, What};
use crate::host::priority::{Turn, hurry};
use crate::host::sockets::Sockets;
use crate::packet::{TCP, Timestamp, Tuple};
use crate::source::Stop;

/// Notes what the kernel tells, until somebody wants to stop.
pub(super) fn note(
    directory: &Arc<Directory>,
    mut connections: Connections,
    sockets: &Sockets,
    mut wanted: Syn,
    wakes: &PipeReader,
    stop: &Stop,
) {
    hurry(Turn::Usual);
    let mut allowance = Allowance::new(Instant::now());
    let mut gathering = Gathering::new(Instant::now());
    let mut tasks = Tasks::default();
    while !stop.is_requested() {
        let ends = stop.fd();
        let mut all = [
            PollFd::from_borrowed_fd(connections.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(ends.as_fd(), PollFlags::IN),
            PollFd::new(wakes, PollFlags::IN),
        ];
        let _ = poll(&mut all, None);
        gathering.wait();
        // A wish that comes after this wakes again; the changes of those before it are read now.
        while rustix::io::read(wakes, &mut [0; 64]).is_ok_and(|count| count > 0) {}
        let wishes = directory.wishes();
        let since_boot = since_boot();
        while let Some(change) = connections.take() {
            let mut note = Note {
                directory,
                sockets,
                tasks: &mut tasks,
                allowance: &mut allowance,
                times: [change.asked, change.time]
                    .map(|time| Timestamp(time.as_nanos() as i64 + since_boot)),
            };
            match change.what {
                // Who looks through /proc has the socket for a moment, and may be the last.
                What::LetGo if change.task.pid == std::process::id() => {}
                What::LetGo => note.had(&change, Had::LetGo),
                What::Read => note.had(&change, Had::Read),
                What::Answered | What::Ended if wanted.is_taken(&asked(&change)) => {
                    note.begun(&change);
                }
                What::Answered | What::Ended => {}
            }
        }
        directory.fulfil(wishes);
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

/// How far the clock that packets are stamped with is ahead of the other, in nanoseconds.
fn since_boot() -> i64 {
    use rustix::time::{ClockId, clock_gettime};
    let monotonic = || {
        let now = Duration::try_from(clock_gettime(ClockId::Monotonic));
        now.map_or(0, |now| now.as_nanos() as i64)
    };
    let look = |_| {
        let (before, stamp, after) = (monotonic(), now().0, monotonic());
        (after - before, stamp - before)
    };
    // Somebody else may have had the processor between two looks.
    (0..3).map(look).min().map_or(0, |(_, ahead)| ahead)
}

struct Note<'a> {
    directory: &'a Arc<Directory>,
    sockets: &'a Sockets,
    tasks: &'a mut Tasks,
    allowance: &'a mut Allowance,
    /// When it was asked for, and when this happened.
    times: [Timestamp; 2],
}

impl Note<'_> {
    /// A connection that has an answer, or will never have one.
    fn begun(&mut self, change: &Change) {
        let tuple = asked(change);
        let client = self.owner(change);
        let (question, asked) = self.directory.is_told_of(&tuple, self.times, client);
        if change.what == What::Ended && self.sockets.listening(&tuple).is_none() {
            let nobody = Owner::unknown(How::Nobody, None);
            self.directory.responder_at_least(&question, nobody);
            self.directory.is_settled(&question);
        } else if asked == Asked::NotYet {
            // To find out who listens may take longer than the next client is there to be described.
            self.directory.inquire(question);
        }
    }

    /// A socket that a process has, or had until now.
    fn had(&mut self, change: &Change, had: fn(Owner) -> Had) {
        let client_side = asked(change);
        if let Some((question, _)) = self.directory.last(&client_side.reversed()) {
            let owner = self.owner(change);
            self.directory.responder_had(&question, had(owner));
        } else if let Some((question, owners)) = self.directory.last(&client_side)
            && owners.orig.is_none_or(|known| known.processes.is_empty())
        {
            let owner = self.owner(change);
            self.directory.originator(&question, owner);
        }
    }

    fn owner(&mut self, change: &Change) -> Owner {
        let task = &change.task;
        let process = self.tasks.known(task).unwrap_or_else(|| {
            let looked = self.allowance.spend(|| self.tasks.told(task));
            looked.unwrap_or_else(|| Arc::new(self.tasks.only_told(task)))
        });
        Owner {
            processes: vec![process],
            ..Owner::unknown(How::Socket, Some(task.uid))
        }
    }
}
