//! Sink of the library: a function that is called with every event.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::event::{CONTINUE, Event, Requirement, Sink};

/// A sink that calls a function with every event.
pub(super) struct Callback<F> {
    requirement: Requirement,
    handle: F,
}

impl<F: FnMut(Event)> Callback<F> {
    /// Returns a sink for the events that this level requires.
    pub(super) fn new(requirement: Requirement, handle: F) -> Callback<F> {
        Callback {
            requirement,
            handle,
        }
    }
}

impl<F: FnMut(Event)> Sink for Callback<F> {
    fn requires(&self) -> Requirement {
        self.requirement
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        (self.handle)(event);
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
