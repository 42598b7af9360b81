//! ARP (RFC 826).

use super::printer::{Printed, Printer};

/// Prints an ARP or RARP packet.
pub(super) fn print(p: &mut Printer, _bytes: &[u8], length: usize) -> Printed {
    p.protocol = "arp";
    p.text("ARP, length ");
    p.decimal(length as u32);
    Ok(())
}
