//! Contents of a capture file other than packets: interfaces, drops, skipped blocks, appended
//! captures.

use super::appended::AppendedCaptures;
use crate::packet::{Drops, Interface};

/// Contents of the captures read so far, other than packets.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    /// Interfaces of all captures and sections.
    pub(super) interfaces: Vec<Interface>,
    /// Number of blocks that neither carry nor describe packets.
    pub(super) skipped_blocks: u64,
    /// Drops that the last block states, unless they were taken.
    pub(super) drops: Option<Drops>,
    /// Number of dropped packets, according to all interface statistics blocks.
    pub(super) dropped: u64,
    /// Captures after the first one.
    pub(super) appended: AppendedCaptures,
}

impl Metadata {
    /// Adds an interface, and returns its index.
    pub(super) fn add_interface(&mut self, interface: Interface) -> usize {
        let index = self.interfaces.len();
        self.interfaces.push(Interface {
            id: index as u32,
            ..interface
        });
        index
    }

    /// Returns the index of the interface of a pcap file. A pcap file does not identify its
    /// interface: it is the last one if that has the same properties, otherwise it is added.
    pub(super) fn pcap_interface(&mut self, interface: Interface) -> usize {
        let last = self.interfaces.len().wrapping_sub(1);
        match self.interfaces.last() {
            Some(found)
                if *found
                    == (Interface {
                        id: found.id,
                        ..interface.clone()
                    }) =>
            {
                last
            }
            _ => self.add_interface(interface),
        }
    }
}
