//! IP fragments put together (RFC 791 section 3.2, RFC 8200 section 4.5), within bounds of bytes and time.
//!
//! A datagram is given once it is whole. What two fragments both claim is the first one's (RFC 5722 would drop the datagram; here
//! it is wanted to be seen). What stays incomplete is dropped and counted.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::pieces::stretch;
use crate::decode;
use crate::packet::{Body, Brief, Fragment, Packet, Payload};

/// Datagrams of which fragments came and others are missing.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    waiting: HashMap<Id, Datagram>,
    /// What they hold, with what each costs beside.
    bytes: usize,
    /// When the oldest of them began, at the earliest.
    oldest: i64,
    /// How many were given up.
    pub(super) incomplete: u64,
}

/// What belongs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Id {
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    id: u32,
}

#[derive(Debug, Default)]
struct Datagram {
    began: i64,
    /// By offset; they do not overlap.
    parts: BTreeMap<u32, Box<[u8]>>,
    /// The whole length, once the last fragment came.
    len: Option<u32>,
    /// Whether a fragment was cut by the snap length or is impossible: it will never be whole.
    hopeless: bool,
    covered: u32,
    /// Bytes of all fragments' frames, and of the header of one.
    wire_len: u32,
    header_len: u32,
}

/// A datagram that is complete.
pub(super) struct Whole {
    id: Id,
    contents: Vec<u8>,
    wire_len: u32,
    header_len: u32,
    began: i64,
}

impl Whole {
    /// What it carries.
    pub(super) fn body(&self) -> Body<'_> {
        let Id {
            src, dst, proto, ..
        } = self.id;
        let payload = Payload {
            bytes: &self.contents,
            len: self.contents.len() as u32,
        };
        decode::contents(src, dst, proto, payload)
    }

    /// When its first fragment came, in nanoseconds.
    pub(super) fn began(&self) -> i64 {
        self.began
    }

    /// Its sizes instead of its last fragment's: all frames, one header.
    pub(super) fn sizes<'a>(&self, brief: Brief<'a>) -> Brief<'a> {
        Brief {
            wire_len: self.wire_len,
            ip_len: self.header_len + self.contents.len() as u32,
            ..brief
        }
    }
}

/// The most that all datagrams together may hold, in bytes.
const MOST_BYTES: usize = 8 << 20;
/// Length of an IPv6 fragment header, in bytes.
const FRAGMENT_HEADER: u32 = 8;
/// What a datagram and each of its fragments cost beside their bytes.
const OVERHEAD: usize = 128;
/// How long a datagram waits for its other fragments, in nanoseconds (ipfrag_time of ip-sysctl).
const PATIENCE: i64 = 30_000_000_000;
/// No datagram is longer (RFC 791: 65535 bytes with its header).
const LONGEST: u32 = 65_535;

impl Fragments {
    /// Takes a fragment; the whole datagram, if this was the last that was missing.
    pub(super) fn add(&mut self, packet: &Packet, now: i64) -> Option<Whole> {
        let (fragment, (src, dst)) = (packet.fragment?, packet.addresses()?);
        let (proto, payload) = decode::fragment_contents(packet)?;
        let id = Id {
            src,
            dst,
            proto,
            id: fragment.id,
        };
        // The header that says what fragment it is would not be there without fragments (RFC 8200 section 4.5).
        let own = if src.is_ipv6() { FRAGMENT_HEADER } else { 0 };
        let header_len = packet.ip_len().saturating_sub(payload.len + own);
        let sizes = (packet.frame.plausible_len(), header_len);
        self.add_part(id, fragment, payload, sizes, now)
    }

    fn add_part(
        &mut self,
        id: Id,
        fragment: Fragment,
        payload: Payload,
        (wire_len, header_len): (u32, u32),
        now: i64,
    ) -> Option<Whole> {
        if now.saturating_sub(self.oldest) > PATIENCE {
            self.forget_old(now);
        }
        let end = fragment.offset.saturating_add(payload.len);
        if self.waiting.is_empty() {
            self.oldest = now;
        }
        let mut before = 0;
        let entry = self.waiting.entry(id);
        let datagram = entry
            .and_modify(|datagram| before = datagram.size())
            .or_insert_with(|| Datagram {
                began: now,
                ..Datagram::default()
            });
        datagram.hopeless |= end > LONGEST || payload.bytes.len() as u32 != payload.len;
        if datagram.hopeless {
            datagram.parts.clear();
            datagram.covered = 0;
        } else {
            datagram.add(fragment.offset, payload.bytes);
        }
        datagram.wire_len = datagram.wire_len.saturating_add(wire_len);
        datagram.header_len = header_len;
        if !fragment.more {
            datagram.len = Some(end);
        }
        self.bytes = self.bytes - before + datagram.size();
        if datagram.is_whole() {
            let whole = self.take(&id)?;
            return Some(Whole {
                id,
                wire_len: whole.wire_len,
                began: whole.began,
                header_len: whole.header_len,
                contents: whole.contents(),
            });
        }
        if self.bytes > MOST_BYTES {
            self.make_room();
        }
        None
    }

    /// The capture is over.
    pub(super) fn give_up_all(&mut self) {
        self.incomplete += self.waiting.len() as u64;
        self.waiting.clear();
        self.bytes = 0;
    }

    fn take(&mut self, id: &Id) -> Option<Datagram> {
        let datagram = self.waiting.remove(id)?;
        self.bytes -= datagram.size();
        Some(datagram)
    }

    fn give_up(&mut self, id: &Id) {
        if self.take(id).is_some() {
            self.incomplete += 1;
        }
    }

    fn forget_old(&mut self, now: i64) {
        let is_old = |datagram: &Datagram| now.saturating_sub(datagram.began) > PATIENCE;
        let old = self.waiting.iter().filter(|(_, datagram)| is_old(datagram));
        let old: Vec<Id> = old.map(|(id, _)| *id).collect();
        old.iter().for_each(|id| self.give_up(id));
        let began = self.waiting.values().map(|datagram| datagram.began);
        self.oldest = began.min().unwrap_or(now);
    }

    /// Gives up the older half.
    fn make_room(&mut self) {
        let mut all: Vec<(i64, Id)> = self
            .waiting
            .iter()
            .map(|(id, datagram)| (datagram.began, *id))
            .collect();
        all.sort_unstable();
        let half = all.len().div_ceil(2);
        all.iter().take(half).for_each(|(_, id)| self.give_up(id));
    }
}

impl Datagram {
    fn size(&self) -> usize {
        self.covered as usize + (self.parts.len() + 1) * OVERHEAD
    }

    /// Whether nothing is missing before the end.
    fn is_whole(&self) -> bool {
        let Some(len) = self
            .len
            .filter(|&len| self.covered >= len && !self.hopeless)
        else {
            return false;
        };
        let mut reached = 0;
        while reached < len {
            let (is_there, until) = self.stretch(reached, len);
            if !is_there {
                return false;
            }
            reached = until;
        }
        true
    }

    fn stretch(&self, at: u32, end: u32) -> (bool, u32) {
        stretch(&self.parts, |part| part.len() as u32, at, end)
    }

    /// Adds those bytes that no fragment had yet.
    fn add(&mut self, offset: u32, bytes: &[u8]) {
        let end = offset + bytes.len() as u32;
        let mut at = offset;
        while at < end {
            let (is_there, until) = self.stretch(at, end);
            if !is_there {
                let fresh = bytes.get((at - offset) as usize..(until - offset) as usize);
                let fresh = fresh.unwrap_or_default();
                self.covered += fresh.len() as u32;
                self.parts.insert(at, fresh.into());
            }
            at = until;
        }
    }

    fn contents(self) -> Vec<u8> {
        let len = self.len.unwrap_or(self.covered) as usize;
        let mut contents: Vec<u8> = self.parts.into_values().flatten().collect();
        contents.truncate(len);
        contents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: u32) -> Id {
        let localhost = std::net::Ipv4Addr::LOCALHOST.into();
        Id {
            src: localhost,
            dst: localhost,
            proto: 17,
            id,
        }
    }

    fn add(
        fragments: &mut Fragments,
        n: u32,
        offset: u32,
        bytes: &[u8],
        more: bool,
    ) -> Option<Vec<u8>> {
        let fragment = Fragment {
            id: n,
            offset,
            more,
        };
        let len = bytes.len() as u32;
        let whole = fragments.add_part(id(n), fragment, Payload { bytes, len }, (60, 20), 0)?;
        assert_eq!((whole.wire_len % 60, whole.header_len), (0, 20));
        Some(whole.contents)
    }

    #[test]
    fn in_any_order_and_the_first_copy() {
        let mut fragments = Fragments::default();
        assert_eq!(add(&mut fragments, 1, 16, b"last", false), None);
        assert_eq!(add(&mut fragments, 2, 0, b"other...", true), None);
        assert_eq!(add(&mut fragments, 1, 8, b"middle..", true), None);
        // Overlaps what is there on its right.
        let whole = add(&mut fragments, 1, 0, b"begin...MIDDLE", true);
        assert_eq!(whole.as_deref(), Some(&b"begin...middle..last"[..]));
        assert_eq!((fragments.waiting.len(), fragments.incomplete), (1, 0));
    }

    #[test]
    fn what_stays_incomplete_is_given_up_and_counted() {
        let mut fragments = Fragments::default();
        let large = vec![0; 60_000];
        for n in 0..1000 {
            assert_eq!(add(&mut fragments, n, 8, &large[..5000], true), None);
        }
        assert!(fragments.bytes <= MOST_BYTES);
        let late = Fragment {
            id: 9,
            offset: 0,
            more: true,
        };
        let payload = Payload {
            bytes: b"late....",
            len: 8,
        };
        fragments.add_part(id(5000), late, payload, (60, 20), PATIENCE + 1);
        assert_eq!(fragments.waiting.len(), 1);
        assert_eq!(fragments.incomplete, 1000);
        let cut = Payload {
            bytes: b"cut",
            len: 8,
        };
        assert!(
            fragments
                .add_part(id(5000), late, cut, (60, 20), PATIENCE + 1)
                .is_none()
        );
        fragments.give_up_all();
        assert_eq!((fragments.incomplete, fragments.bytes), (1001, 0));
    }

    #[test]
    fn an_impossible_length_is_refused() {
        let mut fragments = Fragments::default();
        assert_eq!(add(&mut fragments, 1, 65_528, b"too much", false), None);
        fragments.give_up_all();
        assert_eq!(fragments.incomplete, 1);
    }
}
