//! What follows an IP header, by its protocol number
//! (<https://www.iana.org/assignments/protocol-numbers/>).

use super::network::Network;
use super::printer::{Printed, Printer, rest, u8_at};
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

/// What is known beside a protocol's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// The IP header.
    pub(super) network: Network<'a>,
    /// Whether more fragments follow, so that lengths and checksums cannot be held against the bytes.
    pub(super) fragmented: bool,
}

/// Prints what follows an IP header and its extensions.
#[inline]
pub(super) fn print(
    p: &mut Printer,
    protocol: u8,
    bytes: &[u8],
    length: usize,
    context: Context,
) -> Printed {
    let Context {
        network,
        fragmented,
    } = context;
    match protocol {
        TCP => tcp::print(p, bytes, length, network, fragmented),
        UDP => udp::print(p, bytes, length, network, fragmented),
        AH => authenticated(p, bytes, length, context),
        _ => other(p, protocol, bytes, length, context),
    }
}

/// Prints authentication headers (they may follow each other) and what they stand before.
fn authenticated(p: &mut Printer, bytes: &[u8], length: usize, context: Context) -> Printed {
    let (mut at, mut next) = (0, AH);
    while next == AH {
        let bytes = rest(bytes, at);
        p.protocol = "ah";
        let Ok(found) = u8_at(bytes, 0) else {
            p.truncated();
            return Ok(());
        };
        next = found;
        at += ipsec::authentication(p, bytes)?;
    }
    let length = (length as u32).wrapping_sub(at as u32) as usize;
    print(p, next, rest(bytes, at), length, context)
}

fn other(p: &mut Printer, protocol: u8, bytes: &[u8], length: usize, context: Context) -> Printed {
    match (protocol, context.network) {
        (ICMP, Network::Ip4(..)) => icmp::print(p, bytes, length, context.fragmented),
        (ICMPV6, Network::Ip6(_, whole)) => {
            icmp6::print(p, bytes, length, whole, context.fragmented)
        }
        (ICMP | IGMP, Network::Ip6(..)) => {
            requires(p, protocol, "IPv4");
            Ok(())
        }
        (ICMPV6 | ETHERNET, Network::Ip4(..)) => {
            requires(p, protocol, "IPv6");
            Ok(())
        }
        (IP4, _) => ip4::print(p, bytes, length),
        (IP6, _) => ip6::print(p, bytes, length),
        (ESP, _) => ipsec::encapsulated(p, bytes, length),
        (IPCOMP, _) => ipsec::compressed(p, bytes),
        (SUN_ND, _) => {
            p.text(" nd ");
            p.decimal(length as u32);
            Ok(())
        }
        (NO_NEXT_HEADER, _) => {
            p.text("no next header");
            Ok(())
        }
        _ => {
            unknown(p, protocol, length);
            Ok(())
        }
    }
}

/// A protocol that is not dissected.
pub(super) fn unknown(p: &mut Printer, protocol: u8, length: usize) {
    p.text(" ip-proto-");
    p.decimal(u32::from(protocol));
    p.text(" ");
    p.decimal(length as u32);
}

fn requires(p: &mut Printer, protocol: u8, version: &str) {
    let name = name(protocol);
    p.format(format_args!("[{name} requires {version}]"));
    p.invalid();
}

/// The name that `-v` shows.
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
