//! Multipath TCP options (RFC 8684; RFC 6824 for version 0).

use super::address;
use super::printer::{Printer, Truncated, array_at, rest, u8_at, u16_at, u32_at, u64_at};
use crate::packet::TcpFlags;

const SYN: u8 = TcpFlags::SYN.0 as u8;
const ACK: u8 = TcpFlags::ACK.0 as u8;

/// Reason why the list of options ends early.
pub(super) enum TcpOptionError {
    /// An option does not fit into the header or is malformed.
    Malformed,
    /// An option was not captured completely.
    Truncated,
    /// Octets that the printer cannot continue without were not captured.
    NotCaptured,
}

impl From<Truncated> for TcpOptionError {
    fn from(_: Truncated) -> TcpOptionError {
        TcpOptionError::NotCaptured
    }
}

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

/// Prints the part of an option after its kind and length. `flags` are the segment's control bits.
pub(super) fn print(p: &mut Printer, option: &[u8], flags: u8) -> Result<(), TcpOptionError> {
    p.protocol = "mptcp";
    let Some(&first) = option.first() else {
        return Err(TcpOptionError::Malformed);
    };
    let length = option.len() + 2;
    let subtype = first >> 4;
    let name = SUBTYPE_NAMES
        .get(usize::from(subtype))
        .unwrap_or(&"unknown");
    write!(p, " {length} {name}");
    match subtype {
        0 => print_mp_capable(p, option, length, flags),
        1 => print_mp_join(p, option, length, flags),
        2 => print_dss(p, option, flags),
        3 => print_add_addr(p, option, length),
        4 => print_remove_addr(p, option),
        5 => print_mp_prio(p, option),
        6 if length == 12 => {
            write!(p, " seq {}", u64_at(option, 2)?);
            Ok(())
        }
        7 if length == 12 => {
            write!(p, " key 0x{:x}", u64_at(option, 2)?);
            Ok(())
        }
        6 | 7 => Err(TcpOptionError::Malformed),
        _ => Ok(()),
    }
}

fn print_mp_capable(
    p: &mut Printer,
    option: &[u8],
    length: usize,
    flags: u8,
) -> Result<(), TcpOptionError> {
    let is_valid = match length {
        4 | 12 => flags & SYN != 0,
        20 | 22 => flags & (SYN | ACK) == ACK,
        _ => false,
    };
    if !is_valid {
        return Err(TcpOptionError::Malformed);
    }
    let version = u8_at(option, 0)? & 0x0f;
    if version > 1 {
        write!(p, " Unknown Version ({version})");
        return Ok(());
    }
    write!(p, " v{version}");
    if u8_at(option, 1)? & 0x80 != 0 {
        p.push_str(" csum");
    }
    if length >= 12 {
        write!(p, " {{0x{:x}", u64_at(option, 2)?);
        if length >= 20 {
            write!(p, ",0x{:x}", u64_at(option, 10)?);
        }
        p.push_str("}");
    }
    Ok(())
}

fn print_mp_join(
    p: &mut Printer,
    option: &[u8],
    length: usize,
    flags: u8,
) -> Result<(), TcpOptionError> {
    let is_valid = match length {
        12 => flags & SYN != 0,
        16 => flags & (SYN | ACK) == SYN | ACK,
        24 => flags & ACK != 0,
        _ => false,
    };
    if !is_valid {
        return Err(TcpOptionError::Malformed);
    }
    if length == 24 {
        p.push_str(" hmac 0x");
        p.push_hex(rest(option, 2));
        return Ok(());
    }
    if u8_at(option, 0)? & 1 != 0 {
        p.push_str(" backup");
    }
    write!(p, " id {}", u8_at(option, 1)?);
    if length == 12 {
        let (token, nonce) = (u32_at(option, 2)?, u32_at(option, 6)?);
        write!(p, " token 0x{token:x} nonce 0x{nonce:x}");
    } else {
        let (code, nonce) = (u64_at(option, 2)?, u32_at(option, 10)?);
        write!(p, " hmac 0x{code:x} nonce 0x{nonce:x}");
    }
    Ok(())
}

/// Removes `N` octets from the front of `left` and returns them.
fn take<const N: usize>(left: &mut &[u8]) -> Result<[u8; N], TcpOptionError> {
    let (front, rest) = left.split_first_chunk().ok_or(TcpOptionError::Malformed)?;
    *left = rest;
    Ok(*front)
}

/// Removes a 32-bit or a 64-bit number from the front of `left` and prints it.
fn print_number(p: &mut Printer, left: &mut &[u8], is_long: bool) -> Result<(), TcpOptionError> {
    let number = match is_long {
        true => u64::from_be_bytes(take(left)?),
        false => u64::from(u32::from_be_bytes(take(left)?)),
    };
    write!(p, "{number}");
    Ok(())
}

fn print_dss(p: &mut Printer, option: &[u8], flags: u8) -> Result<(), TcpOptionError> {
    if option.len() < 2 || flags & SYN != 0 {
        return Err(TcpOptionError::Malformed);
    }
    let bits = u8_at(option, 1)?;
    if bits & 0x10 != 0 {
        p.push_str(" fin");
    }
    let mut left = rest(option, 2);
    if bits & 0x01 != 0 {
        p.push_str(" ack ");
        print_number(p, &mut left, bits & 0x02 != 0)?;
    }
    if bits & 0x04 != 0 {
        p.push_str(" seq ");
        print_number(p, &mut left, bits & 0x08 != 0)?;
        write!(p, " subseq {}", u32::from_be_bytes(take(&mut left)?));
        write!(p, " len {}", u16::from_be_bytes(take(&mut left)?));
        // The checksum is present only if both ends negotiated it.
        if let Ok(checksum) = take(&mut left) {
            write!(p, " csum 0x{:x}", u16::from_be_bytes(checksum));
        }
    }
    match left {
        [] => Ok(()),
        _ => Err(TcpOptionError::Malformed),
    }
}

fn print_add_addr(p: &mut Printer, option: &[u8], length: usize) -> Result<(), TcpOptionError> {
    let size = match length {
        8 | 10 | 16 | 18 => 4,
        20 | 22 | 28 | 30 => 16,
        _ => return Err(TcpOptionError::Malformed),
    };
    p.push_str(match u8_at(option, 0)? & 0x0f {
        0 => " v1",
        1 => " v1-echo",
        4 => " v0-ip4",
        6 => " v0-ip6",
        _ => " [bad version/echo]",
    });
    write!(p, " id {} ", u8_at(option, 1)?);
    if size == 4 {
        address::write_ipv4(p.out, array_at(option, 2)?);
    } else {
        address::write_ipv6(p.out, array_at(option, 2)?);
    }
    let left = rest(option, 2 + size);
    let with_port = matches!(left.len(), 2 | 10);
    if with_port {
        write!(p, ":{}", u16_at(left, 0)?);
    }
    if left.len() >= 8 {
        write!(p, " hmac 0x{:x}", u64_at(left, left.len() - 8)?);
    }
    Ok(())
}

fn print_remove_addr(p: &mut Printer, option: &[u8]) -> Result<(), TcpOptionError> {
    let ids = rest(option, 1);
    if ids.is_empty() {
        return Err(TcpOptionError::Malformed);
    }
    p.push_str(" id");
    for id in ids {
        write!(p, " {id}");
    }
    Ok(())
}

fn print_mp_prio(p: &mut Printer, option: &[u8]) -> Result<(), TcpOptionError> {
    if option.len() > 2 {
        return Err(TcpOptionError::Malformed);
    }
    let backup = u8_at(option, 0)? & 1 != 0;
    p.push_str(if backup { " backup" } else { " non-backup" });
    if let Some(id) = option.get(1) {
        write!(p, " id {id}");
    }
    Ok(())
}
