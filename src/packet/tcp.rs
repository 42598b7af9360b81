//! TCP headers: fixed part, control bits and options (RFC 9293 section 3.1, RFC 7323, RFC 2018).

/// Fixed part and options of a TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcp<'a> {
    /// Sequence number, as in the header.
    pub seq: u32,
    /// Acknowledgement number, as in the header.
    pub ack: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// Receive window, as in the header (unscaled).
    pub window: u16,
    /// Urgent pointer; 0 if it was not captured.
    pub urgent: u16,
    /// Captured part of the options, unparsed.
    pub options: &'a [u8],
}

/// The nine control bits of a TCP header (RFC 9293 section 3.1, RFC 3540 for NS).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(1);
    /// Synchronize sequence numbers.
    pub const SYN: TcpFlags = TcpFlags(2);
    /// Reset the connection.
    pub const RST: TcpFlags = TcpFlags(4);
    /// Push function: deliver the data without delay.
    pub const PSH: TcpFlags = TcpFlags(8);
    /// The acknowledgement number is valid.
    pub const ACK: TcpFlags = TcpFlags(16);
    /// The urgent pointer is valid.
    pub const URG: TcpFlags = TcpFlags(32);
    /// ECN-Echo (explicit congestion notification).
    pub const ECE: TcpFlags = TcpFlags(64);
    /// Congestion window reduced.
    pub const CWR: TcpFlags = TcpFlags(128);
    /// Nonce sum, or accurate ECN.
    pub const NS: TcpFlags = TcpFlags(256);

    /// Letters that tcpdump prints, from the lowest bit up.
    const LETTERS: [u8; 9] = *b"FSRP.UEWe";

    /// Returns true if every bit of `other` is set.
    pub fn contains(self, other: TcpFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns true for SYN without ACK, the client's first segment of a connection.
    #[inline]
    pub fn is_initial_syn(self) -> bool {
        self.contains(TcpFlags::SYN) && !self.contains(TcpFlags::ACK)
    }

    /// Returns tcpdump's letters (`S.`) and their number, 0 if no bit is set; the array beyond them
    /// is unused.
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
    /// Maximum segment size in bytes (kind 2).
    MaxSegmentSize(u16),
    /// Window scale: a shift count (kind 3).
    WindowScale(u8),
    /// Selective acknowledgements are permitted (kind 4).
    SackPermitted,
    /// Selective acknowledgements (kind 5): pairs of 32-bit sequence numbers, left and right edge.
    Sack(&'a [u8]),
    /// Timestamps (kind 8).
    Timestamps {
        /// TSval: the sender's clock.
        value: u32,
        /// TSecr: the peer's clock, echoed.
        echo: u32,
    },
    /// Any other option, by its kind (IANA "TCP Option Kind Numbers").
    Other(u8),
}

/// Iterator over the complete options of a header.
///
/// etherparse's own iterator ends at the first unknown kind.
#[derive(Debug, Clone)]
pub struct TcpOptions<'a>(&'a [u8]);

impl<'a> Tcp<'a> {
    /// Returns the options without padding, up to the first truncated or malformed one.
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
                (2, &[a, b]) => TcpOption::MaxSegmentSize(u16::from_be_bytes([a, b])),
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
    use super::{Tcp, TcpFlags, TcpOption};

    fn options(bytes: &[u8]) -> Vec<TcpOption<'_>> {
        let flags = TcpFlags::SYN;
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
    fn options_after_an_unrecognized_kind_are_parsed() {
        let bytes = [
            2, 4, 0xff, 0xd7, 4, 2, 30, 4, 1, 2, 1, 3, 3, 7, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2,
        ];
        let expected = [
            TcpOption::MaxSegmentSize(65495),
            TcpOption::SackPermitted,
            TcpOption::Other(30),
            TcpOption::WindowScale(7),
            TcpOption::Timestamps { value: 1, echo: 2 },
        ];
        assert_eq!(options(&bytes), expected);
    }

    #[test]
    fn parsing_stops_at_a_malformed_option() {
        for malformed in [
            &[4, 2, 8, 10, 0][..],
            &[4, 2, 3, 1, 9],
            &[4, 2, 0, 3, 3, 7],
            &[4, 2, 2],
        ] {
            assert_eq!(
                options(malformed),
                [TcpOption::SackPermitted],
                "{malformed:?}"
            );
        }
    }
}
