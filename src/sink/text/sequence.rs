//! Initial sequence numbers of TCP connections, for relative sequence numbers in the lines.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

use crate::packet::Lane;

/// Maximum number of connections in a generation of one lane and IP version; two generations are
/// kept.
const MAX_GENERATION_CONNECTIONS: usize = (1 << 20) / Lane::COUNT;

/// An endpoint of a connection, packed for hashing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PackedEndpoint {
    /// Port in the lower 16 bits, IP version in the bits above.
    version_and_port: u64,
    /// Address; an IPv4 address is in the second element.
    address: [u64; 2],
}

impl PackedEndpoint {
    /// Packs an IPv4 address and a port.
    pub(super) fn from_ip4(address: [u8; 4], port: u16) -> PackedEndpoint {
        PackedEndpoint {
            version_and_port: 4 << 16 | u64::from(port),
            address: [0, u64::from(u32::from_be_bytes(address))],
        }
    }

    /// Packs an IPv6 address and a port.
    pub(super) fn from_ip6(address: [u8; 16], port: u16) -> PackedEndpoint {
        let bits = u128::from_be_bytes(address);
        PackedEndpoint {
            version_and_port: 6 << 16 | u64::from(port),
            address: [(bits >> 64) as u64, bits as u64],
        }
    }
}

/// Sequence numbers of a segment, absolute or relative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SeqNumbers {
    pub(super) seq: u32,
    pub(super) ack: u32,
    /// Number to subtract from the edges of selective acknowledgements.
    pub(super) sack_base: u32,
}

/// Sequence numbers that are printed as 0, of the lower and of the higher endpoint.
type BaseNumbers = [u32; 2];

/// The lower and the higher endpoint of a connection; the pair is the same for both directions.
type PackedPair = [PackedEndpoint; 2];

/// An IPv4 [`PackedPair`] in fewer bytes, because it is hashed for every segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct PackedPair4 {
    addresses: u64,
    ports: u64,
}

/// Initial sequence numbers by connection, in lanes: evictions do not depend on the number of
/// threads that share the lanes.
#[derive(Debug, Default)]
pub(super) struct SeqBaseTable {
    lanes: [SeqBasesByVersion; Lane::COUNT],
    /// Lane of the connection that was looked up last.
    pub(super) lane: Option<Lane>,
}

/// Initial sequence numbers of one lane.
#[derive(Debug, Default)]
struct SeqBasesByVersion {
    ip4: SeqBaseCache<PackedPair4>,
    ip6: SeqBaseCache<PackedPair>,
}

/// Initial sequence numbers by connection, in two generations.
///
/// When the newer generation is full, it replaces the older generation. This bounds the memory.
#[derive(Debug)]
struct SeqBaseCache<K> {
    newer: HashMap<K, BaseNumbers, RandomState>,
    older: HashMap<K, BaseNumbers, RandomState>,
}

/// Kind of a segment: a SYN starts a new connection even if its endpoints are in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SegmentKind {
    /// The segment has SYN.
    Syn,
    /// The segment does not have SYN.
    NonSyn,
}

impl SeqBaseTable {
    /// Returns the numbers to print for a segment with ACK: absolute numbers for the first segment
    /// of a connection, relative numbers for later segments.
    #[inline]
    pub(super) fn relative(
        &mut self,
        from: PackedEndpoint,
        to: PackedEndpoint,
        kind: SegmentKind,
        raw: SeqNumbers,
    ) -> SeqNumbers {
        let lane = lane(&from, &to);
        self.lane = Some(lane);
        let forward = from <= to;
        let ends = if forward { [from, to] } else { [to, from] };
        let peer = raw.ack.wrapping_sub(1);
        let bases = if forward {
            [raw.seq, peer]
        } else {
            [peer, raw.seq]
        };
        let caches = &mut self.lanes[lane.index()];
        let found = match packed_pair_4(&ends) {
            Some(ends) => caches.ip4.lookup_or_insert(ends, kind, bases),
            None => caches.ip6.lookup_or_insert(ends, kind, bases),
        };
        let Some([low, high]) = found else {
            return SeqNumbers {
                sack_base: peer,
                ..raw
            };
        };
        let (own, peer) = if forward { (low, high) } else { (high, low) };
        SeqNumbers {
            seq: raw.seq.wrapping_sub(own),
            ack: raw.ack.wrapping_sub(peer),
            sack_base: peer,
        }
    }
}

impl<K: Hash + Eq + Copy> SeqBaseCache<K> {
    /// Returns the base numbers of a connection; inserts `bases` and returns `None` if this is the
    /// connection's first segment.
    #[inline]
    fn lookup_or_insert(
        &mut self,
        ends: K,
        kind: SegmentKind,
        bases: BaseNumbers,
    ) -> Option<BaseNumbers> {
        let found = match kind {
            SegmentKind::NonSyn => self.lookup(ends),
            SegmentKind::Syn => None,
        };
        if found.is_none() {
            self.insert(ends, bases);
        }
        found
    }

    #[inline]
    fn lookup(&mut self, ends: K) -> Option<BaseNumbers> {
        if let Some(bases) = self.newer.get(&ends) {
            return Some(*bases);
        }
        let bases = self.older.remove(&ends)?;
        self.insert(ends, bases);
        Some(bases)
    }

    fn insert(&mut self, ends: K, bases: BaseNumbers) {
        if self.newer.len() >= MAX_GENERATION_CONNECTIONS {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(ends, bases);
    }
}

impl<K> Default for SeqBaseCache<K> {
    fn default() -> SeqBaseCache<K> {
        SeqBaseCache {
            newer: HashMap::default(),
            older: HashMap::default(),
        }
    }
}

/// Packs the endpoints of an IPv4 connection; returns `None` for other connections.
#[inline]
fn packed_pair_4([low, high]: &PackedPair) -> Option<PackedPair4> {
    let is_ip4 = low.version_and_port >> 16 == 4 && high.version_and_port >> 16 == 4;
    is_ip4.then_some(PackedPair4 {
        addresses: low.address[1] << 32 | high.address[1],
        ports: (low.version_and_port & 0xffff) << 16 | high.version_and_port & 0xffff,
    })
}

/// Returns the lane of the connection between two endpoints.
#[inline]
fn lane(from: &PackedEndpoint, to: &PackedEndpoint) -> Lane {
    let fold = |end: &PackedEndpoint| end.address[0] ^ end.address[1];
    Lane::of_ends(
        fold(from) ^ fold(to),
        [from.version_and_port as u16, to.version_and_port as u16],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(port: u16) -> PackedEndpoint {
        PackedEndpoint::from_ip4([127; 4], port)
    }

    fn numbers(seq: u32, ack: u32, sack_base: u32) -> SeqNumbers {
        SeqNumbers {
            seq,
            ack,
            sack_base,
        }
    }

    #[test]
    fn numbers_are_relative_from_the_second_segment_on() {
        let mut sequences = SeqBaseTable::default();
        let (a, b) = (end(80), end(40000));
        let mut show =
            |from, to, kind, seq, ack| sequences.relative(from, to, kind, numbers(seq, ack, 0));
        assert_eq!(
            show(a, b, SegmentKind::Syn, 1000, 501),
            numbers(1000, 501, 500)
        );
        assert_eq!(
            show(b, a, SegmentKind::NonSyn, 501, 1001),
            numbers(1, 1, 1000)
        );
        assert_eq!(
            show(a, b, SegmentKind::NonSyn, 1001, 511),
            numbers(1, 11, 500)
        );
        // A SYN starts a new connection.
        assert_eq!(show(a, b, SegmentKind::Syn, 7, 9), numbers(7, 9, 8));
        assert_eq!(show(b, a, SegmentKind::NonSyn, 9, 8), numbers(1, 1, 7));
    }

    #[test]
    fn a_connection_in_use_survives_a_generation_change() {
        let mut sequences = SeqBaseTable::default();
        sequences.relative(end(1), end(2), SegmentKind::NonSyn, numbers(10, 20, 0));
        for caches in &mut sequences.lanes {
            caches.ip4.older = std::mem::take(&mut caches.ip4.newer);
        }
        let shown = sequences.relative(end(2), end(1), SegmentKind::NonSyn, numbers(20, 11, 0));
        assert_eq!(shown, numbers(1, 1, 10));
        let newer = sequences.lanes.iter().map(|caches| caches.ip4.newer.len());
        assert_eq!(newer.sum::<usize>(), 1);
    }
}
