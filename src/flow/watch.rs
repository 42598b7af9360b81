//! The opening of a flow while it is not sure what is spoken: the first bytes of both sides, shown to the detectors.

use super::key::Side;
use crate::detect::{Answer, OPENING, Opening, Service, detect};

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
        let before = said.as_mut().and_then(|said| said.service.take());
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
