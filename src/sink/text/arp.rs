//! ARP packets, with Reverse ARP, Inverse ARP and ATM ARP (RFC 826, RFC 903, RFC 2390, RFC 2225).

#[cfg(test)]
mod tests;

use super::printer::{PrintResult, Printer, Truncated, array_at, rest, u16_at};
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

/// Hardware types with their own layout or format of addresses.
const FRAME_RELAY: u16 = 15;
const ATM: u16 = 19;

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
        if !print_request_or_reply(p, &arp) {
            dump::write_hex_and_ascii(p.out, bytes);
            return Ok(());
        }
    }
    write!(p, ", length {length}");
    Ok(())
}

impl Arp<'_> {
    /// True if the address formats are the usual ones, IPv4 and a hardware address: they are then
    /// printed only with `-v`.
    fn has_default_formats(&self) -> bool {
        self.is_ip4()
            && self.sender.protocol_address.len() == 4
            && self.target.protocol_address.len() == 4
            && (self.hardware_type == ATM || !self.sender.hardware_address.is_empty())
    }

    fn is_ip4(&self) -> bool {
        matches!(self.protocol_type, IP4 | TRAILER)
    }
}

/// Parses an ARP packet.
///
/// | hardware type (2) | protocol type (2) | hardware length | protocol length | operation (2) |
/// | sender addresses | target addresses |
///
/// An ATM address has a number and a subaddress; the upper two bits of each length contain a type:
///
/// | hardware type (2) | protocol type (2) | sender number length | sender subaddress length |
/// | operation (2) | sender protocol length | target number length | target subaddress length |
/// | target protocol length | sender addresses | target addresses |
fn parse(bytes: &[u8]) -> PrintResult<Arp<'_>> {
    let header: [u8; 8] = array_at(bytes, 0)?;
    let hardware_type = u16_at(bytes, 0)?;
    let (lengths, mut left) = match hardware_type {
        ATM => {
            let [a, b, c, d] = array_at(bytes, 8)?;
            let sender = [header[4] & 0x3f, header[5] & 0x3f, a];
            ([sender, [b & 0x3f, c & 0x3f, d]], rest(bytes, 12))
        }
        _ => ([[header[4], 0, header[5]]; 2], rest(bytes, 8)),
    };
    let mut address = |length: u8| {
        let (taken, rest) = left.split_at_checked(length.into()).ok_or(Truncated)?;
        left = rest;
        Ok(taken)
    };
    let mut party = |[hardware, subaddress, protocol]: [u8; 3]| {
        Ok(ArpParty {
            hardware_address: address(hardware)?,
            subaddress: address(subaddress)?,
            protocol_address: address(protocol)?,
        })
    };
    Ok(Arp {
        hardware_type,
        protocol_type: u16_at(bytes, 2)?,
        operation: u16_at(bytes, 6)?,
        sender: party(lengths[0])?,
        target: party(lengths[1])?,
    })
}

fn print_address_formats(p: &mut Printer, arp: &Arp) {
    match arp.hardware_type {
        1 => p.push_str("Ethernet"),
        6 => p.push_str("TokenRing"),
        7 => p.push_str("ArcNet"),
        FRAME_RELAY => p.push_str("FrameRelay"),
        ATM => p.push_str("ATM"),
        23 => p.push_str("Strip"),
        24 => p.push_str("IEEE 1394"),
        32 => p.push_str("InfiniBand"),
        other => write!(p, "Unknown Hardware ({other})"),
    }
    if arp.hardware_type != ATM {
        write!(p, " (len {})", arp.sender.hardware_address.len());
    }
    match ethertype::name(arp.protocol_type) {
        Some(name) => write!(p, ", {name}"),
        None => write!(p, ", Unknown Protocol (0x{:04x})", arp.protocol_type),
    }
    write!(p, " (len {}", arp.sender.protocol_address.len());
    if arp.hardware_type == ATM {
        write!(p, "/{}", arp.target.protocol_address.len());
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
        other => return write!(p, "Unknown ({other}) "),
    });
}

/// Prints the request or reply; returns false if the operation does not exist for this hardware.
fn print_request_or_reply(p: &mut Printer, arp: &Arp) -> bool {
    let (sender, target) = (&arp.sender, &arp.target);
    match (arp.operation, arp.hardware_type == ATM) {
        (REQUEST, is_atm) => {
            p.push_str("who-has ");
            print_protocol_address(p, arp, target, "<wrong tplen>");
            // A request usually does not contain the hardware address that it requests.
            if target
                .hardware_address
                .iter()
                .any(|&octet| is_atm || octet != 0)
            {
                p.push_str(" (");
                print_hardware_address(p, arp, target);
                p.push_str(")");
            }
            p.push_str(" tell ");
            print_protocol_address(p, arp, sender, "<wrong splen>");
        }
        (REPLY, _) => {
            print_protocol_address(p, arp, sender, "<wrong splen>");
            p.push_str(" is-at ");
            print_hardware_address(p, arp, sender);
        }
        (REVERSE_REPLY, false) => {
            print_hardware_address(p, arp, target);
            p.push_str(" at ");
            print_protocol_address(p, arp, target, "<wrong tplen>");
        }
        (REVERSE_REQUEST, false) | (INVERSE_REQUEST, _) => {
            p.push_str("who-is ");
            print_hardware_address(p, arp, target);
            p.push_str(" tell ");
            print_hardware_address(p, arp, sender);
        }
        (INVERSE_REPLY, is_atm) => {
            print_hardware_address(p, arp, sender);
            p.push_str(if is_atm { "at " } else { " at " });
            print_protocol_address(p, arp, sender, "<wrong splen>");
        }
        (NAK, true) => {
            p.push_str("for ");
            print_protocol_address(p, arp, sender, "<wrong splen>");
        }
        _ => return false,
    }
    true
}

fn print_protocol_address(p: &mut Printer, arp: &Arp, party: &ArpParty, wrong_length: &str) {
    if !arp.is_ip4() {
        p.push_str("<wrong proto type>");
    } else if let Ok(octets) = <[u8; 4]>::try_from(party.protocol_address) {
        address::write_ipv4(p.out, octets);
    } else if arp.hardware_type == ATM {
        p.push_str(wrong_length);
    } else {
        p.push_str("<wrong len>");
    }
}

fn print_hardware_address(p: &mut Printer, arp: &Arp, party: &ArpParty) {
    match (arp.hardware_type, party.hardware_address) {
        (ATM, []) => p.push_str("<No address>"),
        (_, []) => p.push_str("<empty>"),
        (FRAME_RELAY, octets) => print_dlci(p, octets),
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
        Some(dlci) => write!(p, "DLCI {dlci}"),
        None => p.push_str("<Invalid DLCI>"),
    }
}
