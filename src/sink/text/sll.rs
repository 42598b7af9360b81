//! Linux "cooked" capture headers (<https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html> and
//! <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>).

use super::printer::{PrintResult, Printer, array_at, rest, u16_at};
use super::{address, ethertype, network};

/// Protocol value for an 802.2 header without an Ethernet header.
const ETH_P_802_2: u16 = 4;
/// Protocol value for Novell's IPX directly inside 802.3.
const ETH_P_802_3: u16 = 1;

/// Header fields of either version.
#[derive(Debug, Clone, Copy)]
struct CookedHeader {
    /// Length of the header, in octets.
    header_len: usize,
    /// Direction: to this host, from this host, …
    packet_type: u16,
    protocol: u16,
    address_length: u16,
    address: [u8; 6],
    /// Index of the interface; only in version 2.
    interface_index: Option<u32>,
}

/// Prints a version 1 frame and returns the length of its headers.
pub(super) fn print_v1(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult<usize> {
    p.protocol = "sll";
    let header: [u8; 16] = array_at(bytes, 0)?;
    let fields = CookedHeader {
        header_len: header.len(),
        packet_type: u16::from_be_bytes([header[0], header[1]]),
        protocol: u16::from_be_bytes([header[14], header[15]]),
        address_length: u16::from_be_bytes([header[4], header[5]]),
        address: array_at(bytes, 6)?,
        interface_index: None,
    };
    print(p, bytes, length, fields)
}

/// Prints a version 2 frame and returns the length of its headers.
pub(super) fn print_v2(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult<usize> {
    p.protocol = "sll2";
    let header: [u8; 20] = array_at(bytes, 0)?;
    let index = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let fields = CookedHeader {
        header_len: header.len(),
        packet_type: u16::from(header[10]),
        protocol: u16::from_be_bytes([header[0], header[1]]),
        address_length: u16::from(header[11]),
        address: array_at(bytes, 12)?,
        interface_index: Some(index),
    };
    let start = p.out.len();
    let name = p.style.interface_names.get(&index);
    let name = name.map_or("?", |name| name).chars();
    // The kernel accepts nearly any octet in a name, including terminal control characters.
    let printable = |c: char| if c.is_ascii_graphic() { c as u8 } else { b'?' };
    p.out.extend(name.map(printable));
    pad(p.out, start + 5);
    p.push_str(" ");
    let start = p.out.len();
    p.push_str(direction_name(fields.packet_type));
    pad(p.out, start + 3);
    p.push_str(" ");
    print(p, bytes, length, fields)
}

/// Pads `out` with spaces up to `end`.
fn pad(out: &mut Vec<u8>, end: usize) {
    out.resize(out.len().max(end), b' ');
}

fn direction_name(value: u16) -> &'static str {
    match value {
        0 => "In",
        1 => "B",
        2 => "M",
        3 => "P",
        4 => "Out",
        _ => "?",
    }
}

/// Prints the header itself, for `-e` and for protocols that lcap does not dissect.
fn print_link_header(p: &mut Printer, fields: CookedHeader, length: usize) {
    p.protocol = if fields.interface_index.is_some() {
        "sll2"
    } else {
        "sll"
    };
    match fields.interface_index {
        Some(index) => write!(p, "ifindex {index} "),
        None => write!(p, "{:>3} ", direction_name(fields.packet_type)),
    }
    if fields.address_length == 6 {
        address::write_mac(p.out, &fields.address);
        p.push_str(" ");
    }
    if p.style.quiet {
        return;
    }
    let protocol = fields.protocol;
    match protocol {
        ETH_P_802_3 => p.push_str("802.3"),
        ETH_P_802_2 => p.push_str("802.2"),
        0..=ethertype::MAX_802_3_LENGTH => {
            write!(p, "ethertype Unknown (0x{protocol:04x})");
        }
        _ => {
            let name = ethertype::name_or_unknown(protocol);
            write!(p, "ethertype {name} (0x{protocol:04x})");
        }
    }
    write!(p, ", length {length}: ");
}

fn print(p: &mut Printer, bytes: &[u8], length: usize, fields: CookedHeader) -> PrintResult<usize> {
    if p.style.link_header {
        print_link_header(p, fields, length);
    }
    let (mut header, mut kind) = (fields.header_len, fields.protocol);
    while kind == ethertype::VLAN {
        let (Ok(tag), Ok(next)) = (u16_at(bytes, header), u16_at(bytes, header + 2)) else {
            p.protocol = "vlan";
            p.push_truncated();
            return Ok(bytes.len());
        };
        if p.style.link_header {
            ethertype::print_vlan_tag(p, tag);
        }
        kind = if next <= ethertype::MAX_802_3_LENGTH {
            ETH_P_802_2
        } else {
            next
        };
        if !p.style.quiet {
            p.push_str("ethertype ");
            p.push_str(ethertype::name_or_unknown(kind));
            p.push_str(", ");
        }
        header += 4;
    }
    let (inner, left) = (rest(bytes, header), length.saturating_sub(header));
    if kind <= ethertype::MAX_802_3_LENGTH && kind != ETH_P_802_2 {
        p.dump_undissected(inner);
        return Ok(header);
    }
    if !network::print(p, kind, inner, left)? {
        if !p.style.link_header {
            print_link_header(p, fields, left + fields.header_len);
        }
        p.dump_undissected(inner);
    }
    Ok(header)
}
