//! IPv6 (RFC 8200).

use super::printer::{Printed, Printer, u8_at};

/// Prints an IPv6 packet: the one of the frame, or one quoted in an ICMP error.
pub(super) fn print(p: &mut Printer, bytes: &[u8], _length: usize) -> Printed {
    p.protocol = "ip6";
    let _ = u8_at(bytes, 0)?;
    Ok(())
}
