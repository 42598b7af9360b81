//! Output formats of flows, one row per flow: text table, JSON, CSV and Zeek's conn.log.

mod columns;
pub(super) mod csv;
pub(super) mod json;
mod request_counter;
mod service_cell;
mod sort;
pub(super) mod table;
pub(super) mod zeek;

pub use columns::COLUMNS;
pub use request_counter::RequestCounter;
pub use sort::FLOW_ORDERS;
pub use table::flow_summary;

use std::ops::ControlFlow;

use super::rows::RowRecord;
use super::{Event, Requirement, Sink};
use crate::error::Result;
use crate::flow::{FlowEvent, FlowEventKind, FlowRecord};

/// A flow is reported when it ends.
impl RowRecord for FlowRecord {
    const NOUN: &'static str = "flow";
    const REQUIREMENT: Requirement = Requirement::Flows;

    fn of_event<'a>(event: &Event<'a>) -> Option<&'a FlowRecord> {
        match event {
            Event::Flow(FlowEvent {
                kind: FlowEventKind::Closed(record),
                ..
            }) => Some(record),
            _ => None,
        }
    }

    fn number(&self) -> u64 {
        self.id.number
    }

    fn pass_to(&self, sink: &mut dyn Sink) -> Result<ControlFlow<()>> {
        sink.handle(Event::Flow(&FlowEvent {
            id: &self.id,
            time: self.first_time,
            due: None,
            kind: FlowEventKind::Closed(self),
        }))
    }
}
