//! The opening of a flow while it is not sure what is spoken: the first bytes of both sides, shown to the detectors.

use super::key::Side;
use crate::detect::{Answer, OPENING, Opening, Service, detect};

/// How far it is known what is spoken.
#[derive(Debug, Clone, Default)]
pub(super) enum Watch {
    /// Nobody said anything yet.
    #[default]
    Silent,
    /// A side said this, and nobody has looked at it: the answer mostly comes next, and both together say it all.
    First(Side, Box<[u8]>),
    /// More was said, and it is not sure.
    Open(Box<Said>),
    /// Nothing more will be found out.
    Over(Option<Service>),
}

/// What was said so far, and what it seems to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// The originator's bytes, and behind them the responder's.
    bytes: Vec<u8>,
    /// How many of them are the originator's.
    orig: u16,
    service: Option<Service>,
    /// How often the detectors were asked.
    asked: u8,
}

/// The detectors are asked at most so often: who says one byte at a time is not worth more.
const MOST_ASKED: u8 = 24;

impl Watch {
    /// What is spoken, as far as is known; nobody listens any more.
    pub(super) fn take_service(&mut self, proto: u8) -> Option<Service> {
        self.end(proto);
        match self {
            Watch::Over(service) => service.take(),
            _ => None,
        }
    }

    /// Asks for the memory of what was found out.
    #[inline]
    pub(super) fn ask_for(&self) {
        if let Watch::Over(Some(service)) = self {
            service.facts.ask_for();
        }
    }

    /// Whether nothing more will be found out.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Watch::Over(_))
    }

    /// How many bytes are kept to be looked at again.
    #[inline]
    pub(super) fn held(&self) -> u64 {
        match self {
            Watch::First(_, bytes) => bytes.len() as u64,
            Watch::Open(said) => said.bytes.len() as u64,
            Watch::Silent | Watch::Over(_) => 0,
        }
    }

    /// A side said this, `offset` bytes from its begin.
    #[inline]
    pub(super) fn heard(&mut self, proto: u8, side: Side, offset: u64, bytes: &[u8]) {
        if self.is_over() || offset >= OPENING as u64 || bytes.is_empty() {
            return;
        }
        match self {
            Watch::Silent if offset == 0 && bytes.len() < OPENING => {
                *self = Watch::First(side, bytes.into());
            }
            // A side's first segment mostly says it all.
            Watch::First(first, before) if *first != side && offset == 0 => {
                match detect(proto, &opening(side, front(bytes, OPENING), before)) {
                    Answer::Final(Some(service)) => *self = Watch::Over(Some(service)),
                    answer => self.look_at(answer, proto, side, bytes),
                }
            }
            _ => self.look(proto, side, offset, bytes),
        }
    }

    /// What the detectors say of both sides' first segments, if that is not all.
    fn look_at(&mut self, answer: Answer, proto: u8, side: Side, bytes: &[u8]) {
        if let Watch::First(first, before) = std::mem::take(self) {
            self.go_on(Said::first(first, before), answer, proto, (side, bytes));
        }
    }

    fn look(&mut self, proto: u8, side: Side, offset: u64, bytes: &[u8]) {
        let mut said = match std::mem::take(self) {
            Watch::Silent => Said::default(),
            Watch::First(first, bytes) => Said::first(first, bytes),
            Watch::Open(said) => *said,
            Watch::Over(service) => {
                *self = Watch::Over(service);
                return;
            }
        };
        if said.asked == 0 && said.len(side) > 0 {
            // There was no answer.
            match said.ask(proto) {
                Answer::Final(service) => {
                    *self = Watch::Over(service);
                    return;
                }
                Answer::Open(service) => {
                    said.service = service;
                    said.asked = 1;
                }
            }
        }
        let known = said.len(side);
        if known as u64 != offset || said.asked == MOST_ASKED {
            // Something is missing before it.
            *self = Watch::Over(said.conclude(proto));
            return;
        }
        if known > 0 {
            said.add(side, bytes);
            let answer = said.ask(proto);
            return self.go_on(said, answer, proto, (side, &[]));
        }
        let answer = detect(proto, &opening(side, front(bytes, OPENING), &said.bytes));
        self.go_on(said, answer, proto, (side, bytes));
    }

    /// Goes on with what the detectors say of what was said and these bytes: only of what is not sure they are kept.
    fn go_on(&mut self, mut said: Said, answer: Answer, proto: u8, (side, bytes): (Side, &[u8])) {
        let before = match answer.service() {
            // Where both make no sense together, what was said first may alone.
            None => said.conclude(proto),
            Some(_) => None,
        };
        *self = match answer {
            Answer::Final(service) => Watch::Over(service.or(before)),
            Answer::Open(service) => {
                said.add(side, bytes);
                said.service = service.or(before);
                said.asked += 1;
                Watch::Open(Box::new(said))
            }
        };
    }

    /// A datagram: each side's first one counts.
    pub(super) fn heard_datagram(&mut self, proto: u8, side: Side, bytes: &[u8]) {
        let is_first = match self {
            Watch::Silent => true,
            Watch::First(first, _) => *first != side,
            Watch::Open(said) => said.len(side) == 0,
            Watch::Over(_) => false,
        };
        if is_first {
            self.heard(proto, side, 0, bytes);
        }
    }

    /// Nothing more will be said in order.
    #[inline]
    pub(super) fn end(&mut self, proto: u8) {
        if matches!(self, Watch::First(..) | Watch::Open(_)) {
            self.conclude(proto);
        }
    }

    #[cold]
    fn conclude(&mut self, proto: u8) {
        *self = match std::mem::take(self) {
            Watch::First(side, bytes) => Watch::Over(Said::first(side, bytes).conclude(proto)),
            Watch::Open(mut said) => Watch::Over(said.conclude(proto)),
            other => other,
        };
    }
}

impl Said {
    /// What a side said first.
    fn first(side: Side, bytes: Box<[u8]>) -> Said {
        let orig = match side {
            Side::Orig => bytes.len() as u16,
            Side::Resp => 0,
        };
        let bytes = bytes.into_vec();
        Said {
            bytes,
            orig,
            ..Said::default()
        }
    }

    /// What it is, if nothing more is said.
    fn conclude(&mut self, proto: u8) -> Option<Service> {
        match self.asked {
            0 if self.bytes.is_empty() => None,
            0 => self.ask(proto).into_service(),
            _ => self.service.take(),
        }
    }

    /// What the detectors say of it.
    fn ask(&self, proto: u8) -> Answer {
        let (orig, resp) = self.bytes.split_at(usize::from(self.orig));
        detect(proto, &Opening { orig, resp })
    }

    fn len(&self, side: Side) -> usize {
        match side {
            Side::Orig => usize::from(self.orig),
            Side::Resp => self.bytes.len() - usize::from(self.orig),
        }
    }

    /// Adds what a side says, up to the most that is looked at.
    fn add(&mut self, side: Side, bytes: &[u8]) {
        let bytes = front(bytes, OPENING - self.len(side));
        self.bytes.reserve_exact(bytes.len());
        match side {
            Side::Resp => self.bytes.extend_from_slice(bytes),
            Side::Orig => {
                let end = usize::from(self.orig);
                self.bytes.splice(end..end, bytes.iter().copied());
                self.orig += bytes.len() as u16;
            }
        }
    }
}

fn opening<'a>(side: Side, own: &'a [u8], other: &'a [u8]) -> Opening<'a> {
    let (orig, resp) = match side {
        Side::Orig => (own, other),
        Side::Resp => (other, own),
    };
    Opening { orig, resp }
}

fn front(bytes: &[u8], most: usize) -> &[u8] {
    bytes.get(..most).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::TCP;

    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

    /// What is spoken where this is said, one after the other.
    fn service(said: &[(Side, &[u8])]) -> Option<&'static str> {
        let (mut watch, mut known) = (Watch::default(), [0; 2]);
        for (side, bytes) in said {
            watch.heard(TCP, *side, known[*side as usize], bytes);
            known[*side as usize] += bytes.len() as u64;
        }
        watch.take_service(TCP).map(|service| service.name)
    }

    #[test]
    fn who_is_not_answered_is_understood_all_the_same() {
        assert_eq!(service(&[(Side::Orig, PING)]), Some("redis"));
        let (begin, rest) = PING.split_at(9);
        let in_pieces = [(Side::Orig, begin), (Side::Orig, rest)];
        assert_eq!(service(&in_pieces), Some("redis"));
        assert_eq!(service(&[]), None);
    }

    #[test]
    fn an_answer_that_makes_no_sense_hides_nothing() {
        let refused: &[u8] = b"\x16\x03\x01 what?";
        for answer in [b"+PONG\r\n", refused] {
            let said = [(Side::Orig, PING), (Side::Resp, answer)];
            assert_eq!(service(&said), Some("redis"), "{answer:?}");
        }
    }
}
