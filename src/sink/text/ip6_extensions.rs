//! The extension headers of IPv6 (RFC 8200 section 4), with the jumbo option (RFC 2675), the home address option
//! (RFC 6275 section 6.3) and the segment routing header (RFC 8754).
//!
//! Each printer returns the header's length, or nothing where the line ends here.

use super::address;
use super::printer::{Printed, Printer, Truncated, array_at, u8_at, u16_at, u32_at};

const PAD_1: u8 = 0x00;
const PAD_N: u8 = 0x01;
const ROUTER_ALERT: u8 = 0x05;
const JUMBO: u8 = 0xc2;
const HOME_ADDRESS: u8 = 0xc9;

/// Whether a jumbo option gave the payload's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jumbo {
    /// Not so far.
    None,
    /// It did.
    Valid,
}

/// Prints the hop-by-hop options header; a valid jumbo option sets `payload`.
pub(super) fn hop_by_hop(
    p: &mut Printer,
    bytes: &[u8],
    jumbo: &mut Jumbo,
    payload: &mut u32,
) -> Printed<Option<usize>> {
    p.protocol = "hbhopt";
    let length = (usize::from(u8_at(bytes, 1)?) + 1) * 8;
    let Some(options) = bytes.get(2..length) else {
        p.truncated();
        return Ok(None);
    };
    p.text("HBH ");
    if print_options(p, options, Some((jumbo, payload))).is_err() {
        p.truncated();
        return Ok(None);
    }
    Ok(Some(length))
}

/// Prints the destination options header.
pub(super) fn destination(p: &mut Printer, bytes: &[u8]) -> Printed<Option<usize>> {
    p.protocol = "dstopt";
    let length = (usize::from(u8_at(bytes, 1)?) + 1) * 8;
    let Some(options) = bytes.get(2..length) else {
        p.truncated();
        return Ok(None);
    };
    p.text("DSTOPT ");
    if p.style.verbose > 0 && print_options(p, options, None).is_err() {
        p.truncated();
        return Ok(None);
    }
    Ok(Some(length))
}

/// The kind and the whole length of the option at `at`, where the options have room for it.
fn option_at(options: &[u8], at: usize) -> Printed<(u8, usize)> {
    let kind = u8_at(options, at)?;
    let length = match kind {
        PAD_1 => 1,
        _ => usize::from(u8_at(options, at + 1)?) + 2,
    };
    if at + length > options.len() {
        return Err(Truncated);
    }
    Ok((kind, length))
}

fn print_options(
    p: &mut Printer,
    options: &[u8],
    mut hop_by_hop: Option<(&mut Jumbo, &mut u32)>,
) -> Printed {
    let verbose = p.style.verbose > 0;
    let (mut at, mut seen) = (0, false);
    while at < options.len() {
        let (kind, length) = option_at(options, at)?;
        match kind {
            PAD_1 if verbose => p.text("(pad1)"),
            PAD_N if verbose => p.text("(padn)"),
            PAD_1 | PAD_N => {}
            ROUTER_ALERT => {
                fixed(p, options, at, "rtalert", 4)?;
                let value = u16_at(options, at + 2)?;
                if verbose {
                    p.format(format_args!("(rtalert: 0x{value:04x}) "));
                }
            }
            JUMBO => {
                fixed(p, options, at, "jumbo", 6)?;
                let value = u32_at(options, at + 2)?;
                let verdict = if seen {
                    " - already seen"
                } else {
                    judge(value, &mut hop_by_hop)
                };
                seen = true;
                if verbose {
                    p.format(format_args!("(jumbo: {value}{verdict}) "));
                }
            }
            HOME_ADDRESS => home_address(p, options, at, length)?,
            _ if verbose => {
                let length = length - 2;
                p.format(format_args!("(opt_type 0x{kind:02x}: len={length})"));
            }
            _ => {}
        }
        at += length;
    }
    if verbose {
        p.text(" ");
    }
    Ok(())
}

/// Holds an option against the only length that it may have.
fn fixed(p: &mut Printer, options: &[u8], at: usize, name: &str, length: usize) -> Printed {
    if options.len() - at < length {
        p.format(format_args!("({name}: trunc)"));
        return Err(Truncated);
    }
    match u8_at(options, at + 1)? {
        found if usize::from(found) + 2 != length => {
            p.format(format_args!("({name}: invalid len {found})"));
            Err(Truncated)
        }
        _ => Ok(()),
    }
}

/// What is wrong with a jumbo option, or nothing, and then it holds.
fn judge(value: u32, hop_by_hop: &mut Option<(&mut Jumbo, &mut u32)>) -> &'static str {
    match hop_by_hop {
        None => " - not a hop-by-hop option",
        Some((_, payload)) if **payload != 0 => " - payload len != 0",
        Some(_) if value < 65536 => " - < 65536",
        Some((jumbo, payload)) => {
            **jumbo = Jumbo::Valid;
            **payload = value;
            ""
        }
    }
}

fn home_address(p: &mut Printer, options: &[u8], at: usize, length: usize) -> Printed {
    const LENGTH: usize = 18;
    if options.len() - at < LENGTH {
        p.text("(homeaddr: trunc)");
        return Err(Truncated);
    }
    if length < LENGTH {
        let found = length - 2;
        p.format(format_args!("(homeaddr: invalid len {found})"));
        return Err(Truncated);
    }
    if p.style.verbose == 0 {
        return Ok(());
    }
    let octets = array_at(options, at + 2)?;
    p.text("(homeaddr: ");
    address::ip6(p.out, octets);
    let inner = options.get(at + LENGTH..at + length).unwrap_or_default();
    let mut at = 0;
    while at < inner.len() {
        let (kind, length) = option_at(inner, at)?;
        match kind {
            PAD_1 => p.text(", pad1"),
            PAD_N => p.text(", padn"),
            _ => {
                let length = length - 2;
                p.format(format_args!(", sopt_type 0x{kind:02x}: len={length}"));
            }
        }
        at += length;
    }
    p.text(")");
    Ok(())
}

/// Prints the fragment header, which begins `at` octets after the IPv6 header.
pub(super) fn fragment(
    p: &mut Printer,
    bytes: &[u8],
    header: &[u8; 40],
    at: usize,
) -> Printed<Option<usize>> {
    const LENGTH: usize = 8;
    p.protocol = "frag6";
    let id = if p.style.verbose > 0 {
        u32_at(bytes, 4)?
    } else {
        0
    };
    let offset = u16_at(bytes, 2)? & 0xfff8;
    let payload = u64::from(u16::from_be_bytes([header[4], header[5]])) + 40;
    // Without room for the headers in front of it this becomes huge; so it does in tcpdump.
    let length = payload.wrapping_sub((at + LENGTH) as u64);
    p.text("frag (");
    if p.style.verbose > 0 {
        p.format(format_args!("0x{id:08x}:"));
    }
    p.format(format_args!("{offset}|{length})"));
    if offset != 0 {
        return Ok(None);
    }
    p.text(" ");
    Ok(Some(LENGTH))
}

/// Prints a routing header.
pub(super) fn routing(p: &mut Printer, bytes: &[u8]) -> Printed<Option<usize>> {
    if bytes.is_empty() {
        p.truncated();
        return Ok(None);
    }
    p.protocol = "rt6";
    p.text("RT6");
    let length = u8_at(bytes, 1)?;
    p.format(format_args!(" (len={length}"));
    let kind = u8_at(bytes, 2)?;
    p.format(format_args!(", type={kind}"));
    if kind == 0 {
        p.text(" [Deprecated]");
    }
    let left = u8_at(bytes, 3)?;
    p.format(format_args!(", segleft={left}"));
    match kind {
        0 | 2 => {
            let reserved = u32_at(bytes, 4)?;
            if reserved != 0 || p.style.verbose > 0 {
                p.format(format_args!(", rsv=0x{reserved:x}"));
            }
        }
        4 => {
            let last = u8_at(bytes, 4)?;
            p.format(format_args!(", last-entry={last}"));
            let flags = u8_at(bytes, 5)?;
            if flags != 0 || p.style.verbose > 0 {
                p.format(format_args!(", flags=0x{flags:x}"));
            }
            let tag = u16_at(bytes, 6)?;
            p.format(format_args!(", tag={tag:x}"));
        }
        _ => {
            p.text(" (unknown type)");
            p.invalid();
            return Ok(None);
        }
    }
    if length % 2 == 1 {
        p.format(format_args!(" (invalid length {length})"));
        p.invalid();
        return Ok(None);
    }
    for segment in 0..usize::from(length / 2) {
        let octets = array_at(bytes, 8 + segment * 16)?;
        p.format(format_args!(", [{segment}]"));
        address::ip6(p.out, octets);
    }
    p.text(") ");
    Ok(Some((usize::from(length) + 1) * 8))
}
