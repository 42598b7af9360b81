//! A usual packet, in brief.

use std::hint::black_box;

use super::lane::spread;
use super::{Frame, Lane, Payload, Tcp, TcpFlags};

/// A packet as far as filters and flows need it: who sends to whom, how much, and what. [`decode::brief`](crate::decode::brief) makes one of a
/// usual TCP segment or UDP datagram.
#[derive(Debug, Clone, Copy)]
pub struct Brief<'a> {
    /// The frame it came in.
    pub frame: Frame<'a>,
    /// IP version, 4 or 6.
    pub version: u8,
    /// The sender's address; IPv4 in the low half of the second word.
    pub src: [u64; 2],
    /// The receiver's.
    pub dst: [u64; 2],
    /// Source and destination port.
    pub ports: [u16; 2],
    /// IANA's protocol number.
    pub proto: u8,
    /// Its frames' length on the wire, in bytes.
    pub wire_len: u32,
    /// Its length as the IP header gives it, header included, in bytes.
    pub ip_len: u32,
    /// The header, if it is a TCP segment.
    pub tcp: Option<Tcp<'a>>,
    /// The data.
    pub payload: Payload<'a>,
}

impl<'a> Brief<'a> {
    /// A copy for who needs it rarely. What a call gets by reference has to stand in memory, and a compiler that sees that the call only reads
    /// it gives away the original, so that all of that would have to stand there each time.
    #[inline(always)]
    pub fn apart(&self) -> Brief<'a> {
        black_box(*self)
    }

    /// The lane that it is in.
    #[inline(always)]
    pub fn lane(&self) -> Lane {
        Lane::of_ends(self.addresses(), self.ports)
    }

    /// Its ends in 64 bits of which the upper ones are spread evenly, the same for both directions; the uppermost four are the lane.
    #[inline(always)]
    pub fn spread(&self) -> u64 {
        spread(self.addresses(), self.ports)
    }

    #[inline(always)]
    fn addresses(&self) -> u64 {
        let [a, b] = self.src;
        let [c, d] = self.dst;
        a ^ b ^ c ^ d
    }

    /// Whether it is a client's SYN, with which a connection opens.
    #[inline(always)]
    pub fn opens(&self) -> bool {
        self.tcp.is_some_and(|tcp| tcp.flags.is_initial_syn())
    }

    /// Whether it is a segment with a SYN or a FIN.
    #[inline(always)]
    pub fn opens_or_closes(&self) -> bool {
        const EITHER: u16 = TcpFlags::SYN.0 | TcpFlags::FIN.0;
        self.tcp.is_some_and(|tcp| tcp.flags.0 & EITHER != 0)
    }
}
