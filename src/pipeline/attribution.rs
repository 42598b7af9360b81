//! Origins of the owners of packets and flows.

#[cfg(feature = "live")]
use std::sync::Arc;

use super::recorded_owners::RecordedOwners;
#[cfg(feature = "live")]
use crate::attribution::{ConnectionTable, LiveOwners};
use crate::packet::Packet;
#[cfg(feature = "live")]
use crate::packet::PacketKind;
use crate::process::Owners;

/// Origin of the owners of packets and flows.
#[derive(Debug)]
pub enum Attribution {
    /// The comments of a capture file.
    Recorded(RecordedOwners),
    /// Lookups for each packet of a live capture, and for each flow.
    #[cfg(feature = "live")]
    PerPacket(LiveOwners),
    /// Lookups for each flow of a live capture; only datagrams have owners, because each can have
    /// another sender, and ICMP messages, which the kernel itself sends or receives.
    #[cfg(feature = "live")]
    PerFlow(LiveOwners),
}

impl Default for Attribution {
    fn default() -> Attribution {
        Attribution::Recorded(RecordedOwners::default())
    }
}

impl Attribution {
    /// Returns the owners of a packet's sender (`orig`) and receiver, as far as they are
    /// identified.
    #[inline]
    pub(super) fn owners(&mut self, packet: &Packet) -> Option<&Owners> {
        match self {
            Attribution::Recorded(owners) => owners.owners(packet),
            #[cfg(feature = "live")]
            Attribution::PerPacket(owners) => owners.owners(packet),
            #[cfg(feature = "live")]
            Attribution::PerFlow(owners) => match packet.kind() {
                PacketKind::Udp | PacketKind::Icmp => owners.owners(packet),
                _ => None,
            },
        }
    }

    /// Returns the table of connections of a live capture.
    #[cfg(feature = "live")]
    pub(super) fn connections(&self) -> Option<&Arc<ConnectionTable>> {
        match self {
            Attribution::Recorded(_) => None,
            Attribution::PerPacket(owners) | Attribution::PerFlow(owners) => {
                Some(owners.connections())
            }
        }
    }
}
