//! ICMPv6 (RFC 4443).

use super::printer::{Printed, Printer};

/// Prints an ICMPv6 message; `ip6` is everything from the IPv6 header on.
pub(super) fn print(
    p: &mut Printer,
    _bytes: &[u8],
    length: usize,
    _ip6: &[u8],
    _fragmented: bool,
) -> Printed {
    p.protocol = "icmp6";
    p.text(" ip-proto-58 ");
    p.decimal(length as u32);
    Ok(())
}
