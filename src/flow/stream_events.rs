//! Events of reassembled streams.

use super::assembler::Delivery;
use super::side::Side;
use super::{Emit, FlowEvent, FlowEventKind, FlowId, GapCause};
use crate::packet::Timestamp;

/// Emits a delivery of a side's stream; `time` is in nanoseconds.
pub(super) fn emit_delivery(id: &FlowId, side: Side, time: i64, delivery: Delivery, emit: Emit) {
    let mut emit_kind = |kind| {
        emit(FlowEvent {
            id,
            time: Timestamp(time),
            due: None,
            kind,
        });
    };
    match delivery {
        Delivery::Data {
            offset,
            bytes,
            len,
            time,
        } => {
            if !bytes.is_empty() || len == 0 {
                emit_kind(FlowEventKind::Data {
                    side,
                    offset,
                    bytes,
                    captured: Timestamp(time),
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
