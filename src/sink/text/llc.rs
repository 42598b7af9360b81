//! Logical link control (IEEE 802.2), and SNAP (IEEE 802) behind it.

use super::ethernet::Addresses;
use super::printer::{Printed, Printer, array_at, rest, u8_at, u16_at};
use super::{dump, ethertype, ip4};

const SNAP: u8 = 0xaa;
const IP: u8 = 0x06;
/// Unnumbered information.
const UI: u16 = 0x03;
/// Exchange identification.
const XID: u16 = 0xaf;
const POLL: u16 = 0x10;
const POLL_NUMBERED: u16 = 0x0100;

/// How long the header was, and whether what follows it was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// It was.
    Printed(usize),
    /// The caller shows it as bytes.
    Unknown(usize),
}

/// The fields of a header.
#[derive(Debug, Clone, Copy)]
struct Fields {
    destination: u8,
    source: u8,
    control: u16,
    unnumbered: bool,
}

/// Prints an LLC header and what follows it; `addresses` are those of the frame, where it has any.
pub(super) fn print(
    p: &mut Printer,
    bytes: &[u8],
    length: usize,
    addresses: Option<Addresses>,
) -> Printed<Header> {
    p.protocol = "llc";
    let Some(fields) = fields(bytes, length) else {
        p.truncated();
        dump::hex_and_ascii(p.out, bytes);
        return Ok(Header::Printed(bytes.len().min(length)));
    };
    if fields.destination == 0xff && fields.source == 0xff {
        // IPX straight inside of 802.3, which lcap does not read.
        if p.style.link {
            p.text("IPX 802.3: ");
        } else if let Some(addresses) = addresses {
            addresses.print(p);
            p.format(format_args!(" IPX, length {length}: "));
        }
        return Ok(Header::Unknown(0));
    }
    let header = if fields.unnumbered { 3 } else { 4 };
    let (destination, source) = (fields.destination & !1, fields.source & !1);
    if p.style.link {
        link(p, fields);
    }
    let (inner, length) = (rest(bytes, header), length - header);
    match (destination, source, fields.control) {
        (SNAP, SNAP, UI) => {
            let known = snap(p, inner, length, addresses)?;
            let header = header + 5;
            Ok(if known {
                Header::Printed(header)
            } else {
                Header::Unknown(header)
            })
        }
        (IP, IP, UI) => {
            ip4::print(p, inner, length)?;
            Ok(Header::Printed(header))
        }
        _ => {
            if !p.style.link {
                points(p, destination, source, addresses);
            }
            frame(p, fields, inner, length, header)
        }
    }
}

fn fields(bytes: &[u8], length: usize) -> Option<Fields> {
    let [destination, source, control] = array_at(bytes, 0).ok()?;
    if length < 3 {
        return None;
    }
    let unnumbered = control & 3 == 3;
    let control = match unnumbered {
        true => u16::from(control),
        false if length < 4 => return None,
        false => u16::from_le_bytes([control, u8_at(bytes, 3).ok()?]),
    };
    Some(Fields {
        destination,
        source,
        control,
        unnumbered,
    })
}

fn link(p: &mut Printer, fields: Fields) {
    let (destination, source) = (fields.destination & !1, fields.source & !1);
    p.format(format_args!(
        "LLC, dsap {} (0x{destination:02x}) {}, ssap {} (0x{source:02x}) {}, ctrl 0x",
        point(destination).unwrap_or("Unknown"),
        if fields.destination & 1 == 0 {
            "Individual"
        } else {
            "Group"
        },
        point(source).unwrap_or("Unknown"),
        if fields.source & 1 == 0 {
            "Command"
        } else {
            "Response"
        },
    ));
    let control = fields.control;
    if fields.unnumbered {
        p.format(format_args!("{control:02x}: "));
    } else {
        p.format(format_args!("{control:04x}: "));
    }
}

fn points(p: &mut Printer, destination: u8, source: u8, addresses: Option<Addresses>) {
    let other = |p: &mut Printer, name: &str, value| {
        match point(value) {
            Some(found) => p.text(found),
            None => p.format(format_args!("Unknown {name} 0x{value:02x}")),
        }
        p.text(" ");
    };
    if let Some(addresses) = addresses {
        super::address::mac(p.out, &addresses.source);
        p.text(" ");
    }
    if source != destination {
        other(p, "SSAP", source);
    }
    match addresses {
        Some(addresses) => {
            p.text("> ");
            super::address::mac(p.out, &addresses.destination);
            p.text(" ");
        }
        None if source != destination => p.text("> "),
        None => {}
    }
    other(p, "DSAP", destination);
}

/// Names of service access points.
fn point(value: u8) -> Option<&'static str> {
    Some(match value {
        0x00 => "Null",
        0x02 => "802.1B I",
        IP => "IP",
        0x04 => "SNA",
        0x0e => "ProWay NM",
        0x42 => "STP",
        0x4e => "RS511",
        0x7e => "ISO8208",
        0x8e => "ProWay",
        SNAP => "SNAP",
        0xe0 => "IPX",
        0xf0 => "NetBeui",
        0xfe => "OSI",
        _ => return None,
    })
}

/// The three kinds of frames.
fn frame(
    p: &mut Printer,
    fields: Fields,
    inner: &[u8],
    length: usize,
    header: usize,
) -> Printed<Header> {
    let control = fields.control;
    let poll = if fields.unnumbered {
        POLL
    } else {
        POLL_NUMBERED
    };
    let flag = match (fields.source & 1 != 0, control & poll != 0) {
        (false, false) => "Command",
        (true, false) => "Response",
        (false, true) => "Poll",
        (true, true) => "Final",
    };
    let length_all = length + header;
    if fields.unnumbered {
        p.text("Unnumbered, ");
        match command(control) {
            Some(name) => p.text(name),
            None => {
                let command = control & 0xef;
                p.format(format_args!("{command:02x}"));
            }
        }
        p.format(format_args!(", Flags [{flag}], length {length_all}"));
        if control & !POLL == XID && exchange(p, inner, length)? {
            return Ok(Header::Printed(header));
        }
        return Ok(Header::Unknown(header));
    }
    let received = control >> 9 & 0x7f;
    if control & 3 == 1 {
        let names = ["Receiver Ready", "Receiver not Ready", "Reject", "?"];
        let name = names[usize::from(control >> 2 & 3)];
        p.format(format_args!(
            "Supervisory, {name}, rcv seq {received}, Flags [{flag}], length {length_all}"
        ));
        return Ok(Header::Printed(header));
    }
    let sent = control >> 1 & 0x7f;
    p.format(format_args!(
        "Information, send seq {sent}, rcv seq {received}, Flags [{flag}], length {length_all}"
    ));
    Ok(Header::Unknown(header))
}

fn command(control: u16) -> Option<&'static str> {
    Some(match control & 0xef {
        UI => "ui",
        0xe3 => "test",
        XID => "xid",
        0x63 => "ua",
        0x43 => "disc",
        0x0f => "dm",
        0x6f => "sabme",
        0x87 => "frmr",
        _ => return None,
    })
}

/// Prints the information of an identification; false where it is of another format.
fn exchange(p: &mut Printer, inner: &[u8], length: usize) -> Printed<bool> {
    if length == 0 {
        return Ok(true);
    }
    match inner {
        [] => p.truncated(),
        [0x81, classes, window, ..] if length >= 3 => {
            p.format(format_args!(": {classes:02x} {window:02x}"));
        }
        [0x81, ..] => {
            p.truncated();
            dump::hex_and_ascii(p.out, inner);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Prints a SNAP header and what follows it; false where that is not known.
fn snap(
    p: &mut Printer,
    bytes: &[u8],
    length: usize,
    addresses: Option<Addresses>,
) -> Printed<bool> {
    p.protocol = "snap";
    let Ok([a, b, c, ..]) = array_at::<5>(bytes, 0) else {
        p.truncated();
        return Ok(true);
    };
    let organization = u32::from_be_bytes([0, a, b, c]);
    let kind = u16_at(bytes, 3)?;
    let (inner, length) = (rest(bytes, 5), length.saturating_sub(5));
    let (name, is_type) = (organization_name(organization), organization == 0);
    let kind_name = match organization {
        0 | 0x00_00f8 | 0x08_0007 => ethertype::name_or_unknown(kind),
        0x00_000c => cisco_name(kind),
        0x00_80c2 => bridged_name(kind),
        _ => "Unknown",
    };
    if p.style.link {
        let field = if is_type { "ethertype" } else { "pid" };
        p.format(format_args!(
            "oui {name} (0x{organization:06x}), {field} {kind_name} (0x{kind:04x}), length {length}: "
        ));
    }
    if matches!(organization, 0 | 0x00_00f8) && ethertype::print(p, kind, inner, length)? {
        return Ok(true);
    }
    if p.style.link {
        return Ok(false);
    }
    if let Some(addresses) = addresses {
        addresses.print(p);
        p.text(" ");
    }
    if is_type {
        p.format(format_args!(
            "SNAP, ethertype {kind_name} (0x{kind:04x}), length {length}: "
        ));
    } else {
        p.format(format_args!(
            "SNAP, oui {name} (0x{organization:06x}), pid {kind_name} (0x{kind:04x}), length {length}: "
        ));
    }
    Ok(false)
}

/// Names of organizations that put protocols behind SNAP.
fn organization_name(organization: u32) -> &'static str {
    match organization {
        0 => "Ethernet",
        0x00_000c => "Cisco",
        0x00_005e => "IANA",
        0x00_00f8 => "Cisco bridged",
        0x00_80c2 => "Ethernet bridged",
        0x08_0007 => "Appletalk",
        _ => "Unknown",
    }
}

/// Names of Cisco's protocols.
fn cisco_name(kind: u16) -> &'static str {
    match kind {
        0x2000 => "CDP",
        0x2003 => "VTP",
        0x2004 => "DTP",
        0x0111 => "UDLD",
        0x010b => "PVST",
        0x010c => "VLAN Bridge",
        _ => "Unknown",
    }
}

/// Names of bridged frames (RFC 2684 section 5.2).
fn bridged_name(kind: u16) -> &'static str {
    match kind {
        0x0001 => "Ethernet + FCS",
        0x0007 => "Ethernet w/o FCS",
        0x0002 => "802.4 + FCS",
        0x0008 => "802.4 w/o FCS",
        0x0003 => "Token Ring + FCS",
        0x0009 => "Token Ring w/o FCS",
        0x0004 => "FDDI + FCS",
        0x000a => "FDDI w/o FCS",
        0x0005 => "802.6 + FCS",
        0x000b => "802.6 w/o FCS",
        0x000e => "BPDU",
        _ => "Unknown",
    }
}
