//! ARP packets, with Reverse ARP, Inverse ARP and ATM ARP (RFC 826, RFC 903, RFC 2390, RFC 2225).

#[cfg(test)]
mod tests;

use super::printer::{PrintResult, Printer, Truncated, array_at, rest, u8_at, u16_at};
use super::{address, dump, ethertype};

const REQUEST: u16 = 1;
const REPLY: u16 = 2;
const REVERSE_REQUEST: u16 = 3;
const REVERSE_REPLY: u16 = 4;
const INVERSE_REQUEST: u16 = 8;
const INVERSE_REPLY: u16 = 9;
const NAK: u16 = 10;

/// EtherType of IPv4.
const IP4: u16 = 0x0800;
/// EtherType of trailer encapsulation, whose addresses are also printed as IPv4 addresses.
const TRAILER: u16 = 0x1000;

/// Layout of an ARP packet, and format of its hardware addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ArpFamily {
    Ethernet,
    FrameRelay,
    Atm,
}

/// Addresses of the sender or of the target.
#[derive(Debug, Clone, Copy)]
struct ArpParty<'a> {
    hardware_address: &'a [u8],
    /// Second part of an ATM address; empty for other hardware.
    subaddress: &'a [u8],
    protocol_address: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Arp<'a> {
    family: ArpFamily,
    hardware_type: u16,
    protocol_type: u16,
    operation: u16,
    sender: ArpParty<'a>,
    target: ArpParty<'a>,
}

/// Prints an ARP packet, beginning with `ARP, ` unless the link header is printed; `bytes` can
/// include padding.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult {
    p.protocol = "arp";
    let arp = parse(bytes)?;
    if !p.style.link_header {
        p.push_str("ARP, ");
    }
    let verbose = p.style.verbose > 0;
    if verbose || !arp.has_default_formats() {
        print_address_formats(p, &arp);
    }
    if verbose || arp.has_default_formats() {
        p.push_str(if verbose { ", " } else { "" });
        print_operation(p, arp.operation);
        if !print_request_or_reply(p, &arp)? {
            dump::write_hex_and_ascii(p.out, bytes);
            return Ok(());
        }
    }
    p.format(format_args!(", length {length}"));
    Ok(())
}

impl Arp<'_> {
    /// True if the address formats are the usual ones, IPv4 and a hardware address: they are then
    /// printed only with `-v`.
    fn has_default_formats(&self) -> bool {
        self.is_ip4()
            && self.sender.protocol_address.len() == 4
            && self.target.protocol_address.len() == 4
            && (self.family == ArpFamily::Atm || !self.sender.hardware_address.is_empty())
    }

    fn is_ip4(&self) -> bool {
        matches!(self.protocol_type, IP4 | TRAILER)
    }
}

/// Removes `count` octets from the front of `bytes` and returns them.
fn split_off_front<'a>(bytes: &mut &'a [u8], count: usize) -> PrintResult<&'a [u8]> {
    let (taken, left) = bytes.split_at_checked(count).ok_or(Truncated)?;
    *bytes = left;
    Ok(taken)
}

fn parse(bytes: &[u8]) -> PrintResult<Arp<'_>> {
    // Both layouts have at least 8 octets.
    array_at::<8>(bytes, 0)?;
    let family = match u16_at(bytes, 0)? {
        15 => ArpFamily::FrameRelay,
        19 => ArpFamily::Atm,
        _ => ArpFamily::Ethernet,
    };
    let (sender, target) = match family {
        ArpFamily::Atm => parse_atm_parties(bytes)?,
        ArpFamily::Ethernet | ArpFamily::FrameRelay => parse_parties(bytes)?,
    };
    Ok(Arp {
        family,
        hardware_type: u16_at(bytes, 0)?,
        protocol_type: u16_at(bytes, 2)?,
        operation: u16_at(bytes, 6)?,
        sender,
        target,
    })
}

/// Parses the addresses of the ordinary layout:
///
/// | hardware type (2) | protocol type (2) | hardware length | protocol length | operation (2) |
/// | sender addresses | target addresses |
fn parse_parties(bytes: &[u8]) -> PrintResult<(ArpParty<'_>, ArpParty<'_>)> {
    let hardware = usize::from(u8_at(bytes, 4)?);
    let protocol = usize::from(u8_at(bytes, 5)?);
    let mut left = rest(bytes, 8);
    let mut party = || {
        Ok(ArpParty {
            hardware_address: split_off_front(&mut left, hardware)?,
            subaddress: &[],
            protocol_address: split_off_front(&mut left, protocol)?,
        })
    };
    Ok((party()?, party()?))
}

/// Parses the addresses of the ATM layout. The upper two bits of a number length or subaddress
/// length contain a type.
///
/// | hardware type (2) | protocol type (2) | sender number length | sender subaddress length |
/// | operation (2) | sender protocol length | target number length | target subaddress length |
/// | target protocol length | sender addresses | target addresses |
fn parse_atm_parties(bytes: &[u8]) -> PrintResult<(ArpParty<'_>, ArpParty<'_>)> {
    let mut left = bytes.get(12..).ok_or(Truncated)?;
    let mut party = |hardware, subaddress, protocol| {
        Ok(ArpParty {
            hardware_address: split_off_front(
                &mut left,
                usize::from(u8_at(bytes, hardware)? & 0x3f),
            )?,
            subaddress: split_off_front(&mut left, usize::from(u8_at(bytes, subaddress)? & 0x3f))?,
            protocol_address: split_off_front(&mut left, usize::from(u8_at(bytes, protocol)?))?,
        })
    };
    Ok((party(4, 5, 8)?, party(9, 10, 11)?))
}

fn print_address_formats(p: &mut Printer, arp: &Arp) {
    match arp.hardware_type {
        1 => p.push_str("Ethernet"),
        6 => p.push_str("TokenRing"),
        7 => p.push_str("ArcNet"),
        15 => p.push_str("FrameRelay"),
        19 => p.push_str("ATM"),
        23 => p.push_str("Strip"),
        24 => p.push_str("IEEE 1394"),
        32 => p.push_str("InfiniBand"),
        other => p.format(format_args!("Unknown Hardware ({other})")),
    }
    if arp.family != ArpFamily::Atm {
        p.format(format_args!(" (len {})", arp.sender.hardware_address.len()));
    }
    match ethertype::name(arp.protocol_type) {
        Some(name) => p.format(format_args!(", {name}")),
        None => p.format(format_args!(
            ", Unknown Protocol (0x{:04x})",
            arp.protocol_type
        )),
    }
    p.format(format_args!(" (len {}", arp.sender.protocol_address.len()));
    if arp.family == ArpFamily::Atm {
        p.format(format_args!("/{}", arp.target.protocol_address.len()));
    }
    p.push_str(")");
}

fn print_operation(p: &mut Printer, operation: u16) {
    p.push_str(match operation {
        REQUEST => "Request ",
        REPLY => "Reply ",
        REVERSE_REQUEST => "Reverse Request ",
        REVERSE_REPLY => "Reverse Reply ",
        INVERSE_REQUEST => "Inverse Request ",
        INVERSE_REPLY => "Inverse Reply ",
        NAK => "NACK Reply ",
        other => return p.format(format_args!("Unknown ({other}) ")),
    });
}

/// Prints the request or reply; returns false if the operation does not exist in this family.
fn print_request_or_reply(p: &mut Printer, arp: &Arp) -> PrintResult<bool> {
    let (sender, target) = (&arp.sender, &arp.target);
    match (arp.operation, arp.family) {
        (REQUEST, family) => {
            p.push_str("who-has ");
            print_protocol_address(p, arp, target, "<wrong tplen>");
            if has_address(family, target.hardware_address) {
                p.push_str(" (");
                print_hardware_address(p, family, target);
                p.push_str(")");
            }
            p.push_str(" tell ");
            print_protocol_address(p, arp, sender, "<wrong splen>");
        }
        (REPLY, family) => {
            print_protocol_address(p, arp, sender, "<wrong splen>");
            p.push_str(" is-at ");
            print_hardware_address(p, family, sender);
        }
        (REVERSE_REPLY, family @ (ArpFamily::Ethernet | ArpFamily::FrameRelay)) => {
            print_hardware_address(p, family, target);
            p.push_str(" at ");
            print_protocol_address(p, arp, target, "<wrong tplen>");
        }
        (REVERSE_REQUEST, family @ (ArpFamily::Ethernet | ArpFamily::FrameRelay))
        | (INVERSE_REQUEST, family) => {
            p.push_str("who-is ");
            print_hardware_address(p, family, target);
            p.push_str(" tell ");
            print_hardware_address(p, family, sender);
        }
        (INVERSE_REPLY, family) => {
            print_hardware_address(p, family, sender);
            p.push_str(if family == ArpFamily::Atm {
                "at "
            } else {
                " at "
            });
            print_protocol_address(p, arp, sender, "<wrong splen>");
        }
        (NAK, ArpFamily::Atm) => {
            p.push_str("for ");
            print_protocol_address(p, arp, sender, "<wrong splen>");
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// True if a request already contains the hardware address that it requests, which is unusual.
fn has_address(family: ArpFamily, hardware: &[u8]) -> bool {
    match family {
        ArpFamily::Atm => !hardware.is_empty(),
        ArpFamily::Ethernet | ArpFamily::FrameRelay => hardware.iter().any(|octet| *octet != 0),
    }
}

fn print_protocol_address(p: &mut Printer, arp: &Arp, party: &ArpParty, wrong_length: &str) {
    if !arp.is_ip4() {
        p.push_str("<wrong proto type>");
    } else if let Ok(octets) = <[u8; 4]>::try_from(party.protocol_address) {
        address::write_ipv4(p.out, octets);
    } else if arp.family == ArpFamily::Atm {
        p.push_str(wrong_length);
    } else {
        p.push_str("<wrong len>");
    }
}

fn print_hardware_address(p: &mut Printer, family: ArpFamily, party: &ArpParty) {
    match (family, party.hardware_address) {
        (ArpFamily::Atm, []) => p.push_str("<No address>"),
        (_, []) => p.push_str("<empty>"),
        (ArpFamily::FrameRelay, octets) => print_dlci(p, octets),
        (_, octets) => address::write_mac(p.out, octets),
    }
    if !party.subaddress.is_empty() && !party.hardware_address.is_empty() {
        p.push_str(",");
        address::write_mac(p.out, party.subaddress);
    }
}

/// Prints the data link connection identifier (DLCI) in a Q.922 address of two to four octets. The
/// lowest bit is set only in the last octet; the DLCI is distributed over the upper bits.
fn print_dlci(p: &mut Printer, octets: &[u8]) {
    let top = |octet: u8, bits: u32| u32::from(octet) >> (8 - bits);
    let upper = |a: u8, b: u8| top(a, 6) << 4 | top(b, 4);
    let is_last = |octet: u8| octet & 1 == 1;
    let dlci = match *octets {
        [a, ..] if is_last(a) => None,
        [a, b, ..] if is_last(b) => Some(upper(a, b)),
        [a, b, c, ..] if is_last(c) => Some(upper(a, b) << 6 | top(c, 6)),
        [a, b, c, d, ..] if is_last(d) => Some((upper(a, b) << 7 | top(c, 7)) << 6 | top(d, 6)),
        [_, _, _, _, ..] => None,
        _ => return p.push_str("<Truncated>"),
    };
    match dlci {
        Some(dlci) => p.format(format_args!("DLCI {dlci}")),
        None => p.push_str("<Invalid DLCI>"),
    }
}
