//! The options of Multipath TCP (RFC 8684; RFC 6824 for version 0).

use super::address;
use super::number;
use super::printer::{Printed, Printer, array_at, rest, u8_at, u16_at, u32_at, u64_at};
use super::tcp::{ACK, SYN};

/// Subtypes by number.
const NAMES: [&str; 8] = [
    "capable",
    "join",
    "dss",
    "add-addr",
    "rem-addr",
    "prio",
    "fail",
    "fast-close",
];

/// Prints an option behind its kind and length; false where it is malformed. `flags` are the segment's.
pub(super) fn print(p: &mut Printer, option: &[u8], flags: u8) -> Printed<bool> {
    p.protocol = "mptcp";
    let Some(&first) = option.first() else {
        return Ok(false);
    };
    let length = option.len() + 2;
    let subtype = first >> 4;
    let name = NAMES.get(usize::from(subtype)).unwrap_or(&"unknown");
    p.format(format_args!(" {length} {name}"));
    match subtype {
        0 => capable(p, option, length, flags),
        1 => join(p, option, length, flags),
        2 => data_sequence(p, option, flags),
        3 => add_address(p, option, length),
        4 => remove_address(p, option),
        5 => priority(p, option),
        6 if length == 12 => {
            p.text(" seq ");
            number::decimal64(p.out, u64_at(option, 2)?);
            Ok(true)
        }
        7 if length == 12 => {
            let key = u64_at(option, 2)?;
            p.format(format_args!(" key 0x{key:x}"));
            Ok(true)
        }
        6 | 7 => Ok(false),
        _ => Ok(true),
    }
}

fn capable(p: &mut Printer, option: &[u8], length: usize, flags: u8) -> Printed<bool> {
    let fits = match length {
        4 | 12 => flags & SYN != 0,
        20 | 22 => flags & (SYN | ACK) == ACK,
        _ => false,
    };
    if !fits {
        return Ok(false);
    }
    let version = u8_at(option, 0)? & 0x0f;
    if version > 1 {
        p.format(format_args!(" Unknown Version ({version})"));
        return Ok(true);
    }
    p.format(format_args!(" v{version}"));
    if u8_at(option, 1)? & 0x80 != 0 {
        p.text(" csum");
    }
    if length >= 12 {
        let sender = u64_at(option, 2)?;
        p.format(format_args!(" {{0x{sender:x}"));
        if length >= 20 {
            let receiver = u64_at(option, 10)?;
            p.format(format_args!(",0x{receiver:x}"));
        }
        p.text("}");
    }
    Ok(true)
}

fn join(p: &mut Printer, option: &[u8], length: usize, flags: u8) -> Printed<bool> {
    let fits = match length {
        12 => flags & SYN != 0,
        16 => flags & (SYN | ACK) == SYN | ACK,
        24 => flags & ACK != 0,
        _ => false,
    };
    if !fits {
        return Ok(false);
    }
    if length == 24 {
        p.text(" hmac 0x");
        p.hex(rest(option, 2));
        return Ok(true);
    }
    if u8_at(option, 0)? & 1 != 0 {
        p.text(" backup");
    }
    let id = u8_at(option, 1)?;
    p.format(format_args!(" id {id}"));
    if length == 12 {
        let (token, nonce) = (u32_at(option, 2)?, u32_at(option, 6)?);
        p.format(format_args!(" token 0x{token:x} nonce 0x{nonce:x}"));
    } else {
        let (code, nonce) = (u64_at(option, 2)?, u32_at(option, 10)?);
        p.format(format_args!(" hmac 0x{code:x} nonce 0x{nonce:x}"));
    }
    Ok(true)
}

/// A 32-bit or a 64-bit number at the front of `left`; nothing where it does not fit.
fn long_or_short(p: &mut Printer, left: &[u8], is_long: u8) -> Printed<Option<usize>> {
    let length = if is_long != 0 { 8 } else { 4 };
    if left.len() < length {
        return Ok(None);
    }
    let value = match length {
        8 => u64_at(left, 0)?,
        _ => u64::from(u32_at(left, 0)?),
    };
    number::decimal64(p.out, value);
    Ok(Some(length))
}

fn data_sequence(p: &mut Printer, option: &[u8], flags: u8) -> Printed<bool> {
    if option.len() < 2 || flags & SYN != 0 {
        return Ok(false);
    }
    let bits = u8_at(option, 1)?;
    if bits & 0x10 != 0 {
        p.text(" fin");
    }
    let mut left = rest(option, 2);
    if bits & 0x01 != 0 {
        p.text(" ack ");
        let Some(length) = long_or_short(p, left, bits & 0x02)? else {
            return Ok(false);
        };
        left = rest(left, length);
    }
    if bits & 0x04 != 0 {
        p.text(" seq ");
        let Some(length) = long_or_short(p, left, bits & 0x08)? else {
            return Ok(false);
        };
        left = rest(left, length);
        let Ok(subflow) = u32_at(left, 0) else {
            return Ok(false);
        };
        p.format(format_args!(" subseq {subflow}"));
        let Ok(length) = u16_at(left, 4) else {
            return Ok(false);
        };
        p.format(format_args!(" len {length}"));
        left = rest(left, 6);
        // It is there only where both ends agreed on it.
        if let Ok(checksum) = u16_at(left, 0) {
            p.format(format_args!(" csum 0x{checksum:x}"));
            left = rest(left, 2);
        }
    }
    Ok(left.is_empty())
}

fn add_address(p: &mut Printer, option: &[u8], length: usize) -> Printed<bool> {
    let size = match length {
        8 | 10 | 16 | 18 => 4,
        20 | 22 | 28 | 30 => 16,
        _ => return Ok(false),
    };
    p.text(match u8_at(option, 0)? & 0x0f {
        0 => " v1",
        1 => " v1-echo",
        4 => " v0-ip4",
        6 => " v0-ip6",
        _ => " [bad version/echo]",
    });
    let id = u8_at(option, 1)?;
    p.format(format_args!(" id {id} "));
    if size == 4 {
        address::ip4(p.out, array_at(option, 2)?);
    } else {
        address::ip6(p.out, array_at(option, 2)?);
    }
    let left = rest(option, 2 + size);
    let with_port = matches!(left.len(), 2 | 10);
    if with_port {
        let port = u16_at(left, 0)?;
        p.format(format_args!(":{port}"));
    }
    if left.len() >= 8 {
        let code = u64_at(left, left.len() - 8)?;
        p.format(format_args!(" hmac 0x{code:x}"));
    }
    Ok(true)
}

fn remove_address(p: &mut Printer, option: &[u8]) -> Printed<bool> {
    let ids = rest(option, 1);
    if ids.is_empty() {
        return Ok(false);
    }
    p.text(" id");
    for id in ids {
        p.format(format_args!(" {id}"));
    }
    Ok(true)
}

fn priority(p: &mut Printer, option: &[u8]) -> Printed<bool> {
    if option.len() > 2 {
        return Ok(false);
    }
    let backup = u8_at(option, 0)? & 1 != 0;
    p.text(if backup { " backup" } else { " non-backup" });
    if let Some(id) = option.get(1) {
        p.format(format_args!(" id {id}"));
    }
    Ok(true)
}
