//! IPv4 (RFC 791).

use super::printer::{Printed, Printer, u8_at};

/// Prints an IPv4 packet: the one of the frame, or one quoted in an ICMP error.
pub(super) fn print(p: &mut Printer, bytes: &[u8], _length: usize) -> Printed {
    p.protocol = "ip";
    let _ = u8_at(bytes, 0)?;
    Ok(())
}
