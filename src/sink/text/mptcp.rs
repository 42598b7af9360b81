//! Multipath TCP options (RFC 8684; RFC 6824 for version 0).

use super::address;
use super::digits;
use super::printer::{PrintResult, Printer, array_at, rest, u8_at, u16_at, u32_at, u64_at};
use crate::packet::TcpFlags;

const SYN: u8 = TcpFlags::SYN.0 as u8;
const ACK: u8 = TcpFlags::ACK.0 as u8;

/// Names of the subtypes, by number.
const SUBTYPE_NAMES: [&str; 8] = [
    "capable",
    "join",
    "dss",
    "add-addr",
    "rem-addr",
    "prio",
    "fail",
    "fast-close",
];

/// Prints the part of an option after its kind and length; returns false if it is malformed.
/// `flags` are the segment's control bits.
pub(super) fn print(p: &mut Printer, option: &[u8], flags: u8) -> PrintResult<bool> {
    p.protocol = "mptcp";
    let Some(&first) = option.first() else {
        return Ok(false);
    };
    let length = option.len() + 2;
    let subtype = first >> 4;
    let name = SUBTYPE_NAMES
        .get(usize::from(subtype))
        .unwrap_or(&"unknown");
    p.format(format_args!(" {length} {name}"));
    match subtype {
        0 => print_mp_capable(p, option, length, flags),
        1 => print_mp_join(p, option, length, flags),
        2 => print_dss(p, option, flags),
        3 => print_add_addr(p, option, length),
        4 => print_remove_addr(p, option),
        5 => print_mp_prio(p, option),
        6 if length == 12 => {
            p.push_str(" seq ");
            digits::decimal(p.out, u64_at(option, 2)?);
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

fn print_mp_capable(p: &mut Printer, option: &[u8], length: usize, flags: u8) -> PrintResult<bool> {
    let is_valid = match length {
        4 | 12 => flags & SYN != 0,
        20 | 22 => flags & (SYN | ACK) == ACK,
        _ => false,
    };
    if !is_valid {
        return Ok(false);
    }
    let version = u8_at(option, 0)? & 0x0f;
    if version > 1 {
        p.format(format_args!(" Unknown Version ({version})"));
        return Ok(true);
    }
    p.format(format_args!(" v{version}"));
    if u8_at(option, 1)? & 0x80 != 0 {
        p.push_str(" csum");
    }
    if length >= 12 {
        let sender = u64_at(option, 2)?;
        p.format(format_args!(" {{0x{sender:x}"));
        if length >= 20 {
            let receiver = u64_at(option, 10)?;
            p.format(format_args!(",0x{receiver:x}"));
        }
        p.push_str("}");
    }
    Ok(true)
}

fn print_mp_join(p: &mut Printer, option: &[u8], length: usize, flags: u8) -> PrintResult<bool> {
    let is_valid = match length {
        12 => flags & SYN != 0,
        16 => flags & (SYN | ACK) == SYN | ACK,
        24 => flags & ACK != 0,
        _ => false,
    };
    if !is_valid {
        return Ok(false);
    }
    if length == 24 {
        p.push_str(" hmac 0x");
        p.push_hex(rest(option, 2));
        return Ok(true);
    }
    if u8_at(option, 0)? & 1 != 0 {
        p.push_str(" backup");
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

/// Prints the number at the start of `left`: a 64-bit number if `long_flag` is nonzero, otherwise a
/// 32-bit number. Returns the number's length in octets, or `None` if `left` is too short.
fn print_u32_or_u64(p: &mut Printer, left: &[u8], long_flag: u8) -> PrintResult<Option<usize>> {
    let length = if long_flag != 0 { 8 } else { 4 };
    if left.len() < length {
        return Ok(None);
    }
    let value = match length {
        8 => u64_at(left, 0)?,
        _ => u64::from(u32_at(left, 0)?),
    };
    digits::decimal(p.out, value);
    Ok(Some(length))
}

fn print_dss(p: &mut Printer, option: &[u8], flags: u8) -> PrintResult<bool> {
    if option.len() < 2 || flags & SYN != 0 {
        return Ok(false);
    }
    let bits = u8_at(option, 1)?;
    if bits & 0x10 != 0 {
        p.push_str(" fin");
    }
    let mut left = rest(option, 2);
    if bits & 0x01 != 0 {
        p.push_str(" ack ");
        let Some(length) = print_u32_or_u64(p, left, bits & 0x02)? else {
            return Ok(false);
        };
        left = rest(left, length);
    }
    if bits & 0x04 != 0 {
        p.push_str(" seq ");
        let Some(length) = print_u32_or_u64(p, left, bits & 0x08)? else {
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
        // The checksum is present only if both ends negotiated it.
        if let Ok(checksum) = u16_at(left, 0) {
            p.format(format_args!(" csum 0x{checksum:x}"));
            left = rest(left, 2);
        }
    }
    Ok(left.is_empty())
}

fn print_add_addr(p: &mut Printer, option: &[u8], length: usize) -> PrintResult<bool> {
    let size = match length {
        8 | 10 | 16 | 18 => 4,
        20 | 22 | 28 | 30 => 16,
        _ => return Ok(false),
    };
    p.push_str(match u8_at(option, 0)? & 0x0f {
        0 => " v1",
        1 => " v1-echo",
        4 => " v0-ip4",
        6 => " v0-ip6",
        _ => " [bad version/echo]",
    });
    let id = u8_at(option, 1)?;
    p.format(format_args!(" id {id} "));
    if size == 4 {
        address::write_ipv4(p.out, array_at(option, 2)?);
    } else {
        address::write_ipv6(p.out, array_at(option, 2)?);
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

fn print_remove_addr(p: &mut Printer, option: &[u8]) -> PrintResult<bool> {
    let ids = rest(option, 1);
    if ids.is_empty() {
        return Ok(false);
    }
    p.push_str(" id");
    for id in ids {
        p.format(format_args!(" {id}"));
    }
    Ok(true)
}

fn print_mp_prio(p: &mut Printer, option: &[u8]) -> PrintResult<bool> {
    if option.len() > 2 {
        return Ok(false);
    }
    let backup = u8_at(option, 0)? & 1 != 0;
    p.push_str(if backup { " backup" } else { " non-backup" });
    if let Some(id) = option.get(1) {
        p.format(format_args!(" id {id}"));
    }
    Ok(true)
}
