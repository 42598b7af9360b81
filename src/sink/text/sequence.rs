//! Where the sequence numbers of each TCP connection began, so that a line shows them relative to that.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

use crate::packet::Lane;

/// Connections of a lane and an IP version that are remembered at least; at most twice as many are.
const GENERATION: usize = (1 << 20) / Lane::COUNT;

/// An end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct End {
    /// The port, and the IP version above it.
    port: u64,
    /// The address; one of IPv4 is in the second half.
    address: [u64; 2],
}

impl End {
    /// A port of an IPv4 address.
    pub(super) fn version_4(address: [u8; 4], port: u16) -> End {
        End {
            port: 4 << 16 | u64::from(port),
            address: [0, u64::from(u32::from_be_bytes(address))],
        }
    }

    /// A port of an IPv6 address.
    pub(super) fn version_6(address: [u8; 16], port: u16) -> End {
        let bits = u128::from_be_bytes(address);
        End {
            port: 6 << 16 | u64::from(port),
            address: [(bits >> 64) as u64, bits as u64],
        }
    }
}

/// A segment's numbers: as they stand in the header, then as they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Numbers {
    /// The sequence number.
    pub(super) seq: u32,
    /// The acknowledgement number.
    pub(super) ack: u32,
    /// What the edges of selective acknowledgements are shown relative to.
    pub(super) sack_base: u32,
}

/// The sequence numbers that count as 0 at the lower and at the higher end.
type Start = [u32; 2];

/// The lower end of a connection, then the higher one: the same for both directions.
type Ends = [End; 2];

/// The same in fewer words, which are hashed for every segment: both addresses of IPv4, and both ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Ends4 {
    addresses: u64,
    ports: u64,
}

/// The connections that were seen, lane by lane: what is forgotten does not depend on how many threads share the lanes.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    lanes: [Connections; Lane::COUNT],
    /// The lane of the connection that was asked for last.
    pub(super) lane: Option<Lane>,
}

/// The connections of a lane.
#[derive(Debug, Default)]
struct Connections {
    ip4: Known<Ends4>,
    ip6: Known<Ends>,
}

/// Connections, the starts of which are known.
///
/// There are two generations: where the newer one is full the older one is forgotten, which bounds the memory.
#[derive(Debug)]
struct Known<K> {
    newer: HashMap<K, Start, RandomState>,
    older: HashMap<K, Start, RandomState>,
}

/// Whether a segment begins a connection, whatever was seen between its ends before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It has SYN.
    First,
    /// It has not.
    Later,
}

impl Sequences {
    /// How to show the numbers of a segment with ACK: relative, but for the first one of a connection.
    #[inline]
    pub(super) fn relative(&mut self, from: End, to: End, place: Place, raw: Numbers) -> Numbers {
        let lane = lane(&from, &to);
        self.lane = Some(lane);
        let forward = from <= to;
        let ends = if forward { [from, to] } else { [to, from] };
        let peer = raw.ack.wrapping_sub(1);
        let start = if forward {
            [raw.seq, peer]
        } else {
            [peer, raw.seq]
        };
        let known = &mut self.lanes[lane.index()];
        let known = match in_fewer_words(&ends) {
            Some(ends) => known.ip4.start(ends, place, start),
            None => known.ip6.start(ends, place, start),
        };
        let Some([low, high]) = known else {
            return Numbers {
                sack_base: peer,
                ..raw
            };
        };
        let (own, peer) = if forward { (low, high) } else { (high, low) };
        Numbers {
            seq: raw.seq.wrapping_sub(own),
            ack: raw.ack.wrapping_sub(peer),
            sack_base: peer,
        }
    }
}

impl<K: Hash + Eq + Copy> Known<K> {
    /// Where a connection began; none if this segment is its first one, which says it from then on.
    #[inline]
    fn start(&mut self, ends: K, place: Place, start: Start) -> Option<Start> {
        let known = match place {
            Place::Later => self.find(ends),
            Place::First => None,
        };
        if known.is_none() {
            self.insert(ends, start);
        }
        known
    }

    #[inline]
    fn find(&mut self, ends: K) -> Option<Start> {
        if let Some(start) = self.newer.get(&ends) {
            return Some(*start);
        }
        let start = self.older.remove(&ends)?;
        self.insert(ends, start);
        Some(start)
    }

    fn insert(&mut self, ends: K, start: Start) {
        if self.newer.len() >= GENERATION {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(ends, start);
    }
}

impl<K> Default for Known<K> {
    fn default() -> Known<K> {
        Known {
            newer: HashMap::default(),
            older: HashMap::default(),
        }
    }
}

/// The ends of a connection over IPv4; none of another.
#[inline]
fn in_fewer_words([low, high]: &Ends) -> Option<Ends4> {
    let is_ip4 = low.port >> 16 == 4 && high.port >> 16 == 4;
    is_ip4.then_some(Ends4 {
        addresses: low.address[1] << 32 | high.address[1],
        ports: (low.port & 0xffff) << 16 | high.port & 0xffff,
    })
}

/// The lane of the connection between two ends.
#[inline]
fn lane(from: &End, to: &End) -> Lane {
    let fold = |end: &End| end.address[0] ^ end.address[1];
    Lane::of_ends(fold(from) ^ fold(to), [from.port as u16, to.port as u16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(port: u16) -> End {
        End::version_4([127; 4], port)
    }

    fn numbers(seq: u32, ack: u32, sack_base: u32) -> Numbers {
        Numbers {
            seq,
            ack,
            sack_base,
        }
    }

    #[test]
    fn relative_in_both_directions_from_the_second_segment_on() {
        let mut sequences = Sequences::default();
        let (a, b) = (end(80), end(40000));
        let mut show =
            |from, to, place, seq, ack| sequences.relative(from, to, place, numbers(seq, ack, 0));
        assert_eq!(show(a, b, Place::First, 1000, 501), numbers(1000, 501, 500));
        assert_eq!(show(b, a, Place::Later, 501, 1001), numbers(1, 1, 1000));
        assert_eq!(show(a, b, Place::Later, 1001, 511), numbers(1, 11, 500));
        // A SYN begins again.
        assert_eq!(show(a, b, Place::First, 7, 9), numbers(7, 9, 8));
        assert_eq!(show(b, a, Place::Later, 9, 8), numbers(1, 1, 7));
    }

    #[test]
    fn a_generation_survives_the_next_one() {
        let mut sequences = Sequences::default();
        sequences.relative(end(1), end(2), Place::Later, numbers(10, 20, 0));
        for known in &mut sequences.lanes {
            known.ip4.older = std::mem::take(&mut known.ip4.newer);
        }
        let shown = sequences.relative(end(2), end(1), Place::Later, numbers(20, 11, 0));
        assert_eq!(shown, numbers(1, 1, 10));
        let newer = sequences.lanes.iter().map(|known| known.ip4.newer.len());
        assert_eq!(newer.sum::<usize>(), 1);
    }
}
