//! Prints multicast listener discovery, versions 1 and 2 (RFC 2710, RFC 3810).

use super::super::printer::{Printed, Printer, array_at, u8_at, u16_at};
use super::{Message, print_address};

/// Lengths of a query of either version without sources.
const LENGTH_1: usize = 24;
const LENGTH_2: usize = 28;

/// What a record says of its group, from 1 on.
const RECORDS: [&str; 6] = ["is_in", "is_ex", "to_in", "to_ex", "allow", "block"];

/// A query of either version: only the length tells them apart.
pub(super) fn print_query(p: &mut Printer, message: &Message) -> Printed {
    match message.length {
        LENGTH_1 => print_report(p, message),
        LENGTH_2.. => print_query_2(p, message),
        length => {
            p.format(format_args!(" unknown-version (len {length}) "));
            Ok(())
        }
    }
}

/// Version 1: one group.
pub(super) fn print_report(p: &mut Printer, message: &Message) -> Printed {
    if message.bytes.len() < LENGTH_1 {
        return Ok(());
    }
    let delay = u16_at(message.bytes, 4)?;
    // tcpdump writes no separator before this.
    p.format(format_args!("max resp delay: {delay} addr: "));
    print_address(p, message.bytes, 8)
}

fn print_query_2(p: &mut Printer, message: &Message) -> Printed {
    let bytes = message.bytes;
    p.text(" v2");
    let delay = decoded(u32::from(u16_at(bytes, 4)?), 12);
    if p.style.verbose > 0 {
        p.format(format_args!(" [max resp delay={delay}]"));
    }
    array_at::<16>(bytes, 8)?;
    p.text(" [gaddr ");
    print_address(p, bytes, 8)?;
    if p.style.verbose > 0 {
        print_querier(p, bytes)?;
    }
    let sources = u16_at(bytes, 26)?;
    match sources {
        0 => {}
        _ if message.length < LENGTH_2 + usize::from(sources) * 16 => {
            p.text(" [invalid number of sources]");
        }
        _ if p.style.verbose > 1 => print_sources(p, bytes, LENGTH_2, sources)?,
        _ => p.format(format_args!(", {sources} source(s)")),
    }
    p.text("]");
    Ok(())
}

fn print_querier(p: &mut Printer, bytes: &[u8]) -> Printed {
    let flags = u8_at(bytes, 24)?;
    if flags & 0x08 != 0 {
        p.text(" sflag");
    }
    let robustness = flags & 0x07;
    if robustness != 0 {
        p.format(format_args!(" robustness={robustness}"));
    }
    let interval = decoded(u32::from(u8_at(bytes, 25)?), 4);
    p.format(format_args!(" qqi={interval}"));
    Ok(())
}

/// A number whose highest bit says that it is a three-bit exponent and a mantissa (RFC 3810 sections 5.1.3 and 5.1.9).
fn decoded(code: u32, mantissa: u32) -> u32 {
    if code >> (mantissa + 3) == 0 {
        return code;
    }
    let hidden = 1 << mantissa;
    (code & (hidden - 1) | hidden) << ((code >> mantissa & 7) + 3)
}

fn print_sources(p: &mut Printer, bytes: &[u8], start: usize, sources: u16) -> Printed {
    p.text(" {");
    for source in 0..usize::from(sources) {
        let at = start + source * 16;
        array_at::<16>(bytes, at)?;
        p.text(" ");
        print_address(p, bytes, at)?;
    }
    p.text(" }");
    Ok(())
}

/// Version 2: records of groups and their sources.
pub(super) fn print_report_2(p: &mut Printer, message: &Message) -> Printed {
    let length = message.length;
    if length < 8 {
        p.format(format_args!(" [invalid len {length}]"));
        return Ok(());
    }
    let groups = u16_at(message.bytes, 6)?;
    p.format(format_args!(", {groups} group record(s)"));
    if p.style.verbose == 0 {
        return Ok(());
    }
    let mut at = 8;
    for _ in 0..groups {
        if length < at + 20 {
            p.text(" [invalid number of groups]");
            return Ok(());
        }
        let Some(next) = print_record(p, message, at)? else {
            return Ok(());
        };
        at = next;
    }
    Ok(())
}

/// One record; returns where the next one begins, unless this one has more sources than fit.
fn print_record(p: &mut Printer, message: &Message, at: usize) -> Printed<Option<usize>> {
    let bytes = message.bytes;
    array_at::<20>(bytes, at)?;
    p.text(" [gaddr ");
    print_address(p, bytes, at + 4)?;
    let kind = u8_at(bytes, at)?;
    match RECORDS.get(usize::from(kind).wrapping_sub(1)) {
        Some(name) => p.format(format_args!(" {name}")),
        None => p.format(format_args!("  [v2-report-#{kind}]")),
    }
    let sources = u16_at(bytes, at + 2)?;
    let next = at + 20 + usize::from(sources) * 16;
    if message.length < next {
        p.format(format_args!(" [invalid number of sources {sources}]"));
        return Ok(None);
    }
    if p.style.verbose == 1 {
        p.format(format_args!(", {sources} source(s)"));
    } else {
        print_sources(p, bytes, at + 20, sources)?;
    }
    p.text("]");
    Ok(Some(next))
}
