//! Prints ARP and its kin: reverse, inverse and ATM's (RFC 826, 903, 2390, 2225).

#[cfg(test)]
mod tests;

use super::printer::{Printed, Printer, Truncated, array_at, rest, u8_at, u16_at};
use super::{address, dump, ethertype};

const REQUEST: u16 = 1;
const REPLY: u16 = 2;
const REVERSE_REQUEST: u16 = 3;
const REVERSE_REPLY: u16 = 4;
const INVERSE_REQUEST: u16 = 8;
const INVERSE_REPLY: u16 = 9;
const REFUSAL: u16 = 10;

/// EtherTypes whose addresses are shown as IPv4.
const IP4: u16 = 0x0800;
const TRAILER: u16 = 0x1000;

/// How an ARP packet is laid out and its hardware addresses are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Ethernet,
    FrameRelay,
    Atm,
}

/// One of the two that an ARP packet is about.
#[derive(Debug, Clone, Copy)]
struct Party<'a> {
    hardware: &'a [u8],
    /// ATM only, where an address has two parts.
    subaddress: &'a [u8],
    protocol: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Arp<'a> {
    family: Family,
    hardware: u16,
    protocol: u16,
    operation: u16,
    sender: Party<'a>,
    target: Party<'a>,
}

/// Prints an ARP packet, `ARP, ` included where no link header stands before it; `bytes` may go on into padding.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> Printed {
    p.protocol = "arp";
    let arp = parse(bytes)?;
    if !p.style.link {
        p.text("ARP, ");
    }
    let verbose = p.style.verbose > 0;
    if verbose || !arp.is_usual() {
        print_formats(p, &arp);
    }
    if verbose || arp.is_usual() {
        p.text(if verbose { ", " } else { "" });
        print_operation(p, arp.operation);
        if !print_question(p, &arp)? {
            dump::hex_and_ascii(p.out, bytes);
            return Ok(());
        }
    }
    p.format(format_args!(", length {length}"));
    Ok(())
}

impl Arp<'_> {
    /// Whether the line can go without the formats of the addresses.
    fn is_usual(&self) -> bool {
        self.is_ip4()
            && self.sender.protocol.len() == 4
            && self.target.protocol.len() == 4
            && (self.family == Family::Atm || !self.sender.hardware.is_empty())
    }

    fn is_ip4(&self) -> bool {
        matches!(self.protocol, IP4 | TRAILER)
    }
}

/// Takes octets off the front of what was captured.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Printed<&'a [u8]> {
    let (taken, left) = bytes.split_at_checked(count).ok_or(Truncated)?;
    *bytes = left;
    Ok(taken)
}

fn parse(bytes: &[u8]) -> Printed<Arp<'_>> {
    // The eight octets that both layouts have at least.
    array_at::<8>(bytes, 0)?;
    let family = match u16_at(bytes, 0)? {
        15 => Family::FrameRelay,
        19 => Family::Atm,
        _ => Family::Ethernet,
    };
    let (sender, target) = match family {
        Family::Atm => parse_atm_parties(bytes)?,
        Family::Ethernet | Family::FrameRelay => parse_parties(bytes)?,
    };
    Ok(Arp {
        family,
        hardware: u16_at(bytes, 0)?,
        protocol: u16_at(bytes, 2)?,
        operation: u16_at(bytes, 6)?,
        sender,
        target,
    })
}

/// `hardware type (2), protocol type (2), hardware length, protocol length, operation (2)`, and then the addresses.
fn parse_parties(bytes: &[u8]) -> Printed<(Party<'_>, Party<'_>)> {
    let hardware = usize::from(u8_at(bytes, 4)?);
    let protocol = usize::from(u8_at(bytes, 5)?);
    let mut left = rest(bytes, 8);
    let mut party = || {
        Ok(Party {
            hardware: take(&mut left, hardware)?,
            subaddress: &[],
            protocol: take(&mut left, protocol)?,
        })
    };
    Ok((party()?, party()?))
}

/// `hardware type (2), protocol type (2), sender's number and subaddress length, operation (2), sender's protocol length,
/// target's three lengths`, and then the addresses. The number and subaddress lengths have a type in their upper two bits.
fn parse_atm_parties(bytes: &[u8]) -> Printed<(Party<'_>, Party<'_>)> {
    let mut left = bytes.get(12..).ok_or(Truncated)?;
    let mut party = |hardware, subaddress, protocol| {
        Ok(Party {
            hardware: take(&mut left, usize::from(u8_at(bytes, hardware)? & 0x3f))?,
            subaddress: take(&mut left, usize::from(u8_at(bytes, subaddress)? & 0x3f))?,
            protocol: take(&mut left, usize::from(u8_at(bytes, protocol)?))?,
        })
    };
    Ok((party(4, 5, 8)?, party(9, 10, 11)?))
}

fn print_formats(p: &mut Printer, arp: &Arp) {
    match arp.hardware {
        1 => p.text("Ethernet"),
        6 => p.text("TokenRing"),
        7 => p.text("ArcNet"),
        15 => p.text("FrameRelay"),
        19 => p.text("ATM"),
        23 => p.text("Strip"),
        24 => p.text("IEEE 1394"),
        32 => p.text("InfiniBand"),
        other => p.format(format_args!("Unknown Hardware ({other})")),
    }
    if arp.family != Family::Atm {
        p.format(format_args!(" (len {})", arp.sender.hardware.len()));
    }
    match ethertype::name(arp.protocol) {
        Some(name) => p.format(format_args!(", {name}")),
        None => p.format(format_args!(", Unknown Protocol (0x{:04x})", arp.protocol)),
    }
    p.format(format_args!(" (len {}", arp.sender.protocol.len()));
    if arp.family == Family::Atm {
        p.format(format_args!("/{}", arp.target.protocol.len()));
    }
    p.text(")");
}

fn print_operation(p: &mut Printer, operation: u16) {
    p.text(match operation {
        REQUEST => "Request ",
        REPLY => "Reply ",
        REVERSE_REQUEST => "Reverse Request ",
        REVERSE_REPLY => "Reverse Reply ",
        INVERSE_REQUEST => "Inverse Request ",
        INVERSE_REPLY => "Inverse Reply ",
        REFUSAL => "NACK Reply ",
        other => return p.format(format_args!("Unknown ({other}) ")),
    });
}

/// Question or answer in words; `false` where the operation is none that this family has.
fn print_question(p: &mut Printer, arp: &Arp) -> Printed<bool> {
    let (sender, target) = (&arp.sender, &arp.target);
    match (arp.operation, arp.family) {
        (REQUEST, family) => {
            p.text("who-has ");
            print_protocol(p, arp, target, "<wrong tplen>");
            if is_worth_showing(family, target.hardware) {
                p.text(" (");
                print_hardware(p, family, target);
                p.text(")");
            }
            p.text(" tell ");
            print_protocol(p, arp, sender, "<wrong splen>");
        }
        (REPLY, family) => {
            print_protocol(p, arp, sender, "<wrong splen>");
            p.text(" is-at ");
            print_hardware(p, family, sender);
        }
        (REVERSE_REPLY, family @ (Family::Ethernet | Family::FrameRelay)) => {
            print_hardware(p, family, target);
            p.text(" at ");
            print_protocol(p, arp, target, "<wrong tplen>");
        }
        (REVERSE_REQUEST, family @ (Family::Ethernet | Family::FrameRelay))
        | (INVERSE_REQUEST, family) => {
            p.text("who-is ");
            print_hardware(p, family, target);
            p.text(" tell ");
            print_hardware(p, family, sender);
        }
        (INVERSE_REPLY, family) => {
            print_hardware(p, family, sender);
            p.text(if family == Family::Atm { "at " } else { " at " });
            print_protocol(p, arp, sender, "<wrong splen>");
        }
        (REFUSAL, Family::Atm) => {
            p.text("for ");
            print_protocol(p, arp, sender, "<wrong splen>");
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// A request rarely knows the address that it asks for.
fn is_worth_showing(family: Family, hardware: &[u8]) -> bool {
    match family {
        Family::Atm => !hardware.is_empty(),
        Family::Ethernet | Family::FrameRelay => hardware.iter().any(|octet| *octet != 0),
    }
}

fn print_protocol(p: &mut Printer, arp: &Arp, party: &Party, wrong_length: &str) {
    if !arp.is_ip4() {
        p.text("<wrong proto type>");
    } else if let Ok(octets) = <[u8; 4]>::try_from(party.protocol) {
        address::ip4(p.out, octets);
    } else if arp.family == Family::Atm {
        p.text(wrong_length);
    } else {
        p.text("<wrong len>");
    }
}

fn print_hardware(p: &mut Printer, family: Family, party: &Party) {
    match (family, party.hardware) {
        (Family::Atm, []) => p.text("<No address>"),
        (_, []) => p.text("<empty>"),
        (Family::FrameRelay, octets) => print_data_link(p, octets),
        (_, octets) => address::mac(p.out, octets),
    }
    if !party.subaddress.is_empty() && !party.hardware.is_empty() {
        p.text(",");
        address::mac(p.out, party.subaddress);
    }
}

/// A Q.922 address of two to four octets, each but the last with its lowest bit clear; the connection's number is spread over
/// the upper bits.
fn print_data_link(p: &mut Printer, octets: &[u8]) {
    let number = |octet: u8, bits: u32| u32::from(octet) >> (8 - bits);
    let upper = |a: u8, b: u8| number(a, 6) << 4 | number(b, 4);
    let ends = |octet: u8| octet & 1 == 1;
    let connection = match *octets {
        [a, ..] if ends(a) => None,
        [a, b, ..] if ends(b) => Some(upper(a, b)),
        [a, b, c, ..] if ends(c) => Some(upper(a, b) << 6 | number(c, 6)),
        [a, b, c, d, ..] if ends(d) => Some((upper(a, b) << 7 | number(c, 7)) << 6 | number(d, 6)),
        [_, _, _, _, ..] => None,
        _ => return p.text("<Truncated>"),
    };
    match connection {
        Some(connection) => p.format(format_args!("DLCI {connection}")),
        None => p.text("<Invalid DLCI>"),
    }
}
