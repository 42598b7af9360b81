//! Flows with the processes at their ends, as far as they are known when a flow ends.

use std::sync::Arc;
use std::time::Duration;

use super::{Needs, Sink};
use crate::error::Result;
use crate::flow::{End, FlowEvent, FlowId, FlowRecord, Verdict, What};
use crate::owners::{Directory, How, Owner, Which};
use crate::packet::{Packet, Tuple};

/// A sink that is told of owners too.
pub struct Named<'a> {
    sink: Box<dyn Sink + 'a>,
    directory: Arc<Directory>,
    /// Whether it was waited for what was still being looked up when the capture ended.
    waited: bool,
}

/// What is being looked up when the capture ends is waited for this long.
const PATIENCE: Duration = Duration::from_millis(200);

impl<'a> Named<'a> {
    /// Tells a sink of what a directory knows.
    pub fn new(sink: Box<dyn Sink + 'a>, directory: Arc<Directory>) -> Named<'a> {
        Named {
            sink,
            directory,
            waited: false,
        }
    }
}

impl Sink for Named<'_> {
    fn packet(&mut self, packet: &Packet) -> Result<()> {
        self.sink.packet(packet)
    }

    fn flow(&mut self, event: &FlowEvent) -> Result<()> {
        let tuple = tuple(event.id);
        let record = match event.what {
            What::Opened => {
                // Datagrams, and connections that were there before the capture.
                self.directory.ask(&tuple, event.time, Which::First);
                return self.sink.flow(event);
            }
            What::Closed(record) => record,
            What::Named(_) | What::Data { .. } | What::Gap { .. } | What::Mismatch { .. } => {
                return self.sink.flow(event);
            }
        };
        if record.end == End::Capture && !std::mem::replace(&mut self.waited, true) {
            self.directory.settle(PATIENCE);
        }
        if record.end != End::Capture && event.due.is_none() {
            // It was not waited for news of it: another connection uses its ends already.
            self.directory.settle_flow(&tuple, record.first, PATIENCE);
        }
        let Some(mut owners) = self.directory.of_flow(&tuple, record.first) else {
            return self.sink.flow(event);
        };
        // Nothing listened when that was asked, but somebody had answered.
        if let Some(owner) = &owners.resp
            && owner.how == How::Nobody
            && record.outcome.verdict != Verdict::Refused
        {
            owners.resp = Some(Arc::new(Owner {
                how: How::Gone,
                ..Owner::clone(owner)
            }));
        }
        let record = FlowRecord {
            owners,
            ..record.clone()
        };
        self.sink.flow(&FlowEvent {
            what: What::Closed(&record),
            ..*event
        })
    }

    fn needs(&self) -> Needs {
        self.sink.needs()
    }

    fn may_have_enough(&self) -> bool {
        self.sink.may_have_enough()
    }

    fn goes_on(&self) -> bool {
        self.sink.goes_on()
    }

    fn wants_more(&self) -> bool {
        self.sink.wants_more()
    }

    fn idle(&mut self) -> Result<()> {
        self.sink.idle()
    }

    fn flush(&mut self) -> Result<()> {
        self.sink.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.sink.finish()
    }
}

fn tuple(id: &FlowId) -> Tuple {
    Tuple {
        src: id.orig(),
        dst: id.resp(),
        proto: id.proto(),
    }
}
