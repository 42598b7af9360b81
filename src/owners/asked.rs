//! Processes that are asked what sockets they have, and what is learnt of them on the way.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::errands::Errands;
use super::young::Young;
use crate::host::births::{Birth, Births};
use crate::host::processes::{Held, Identity, Process};

/// What is known of processes that were asked.
#[derive(Debug)]
pub(super) struct Asked {
    /// Processes that have begun lately.
    pub(super) young: Young,
    /// Descriptions by number; another start or another name is another process, or another program.
    known: HashMap<u32, Arc<Process>>,
    /// Who had a socket when asked for another, and as which descriptor.
    seen: HashMap<u32, (u32, u32)>,
    /// As which descriptor sockets that were found are known.
    descriptors: HashMap<u32, u32>,
    /// As which the last one was: those of one kind mostly have theirs as the same.
    usual: u32,
    /// Who was met last.
    met: Vec<Met>,
    /// Processes that were looked at as they began, the last one first.
    newborn: VecDeque<Newborn>,
    pub(super) errands: Errands,
}

/// A process that was looked at as it began.
#[derive(Debug)]
struct Newborn {
    process: Arc<Process>,
    /// What sockets it had, and as which descriptors.
    sockets: Vec<(u32, u32)>,
}

/// A process that has a socket, and may end before it is described.
#[derive(Debug)]
struct Met {
    held: Held,
    identity: Identity,
    descriptor: u32,
    inode: u32,
}

impl Met {
    /// A process that was just seen to have a socket as this descriptor.
    fn new(held: Held, descriptor: u32, inode: u32) -> io::Result<Met> {
        Ok(Met {
            identity: held.identity()?,
            held,
            descriptor,
            inode,
        })
    }
}

/// A process that has a socket.
pub(super) struct Holder {
    pub(super) process: Arc<Process>,
    /// As which descriptor.
    pub(super) descriptor: u32,
}

/// The first descriptor behind the standard ones.
const USUAL: u32 = 3;
/// So many sockets of others are remembered.
const SEEN: usize = 4096;
/// A process with more sockets than this is not looked at further than need be.
const FEW: usize = 16;
/// So many processes are remembered as they began.
const NEWBORN: usize = 64;
/// So many descriptions are remembered.
const KNOWN: usize = 4096;

impl Asked {
    pub(super) fn new(errands: Errands, births: Option<Births>) -> Asked {
        Asked {
            young: Young::new(births),
            known: HashMap::new(),
            seen: HashMap::new(),
            descriptors: HashMap::new(),
            usual: USUAL,
            met: Vec::new(),
            newborn: VecDeque::new(),
            errands,
        }
    }

    /// A process, if it has the socket with this inode.
    ///
    /// # Errors
    /// It has ended, or its descriptors may not be seen.
    pub(super) fn holder(&mut self, pid: u32, inode: u32) -> io::Result<Option<Holder>> {
        let held = Held::new(pid).inspect_err(|_| self.young.forget(pid))?;
        self.young.is_asked(pid);
        let (mut found, mut count) = (None, 0);
        self.make_room();
        held.each_socket(|descriptor, other| {
            count += 1;
            if other == inode {
                found = found.or(Some(descriptor));
            } else if count <= FEW {
                self.seen.insert(other, (pid, descriptor));
            }
            // Of a client the others are soon of interest; of a server there may be too many.
            match found.is_some() && count > FEW {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        let Some(descriptor) = found else {
            return Ok(None);
        };
        let met = Met::new(held, descriptor, inode)?;
        Ok(Some(self.holder_of(met)))
    }

    /// The first of these processes that has the socket as the usual descriptor.
    pub(super) fn usual_holder(&mut self, pids: &[u32], inode: u32) -> Option<Holder> {
        self.make_room();
        let met = pids.iter().find_map(|&pid| self.usually(pid, &[inode]));
        met.map(|met| self.holder_of(met))
    }

    /// Looks which of these processes has any of these sockets as the usual descriptor, before more is asked of anybody: the others might
    /// end meanwhile.
    pub(super) fn meet(&mut self, pids: &[u32], inodes: impl Iterator<Item = u32>) {
        self.make_room();
        self.met.clear();
        let inodes: Vec<u32> = inodes.filter(|inode| *inode != 0).collect();
        for &pid in pids {
            if self.met.len() == inodes.len() {
                break;
            }
            let met = self.usually(pid, &inodes);
            self.met.extend(met);
        }
    }

    /// A process, if it has one of these sockets as the usual descriptor. Another that it has there is remembered.
    fn usually(&mut self, pid: u32, inodes: &[u32]) -> Option<Met> {
        let descriptor = self.usual;
        let Ok(held) = Held::new(pid) else {
            self.young.forget(pid);
            return None;
        };
        let inode = held.socket_at(descriptor)?;
        if !inodes.contains(&inode) {
            self.seen.insert(inode, (pid, descriptor));
            self.young.is_asked(pid);
            return None;
        }
        Met::new(held, descriptor, inode).ok()
    }

    /// Looks what sockets a process has that has just begun; false if it has ended, or has none.
    pub(super) fn look_at_newborn(&mut self, birth: &Birth) -> bool {
        let Ok(held) = Held::new(birth.pid) else {
            return false;
        };
        let usual = self.usual;
        let mut sockets: Vec<(u32, u32)> = Vec::new();
        sockets.extend(held.socket_at(usual).map(|inode| (usual, inode)));
        if sockets.is_empty() {
            // It is not known yet which is the usual one, or there is none.
            let _ = held.each_socket(|descriptor, inode| {
                sockets.push((descriptor, inode));
                match sockets.len() < FEW {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            });
        }
        let Ok(identity) = held.identity() else {
            return false;
        };
        if sockets.is_empty() || identity.parent != birth.parent {
            return false;
        }
        let process = self.describe(held, identity);
        self.newborn.push_front(Newborn { process, sockets });
        self.newborn.truncate(NEWBORN);
        true
    }

    /// Who was met with this socket, or had it as he began.
    pub(super) fn holder_met(&mut self, inode: u32) -> Option<Holder> {
        if let Some(at) = self.met.iter().position(|met| met.inode == inode) {
            let met = self.met.swap_remove(at);
            return Some(self.holder_of(met));
        }
        let (process, descriptor) = self.newborn.iter_mut().find_map(|newborn| {
            let mut sockets = newborn.sockets.iter();
            let at = sockets.position(|(_, other)| *other == inode)?;
            // Whether it has it still is to be asked from then on.
            let (descriptor, _) = newborn.sockets.swap_remove(at);
            Some((Arc::clone(&newborn.process), descriptor))
        })?;
        self.descriptors.insert(inode, descriptor);
        Some(Holder {
            process,
            descriptor,
        })
    }

    fn make_room(&mut self) {
        if self.seen.len() > SEEN {
            self.seen.clear();
        }
        if self.descriptors.len() > SEEN {
            self.descriptors.clear();
        }
    }

    /// A process, if it has the socket as this descriptor: whoever has it from another has it as the same. That takes one question, and not
    /// one for each descriptor.
    pub(super) fn holder_as(&mut self, pid: u32, descriptor: u32, inode: u32) -> Option<Holder> {
        let held = Held::new(pid).ok()?;
        if held.socket_at(descriptor)? != inode {
            return None;
        }
        let met = Met::new(held, descriptor, inode).ok()?;
        Some(self.holder_of(met))
    }

    /// Whoever was asked for has what he has as this descriptor, and others of his kind may.
    pub(super) fn is_usual(&mut self, descriptor: u32) {
        self.usual = descriptor;
    }

    /// As which descriptor somebody had the socket who was found.
    pub(super) fn descriptor(&self, inode: u32) -> Option<u32> {
        self.descriptors.get(&inode).copied()
    }

    fn holder_of(&mut self, met: Met) -> Holder {
        self.descriptors.insert(met.inode, met.descriptor);
        Holder {
            process: self.describe(met.held, met.identity),
            descriptor: met.descriptor,
        }
    }

    /// A process that had the socket when it was asked for another, if it has it still.
    pub(super) fn holder_seen(&mut self, inode: u32) -> Option<Holder> {
        let (pid, descriptor) = self.seen.remove(&inode)?;
        self.holder_as(pid, descriptor, inode)
    }

    fn describe(&mut self, held: Held, identity: Identity) -> Arc<Process> {
        if let Some(known) = self.known.get(&identity.pid)
            && known.start_time == identity.start_time
            && known.comm == identity.comm
        {
            return Arc::clone(known);
        }
        let process = Arc::new(held.describe_later(identity));
        self.errands.describe(&process);
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        self.known.insert(process.pid, Arc::clone(&process));
        process
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::process::{Command, Stdio};

    fn socket() -> (UdpSocket, u32) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let inode = rustix::fs::fstat(&socket).expect("its inode").st_ino;
        (socket, inode as u32)
    }

    fn errands() -> Errands {
        let stop = crate::source::Stop::new().expect("a pipe");
        Errands::start(stop).expect("a thread").0
    }

    #[test]
    fn whoever_has_a_socket_has_it_as_a_descriptor() {
        let ((socket, inode), (_other, others)) = (socket(), socket());
        let own = std::process::id();
        let mut asked = Asked::new(errands(), None);
        let found = asked.holder(own, inode).expect("an answer");
        let found = found.expect("this process");
        assert_eq!(found.process.pid, own);
        assert_eq!(found.descriptor, socket.as_raw_fd() as u32);
        assert_eq!(asked.descriptor(inode), Some(found.descriptor));
        asked.is_usual(found.descriptor);
        assert!(asked.usual_holder(&[own], inode).is_some());
        assert!(asked.holder_as(own, found.descriptor, inode).is_some());
        assert!(asked.holder_as(own, found.descriptor, others).is_none());
        // It was seen on the way, if there were not too many.
        let seen = asked.holder_seen(others);
        assert!(seen.is_none_or(|seen| seen.process.pid == own));
        drop(socket);
        assert!(asked.holder_as(own, found.descriptor, inode).is_none());
    }

    #[test]
    fn who_was_met_and_has_ended_is_known() {
        let (socket, inode) = socket();
        let input = Stdio::from(OwnedFd::from(socket));
        let child = Command::new("sleep").arg("60").stdin(input).spawn();
        let mut child = child.expect("sleep");
        let (mut asked, own) = (Asked::new(errands(), None), std::process::id());
        assert!(asked.young.children(0, &[own]).contains(&child.id()));
        assert!(asked.young.new_children(&[own]).contains(&child.id()));
        asked.usual = 0;
        asked.meet(&[child.id()], [inode, 0].into_iter());
        child.kill().expect("it is there");
        child.wait().expect("it ended");
        let met = asked.holder_met(inode).expect("it was met");
        assert_eq!((met.process.pid, met.process.parent), (child.id(), own));
        assert_eq!(met.process.name(), "sleep");
        assert!(asked.holder_met(inode).is_none());
    }
}
