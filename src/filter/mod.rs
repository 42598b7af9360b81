//! Packet filter for live captures and files: a set of ports, and a pcap-filter(7) expression that
//! is executed as a BPF program.

#[cfg(feature = "live")]
mod bpf;
#[cfg(feature = "live")]
mod expression;
mod ports;

pub use ports::Ports;

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::decode::quoted_endpoints;
#[cfg(feature = "live")]
use crate::error::Result;
#[cfg(feature = "live")]
use crate::packet::LinkType;
use crate::packet::{DecodeProblem, Fragment, Packet, PacketKind};
#[cfg(feature = "live")]
use expression::Expression;

/// Packets selected by the user: a packet must match both the ports and the expression, if given.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    ports: Option<Ports>,
    /// True if the kernel checks the ports of all packets whose headers BPF can parse.
    is_checked_by_kernel: bool,
    #[cfg(feature = "live")]
    expression: Option<Expression>,
    datagrams: MatchedDatagrams,
}

/// Recent fragmented datagrams whose first fragment matched. Later fragments contain no ports; they
/// match if the first fragment matched.
#[derive(Debug, Clone, Default)]
struct MatchedDatagrams {
    /// Source, destination, protocol (IPv4 only) and identification, which together identify a
    /// datagram (RFC 791 section 3.2, RFC 8200 section 4.5); the latest first.
    ids: VecDeque<(IpAddr, IpAddr, Option<u8>, u32)>,
}

/// Maximum number of remembered datagrams, more than loopback ever has in transit at the same time.
const MAX_MATCHED_DATAGRAMS: usize = 64;

impl MatchedDatagrams {
    #[cold]
    fn match_fragment(
        &mut self,
        packet: &Packet,
        fragment: Fragment,
        has_match: impl Fn(&Packet) -> bool,
    ) -> bool {
        let Some((src, dst)) = packet.addresses() else {
            return false;
        };
        let proto = packet.ip_proto().filter(|_| src.is_ipv4());
        let id = (src, dst, proto, fragment.id);
        if fragment.offset > 0 {
            return self.ids.contains(&id);
        }
        let is_match = has_match(packet);
        // Another datagram may have the identification of an earlier one.
        self.ids.retain(|other| *other != id);
        if is_match {
            self.ids.truncate(MAX_MATCHED_DATAGRAMS - 1);
            self.ids.push_front(id);
        }
        is_match
    }
}

impl Filter {
    /// Creates a filter for these ports and this pcap-filter(7) expression, which may be empty.
    ///
    /// # Errors
    /// The same as [`set_expression`](Self::set_expression).
    #[cfg(feature = "live")]
    pub fn new(ports: Option<Ports>, expression: &str) -> Result<Filter> {
        let mut filter = Filter {
            ports,
            ..Filter::default()
        };
        filter.set_expression(expression)?;
        Ok(filter)
    }

    /// Adds a port to the set of ports.
    pub fn add_port(&mut self, port: u16) {
        self.ports.get_or_insert_with(Ports::empty).add(port, port);
    }

    /// Replaces the pcap-filter(7) expression, which may be empty.
    ///
    /// # Errors
    /// The expression compiles for none of the common link types. A test of a packet's direction
    /// compiles only for link types that record the direction, e.g. cooked headers; frames of other
    /// link types are then [`undecided`](Self::undecided).
    #[cfg(feature = "live")]
    pub fn set_expression(&mut self, text: &str) -> Result<()> {
        self.expression = match text.trim() {
            "" => None,
            text => Some(Expression::compile(text)?),
        };
        Ok(())
    }

    /// Returns true if the packet matches.
    #[inline]
    pub fn matches(&mut self, packet: &Packet) -> bool {
        if !self.matches_ports(packet) {
            return false;
        }
        #[cfg(feature = "live")]
        if let Some(expression) = &mut self.expression {
            return expression.matches(packet.frame);
        }
        true
    }

    #[inline]
    fn matches_ports(&mut self, packet: &Packet) -> bool {
        let Some(ports) = &self.ports else {
            return true;
        };
        match packet.fragment() {
            Some(fragment) => self
                .datagrams
                .match_fragment(packet, fragment, |packet| has_matching_port(packet, ports)),
            // The kernel has checked all bytes of the packet, of which fewer may be captured.
            None if self.is_checked_by_kernel && !is_unreadable_in_kernel(packet) => true,
            None => has_matching_port(packet, ports),
        }
    }

    /// Returns true if the filter accepts every packet.
    #[cfg(feature = "live")]
    pub fn is_empty(&self) -> bool {
        self.ports.is_none() && self.expression.is_none()
    }

    /// Checks that the expression is valid for at least one of these link types, if there are any.
    ///
    /// # Errors
    /// The expression compiles for none of them; the error is that of the first.
    #[cfg(feature = "cli")]
    pub fn check_link_types(&self, links: impl IntoIterator<Item = LinkType>) -> Result<()> {
        match &self.expression {
            Some(expression) => expression.check_link_types(links),
            None => Ok(()),
        }
    }

    /// Returns the number of frames rejected because the expression is not valid for their link
    /// type.
    #[cfg(feature = "cli")]
    pub fn undecided(&self) -> u64 {
        self.expression.as_ref().map_or(0, Expression::undecided)
    }

    /// Splits the filter for a live capture on `link` into an expression for the kernel and a
    /// filter for the remaining checks.
    ///
    /// The kernel passes ICMP, fragments and IPv6 packets with extension headers on to the exact
    /// check: BPF cannot parse them, and the ports of a first fragment decide about later ones.
    ///
    /// # Errors
    /// The expression does not compile for `link`, or tests a packet's direction.
    #[cfg(feature = "live")]
    pub fn split_for_kernel(self, link: LinkType) -> Result<(String, Filter)> {
        const RECHECK_EXPRESSION: &str = "icmp or icmp6 or ip[6:2] & 0x3fff != 0 or ip6[6] == 0 or ip6[6] == 43 or ip6[6] == 44 or ip6[6] == 60";
        let ports = self
            .ports
            .as_ref()
            .map(|ports| format!("({} or {RECHECK_EXPRESSION})", ports.to_bpf_expression()));
        let expression = match &self.expression {
            Some(expression) => Some(format!("({})", expression.text_for(link)?)),
            None => None,
        };
        let parts: Vec<String> = ports.into_iter().chain(expression).collect();
        let kernel_expression = parts.join(" and ");
        let remaining = Filter {
            is_checked_by_kernel: true,
            ports: self.ports,
            ..Filter::default()
        };
        Ok((kernel_expression, remaining))
    }
}

/// Returns true if the source or destination port is in the set. For an ICMP error, the ports of
/// the quoted packet are tested.
#[inline]
fn has_matching_port(packet: &Packet, ports: &Ports) -> bool {
    let tested_ports = match packet.kind() {
        PacketKind::Icmp => quoted_ports(packet),
        _ => packet.ports(),
    };
    tested_ports.is_some_and(|(src, dst)| ports.contains(src) || ports.contains(dst))
}

#[cold]
fn quoted_ports(packet: &Packet) -> Option<(u16, u16)> {
    let quoted = quoted_endpoints(packet.ip_proto()?, packet.payload())?;
    Some((quoted.src_port(), quoted.dst_port()))
}

/// Returns true for packets whose ports the kernel's filter cannot read: ICMP errors, IPv6 packets
/// with extension headers, and malformed packets, where BPF reads other bytes as ports.
fn is_unreadable_in_kernel(packet: &Packet) -> bool {
    use DecodeProblem::{BadIpLength, BadIpVersion, BadTransportLength};
    let is_malformed = matches!(
        packet.problem(),
        Some(BadIpVersion(_) | BadIpLength | BadTransportLength)
    );
    packet.kind() == PacketKind::Icmp || packet.has_ipv6_extensions() || is_malformed
}

#[cfg(all(test, feature = "live"))]
mod tests;
