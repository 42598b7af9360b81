//! Where packets go: any number of sinks, each until its reader goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::error::Result;
use crate::flow::{FlowEvent, What};
use crate::packet::Packet;
use crate::sink::flows::Row;
use crate::sink::{Needs, Sink};
use crate::source::Stop;

/// The sinks of a run.
#[derive(Default)]
pub struct Output<'a> {
    sinks: Vec<Box<dyn Sink + 'a>>,
    /// Asked to stop when one reader is gone and others remain.
    stop: Option<Stop>,
    flush: Flush,
    flush_asked: Arc<AtomicBool>,
    closed: bool,
    may_have_enough: bool,
    /// Whether any sink takes packets themselves.
    takes_packets: bool,
    /// How many flows that end are passed over.
    known_flows: u64,
}

/// When buffered bytes are handed on, beside when nothing is waiting to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flush {
    /// When a buffer is full.
    #[default]
    Full,
    /// After every packet (`-l`, `-U`).
    Packet,
}

impl<'a> Output<'a> {
    /// An output to these sinks.
    pub fn new(sinks: Vec<Box<dyn Sink + 'a>>, flush: Flush, stop: Option<Stop>) -> Output<'a> {
        Output {
            may_have_enough: sinks.iter().any(|sink| sink.may_have_enough()),
            takes_packets: sinks.iter().any(|sink| sink.needs() <= Needs::Packets),
            sinks,
            stop,
            flush,
            ..Output::default()
        }
    }

    /// Set it to have everything flushed with the next packet.
    pub fn flush_request(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flush_asked)
    }

    /// How far packets must be understood for its sinks; without any they are only counted.
    pub fn needs(&self) -> Needs {
        let needs = self.sinks.iter().map(|sink| sink.needs());
        needs.max().unwrap_or(Needs::Counts)
    }

    /// Whether any sink needs this, neither less nor more.
    pub(super) fn needs_any(&self, needs: Needs) -> bool {
        self.sinks.iter().any(|sink| sink.needs() == needs)
    }

    /// Whether any sink still takes packets.
    pub fn wants_more(&self) -> bool {
        !self.closed && (!self.may_have_enough || self.sinks.iter().all(|sink| sink.wants_more()))
    }

    /// Whether something is to be done after every packet.
    pub(super) fn flushes_always(&self) -> bool {
        self.flush == Flush::Packet
    }

    /// Its sink, if it has one only.
    pub(super) fn only(&self) -> Option<&(dyn Sink + 'a)> {
        match &*self.sinks {
            [sink] => Some(sink.as_ref()),
            _ => None,
        }
    }

    /// Writes lines that were made already.
    ///
    /// # Errors
    /// As [`packet`](Self::packet).
    pub(super) fn bytes(&mut self, lines: &[u8]) -> Result<()> {
        self.each(|sink| sink.bytes(lines))?;
        self.flush_if_asked()
    }

    /// Writes a row that was made already.
    ///
    /// # Errors
    /// As [`packet`](Self::packet).
    pub(super) fn row(&mut self, row: &Row) -> Result<()> {
        self.each(|sink| sink.row(row))
    }

    /// Passes over the next so many flows that end: its sinks have their rows.
    pub(super) fn pass_over(&mut self, flows: u64) {
        self.known_flows = flows;
    }

    /// Whether anything is to be done at a packet.
    #[inline(always)]
    pub(super) fn is_to_act(&self) -> bool {
        self.takes_packets || self.flush == Flush::Packet || self.flush_asked.load(Relaxed)
    }

    /// Gives every sink the packet.
    ///
    /// # Errors
    /// A sink failed otherwise than because its reader went away.
    #[inline]
    pub fn packet(&mut self, packet: &Packet) -> Result<()> {
        if self.takes_packets {
            self.each(|sink| sink.packet(packet))?;
        }
        if self.flush == Flush::Packet {
            return self.flush();
        }
        self.flush_if_asked()
    }

    #[inline]
    fn flush_if_asked(&mut self) -> Result<()> {
        match self.flush_asked.load(Relaxed) {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Tells every sink what happened to a flow.
    ///
    /// # Errors
    /// As [`packet`](Self::packet).
    pub fn flow(&mut self, event: &FlowEvent) -> Result<()> {
        if self.known_flows > 0 {
            self.known_flows -= u64::from(matches!(event.what, What::Closed(_)));
            return Ok(());
        }
        self.each(|sink| sink.flow(event))
    }

    /// Tells every sink that no packet is waiting.
    ///
    /// # Errors
    /// As [`packet`](Self::packet).
    pub fn idle(&mut self) -> Result<()> {
        self.each(|sink| sink.idle())
    }

    /// Has every sink hand on what is buffered.
    ///
    /// # Errors
    /// As [`packet`](Self::packet).
    pub fn flush(&mut self) -> Result<()> {
        self.flush_asked.store(false, Relaxed);
        self.each(|sink| sink.flush())
    }

    /// Ends every sink.
    ///
    /// # Errors
    /// The first sink's that failed; the others were finished all the same.
    pub fn finish(&mut self) -> Result<()> {
        let mut result = Ok(());
        for sink in &mut self.sinks {
            match sink.finish() {
                Err(error) if !error.is_closed_pipe() => result = result.and(Err(error)),
                _ => {}
            }
        }
        result
    }

    /// Does something with every sink, and lets go of those whose reader went away.
    fn each(&mut self, mut act: impl FnMut(&mut dyn Sink) -> Result<()>) -> Result<()> {
        let mut gone = None;
        for (at, sink) in self.sinks.iter_mut().enumerate() {
            match act(sink.as_mut()) {
                Ok(()) => {}
                Err(error) if error.is_closed_pipe() => gone = Some(at),
                Err(error) => return Err(error),
            }
        }
        if let Some(at) = gone {
            self.let_go(at);
        }
        Ok(())
    }

    #[cold]
    fn let_go(&mut self, at: usize) {
        self.sinks.remove(at);
        if self.sinks.iter().any(|sink| sink.goes_on()) {
            return;
        }
        // The others get what was captured until now.
        match &self.stop {
            Some(stop) if !self.sinks.is_empty() => stop.request(),
            _ => self.closed = self.sinks.is_empty(),
        }
    }
}
