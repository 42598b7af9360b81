//! A flow while it goes on: everything that is known of it, in as little memory as it takes.

use super::ages::Class;
use super::half::{Half, State};
use super::history::History;
use super::key::{End as KeyEnd, FlowKey, Side};
use super::outcome::{Did, Ends, conn_state, outcome};
use super::record::{End, FlowId, FlowRecord, SideRecord};
use super::turns::Turns;
use super::watch::Watch;
use crate::owners::Owners;
use crate::packet::{Brief, Span, TCP, Timestamp};

/// A flow in the table.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    pub(super) key: FlowKey,
    pub(super) number: u64,
    /// The number of the first packet's frame.
    pub(super) first_frame: u64,
    /// The first packet's time, and the last one's that counts for the duration; nanoseconds.
    pub(super) first: i64,
    pub(super) last: i64,
    /// When it was last heard of, by the table's clock.
    pub(super) active: i64,
    /// When it was closed or reset; the first packet's time until then.
    pub(super) ended: i64,
    pub(super) halves: [Half; 2],
    pub(super) history: History,
    pub(super) handshake: Handshake,
    pub(super) turns: Turns,
    pub(super) watch: Watch,
    /// Which end of the key is the originator.
    pub(super) orig: KeyEnd,
    pub(super) class: Class,
    /// Whether its begin was not seen.
    pub(super) is_partial: bool,
    /// Whether ICMP said that nobody listens.
    pub(super) unreachable: bool,
}

/// How far the measurement of the handshake is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Handshake {
    /// No SYN yet, or something was sent again, so that nobody knows what was answered (Karn's algorithm).
    #[default]
    Unknown,
    /// The first SYN came at this time.
    Syn(i64),
    /// It was answered.
    SynAck(i64),
    /// It took so many nanoseconds.
    Took(i64),
}

impl Tracked {
    /// It begins where another one was [released](Self::release), or none was.
    #[inline]
    pub(super) fn begin(&mut self, key: FlowKey, orig: KeyEnd, number: u64, time: i64) {
        *self = Tracked {
            key,
            orig,
            number,
            first: time,
            last: time,
            active: time,
            ended: time,
            ..Tracked::default()
        };
    }

    /// Who it is that sends from this end of the key.
    #[inline]
    pub(super) fn side(&self, end: KeyEnd) -> Side {
        if end == self.orig {
            Side::Orig
        } else {
            Side::Resp
        }
    }

    /// A side, and the other.
    #[inline]
    pub(super) fn halves(&mut self, side: Side) -> (&mut Half, &mut Half) {
        Half::pair(&mut self.halves, side)
    }

    /// The originator is the responder, and the other way round.
    pub(super) fn flip(&mut self) {
        self.orig = self.orig.other();
        self.halves.swap(0, 1);
        self.history.flip();
        self.turns.flip();
        self.watch.end(self.key.proto());
    }

    /// Which flow it is.
    #[inline]
    pub(super) fn id(&self) -> FlowId {
        FlowId {
            number: self.number,
            key: self.key,
            orig: self.orig,
        }
    }

    /// Counts a packet of a side.
    #[inline]
    pub(super) fn count(&mut self, side: Side, brief: &Brief) {
        let traffic = &mut self.halves[side as usize].traffic;
        traffic.pkts += 1;
        traffic.wire_bytes += u64::from(brief.wire_len);
        traffic.ip_bytes += u64::from(brief.ip_len);
        traffic.payload_bytes += u64::from(brief.payload.len);
    }

    /// How many bytes it holds beside itself.
    pub(super) fn held(&self) -> u64 {
        let waiting = self.halves.iter().map(|half| half.assembler.held());
        waiting.sum::<u64>() + self.watch.held()
    }

    /// How long it is to be waited for.
    #[inline]
    pub(super) fn class_now(&self) -> Class {
        use State::{Closed, Inactive, Partial, Reset};
        if self.key.proto() != TCP {
            return Class::Datagrams;
        }
        match (self.halves[0].state, self.halves[1].state) {
            (Reset, _) | (_, Reset) => Class::Ended,
            (Closed, Closed | Inactive) | (Inactive, Closed) => Class::Ended,
            // It has long been open, whichever side is seen.
            (Partial, _) | (_, Partial) => Class::Open,
            (Inactive, _) | (_, Inactive) => Class::Opening,
            _ => Class::Open,
        }
    }

    /// It was reported: gives back what it holds, and is no flow any more.
    pub(super) fn release(&mut self) {
        // Nobody has this key: who remembers the place does not take it for a flow's.
        self.key = FlowKey::default();
        self.number = 0;
        self.halves.iter_mut().for_each(Half::release);
        self.watch = Watch::default();
        self.turns = Turns::default();
    }

    /// All that is to be said of it, at its end.
    pub(super) fn record(&mut self, end: End) -> FlowRecord {
        let [orig, resp] = &self.halves;
        let proto = self.key.proto();
        let sides = [
            SideRecord::new(orig, resp, proto),
            SideRecord::new(resp, orig, proto),
        ];
        // Packets' times may go back.
        let span = |time: i64| Span(time.saturating_sub(self.first).max(0));
        let did = |half: &Half, side: &SideRecord| Did {
            state: half.state,
            pkts: half.traffic.pkts,
            bytes: side.bytes,
            syn_ack: half.syn_ack,
        };
        let ends = Ends {
            proto,
            orig: did(orig, &sides[0]),
            resp: did(resp, &sides[1]),
            history: self.history.letters(),
            ended_after: span(self.ended),
            lasted: span(self.last),
            unreachable: self.unreachable,
            end,
        };
        let state = conn_state(&ends);
        let outcome = outcome(&ends, state);
        FlowRecord {
            id: self.id(),
            first: Timestamp(self.first),
            first_frame: self.first_frame,
            duration: span(self.last),
            service: self.watch.take_service(proto),
            sides,
            conn_state: state,
            outcome,
            history: std::mem::take(&mut self.history),
            handshake_rtt: match self.handshake {
                Handshake::Took(took) => Some(Span(took)),
                _ => None,
            },
            response_times: self.turns.summary(),
            owners: Owners {
                orig: orig.owner(),
                resp: resp.owner(),
            },
            end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tracked;

    /// Flows may be very many: a million of them are to stay below 600 MB with everything that belongs to them. What most say of their service
    /// stands in them: that is smaller than memory of its own for each.
    #[test]
    fn flows_are_small() {
        assert!(size_of::<Tracked>() <= 440, "{}", size_of::<Tracked>());
    }
}
