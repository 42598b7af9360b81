//! Checksum and segmentation offload, reported in `epb_flags` (draft-ietf-opsawg-pcapng section
//! 4.3.1, bits 9 and 11).
//!
//! The kernel leaves the checksum and the segmentation of a packet to the device that sends it. On
//! loopback no device does this work, and packets arrive as they are, so a wrong checksum does not
//! mean that the packet is damaged.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::RandomState;

use super::text::checksum;
use crate::packet::{Endpoints, Packet, TCP, TcpFlags, TcpOption};

/// Bits of `epb_flags`.
const CHECKSUM_NOT_READY: u32 = 1 << 9;
const TCP_SEGMENTATION_OFFLOADED: u32 = 1 << 11;
/// Maximum number of tracked connections; beyond it, all are removed.
const MAX_TRACKED_CONNECTIONS: usize = 1 << 14;
/// Default send MSS, in bytes: no receiver has to accept larger segments unless it announces an MSS
/// (RFC 9293 section 3.7.1).
const DEFAULT_SEND_MSS: u32 = 536;

/// Detects packets whose checksum or segmentation is left to a device.
#[derive(Debug, Default)]
pub(super) struct Offload {
    /// The MSS that the receiver announced, by the endpoints, from sender to receiver.
    receiver_mss: HashMap<Endpoints, u16, RandomState>,
}

impl Offload {
    /// Returns the flags of a packet with these endpoints, as bits of `epb_flags`.
    pub(super) fn flags(&mut self, packet: &Packet, endpoints: &Endpoints) -> u32 {
        let checksum = match has_partial_checksum(packet, endpoints) {
            Some(true) => CHECKSUM_NOT_READY,
            Some(false) | None => 0,
        };
        checksum | self.segmentation(packet, endpoints)
    }

    /// Returns the segmentation flag for a segment that is larger than the receiver's MSS, which a
    /// device would split, and 0 for other packets.
    fn segmentation(&mut self, packet: &Packet, endpoints: &Endpoints) -> u32 {
        let Some(tcp) = packet.tcp() else {
            return 0;
        };
        if tcp.flags.contains(TcpFlags::SYN) {
            let mut options = tcp.options();
            let mss = options.find_map(|option| match option {
                TcpOption::MaxSegmentSize(size) => Some(size),
                _ => None,
            });
            if self.receiver_mss.len() >= MAX_TRACKED_CONNECTIONS {
                self.receiver_mss.clear();
            }
            match mss {
                Some(mss) => self.receiver_mss.insert(endpoints.reversed(), mss),
                None => self.receiver_mss.remove(&endpoints.reversed()),
            };
        }
        let len = packet.payload().len;
        let is_larger = len > DEFAULT_SEND_MSS
            && self
                .receiver_mss
                .get(endpoints)
                .is_some_and(|&mss| len > u32::from(mss));
        if is_larger {
            TCP_SEGMENTATION_OFFLOADED
        } else {
            0
        }
    }
}

/// True if the checksum covers only the pseudo-header: the kernel passes packets to a device in
/// this form, and the device completes the checksum. `None` if the checksum cannot be located.
fn has_partial_checksum(packet: &Packet, endpoints: &Endpoints) -> Option<bool> {
    let offset = match endpoints.proto() {
        TCP => 16,
        _ => 6,
    };
    let transport = packet.ip_payload();
    if packet.fragment().is_some() {
        return None;
    }
    let found = transport.bytes.get(offset..)?.first_chunk().copied()?;
    let (src, dst) = packet.addresses()?;
    // Zeros before an IPv4 address do not change the sum.
    let octets = |ip| match ip {
        IpAddr::V4(ip) => ip.to_ipv6_compatible().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    let (proto, len) = ([0, endpoints.proto()], transport.len.to_be_bytes());
    let sum = checksum::sum(&[&octets(src), &octets(dst), &proto, &len]);
    Some(u16::from_be_bytes(found) == !sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::decode;
    use crate::packet::{Frame, FrameOptions, Interface, LinkType, Timestamp};

    /// Returns the flags of a TCP packet from 127.0.0.1 to itself, with these ports, checksum,
    /// options and payload length.
    fn flags(
        offload: &mut Offload,
        ports: [u8; 2],
        checksum: u16,
        options: &[u8],
        len: usize,
    ) -> u32 {
        let (from, to) = (ports[0], ports[1]);
        let data_offset = (20 + options.len()) as u8 / 4;
        let syn = u8::from(!options.is_empty()) * 2;
        let total = ((40 + options.len() + len) as u16).to_be_bytes();
        let mut bytes = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, 6, 0, 0];
        bytes.extend([127, 0, 0, 1, 127, 0, 0, 1]);
        bytes.extend([
            0,
            from,
            0,
            to,
            0,
            0,
            0,
            1,
            0,
            0,
            0,
            0,
            data_offset << 4,
            syn,
            1,
            0,
        ]);
        bytes.extend(checksum.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(options);
        bytes.resize(bytes.len() + len, b'x');
        let interface = Interface::default();
        let frame = Frame {
            number: 1,
            time: Timestamp(0),
            interface: &interface,
            link: LinkType::RAW,
            wire_len: bytes.len() as u32,
            bytes: &bytes,
            options: FrameOptions::default(),
        };
        let packet = decode(&frame);
        let endpoints = packet.endpoints().expect("a TCP packet");
        offload.flags(&packet, &endpoints)
    }

    #[test]
    fn checksum_of_the_pseudo_header_alone_is_not_ready() {
        let mut offload = Offload::default();
        // The sum of 127.0.0.1 twice, protocol 6, and 20 bytes.
        let partial = 0xfe02 + 6 + 20;
        assert_eq!(
            flags(&mut offload, [1, 2], partial, &[], 0),
            CHECKSUM_NOT_READY
        );
        for other in [0, partial - 1, partial + 1, !partial] {
            assert_eq!(flags(&mut offload, [1, 2], other, &[], 0), 0, "{other:x}");
        }
    }

    #[test]
    fn segment_above_the_receivers_mss_is_flagged_as_offloaded() {
        let mut offload = Offload::default();
        assert_eq!(flags(&mut offload, [1, 2], 0, &[], 9000), 0);
        assert_eq!(flags(&mut offload, [2, 1], 0, &[2, 4, 4, 0], 0), 0);
        assert_eq!(flags(&mut offload, [1, 2], 0, &[], 1024), 0);
        assert_eq!(
            flags(&mut offload, [1, 2], 0, &[], 1025),
            TCP_SEGMENTATION_OFFLOADED
        );
        assert_eq!(flags(&mut offload, [2, 1], 0, &[], 1025), 0);
        // The endpoints are reused, without an MSS option.
        assert_eq!(flags(&mut offload, [2, 1], 0, &[1, 1, 1, 1], 0), 0);
        assert_eq!(flags(&mut offload, [1, 2], 0, &[], 1025), 0);
    }
}
