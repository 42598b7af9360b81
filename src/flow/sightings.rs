//! Packets that were captured on several interfaces, e.g. on both ends of a bridge.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::input::FlowPacket;
use crate::packet::{Endpoints, Packet};

/// Time within which a packet reaches the last interface, in nanoseconds.
const MAX_AGE_NS: i64 = 5_000_000;
/// Maximum number of packets that are kept; beyond it, the oldest are removed.
const MAX_PACKETS: usize = 1 << 12;

/// Recent packets of a capture with several interfaces.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    /// The interface of the first packet.
    first_interface: Option<u32>,
    /// True if packets were captured on several interfaces.
    has_several: bool,
    /// The interfaces on which each packet was captured.
    interfaces: HashMap<Fingerprint, Vec<u32>, RandomState>,
    /// The packets in `interfaces` and the time of each, the oldest first.
    order: VecDeque<(i64, Fingerprint)>,
}

/// Values that are the same on every interface: not the checksum, which is filled in late, and not
/// the time to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Fingerprint {
    endpoints: Endpoints,
    ip_id: u16,
    len: u32,
    /// Sequence numbers, flags and window of a segment, or the first data.
    head: [u8; 12],
}

impl Sightings {
    /// Records a packet. Returns true if it was captured before, on another interface.
    #[inline]
    pub(super) fn record_packet(
        &mut self,
        packet: &Packet,
        values: &FlowPacket,
        time: i64,
    ) -> bool {
        let interface = packet.frame.interface_index();
        let first = *self.first_interface.get_or_insert(interface);
        self.has_several |= interface != first;
        // The header of the device `any` shows that there are several interfaces.
        if !self.has_several && !packet.frame.is_of_any_interface() {
            return false;
        }
        self.record(fingerprint(packet, values), interface, time)
    }

    fn record(&mut self, fingerprint: Fingerprint, interface: u32, time: i64) -> bool {
        while let Some((recorded, oldest)) = self.order.front()
            && (time.saturating_sub(*recorded) > MAX_AGE_NS || self.order.len() >= MAX_PACKETS)
        {
            self.interfaces.remove(oldest);
            self.order.pop_front();
        }
        let Some(interfaces) = self.interfaces.get_mut(&fingerprint) else {
            self.order.push_back((time, fingerprint));
            self.interfaces.insert(fingerprint, vec![interface]);
            return false;
        };
        let is_repeated = !interfaces.contains(&interface);
        // The same contents on the same interface are another packet.
        if !is_repeated {
            interfaces.clear();
        }
        interfaces.push(interface);
        is_repeated
    }
}

fn fingerprint(packet: &Packet, values: &FlowPacket) -> Fingerprint {
    let head = match values.tcp {
        Some(_) => packet.ip_payload().bytes.get(4..),
        None => Some(values.payload.bytes),
    };
    let head = head.unwrap_or_default();
    Fingerprint {
        endpoints: values.endpoints,
        ip_id: packet.ip_id().unwrap_or_default(),
        len: values.payload.len,
        head: std::array::from_fn(|at| head.get(at).copied().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::UDP;

    #[test]
    fn packet_is_repeated_on_another_interface_only() {
        let end = |port| ([127, 0, 0, 1], port).into();
        let packet = |ip_id| Fingerprint {
            endpoints: Endpoints::new(end(1), end(2), UDP),
            ip_id,
            len: 5,
            head: [0; 12],
        };
        let mut sightings = Sightings::default();
        for (ip_id, interface, millis, is_repeated) in [
            (1, 7, 0, false),
            (1, 8, 0, true),
            (1, 9, 1, true),
            // The same contents once more.
            (1, 7, 1, false),
            (1, 8, 2, true),
            (2, 8, 2, false),
            (2, 8, 2, false),
            // Too late.
            (2, 7, 9, false),
        ] {
            let found = sightings.record(packet(ip_id), interface, millis * 1_000_000);
            assert_eq!(found, is_repeated, "{ip_id} {interface} {millis}");
        }
        for ip_id in 0..u16::MAX {
            sightings.record(packet(ip_id), 7, 10_000_000);
        }
        assert!(sightings.interfaces.len() <= MAX_PACKETS);
        assert_eq!(sightings.interfaces.len(), sightings.order.len());
    }
}
