//! Selection of one flow by its `uid` (`--flow`).

use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::error::Result;
use crate::flow::{FlowId, uid};
use crate::request::RequestEvent;
use crate::sink::{CONTINUE, Event, Requirement, Sink};

/// Identifier of a flow in the style of Zeek, as in the field `uid` of rows.
#[derive(Debug, Clone)]
pub struct FlowUid {
    text: String,
    /// True when a flow with this identifier was seen.
    is_found: Arc<AtomicBool>,
}

impl FromStr for FlowUid {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<FlowUid, ()> {
        const UID_LEN: usize = 18;
        let is_uid = text.len() == UID_LEN
            && text.starts_with('C')
            && text.bytes().all(|octet| octet.is_ascii_alphanumeric());
        let flow_uid = || FlowUid {
            text: text.to_owned(),
            is_found: Arc::default(),
        };
        is_uid.then(flow_uid).ok_or(())
    }
}

impl FlowUid {
    /// Returns the identifier.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns true if a flow with this identifier was seen.
    pub fn is_found(&self) -> bool {
        self.is_found.load(Relaxed)
    }
}

/// Sink that passes on only the events of one flow.
pub struct SelectedFlow {
    inner: Box<dyn Sink>,
    uid: FlowUid,
    /// Number of the flow, when it is seen.
    number: Option<u64>,
}

impl SelectedFlow {
    /// Returns a sink in front of `inner`.
    pub fn new(inner: Box<dyn Sink>, uid: FlowUid) -> SelectedFlow {
        SelectedFlow {
            inner,
            uid,
            number: None,
        }
    }

    /// Returns true for the flow. Its originator and responder can be swapped before its first
    /// data, and the identifier depends on them.
    fn selects(&mut self, id: &FlowId) -> bool {
        if self.number.is_none() && uid(id) == self.uid.text {
            self.number = Some(id.number);
            self.uid.is_found.store(true, Relaxed);
        }
        self.number == Some(id.number)
    }
}

impl Sink for SelectedFlow {
    fn requires(&self) -> Requirement {
        self.inner.requires()
    }

    fn output_directory(&self) -> Option<BorrowedFd<'_>> {
        self.inner.output_directory()
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        let is_selected = match event {
            Event::Flow(event) => self.selects(event.id),
            Event::Request(RequestEvent::Request(request)) => self.selects(&request.flow),
            Event::Request(RequestEvent::Message(message)) => self.selects(message.flow),
            Event::Packet(_) | Event::Dropped(_) | Event::Tick(_) => true,
        };
        match is_selected {
            true => self.inner.handle(event),
            false => CONTINUE,
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.inner.finish()
    }
}
