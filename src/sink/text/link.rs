//! The link layers (<https://www.tcpdump.org/linktypes.html>): which printer a frame begins with, and those that are
//! nothing but an address family or no header at all.

use super::printer::{Printed, Printer, array_at, rest, u8_at};
use super::{dump, ethernet, ip4, ip6, sll};
use crate::packet::LinkType;

/// Prints a frame and returns how long its link header is.
#[inline]
pub(super) fn print(
    p: &mut Printer,
    link: LinkType,
    bytes: &[u8],
    length: usize,
) -> Printed<usize> {
    match link {
        LinkType::ETHERNET => ethernet::print(p, bytes, length),
        LinkType::NULL | LinkType::LOOP => family(p, bytes, length),
        LinkType::RAW | LinkType::RAW_12 | LinkType::RAW_14 | LinkType::IPV4 | LinkType::IPV6 => {
            raw(p, bytes, length)
        }
        LinkType::LINUX_SLL => sll::print_1(p, bytes, length),
        LinkType::LINUX_SLL2 => sll::print_2(p, bytes, length),
        _ => {
            p.protocol = "unsupported";
            p.text("UNSUPPORTED");
            dump::hex_and_ascii(p.out, bytes);
            Ok(0)
        }
    }
}

/// BSD's loopback header: an address family of 32 bits.
fn family(p: &mut Printer, bytes: &[u8], length: usize) -> Printed<usize> {
    const HEADER: usize = 4;
    p.protocol = "null";
    // The byte order is that of the machine that captured; families are small, so the other order shows itself.
    let family = match u32::from_le_bytes(array_at(bytes, 0)?) {
        family if family >> 16 != 0 => family.swap_bytes(),
        family => family,
    };
    if p.style.link {
        family_header(p, family, length);
    }
    let (inner, left) = (rest(bytes, HEADER), length - HEADER);
    match family {
        2 => ip4::print(p, inner, left)?,
        24 | 28 | 30 => ip6::print(p, inner, left)?,
        _ => {
            if !p.style.link {
                family_header(p, family, length);
            }
            p.unknown_bytes(inner);
        }
    }
    Ok(HEADER)
}

fn family_header(p: &mut Printer, family: u32, length: usize) {
    let name = match family {
        2 => Some("IPv4"),
        6 => Some("NS"),
        7 => Some("ISO"),
        16 => Some("Appletalk"),
        23 => Some("IPX"),
        24 | 28 | 30 => Some("IPv6"),
        _ => None,
    };
    match (p.style.quiet, name) {
        (true, Some(name)) => p.text(name),
        (true, None) => p.format(format_args!("Unknown AF {family}")),
        (false, name) => {
            let name = name.unwrap_or("Unknown");
            p.format(format_args!("AF {name} ({family})"));
        }
    }
    p.format(format_args!(", length {length}: "));
}

/// IP without a link header; the first four bits say which.
fn raw(p: &mut Printer, bytes: &[u8], length: usize) -> Printed<usize> {
    p.protocol = "raw";
    if p.style.link {
        p.text("ip: ");
    }
    p.protocol = "ipn";
    match u8_at(bytes, 0)? >> 4 {
        4 => ip4::print(p, bytes, length)?,
        6 => ip6::print(p, bytes, length)?,
        version => p.format(format_args!("unknown ip {version}")),
    }
    Ok(0)
}
