//! An end of a connection, looked up: the kernel tells the socket, /proc tells the processes that have it.
//!
//! To look through all descriptors of all processes takes a third of a millisecond on an idle machine, and longer on a busy one. So those are
//! asked first that probably have it: processes that have just begun, and those that had such a socket before.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::asked::{Asked, Holder};
use super::errands::Errands;
use super::{How, Owner};
use crate::host::births::Births;
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
    asked: Asked,
}

/// What is known of a socket.
pub(super) enum Found {
    /// Its owner.
    Owner(Owner),
    /// Somebody listens; no process has the connection itself.
    NotAccepted(Owner),
    /// Somebody listens; there is no such connection.
    NotThere(Owner),
}

/// How far is looked for who has a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Among those who probably have it: to look through all processes takes as long as ten others are there to be found.
    Likely,
    /// To the first who has it.
    First,
    /// Among children of those who listen that began after this number was given away, too: who has it by fork(2) has it as the same
    /// descriptor.
    Forked(u32),
    /// Among all processes that began after this number was given away, as whatever descriptor.
    Since(u32),
}

/// So many of who made the last connections are asked before those who have just begun.
const OFTEN: usize = 2;
/// So many processes are remembered as likely.
const RECENT: usize = 32;

impl Finder {
    /// # Errors
    /// The kernel does not tell of its sockets.
    pub(super) fn new(errands: Errands, births: Option<Births>) -> io::Result<Finder> {
        Ok(Finder {
            sockets: Sockets::open()?,
            recent: VecDeque::new(),
            asked: Asked::new(errands, births),
        })
    }

    /// Who has the end of a connection that he began himself.
    pub(super) fn originator(&mut self, tuple: &Tuple) -> Owner {
        let found = self.socket(tuple);
        self.likely_originator(tuple, found)
            .unwrap_or_else(|socket| {
                let mut owner = self.of_all(&socket);
                let pids: Vec<u32> = owner.processes.iter().map(|process| process.pid).collect();
                owner
                    .processes
                    .retain(|process| !pids.contains(&process.parent));
                owner
            })
    }

    /// Who has the ends of several connections, if that is found out soon: others may have to be asked about meanwhile. All that may be gone
    /// first is asked for first.
    pub(super) fn likely_originators(&mut self, tuples: &[Tuple]) -> Vec<Option<Owner>> {
        let sockets: Vec<Option<Listed>> = tuples.iter().map(|tuple| self.socket(tuple)).collect();
        let inodes = sockets.iter().flatten().map(|socket| socket.inode);
        let young = &mut self.asked.young;
        young.look();
        let new: Vec<u32> = young.pids_if(false).collect();
        self.asked.meet(&new, inodes);
        let owners = tuples.iter().zip(sockets);
        owners
            .map(|(tuple, found)| self.likely_originator(tuple, found).ok())
            .collect()
    }

    /// The socket of a connection at this packet's sender.
    pub(super) fn socket(&self, tuple: &Tuple) -> Option<Listed> {
        let found = self.sockets.find(tuple.proto, tuple.src, tuple.dst);
        let own = |socket: &Listed| socket.is_of(tuple.src, tuple.dst);
        found.ok().flatten().filter(own)
    }

    /// Who has the end of a connection that he began himself, if he is one of those who probably do; else its socket, which is there.
    fn likely_originator(&mut self, tuple: &Tuple, found: Option<Listed>) -> Result<Owner, Listed> {
        let Some(socket) = found.as_ref().filter(|socket| socket.inode != 0) else {
            return Ok(Owner::unknown(How::Gone, found.map(|socket| socket.uid)));
        };
        let Some(mut maker) = self.likely_maker(tuple, socket.inode) else {
            return match self.is_there(tuple, socket.inode) {
                true => Err(socket.clone()),
                false => Ok(Owner::unknown(How::Gone, Some(socket.uid))),
            };
        };
        self.asked.is_usual(maker.descriptor);
        // A process that was just forked has all that its parent has, until it becomes another program.
        while let Some(parent) = self.parent_too(&maker, socket.inode) {
            maker = parent;
        }
        Ok(self.sort(vec![maker], socket))
    }

    /// Whether the packet's sender has this very socket still.
    fn is_there(&self, tuple: &Tuple, inode: u32) -> bool {
        self.socket(tuple)
            .is_some_and(|socket| socket.inode == inode)
    }

    /// Who has the end of a connection that was just begun by another, as far as that can be known: it may be handed on.
    pub(super) fn first_responder(&mut self, tuple: &Tuple, depth: Depth) -> Owner {
        let listening = self.listening(tuple).map(|owner| owner.processes);
        let listening = listening.unwrap_or_default();
        match self.responder(tuple, None, &listening, depth) {
            Found::Owner(owner) if tuple.proto == TCP && owner.how == How::Socket => Owner {
                how: How::Acceptor,
                ..owner
            },
            Found::Owner(owner) | Found::NotAccepted(owner) | Found::NotThere(owner) => owner,
        }
    }

    /// Looks which of those that have just begun and are children of these has any of these sockets, before more is asked of anybody.
    pub(super) fn meet_children<'a>(
        &mut self,
        parents: &[u32],
        sockets: impl Iterator<Item = &'a Listed>,
    ) {
        let young = &mut self.asked.young;
        young.look();
        let children = young.new_children(parents);
        self.asked
            .meet(&children, sockets.map(|socket| socket.inode));
    }

    /// Where the kernel tells who begins, if it does.
    pub(super) fn births(&self) -> Option<&Births> {
        self.asked.young.births()
    }

    /// Looks what sockets those have who have just begun, as the kernel has told, and are children of somebody who listens or who is asked for.
    /// Whose children have sockets.
    pub(super) fn look_at_newborn(&mut self, is_asked_for: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut parents = Vec::new();
        for birth in self.asked.young.take_born() {
            let (errands, parent) = (&self.asked.errands, birth.parent);
            if (is_asked_for(parent) || errands.listens(parent))
                && self.asked.look_at_newborn(&birth)
            {
                parents.push(birth.parent);
            }
        }
        parents
    }

    /// Who has the end of a connection that was begun by another; those who listen are asked first, and others too if it is to be known
    /// whether one of them has handed it on. Its socket may be known already.
    pub(super) fn responder(
        &mut self,
        tuple: &Tuple,
        socket: Option<Listed>,
        listening: &[Arc<Process>],
        depth: Depth,
    ) -> Found {
        let (proto, local, remote) = (tuple.proto, tuple.dst, tuple.src);
        let find = |local, remote| self.sockets.find(proto, local, remote).ok().flatten();
        let Some(socket) = socket.or_else(|| find(local, remote)) else {
            // Who is refused has no socket either; one that was connected rests for a while at one of its ends (TIME_WAIT).
            let other = find(remote, local);
            let was_there = other.is_some_and(|socket| {
                socket.is_of(remote, local) && socket.state != State::SynSent
            });
            let how = if was_there { How::Gone } else { How::Nobody };
            return Found::Owner(Owner::unknown(how, None));
        };
        if socket.state == State::Listening && socket.local.port() == local.port() {
            return Found::NotThere(self.listener(&socket));
        }
        if !socket.is_of(local, remote) {
            return Found::Owner(Owner::unknown(How::Nobody, None));
        }
        if socket.inode != 0 {
            let owner = self.acceptor(tuple, &socket, listening, depth);
            if proto != TCP || owner.how != How::Gone {
                return Found::Owner(owner);
            }
        }
        // Nobody has accepted it yet, or it is closed already.
        let listening = self.listening(tuple);
        Found::NotAccepted(listening.unwrap_or_else(|| Owner::unknown(How::Gone, None)))
    }

    /// Those of these processes, who had a socket by fork(2), that have it still; none if it is not known any more as which descriptor.
    pub(super) fn still(&mut self, had: &[Arc<Process>], inode: u32) -> Option<Vec<Arc<Process>>> {
        let descriptor = self.asked.descriptor(inode)?;
        let holders = had.iter().filter_map(|process| {
            let holder = self.asked.holder_as(process.pid, descriptor, inode)?;
            Some(holder.process).filter(|own| own.is_same(process))
        });
        Some(holders.collect())
    }

    /// Who listens where a connection goes to, whether anybody has accepted it or not.
    pub(super) fn listening(&mut self, tuple: &Tuple) -> Option<Owner> {
        let listens = self.sockets.listening(tuple)?;
        Some(self.listener(&listens))
    }

    /// Whether anybody listens there.
    pub(super) fn is_listened_to(&self, tuple: &Tuple) -> bool {
        self.sockets.listening(tuple).is_some()
    }

    /// The number that the kernel gave away last, to a process or a thread.
    pub(super) fn last_pid(&self) -> Option<u32> {
        self.asked.young.last_pid()
    }

    fn listener(&mut self, socket: &Listed) -> Owner {
        if let Some(owner) = self.asked.errands.listener(socket) {
            return owner;
        }
        let mut owner = self.of_all(socket);
        if owner.how == How::Socket {
            owner.how = How::Listener;
        }
        self.asked.errands.is_listener(socket.inode, &owner);
        owner
    }

    /// Asks those who probably have a socket that was just made: who has just begun, for most make one; who makes one after the other; and
    /// others who began lately, or made one before.
    fn likely_maker(&mut self, tuple: &Tuple, inode: u32) -> Option<Holder> {
        let known = self.asked.holder_met(inode);
        if let Some(holder) = known.or_else(|| self.asked.holder_seen(inode)) {
            return Some(holder);
        }
        let late = self.asked.young.look_again();
        if let Some(holder) = self.asked.usual_holder(&late, inode) {
            return Some(holder);
        }
        // To ask all of them takes longer than others are there.
        if !self.is_there(tuple, inode) {
            return None;
        }
        let young = &self.asked.young;
        let often = self.recent.iter().take(OFTEN).copied();
        let before = self.recent.iter().skip(OFTEN).copied();
        let again = young.pids_if(true).filter(|pid| !self.recent.contains(pid));
        let likely = young.pids_if(false).chain(often).chain(again).chain(before);
        let likely: Vec<u32> = likely.collect();
        if let Some(holder) = self.asked.usual_holder(&likely, inode) {
            return Some(holder);
        }
        // To ask for every descriptor takes long, and is of no use once it is closed.
        likely.into_iter().find_map(|pid| {
            let is_there = self.is_there(tuple, inode);
            let ask = || self.asked.holder(pid, inode).ok().flatten();
            is_there.then(ask).flatten()
        })
    }

    /// The parent of a process that has a socket, if it has it too.
    fn parent_too(&mut self, child: &Holder, inode: u32) -> Option<Holder> {
        let parent = child.process.parent;
        self.asked.holder_as(parent, child.descriptor, inode)
    }

    /// The processes that have a socket that was accepted.
    fn acceptor(
        &mut self,
        tuple: &Tuple,
        socket: &Listed,
        listening: &[Arc<Process>],
        depth: Depth,
    ) -> Owner {
        let inode = socket.inode;
        let listening: Vec<u32> = listening.iter().map(|process| process.pid).collect();
        let young = &mut self.asked.young;
        young.look();
        let young: Vec<u32> = match depth {
            // They were looked at as they began.
            Depth::Forked(_) if young.births().is_some() => Vec::new(),
            Depth::Forked(since) => young.children(since, &listening),
            Depth::Since(since) => young.pids().take_while(|pid| *pid > since).collect(),
            Depth::Likely | Depth::First => young.children(0, &listening),
        };
        let before = self.asked.descriptor(inode);
        let mut found: Vec<Holder> = Vec::new();
        match (depth, before) {
            (Depth::Forked(_), Some(descriptor)) => {
                let mut ask = |pid: &u32| self.asked.holder_as(*pid, descriptor, inode);
                found.extend(listening.iter().chain(&young).filter_map(&mut ask));
                found.extend(self.asked.holder_met(inode));
            }
            (Depth::Since(_), _) => {}
            _ => {
                let likely = self.asked.holder_met(inode);
                let likely = likely.or_else(|| self.asked.holder_seen(inode));
                let likely = likely.or_else(|| self.asked.usual_holder(&listening, inode));
                let likely = likely.or_else(|| self.asked.usual_holder(&young, inode));
                found.extend(likely);
            }
        }
        // To ask for every descriptor takes long, and is of no use once it is closed.
        if found.is_empty() && !self.is_there(&tuple.reversed(), inode) {
            return Owner::unknown(How::Gone, Some(socket.uid));
        }
        let mut ask = |pid: &u32| self.asked.holder(*pid, inode).ok().flatten();
        if found.is_empty() {
            found.extend(listening.iter().filter_map(&mut ask));
            if found.is_empty() || matches!(depth, Depth::Since(_)) {
                found.extend(young.iter().filter_map(&mut ask));
            }
        }
        if let Some(first) = found.first() {
            self.asked.is_usual(first.descriptor);
        }
        // Whoever a child has it from may have it still.
        let mut at = 0;
        while let Some(child) = found.get(at) {
            let parent = child.process.parent;
            let is_there = found.iter().any(|holder| holder.process.pid == parent);
            if !is_there && let Some(parent) = self.parent_too(&found[at], socket.inode) {
                found.push(parent);
            }
            at += 1;
        }
        match (found.is_empty(), depth) {
            (false, _) => self.sort(found, socket),
            (true, Depth::Likely | Depth::Forked(_)) => Owner::unknown(How::Gone, Some(socket.uid)),
            (true, Depth::First | Depth::Since(_)) => self.of_all(socket),
        }
    }

    /// The processes that have a socket, of all that there are.
    fn of_all(&mut self, socket: &Listed) -> Owner {
        let mut found = Vec::new();
        // Whether it may be of somebody whose descriptors may not be seen.
        let mut is_hidden = false;
        for pid in processes::all() {
            match self.asked.holder(pid, socket.inode) {
                Ok(holder) => found.extend(holder),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    let uid = Held::new(pid).and_then(|held| held.uid());
                    is_hidden |= uid.is_ok_and(|uid| uid == socket.uid);
                }
                // It has ended.
                Err(_) => {}
            }
        }
        match found.is_empty() {
            true if is_hidden => Owner::unknown(How::NotPermitted, Some(socket.uid)),
            true => Owner::unknown(How::Gone, Some(socket.uid)),
            false => self.sort(found, socket),
        }
    }

    fn sort(&mut self, found: Vec<Holder>, socket: &Listed) -> Owner {
        let mut found: Vec<Arc<Process>> = found.into_iter().map(|holder| holder.process).collect();
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
}
