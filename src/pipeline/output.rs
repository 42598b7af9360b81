//! Output of a run: any number of sinks, each until its reader closes the pipe.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::error::Result;
use crate::event::{Event, Requirement, Sink};
use crate::packet::Packet;
use crate::source::Stop;

/// The sinks of a run.
#[derive(Default)]
pub struct Output<'a> {
    sinks: Vec<Box<dyn Sink + 'a>>,
    /// A sink that receives all events even after the readers of all other sinks have closed their
    /// pipes, e.g. to check `--fail-on` conditions.
    observer: Option<Box<dyn Sink + 'a>>,
    /// Stop request to make when the reader of one sink has closed its pipe and other sinks remain.
    stop: Option<Stop>,
    flush: FlushPolicy,
    flush_requested: Arc<AtomicBool>,
    /// True once any sink is complete, or all are closed.
    is_complete: bool,
    /// True if any sink handles packets.
    has_packet_sinks: bool,
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
            has_packet_sinks: sinks
                .iter()
                .any(|sink| sink.requires() == Requirement::Packets),
            sinks,
            stop,
            flush,
            ..Output::default()
        }
    }

    /// Adds a sink that receives all events until the end of the run.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn with_observer(self, observer: Option<Box<dyn Sink + 'a>>) -> Output<'a> {
        Output { observer, ..self }
    }

    /// Returns a flag that causes a flush at the next packet when set.
    #[cfg(feature = "cli")]
    pub fn flush_handle(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flush_requested)
    }

    /// Returns the highest requirement of the sinks.
    #[cfg(feature = "cli")]
    pub fn requires(&self) -> Requirement {
        let requirements = self
            .sinks
            .iter()
            .chain(&self.observer)
            .map(|sink| sink.requires());
        requirements.max().unwrap_or(Requirement::Packets)
    }

    /// True until all sinks are closed or any sink is complete.
    #[inline]
    pub fn is_accepting(&self) -> bool {
        !self.is_complete
    }

    /// Passes a packet to every sink that handles packets.
    ///
    /// # Errors
    /// A sink failed for a reason other than a closed pipe.
    #[inline]
    pub fn packet(&mut self, packet: &Packet) -> Result<()> {
        if self.has_packet_sinks {
            self.handle(Event::Packet(packet))?;
        }
        match self.flush == FlushPolicy::EveryPacket || self.flush_requested.load(Relaxed) {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Passes an event to every sink.
    ///
    /// # Errors
    /// The same as [`packet`](Self::packet).
    pub fn handle(&mut self, event: Event) -> Result<()> {
        self.for_each_sink(|sink| sink.handle(event))
    }

    /// Flushes every sink.
    ///
    /// # Errors
    /// The same as [`packet`](Self::packet).
    pub fn flush(&mut self) -> Result<()> {
        self.flush_requested.store(false, Relaxed);
        self.for_each_sink(|sink| sink.flush().map(ControlFlow::Continue))
    }

    /// Finishes every sink.
    ///
    /// # Errors
    /// The error of the first sink that failed; the others were finished nevertheless.
    pub fn finish(&mut self) -> Result<()> {
        let mut result = Ok(());
        for sink in self.sinks.iter_mut().chain(&mut self.observer) {
            match sink.finish() {
                Err(error) if !error.is_closed_pipe() => result = result.and(Err(error)),
                _ => {}
            }
        }
        result
    }

    /// Calls `action` with every sink, and removes a sink whose reader has closed its pipe.
    fn for_each_sink(
        &mut self,
        mut action: impl FnMut(&mut dyn Sink) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut closed = None;
        for (at, sink) in self.sinks.iter_mut().chain(&mut self.observer).enumerate() {
            match action(sink.as_mut()) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => self.is_complete = true,
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
        if self.observer.is_some() {
            return;
        }
        // The other sinks receive the packets captured until now.
        match &self.stop {
            Some(stop) if !self.sinks.is_empty() => stop.request(),
            _ => self.is_complete |= self.sinks.is_empty(),
        }
    }
}
