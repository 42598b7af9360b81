//! Lanes: a capture's packets are told apart so that several threads can work on them, and a connection's always stay together.

use super::Tuple;
use std::net::{IpAddr, SocketAddr};

/// One of [`Lane::COUNT`] kinds of packets; both directions of a connection are in the same.
///
/// Lanes depend on addresses and ports alone. What is bounded by lane is bounded alike on every machine, however many threads share them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane(u8);

/// 2⁶⁴ divided by the golden ratio: spreads the ports that a system hands out one after the other (Knuth, The Art of Computer Programming,
/// volume 3, section 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Lane {
    /// How many there are.
    pub const COUNT: usize = 16;

    /// The lane of a connection between these two ends: the exclusive or of both addresses, folded to 64 bits, and both ports.
    #[inline]
    pub fn of_ends(addresses: u64, ports: [u16; 2]) -> Lane {
        Lane((spread(addresses, ports) >> 60) as u8)
    }

    /// The lane of a packet that goes from one end to the other.
    pub fn of(tuple: &Tuple) -> Lane {
        let [src, dst] = [tuple.src, tuple.dst].map(|end: SocketAddr| fold(end.ip()));
        Lane::of_ends(src ^ dst, [tuple.src.port(), tuple.dst.port()])
    }

    /// Its place among all, from 0.
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A connection's ends in 64 bits of which the upper ones are spread evenly, the same for both directions.
#[inline(always)]
pub(super) fn spread(addresses: u64, ports: [u16; 2]) -> u64 {
    let ports = u64::from(ports[0]) + u64::from(ports[1]);
    addresses.wrapping_add(ports).wrapping_mul(GOLDEN)
}

/// Some of the lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lanes(u16);

impl Lanes {
    /// All of them.
    pub const ALL: Lanes = Lanes(u16::MAX);

    /// Every `count`th, beginning with the one at `first`.
    pub fn every(count: usize, first: usize) -> Lanes {
        let own = (first..Lane::COUNT).step_by(count.max(1));
        Lanes(own.fold(0, |lanes, lane| lanes | 1 << lane))
    }

    /// Of each lane, which of so many has it where each has [`every`](Self::every) one of its own.
    pub fn owners(count: usize) -> [u8; Lane::COUNT] {
        std::array::from_fn(|lane| (lane % count.max(1)) as u8)
    }

    /// Whether a lane is among them.
    #[inline]
    pub fn has(self, lane: Lane) -> bool {
        self.0 >> lane.0 & 1 == 1
    }

    /// Whether the first one is among them: of all who share the lanes, that is so for one.
    #[inline]
    pub fn has_first(self) -> bool {
        self.has(Lane(0))
    }
}

/// An address in 64 bits.
#[inline]
fn fold(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            (bits >> 64) as u64 ^ bits as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::TCP;

    fn lane(src: &str, dst: &str) -> Lane {
        let end = |text: &str| text.parse().expect("an end");
        let (src, dst) = (end(src), end(dst));
        Lane::of(&Tuple {
            src,
            dst,
            proto: TCP,
        })
    }

    #[test]
    fn both_directions_are_in_one_lane() {
        for (a, b) in [
            ("127.0.0.1:80", "127.0.0.1:40000"),
            ("10.1.2.3:80", "127.0.0.1:5"),
            ("[::1]:80", "[2001:db8::7]:40000"),
        ] {
            assert_eq!(lane(a, b), lane(b, a));
        }
    }

    #[test]
    fn who_shares_has_each_lane_once() {
        for count in 1..=Lane::COUNT + 1 {
            let shares: Vec<Lanes> = (0..count).map(|first| Lanes::every(count, first)).collect();
            for lane in 0..Lane::COUNT as u8 {
                let owner = usize::from(Lanes::owners(count)[usize::from(lane)]);
                let owns = |share: &usize| shares[*share].has(Lane(lane));
                let owners: Vec<usize> = (0..count).filter(owns).collect();
                assert_eq!(owners, [owner]);
            }
            let first = shares.iter().filter(|lanes| lanes.has_first());
            assert_eq!(first.count(), 1);
        }
    }

    /// A server's clients: whether their ports come one by one, or in steps of two, as Linux hands them out.
    #[test]
    fn clients_of_one_server_are_spread() {
        for step in 1..=2 {
            let mut of_lane = [0; Lane::COUNT];
            for client in 0..800 {
                let lane = lane(
                    "127.0.0.1:6379",
                    &format!("127.0.0.1:{}", 32_768 + client * step),
                );
                of_lane[lane.index()] += 1;
            }
            assert!(
                of_lane.iter().all(|count| (40..=60).contains(count)),
                "{of_lane:?}"
            );
        }
    }
}
