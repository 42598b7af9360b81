//! Output of a run: any number of sinks, each until its reader closes the pipe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::error::Result;
use crate::flow::{FlowEvent, FlowEventKind};
use crate::packet::Packet;
use crate::sink::flows::FormattedRow;
use crate::sink::{Requirement, Sink};
use crate::source::Stop;

/// The sinks of a run.
#[derive(Default)]
pub struct Output<'a> {
    sinks: Vec<Box<dyn Sink + 'a>>,
    /// Stop request to make when the reader of one sink has closed its pipe and other sinks remain.
    stop: Option<Stop>,
    flush: FlushPolicy,
    flush_requested: Arc<AtomicBool>,
    is_closed: bool,
    can_finish_early: bool,
    /// True if any sink handles packets.
    has_packet_sinks: bool,
    /// Number of closed flows that are still to be skipped.
    flows_to_skip: u64,
}

/// Times at which buffered bytes are flushed; they are also flushed when no packet is waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FlushPolicy {
    /// When a buffer is full.
    #[default]
    WhenFull,
    /// After every packet (`-l`, `-U`).
    EveryPacket,
}

impl<'a> Output<'a> {
    /// Creates an output with these sinks.
    pub fn new(
        sinks: Vec<Box<dyn Sink + 'a>>,
        flush: FlushPolicy,
        stop: Option<Stop>,
    ) -> Output<'a> {
        Output {
            can_finish_early: sinks.iter().any(|sink| sink.can_finish_early()),
            has_packet_sinks: sinks
                .iter()
                .any(|sink| sink.requires() <= Requirement::Packets),
            sinks,
            stop,
            flush,
            ..Output::default()
        }
    }

    /// Returns a flag that causes a flush at the next packet when set.
    pub fn flush_handle(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flush_requested)
    }

    /// Returns the highest requirement of the sinks; without sinks, packets are only validated and
    /// counted.
    pub fn requires(&self) -> Requirement {
        let requirements = self.sinks.iter().map(|sink| sink.requires());
        requirements.max().unwrap_or(Requirement::Validity)
    }

    /// True if any sink has exactly this requirement.
    pub(super) fn has_sink_requiring(&self, requirement: Requirement) -> bool {
        self.sinks.iter().any(|sink| sink.requires() == requirement)
    }

    /// True until all sinks are closed or any sink is complete.
    pub fn is_accepting(&self) -> bool {
        !self.is_closed
            && (!self.can_finish_early || self.sinks.iter().all(|sink| sink.should_continue()))
    }

    /// True if the output is flushed after every packet.
    pub(super) fn should_flush_every_packet(&self) -> bool {
        self.flush == FlushPolicy::EveryPacket
    }

    /// Returns the sink, if there is exactly one.
    pub(super) fn single_sink(&self) -> Option<&(dyn Sink + 'a)> {
        match &*self.sinks {
            [sink] => Some(sink.as_ref()),
            _ => None,
        }
    }

    /// Writes lines that are already formatted.
    ///
    /// # Errors
    /// The same as [`packet`](Self::packet).
    pub(super) fn append_lines(&mut self, lines: &[u8]) -> Result<()> {
        self.for_each_sink(|sink| sink.append_lines(lines))?;
        self.flush_if_requested()
    }

    /// Writes a row that is already formatted.
    ///
    /// # Errors
    /// The same as [`packet`](Self::packet).
    pub(super) fn append_row(&mut self, row: &FormattedRow) -> Result<()> {
        self.for_each_sink(|sink| sink.append_row(row))
    }

    /// Skips the next `flows` closed flows, whose rows the sinks already have.
    pub(super) fn skip_flows(&mut self, flows: u64) {
        self.flows_to_skip = flows;
    }

    /// True if packets must be passed to [`packet`](Self::packet).
    #[inline(always)]
    pub(super) fn should_handle_packet(&self) -> bool {
        self.has_packet_sinks
            || self.flush == FlushPolicy::EveryPacket
            || self.flush_requested.load(Relaxed)
    }

    /// Passes a packet to every sink.
    ///
    /// # Errors
    /// A sink failed for a reason other than a closed pipe.
    #[inline]
    pub fn packet(&mut self, packet: &Packet) -> Result<()> {
        if self.has_packet_sinks {
            self.for_each_sink(|sink| sink.handle_packet(packet))?;
        }
        if self.flush == FlushPolicy::EveryPacket {
            return self.flush();
        }
        self.flush_if_requested()
    }

    #[inline]
    fn flush_if_requested(&mut self) -> Result<()> {
        match self.flush_requested.load(Relaxed) {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Passes a flow event to every sink.
    ///
    /// # Errors
    /// The same as [`packet`](Self::packet).
    pub fn flow(&mut self, event: &FlowEvent) -> Result<()> {
        if self.flows_to_skip > 0 {
            self.flows_to_skip -= u64::from(matches!(event.kind, FlowEventKind::Closed(_)));
            return Ok(());
        }
        self.for_each_sink(|sink| sink.handle_flow(event))
    }

    /// Notifies every sink that no packet is waiting.
    ///
    /// # Errors
    /// The same as [`packet`](Self::packet).
    pub fn idle(&mut self) -> Result<()> {
        self.for_each_sink(|sink| sink.handle_idle())
    }

    /// Flushes every sink.
    ///
    /// # Errors
    /// The same as [`packet`](Self::packet).
    pub fn flush(&mut self) -> Result<()> {
        self.flush_requested.store(false, Relaxed);
        self.for_each_sink(|sink| sink.flush())
    }

    /// Finishes every sink.
    ///
    /// # Errors
    /// The error of the first sink that failed; the others were finished nevertheless.
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

    /// Calls `action` with every sink, and removes a sink whose reader has closed its pipe.
    fn for_each_sink(&mut self, mut action: impl FnMut(&mut dyn Sink) -> Result<()>) -> Result<()> {
        let mut closed = None;
        for (at, sink) in self.sinks.iter_mut().enumerate() {
            match action(sink.as_mut()) {
                Ok(()) => {}
                Err(error) if error.is_closed_pipe() => closed = Some(at),
                Err(error) => return Err(error),
            }
        }
        if let Some(at) = closed {
            self.remove_sink(at);
        }
        Ok(())
    }

    #[cold]
    fn remove_sink(&mut self, at: usize) {
        self.sinks.remove(at);
        if self.sinks.iter().any(|sink| sink.is_independent()) {
            return;
        }
        // The other sinks receive the packets captured until now.
        match &self.stop {
            Some(stop) if !self.sinks.is_empty() => stop.request(),
            _ => self.is_closed = self.sinks.is_empty(),
        }
    }
}
