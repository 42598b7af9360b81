//! Application of packets to their flows, and conversion of stream deliveries to events.

use std::cell::Cell;

use super::assembler::{Delivery, ReassemblyOptions, Retention};
use super::detection::ServiceDetection;
use super::input::FlowPacket;
use super::side::Side;
use super::tcp::{self, StreamOutput};
use super::tracked_flow::TrackedFlow;
use super::{Emit, FlowEvent, FlowEventKind, FlowId, FlowSettings, GapCause, StreamMode};
use crate::detect::MAX_OPENING_LEN;
use crate::packet::{Payload, Tcp, Timestamp, UDP};

/// Stream reassembly mode and buffer limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamPolicy {
    mode: StreamMode,
    options: ReassemblyOptions,
}

impl FlowSettings {
    /// Returns the policy for a flow while all flows together buffer this many bytes.
    #[inline]
    pub(super) fn stream_policy(&self, buffered_bytes: u64) -> StreamPolicy {
        let is_full = buffered_bytes > self.max_buffered_bytes;
        StreamPolicy {
            mode: self.stream_mode,
            options: ReassemblyOptions {
                retention: match self.stream_mode {
                    StreamMode::Off => Retention::Opening(MAX_OPENING_LEN as u64),
                    StreamMode::Reassemble => Retention::OutOfOrder,
                    StreamMode::CompareOverlaps => Retention::Unacknowledged,
                },
                max_out_of_order_bytes: if is_full {
                    0
                } else {
                    self.max_out_of_order_bytes
                },
            },
        }
    }
}

/// Applies the contents of a packet from `side` that has already been counted; returns the change
/// in the number of bytes that the flow buffers.
pub(super) fn apply_packet(
    flow: &mut TrackedFlow,
    side: Side,
    packet: &FlowPacket,
    time: i64,
    policy: StreamPolicy,
    emit: Emit,
) -> i64 {
    let (before, payload) = (flow.buffered_bytes(), packet.payload);
    match &packet.tcp {
        Some(tcp) => apply_segment(flow, side, tcp, payload, time, policy, emit),
        None if flow.id.endpoints.proto() == UDP => {
            apply_datagram(flow, side, payload, time, policy, emit);
        }
        None => flow.last_time = time,
    }
    if policy.options.max_out_of_order_bytes == 0 {
        flow.detection.finish(flow.id.endpoints.proto());
    }
    flow.buffered_bytes() as i64 - before as i64
}

fn apply_segment(
    flow: &mut TrackedFlow,
    side: Side,
    tcp: &Tcp,
    payload: Payload,
    time: i64,
    policy: StreamPolicy,
    emit: Emit,
) {
    let proto = flow.id.endpoints.proto();
    let id = Cell::new(stream_id(flow, policy));
    // Moved out of the flow only while it is in use.
    let is_detecting = payload.len > 0 && !flow.detection.is_done();
    let mut detection = match is_detecting {
        true => std::mem::take(&mut flow.detection),
        false => ServiceDetection::Done(None),
    };
    let mut deliver = |side: Side, delivery: Delivery| {
        if let Delivery::Data { offset, bytes, .. } = delivery {
            detection.feed(proto, side, offset, bytes);
        }
        if let Some(id) = &id.get() {
            emit_delivery(id, side, Timestamp(time), delivery, emit);
        }
    };
    let mut streams = StreamOutput {
        options: policy.options,
        deliver: &mut deliver,
        id: &id,
    };
    tcp::apply_segment(flow, side, tcp, payload, time, &mut streams);
    if is_detecting {
        flow.detection = detection;
    }
}

fn apply_datagram(
    flow: &mut TrackedFlow,
    side: Side,
    payload: Payload,
    time: i64,
    policy: StreamPolicy,
    emit: Emit,
) {
    flow.last_time = time;
    flow.history.add_datagram(side);
    flow.response_timer.on_data(side, time);
    flow.detection.feed_datagram(UDP, side, payload.bytes);
    if let Some(id) = &stream_id(flow, policy) {
        let sent = flow.sides[side as usize].traffic.payload_bytes;
        let len = u64::from(payload.len);
        let delivery = Delivery::Data {
            offset: sent - len,
            bytes: payload.bytes,
            len,
        };
        emit_delivery(id, side, Timestamp(time), delivery, emit);
    }
}

/// Delivers all buffered data at the end of a flow; missing bytes are reported as gaps.
pub(super) fn finish_streams(flow: &mut TrackedFlow, policy: StreamPolicy, emit: Emit) {
    let id = &stream_id(flow, policy);
    let time = Timestamp(flow.last_active);
    for side in Side::BOTH {
        let mut deliver = |delivery: Delivery| {
            if let Some(id) = id {
                emit_delivery(id, side, time, delivery, emit);
            }
        };
        let assembler = &mut flow.sides[side as usize].assembler;
        assembler.finish(policy.options, &mut deliver);
    }
}

/// Returns the flow's identity if its streams are emitted.
#[inline]
fn stream_id(flow: &TrackedFlow, policy: StreamPolicy) -> Option<FlowId> {
    (policy.mode != StreamMode::Off).then_some(flow.id)
}

fn emit_delivery(id: &FlowId, side: Side, time: Timestamp, delivery: Delivery, emit: Emit) {
    let mut emit_kind = |kind| {
        emit(FlowEvent {
            id,
            time,
            due: None,
            kind,
        });
    };
    match delivery {
        Delivery::Data { offset, bytes, len } => {
            if !bytes.is_empty() || len == 0 {
                emit_kind(FlowEventKind::Data {
                    side,
                    offset,
                    bytes,
                });
            }
            let captured = bytes.len() as u64;
            if captured < len {
                emit_kind(FlowEventKind::Gap {
                    side,
                    offset: offset + captured,
                    len: len - captured,
                    cause: GapCause::Cut,
                });
            }
        }
        Delivery::Gap { offset, len } => emit_kind(FlowEventKind::Gap {
            side,
            offset,
            len,
            cause: GapCause::Lost,
        }),
        Delivery::Mismatch { offset, len } => {
            emit_kind(FlowEventKind::Mismatch { side, offset, len });
        }
    }
}
