//! Application of packets to their flows.

use super::assembler::{Delivery, ReassemblyOptions, Retention};
use super::input::FlowPacket;
use super::side::Side;
use super::stream_events::emit_delivery;
use super::tracked_flow::TrackedFlow;
use super::{Emit, FlowSettings, StreamMode, tcp};
use crate::detect::MAX_OPENING_LEN;
use crate::packet::{Payload, UDP};

impl FlowSettings {
    /// Returns the options for a flow while all flows together buffer this many bytes.
    #[inline]
    pub(super) fn reassembly_options(&self, buffered_bytes: u64) -> ReassemblyOptions {
        ReassemblyOptions {
            retention: match self.stream_mode {
                StreamMode::Off => Retention::Opening(MAX_OPENING_LEN as u64),
                StreamMode::Reassemble => Retention::OutOfOrder,
                StreamMode::CompareOverlaps => Retention::Unacknowledged,
            },
            max_out_of_order_bytes: match buffered_bytes > self.max_buffered_bytes {
                true => 0,
                false => self.max_out_of_order_bytes,
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
    options: ReassemblyOptions,
    emit: Emit,
) -> i64 {
    let (before, payload) = (flow.buffered_bytes(), packet.payload);
    match &packet.tcp {
        Some(tcp) => tcp::apply_segment(flow, side, tcp, payload, time, options, emit),
        None if flow.id.endpoints.proto() == UDP => {
            apply_datagram(flow, side, payload, time, options, emit);
        }
        None => flow.last_time = time,
    }
    if options.max_out_of_order_bytes == 0 {
        flow.detection.finish(flow.id.endpoints.proto());
    }
    flow.buffered_bytes() as i64 - before as i64
}

fn apply_datagram(
    flow: &mut TrackedFlow,
    side: Side,
    payload: Payload,
    time: i64,
    options: ReassemblyOptions,
    emit: Emit,
) {
    flow.last_time = time;
    flow.history.add_datagram(side);
    flow.response_timer.on_data(side, time);
    flow.detection.feed_datagram(UDP, side, payload.bytes);
    if options.emits_streams() {
        let sent = flow.sides[side as usize].traffic.payload_bytes;
        let len = u64::from(payload.len);
        let delivery = Delivery::Data {
            offset: sent - len,
            bytes: payload.bytes,
            len,
            time,
        };
        emit_delivery(&flow.id, side, time, delivery, emit);
    }
}

/// Delivers all buffered data at the end of a flow; missing bytes are reported as gaps.
pub(super) fn finish_streams(flow: &mut TrackedFlow, options: ReassemblyOptions, emit: Emit) {
    let TrackedFlow { id, sides, .. } = flow;
    for (side, tracked) in Side::BOTH.into_iter().zip(sides) {
        let mut deliver = |delivery: Delivery| {
            if options.emits_streams() {
                emit_delivery(id, side, flow.last_active, delivery, emit);
            }
        };
        tracked.assembler.finish(options, &mut deliver);
    }
}
