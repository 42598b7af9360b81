//! IPv6 extension headers (RFC 8200 section 4), with the jumbo option (RFC 2675), the home address
//! option (RFC 6275 section 6.3) and the segment routing header (RFC 8754).
//!
//! Each printer returns the header's length in octets, or `None` if nothing follows on the line.

use super::address;
use super::printer::{PrintResult, Printer, Truncated, array_at, u8_at, u16_at, u32_at};

const PAD_1: u8 = 0x00;
const PAD_N: u8 = 0x01;
const ROUTER_ALERT: u8 = 0x05;
const JUMBO: u8 = 0xc2;
const HOME_ADDRESS: u8 = 0xc9;

/// Length of an IPv6 payload, in octets.
#[derive(Debug, Clone, Copy)]
pub(super) struct PayloadLength {
    /// Length in the IPv6 header or the jumbo option.
    pub(super) len: u32,
    /// True if a jumbo option contained the length.
    pub(super) is_jumbo: bool,
}

/// Prints a hop-by-hop options header, whose jumbo option can set `payload`, or a destination
/// options header, for which `payload` is `None`.
pub(super) fn print_options(
    p: &mut Printer,
    bytes: &[u8],
    payload: Option<&mut PayloadLength>,
) -> PrintResult<Option<usize>> {
    let (protocol, name) = match payload {
        Some(_) => ("hbhopt", "HBH "),
        None => ("dstopt", "DSTOPT "),
    };
    p.protocol = protocol;
    let length = (usize::from(u8_at(bytes, 1)?) + 1) * 8;
    let Some(options) = bytes.get(2..length) else {
        return p.end_truncated();
    };
    p.push_str(name);
    let is_printed = payload.is_some() || p.style.verbose > 0;
    if is_printed && print_option_list(p, options, payload).is_err() {
        return p.end_truncated();
    }
    Ok(Some(length))
}

/// Returns the kind and the total length of the option at `at`, if it fits into the options.
fn option_at(options: &[u8], at: usize) -> PrintResult<(u8, usize)> {
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

fn print_option_list(
    p: &mut Printer,
    options: &[u8],
    mut payload: Option<&mut PayloadLength>,
) -> PrintResult {
    let verbose = p.style.verbose > 0;
    let (mut at, mut seen) = (0, false);
    while at < options.len() {
        let (kind, length) = option_at(options, at)?;
        match kind {
            PAD_1 if verbose => p.push_str("(pad1)"),
            PAD_N if verbose => p.push_str("(padn)"),
            PAD_1 | PAD_N => {}
            ROUTER_ALERT => {
                check_option_len(p, options, at, "rtalert", 4)?;
                let value = u16_at(options, at + 2)?;
                if verbose {
                    write!(p, "(rtalert: 0x{value:04x}) ");
                }
            }
            JUMBO => {
                check_option_len(p, options, at, "jumbo", 6)?;
                let value = u32_at(options, at + 2)?;
                let verdict = if seen {
                    " - already seen"
                } else {
                    apply_jumbo(value, payload.as_deref_mut())
                };
                seen = true;
                if verbose {
                    write!(p, "(jumbo: {value}{verdict}) ");
                }
            }
            HOME_ADDRESS => print_home_address(p, options, at, length)?,
            _ if verbose => {
                let length = length - 2;
                write!(p, "(opt_type 0x{kind:02x}: len={length})");
            }
            _ => {}
        }
        at += length;
    }
    if verbose {
        p.push_str(" ");
    }
    Ok(())
}

/// Checks that an option has the length that its type requires, and prints an error if it does not.
fn check_option_len(
    p: &mut Printer,
    options: &[u8],
    at: usize,
    name: &str,
    length: usize,
) -> PrintResult {
    if options.len() - at < length {
        write!(p, "({name}: trunc)");
        return Err(Truncated);
    }
    match u8_at(options, at + 1)? {
        found if usize::from(found) + 2 != length => {
            write!(p, "({name}: invalid len {found})");
            Err(Truncated)
        }
        _ => Ok(()),
    }
}

/// Applies a valid jumbo option and returns an empty text, or returns the error to print.
fn apply_jumbo(value: u32, payload: Option<&mut PayloadLength>) -> &'static str {
    match payload {
        None => " - not a hop-by-hop option",
        Some(payload) if payload.len != 0 => " - payload len != 0",
        Some(_) if value < 65536 => " - < 65536",
        Some(payload) => {
            (payload.len, payload.is_jumbo) = (value, true);
            ""
        }
    }
}

fn print_home_address(p: &mut Printer, options: &[u8], at: usize, length: usize) -> PrintResult {
    const LENGTH: usize = 18;
    if options.len() - at < LENGTH {
        p.push_str("(homeaddr: trunc)");
        return Err(Truncated);
    }
    if length < LENGTH {
        let found = length - 2;
        write!(p, "(homeaddr: invalid len {found})");
        return Err(Truncated);
    }
    if p.style.verbose == 0 {
        return Ok(());
    }
    let octets = array_at(options, at + 2)?;
    p.push_str("(homeaddr: ");
    address::write_ipv6(p.out, octets);
    let inner = options.get(at + LENGTH..at + length).unwrap_or_default();
    let mut at = 0;
    while at < inner.len() {
        let (kind, length) = option_at(inner, at)?;
        match kind {
            PAD_1 => p.push_str(", pad1"),
            PAD_N => p.push_str(", padn"),
            _ => {
                let length = length - 2;
                write!(p, ", sopt_type 0x{kind:02x}: len={length}");
            }
        }
        at += length;
    }
    p.push_str(")");
    Ok(())
}

/// Prints the fragment header, which begins `at` octets after the start of the IPv6 header.
pub(super) fn print_fragment(
    p: &mut Printer,
    bytes: &[u8],
    header: &[u8; 40],
    at: usize,
) -> PrintResult<Option<usize>> {
    const LENGTH: usize = 8;
    p.protocol = "frag6";
    let id = if p.style.verbose > 0 {
        u32_at(bytes, 4)?
    } else {
        0
    };
    let offset = u16_at(bytes, 2)? & 0xfff8;
    let payload = u64::from(u16::from_be_bytes([header[4], header[5]])) + 40;
    // If the payload is shorter than the headers before the fragment, the length wraps around to a
    // huge number, as in tcpdump.
    let length = payload.wrapping_sub((at + LENGTH) as u64);
    p.push_str("frag (");
    if p.style.verbose > 0 {
        write!(p, "0x{id:08x}:");
    }
    write!(p, "{offset}|{length})");
    if offset != 0 {
        return Ok(None);
    }
    p.push_str(" ");
    Ok(Some(LENGTH))
}

/// Prints a routing header.
pub(super) fn print_routing(p: &mut Printer, bytes: &[u8]) -> PrintResult<Option<usize>> {
    if bytes.is_empty() {
        return p.end_truncated();
    }
    p.protocol = "rt6";
    p.push_str("RT6");
    let length = u8_at(bytes, 1)?;
    write!(p, " (len={length}");
    let kind = u8_at(bytes, 2)?;
    write!(p, ", type={kind}");
    if kind == 0 {
        p.push_str(" [Deprecated]");
    }
    let left = u8_at(bytes, 3)?;
    write!(p, ", segleft={left}");
    match kind {
        0 | 2 => {
            let reserved = u32_at(bytes, 4)?;
            if reserved != 0 || p.style.verbose > 0 {
                write!(p, ", rsv=0x{reserved:x}");
            }
        }
        4 => {
            let last = u8_at(bytes, 4)?;
            write!(p, ", last-entry={last}");
            let flags = u8_at(bytes, 5)?;
            if flags != 0 || p.style.verbose > 0 {
                write!(p, ", flags=0x{flags:x}");
            }
            let tag = u16_at(bytes, 6)?;
            write!(p, ", tag={tag:x}");
        }
        _ => {
            p.push_str(" (unknown type)");
            return p.end_invalid();
        }
    }
    if length % 2 == 1 {
        write!(p, " (invalid length {length})");
        return p.end_invalid();
    }
    for segment in 0..usize::from(length / 2) {
        let octets = array_at(bytes, 8 + segment * 16)?;
        write!(p, ", [{segment}]");
        address::write_ipv6(p.out, octets);
    }
    p.push_str(") ");
    Ok(Some((usize::from(length) + 1) * 8))
}
