//! An end of a connection, looked up: the kernel tells the socket, /proc tells the processes that have it.
//!
//! To look through all descriptors of all processes takes a third of a millisecond on an idle machine, and longer on a busy one. So those are
//! asked first that probably have it: processes that have just begun, and those that had such a socket before.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::young::Young;
use super::{How, Owner};
use crate::host::connections::Task;
use crate::host::listing::{Listed, State};
use crate::host::processes::{self, Held, Process};
use crate::host::sockets::Sockets;
use crate::packet::{TCP, Tuple};

/// Looks ends up.
#[derive(Debug)]
pub(super) struct Finder {
    sockets: Sockets,
    /// Processes that had a socket that was looked for, the last one first.
    recent: VecDeque<u32>,
    /// Processes that have begun lately, the last one first.
    young: Young,
    /// Descriptions by number; another start or another name is another process, or another program.
    known: HashMap<u32, Arc<Process>>,
    /// Those that the kernel has told of, by number and when they began.
    told: HashMap<(u32, u64), Arc<Process>>,
    /// Who had a socket when it was looked at for another's.
    seen: HashMap<u32, u32>,
    /// Who listens, by the socket's inode, and since when that is known.
    listeners: HashMap<u32, (Instant, Owner)>,
}

/// What is known of a socket.
pub(super) enum Found {
    /// Its owner.
    Owner(Owner),
    /// Somebody listens; no process has the connection itself.
    NotAccepted(Owner),
}

/// How far is looked for who has a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Among those who probably have it: to look through all processes takes as long as ten others are there to be found.
    Likely,
    /// To the first who has it.
    First,
    /// Among processes that began after this number was given away, too.
    Since(u32),
}

/// So many of who made the last connections are asked before those who have just begun.
const OFTEN: usize = 2;
/// So many processes are remembered as likely.
const RECENT: usize = 32;
/// So many sockets of others are remembered.
const SEEN: usize = 4096;
/// A process with more sockets than this is not looked at further than need be.
const FEW: usize = 16;
/// So many descriptions are remembered.
const KNOWN: usize = 4096;
/// Who listens is asked again after this long: another process may have got the socket.
const FRESH: Duration = Duration::from_millis(250);

impl Finder {
    /// # Errors
    /// The kernel does not tell of its sockets.
    pub(super) fn new() -> io::Result<Finder> {
        let mut young = Young::default();
        young.look();
        Ok(Finder {
            sockets: Sockets::open()?,
            recent: VecDeque::new(),
            young,
            known: HashMap::new(),
            told: HashMap::new(),
            seen: HashMap::new(),
            listeners: HashMap::new(),
        })
    }

    /// Who has the end of a connection that he began himself.
    pub(super) fn originator(
        &mut self,
        proto: u8,
        local: SocketAddr,
        remote: SocketAddr,
        depth: Depth,
    ) -> Owner {
        let found = self.sockets.find(proto, local, remote).ok().flatten();
        match found.filter(|socket| socket.is_of(local, remote)) {
            Some(socket) if socket.inode != 0 => self.maker(&socket, depth),
            found => Owner::unknown(How::Gone, found.map(|socket| socket.uid)),
        }
    }

    /// Who has the end of a connection that was just begun by another, as far as that can be known: it may be handed on.
    pub(super) fn first_responder(&mut self, tuple: &Tuple, depth: Depth) -> Owner {
        let listening = self.listening(tuple).map(|owner| owner.processes);
        let listening = listening.unwrap_or_default();
        match self.responder(tuple.proto, tuple.dst, tuple.src, &listening, depth) {
            Found::Owner(owner) if tuple.proto == TCP && owner.how == How::Socket => Owner {
                how: How::Acceptor,
                ..owner
            },
            Found::Owner(owner) | Found::NotAccepted(owner) => owner,
        }
    }

    /// Who has the end of a connection that was begun by another; those who listen are asked first, and others too if it is to be known
    /// whether one of them has handed it on.
    pub(super) fn responder(
        &mut self,
        proto: u8,
        local: SocketAddr,
        remote: SocketAddr,
        listening: &[Arc<Process>],
        depth: Depth,
    ) -> Found {
        let Some(socket) = self.sockets.find(proto, local, remote).ok().flatten() else {
            // Who is refused has no socket either; one that was connected rests for a while at one of its ends (TIME_WAIT).
            let other = self.sockets.find(proto, remote, local).ok().flatten();
            let was_there = other.is_some_and(|socket| {
                socket.is_of(remote, local) && socket.state != State::SynSent
            });
            let how = if was_there { How::Gone } else { How::Nobody };
            return Found::Owner(Owner::unknown(how, None));
        };
        if socket.state == State::Listening && socket.local.port() == local.port() {
            return Found::NotAccepted(self.listener(&socket));
        }
        if !socket.is_of(local, remote) {
            return Found::Owner(Owner::unknown(How::Nobody, None));
        }
        if socket.inode != 0 {
            let owner = self.acceptor(&socket, listening, depth);
            if proto != TCP || owner.how != How::Gone {
                return Found::Owner(owner);
            }
        }
        // Nobody has accepted it yet, or it is closed already.
        let asked = Tuple {
            src: remote,
            dst: local,
            proto,
        };
        let listening = self.listening(&asked);
        Found::NotAccepted(listening.unwrap_or_else(|| Owner::unknown(How::Gone, None)))
    }

    /// Who listens where a connection goes to, whether anybody has accepted it or not.
    pub(super) fn listening(&mut self, tuple: &Tuple) -> Option<Owner> {
        let listens = self.listening_socket(tuple)?;
        Some(self.listener(&listens))
    }

    /// Whether anybody listens there.
    pub(super) fn is_listened_to(&self, tuple: &Tuple) -> bool {
        self.listening_socket(tuple).is_some()
    }

    fn listening_socket(&self, tuple: &Tuple) -> Option<Listed> {
        // An end that is nobody's.
        let nobody = SocketAddr::new(tuple.src.ip(), 0);
        let found = self.sockets.find(tuple.proto, tuple.dst, nobody);
        found
            .ok()
            .flatten()
            .filter(|socket| socket.state == State::Listening)
    }

    /// A process that the kernel has told of, if it was looked at before.
    pub(super) fn known(&self, task: &Task) -> Option<Arc<Process>> {
        let known = self.told.get(&(task.pid, task.started))?;
        // It may be another program by now.
        known
            .name
            .starts_with(&task.name)
            .then(|| Arc::clone(known))
    }

    /// A process that the kernel has told of, with all that is still to be found out.
    pub(super) fn told(&mut self, task: &Task) -> Arc<Process> {
        let described = Held::new(task.pid).and_then(|held| held.describe());
        let process = match described {
            Ok(process) if process.start_time == task.start_time => process,
            _ => self.only_told(task),
        };
        if self.told.len() >= KNOWN {
            self.told.clear();
        }
        let process = Arc::new(process);
        let key = (task.pid, task.started);
        self.told.insert(key, Arc::clone(&process));
        process
    }

    /// A process as the kernel has told of it. What decides whether it is wanted is looked at all the same: its environment, or that of its
    /// parent where it is gone.
    pub(super) fn only_told(&self, task: &Task) -> Process {
        let run = match Held::new(task.pid) {
            Ok(held) => held.run_or_parents(task.parent),
            Err(_) => {
                let parent = Held::new(task.parent).ok();
                parent.and_then(|parent| parent.run_or_parents(0))
            }
        };
        Process {
            pid: task.pid,
            start_time: task.start_time,
            parent: task.parent,
            name: task.name.clone(),
            exe: None,
            command_line: Vec::new(),
            uid: task.uid,
            container: None,
            run,
        }
    }

    fn listener(&mut self, socket: &Listed) -> Owner {
        match self.listeners.get(&socket.inode) {
            Some((since, owner)) if since.elapsed() < FRESH => owner.clone(),
            _ => {
                let mut owner = self.of_all(socket);
                if owner.how == How::Socket {
                    owner.how = How::Listener;
                }
                self.listeners
                    .retain(|_, (since, _)| since.elapsed() < FRESH);
                self.listeners
                    .insert(socket.inode, (Instant::now(), owner.clone()));
                owner
            }
        }
    }

    /// The processes that have a socket that was just made.
    fn maker(&mut self, socket: &Listed, depth: Depth) -> Owner {
        self.young.look();
        // Who makes one connection after the other; those who have just begun; and others who did before.
        let seen = self.seen.remove(&socket.inode);
        let often = self.recent.iter().take(OFTEN);
        let before = self.recent.iter().skip(OFTEN);
        // Most make one.
        let young = self.young.pids.iter();
        let new = young.filter(|pid| !self.recent.contains(pid));
        let likely = seen.iter().chain(often).chain(new).chain(before);
        let likely: Vec<u32> = likely.copied().collect();
        let mut asked = |pid| self.ask(pid, socket.inode).ok().flatten();
        // A process that was just forked has all that its parent has, until it becomes another program.
        let Some(mut maker) = likely.into_iter().find_map(&mut asked) else {
            if depth == Depth::Likely {
                return Owner::unknown(How::Gone, Some(socket.uid));
            }
            let mut owner = self.of_all(socket);
            let pids: Vec<u32> = owner.processes.iter().map(|process| process.pid).collect();
            owner
                .processes
                .retain(|process| !pids.contains(&process.parent));
            return owner;
        };
        while let Some(parent) = asked(maker.parent) {
            maker = parent;
        }
        self.sort(vec![maker], socket)
    }

    /// The processes that have a socket that was accepted.
    fn acceptor(&mut self, socket: &Listed, listening: &[Arc<Process>], depth: Depth) -> Owner {
        self.young.look();
        let young: Vec<u32> = self.young.pids.iter().copied().collect();
        let mut young = young.into_iter();
        let mut asked = |pid| self.ask(pid, socket.inode).ok().flatten();
        let mut found: Vec<_> = listening
            .iter()
            .filter_map(|process| asked(process.pid))
            .collect();
        match depth {
            Depth::Since(since) => {
                found.extend(
                    young
                        .by_ref()
                        .take_while(|pid| *pid > since)
                        .filter_map(&mut asked),
                );
            }
            Depth::First | Depth::Likely if found.is_empty() => {
                found.extend(young.filter_map(&mut asked));
            }
            Depth::First | Depth::Likely => {}
        }
        // Whoever a child has it from may have it still.
        let mut at = 0;
        while let Some(child) = found.get(at) {
            let parent = child.parent;
            if found.iter().all(|process| process.pid != parent) {
                found.extend(asked(parent));
            }
            at += 1;
        }
        match found.is_empty() {
            true if depth == Depth::Likely => Owner::unknown(How::Gone, Some(socket.uid)),
            true => self.of_all(socket),
            false => self.sort(found, socket),
        }
    }

    /// The processes that have a socket, of all that there are.
    fn of_all(&mut self, socket: &Listed) -> Owner {
        let mut found = Vec::new();
        let mut is_hidden = false;
        for pid in processes::all() {
            match self.ask(pid, socket.inode) {
                Ok(process) => found.extend(process),
                Err(error) => is_hidden |= error.kind() == io::ErrorKind::PermissionDenied,
            }
        }
        match found.is_empty() {
            true if is_hidden => Owner::unknown(How::NotPermitted, Some(socket.uid)),
            true => Owner::unknown(How::Gone, Some(socket.uid)),
            false => self.sort(found, socket),
        }
    }

    fn sort(&mut self, mut found: Vec<Arc<Process>>, socket: &Listed) -> Owner {
        found.sort_unstable_by_key(|process| process.pid);
        found.dedup_by_key(|process| process.pid);
        for process in &found {
            self.recent.retain(|pid| *pid != process.pid);
            self.recent.push_front(process.pid);
        }
        self.recent.truncate(RECENT);
        Owner {
            processes: found,
            ..Owner::unknown(How::Socket, Some(socket.uid))
        }
    }

    /// The process, if it has the socket.
    fn ask(&mut self, pid: u32, inode: u32) -> io::Result<Option<Arc<Process>>> {
        let held = Held::new(pid).inspect_err(|_| self.young.forget(pid))?;
        let (mut has, mut count) = (false, 0);
        if self.seen.len() > SEEN {
            self.seen.clear();
        }
        held.each_socket(|other| {
            count += 1;
            has |= other == inode;
            if other != inode && count <= FEW {
                self.seen.insert(other, pid);
            }
            // Of a client the others are soon of interest; of a server there may be too many.
            match has && count > FEW {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        match has {
            true => self.describe(&held).map(Some),
            false => Ok(None),
        }
    }

    fn describe(&mut self, held: &Held) -> io::Result<Arc<Process>> {
        let held = match held.leader()? {
            pid if pid == held.pid() => held,
            // A thread's number.
            pid => &Held::new(pid)?,
        };
        let (start_time, name) = held.identity()?;
        if let Some(known) = self.known.get(&held.pid())
            && known.start_time == start_time
            && known.name.starts_with(&name)
        {
            return Ok(Arc::clone(known));
        }
        let process = Arc::new(held.describe()?);
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        self.known.insert(process.pid, Arc::clone(&process));
        Ok(process)
    }
}
