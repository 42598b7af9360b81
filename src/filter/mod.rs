//! Packet filter for live captures and files: a set of ports, and a pcap-filter(7) expression that
//! is executed as a BPF program.

mod bpf;
mod ports;

pub use ports::Ports;

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::decode::quoted_endpoints;
use crate::error::{Error, Result};
use crate::packet::{Fragment, Frame, LinkType, Packet, PacketKind};
use bpf::BpfProgram;

/// Packets selected by the user: a packet must match both the ports and the expression, if given.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    ports: Option<Ports>,
    /// True if the kernel checks the ports of all packets whose headers BPF can parse.
    is_checked_by_kernel: bool,
    expression: Option<String>,
    /// Programs compiled from the expression so far, one per link type; `None` if the expression is
    /// not valid for the link type.
    programs: Vec<(LinkType, Option<BpfProgram>)>,
    /// Number of frames for whose link type the expression is not valid.
    undecided: u64,
    datagrams: MatchedDatagrams,
}

/// Recent fragmented datagrams whose first fragment matched. Later fragments contain no ports; they
/// match if the first fragment matched.
#[derive(Debug, Clone, Default)]
struct MatchedDatagrams {
    ids: VecDeque<(IpAddr, IpAddr, u32)>,
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
        let id = (src, dst, fragment.id);
        if fragment.offset > 0 {
            return self.ids.contains(&id);
        }
        let is_match = has_match(packet);
        if is_match {
            self.ids.truncate(MAX_MATCHED_DATAGRAMS - 1);
            self.ids.push_front(id);
        }
        is_match
    }
}

/// Link types for which an expression is compiled before the first frame arrives, in this order.
const COMMON_LINK_TYPES: [LinkType; 4] = [
    LinkType::ETHERNET,
    LinkType::LINUX_SLL2,
    LinkType::NULL,
    LinkType::RAW,
];

impl Filter {
    /// Creates a filter for these ports and this pcap-filter(7) expression, which may be empty.
    ///
    /// # Errors
    /// The expression compiles for none of the common link types. A test of a packet's direction
    /// compiles only for link types that record the direction, e.g. cooked headers; frames of other
    /// link types are then [`undecided`](Self::undecided).
    pub fn new(ports: Option<Ports>, expression: &str) -> Result<Filter> {
        let expression = Some(expression.trim()).filter(|text| !text.is_empty());
        let mut filter = Filter {
            ports,
            expression: expression.map(str::to_owned),
            ..Filter::default()
        };
        if let Some(expression) = expression {
            let (mut found, mut first_error) = (None, None);
            for link in COMMON_LINK_TYPES {
                match BpfProgram::compile(link, expression) {
                    Ok(program) => {
                        found = Some((link, Some(program)));
                        break;
                    }
                    Err(error) => first_error = first_error.or(Some(error)),
                }
            }
            match (found, first_error) {
                (Some(program), _) => filter.programs.push(program),
                (None, Some(error)) => return Err(error),
                (None, None) => {}
            }
        }
        Ok(filter)
    }

    /// Returns true if the packet matches.
    #[inline]
    pub fn matches(&mut self, packet: &Packet) -> bool {
        self.matches_ports(packet) && self.matches_expression(packet.frame)
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
    pub fn is_empty(&self) -> bool {
        self.ports.is_none() && self.expression.is_none()
    }

    /// Checks that the expression is valid for at least one of these link types, if there are any.
    ///
    /// # Errors
    /// The expression compiles for none of them; the error is that of the first.
    pub fn check_link_types(&self, links: impl IntoIterator<Item = LinkType>) -> Result<()> {
        let Some(expression) = &self.expression else {
            return Ok(());
        };
        let mut compiled = links
            .into_iter()
            .map(|link| BpfProgram::compile(link, expression).map(drop));
        let first = compiled.next().unwrap_or(Ok(()));
        if compiled.any(|other| other.is_ok()) {
            Ok(())
        } else {
            first
        }
    }

    /// Returns the number of frames rejected because the expression is not valid for their link
    /// type.
    pub fn undecided(&self) -> u64 {
        self.undecided
    }

    /// Splits the filter for a live capture on `link` into an expression for the kernel and a
    /// filter for the remaining checks.
    ///
    /// The kernel passes ICMP, fragments and IPv6 packets with extension headers on to the exact
    /// check, because BPF cannot parse them.
    ///
    /// # Errors
    /// The expression does not compile for `link`, or tests a packet's direction.
    pub fn split_for_kernel(self, link: LinkType) -> Result<(String, Filter)> {
        const RECHECK_EXPRESSION: &str = "icmp or icmp6 or ip[6:2] & 0x1fff != 0 or ip6[6] == 0 or ip6[6] == 43 or ip6[6] == 44 or ip6[6] == 60";
        let ports = self
            .ports
            .as_ref()
            .map(|ports| format!("({} or {RECHECK_EXPRESSION})", ports.to_bpf_expression()));
        let expression = self
            .expression
            .as_ref()
            .map(|expression| format!("({expression})"));
        let parts: Vec<String> = ports.into_iter().chain(expression).collect();
        let kernel_expression = parts.join(" and ");
        if let Some(expression) = &self.expression {
            BpfProgram::compile(link, expression)?;
        }
        let remaining = Filter {
            is_checked_by_kernel: true,
            ports: self.ports,
            ..Filter::default()
        };
        Ok((kernel_expression, remaining))
    }

    #[inline]
    fn matches_expression(&mut self, frame: &Frame) -> bool {
        self.expression.is_none() || self.run_expression(frame)
    }

    fn run_expression(&mut self, frame: &Frame) -> bool {
        let at = match self
            .programs
            .iter()
            .position(|(link, _)| *link == frame.link)
        {
            Some(at) => at,
            None => {
                let expression = self.expression.as_deref().unwrap_or_default();
                let program = BpfProgram::compile(frame.link, expression).ok();
                self.programs.push((frame.link, program));
                self.programs.len() - 1
            }
        };
        match &self.programs[at].1 {
            Some(program) => program.matches(frame.bytes, frame.wire_len),
            None => {
                self.undecided += 1;
                false
            }
        }
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

/// Returns true for packets whose ports the kernel's filter cannot read: ICMP errors, and IPv6
/// packets with extension headers.
fn is_unreadable_in_kernel(packet: &Packet) -> bool {
    packet.kind() == PacketKind::Icmp || packet.has_ipv6_extensions()
}

/// Returns the error for an expression that cannot be used, with the reason.
fn filter_error(expression: &str, reason: impl Into<String>) -> Error {
    Error::Filter {
        expression: expression.to_owned(),
        what: reason.into(),
    }
}

#[cfg(test)]
mod tests;
