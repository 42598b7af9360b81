//! The opening of a flow while it is not sure what is spoken: the first bytes of both sides, shown to the detectors.

use super::key::Side;
use crate::detect::{Answer, OPENING, Opening, Service, detect};
use crate::memory::prefetch;

/// How far it is known what is spoken.
#[derive(Debug, Clone, Default)]
pub(super) enum Watch {
    /// Nobody said anything yet.
    #[default]
    Silent,
    /// Something was said.
    Open(Box<Said>),
    /// Nothing more will be found out.
    Over(Option<Box<Service>>),
}

/// What was said so far, and what it seems to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// The originator's bytes, and behind them the responder's.
    bytes: Vec<u8>,
    /// How many of them are the originator's.
    orig: u16,
    service: Option<Box<Service>>,
    /// How often the detectors were asked.
    asked: u8,
}

/// The detectors are asked at most so often: who says one byte at a time is not worth more.
const MOST_ASKED: u8 = 24;

impl Watch {
    /// What is spoken, as far as is known; nobody listens any more.
    pub(super) fn take_service(&mut self, proto: u8) -> Option<Service> {
        self.end(proto);
        let Watch::Over(service) = self else {
            return None;
        };
        service.take().map(|service| *service)
    }

    /// Asks for the memory of what was found out.
    #[inline]
    pub(super) fn ask_for(&self) {
        match self {
            Watch::Over(Some(service)) => prefetch(&**service),
            Watch::Open(said) => prefetch(&**said),
            Watch::Silent | Watch::Over(None) => {}
        }
    }

    /// Whether nothing more will be found out.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Watch::Over(_))
    }

    /// How many bytes are kept to be looked at again.
    pub(super) fn held(&self) -> u64 {
        match self {
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
        self.look(proto, side, offset, bytes);
    }

    fn look(&mut self, proto: u8, side: Side, offset: u64, bytes: &[u8]) {
        let mut said = match std::mem::take(self) {
            Watch::Silent => None,
            Watch::Open(said) => Some(said),
            Watch::Over(service) => {
                *self = Watch::Over(service);
                return;
            }
        };
        if let Some(said) = said.as_mut().filter(|said| said.is_unanswered(side)) {
            match said.ask(proto) {
                Answer::Final(service) => {
                    *self = Watch::Over(service.map(Box::new));
                    return;
                }
                Answer::Open(service) => {
                    said.service = service.map(Box::new);
                    said.asked = 1;
                }
            }
        }
        let (known, asked) = said
            .as_ref()
            .map_or((0, 0), |said| (said.len(side), said.asked));
        if known as u64 != offset || asked == MOST_ASKED {
            // Something is missing before it.
            *self = said.map_or(Watch::Over(None), Watch::Open);
            return self.end(proto);
        }
        // The other side's answer mostly comes next, and both together say it all: to look twice is not worth it.
        if said.is_none() && bytes.len() < OPENING {
            let mut said = Box::<Said>::default();
            said.add(side, bytes);
            *self = Watch::Open(said);
            return;
        }
        // A side's first segment mostly says it all: only what is not sure then is kept.
        let answer = if known == 0 {
            let other = said.as_ref().map_or(&[][..], |said| &said.bytes);
            detect(proto, &opening(side, first(bytes, OPENING), other))
        } else {
            let said = said.get_or_insert_default();
            said.add(side, bytes);
            said.ask(proto)
        };
        let before = said.as_mut().and_then(|said| match said.asked {
            // Where both make no sense together, what was said first may alone.
            0 if answer.service().is_none() => said.ask(proto).into_service().map(Box::new),
            _ => said.service.take(),
        });
        *self = match answer {
            Answer::Final(service) => Watch::Over(service.map(Box::new).or(before)),
            Answer::Open(service) => {
                let mut said = said.unwrap_or_default();
                if known == 0 {
                    said.add(side, bytes);
                }
                said.service = service.map(Box::new).or(before);
                said.asked += 1;
                Watch::Open(said)
            }
        };
    }

    /// A datagram: each side's first one counts.
    pub(super) fn heard_datagram(&mut self, proto: u8, side: Side, bytes: &[u8]) {
        let is_first = match self {
            Watch::Silent => true,
            Watch::Open(said) => said.len(side) == 0,
            Watch::Over(_) => false,
        };
        if is_first {
            self.heard(proto, side, 0, bytes);
        }
    }

    /// Nothing more will be said in order.
    pub(super) fn end(&mut self, proto: u8) {
        let Watch::Open(said) = self else { return };
        let service = match said.asked {
            0 => said.ask(proto).into_service().map(Box::new),
            _ => said.service.take(),
        };
        *self = Watch::Over(service);
    }
}

impl Said {
    /// Whether it is all that this side said so far, and was not looked at because an answer was to come.
    fn is_unanswered(&self, side: Side) -> bool {
        self.asked == 0 && self.len(side) > 0
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
        let bytes = first(bytes, OPENING - self.len(side));
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

fn first(bytes: &[u8], most: usize) -> &[u8] {
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
