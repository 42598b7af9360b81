//! IPv4 options (RFC 791 section 3.1; RFC 2113 for the router alert).

use super::address;
use super::printer::{PrintResult, Printer, array_at, rest, u8_at, u16_at, u32_at};

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;
const ROUTER_ALERT: u8 = 148;

/// Prints `length` octets of options; returns false if an option is truncated.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult<bool> {
    let mut at = 0;
    while at < length {
        if at > 0 {
            p.push_str(",");
        }
        let kind = u8_at(bytes, at)?;
        print_name(p, kind);
        let size = match kind {
            END | NO_OPERATION => 1,
            _ => match usize::from(u8_at(bytes, at + 1)?) {
                size @ (0 | 1) => {
                    print_bad_length(p, size);
                    return Ok(true);
                }
                size => size,
            },
        };
        if size > length - at {
            print_bad_length(p, size);
            return Ok(true);
        }
        let option = rest(bytes, at);
        if option.len() < size {
            return Ok(false);
        }
        let printed = match kind {
            END => return Ok(true),
            TIMESTAMP => print_timestamps(p, option, size),
            RECORD_ROUTE | LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE => print_route(p, option, size),
            ROUTER_ALERT => print_router_alert(p, option, size),
            _ => Ok(()),
        };
        if printed.is_err() {
            return Ok(false);
        }
        at += size;
    }
    Ok(true)
}

fn print_name(p: &mut Printer, kind: u8) {
    p.push_str(match kind {
        END => "EOL",
        NO_OPERATION => "NOP",
        TIMESTAMP => "timestamp",
        130 => "security",
        RECORD_ROUTE => "RR",
        STRICT_SOURCE_ROUTE => "SSRR",
        LOOSE_SOURCE_ROUTE => "LSRR",
        ROUTER_ALERT => "RA",
        82 => "traceroute",
        _ => return write!(p, "unknown {kind}"),
    });
}

fn print_bad_length(p: &mut Printer, length: usize) {
    write!(p, " [bad length {length}]");
}

fn print_router_alert(p: &mut Printer, option: &[u8], length: usize) -> PrintResult {
    if length < 4 {
        print_bad_length(p, length);
        return Ok(());
    }
    match u16_at(option, 2)? {
        0 => {}
        value => write!(p, " value {value}"),
    }
    Ok(())
}

/// Prints a recorded route or a source route: a pointer to the next address, then the addresses. If
/// the length is invalid, the last address extends past the end of the option.
fn print_route(p: &mut Printer, option: &[u8], length: usize) -> PrintResult {
    if length < 3 {
        print_bad_length(p, length);
        return Ok(());
    }
    if !(length + 1).is_multiple_of(4) {
        print_bad_length(p, length);
    }
    let found = u8_at(option, 2)?;
    // Pointers are 1-based; a pointer of 0 wraps around to a large, invalid value.
    let pointer = u32::from(found).wrapping_sub(1);
    if pointer < 3 || !pointer.wrapping_add(1).is_multiple_of(4) || pointer > length as u32 + 1 {
        write!(p, " [bad ptr {found}]");
    }
    for at in (3..length).step_by(4) {
        let octets = array_at(option, at)?;
        p.push_str(" ");
        address::write_ipv4(p.out, octets);
        if pointer > at as u32 {
            p.push_str(",");
        }
    }
    Ok(())
}

fn print_timestamps(p: &mut Printer, option: &[u8], length: usize) -> PrintResult {
    if length < 4 {
        write!(p, "[bad length {length}]");
        return Ok(());
    }
    p.push_str(" TS{");
    let flags = u8_at(option, 3)?;
    let entry = if flags & 0x0f == 0 { 4 } else { 8 };
    if !(length - 4).is_multiple_of(entry) {
        write!(p, "[bad length {length}]");
    }
    let found = u8_at(option, 2)?;
    let pointer = u32::from(found).wrapping_sub(1);
    let misaligned = !pointer.wrapping_sub(4).is_multiple_of(entry as u32);
    if pointer < 4 || misaligned || pointer > length as u32 + 1 {
        write!(p, "[bad ptr {found}]");
    }
    let end = match flags & 0x0f {
        kind @ (0 | 1 | 3) => {
            p.push_str(["TSONLY", "TS+ADDR", "", "PRESPEC"][usize::from(kind)]);
            print_timestamp_entries(p, option, length, entry, pointer)?
        }
        kind => {
            write!(p, "[bad ts type {kind}]");
            0
        }
    };
    if pointer == end as u32 {
        p.push_str(" ^ ");
    }
    match flags >> 4 {
        0 => p.push_str("}"),
        hops => write!(p, " [{hops} hops not recorded]}} "),
    }
    Ok(())
}

/// Prints the timestamp entries and returns the offset of their end.
fn print_timestamp_entries(
    p: &mut Printer,
    option: &[u8],
    length: usize,
    entry: usize,
    pointer: u32,
) -> PrintResult<usize> {
    let mut at = 4;
    while at < length {
        let time = u32_at(option, at + entry - 4)?;
        p.push_str(if pointer == at as u32 { " ^ " } else { " " });
        write!(p, "{time}@");
        if entry == 8 {
            address::write_ipv4(p.out, array_at(option, at)?);
        }
        at += entry;
    }
    Ok(at)
}
