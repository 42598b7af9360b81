//! Dispatch of a link layer's payload by its EtherType.

use super::ethertype::{ARP, IP4, IP6, REVERSE_ARP};
use super::printer::{PrintResult, Printer};
use super::{arp, ip4, ip6};

/// Prints the payload of an EtherType; returns false if lcap does not dissect it.
#[inline]
pub(super) fn print(p: &mut Printer, kind: u16, bytes: &[u8], length: usize) -> PrintResult<bool> {
    match kind {
        IP4 => ip4::print(p, bytes, length)?,
        IP6 => ip6::print(p, bytes, length)?,
        ARP | REVERSE_ARP => arp::print(p, bytes, length)?,
        _ => return Ok(false),
    }
    Ok(true)
}
