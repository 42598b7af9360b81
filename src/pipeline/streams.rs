//! Contents of both streams of each flow, in memory.

use std::collections::BTreeMap;

use crate::flow::{FlowEvent, FlowEventKind, FlowId, Side};

/// Payload that both sides of a flow sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowStreams {
    /// Flow identity.
    pub id: FlowId,
    /// Captured bytes that the originator sent.
    pub orig: Vec<u8>,
    /// Captured bytes that the responder sent.
    pub resp: Vec<u8>,
    /// Numbers of bytes that are missing in `orig` and in `resp`, because they were not captured.
    pub missing_bytes: [u64; 2],
}

/// Collects the streams of flow events, by flow number.
#[derive(Debug, Default)]
pub(super) struct StreamCollector(BTreeMap<u64, FlowStreams>);

impl StreamCollector {
    pub(super) fn add(&mut self, event: &FlowEvent) {
        let streams = self
            .0
            .entry(event.id.number)
            .or_insert_with(|| FlowStreams {
                id: *event.id,
                orig: Vec::new(),
                resp: Vec::new(),
                missing_bytes: [0; 2],
            });
        // Originator and responder may be swapped before the first data.
        streams.id = *event.id;
        match event.kind {
            FlowEventKind::Data { side, bytes, .. } => match side {
                Side::Orig => streams.orig.extend_from_slice(bytes),
                Side::Resp => streams.resp.extend_from_slice(bytes),
            },
            FlowEventKind::Gap { side, len, .. } => streams.missing_bytes[side as usize] += len,
            _ => {}
        }
    }

    pub(super) fn into_streams(self) -> Vec<FlowStreams> {
        self.0.into_values().collect()
    }
}
