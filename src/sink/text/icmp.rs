//! ICMP (RFC 792).

use super::printer::{Printed, Printer};

/// Prints an ICMP message.
pub(super) fn print(p: &mut Printer, _bytes: &[u8], length: usize, _fragmented: bool) -> Printed {
    p.protocol = "icmp";
    p.text(" ip-proto-1 ");
    p.decimal(length as u32);
    Ok(())
}
