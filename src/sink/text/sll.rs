//! Linux "cooked" captures (<https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html> and
//! <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>).

use super::printer::{Printed, Printer, array_at, rest, u16_at};
use super::{address, ethertype};

/// 802.2 without an Ethernet header.
const P_802_2: u16 = 4;
/// Novell's IPX inside of 802.3.
const P_802_3: u16 = 1;

/// The fields of either version's header.
#[derive(Debug, Clone, Copy)]
struct Fields {
    /// Octets of the header.
    header: usize,
    /// To us, from us, …
    direction: u16,
    protocol: u16,
    address_length: u16,
    address: [u8; 6],
    /// Version 2 has it.
    interface: Option<u32>,
}

/// Prints a frame of version 1 and returns how long its header is.
pub(super) fn print_1(p: &mut Printer, bytes: &[u8], length: usize) -> Printed<usize> {
    p.protocol = "sll";
    let header: [u8; 16] = array_at(bytes, 0)?;
    let fields = Fields {
        header: header.len(),
        direction: u16::from_be_bytes([header[0], header[1]]),
        protocol: u16::from_be_bytes([header[14], header[15]]),
        address_length: u16::from_be_bytes([header[4], header[5]]),
        address: array_at(bytes, 6)?,
        interface: None,
    };
    print(p, bytes, length, fields)
}

/// Prints a frame of version 2 and returns how long its header is.
pub(super) fn print_2(p: &mut Printer, bytes: &[u8], length: usize) -> Printed<usize> {
    p.protocol = "sll2";
    let header: [u8; 20] = array_at(bytes, 0)?;
    let index = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let fields = Fields {
        header: header.len(),
        direction: u16::from(header[10]),
        protocol: u16::from_be_bytes([header[0], header[1]]),
        address_length: u16::from(header[11]),
        address: array_at(bytes, 12)?,
        interface: Some(index),
    };
    let start = p.out.len();
    let name = p.interfaces.name(index).unwrap_or("?");
    p.out.extend_from_slice(name.as_bytes());
    pad(p.out, start + 5);
    p.text(" ");
    let start = p.out.len();
    p.text(direction(fields.direction));
    pad(p.out, start + 3);
    p.text(" ");
    print(p, bytes, length, fields)
}

/// Spaces up to `end`.
fn pad(out: &mut Vec<u8>, end: usize) {
    out.resize(out.len().max(end), b' ');
}

fn direction(value: u16) -> &'static str {
    match value {
        0 => "In",
        1 => "B",
        2 => "M",
        3 => "P",
        4 => "Out",
        _ => "?",
    }
}

/// The header itself, for `-e` and for what nothing else is known of.
fn link(p: &mut Printer, fields: Fields, length: usize) {
    p.protocol = if fields.interface.is_some() {
        "sll2"
    } else {
        "sll"
    };
    match fields.interface {
        Some(index) => p.format(format_args!("ifindex {index} ")),
        None => p.format(format_args!("{:>3} ", direction(fields.direction))),
    }
    if fields.address_length == 6 {
        address::mac(p.out, &fields.address);
        p.text(" ");
    }
    if p.style.quiet {
        return;
    }
    let protocol = fields.protocol;
    match protocol {
        P_802_3 => p.text("802.3"),
        P_802_2 => p.text("802.2"),
        0..=ethertype::MAX_LENGTH => p.format(format_args!("ethertype Unknown (0x{protocol:04x})")),
        _ => {
            let name = ethertype::name_or_unknown(protocol);
            p.format(format_args!("ethertype {name} (0x{protocol:04x})"));
        }
    }
    p.format(format_args!(", length {length}: "));
}

fn print(p: &mut Printer, bytes: &[u8], length: usize, fields: Fields) -> Printed<usize> {
    if p.style.link {
        link(p, fields, length);
    }
    let (mut header, mut kind) = (fields.header, fields.protocol);
    while kind == ethertype::VLAN {
        let (Ok(tag), Ok(next)) = (u16_at(bytes, header), u16_at(bytes, header + 2)) else {
            p.protocol = "vlan";
            p.truncated();
            return Ok(bytes.len());
        };
        if p.style.link {
            ethertype::tag(p, tag);
        }
        kind = if next <= ethertype::MAX_LENGTH {
            P_802_2
        } else {
            next
        };
        if !p.style.quiet {
            p.text("ethertype ");
            p.text(ethertype::name_or_unknown(kind));
            p.text(", ");
        }
        header += 4;
    }
    let (inner, left) = (rest(bytes, header), length.saturating_sub(header));
    if kind <= ethertype::MAX_LENGTH && kind != P_802_2 {
        p.unknown_bytes(inner);
        return Ok(header);
    }
    if !ethertype::print(p, kind, inner, left)? {
        if !p.style.link {
            link(p, fields, left + fields.header);
        }
        p.unknown_bytes(inner);
    }
    Ok(header)
}
