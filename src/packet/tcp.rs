//! TCP headers: the fixed part, the control bits, the options (RFC 9293 section 3.1, RFC 7323, RFC 2018).

/// A TCP header's fixed part and options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcp<'a> {
    /// Sequence number as it stands in the header.
    pub seq: u32,
    /// Acknowledgement number as it stands in the header.
    pub ack: u32,
    /// Control bits.
    pub flags: Flags,
    /// Window as it stands in the header, unscaled.
    pub window: u16,
    /// Urgent pointer; 0 where it was not captured.
    pub urgent: u16,
    /// The options that were captured.
    pub options: &'a [u8],
}

/// The nine control bits of a TCP header (RFC 9293 section 3.1, RFC 3540 for NS).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(pub u16);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Flags = Flags(1);
    /// Synchronise sequence numbers.
    pub const SYN: Flags = Flags(2);
    /// Reset the connection.
    pub const RST: Flags = Flags(4);
    /// Push.
    pub const PSH: Flags = Flags(8);
    /// The acknowledgement number counts.
    pub const ACK: Flags = Flags(16);
    /// The urgent pointer counts.
    pub const URG: Flags = Flags(32);
    /// Explicit congestion notification echo.
    pub const ECE: Flags = Flags(64);
    /// Congestion window reduced.
    pub const CWR: Flags = Flags(128);
    /// Nonce sum, or accurate ECN.
    pub const NS: Flags = Flags(256);

    /// The letters that tcpdump prints, in the order of the bits.
    const LETTERS: [u8; 9] = *b"FSRP.UEWe";

    /// Whether every bit of `other` is set.
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether they are a client's SYN, with which a connection opens.
    #[inline]
    pub fn open(self) -> bool {
        self.has(Flags::SYN) && !self.has(Flags::ACK)
    }

    /// tcpdump's letters (`S.`), nothing for no bit; the second value is how many of the array count.
    pub fn letters(self) -> ([u8; 9], usize) {
        let (mut out, mut len) = ([0; 9], 0);
        for (bit, letter) in Self::LETTERS.into_iter().enumerate() {
            if self.0 & (1 << bit) != 0 {
                out[len] = letter;
                len += 1;
            }
        }
        (out, len)
    }
}

/// One option of a TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpOption<'a> {
    /// Maximum segment size in bytes (2).
    MaxSegment(u16),
    /// Window scale: a shift count (3).
    WindowScale(u8),
    /// Selective acknowledgements may be sent (4).
    SackPermitted,
    /// Selective acknowledgements (5): pairs of 32-bit sequence numbers, left and right edge.
    Sack(&'a [u8]),
    /// Time stamps (8).
    Timestamps {
        /// The sender's clock.
        value: u32,
        /// The clock that is echoed.
        echo: u32,
    },
    /// Any other, by its kind (IANA "TCP Option Kind Numbers").
    Other(u8),
}

/// Walks options as far as they are whole. etherparse's own walk ends at the first kind that it does not know.
#[derive(Debug, Clone)]
pub struct TcpOptions<'a>(&'a [u8]);

impl<'a> Tcp<'a> {
    /// The options without padding, up to the first that is cut or impossible.
    pub fn options(&self) -> TcpOptions<'a> {
        TcpOptions(self.options)
    }
}

impl<'a> Iterator for TcpOptions<'a> {
    type Item = TcpOption<'a>;

    fn next(&mut self) -> Option<TcpOption<'a>> {
        loop {
            let (kind, len, rest) = match *self.0 {
                // End of options.
                [] | [0, ..] => return None,
                // No operation.
                [1, ref rest @ ..] => {
                    self.0 = rest;
                    continue;
                }
                [kind, len, ref rest @ ..] => (kind, usize::from(len).checked_sub(2)?, rest),
                [_] => return None,
            };
            let (value, rest) = rest.split_at_checked(len)?;
            self.0 = rest;
            return Some(match (kind, value) {
                (2, &[a, b]) => TcpOption::MaxSegment(u16::from_be_bytes([a, b])),
                (3, &[shift]) => TcpOption::WindowScale(shift),
                (4, []) => TcpOption::SackPermitted,
                (5, edges) if edges.len() % 8 == 0 => TcpOption::Sack(edges),
                (8, &[a, b, c, d, e, f, g, h]) => TcpOption::Timestamps {
                    value: u32::from_be_bytes([a, b, c, d]),
                    echo: u32::from_be_bytes([e, f, g, h]),
                },
                _ => TcpOption::Other(kind),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Flags, Tcp, TcpOption};

    fn options(bytes: &[u8]) -> Vec<TcpOption<'_>> {
        let flags = Flags::SYN;
        Tcp {
            seq: 0,
            ack: 0,
            flags,
            window: 0,
            urgent: 0,
            options: bytes,
        }
        .options()
        .collect()
    }

    #[test]
    fn an_unknown_kind_does_not_end_the_walk() {
        let bytes = [
            2, 4, 0xff, 0xd7, 4, 2, 30, 4, 1, 2, 1, 3, 3, 7, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2,
        ];
        let expected = [
            TcpOption::MaxSegment(65495),
            TcpOption::SackPermitted,
            TcpOption::Other(30),
            TcpOption::WindowScale(7),
            TcpOption::Timestamps { value: 1, echo: 2 },
        ];
        assert_eq!(options(&bytes), expected);
    }

    #[test]
    fn broken_options_end_the_walk() {
        for broken in [
            &[4, 2, 8, 10, 0][..],
            &[4, 2, 3, 1, 9],
            &[4, 2, 0, 3, 3, 7],
            &[4, 2, 2],
        ] {
            assert_eq!(options(broken), [TcpOption::SackPermitted], "{broken:?}");
        }
    }
}
