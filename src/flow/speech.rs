//! What a packet's contents do to its flow, and what comes out of its streams, as events.

use std::cell::Cell;

use super::assembler::{Delivery, Keep, Rules};
use super::key::Side;
use super::tcp::{self, Streams};
use super::tracked::Tracked;
use super::watch::Watch;
use super::{Cause, Emit, FlowEvent, FlowId, Settings, Wanted, What};
use crate::detect::OPENING;
use crate::packet::{Brief, Flags, Payload, Tcp, Timestamp, UDP};

/// What is wanted of streams, and what may be held for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    streams: Wanted,
    rules: Rules,
}

impl Settings {
    /// The bounds for a flow while all flows together hold this many bytes.
    #[inline]
    pub(super) fn bounds(&self, held: u64) -> Bounds {
        let is_full = held > self.max_held;
        Bounds {
            streams: self.streams,
            rules: Rules {
                keep: match self.streams {
                    Wanted::No => Keep::Opening(OPENING as u64),
                    Wanted::Yes => Keep::Streams,
                    Wanted::Compared => Keep::Repeats,
                },
                most: if is_full { 0 } else { self.max_waiting },
            },
        }
    }
}

/// Takes a usual segment, as [`hear`] does; none if it is no such, and nothing was done.
#[inline(always)]
pub(super) fn take_usual(
    flow: &mut Tracked,
    side: Side,
    brief: &Brief,
    time: i64,
    (settings, held): (&Settings, u64),
    emit: Emit,
) -> Option<i64> {
    let (tcp, payload) = (brief.tcp.as_ref()?, brief.payload);
    if settings.streams == Wanted::Compared {
        return None;
    }
    if tcp.flags.has(Flags::SYN) {
        let taken = tcp::usual_opening(flow, side, tcp, payload.len, time);
        return taken.then_some(0);
    }
    let offset = tcp::usual_segment(flow, side, tcp, payload.len, time)?;
    let mut more = 0;
    if payload.len > 0 {
        if !flow.watch.is_over() {
            more = watch_next(flow, side, offset, payload, settings.bounds(held));
        }
        if settings.streams == Wanted::Yes {
            tell_next(flow, side, offset, payload, time, emit);
        }
    }
    Some(more)
}

/// Looks at the next bytes of a stream; returns how many bytes more the flow holds then.
#[inline(always)]
fn watch_next(
    flow: &mut Tracked,
    side: Side,
    offset: u64,
    payload: Payload,
    bounds: Bounds,
) -> i64 {
    let (before, proto) = (flow.watch.held(), flow.key.proto());
    flow.watch.heard(proto, side, offset, payload.bytes);
    if bounds.rules.most == 0 {
        flow.watch.end(proto);
    }
    flow.watch.held() as i64 - before as i64
}

/// Takes what a packet from `side` says, which was counted already; returns how many bytes more the flow holds then.
#[inline(never)]
pub(super) fn hear(
    flow: &mut Tracked,
    side: Side,
    brief: &Brief,
    time: i64,
    bounds: Bounds,
    emit: Emit,
) -> i64 {
    let (before, payload) = (flow.held(), brief.payload);
    match &brief.tcp {
        Some(tcp) => segment(flow, side, tcp, payload, time, bounds, emit),
        None if brief.proto == UDP => datagram(flow, side, payload, time, bounds, emit),
        None => flow.last = time,
    }
    if bounds.rules.most == 0 {
        flow.watch.end(brief.proto);
    }
    flow.held() as i64 - before as i64
}

fn segment(
    flow: &mut Tracked,
    side: Side,
    tcp: &Tcp,
    payload: Payload,
    time: i64,
    bounds: Bounds,
    emit: Emit,
) {
    let proto = flow.key.proto();
    let id = Cell::new(stream_id(flow, bounds));
    let says_something = payload.len > 0;
    let mut watch = match says_something {
        true => std::mem::take(&mut flow.watch),
        false => Watch::Silent,
    };
    let mut deliver = |side: Side, delivery: Delivery| {
        if let Delivery::Data { offset, bytes, .. } = delivery {
            watch.heard(proto, side, offset, bytes);
        }
        if let Some(id) = &id.get() {
            tell(id, side, Timestamp(time), delivery, emit);
        }
    };
    let mut streams = Streams {
        rules: bounds.rules,
        deliver: &mut deliver,
        id: &id,
    };
    tcp::segment(flow, side, tcp, payload, time, &mut streams);
    if says_something {
        flow.watch = watch;
    }
}

fn datagram(
    flow: &mut Tracked,
    side: Side,
    payload: Payload,
    time: i64,
    bounds: Bounds,
    emit: Emit,
) {
    flow.last = time;
    flow.history.datagram(side);
    flow.turns.spoke(side, time);
    flow.watch.heard_datagram(UDP, side, payload.bytes);
    if let Some(id) = &stream_id(flow, bounds) {
        let sent = flow.halves[side as usize].traffic.payload_bytes;
        let len = u64::from(payload.len);
        let delivery = Delivery::Data {
            offset: sent - len,
            bytes: payload.bytes,
            len,
        };
        tell(id, side, Timestamp(time), delivery, emit);
    }
}

/// What waits for something that will not come is told all the same.
pub(super) fn finish(flow: &mut Tracked, bounds: Bounds, emit: Emit) {
    let id = &stream_id(flow, bounds);
    let time = Timestamp(flow.active);
    for side in Side::BOTH {
        let mut deliver = |delivery: Delivery| {
            if let Some(id) = id {
                tell(id, side, time, delivery, emit);
            }
        };
        let assembler = &mut flow.halves[side as usize].assembler;
        assembler.finish(bounds.rules, &mut deliver);
    }
}

/// Which flow it is, if its streams are wanted.
#[inline]
fn stream_id(flow: &Tracked, bounds: Bounds) -> Option<FlowId> {
    (bounds.streams != Wanted::No).then(|| flow.id())
}

/// Tells the next bytes of a stream.
#[inline]
fn tell_next(flow: &Tracked, side: Side, offset: u64, payload: Payload, time: i64, emit: Emit) {
    let (bytes, len) = (payload.bytes, u64::from(payload.len));
    let delivery = Delivery::Data { offset, bytes, len };
    tell(&flow.id(), side, Timestamp(time), delivery, emit);
}

fn tell(id: &FlowId, side: Side, time: Timestamp, delivery: Delivery, emit: Emit) {
    let mut happened = |what| {
        emit(FlowEvent {
            id,
            time,
            due: None,
            what,
        });
    };
    match delivery {
        Delivery::Data { offset, bytes, len } => {
            if !bytes.is_empty() || len == 0 {
                happened(What::Data {
                    side,
                    offset,
                    bytes,
                });
            }
            let captured = bytes.len() as u64;
            if captured < len {
                happened(What::Gap {
                    side,
                    offset: offset + captured,
                    len: len - captured,
                    cause: Cause::Cut,
                });
            }
        }
        Delivery::Gap { offset, len } => happened(What::Gap {
            side,
            offset,
            len,
            cause: Cause::Lost,
        }),
        Delivery::Mismatch { offset, len } => happened(What::Mismatch { side, offset, len }),
    }
}
