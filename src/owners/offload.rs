//! What the kernel leaves to a device that would send a packet: its checksum, its division into segments. On loopback there is none, so that
//! packets arrive as they are. `epb_flags` says so (draft-ietf-opsawg-pcapng section 4.3.1, bits 9 and 11): a wrong checksum is no damage then.

use std::collections::HashMap;

use crate::packet::{Body, Flags, Packet, TCP, TcpOption, Tuple};

/// Bits of `epb_flags`.
const CHECKSUM_NOT_READY: u32 = 1 << 9;
const SEGMENTATION: u32 = 1 << 11;
/// So many connections are remembered; then all are forgotten.
const MOST: usize = 1 << 14;
/// No receiver has to take larger segments than this unless it says so, in bytes (RFC 9293 section 3.7.1).
const LEAST: u32 = 536;

/// What is left to devices.
#[derive(Debug, Default)]
pub(super) struct Offload {
    /// The largest segment that the receiver takes, by who sends to whom.
    limits: HashMap<Tuple, u16>,
}

impl Offload {
    /// What is known of a packet, as bits of `epb_flags`.
    pub(super) fn flags(&mut self, packet: &Packet) -> u32 {
        let checksum = match is_only_begun(packet) {
            Some(true) => CHECKSUM_NOT_READY,
            Some(false) | None => 0,
        };
        checksum | self.segmentation(packet)
    }

    /// A segment that is larger than its receiver takes is not sent as it is.
    fn segmentation(&mut self, packet: &Packet) -> u32 {
        let Body::Tcp {
            tuple,
            tcp,
            payload,
        } = packet.body
        else {
            return 0;
        };
        if tcp.flags.has(Flags::SYN) {
            let mut options = tcp.options();
            let limit = options.find_map(|option| match option {
                TcpOption::MaxSegment(size) => Some(size),
                _ => None,
            });
            if self.limits.len() >= MOST {
                self.limits.clear();
            }
            match limit {
                Some(limit) => self.limits.insert(tuple.reversed(), limit),
                None => self.limits.remove(&tuple.reversed()),
            };
        }
        let is_larger = payload.len > LEAST
            && self
                .limits
                .get(&tuple)
                .is_some_and(|&limit| payload.len > u32::from(limit));
        if is_larger { SEGMENTATION } else { 0 }
    }
}

/// Whether a checksum covers the pseudo-header alone, which is how the kernel hands a packet to a device that does the rest.
fn is_only_begun(packet: &Packet) -> Option<bool> {
    let tuple = packet.tuple().filter(|_| packet.fragment.is_none())?;
    let ip = packet.frame.bytes.get(packet.network as usize..)?;
    let half = |at: usize| ip.get(at..)?.first_chunk().copied().map(u16::from_be_bytes);
    let first = *ip.first()?;
    let (header, length, proto, ends) = match first >> 4 {
        4 => {
            let header = u16::from(first & 15) * 4;
            let length = half(2)?.checked_sub(header)?;
            (header, length, *ip.get(9)?, ip.get(12..20)?)
        }
        6 => (40, half(4)?, *ip.get(6)?, ip.get(8..40)?),
        _ => return None,
    };
    // Behind other headers of IPv6 it would have to be looked for.
    if proto != tuple.proto {
        return None;
    }
    let found = half(usize::from(header) + if proto == TCP { 16 } else { 6 })?;
    let words = ends.chunks_exact(2);
    let words = words.map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum = words.sum::<u32>() + u32::from(proto) + u32::from(length);
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    Some(u32::from(found) == fold(fold(sum)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::decode;
    use crate::packet::{Frame, Interface, LinkType, Options, Timestamp};

    /// TCP from 127.0.0.1 port 1 to port 2, with a checksum, options and so many bytes.
    fn flags(
        offload: &mut Offload,
        way: [u8; 2],
        checksum: u16,
        options: &[u8],
        len: usize,
    ) -> u32 {
        let (from, to) = (way[0], way[1]);
        let words = (20 + options.len()) as u8 / 4;
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
            words << 4,
            syn,
            1,
            0,
        ]);
        bytes.extend(checksum.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(options);
        bytes.resize(bytes.len() + len, b'x');
        offload.flags(&decode(&Frame {
            number: 1,
            time: Timestamp(0),
            interface: &Interface::default(),
            link: LinkType::RAW,
            wire_len: bytes.len() as u32,
            bytes: &bytes,
            options: Options::default(),
        }))
    }

    #[test]
    fn a_checksum_of_the_pseudo_header_alone_is_not_ready() {
        let mut offload = Offload::default();
        // 127.0.0.1 twice, 6, and 20 octets.
        let begun = 0xfe02 + 6 + 20;
        assert_eq!(
            flags(&mut offload, [1, 2], begun, &[], 0),
            CHECKSUM_NOT_READY
        );
        for other in [0, begun - 1, begun + 1, !begun] {
            assert_eq!(flags(&mut offload, [1, 2], other, &[], 0), 0, "{other:x}");
        }
    }

    #[test]
    fn a_segment_larger_than_its_receiver_takes_is_divided_later() {
        let mut offload = Offload::default();
        assert_eq!(flags(&mut offload, [1, 2], 0, &[], 9000), 0);
        assert_eq!(flags(&mut offload, [2, 1], 0, &[2, 4, 4, 0], 0), 0);
        assert_eq!(flags(&mut offload, [1, 2], 0, &[], 1024), 0);
        assert_eq!(flags(&mut offload, [1, 2], 0, &[], 1025), SEGMENTATION);
        assert_eq!(flags(&mut offload, [2, 1], 0, &[], 1025), 0);
        // The ends are used again, and nothing is said of that.
        assert_eq!(flags(&mut offload, [2, 1], 0, &[1, 1, 1, 1], 0), 0);
        assert_eq!(flags(&mut offload, [1, 2], 0, &[], 1025), 0);
    }
}
