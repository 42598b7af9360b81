//! Multicast listener discovery, versions 1 and 2 (RFC 2710, RFC 3810).

use super::super::printer::{PrintResult, Printer, array_at, u8_at, u16_at};
use super::{Icmp6Message, print_address};

/// Length of a version 1 query, in octets.
const QUERY_V1_LEN: usize = 24;
/// Length of a version 2 query without sources, in octets.
const MIN_QUERY_V2_LEN: usize = 28;

/// Names of the record types, from type 1 on.
const RECORD_TYPES: [&str; 6] = ["is_in", "is_ex", "to_in", "to_ex", "allow", "block"];

/// Prints a query; only its length determines the version.
pub(super) fn print_query(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    match message.length {
        QUERY_V1_LEN => print_report(p, message),
        MIN_QUERY_V2_LEN.. => print_query_v2(p, message),
        length => {
            write!(p, " unknown-version (len {length}) ");
            Ok(())
        }
    }
}

/// Prints a version 1 report, which contains one group; a version 1 query has the same layout.
pub(super) fn print_report(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    if message.bytes.len() < QUERY_V1_LEN {
        return Ok(());
    }
    let delay = u16_at(message.bytes, 4)?;
    // tcpdump writes no separator before this.
    write!(p, "max resp delay: {delay} addr: ");
    print_address(p, message.bytes, 8)
}

fn print_query_v2(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    let bytes = message.bytes;
    p.push_str(" v2");
    let delay = decode_float(u32::from(u16_at(bytes, 4)?), 12);
    if p.style.verbose > 0 {
        write!(p, " [max resp delay={delay}]");
    }
    array_at::<16>(bytes, 8)?;
    p.push_str(" [gaddr ");
    print_address(p, bytes, 8)?;
    if p.style.verbose > 0 {
        print_querier(p, bytes)?;
    }
    let sources = u16_at(bytes, 26)?;
    match sources {
        0 => {}
        _ if message.length < MIN_QUERY_V2_LEN + usize::from(sources) * 16 => {
            p.push_str(" [invalid number of sources]");
        }
        _ if p.style.verbose > 1 => print_sources(p, bytes, MIN_QUERY_V2_LEN, sources)?,
        _ => write!(p, ", {sources} source(s)"),
    }
    p.push_str("]");
    Ok(())
}

fn print_querier(p: &mut Printer, bytes: &[u8]) -> PrintResult {
    let flags = u8_at(bytes, 24)?;
    if flags & 0x08 != 0 {
        p.push_str(" sflag");
    }
    let robustness = flags & 0x07;
    if robustness != 0 {
        write!(p, " robustness={robustness}");
    }
    let interval = decode_float(u32::from(u8_at(bytes, 25)?), 4);
    write!(p, " qqi={interval}");
    Ok(())
}

/// Decodes a floating-point number: an exponent of three bits and a mantissa of `mantissa` bits if
/// the highest bit is set, otherwise a plain number (RFC 3810 sections 5.1.3 and 5.1.9).
fn decode_float(code: u32, mantissa: u32) -> u32 {
    if code >> (mantissa + 3) == 0 {
        return code;
    }
    let hidden = 1 << mantissa;
    (code & (hidden - 1) | hidden) << ((code >> mantissa & 7) + 3)
}

fn print_sources(p: &mut Printer, bytes: &[u8], start: usize, sources: u16) -> PrintResult {
    p.push_str(" {");
    for source in 0..usize::from(sources) {
        let at = start + source * 16;
        array_at::<16>(bytes, at)?;
        p.push_str(" ");
        print_address(p, bytes, at)?;
    }
    p.push_str(" }");
    Ok(())
}

/// Prints a version 2 report: records of groups and their sources.
pub(super) fn print_report_v2(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    let length = message.length;
    if length < 8 {
        write!(p, " [invalid len {length}]");
        return Ok(());
    }
    let groups = u16_at(message.bytes, 6)?;
    write!(p, ", {groups} group record(s)");
    if p.style.verbose == 0 {
        return Ok(());
    }
    let mut at = 8;
    for _ in 0..groups {
        if length < at + 20 {
            p.push_str(" [invalid number of groups]");
            return Ok(());
        }
        let Some(next) = print_record(p, message, at)? else {
            return Ok(());
        };
        at = next;
    }
    Ok(())
}

/// Prints a record; returns the offset of the next one, or `None` if the sources do not fit.
fn print_record(p: &mut Printer, message: &Icmp6Message, at: usize) -> PrintResult<Option<usize>> {
    let bytes = message.bytes;
    array_at::<20>(bytes, at)?;
    p.push_str(" [gaddr ");
    print_address(p, bytes, at + 4)?;
    let kind = u8_at(bytes, at)?;
    match RECORD_TYPES.get(usize::from(kind).wrapping_sub(1)) {
        Some(name) => write!(p, " {name}"),
        None => write!(p, "  [v2-report-#{kind}]"),
    }
    let sources = u16_at(bytes, at + 2)?;
    let next = at + 20 + usize::from(sources) * 16;
    if message.length < next {
        write!(p, " [invalid number of sources {sources}]");
        return Ok(None);
    }
    if p.style.verbose == 1 {
        write!(p, ", {sources} source(s)");
    } else {
        print_sources(p, bytes, at + 20, sources)?;
    }
    p.push_str("]");
    Ok(Some(next))
}
