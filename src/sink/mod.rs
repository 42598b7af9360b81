//! Events become bytes: one format per file.

pub mod text;

use crate::error::Result;
use crate::packet::Packet;

/// Something that takes packets and makes bytes of them.
pub trait Sink {
    /// A packet that passed the filter.
    ///
    /// # Errors
    /// The bytes could not be written, or the format cannot hold the packet.
    fn packet(&mut self, _packet: &Packet) -> Result<()> {
        Ok(())
    }

    /// Hands everything on that is still buffered.
    ///
    /// # Errors
    /// The bytes could not be written.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// No more packets will come.
    ///
    /// # Errors
    /// The bytes could not be written.
    fn finish(&mut self) -> Result<()> {
        self.flush()
    }
}
