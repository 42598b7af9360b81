//! Link-layer types (<https://www.tcpdump.org/linktypes.html>): selection of a frame's printer, and
//! the printers of BSD loopback and raw IP frames.

use super::printer::{PrintResult, Printer, array_at, rest, u8_at};
use super::{dump, ethernet, ip4, ip6, sll};
use crate::packet::LinkType;

/// Prints a frame and returns the length of its link header.
#[inline]
pub(super) fn print(
    p: &mut Printer,
    link: LinkType,
    bytes: &[u8],
    length: usize,
) -> PrintResult<usize> {
    match link {
        LinkType::ETHERNET => ethernet::print(p, bytes, length),
        LinkType::NULL | LinkType::LOOP => print_null(p, bytes, length),
        LinkType::RAW | LinkType::RAW_12 | LinkType::RAW_14 | LinkType::IPV4 | LinkType::IPV6 => {
            print_raw(p, bytes, length)
        }
        LinkType::LINUX_SLL => sll::print_v1(p, bytes, length),
        LinkType::LINUX_SLL2 => sll::print_v2(p, bytes, length),
        _ => {
            p.protocol = "unsupported";
            p.push_str("UNSUPPORTED");
            dump::write_hex_and_ascii(p.out, bytes);
            Ok(0)
        }
    }
}

/// Prints a frame with BSD's loopback header: a 32-bit address family.
fn print_null(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult<usize> {
    const HEADER_LEN: usize = 4;
    p.protocol = "null";
    // The header is in the byte order of the capturing machine. Address families are small numbers,
    // so nonzero upper bits show the opposite byte order.
    let family = match u32::from_le_bytes(array_at(bytes, 0)?) {
        family if family >> 16 != 0 => family.swap_bytes(),
        family => family,
    };
    if p.style.link_header {
        print_null_header(p, family, length);
    }
    let (inner, left) = (rest(bytes, HEADER_LEN), length - HEADER_LEN);
    match family {
        2 => ip4::print(p, inner, left)?,
        24 | 28 | 30 => ip6::print(p, inner, left)?,
        _ => {
            if !p.style.link_header {
                print_null_header(p, family, length);
            }
            p.dump_undissected(inner);
        }
    }
    Ok(HEADER_LEN)
}

fn print_null_header(p: &mut Printer, family: u32, length: usize) {
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
        (true, Some(name)) => p.push_str(name),
        (true, None) => write!(p, "Unknown AF {family}"),
        (false, name) => {
            let name = name.unwrap_or("Unknown");
            write!(p, "AF {name} ({family})");
        }
    }
    write!(p, ", length {length}: ");
}

/// Prints an IP packet without a link header; its first four bits are the IP version.
fn print_raw(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult<usize> {
    p.protocol = "raw";
    if p.style.link_header {
        p.push_str("ip: ");
    }
    p.protocol = "ipn";
    match u8_at(bytes, 0)? >> 4 {
        4 => ip4::print(p, bytes, length)?,
        6 => ip6::print(p, bytes, length)?,
        version => write!(p, "unknown ip {version}"),
    }
    Ok(0)
}
