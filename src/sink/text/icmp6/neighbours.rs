//! IPv6 neighbour discovery: routers, neighbours, redirects (RFC 4861).

use super::super::printer::{PrintResult, Printer, array_at, u8_at, u16_at, u32_at};
use super::{Icmp6Message, options, print_address};

const ROUTER_FLAGS: [(u32, &str); 4] = [
    (0x80, "managed"),
    (0x40, "other stateful"),
    (0x20, "home agent"),
    (0x02, "ipv6 only"),
];

const NEIGHBOUR_FLAGS: [(u32, &str); 3] = [
    (0x8000_0000, "router"),
    (0x4000_0000, "solicited"),
    (0x2000_0000, "override"),
];

/// Prints a router solicitation.
pub(super) fn print_router_solicitation(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    print_options(p, message, 8)
}

/// Prints the options with `-v`; without `-v`, prints nothing.
fn print_options(p: &mut Printer, message: &Icmp6Message, at: usize) -> PrintResult {
    if p.style.verbose == 0 {
        return Ok(());
    }
    options::print(p, message.bytes, at)
}

/// Prints a router advertisement.
pub(super) fn print_router_advertisement(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    if p.style.verbose == 0 {
        return Ok(());
    }
    let bytes = message.bytes;
    let hops = u8_at(bytes, 4)?;
    let flags = u8_at(bytes, 5)?;
    let lifetime = u16_at(bytes, 6)?;
    let reachable = u32_at(bytes, 8)?;
    let retransmit = u32_at(bytes, 12)?;
    write!(p, "\n\thop limit {hops}, Flags [");
    p.push_flags(&ROUTER_FLAGS, u32::from(flags));
    write!(
        p,
        "], pref {}, router lifetime {lifetime}s, reachable time {reachable}ms, retrans timer {retransmit}ms",
        options::preference(flags)
    );
    options::print(p, bytes, 16)
}

/// Prints a neighbour solicitation.
pub(super) fn print_solicitation(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    array_at::<16>(message.bytes, 8)?;
    p.push_str(", who has ");
    print_address(p, message.bytes, 8)?;
    print_options(p, message, 24)
}

/// Prints a neighbour advertisement.
pub(super) fn print_advertisement(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    array_at::<16>(message.bytes, 8)?;
    p.push_str(", tgt is ");
    print_address(p, message.bytes, 8)?;
    if p.style.verbose > 0 {
        p.push_str(", Flags [");
        p.push_flags(&NEIGHBOUR_FLAGS, u32_at(message.bytes, 4)?);
        p.push_str("]");
    }
    print_options(p, message, 24)
}

/// Prints a redirect: the destination and the better first hop to it.
pub(super) fn print_redirect(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    array_at::<16>(message.bytes, 24)?;
    p.push_str(", ");
    print_address(p, message.bytes, 24)?;
    p.push_str(" to ");
    print_address(p, message.bytes, 8)?;
    print_options(p, message, 40)
}
