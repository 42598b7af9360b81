//! Initial sequence numbers of TCP connections, for relative sequence numbers in the lines.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::packet::Endpoints;

/// Maximum number of connections in a generation; two generations are kept.
const MAX_GENERATION_CONNECTIONS: usize = 1 << 20;

/// Sequence numbers of a segment, absolute or relative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SeqNumbers {
    pub(super) seq: u32,
    pub(super) ack: u32,
    /// Number to subtract from the edges of selective acknowledgements.
    pub(super) sack_base: u32,
}

/// Sequence numbers that are printed as 0, of both ends in the order of the connection's
/// [undirected](Endpoints::undirected) endpoints.
type BaseNumbers = [u32; 2];

/// Initial sequence numbers by connection, in two generations.
///
/// When the newer generation is full, it replaces the older generation. This bounds the memory.
#[derive(Debug, Default)]
pub(super) struct SeqBaseTable {
    newer: HashMap<Endpoints, BaseNumbers, RandomState>,
    older: HashMap<Endpoints, BaseNumbers, RandomState>,
}

impl SeqBaseTable {
    /// Returns the numbers to print for a segment with ACK: absolute numbers for the first segment
    /// of a connection, relative numbers for later segments. A SYN starts a new connection even if
    /// its endpoints are in the table.
    #[inline]
    pub(super) fn relative(
        &mut self,
        segment: &Endpoints,
        is_syn: bool,
        raw: SeqNumbers,
    ) -> SeqNumbers {
        let connection = segment.undirected();
        let is_forward = connection == *segment;
        let peer = raw.ack.wrapping_sub(1);
        let bases = if is_syn {
            None
        } else {
            self.lookup(connection)
        };
        let Some([low, high]) = bases else {
            let bases = match is_forward {
                true => [raw.seq, peer],
                false => [peer, raw.seq],
            };
            self.insert(connection, bases);
            return SeqNumbers {
                sack_base: peer,
                ..raw
            };
        };
        let (own, peer) = if is_forward { (low, high) } else { (high, low) };
        SeqNumbers {
            seq: raw.seq.wrapping_sub(own),
            ack: raw.ack.wrapping_sub(peer),
            sack_base: peer,
        }
    }

    #[inline]
    fn lookup(&mut self, connection: Endpoints) -> Option<BaseNumbers> {
        if let Some(bases) = self.newer.get(&connection) {
            return Some(*bases);
        }
        let bases = self.older.remove(&connection)?;
        self.insert(connection, bases);
        Some(bases)
    }

    fn insert(&mut self, connection: Endpoints, bases: BaseNumbers) {
        if self.newer.len() >= MAX_GENERATION_CONNECTIONS {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(connection, bases);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::TCP;

    fn segment(src: u16, dst: u16) -> Endpoints {
        Endpoints::from_ipv4([127; 4], [127; 4], [src, dst], TCP)
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
        let (to_client, to_server) = (segment(80, 40000), segment(40000, 80));
        let mut show =
            |segment, is_syn, seq, ack| sequences.relative(&segment, is_syn, numbers(seq, ack, 0));
        assert_eq!(show(to_client, true, 1000, 501), numbers(1000, 501, 500));
        assert_eq!(show(to_server, false, 501, 1001), numbers(1, 1, 1000));
        assert_eq!(show(to_client, false, 1001, 511), numbers(1, 11, 500));
        // A SYN starts a new connection.
        assert_eq!(show(to_client, true, 7, 9), numbers(7, 9, 8));
        assert_eq!(show(to_server, false, 9, 8), numbers(1, 1, 7));
    }

    #[test]
    fn a_connection_in_use_survives_a_generation_change() {
        let mut sequences = SeqBaseTable::default();
        sequences.relative(&segment(1, 2), false, numbers(10, 20, 0));
        sequences.older = std::mem::take(&mut sequences.newer);
        let shown = sequences.relative(&segment(2, 1), false, numbers(20, 11, 0));
        assert_eq!(shown, numbers(1, 1, 10));
        assert_eq!(sequences.newer.len(), 1);
    }
}
