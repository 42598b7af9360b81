//! Upper-layer protocols of IP, by protocol number
//! (<https://www.iana.org/assignments/protocol-numbers/>).

use super::enclosing_ip::EnclosingIp;
use super::printer::{PrintResult, Printer, rest, u8_at};
use super::{icmp, icmp6, ip4, ip6, ipsec, tcp, udp};
use crate::packet::{ICMP, ICMPV6, TCP, UDP};

const IGMP: u8 = 2;
const IP4: u8 = 4;
const IP6: u8 = 41;
const ESP: u8 = 50;
const AH: u8 = 51;
const NO_NEXT_HEADER: u8 = 59;
const SUN_ND: u8 = 77;
const IPCOMP: u8 = 108;
const ETHERNET: u8 = 143;

/// Information from an IP header that the printer of its payload requires.
#[derive(Debug, Clone, Copy)]
pub(super) struct UpperLayerContext<'a> {
    pub(super) ip: EnclosingIp<'a>,
    /// True for a fragment: the bytes can be incomplete, so lengths and checksums are not checked.
    pub(super) fragmented: bool,
}

/// Prints the protocol that follows an IP header and its extension headers.
#[inline]
pub(super) fn print(
    p: &mut Printer,
    protocol: u8,
    bytes: &[u8],
    length: usize,
    context: UpperLayerContext,
) -> PrintResult {
    let UpperLayerContext {
        ip: network,
        fragmented,
    } = context;
    match protocol {
        TCP => tcp::print(p, bytes, length, network, fragmented),
        UDP => udp::print(p, bytes, length, network, fragmented),
        AH => print_ah_chain(p, bytes, length, context),
        _ => print_other(p, protocol, bytes, length, context),
    }
}

/// Prints one or more consecutive authentication headers and the protocol that follows them.
fn print_ah_chain(
    p: &mut Printer,
    bytes: &[u8],
    length: usize,
    context: UpperLayerContext,
) -> PrintResult {
    let (mut at, mut next) = (0, AH);
    while next == AH {
        let bytes = rest(bytes, at);
        p.protocol = "ah";
        let Ok(found) = u8_at(bytes, 0) else {
            return p.end_truncated();
        };
        next = found;
        at += ipsec::print_ah(p, bytes)?;
    }
    let length = (length as u32).wrapping_sub(at as u32) as usize;
    print(p, next, rest(bytes, at), length, context)
}

fn print_other(
    p: &mut Printer,
    protocol: u8,
    bytes: &[u8],
    length: usize,
    context: UpperLayerContext,
) -> PrintResult {
    match (protocol, context.ip) {
        (ICMP, EnclosingIp::Ip4(..)) => icmp::print(p, bytes, length, context.fragmented)?,
        (ICMPV6, EnclosingIp::Ip6(_, whole)) => {
            icmp6::print(p, bytes, length, whole, context.fragmented)?;
        }
        (ICMP | IGMP, EnclosingIp::Ip6(..)) => print_wrong_ip_version(p, protocol, "IPv4"),
        (ICMPV6 | ETHERNET, EnclosingIp::Ip4(..)) => print_wrong_ip_version(p, protocol, "IPv6"),
        (IP4, _) => ip4::print(p, bytes, length)?,
        (IP6, _) => ip6::print(p, bytes, length)?,
        (ESP, _) => ipsec::print_esp(p, bytes, length)?,
        (IPCOMP, _) => ipsec::print_ipcomp(p, bytes)?,
        (SUN_ND, _) => write!(p, " nd {}", length as u32),
        (NO_NEXT_HEADER, _) => p.push_str("no next header"),
        _ => print_unknown(p, protocol, length),
    }
    Ok(())
}

/// Prints the number and the length of a protocol that is not dissected.
pub(super) fn print_unknown(p: &mut Printer, protocol: u8, length: usize) {
    write!(p, " ip-proto-{protocol} {}", length as u32);
}

fn print_wrong_ip_version(p: &mut Printer, protocol: u8, version: &str) {
    let name = name(protocol);
    write!(p, "[{name} requires {version}]");
    p.push_invalid();
}

/// Returns the protocol's name, printed with `-v`.
pub(super) fn name(protocol: u8) -> &'static str {
    match protocol {
        0 => "Options",
        ICMP => "ICMP",
        IGMP => "IGMP",
        IP4 => "IPIP",
        TCP => "TCP",
        8 => "EGP",
        9 => "IGRP",
        UDP => "UDP",
        33 => "DCCP",
        IP6 => "IPv6",
        43 => "Routing",
        44 => "Fragment",
        46 => "RSVP",
        47 => "GRE",
        ESP => "ESP",
        AH => "AH",
        55 => "Mobile IP",
        ICMPV6 => "ICMPv6",
        62 => "Mobile IP (old)",
        88 => "EIGRP",
        89 => "OSPF",
        103 => "PIM",
        IPCOMP => "Compressed IP",
        112 => "VRRP",
        113 => "PGM",
        132 => "SCTP",
        135 => "Mobility",
        ETHERNET => "Ethernet",
        _ => "unknown",
    }
}
